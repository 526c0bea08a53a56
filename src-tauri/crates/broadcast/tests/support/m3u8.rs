//! The rules of draft-pantos-hls-rfc8216bis that matter to a live, low-latency media playlist, checked on what was
//! written. It shares nothing with the writer.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub uri: String,
    pub duration: f64,
    pub independent: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// None while it grows.
    pub uri: Option<String>,
    pub duration: f64,
    pub map: String,
    pub date: String,
    pub discontinuity: bool,
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone)]
pub struct List {
    pub sequence: u64,
    pub discontinuities: u64,
    pub target: u64,
    pub part_target: f64,
    pub segments: Vec<Segment>,
    pub hint: Option<String>,
    pub ended: bool,
}

/// `A=1,B="x,y"`.
fn attributes(text: &str) -> BTreeMap<String, String> {
    let (mut found, mut rest) = (BTreeMap::new(), text);
    while let Some((name, after)) = rest.split_once('=') {
        assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-'), "attribute {name:?} of {text}");
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, next) = quoted.split_once('"').unwrap_or_else(|| panic!("no closing quote: {text}"));
                (value, next.strip_prefix(',').unwrap_or(next))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        assert!(found.insert(name.to_owned(), value.to_owned()).is_none(), "{name} twice: {text}");
        rest = next;
    }
    assert!(rest.is_empty(), "left over: {rest:?} of {text}");
    found
}

impl List {
    /// Reads a list and checks what one list alone can break; panics naming it.
    pub fn strict(text: &str) -> Self {
        assert!(text.starts_with("#EXTM3U\n") && text.ends_with('\n') && !text.contains('\r'), "{text}");
        let (mut single, mut segments, mut hint, mut ended) = (BTreeMap::<&str, String>::new(), vec![], None, false);
        let (mut map, mut date, mut duration, mut discontinuity, mut parts) = (None, None, None, false, vec![]);
        for line in text.lines().skip(1) {
            assert!(!ended || line.is_empty(), "after the end: {line}");
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-VERSION"
                | "#EXT-X-TARGETDURATION"
                | "#EXT-X-SERVER-CONTROL"
                | "#EXT-X-PART-INF"
                | "#EXT-X-MEDIA-SEQUENCE"
                | "#EXT-X-DISCONTINUITY-SEQUENCE"
                | "#EXT-X-INDEPENDENT-SEGMENTS" => {
                    assert!(segments.is_empty() && parts.is_empty(), "{tag} after the first segment");
                    assert!(single.insert(tag, value.to_owned()).is_none(), "{tag} twice");
                }
                "#EXT-X-DISCONTINUITY" => {
                    assert!(parts.is_empty(), "a discontinuity in the middle of a segment:\n{text}");
                    discontinuity = true;
                }
                "#EXT-X-MAP" => {
                    assert!(parts.is_empty(), "an init section in the middle of a segment:\n{text}");
                    map = Some(attributes(value)["URI"].clone());
                }
                "#EXT-X-PROGRAM-DATE-TIME" => date = Some(value.to_owned()),
                "#EXT-X-PART" => {
                    assert!(hint.is_none(), "a part after the hint:\n{text}");
                    let a = attributes(value);
                    let independent = a.get("INDEPENDENT").is_some_and(|v| v == "YES");
                    parts.push(Part { uri: a["URI"].clone(), duration: a["DURATION"].parse().unwrap(), independent });
                }
                "#EXTINF" => duration = Some(value.trim_end_matches(',').parse::<f64>().unwrap()),
                "#EXT-X-PRELOAD-HINT" => {
                    let a = attributes(value);
                    assert_eq!(a["TYPE"], "PART");
                    assert!(hint.replace(a["URI"].clone()).is_none(), "two hints");
                }
                "#EXT-X-ENDLIST" => ended = true,
                _ if line.starts_with('#') => panic!("unknown tag {line}"),
                _ => {
                    assert!(hint.is_none(), "a segment after the hint");
                    segments.push(Segment {
                        uri: Some(line.to_owned()),
                        duration: duration.take().unwrap_or_else(|| panic!("{line} without EXTINF")),
                        map: map.clone().unwrap_or_else(|| panic!("{line} without EXT-X-MAP")),
                        date: date.take().unwrap_or_else(|| panic!("{line} without a date")),
                        discontinuity: std::mem::take(&mut discontinuity),
                        parts: std::mem::take(&mut parts),
                    });
                }
            }
        }
        if !parts.is_empty() {
            let duration = parts.iter().map(|p: &Part| p.duration).sum();
            let (map, date) = (map.expect("EXT-X-MAP before the first part"), date.expect("a date before the first part"));
            segments.push(Segment { uri: None, duration, map, date, discontinuity, parts });
        } else {
            assert!(!discontinuity && duration.is_none() && date.is_none(), "tags that belong to nothing:\n{text}");
        }
        let version: u32 = single["#EXT-X-VERSION"].parse().unwrap();
        assert!((6..=9).contains(&version), "EXT-X-MAP needs version 6");
        assert!(single.contains_key("#EXT-X-INDEPENDENT-SEGMENTS"));
        let target: u64 = single["#EXT-X-TARGETDURATION"].parse().unwrap();
        let part_target: f64 = attributes(&single["#EXT-X-PART-INF"])["PART-TARGET"].parse().unwrap();
        let control = attributes(&single["#EXT-X-SERVER-CONTROL"]);
        assert_eq!(control["CAN-BLOCK-RELOAD"], "YES");
        assert!(control["HOLD-BACK"].parse::<f64>().unwrap() >= 3.0 * target as f64, "HOLD-BACK of three targets");
        assert!(control["PART-HOLD-BACK"].parse::<f64>().unwrap() >= 3.0 * part_target - 1e-6, "PART-HOLD-BACK of three part targets");
        let list = Self {
            sequence: single["#EXT-X-MEDIA-SEQUENCE"].parse().unwrap(),
            discontinuities: single["#EXT-X-DISCONTINUITY-SEQUENCE"].parse().unwrap(),
            target,
            part_target,
            segments,
            hint,
            ended,
        };
        list.check(text);
        list
    }

    fn check(&self, text: &str) {
        assert!(self.segments.iter().any(|s| s.uri.is_some()), "players refuse a list without a segment:\n{text}");
        assert_eq!(self.hint.is_none(), self.ended, "a hint while it is live, none at its end:\n{text}");
        let mut left = self.segments.iter().map(|s| s.duration).sum::<f64>();
        let mut before: Option<&Segment> = None;
        for segment in &self.segments {
            left -= segment.duration;
            assert!(segment.duration.round() <= self.target as f64, "longer than the target:\n{text}");
            if let Some(before) = before {
                assert!(segment.date > before.date, "dates fall:\n{text}");
                assert!(segment.map == before.map || segment.discontinuity, "another init section without a discontinuity:\n{text}");
            }
            before = Some(segment);
            let Some((last, others)) = segment.parts.split_last() else {
                assert!(left >= 3.0 * self.target as f64 - 0.001, "a new segment without its parts:\n{text}");
                continue;
            };
            assert!(left <= 4.0 * self.target as f64, "parts of an old segment:\n{text}");
            let all: f64 = segment.parts.iter().map(|p| p.duration).sum();
            assert!((all - segment.duration).abs() < 0.001, "parts {all} s, segment {} s:\n{text}", segment.duration);
            assert!(segment.parts[0].independent, "a segment begins with a keyframe:\n{text}");
            assert!(last.duration <= self.part_target, "{last:?}");
            for part in others {
                assert!(part.duration <= self.part_target && part.duration >= 0.85 * self.part_target, "{part:?} of {}", self.part_target);
            }
            assert!(self.hint.as_ref().is_none_or(|h| segment.parts.iter().all(|p| p.uri != *h)), "the hint is there already:\n{text}");
        }
    }

    /// Names of the whole segments.
    pub fn whole(&self) -> Vec<&str> {
        self.segments.iter().filter_map(|s| s.uri.as_deref()).collect()
    }

    /// The newest media: number of its segment and parts of it.
    pub fn edge(&self) -> (u64, usize) {
        let last = self.segments.last().unwrap();
        (self.sequence + self.segments.len() as u64 - 1, last.parts.len())
    }

    /// May a player that has `old` be given `self` next? §6.2.1: nothing listed changes, things leave at the front and
    /// come at the end, numbers count what left.
    pub fn assert_follows(&self, old: &Self) {
        assert_eq!((self.target, self.part_target), (old.target, old.part_target), "targets change");
        assert!(self.sequence >= old.sequence, "the media sequence falls: {} after {}", self.sequence, old.sequence);
        assert!(!old.ended || self.ended);
        let gone = usize::try_from(self.sequence - old.sequence).unwrap();
        let gone_marks = old.segments.iter().take(gone).filter(|s| s.discontinuity).count() as u64;
        if gone <= old.segments.len() {
            assert_eq!(self.discontinuities, old.discontinuities + gone_marks, "the discontinuity sequence does not count");
        }
        assert!(self.edge() >= old.edge() || self.edge().0 > old.edge().0, "{:?} after {:?}", self.edge(), old.edge());
        for (was, is) in old.segments.iter().skip(gone).zip(&self.segments) {
            assert_eq!((&was.map, &was.date, was.discontinuity), (&is.map, &is.date, is.discontinuity));
            if was.uri.is_some() {
                assert_eq!((&was.uri, was.duration), (&is.uri, is.duration), "a segment changed");
                assert!(is.parts == was.parts || is.parts.is_empty());
            } else {
                assert!(is.parts.len() >= was.parts.len() || is.parts.is_empty(), "listed parts are gone");
                assert!(is.parts.is_empty() || is.parts[..was.parts.len()] == was.parts, "listed parts changed");
                // The hint was kept unless the segment ended early.
                if let (Some(hint), Some(next)) = (&old.hint, is.parts.get(was.parts.len())) {
                    assert_eq!(*hint, next.uri, "the hint was broken");
                }
            }
        }
    }
}
