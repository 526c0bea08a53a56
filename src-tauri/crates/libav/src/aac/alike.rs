//! The syntax of a raw AAC frame (ISO/IEC 14496-3, 4.4.2), as far as this crate needs it.

use super::bits::{Reader, Writer};
use bytes::Bytes;

/// `id_syn_ele`: what comes next in a frame.
const SINGLE: u32 = 0;
const PAIR: u32 = 1;
const FILL: u32 = 6;
const END: u32 = 7;
/// `window_sequence` of eight short windows.
const EIGHT_SHORT: u32 = 2;
/// And of the one before those: it fades out as quickly.
const LONG_START: u32 = 1;
/// `ms_mask_present`: all bands hold middle and side.
const ALL_BANDS: u32 = 2;

/// Highest `global_gain`.
const LOUDEST: u32 = 255;

/// How a frame fades into the next one. Two frames may follow each other if the second was made for the window of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    sequence: u32,
    shape: u32,
}

impl Window {
    /// Do both fade out alike? What follows the one may follow the other then; how they began is no matter.
    pub(super) fn ends_as(self, other: Self) -> bool {
        let quickly = |window: Self| matches!(window.sequence, LONG_START | EIGHT_SHORT);
        self.shape == other.shape && quickly(self) == quickly(other)
    }
}

/// `ics_info`: the window, and what tells how long the sections of a channel are.
struct Info {
    window: Window,
    max_sfb: u32,
    /// Groups of short windows; one for a long window.
    groups: u32,
}

impl Info {
    /// `None` if it uses what AAC-LC does not have.
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.take(1)?;
        let window = Window { sequence: from.take(2)?, shape: from.take(1)? };
        if window.sequence == EIGHT_SHORT {
            let max_sfb = from.take(4)?;
            // A zero begins another group.
            let grouping = from.take(7)?;
            return Some(Self { window, max_sfb, groups: 8 - grouping.count_ones() });
        }
        let max_sfb = from.take(6)?;
        let predicted = from.take(1)? == 1;
        (!predicted).then_some(Self { window, max_sfb, groups: 1 })
    }

    /// Sections of one channel in which there is nothing.
    fn put_silence(&self, out: &mut Writer) {
        let bits = if self.window.sequence == EIGHT_SHORT { 3 } else { 5 };
        let most = (1 << bits) - 1;
        for _ in 0..self.groups {
            if self.max_sfb > 0 {
                // Codebook 0, and a length of which the highest value says that there is more of it.
                out.put(0, 4);
                let mut length = self.max_sfb;
                while length >= most {
                    out.put(most, bits);
                    length -= most;
                }
                out.put(length, bits);
            }
        }
    }
}

/// Leaves out what an encoder says of itself; the next element.
fn element(from: &mut Reader<'_>) -> Option<u32> {
    loop {
        let id = from.take(3)?;
        if id != FILL {
            return Some(id);
        }
        let mut bytes = from.take(4)?;
        if bytes == 15 {
            bytes += from.take(8)?.checked_sub(1)?;
        }
        for _ in 0..bytes {
            from.take(8)?;
        }
    }
}

/// The window of a frame; `None` if it is none that is the same for all of its channels.
pub(super) fn window(frame: &[u8]) -> Option<Window> {
    let mut from = Reader::new(frame);
    let id = element(&mut from)?;
    from.take(4)?;
    match id {
        // A single channel says its gain first.
        SINGLE => drop(from.take(8)?),
        PAIR if from.take(1)? == 1 => {}
        _ => return None,
    }
    Some(Info::read(&mut from)?.window)
}

/// Steps of `global_gain` that make a channel twice as loud: each is the fourth root of two.
pub(super) const TWICE: u32 = 4;

/// The frame of a pair of channels that both decode to what `single`, the frame of one channel, decodes to, louder by so many
/// steps of the gain: that channel as the middle, nothing as the side. `None` if the frame holds anything else, or what would not be the same on both sides
/// (its encoder must make neither noise of its own nor temporal shaping).
pub(super) fn pair_of(single: &[u8], louder: u32) -> Option<Bytes> {
    // The last one that is set ends the frame; zeros fill its byte.
    let end = (single.len() * 8).checked_sub(single.last()?.trailing_zeros() as usize + 3)?;
    let mut from = Reader::new(single);
    if element(&mut from)? != SINGLE {
        return None;
    }
    let (tag, gain) = (from.take(4)?, from.take(8)? + louder);
    if gain > LOUDEST {
        return None;
    }
    let begin = from.clone();
    let info = Info::read(&mut from)?;
    if from.at() > end {
        return None;
    }
    let mut out = Writer::with_capacity(single.len() + 8);
    out.put(PAIR, 3);
    out.put(tag, 4);
    // One window for both.
    out.put(1, 1);
    out.copy(&mut begin.clone(), from.at())?;
    out.put(ALL_BANDS, 2);
    out.put(gain, 8);
    out.copy(&mut from, end)?;
    if from.take(3)? != END {
        return None;
    }
    out.put(gain, 8);
    info.put_silence(&mut out);
    // No pulses, no temporal shaping, no gain control.
    out.put(0, 3);
    out.put(END, 3);
    Some(out.finish().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_no_single_channel_is_none() {
        assert_eq!(pair_of(&[], 0), None);
        assert_eq!(pair_of(&[0], 0), None);
        assert_eq!(pair_of(&[0xFF], 0), None);
        assert_eq!(window(&[0x00]), None);
        // Any bytes, whole and cut off.
        let mut x = 1_u32;
        let bytes: Vec<u8> = (0..4096)
            .map(|_| {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (x >> 24) as u8
            })
            .collect();
        for begin in 0..1024 {
            for len in [1, 2, 3, 5, 8, 13, 400] {
                let some = &bytes[begin..begin + len];
                if let Some(pair) = pair_of(some, 0) {
                    assert_eq!(pair[0] >> 5, 1);
                    assert_eq!(window(&pair), window(some));
                }
            }
        }
    }

    /// One channel of a long window with three bands of nothing, written by hand.
    fn quiet(sequence: u32, grouping: u32) -> Vec<u8> {
        let mut out = Writer::with_capacity(8);
        out.put(SINGLE, 3);
        out.put(0, 4);
        out.put(100, 8);
        out.put(0, 1);
        out.put(sequence, 2);
        out.put(1, 1);
        if sequence == EIGHT_SHORT {
            out.put(9, 4);
            out.put(grouping, 7);
        } else {
            out.put(31, 6);
            out.put(0, 1);
        }
        let info = Info {
            window: Window { sequence, shape: 1 },
            max_sfb: if sequence == EIGHT_SHORT { 9 } else { 31 },
            groups: if sequence == EIGHT_SHORT { 8 - grouping.count_ones() } else { 1 },
        };
        info.put_silence(&mut out);
        out.put(0, 3);
        out.put(END, 3);
        out.finish()
    }

    #[test]
    fn the_silent_side_says_how_long_it_is() {
        // 3 + 4 + 1, window 11, mask 2; middle: gain 8, book 4, length 31 + 0 in 5 bits each, 3; side: the same; end 3.
        let long = pair_of(&quiet(0, 0), 0).map(|pair| pair.len());
        assert_eq!(long, Some((8 + 11 + 2 + 2 * (8 + 14 + 3) + 3_usize).div_ceil(8)));
        // Window 15; in each of three groups book 4, length 7 + 2 in 3 bits each.
        let short = pair_of(&quiet(EIGHT_SHORT, 0b101_1101), 0).map(|pair| pair.len());
        assert_eq!(short, Some((8 + 15 + 2 + 2 * (8 + 3 * 10 + 3) + 3_usize).div_ceil(8)));
        assert_eq!(window(&quiet(3, 0)), Some(Window { sequence: 3, shape: 1 }));
        assert_eq!(pair_of(&quiet(3, 0), 0).and_then(|pair| window(&pair)), Some(Window { sequence: 3, shape: 1 }));
    }

    #[test]
    fn a_louder_pair_says_so_in_its_gain_only() {
        let (plain, louder) = (pair_of(&quiet(0, 0), 0).expect("a pair"), pair_of(&quiet(0, 0), TWICE).expect("a pair"));
        // Behind element, tag, common window, window and mask.
        let gain = |pair: &[u8]| {
            let mut from = Reader::new(pair);
            from.take(3 + 4 + 1 + 11 + 2)?;
            from.take(8)
        };
        assert_eq!((gain(&plain), gain(&louder)), (Some(100), Some(100 + TWICE)));
        assert_eq!(plain.len(), louder.len());
        assert_eq!(pair_of(&quiet(0, 0), 156), None, "louder than can be said");
    }

    #[test]
    fn what_may_follow_the_one_may_follow_the_other_if_they_end_alike() {
        let ends = |a: (u32, u32), b: (u32, u32)| Window { sequence: a.0, shape: a.1 }.ends_as(Window { sequence: b.0, shape: b.1 });
        // Only long, long start, eight short, long stop.
        assert_eq!([0, 1, 2, 3].map(|sequence| ends((0, 1), (sequence, 1))), [true, false, false, true]);
        assert_eq!([0, 1, 2, 3].map(|sequence| ends((2, 1), (sequence, 1))), [false, true, true, false]);
        assert!(!ends((0, 1), (0, 0)), "another shape");
    }
}
