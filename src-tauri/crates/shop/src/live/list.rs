use bytes::Bytes;
use std::time::Duration;

/// What a player waits for: a segment by its media sequence number, or one part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub segment: u64,
    pub part: Option<u64>,
}

/// A media playlist, as far as a server must understand it to hold back its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List {
    /// As it is in the file.
    pub text: Bytes,
    /// Longest segment.
    pub target: Duration,
    /// No more will come.
    pub ended: bool,
    /// Number of the first segment that is not whole.
    next: u64,
    /// Parts of that one.
    parts: u64,
    /// Parts a player may ask ahead: three seconds of them (RFC 8216bis §6.2.5.2).
    ahead: u64,
    /// The file that comes next.
    hint: Option<String>,
}

impl List {
    /// `None` if it is no media playlist.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some("#EXTM3U") {
            return None;
        }
        let mut list = Self {
            text: Bytes::copy_from_slice(text.as_bytes()),
            target: Duration::ZERO,
            ended: false,
            next: 0,
            parts: 0,
            ahead: 3,
            hint: None,
        };
        for line in lines {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-TARGETDURATION" => list.target = Duration::from_secs(value.parse::<u32>().ok()?.into()),
                "#EXT-X-MEDIA-SEQUENCE" => list.next = value.parse().ok()?,
                "#EXT-X-PART-INF" => list.ahead = ahead(value)?,
                "#EXT-X-PART" => list.parts += 1,
                "#EXT-X-PRELOAD-HINT" => {
                    list.hint = value.split_once("URI=\"").and_then(|(_, v)| v.split_once('"')).map(|(v, _)| v.to_owned())
                }
                "#EXT-X-ENDLIST" => list.ended = true,
                _ if line.starts_with('#') || line.is_empty() => {}
                _ => {
                    list.next = list.next.checked_add(1)?;
                    list.parts = 0;
                }
            }
        }
        (!list.target.is_zero()).then_some(list)
    }

    /// Is it in the list, or has it been?
    pub(crate) fn has(&self, point: Point) -> bool {
        // A segment that ended early has fewer parts than were asked for: then the first of the next answers it.
        point.segment < self.next || (point.segment == self.next && point.part.is_some_and(|part| part < self.parts))
    }

    /// Further ahead than a player that reads the lists would ask.
    pub(crate) fn is_too_far(&self, point: Point) -> bool {
        point.segment > self.next.saturating_add(1)
            || (point.segment == self.next && point.part.is_some_and(|part| part >= self.parts.saturating_add(self.ahead)))
    }

    /// Did the list say that this file comes next?
    pub(crate) fn announces(&self, name: &str) -> bool {
        !self.ended && self.hint.as_deref() == Some(name)
    }
}

fn ahead(part_inf: &str) -> Option<u64> {
    let seconds: f64 = part_inf.strip_prefix("PART-TARGET=")?.parse().ok()?;
    // `as` saturates: an odd value only makes the limit odd.
    if seconds > 0.0 && seconds < 1.0 { Some((3.0 / seconds).ceil().min(1000.0) as u64) } else { Some(3) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const GROWING: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.500000\n#EXT-X-MEDIA-SEQUENCE:40\n\
        #EXT-X-PART:DURATION=0.5,URI=\"part-40-0.m4s\",INDEPENDENT=YES\n#EXTINF:2.0,\nseg-40.m4s\n\
        #EXT-X-PART:DURATION=0.5,URI=\"part-41-0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.5,URI=\"part-41-1.m4s\"\n\
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-41-2.m4s\"\n";

    fn at(segment: u64, part: impl Into<Option<u64>>) -> Point {
        Point { segment, part: part.into() }
    }

    #[test]
    fn a_growing_list_knows_what_it_has_and_what_comes() {
        let list = List::read(GROWING).unwrap();
        for point in [at(0, None), at(40, None), at(40, 0), at(40, 9), at(41, 0), at(41, 1)] {
            assert!(list.has(point), "{point:?}");
        }
        for point in [at(41, None), at(41, 2), at(42, 0), at(42, None)] {
            assert!(!list.has(point) && !list.is_too_far(point), "{point:?}");
        }
        assert!(!list.is_too_far(at(41, 7)), "six parts ahead of the last");
        for point in [at(41, 8), at(43, None), at(u64::MAX, 0)] {
            assert!(list.is_too_far(point), "{point:?}");
        }
        assert!(list.announces("part-41-2.m4s") && !list.announces("part-41-1.m4s"));
    }

    #[test]
    fn the_last_list_announces_nothing_and_junk_is_no_list() {
        assert!(!List::read(&format!("{GROWING}#EXT-X-ENDLIST\n")).unwrap().announces("part-41-2.m4s"));
        for junk in
            ["", "hello", "#EXTM3U\n", "#EXTM3U\n#EXT-X-TARGETDURATION:-1\n", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:x\n"]
        {
            assert!(List::read(junk).is_none(), "{junk}");
        }
        let last = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\nseg.m4s\n";
        assert!(List::read(last).is_none(), "no number is larger");
    }
}
