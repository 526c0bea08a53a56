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

/// Copies a picture of three planes (I420) as the NV12 picture `format`, its two planes of colour into one. `stride` and the
/// answer as those of [`rows`].
#[cfg(any(test, target_os = "linux"))]
pub(crate) fn interleaved(from: &[u8], stride: usize, format: VideoFormat, to: &mut [u8]) -> bool {
    let (w, h) = (format.width as usize, format.height as usize);
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    let (stride, colour_stride) = if stride <= w { (w, cw) } else { (stride, stride / 2) };
    let Some((luma, colour)) = to.split_at_mut_checked(w * h) else { return false };
    let row = |at: usize, length: usize| from.get(at..at + length);
    for (y, target) in luma.chunks_exact_mut(w).enumerate() {
        let Some(source) = row(y * stride, w) else { return false };
        target.copy_from_slice(source);
    }
    for (y, target) in colour.chunks_exact_mut(2 * cw).enumerate() {
        let at = h * stride + y * colour_stride;
        let (Some(u), Some(v)) = (row(at, cw), row(at + ch * colour_stride, cw)) else { return false };
        for ((target, u), v) in target.chunks_exact_mut(2).zip(u).zip(v) {
            target.copy_from_slice(&[*u, *v]);
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

    #[test]
    fn two_planes_of_colour_become_one() {
        let format = VideoFormat { width: 4, height: 4, pixel: PixelFormat::Nv12 };
        let tight: Vec<u8> = (1..=24).collect();
        let padded: Vec<u8> =
            tight[..16].chunks(4).chain(tight[16..].chunks(2)).flat_map(|row| [row, &vec![0; row.len()]].concat()).collect();
        let expected: Vec<u8> = (1..=16).chain([17, 21, 18, 22, 19, 23, 20, 24]).collect();
        for (from, stride) in [(&tight, 0), (&tight, 4), (&padded, 8)] {
            let mut to = vec![0; format.bytes()];
            assert!(interleaved(from, stride, format, &mut to));
            assert_eq!(to, expected, "rows of {stride}");
            assert!(!interleaved(&from[..from.len() * 3 / 4], stride, format, &mut to), "three quarters of a picture");
        }
    }
}
