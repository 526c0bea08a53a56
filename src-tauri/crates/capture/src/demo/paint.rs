//! Shapes with soft edges, drawn straight into I420.

/// A colour as it lies in the picture: BT.709, video range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink {
    y: u8,
    u: u8,
    v: u8,
}

impl Ink {
    /// From sRGB.
    pub(super) const fn rgb(r: i32, g: i32, b: i32) -> Self {
        let y = 16 + (1826 * r + 6142 * g + 620 * b + 5000) / 10_000;
        let u = 128 + (-1006 * r - 3386 * g + 4392 * b) / 10_000;
        let v = 128 + (4392 * r - 3989 * g - 403 * b) / 10_000;
        Self { y: y as u8, u: u as u8, v: v as u8 }
    }

    /// Part `t` of the way to `other`.
    pub(super) fn mix(self, other: Self, t: f32) -> Self {
        let at = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * t.clamp(0.0, 1.0)).round() as u8;
        Self { y: at(self.y, other.y), u: at(self.u, other.u), v: at(self.v, other.v) }
    }
}

/// A point or a size in pixels.
pub(super) type Xy = (f32, f32);

/// What can be drawn: a signed distance to its edge (negative inside) and the box it lies in.
pub(super) trait Shape {
    /// Distance to the edge in pixels, negative inside.
    fn distance(&self, x: f32, y: f32) -> f32;
    /// Left, top, right, bottom.
    fn bounds(&self) -> (f32, f32, f32, f32);
}

/// A filled circle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disc(pub(super) Xy, pub(super) f32);

impl Shape for Disc {
    fn distance(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.0.0, y - self.0.1);
        (dx * dx + dy * dy).sqrt() - self.1
    }
    fn bounds(&self) -> (f32, f32, f32, f32) {
        let ((x, y), r) = (self.0, self.1);
        (x - r, y - r, x + r, y + r)
    }
}

/// A circle's line: centre, radius, thickness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ring(pub(super) Xy, pub(super) f32, pub(super) f32);

impl Shape for Ring {
    fn distance(&self, x: f32, y: f32) -> f32 {
        Disc(self.0, self.1).distance(x, y).abs() - self.2 / 2.0
    }
    fn bounds(&self) -> (f32, f32, f32, f32) {
        Disc(self.0, self.1 + self.2 / 2.0).bounds()
    }
}

/// A box with rounded corners: left top, size, corner radius.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block(pub(super) Xy, pub(super) Xy, pub(super) f32);

impl Shape for Block {
    fn distance(&self, x: f32, y: f32) -> f32 {
        let (half_w, half_h) = (self.1.0 / 2.0, self.1.1 / 2.0);
        let r = self.2.min(half_w).min(half_h);
        let dx = (x - self.0.0 - half_w).abs() - half_w + r;
        let dy = (y - self.0.1 - half_h).abs() - half_h + r;
        let outside = (dx.max(0.0).powi(2) + dy.max(0.0).powi(2)).sqrt();
        outside + dx.max(dy).min(0.0) - r
    }
    fn bounds(&self) -> (f32, f32, f32, f32) {
        (self.0.0, self.0.1, self.0.0 + self.1.0, self.0.1 + self.1.1)
    }
}

/// A line with round ends: from, to, thickness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke(pub(super) Xy, pub(super) Xy, pub(super) f32);

impl Shape for Stroke {
    fn distance(&self, x: f32, y: f32) -> f32 {
        let (px, py) = (x - self.0.0, y - self.0.1);
        let (dx, dy) = (self.1.0 - self.0.0, self.1.1 - self.0.1);
        let along = ((px * dx + py * dy) / (dx * dx + dy * dy).max(1e-6)).clamp(0.0, 1.0);
        let (ex, ey) = (px - dx * along, py - dy * along);
        (ex * ex + ey * ey).sqrt() - self.2 / 2.0
    }
    fn bounds(&self) -> (f32, f32, f32, f32) {
        let half = self.2 / 2.0;
        let ((x0, y0), (x1, y1)) = (self.0, self.1);
        (x0.min(x1) - half, y0.min(y1) - half, x0.max(x1) + half, y0.max(y1) + half)
    }
}

/// A picture to draw into: tightly packed I420 with even sides.
pub(super) struct Sheet<'a> {
    width: usize,
    height: usize,
    y: &'a mut [u8],
    u: &'a mut [u8],
    v: &'a mut [u8],
}

impl<'a> Sheet<'a> {
    /// `bytes` holds `width * height * 3 / 2` bytes.
    pub(super) fn new(width: usize, height: usize, bytes: &'a mut [u8]) -> Self {
        let (y, chroma) = bytes.split_at_mut(width * height);
        let (u, v) = chroma.split_at_mut(width * height / 4);
        Self { width, height, y, u, v }
    }

    pub(super) fn size(&self) -> Xy {
        (self.width as f32, self.height as f32)
    }

    /// Fills rows with an ink each: `ink` gets the part of the height, 0..1.
    pub(super) fn rows(&mut self, ink: impl Fn(f32) -> Ink) {
        let height = self.height as f32;
        for (row, line) in self.y.chunks_exact_mut(self.width).enumerate() {
            line.fill(ink(row as f32 / height).y);
        }
        let half = self.width / 2;
        for (row, (u, v)) in self.u.chunks_exact_mut(half).zip(self.v.chunks_exact_mut(half)).enumerate() {
            let ink = ink(row as f32 * 2.0 / height);
            u.fill(ink.u);
            v.fill(ink.v);
        }
    }

    /// Draws a shape; `opacity` 0..1.
    pub(super) fn draw(&mut self, shape: &impl Shape, ink: Ink, opacity: f32) {
        self.draw_soft(shape, ink, opacity, 1.0);
    }

    /// Draws a shape whose edge is `soft` pixels wide.
    pub(super) fn draw_soft(&mut self, shape: &impl Shape, ink: Ink, opacity: f32, soft: f32) {
        let (left, top, right, bottom) = shape.bounds();
        let reach = soft / 2.0 + 1.0;
        let full = (opacity.clamp(0.0, 1.0) * 256.0) as i32;
        let cover = |x: f32, y: f32, width: f32| ((0.5 - shape.distance(x, y) / width).clamp(0.0, 1.0) * full as f32) as i32;
        let (x0, x1) = span(left - reach, right + reach, self.width);
        let (y0, y1) = span(top - reach, bottom + reach, self.height);
        for row in y0..y1 {
            for (i, pixel) in self.y[row * self.width..][x0..x1].iter_mut().enumerate() {
                blend(pixel, ink.y, cover((x0 + i) as f32 + 0.5, row as f32 + 0.5, soft));
            }
        }
        let half = self.width / 2;
        let (x0, x1) = span((left - reach) / 2.0, (right + reach) / 2.0, half);
        let (y0, y1) = span((top - reach) / 2.0, (bottom + reach) / 2.0, self.height / 2);
        for row in y0..y1 {
            let us = &mut self.u[row * half..][x0..x1];
            let vs = &mut self.v[row * half..][x0..x1];
            for (i, (u, v)) in us.iter_mut().zip(vs).enumerate() {
                let a = cover(((x0 + i) * 2 + 1) as f32, (row * 2 + 1) as f32, soft.max(2.0));
                blend(u, ink.u, a);
                blend(v, ink.v, a);
            }
        }
    }

    /// Draws a mask with its left top at an even pixel.
    pub(super) fn stamp(&mut self, mask: &Mask, (x, y): (usize, usize), ink: Ink) {
        let (x, y) = (x & !1, y & !1);
        if x + mask.width > self.width || y + mask.height > self.height {
            return;
        }
        for (row, cover) in mask.luma.chunks_exact(mask.width).enumerate() {
            for (pixel, a) in self.y[(y + row) * self.width + x..].iter_mut().zip(cover) {
                blend(pixel, ink.y, i32::from(*a) + i32::from(*a >> 7));
            }
        }
        let half = self.width / 2;
        for (row, cover) in mask.chroma.chunks_exact(mask.width / 2).enumerate() {
            let at = (y / 2 + row) * half + x / 2;
            for ((u, v), a) in self.u[at..].iter_mut().zip(&mut self.v[at..]).zip(cover) {
                let a = i32::from(*a) + i32::from(*a >> 7);
                blend(u, ink.u, a);
                blend(v, ink.v, a);
            }
        }
    }
}

/// Whole pixels between two edges, inside the picture.
fn span(from: f32, to: f32, limit: usize) -> (usize, usize) {
    let from = (from.max(0.0) as usize).min(limit);
    (from, (to.max(0.0).ceil() as usize).clamp(from, limit))
}

/// Moves a pixel `part`/256 of the way to `ink`.
fn blend(pixel: &mut u8, ink: u8, part: i32) {
    let from = i32::from(*pixel);
    *pixel = (from + (((i32::from(ink) - from) * part) >> 8)) as u8;
}

/// A shape rendered once, drawn often. Even sides.
#[derive(Debug, Clone)]
pub(super) struct Mask {
    pub(super) width: usize,
    height: usize,
    luma: Vec<u8>,
    chroma: Vec<u8>,
}

impl Mask {
    /// Renders a signed distance (negative inside) given in pixels from the left top.
    pub(super) fn render(width: usize, height: usize, distance: impl Fn(f32, f32) -> f32) -> Self {
        let (width, height) = (width.next_multiple_of(2), height.next_multiple_of(2));
        let cover = |d: f32| ((0.5 - d).clamp(0.0, 1.0) * 255.0) as u8;
        let luma: Vec<u8> = (0..width * height).map(|i| cover(distance((i % width) as f32 + 0.5, (i / width) as f32 + 0.5))).collect();
        let half = width / 2;
        let chroma = (0..half * height / 2)
            .map(|i| {
                let at = (i / half) * 2 * width + (i % half) * 2;
                let sum: u32 = [at, at + 1, at + width, at + width + 1].iter().map(|i| u32::from(luma[*i])).sum();
                (sum / 4) as u8
            })
            .collect();
        Self { width, height, luma, chroma }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_are_video_range() {
        assert_eq!(Ink::rgb(0, 0, 0), Ink { y: 16, u: 128, v: 128 });
        assert_eq!(Ink::rgb(255, 255, 255), Ink { y: 235, u: 128, v: 128 });
    }

    #[test]
    fn shapes_that_stick_out_of_the_picture_are_cut() {
        let mut bytes = vec![16; 32 * 16 * 3 / 2];
        let mut sheet = Sheet::new(32, 16, &mut bytes);
        for at in [(-4.0, -4.0), (31.0, 15.0), (400.0, 3.0), (3.0, -400.0)] {
            sheet.draw(&Disc(at, 6.0), Ink::rgb(255, 255, 255), 1.0);
        }
        sheet.stamp(&Mask::render(8, 8, |_, _| -1.0), (28, 12), Ink::rgb(255, 255, 255));
        assert_eq!((bytes[0], bytes[16 * 32 - 1], bytes[16]), (bytes[0].max(17), 235, 16));
    }
}
