//! The digits of the demo's clock: strokes on a grid of 4 by 6, rendered once in the size of the canvas.

use super::paint::{Ink, Mask, Shape as _, Sheet, Stroke, Xy};

/// Thickness of a stroke in grid units.
const THICK: f32 = 0.95;
/// Room around a glyph in grid units, so that round ends fit.
const MARGIN: f32 = 0.6;

#[derive(Debug, Clone, Copy)]
enum Part {
    Line(Xy, Xy),
    /// Centre, radii, from and to in degrees, clockwise from the right.
    Arc(Xy, Xy, f32, f32),
}

use Part::{Arc, Line};

const DIGITS: [&[Part]; 10] = [
    &[
        Arc((2.0, 2.0), (2.0, 2.0), 180.0, 360.0),
        Line((4.0, 2.0), (4.0, 4.0)),
        Arc((2.0, 4.0), (2.0, 2.0), 0.0, 180.0),
        Line((0.0, 4.0), (0.0, 2.0)),
    ],
    &[Line((0.6, 1.3), (2.2, 0.0)), Line((2.2, 0.0), (2.2, 6.0))],
    &[Arc((2.0, 2.0), (2.0, 2.0), 180.0, 390.0), Line((3.73, 3.0), (0.0, 6.0)), Line((0.0, 6.0), (4.0, 6.0))],
    &[Arc((2.0, 1.5), (1.75, 1.5), 200.0, 450.0), Arc((2.0, 4.5), (2.0, 1.5), 270.0, 520.0)],
    &[Line((3.0, 6.0), (3.0, 0.0)), Line((3.0, 0.0), (0.0, 4.2)), Line((0.0, 4.2), (4.0, 4.2))],
    &[Line((3.6, 0.0), (0.6, 0.0)), Line((0.6, 0.0), (0.36, 2.85)), Arc((2.0, 4.0), (2.0, 2.0), 215.0, 510.0)],
    &[Arc((2.0, 4.0), (2.0, 2.0), 0.0, 360.0), Line((0.2, 3.2), (2.6, 0.0))],
    &[Line((0.0, 0.0), (4.0, 0.0)), Line((4.0, 0.0), (1.4, 6.0))],
    &[Arc((2.0, 1.5), (1.6, 1.5), 0.0, 360.0), Arc((2.0, 4.5), (2.0, 1.5), 0.0, 360.0)],
    &[Arc((2.0, 2.0), (2.0, 2.0), 0.0, 360.0), Line((3.8, 2.8), (1.4, 6.0))],
];
const COLON: &[Part] = &[Line((0.5, 1.6), (0.5, 1.6)), Line((0.5, 4.6), (0.5, 4.6))];
const POINT: &[Part] = &[Line((0.5, 6.0), (0.5, 6.0))];

/// Rendered glyphs.
#[derive(Debug)]
pub(super) struct Digits {
    digits: Vec<Mask>,
    colon: Mask,
    point: Mask,
}

impl Digits {
    /// `unit`: pixels of one grid unit.
    pub(super) fn new(unit: f32) -> Self {
        let glyph = |parts: &[Part], columns: f32| {
            let strokes: Vec<Stroke> = parts.iter().flat_map(|part| strokes(*part, unit)).collect();
            let (width, height) = ((columns + 2.0 * MARGIN) * unit, (6.0 + 2.0 * MARGIN) * unit);
            Mask::render(width as usize, height as usize, |x, y| strokes.iter().map(|s| s.distance(x, y)).fold(f32::MAX, f32::min))
        };
        Self { digits: DIGITS.iter().map(|parts| glyph(parts, 4.0)).collect(), colon: glyph(COLON, 1.0), point: glyph(POINT, 1.0) }
    }

    /// Grid units that `hh:mm:ss.mmm` is wide and high.
    pub(super) const EXTENT: Xy = (9.0 * (4.0 + 2.0 * MARGIN) + 3.0 * (1.0 + 2.0 * MARGIN), 6.0 + 2.0 * MARGIN);

    fn glyph(&self, byte: u8) -> &Mask {
        match byte {
            b'0'..=b'9' => &self.digits[usize::from(byte - b'0')],
            b'.' => &self.point,
            _ => &self.colon,
        }
    }

    /// Draws it with its left top at an even pixel.
    pub(super) fn draw(&self, sheet: &mut Sheet<'_>, (mut x, y): (usize, usize), text: &[u8], ink: Ink) {
        for byte in text {
            let glyph = self.glyph(*byte);
            sheet.stamp(glyph, (x, y), ink);
            x += glyph.width;
        }
    }
}

fn strokes(part: Part, unit: f32) -> Vec<Stroke> {
    let place = |(x, y): Xy| ((x + MARGIN) * unit, (y + MARGIN) * unit);
    match part {
        Line(from, to) => vec![Stroke(place(from), place(to), THICK * unit)],
        Arc((cx, cy), (rx, ry), from, to) => {
            const STEPS: usize = 20;
            let at = |i: usize| {
                let angle = (from + (to - from) * i as f32 / STEPS as f32).to_radians();
                place((cx + rx * angle.cos(), cy + ry * angle.sin()))
            };
            (0..STEPS).map(|i| Stroke(at(i), at(i + 1), THICK * unit)).collect()
        }
    }
}
