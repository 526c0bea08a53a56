//! From one meaning of Y, U and V to another without a detour over RGB.

use crate::plane::PlaneMut;
use stallcast_media::Plane;

/// Which weights made luma.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matrix {
    Bt601,
    Bt709,
}

/// What the numbers of a picture mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    pub(crate) matrix: Matrix,
    /// 0..=255 instead of 16..=235 (240 for chroma).
    pub(crate) full: bool,
}

impl Colour {
    /// The canvas: BT.709, limited.
    pub(crate) const CANVAS: Self = Self { matrix: Matrix::Bt709, full: false };
    /// JPEG files: BT.601, full.
    pub(crate) const JPEG: Self = Self { matrix: Matrix::Bt601, full: true };

    /// Weights of red and blue.
    const fn weights(self) -> (f64, f64) {
        match self.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        }
    }

    /// Black, the span of luma, the span of chroma.
    const fn spans(self) -> (f64, f64, f64) {
        if self.full { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) }
    }
}

/// A linear map of Y, U and V. Between the matrices chroma depends on chroma only, so chroma stays subsampled and luma
/// gets a correction that two neighbours in two rows share.
///
/// Everything is done around the middle (128) in 16 bit, where one instruction serves eight samples on any processor and
/// saturating sums end at black and white by themselves. Results are at most one off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recolour {
    /// Factor of luma, 7 bits after the point, and what is added then.
    luma: i16,
    offset: i16,
    /// What chroma adds to luma, 9 bits after the point.
    luma_u: i16,
    luma_v: i16,
    /// What is added to chroma itself, 9 bits after the point.
    u_u: i16,
    u_v: i16,
    v_u: i16,
    v_v: i16,
}

impl Recolour {
    /// The map from one meaning to another; `None` if they are the same.
    pub(crate) fn between(from: Colour, to: Colour) -> Option<Self> {
        if from == to {
            return None;
        }
        let ((kr, kb), (tr, tb)) = (from.weights(), to.weights());
        let (kg, tg) = (1.0 - kr - kb, 1.0 - tr - tb);
        // What one unit of Cb or Cr adds to red, green and blue.
        let cb = (0.0, -2.0 * kb * (1.0 - kb) / kg, 2.0 * (1.0 - kb));
        let cr = (2.0 * (1.0 - kr), -2.0 * kr * (1.0 - kr) / kg, 0.0);
        let luma = |(r, g, b): (f64, f64, f64)| tr * r + tg * g + tb * b;
        let blue = |rgb: (f64, f64, f64)| (rgb.2 - luma(rgb)) / (2.0 * (1.0 - tb));
        let red = |rgb: (f64, f64, f64)| (rgb.0 - luma(rgb)) / (2.0 * (1.0 - tr));
        let ((black, span, chroma), (to_black, to_span, to_chroma)) = (from.spans(), to.spans());
        let fixed = |value: f64, bits: u32| (value * f64::from(1 << bits)).round() as i16;
        Some(Self {
            luma: fixed(to_span / span, 7),
            offset: fixed(to_black + (128.0 - black) * to_span / span, 7) + (1 << 6),
            luma_u: fixed(luma(cb) * to_span / chroma, 9),
            luma_v: fixed(luma(cr) * to_span / chroma, 9),
            u_u: fixed(blue(cb) * to_chroma / chroma - 1.0, 9),
            u_v: fixed(blue(cr) * to_chroma / chroma, 9),
            v_u: fixed(red(cb) * to_chroma / chroma, 9),
            v_v: fixed(red(cr) * to_chroma / chroma - 1.0, 9),
        })
    }

    /// One row of chroma into another, and what it adds to the luma of the two rows above it, 7 bits after the point.
    fn chroma(&self, u: &[u8], v: &[u8], to_u: &mut [u8], to_v: &mut [u8], luma: &mut [i16]) {
        for ((u, v), ((to_u, to_v), luma)) in u.iter().zip(v).zip(to_u.iter_mut().zip(to_v).zip(luma)) {
            let (u, v) = (centred(*u), centred(*v));
            *to_u = moved(u, dot(u, self.u_u, v, self.u_v));
            *to_v = moved(v, dot(u, self.v_u, v, self.v_v));
            *luma = dot(u, self.luma_u, v, self.luma_v).wrapping_add(2) >> 2;
        }
    }

    fn luma(&self, y: &[u8], to: &mut [u8], correction: &[i16]) {
        for ((to, y), correction) in to.iter_mut().zip(y).zip(correction) {
            let sum = centred(*y).wrapping_mul(self.luma).wrapping_add(*correction);
            *to = (sum.saturating_add(self.offset) >> 7).max(0) as u8;
        }
    }
}

const fn centred(sample: u8) -> i16 {
    sample as i16 - 128
}

/// Fits 16 bit: samples lie within 128 of the middle and all factors of a map add up to less than a half.
/// Unchecked so that debug builds, which run shows too, do not look at each pixel by itself.
const fn dot(u: i16, by_u: i16, v: i16, by_v: i16) -> i16 {
    u.wrapping_mul(by_u).wrapping_add(v.wrapping_mul(by_v))
}

/// A sample around the middle, moved by `by` (9 bits after the point), as a byte.
const fn moved(sample: i16, by: i16) -> u8 {
    let sum = (sample << 8).saturating_add(by.wrapping_add(1) >> 1).saturating_add(1 << 7);
    ((sum >> 8) + 128) as u8
}

/// How a raw picture lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Three planes, 2x2 subsampled.
    I420,
    /// Three planes, 2x1 subsampled.
    I422,
    /// Y, then U and V interleaved, 2x2 subsampled.
    Nv12,
    /// Y0 U Y1 V.
    Yuyv,
}

/// A raw picture somewhere. Planes that a layout does not have are empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) layout: Layout,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) planes: [Plane<'a>; 3],
    pub(crate) colour: Colour,
}

/// A part of a picture; the corner is even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Cut {
    /// All of a picture.
    pub(crate) const fn whole(width: usize, height: usize) -> Self {
        Self { x: 0, y: 0, width, height }
    }

    /// The largest part in the middle that has the shape of `width` x `height`.
    pub(crate) fn covering(source: (usize, usize), (width, height): (usize, usize)) -> Self {
        let even = |whole: usize, exact: usize| if exact >= whole { whole } else { ((exact + 1) & !1).clamp(2, whole.max(2)).min(whole) };
        let (w, h) = source;
        let (cut_w, cut_h) = if w * height > h * width {
            (even(w, (h * width + height / 2) / height), h)
        } else {
            (w, even(h, (w * height + width / 2) / width))
        };
        Self { x: ((w - cut_w) / 2) & !1, y: ((h - cut_h) / 2) & !1, width: cut_w, height: cut_h }
    }
}

impl<'a> Source<'a> {
    /// Does every plane hold what width, height and layout say?
    pub(crate) fn is_complete(&self) -> bool {
        let (cw, ch) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let need: [(usize, usize); 3] = match self.layout {
            Layout::I420 => [(self.width, self.height), (cw, ch), (cw, ch)],
            Layout::I422 => [(self.width, self.height), (cw, self.height), (cw, self.height)],
            Layout::Nv12 => [(self.width, self.height), (2 * cw, ch), (0, 0)],
            Layout::Yuyv => [(4 * cw, self.height), (0, 0), (0, 0)],
        };
        self.width > 0
            && self.height > 0
            && self
                .planes
                .iter()
                .zip(need)
                .all(|(plane, (row, rows))| rows == 0 || plane.stride >= row && plane.bytes.len() >= plane.stride * (rows - 1) + row)
    }

    fn row(&self, plane: usize, row: usize, from: usize, len: usize) -> &'a [u8] {
        let plane = &self.planes[plane];
        &plane.bytes[row * plane.stride + from..][..len]
    }
}

/// Rows on their way; kept so that no frame allocates.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    luma: [Vec<u8>; 2],
    u: Vec<u8>,
    v: Vec<u8>,
    pairs: Vec<u8>,
    correction: Vec<i16>,
    /// The same, each twice for two neighbours.
    corrections: Vec<i16>,
}

impl Rows {
    /// Writes `cut` of a complete `source` into I420 planes of the same size, with another meaning if `recolour` says so.
    pub(crate) fn place(&mut self, source: &Source<'_>, cut: Cut, recolour: Option<&Recolour>, to: &mut [PlaneMut<'_>; 3]) {
        let (w, cw) = (cut.width, cut.width.div_ceil(2));
        for buffer in &mut self.luma {
            buffer.resize(2 * cw, 0);
        }
        self.u.resize(cw, 0);
        self.v.resize(cw, 0);
        self.pairs.resize(2 * cw, 0);
        self.correction.resize(cw, 0);
        self.corrections.resize(2 * cw, 0);
        let [to_y, to_u, to_v] = to;
        for pair in 0..cut.height.div_ceil(2) {
            let top = cut.y + 2 * pair;
            // The last row of an odd height stands alone.
            let bottom = (top + 1).min(cut.y + cut.height - 1);
            let (u, v) = Self::chroma_rows(source, cut, (top, bottom), &mut self.u, &mut self.v, &mut self.pairs);
            if source.layout == Layout::Yuyv {
                for (buffer, row) in self.luma.iter_mut().zip([top, bottom]) {
                    evens(source.row(0, row, 2 * cut.x, 4 * cw), buffer);
                }
            }
            let (to_u, to_v) = (to_u.row(pair, cw), to_v.row(pair, cw));
            match recolour {
                Some(recolour) => {
                    recolour.chroma(u, v, to_u, to_v, &mut self.correction);
                    for (to, one) in self.corrections.as_chunks_mut::<2>().0.iter_mut().zip(&self.correction) {
                        *to = [*one; 2];
                    }
                }
                None => {
                    to_u.copy_from_slice(u);
                    to_v.copy_from_slice(v);
                }
            }
            for (n, row) in [top, bottom].into_iter().enumerate().take(1 + bottom - top) {
                let y = if source.layout == Layout::Yuyv { &self.luma[n][..w] } else { source.row(0, row, cut.x, w) };
                let to = to_y.row(row - cut.y, w);
                match recolour {
                    Some(recolour) => recolour.luma(y, to, &self.corrections),
                    None => to.copy_from_slice(y),
                }
            }
        }
    }

    /// Chroma that belongs to two rows of luma.
    fn chroma_rows<'b>(
        source: &Source<'b>,
        cut: Cut,
        (top, bottom): (usize, usize),
        u: &'b mut [u8],
        v: &'b mut [u8],
        pairs: &mut [u8],
    ) -> (&'b [u8], &'b [u8]) {
        let (x, cw) = (cut.x / 2, cut.width.div_ceil(2));
        match source.layout {
            Layout::I420 => (source.row(1, top / 2, x, cw), source.row(2, top / 2, x, cw)),
            Layout::I422 => {
                mean(source.row(1, top, x, cw), source.row(1, bottom, x, cw), u);
                mean(source.row(2, top, x, cw), source.row(2, bottom, x, cw), v);
                (u, v)
            }
            Layout::Nv12 => {
                let row = source.row(1, top / 2, 2 * x, 2 * cw);
                evens(row, u);
                odds(row, v);
                (u, v)
            }
            Layout::Yuyv => {
                mean_odds(source.row(0, top, 4 * x, 4 * cw), source.row(0, bottom, 4 * x, 4 * cw), pairs);
                evens(pairs, u);
                odds(pairs, v);
                (u, v)
            }
        }
    }
}

fn mean(a: &[u8], b: &[u8], to: &mut [u8]) {
    for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
        *to = ((u16::from(*a) + u16::from(*b) + 1) >> 1) as u8;
    }
}

fn evens(from: &[u8], to: &mut [u8]) {
    for (to, pair) in to.iter_mut().zip(from.as_chunks::<2>().0) {
        *to = (u16::from_le_bytes(*pair) & 0xFF) as u8;
    }
}

fn odds(from: &[u8], to: &mut [u8]) {
    for (to, pair) in to.iter_mut().zip(from.as_chunks::<2>().0) {
        *to = (u16::from_le_bytes(*pair) >> 8) as u8;
    }
}

fn mean_odds(a: &[u8], b: &[u8], to: &mut [u8]) {
    for ((to, a), b) in to.iter_mut().zip(a.as_chunks::<2>().0).zip(b.as_chunks::<2>().0) {
        *to = (((u16::from_le_bytes(*a) >> 8) + (u16::from_le_bytes(*b) >> 8) + 1) >> 1) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same map in floating point.
    fn exact(from: Colour, to: Colour, [y, u, v]: [u8; 3]) -> [u8; 3] {
        let ((kr, kb), (tr, tb)) = (from.weights(), to.weights());
        let ((black, span, chroma), (to_black, to_span, to_chroma)) = (from.spans(), to.spans());
        let (y, cb, cr) = ((f64::from(y) - black) / span, (f64::from(u) - 128.0) / chroma, (f64::from(v) - 128.0) / chroma);
        let (r, b) = (y + 2.0 * (1.0 - kr) * cr, y + 2.0 * (1.0 - kb) * cb);
        let g = (y - kr * r - kb * b) / (1.0 - kr - kb);
        let y = tr * r + (1.0 - tr - tb) * g + tb * b;
        [to_black + to_span * y, 128.0 + to_chroma * (b - y) / (2.0 * (1.0 - tb)), 128.0 + to_chroma * (r - y) / (2.0 * (1.0 - tr))]
            .map(|value| value.round().clamp(0.0, 255.0) as u8)
    }

    #[test]
    fn every_map_is_at_most_one_off_for_every_sample() {
        let colours = [(Matrix::Bt601, false), (Matrix::Bt601, true), (Matrix::Bt709, false), (Matrix::Bt709, true)]
            .map(|(matrix, full)| Colour { matrix, full });
        let steps = (0..=255_u8).step_by(5);
        for (from, to) in colours.iter().flat_map(|from| colours.map(|to| (*from, to))) {
            let Some(map) = Recolour::between(from, to) else {
                assert_eq!(from, to);
                continue;
            };
            for (u, v) in steps.clone().flat_map(|u| steps.clone().map(move |v| (u, v))) {
                let (mut to_u, mut to_v, mut correction) = ([0], [0], [0; 1]);
                map.chroma(&[u], &[v], &mut to_u, &mut to_v, &mut correction);
                for y in steps.clone() {
                    let mut to_y = [0];
                    map.luma(&[y], &mut to_y, &correction);
                    let (got, want) = ([to_y[0], to_u[0], to_v[0]], exact(from, to, [y, u, v]));
                    assert!(
                        got.iter().zip(want).all(|(g, w)| g.abs_diff(w) <= 1),
                        "{from:?} {to:?} {:?}: {got:?}, not {want:?}",
                        [y, u, v]
                    );
                }
            }
        }
    }

    #[test]
    fn the_middle_is_cut_out_with_even_corners() {
        assert_eq!(Cut::covering((1280, 720), (720, 1280)), Cut { x: 436, y: 0, width: 406, height: 720 });
        assert_eq!(Cut::covering((720, 1280), (1280, 720)), Cut { x: 0, y: 436, width: 720, height: 406 });
        assert_eq!(Cut::covering((1920, 1080), (1280, 720)), Cut::whole(1920, 1080));
        assert_eq!(Cut::covering((641, 361), (1280, 720)), Cut::whole(641, 361));
        assert_eq!(Cut::covering((1, 1000), (1280, 720)).height, 2);
    }
}
