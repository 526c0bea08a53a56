//! Drawings as the canvas needs them: premultiplied luma and subsampled chroma with what they leave of the picture
//! below. Converted once a drawing, blended with integers each frame.

use resvg::tiny_skia::Pixmap;
use stallcast_media::Canvas;

// BT.709.
const KR: f32 = 0.2126;
const KB: f32 = 0.0722;

/// The part of a drawing that is not wholly transparent. Position and size are even.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bitmap {
    x: i32,
    y: i32,
    luma: Plane,
    u: Plane,
    v: Plane,
}

/// `shown = ink + below * keep / 255`, all of the same size.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plane {
    width: usize,
    height: usize,
    /// Value times alpha.
    ink: Vec<u8>,
    /// 255 − alpha.
    keep: Vec<u8>,
}

impl Bitmap {
    /// Takes the drawing whose top left corner lies at the (even) place `x`, `y`; `None` if it is wholly transparent.
    pub(crate) fn new(drawing: &Pixmap, x: i32, y: i32) -> Option<Self> {
        let dirty = Dirty::of(drawing)?;
        let (stride, rows) = (drawing.width() as usize, drawing.height() as usize);
        let pixels = drawing.pixels();
        let (width, height) = (dirty.right - dirty.left, dirty.bottom - dirty.top);
        let mut luma = Plane::new(width, height);
        let mut u = Plane::new(width / 2, height / 2);
        let mut v = Plane::new(width / 2, height / 2);
        for row in (0..height).step_by(2) {
            for column in (0..width).step_by(2) {
                let mut mean = Yuva::default();
                for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let (from_y, from_x) = (dirty.top + row + i, dirty.left + column + j);
                    // A drawing of odd size ends inside the last pair.
                    let value = if from_y < rows && from_x < stride { Yuva::of(pixels[from_y * stride + from_x]) } else { Yuva::default() };
                    let at = (row + i) * width + column + j;
                    luma.put(at, value.y, value.a);
                    mean.u += value.u / 4.0;
                    mean.v += value.v / 4.0;
                    mean.a += value.a / 4.0;
                }
                let at = row / 2 * (width / 2) + column / 2;
                u.put(at, mean.u, mean.a);
                v.put(at, mean.v, mean.a);
            }
        }
        // Both are smaller than the drawing.
        Some(Self { x: x + dirty.left as i32, y: y + dirty.top as i32, luma, u, v })
    }

    /// First column to the right of it.
    pub(crate) fn right(&self) -> i32 {
        self.x + self.luma.width as i32
    }

    /// The same with its place moved by (even) `dx`, `dy`.
    pub(crate) fn moved(self, dx: i32, dy: i32) -> Self {
        Self { x: self.x + dx, y: self.y + dy, ..self }
    }

    /// Draws it into a tightly packed I420 canvas, moved by `dx`, `dy`. What lies outside is cut off. At an odd place
    /// chroma lies half a pixel to the left or above: only while something moves.
    pub(crate) fn blend(&self, canvas_i420: &mut [u8], canvas: Canvas, dx: i32, dy: i32) {
        let (width, height) = (canvas.width as usize, canvas.height as usize);
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        if canvas_i420.len() < width * height + 2 * half_width * half_height {
            return;
        }
        let (x, y) = (self.x + dx, self.y + dy);
        let (below, chroma) = canvas_i420.split_at_mut(width * height);
        self.luma.blend(below, width, height, x, y);
        let (below_u, below_v) = chroma.split_at_mut(half_width * half_height);
        let (x, y) = (x.div_euclid(2), y.div_euclid(2));
        self.u.blend(below_u, half_width, half_height, x, y);
        self.v.blend(below_v, half_width, half_height, x, y);
    }
}

impl Plane {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, ink: vec![0; width * height], keep: vec![255; width * height] }
    }

    fn put(&mut self, at: usize, ink: f32, alpha: f32) {
        // Ink is never more than 240 parts of alpha, so ink and what is kept stay within a byte; float to int saturates.
        self.ink[at] = ink.round() as u8;
        self.keep[at] = 255 - alpha.round() as u8;
    }

    fn blend(&self, below: &mut [u8], width: usize, height: usize, x: i32, y: i32) {
        let (Some(columns), Some(rows)) = (overlap(x, self.width, width), overlap(y, self.height, height)) else { return };
        for row in rows.from..rows.from + rows.length {
            let start = (rows.to + row - rows.from) * width + columns.to;
            let own = row * self.width + columns.from;
            over(&mut below[start..start + columns.length], &self.ink[own..own + columns.length], &self.keep[own..own + columns.length]);
        }
    }
}

/// A stretch that lies on both: from here, to there.
struct Overlap {
    from: usize,
    to: usize,
    length: usize,
}

fn overlap(at: i32, length: usize, room: usize) -> Option<Overlap> {
    let at = isize::try_from(at).ok()?;
    let from = usize::try_from(-at).unwrap_or(0);
    let to = usize::try_from(at).unwrap_or(0);
    let length = length.checked_sub(from)?.min(room.checked_sub(to)?);
    (length > 0).then_some(Overlap { from, to, length })
}

/// The loop that runs on each frame. `(t + (t >> 8)) >> 8` with `t = product + 128` is the product divided by 255 and
/// rounded, exactly; wrapping operations so that checked builds turn it into vector code too.
fn over(below: &mut [u8], ink: &[u8], keep: &[u8]) {
    for ((below, ink), keep) in below.iter_mut().zip(ink).zip(keep) {
        let t = u16::from(*below).wrapping_mul(u16::from(*keep)).wrapping_add(128);
        let kept = t.wrapping_add(t >> 8) >> 8;
        *below = (kept as u8).wrapping_add(*ink);
    }
}

#[derive(Default)]
struct Yuva {
    y: f32,
    u: f32,
    v: f32,
    a: f32,
}

impl Yuva {
    /// Premultiplied as the pixel is, 0..=255, limited range.
    fn of(pixel: resvg::tiny_skia::PremultipliedColorU8) -> Self {
        let [r, g, b, a] = [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()].map(f32::from);
        let y = KR * r + (1.0 - KR - KB) * g + KB * b;
        Self {
            y: (16.0 * a + 219.0 * y) / 255.0,
            u: (128.0 * a + 112.0 * (b - y) / (1.0 - KB)) / 255.0,
            v: (128.0 * a + 112.0 * (r - y) / (1.0 - KR)) / 255.0,
            a,
        }
    }
}

/// What encloses everything that is not transparent, widened to even edges.
struct Dirty {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Dirty {
    fn of(drawing: &Pixmap) -> Option<Self> {
        let mut found: Option<Self> = None;
        for (y, row) in drawing.pixels().chunks_exact(drawing.width() as usize).enumerate() {
            let Some(left) = row.iter().position(|p| p.alpha() > 0) else { continue };
            let right = row.iter().rposition(|p| p.alpha() > 0).map_or(left, |last| last) + 1;
            let dirty = found.get_or_insert(Self { left, top: y, right, bottom: y });
            dirty.left = dirty.left.min(left);
            dirty.right = dirty.right.max(right);
            dirty.bottom = y + 1;
        }
        found.map(|d| Self { left: d.left & !1, top: d.top & !1, right: d.right.next_multiple_of(2), bottom: d.bottom.next_multiple_of(2) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use resvg::tiny_skia::Color;

    const CANVAS: Canvas = Canvas { width: 8, height: 6, fps: 30 };
    const BYTES: usize = 8 * 6 * 3 / 2;

    fn filled(width: u32, height: u32, r: u8, g: u8, b: u8, a: u8) -> Pixmap {
        let mut drawing = Pixmap::new(width, height).expect("small");
        drawing.fill(Color::from_rgba8(r, g, b, a));
        drawing
    }

    fn bitmap(width: u32, height: u32, (r, g, b, a): (u8, u8, u8, u8), x: i32, y: i32) -> Bitmap {
        Bitmap::new(&filled(width, height, r, g, b, a), x, y).expect("not transparent")
    }

    #[test]
    fn colours_are_those_of_bt709() {
        for ((r, g, b), yuv) in [
            ((255, 255, 255), [235, 128, 128]),
            ((0, 0, 0), [16, 128, 128]),
            ((255, 0, 0), [63, 102, 240]),
            ((0, 255, 0), [173, 42, 26]),
            ((0, 0, 255), [32, 240, 118]),
        ] {
            let mut picture = [77; BYTES];
            bitmap(8, 6, (r, g, b, 255), 0, 0).blend(&mut picture, CANVAS, 0, 0);
            assert_eq!([picture[0], picture[48], picture[60]], yuv, "{r} {g} {b}");
            assert!(picture[..48].iter().all(|y| *y == yuv[0]) && picture[48..60].iter().all(|u| *u == yuv[1]));
        }
    }

    #[test]
    fn half_transparent_black_halves() {
        let mut picture = [200; BYTES];
        bitmap(8, 6, (0, 0, 0, 128), 0, 0).blend(&mut picture, CANVAS, 0, 0);
        // 16·128/255 = 8.03 and 200·127/255 = 99.6; 128·128/255 = 64.25.
        assert_eq!((picture[0], picture[48]), (8 + 100, 64 + 100));
    }

    #[test]
    fn a_transparent_drawing_is_nothing() {
        assert_eq!(Bitmap::new(&filled(8, 6, 9, 9, 9, 0), 0, 0), None);
    }

    #[test]
    fn only_the_dirty_part_is_kept() {
        let mut drawing = Pixmap::new(8, 6).expect("small");
        drawing.pixels_mut()[3 * 8 + 5] = Color::WHITE.premultiply().to_color_u8();
        let dot = Bitmap::new(&drawing, 10, 20).expect("one pixel");
        assert_eq!((dot.x, dot.y, dot.luma.width, dot.luma.height), (14, 22, 2, 2));
        assert_eq!(dot.luma.keep, [255, 255, 255, 0], "the others let the picture through");
        assert_eq!((dot.u.ink[0], dot.u.keep[0]), (32, 191), "a quarter of the chroma: 64 parts of alpha");
        assert_eq!(dot.right(), 16);
    }

    #[test]
    fn a_drawing_of_odd_size_ends_transparent() {
        let odd = bitmap(3, 1, (255, 255, 255, 255), 0, 0);
        assert_eq!((odd.luma.width, odd.luma.height), (4, 2));
        assert_eq!(odd.luma.keep, [0, 0, 0, 255, 255, 255, 255, 255]);
        assert_eq!(odd.u.keep, [127, 191]);
    }

    #[test]
    fn odd_places_move_luma_by_pixels_and_chroma_by_pairs() {
        let mut picture = [16; BYTES];
        bitmap(2, 2, (255, 255, 255, 255), 0, 0).blend(&mut picture, CANVAS, 3, 1);
        let white: Vec<usize> = (0..48).filter(|i| picture[*i] == 235).collect();
        assert_eq!(white, [8 + 3, 8 + 4, 16 + 3, 16 + 4]);
        let touched: Vec<usize> = (48..60).filter(|i| picture[*i] != 16).collect();
        assert_eq!(touched, [48 + 1], "column 3 lies in pair 1, row 1 in pair 0");
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mark = bitmap(4, 4, (255, 255, 255, 255), 0, 0);
        for (dx, dy, seen) in [
            (-3, -3, 1),
            (7, 5, 1),
            (-2, 0, 8),
            (0, 4, 8),
            (-4, 0, 0),
            (8, 0, 0),
            (0, -4, 0),
            (0, 6, 0),
            (i32::MIN / 2, 0, 0),
            (i32::MAX / 2, 9, 0),
        ] {
            let mut picture = [16; BYTES];
            mark.blend(&mut picture, CANVAS, dx, dy);
            assert_eq!(picture[..48].iter().filter(|y| **y == 235).count(), seen, "at {dx},{dy}");
        }
        let mut short = [0; 10];
        mark.blend(&mut short, CANVAS, 0, 0);
        assert_eq!(short, [0; 10], "a buffer of another size is left alone");
    }

    proptest! {
        #[test]
        fn each_pixel_is_the_exact_mixture(r: u8, g: u8, b: u8, a in 1_u8.., below: u8, dx in -9_i32..9, dy in -7_i32..7) {
            let drawing = filled(4, 2, r, g, b, a);
            let mark = Bitmap::new(&drawing, 0, 0).expect("not transparent");
            let mut picture = [below; BYTES];
            mark.blend(&mut picture, CANVAS, dx, dy);
            let mixed = |ink: u8, keep: u8| {
                let sum = (f64::from(below) * f64::from(keep) / 255.0).round() + f64::from(ink);
                assert!(sum <= 255.0, "{sum} does not fit a byte");
                sum as u8
            };
            for y in 0..6_i32 {
                for x in 0..8_i32 {
                    let inside = (dx..dx + 4).contains(&x) && (dy..dy + 2).contains(&y);
                    let expected = if inside { mixed(mark.luma.ink[0], mark.luma.keep[0]) } else { below };
                    prop_assert_eq!(picture[(y * 8 + x) as usize], expected);
                }
            }
            let (cx, cy) = (dx.div_euclid(2), dy.div_euclid(2));
            for y in 0..3_i32 {
                for x in 0..4_i32 {
                    let inside = (cx..cx + 2).contains(&x) && cy == y;
                    let at = 48 + (y * 4 + x) as usize;
                    prop_assert_eq!(picture[at], if inside { mixed(mark.u.ink[0], mark.u.keep[0]) } else { below });
                    prop_assert_eq!(picture[at + 12], if inside { mixed(mark.v.ink[0], mark.v.keep[0]) } else { below });
                }
            }
        }
    }

    #[test]
    fn rounding_is_exact_for_every_pair() {
        for below in 0..=255_u8 {
            for keep in 0..=255_u8 {
                let mut pixel = [below];
                over(&mut pixel, &[0], &[keep]);
                assert_eq!(u32::from(pixel[0]), (u32::from(below) * u32::from(keep) * 2 + 255) / 510);
            }
        }
    }
}
