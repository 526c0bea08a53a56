use stallcast_media::{NANOS_PER_MS, NANOS_PER_SEC};
use std::collections::VecDeque;
use std::fmt::Write;

/// Seconds every segment has at most, rounded: the encoders' keyframe distance.
const TARGET: u64 = 2;
/// Least time a viewer can find in the playlist (seven segments, less what rounding takes), and least segments.
const WINDOW: i64 = 14 * NANOS_PER_SEC - 100 * NANOS_PER_MS;
const LEAST: usize = 6;
/// Most segments, whatever their length.
const MOST: usize = 40;

/// One listed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// `seg-N.m4s`.
    pub name: String,
    /// `init-N.mp4` it needs.
    pub init: String,
    /// Nanoseconds.
    pub duration: i64,
    /// When its first picture was in the program, ms UTC.
    pub date_ms: i64,
    /// Its timeline does not go on from the segment before.
    pub discontinuity: bool,
}

impl Segment {
    pub const fn end_ms(&self) -> i64 {
        self.date_ms + self.duration / NANOS_PER_MS
    }
}

/// A sliding media playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Playlist {
    pub target: u64,
    /// Number of the first listed segment.
    pub sequence: u64,
    /// Discontinuities before the first listed segment.
    pub discontinuities: u64,
    pub segments: VecDeque<Segment>,
    pub ended: bool,
}

impl Default for Playlist {
    fn default() -> Self {
        Self { target: TARGET, sequence: 0, discontinuities: 0, segments: VecDeque::new(), ended: false }
    }
}

impl Playlist {
    /// Number of the next segment.
    pub fn next(&self) -> u64 {
        self.sequence + self.segments.len() as u64
    }

    /// Lists one more; gives those that leave the window.
    pub fn push(&mut self, segment: Segment) -> Vec<Segment> {
        let seconds = u64::try_from((segment.duration + NANOS_PER_SEC / 2) / NANOS_PER_SEC).unwrap_or(0);
        self.target = self.target.max(seconds);
        self.segments.push_back(segment);
        let mut gone = vec![];
        while self.overlong() {
            gone.extend(self.drop_first());
        }
        gone
    }

    fn overlong(&self) -> bool {
        let (count, time): (usize, i64) = (self.segments.len(), self.segments.iter().map(|s| s.duration).sum());
        let without_first = time - self.segments.front().map_or(0, |s| s.duration);
        count > MOST || (count > LEAST && without_first >= WINDOW)
    }

    /// Takes the first segment off the list.
    pub fn drop_first(&mut self) -> Option<Segment> {
        let first = self.segments.pop_front()?;
        self.sequence += 1;
        self.discontinuities += u64::from(first.discontinuity);
        Some(first)
    }

    pub fn render(&self) -> String {
        let mut out = String::with_capacity(256 + self.segments.len() * 128);
        let _ = write!(
            out,
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}\n#EXT-X-INDEPENDENT-SEGMENTS\n",
            self.target, self.sequence, self.discontinuities
        );
        let mut init = "";
        for segment in &self.segments {
            if segment.discontinuity {
                out.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if segment.init != init {
                init = &segment.init;
                let _ = writeln!(out, "#EXT-X-MAP:URI=\"{init}\"");
            }
            let micros = (segment.duration + 500) / 1000;
            let _ = write!(
                out,
                "#EXT-X-PROGRAM-DATE-TIME:{}\n#EXTINF:{}.{:06},\n{}\n",
                date(segment.date_ms),
                micros / 1_000_000,
                micros % 1_000_000,
                segment.name
            );
        }
        if self.ended {
            out.push_str("#EXT-X-ENDLIST\n");
        }
        out
    }

    /// Reads a playlist of [`Playlist::render`]. `None` if it is something else: then there is nothing to go on from.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some("#EXTM3U") {
            return None;
        }
        let mut list = Self::default();
        let (mut init, mut date_ms, mut duration, mut discontinuity) = (String::new(), None, None, false);
        for line in lines {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-TARGETDURATION" => list.target = value.parse().ok()?,
                "#EXT-X-MEDIA-SEQUENCE" => list.sequence = value.parse().ok()?,
                "#EXT-X-DISCONTINUITY-SEQUENCE" => list.discontinuities = value.parse().ok()?,
                "#EXT-X-DISCONTINUITY" => discontinuity = true,
                "#EXT-X-MAP" => init = own(value.strip_prefix("URI=\"")?.strip_suffix('"')?, "init-", ".mp4")?,
                "#EXT-X-PROGRAM-DATE-TIME" => date_ms = Some(parse_date(value)?),
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
                    };
                    list.segments.push_back(segment);
                }
            }
        }
        Some(list)
    }
}

/// The number in one of our file names.
pub(super) fn number(name: &str, prefix: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
    if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn own(name: &str, prefix: &str, suffix: &str) -> Option<String> {
    number(name, prefix, suffix).map(|_| name.to_owned())
}

fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, micros) = text.split_once('.')?;
    if micros.len() != 6 {
        return None;
    }
    Some((whole.parse::<i64>().ok()?.checked_mul(1_000_000)? + micros.parse::<i64>().ok()?) * 1000)
}

/// `2026-11-24T08:30:00.000Z`. Civil date from days, Howard Hinnant's algorithm.
fn date(ms: i64) -> String {
    let (days, ms) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:03}Z", ms % 1000)
}

fn parse_date(text: &str) -> Option<i64> {
    let digits = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    if text.len() != 24 || !text.ends_with('Z') {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let year_of_era = year.rem_euclid(400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = year.div_euclid(400) * 146_097 + day_of_era - 719_468;
    Some(days * 86_400_000 + digits(11, 13)? * 3_600_000 + digits(14, 16)? * 60_000 + digits(17, 19)? * 1000 + digits(20, 23)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(n: u64, init: u64, discontinuity: bool) -> Segment {
        Segment {
            name: format!("seg-{n}.m4s"),
            init: format!("init-{init}.mp4"),
            duration: 2 * NANOS_PER_SEC,
            date_ms: 1_795_509_000_000 + i64::try_from(n).unwrap_or(0) * 2000,
            discontinuity,
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(date(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(date(1_795_509_000_123), "2026-11-24T08:30:00.123Z");
        for ms in [0, 951_782_399_999, 951_868_800_000, 1_709_164_800_001, 1_795_509_000_123, 4_102_444_799_999] {
            assert_eq!(parse_date(&date(ms)), Some(ms));
        }
    }

    #[test]
    fn the_window_slides_and_both_counts_rise() {
        let mut list = Playlist::default();
        let mut gone = vec![];
        for n in 0..20 {
            gone.extend(list.push(segment(n, u64::from(n >= 10), n == 10)));
        }
        assert_eq!(list.segments.len(), 7);
        assert_eq!((list.sequence, list.next(), list.discontinuities), (13, 20, 1), "the restart at 10 has left the window");
        assert_eq!(gone.len(), 13);
        assert_eq!(gone[0].name, "seg-0.m4s");
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let mut list = Playlist { sequence: 40, discontinuities: 2, ..Playlist::default() };
        for n in 40..46 {
            list.push(segment(n, 3 + u64::from(n > 43), n == 44));
        }
        let text = list.render();
        assert_eq!(text.matches("#EXT-X-MAP:").count(), 2);
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
        assert!(text.contains("#EXTINF:2.000000,\nseg-40.m4s\n"), "{text}");
        assert_eq!(Playlist::parse(&text), Some(list.clone()));
        list.ended = true;
        assert_eq!(Playlist::parse(&list.render()), Some(list));
    }

    #[test]
    fn a_foreign_or_damaged_list_is_refused() {
        let good = {
            let mut l = Playlist::default();
            l.push(segment(0, 0, false));
            l.render()
        };
        assert!(Playlist::parse("").is_none());
        assert!(Playlist::parse(&good.replace("seg-0.m4s", "../../etc/passwd")).is_none());
        assert!(Playlist::parse(&good.replace("init-0.mp4", "/tmp/x.mp4")).is_none());
        assert!(Playlist::parse(&good.replace("#EXT-X-PROGRAM-DATE-TIME:2026", "#EXT-X-PROGRAM-DATE-TIME:soon")).is_none());
        assert!(Playlist::parse(&good.replace("#EXTINF", "#EXTRA")).is_none());
    }

    #[test]
    fn a_long_segment_raises_the_target() {
        let mut list = Playlist::default();
        list.push(Segment { duration: 3_700_000_000, ..segment(0, 0, false) });
        assert_eq!(list.target, 4);
    }
}
