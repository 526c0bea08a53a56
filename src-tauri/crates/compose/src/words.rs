//! Text of one drawing: cleaned, measured, and drawn with the faces it needs.

use crate::bitmap::Bitmap;
use crate::fonts::Weight;
use crate::layout::{Area, snap};
use crate::{ComposeError, Fonts, raster, text};
use resvg::tiny_skia::Transform;
use resvg::usvg::ImageKind;

/// From the middle of a line down to its baseline, in em: half the height of a figure, and nearly that of a Han square.
const DROP: f32 = 0.37;

pub(crate) struct Words<'a> {
    fonts: &'a Fonts,
    /// Everything that will be drawn.
    all: String,
}

impl<'a> Words<'a> {
    pub(crate) const fn new(fonts: &'a Fonts) -> Self {
        Self { fonts, all: String::new() }
    }

    /// Foreign text as it can be drawn, at most `most` graphemes.
    pub(crate) fn clean(&mut self, foreign: &str, most: usize) -> String {
        let clean = self.fonts.drawable(&text::sanitise(foreign, most));
        self.all.push_str(&clean);
        clean
    }

    /// Takes note of own words, which the bundled faces have.
    pub(crate) fn note(&mut self, own: &str) {
        self.all.push_str(own);
    }

    /// Width in the unit of `size`.
    pub(crate) fn width(&self, text: &str, weight: Weight, size: f32) -> f32 {
        self.fonts.width(text, weight) * size
    }

    /// `size`, or as much less as makes `text` fit.
    pub(crate) fn fit(&self, text: &str, weight: Weight, size: f32, most: f32) -> f32 {
        size * (most / self.width(text, weight, size).max(f32::MIN_POSITIVE)).min(1.0)
    }

    /// Baseline of text of `size` in a line from `top`.
    pub(crate) fn baseline(top: f32, line_height: f32, size: f32) -> f32 {
        top + line_height / 2.0 + DROP * size
    }

    /// Draws a filled template into `area`; its units are `unit` pixels, its origin is at `origin` (units) of the canvas.
    pub(crate) fn draw(
        &self,
        name: &'static str,
        svg: &str,
        picture: Option<ImageKind>,
        unit: f32,
        origin: (f32, f32),
        area: Area,
    ) -> Result<Option<Bitmap>, ComposeError> {
        let (x, y) = (snap(origin.0 * unit) - area.x as f32, snap(origin.1 * unit) - area.y as f32);
        let place = Transform::from_row(unit, 0.0, 0.0, unit, x, y);
        let tree = raster::parse(svg, Some((self.fonts, &self.all)), picture).map_err(|reason| ComposeError::Template { name, reason })?;
        let drawing = raster::draw(&tree, place, area.width, area.height)?;
        // Inside the canvas: at most 1920.
        Ok(Bitmap::new(&drawing, area.x as i32, area.y as i32))
    }
}
