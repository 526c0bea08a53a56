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
/// Products are 16 bit by 16 bit with the upper half kept, which compilers turn into one instruction for eight pixels on
/// any processor: samples shifted left by 7, factors by 14, results by 5.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recolour {
    luma: i16,
    offset: i16,
    luma_u: i16,
    luma_v: i16,
    u_u: i16,
    u_v: i16,
    v_u: i16,
    v_v: i16,
}

/// Half of a result's last place, and half a place for each of three products, which all round down.
const ROUND: i16 = 16 + 1;

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
        let factor = |f: f64| (f * 16_384.0).round() as i16;
        Some(Self {
            luma: factor(to_span / span),
            offset: ((to_black - black * to_span / span) * 32.0).round() as i16 + ROUND,
            luma_u: factor(luma(cb) * to_span / chroma),
            luma_v: factor(luma(cr) * to_span / chroma),
            u_u: factor(blue(cb) * to_chroma / chroma),
            u_v: factor(blue(cr) * to_chroma / chroma),
            v_u: factor(red(cb) * to_chroma / chroma),
            v_v: factor(red(cr) * to_chroma / chroma),
        })
    }

    /// One row of chroma into another, and what it adds to the luma above it (each value twice, for two neighbours).
    fn chroma(&self, u: &[u8], v: &[u8], to_u: &mut [u8], to_v: &mut [u8], luma: &mut [i16]) {
        let inputs = u.iter().zip(v);
        let outputs = to_u.iter_mut().zip(to_v).zip(luma.as_chunks_mut::<2>().0);
        for ((u, v), ((to_u, to_v), luma)) in inputs.zip(outputs) {
            let (u, v) = ((i16::from(*u) - 128) << 7, (i16::from(*v) - 128) << 7);
            *to_u = narrow(high(u, self.u_u) + high(v, self.u_v) + 128 * 32 + ROUND);
            *to_v = narrow(high(u, self.v_u) + high(v, self.v_v) + 128 * 32 + ROUND);
            *luma = [high(u, self.luma_u) + high(v, self.luma_v); 2];
        }
    }

    fn luma(&self, y: &[u8], to: &mut [u8], correction: &[i16]) {
        for ((to, y), correction) in to.iter_mut().zip(y).zip(correction) {
            *to = narrow(high(i16::from(*y) << 7, self.luma) + correction + self.offset);
        }
    }
}

const fn high(a: i16, b: i16) -> i16 {
    ((a as i32 * b as i32) >> 16) as i16
}

const fn narrow(value: i16) -> u8 {
    let value = value >> 5;
    (if value < 0 {
        0
    } else if value > 255 {
        255
    } else {
        value
    }) as u8
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
        self.correction.resize(2 * cw, 0);
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
                Some(recolour) => recolour.chroma(u, v, to_u, to_v, &mut self.correction),
                None => {
                    to_u.copy_from_slice(u);
                    to_v.copy_from_slice(v);
                }
            }
            for (n, row) in [top, bottom].into_iter().enumerate().take(1 + bottom - top) {
                let y = if source.layout == Layout::Yuyv { &self.luma[n][..w] } else { source.row(0, row, cut.x, w) };
                let to = to_y.row(row - cut.y, w);
                match recolour {
                    Some(recolour) => recolour.luma(y, to, &self.correction),
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
