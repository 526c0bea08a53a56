use super::date::parse_date;
use super::playlist::{Part, Playlist, Segment};

/// Nothing of ours lasts longer, and no number of ours is larger: what adds up below never overflows.
const LONGEST_S: u64 = 3600;
const LARGEST: u64 = 1 << 53;

impl Playlist {
    /// Reads a playlist of [`Playlist::render`]. `None` if it is something else: then there is nothing to go on from.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some("#EXTM3U") {
            return None;
        }
        let mut list = Self::default();
        let (mut init, mut date_ms, mut duration, mut discontinuity, mut parts) = (String::new(), None, None, false, vec![]);
        for line in lines {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-TARGETDURATION" => list.target = value.parse().ok().filter(|t| *t <= LONGEST_S)?,
                "#EXT-X-PART-INF" => list.part_target = parse_seconds(value.strip_prefix("PART-TARGET=")?)?,
                "#EXT-X-MEDIA-SEQUENCE" => list.sequence = count(value)?,
                "#EXT-X-DISCONTINUITY-SEQUENCE" => list.discontinuities = count(value)?,
                "#EXT-X-DISCONTINUITY" => discontinuity = true,
                "#EXT-X-MAP" => init = own(value.strip_prefix("URI=\"")?.strip_suffix('"')?, "init-", ".mp4")?,
                "#EXT-X-PROGRAM-DATE-TIME" => date_ms = Some(parse_date(value)?),
                "#EXT-X-PART" => parts.push(parse_part(value)?),
                "#EXTINF" => duration = Some(parse_seconds(value.strip_suffix(',')?)?),
                "#EXT-X-ENDLIST" => list.ended = true,
                _ if line.starts_with('#') || line.is_empty() => {}
                _ => {
                    let segment = Segment {
                        name: own(line, "seg-", ".m4s")?,
                        init: init.clone(),
                        duration: duration.take()?,
                        date_ms: date_ms.take()?,
                        discontinuity: std::mem::take(&mut discontinuity),
                        parts: std::mem::take(&mut parts),
                    };
                    list.segments.push_back(segment);
                }
            }
        }
        if !parts.is_empty() {
            let duration = parts.iter().map(|p: &Part| p.duration).sum();
            list.open = Some(Segment { name: format!("seg-{}.m4s", list.next()), init, duration, date_ms: date_ms?, discontinuity, parts });
        }
        Some(list)
    }
}

fn parse_part(value: &str) -> Option<Part> {
    let (duration, rest) = value.strip_prefix("DURATION=")?.split_once(",URI=\"")?;
    let (name, _) = rest.split_once('"')?;
    part_number(name)?;
    Some(Part { name: name.to_owned(), duration: parse_seconds(duration)? })
}

/// The number in one of our file names.
pub(super) fn number(name: &str, prefix: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
    count(digits)
}

fn count(digits: &str) -> Option<u64> {
    if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok().filter(|n| *n < LARGEST) } else { None }
}

/// The number of the segment that a part of ours belongs to.
pub(super) fn part_number(name: &str) -> Option<u64> {
    let (segment, index) = name.strip_prefix("part-")?.strip_suffix(".m4s")?.split_once('-')?;
    count(index).and_then(|_| count(segment))
}

fn own(name: &str, prefix: &str, suffix: &str) -> Option<String> {
    number(name, prefix, suffix).map(|_| name.to_owned())
}

fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, micros) = text.split_once('.')?;
    if micros.len() != 6 {
        return None;
    }
    let (whole, micros) = (count(whole).filter(|s| *s <= LONGEST_S)?, count(micros)?);
    i64::try_from((whole * 1_000_000 + micros) * 1000).ok()
}
