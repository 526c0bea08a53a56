//! Rows of a driver's buffer, which may be padded, into tightly packed ones.

use stallcast_media::{PixelFormat, VideoFormat};

/// Copies a raw picture whose first plane has rows of `stride` bytes (0: tight). False if `from` is too short.
pub(crate) fn rows(from: &[u8], stride: usize, format: VideoFormat, to: &mut [u8]) -> bool {
    let (w, h) = (format.width as usize, format.height as usize);
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    // Bytes of a row, rows, and how the stride of the plane relates to the first one's.
    let planes: &[(usize, usize, usize)] = match format.pixel {
        PixelFormat::I420 => &[(w, h, 1), (cw, ch, 2), (cw, ch, 2)],
        PixelFormat::Nv12 => &[(w, h, 1), (2 * cw, ch, 1)],
        PixelFormat::Yuyv => &[(4 * cw, h, 1)],
        PixelFormat::Mjpeg => return false,
    };
    let tight = planes[0].0;
    let stride = if stride < tight { tight } else { stride };
    if stride == tight {
        return match from.get(..to.len()) {
            Some(whole) => {
                to.copy_from_slice(whole);
                true
            }
            None => false,
        };
    }
    let (mut at, mut out) = (0, 0);
    for (row, count, part) in planes {
        let step = stride / part;
        for _ in 0..*count {
            let (Some(source), Some(target)) = (from.get(at..at + row), to.get_mut(out..out + row)) else { return false };
            target.copy_from_slice(source);
            at += step;
            out += row;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_left_out_of_every_plane() {
        for (pixel, stride, planes) in [
            (PixelFormat::I420, 8, vec![(4, 4, 8), (2, 2, 4), (2, 2, 4)]),
            (PixelFormat::Nv12, 8, vec![(4, 4, 8), (4, 2, 8)]),
            (PixelFormat::Yuyv, 12, vec![(8, 4, 12)]),
        ] {
            let format = VideoFormat { width: 4, height: 4, pixel };
            let (mut from, mut expected) = (vec![], vec![]);
            for (row, rows, step) in planes {
                for r in 0..rows {
                    let line: Vec<u8> = (0..row).map(|x| (r * 16 + x + 1) as u8).collect();
                    expected.extend(&line);
                    from.extend(&line);
                    from.extend(vec![0; step - row]);
                }
            }
            let mut to = vec![0; format.bytes()];
            assert!(rows(&from, stride, format, &mut to));
            assert_eq!(to, expected, "{pixel:?}");
            assert!(rows(&expected, 0, format, &mut to));
            assert_eq!(to, expected, "{pixel:?}, tight");
            assert!(!rows(&from[..from.len() / 2], stride, format, &mut to), "half a picture");
        }
    }
}
