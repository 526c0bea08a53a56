//! Where a JPEG in a camera's buffer ends, and whether it is one at all.

const SOI: [u8; 3] = [0xFF, 0xD8, 0xFF];
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;

/// The JPEG at the beginning of `bytes`, cut at its end marker; `None` if it is none or was cut off. Cameras leave the
/// tail of an earlier frame behind it, and some deliver junk after a lost USB packet.
pub(crate) fn cut(bytes: &[u8]) -> Option<&[u8]> {
    if !bytes.starts_with(&SOI) {
        return None;
    }
    let mut at = 2;
    let mut has_size = false;
    // Segments up to the first scan are skipped by their length: a thumbnail inside has an end marker of its own.
    loop {
        let (0xFF, marker) = (*bytes.get(at)?, *bytes.get(at + 1)?) else { return None };
        at += 2;
        match marker {
            // Fill bytes.
            0xFF => {
                at -= 1;
                continue;
            }
            0x01 | 0xD0..=0xD7 => continue,
            0x00 | 0xD8 | EOI => return None,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        if length < 2 {
            return None;
        }
        has_size |= matches!(marker, 0xC0..=0xC3);
        at += length;
        if marker == SOS {
            break;
        }
    }
    if !has_size {
        return None;
    }
    // In entropy-coded data 0xFF is followed by 0 or a restart marker, so the first end marker is the end.
    while let Some(found) = bytes.get(at..)?.iter().position(|b| *b == 0xFF) {
        at += found + 1;
        if bytes.get(at) == Some(&EOI) {
            return bytes.get(..=at);
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The smallest thing that looks like a JPEG: application segment with a thumbnail, size, scan, data.
    pub(crate) fn sample() -> Vec<u8> {
        let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 6, 0xFF, 0xD8, 0xFF, 0xD9];
        jpeg.extend([0xFF, 0xC0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0]);
        jpeg.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]);
        jpeg.extend([1, 2, 0xFF, 0, 3, 0xFF, 0xD0, 4, 0xFF, 0xD9]);
        jpeg
    }

    #[test]
    fn the_tail_of_an_earlier_frame_is_cut_off() {
        let jpeg = sample();
        assert_eq!(cut(&jpeg), Some(&jpeg[..]));
        let mut stale = jpeg.clone();
        stale.extend([9; 500]);
        stale.extend([0xFF, 0xD9]);
        assert_eq!(cut(&stale), Some(&jpeg[..]));
    }

    #[test]
    fn what_is_no_whole_jpeg_is_refused() {
        let jpeg = sample();
        for end in 0..jpeg.len() {
            assert_eq!(cut(&jpeg[..end]), None, "cut off at {end}");
        }
        let mut junk: Vec<u8> = (0..2000_u32).map(|i| ((i * 7919) >> 3) as u8).collect();
        junk.extend([0xFF, 0xD9]);
        assert_eq!(cut(&junk), None);
        junk[..3].copy_from_slice(&SOI);
        assert_eq!(cut(&junk), None, "junk behind a good beginning");
        assert_eq!(cut(&[0xFF, 0xD8, 0xFF, 0xD9]), None, "no picture in it");
    }
}
