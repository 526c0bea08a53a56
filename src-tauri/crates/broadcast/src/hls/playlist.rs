use super::date::date;
use stallcast_media::{NANOS_PER_MS, NANOS_PER_SEC};
use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write;

/// Seconds every segment has at most, rounded: the encoders' keyframe distance.
const TARGET: u64 = 2;
/// Least time a viewer can find in the playlist (seven segments, less what rounding takes), and least segments.
const WINDOW: i64 = 14 * NANOS_PER_SEC - 100 * NANOS_PER_MS;
const LEAST: usize = 6;
/// Most segments, whatever their length.
const MOST: usize = 40;
/// Parts are listed up to this many target durations from the end (RFC 8216bis §4.4.4.9); older ones only as segments.
const PARTS_FOR: i64 = 3;

/// One listed part of a segment. The first of a segment begins with its keyframe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// `part-SEGMENT-INDEX.m4s`.
    pub name: String,
    /// Nanoseconds, at most [`Playlist::part_target`].
    pub duration: i64,
}

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
    /// Those that are listed; none once it is old.
    pub parts: Vec<Part>,
}

impl Segment {
    pub const fn end_ms(&self) -> i64 {
        self.date_ms + self.duration / NANOS_PER_MS
    }
}

/// A sliding media playlist, with the parts of its newest segments and the one that is still growing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Playlist {
    pub target: u64,
    /// Nanoseconds of the longest part.
    pub part_target: i64,
    /// Number of the first listed segment.
    pub sequence: u64,
    /// Discontinuities before the first listed segment.
    pub discontinuities: u64,
    pub segments: VecDeque<Segment>,
    /// The growing segment, its number [`Playlist::next`]; never without a part.
    pub open: Option<Segment>,
    pub ended: bool,
}

impl Default for Playlist {
    fn default() -> Self {
        Self {
            target: TARGET,
            part_target: 500 * NANOS_PER_MS,
            sequence: 0,
            discontinuities: 0,
            segments: VecDeque::new(),
            open: None,
            ended: false,
        }
    }
}

impl Playlist {
    /// Number of the segment after the last whole one.
    pub fn next(&self) -> u64 {
        self.sequence + self.segments.len() as u64
    }

    /// Name of the part that comes next.
    pub fn next_part(&self) -> String {
        format!("part-{}-{}.m4s", self.next(), self.open.as_ref().map_or(0, |s| s.parts.len()))
    }

    /// When what is listed ends, ms UTC.
    pub fn end_ms(&self) -> Option<i64> {
        self.open.as_ref().or(self.segments.back()).map(Segment::end_ms)
    }

    /// The growing segment is whole. What is too old leaves the list.
    pub fn close(&mut self) {
        let Some(segment) = self.open.take() else { return };
        let seconds = u64::try_from((segment.duration + NANOS_PER_SEC / 2) / NANOS_PER_SEC).unwrap_or(0);
        self.target = self.target.max(seconds);
        self.segments.push_back(segment);
        while self.overlong() {
            self.drop_first();
        }
        let reach = i64::try_from(self.target).unwrap_or(i64::MAX).saturating_mul(PARTS_FOR * NANOS_PER_SEC);
        let mut after = 0;
        for segment in self.segments.iter_mut().rev() {
            if after >= reach {
                segment.parts.clear();
            }
            after += segment.duration;
        }
    }

    fn overlong(&self) -> bool {
        let (count, time): (usize, i64) = (self.segments.len(), self.segments.iter().map(|s| s.duration).sum());
        let without_first = time - self.segments.front().map_or(0, |s| s.duration);
        count > MOST || (count > LEAST && without_first >= WINDOW)
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.segments.pop_front() {
            self.sequence += 1;
            self.discontinuities += u64::from(first.discontinuity);
        }
    }

    /// Takes everything off the list; numbers that were given stay given.
    pub fn clear(&mut self) {
        self.segments.extend(self.open.take());
        while !self.segments.is_empty() {
            self.drop_first();
        }
        self.ended = false;
    }

    /// Every file that the list names.
    pub fn names(&self) -> BTreeSet<&str> {
        let all = self.segments.iter().chain(&self.open);
        let mut names: BTreeSet<&str> = all.clone().flat_map(|s| s.parts.iter().map(|p| &*p.name).chain([&*s.init])).collect();
        names.extend(self.segments.iter().map(|s| &*s.name));
        names
    }

    pub fn render(&self) -> String {
        let mut out = String::with_capacity(512 + (self.segments.len() + 16) * 128);
        // HOLD-BACK and PART-HOLD-BACK are the least that RFC 8216bis §4.4.3.8 recommends: three targets each.
        let _ = write!(
            out,
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n\
             #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK={}.0,PART-HOLD-BACK={}\n#EXT-X-PART-INF:PART-TARGET={}\n\
             #EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}\n#EXT-X-INDEPENDENT-SEGMENTS\n",
            self.target,
            3 * self.target,
            seconds(3 * self.part_target),
            seconds(self.part_target),
            self.sequence,
            self.discontinuities
        );
        let mut init = "";
        for segment in self.segments.iter().chain(&self.open) {
            if segment.discontinuity {
                out.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if segment.init != init {
                init = &segment.init;
                let _ = writeln!(out, "#EXT-X-MAP:URI=\"{init}\"");
            }
            let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", date(segment.date_ms));
            for (index, part) in segment.parts.iter().enumerate() {
                let independent = if index == 0 { ",INDEPENDENT=YES" } else { "" };
                let _ = writeln!(out, "#EXT-X-PART:DURATION={},URI=\"{}\"{independent}", seconds(part.duration), part.name);
            }
            if self.open.as_ref().is_none_or(|open| !std::ptr::eq(open, segment)) {
                let _ = write!(out, "#EXTINF:{},\n{}\n", seconds(segment.duration), segment.name);
            }
        }
        if self.ended {
            out.push_str("#EXT-X-ENDLIST\n");
        } else {
            let _ = writeln!(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{}\"", self.next_part());
        }
        out
    }
}

/// Decimal seconds to the microsecond.
fn seconds(nanos: i64) -> String {
    let micros = (nanos + 500) / 1000;
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
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
            parts: (0..4).map(|part| Part { name: format!("part-{n}-{part}.m4s"), duration: NANOS_PER_SEC / 2 }).collect(),
        }
    }

    fn push(list: &mut Playlist, segment: Segment) {
        list.open = Some(segment);
        list.close();
    }

    #[test]
    fn the_window_slides_and_both_counts_rise() {
        let mut list = Playlist::default();
        for n in 0..20 {
            push(&mut list, segment(n, u64::from(n >= 10), n == 10));
        }
        assert_eq!(list.segments.len(), 7);
        assert_eq!((list.sequence, list.next(), list.discontinuities), (13, 20, 1), "the restart at 10 has left the window");
        let parts: Vec<usize> = list.segments.iter().map(|s| s.parts.len()).collect();
        assert_eq!(parts, [0, 0, 0, 0, 4, 4, 4], "parts of the last six seconds");
        let names = list.names();
        assert!(names.contains("part-19-3.m4s") && names.contains("seg-13.m4s") && names.contains("init-1.mp4"));
        assert!(!names.contains("seg-12.m4s") && !names.contains("part-16-0.m4s"));
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let mut list = Playlist { sequence: 40, discontinuities: 2, part_target: 467 * NANOS_PER_MS, ..Playlist::default() };
        for n in 40..46 {
            push(&mut list, segment(n, 3 + u64::from(n > 43), n == 44));
        }
        let text = list.render();
        assert_eq!(text.matches("#EXT-X-MAP:").count(), 2);
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
        assert!(text.contains("#EXTINF:2.000000,\nseg-40.m4s\n"), "{text}");
        assert!(text.ends_with("seg-45.m4s\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-46-0.m4s\"\n"), "{text}");
        assert_eq!(Playlist::parse(&text), Some(list.clone()));

        let mut growing = segment(46, 5, true);
        growing.parts.truncate(3);
        growing.duration = 3 * NANOS_PER_SEC / 2;
        list.open = Some(growing);
        let text = list.render();
        assert!(text.contains("seg-45.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-5.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:"), "{text}");
        assert!(text.contains("#EXT-X-PART:DURATION=0.500000,URI=\"part-46-0.m4s\",INDEPENDENT=YES\n"), "{text}");
        assert!(text.ends_with("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-46-3.m4s\"\n"), "{text}");
        assert_eq!(Playlist::parse(&text), Some(list.clone()));
        list.close();
        list.ended = true;
        assert!(!list.render().contains("PRELOAD"));
        assert_eq!(Playlist::parse(&list.render()), Some(list));
    }

    #[test]
    fn a_number_that_was_given_is_not_given_again() {
        let mut list = Playlist::default();
        push(&mut list, segment(0, 0, false));
        list.open = Some(segment(1, 0, true));
        list.clear();
        assert_eq!((list.next(), list.discontinuities, list.names().len()), (2, 1, 0));
    }

    #[test]
    fn a_foreign_or_damaged_list_is_refused() {
        let good = {
            let mut l = Playlist::default();
            push(&mut l, segment(0, 0, false));
            l.render()
        };
        assert!(Playlist::parse(&good).is_some());
        assert!(Playlist::parse("").is_none());
        for (from, to) in [
            ("\nseg-0.m4s", "\n../../etc/passwd"),
            ("part-0-1.m4s", "/etc/passwd"),
            ("part-0-1.m4s", "part-0-x.m4s"),
            ("init-0.mp4", "/tmp/x.mp4"),
            ("#EXT-X-PROGRAM-DATE-TIME:2026", "#EXT-X-PROGRAM-DATE-TIME:soon"),
            ("#EXTINF", "#EXTRA"),
        ] {
            assert!(good.contains(from));
            assert!(Playlist::parse(&good.replace(from, to)).is_none(), "{from} → {to}");
        }
    }

    #[test]
    fn a_long_segment_raises_the_target() {
        let mut list = Playlist::default();
        push(&mut list, Segment { duration: 3_700_000_000, ..segment(0, 0, false) });
        assert_eq!(list.target, 4);
    }
}
