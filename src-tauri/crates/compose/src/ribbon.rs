//! The coupon ribbon: its body, and the figures of the countdown that lie on it.
//!
//! The figures are drawn once, with the body. Each frame picks those of its second, so the second is right however long
//! a drawing takes and however the wall clock moves.

use crate::bitmap::Bitmap;
use crate::fonts::Weight;
use crate::layout::{Area, Layout, snap};
use crate::template::{Values, fill};
use crate::words::Words;
use crate::{ComposeError, CouponRibbon, Fonts, Language};
use stallcast_media::Canvas;

const NAME: &str = "ribbon.svg";
const TEMPLATE: &str = include_str!("../templates/ribbon.svg");
const FIGURE_NAME: &str = "figure.svg";
const FIGURE_TEMPLATE: &str = include_str!("../templates/figure.svg");

/// Height in units.
pub(crate) const HEIGHT: f32 = 12.5;
const RADIUS: f32 = 2.0;
/// Where the shadow begins, from the edges inwards.
const SHADOW: f32 = 4.0;
const MOST_AMOUNT: usize = 24;
const DISCOUNT: f32 = 5.2;
const THRESHOLD: f32 = 3.8;
const ENDS: f32 = 3.6;
const COUNTDOWN: f32 = 5.0;
const PAD: f32 = 3.0;
const GAP: f32 = 1.6;
/// The seam lies on the paper side.
const SEAM: f32 = 0.25;
/// Figures are never drawn for more than this: four places of hours.
const MOST_SECONDS: i64 = 9999 * 3600 + 59 * 60 + 59;

/// What a coupon grants: what is drawn besides the countdown, and what tells one coupon from another. With a new end it
/// is the same coupon, prolonged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    sign: String,
    discount: String,
    threshold: Option<String>,
}

impl From<&CouponRibbon> for Terms {
    fn from(coupon: &CouponRibbon) -> Self {
        Self { sign: coupon.sign.clone(), discount: coupon.discount.clone(), threshold: coupon.threshold.clone() }
    }
}

/// A drawn ribbon.
#[derive(Debug)]
pub(crate) struct Ribbon {
    body: Bitmap,
    figures: Figures,
    /// Left end of the countdown's baseline on the canvas.
    x: i32,
    y: i32,
}

/// Whole seconds left, the last one running until the very end; 0 when it is over.
pub(crate) fn seconds_left(ends_at_ms: i64, utc_ms: i64) -> i64 {
    let left = ends_at_ms.saturating_sub(utc_ms).max(0);
    left / 1000 + i64::from(left % 1000 > 0)
}

/// `mm:ss`, with hours in front if there are any.
pub(crate) fn countdown(seconds: i64) -> String {
    let seconds = seconds.clamp(0, MOST_SECONDS);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

impl Ribbon {
    /// Draws the ribbon where it lies at rest, with room for a countdown of `places` characters.
    pub(crate) fn draw(
        coupon: &Terms,
        places: usize,
        language: Language,
        layout: &Layout,
        fonts: &Fonts,
    ) -> Result<Option<Self>, ComposeError> {
        let mut words = Words::new(fonts);
        let sign = words.clean(&coupon.sign, 4);
        let discount = format!("{sign}{}", words.clean(&coupon.discount, MOST_AMOUNT));
        let threshold =
            coupon.threshold.as_ref().map(|threshold| words.clean(threshold, MOST_AMOUNT)).filter(|threshold| !threshold.is_empty());
        let (threshold, ends) = match (language, threshold) {
            (Language::ZhCn, Some(least)) => (format!("满{least}可用"), "还剩"),
            (Language::En, Some(least)) => (format!("over {sign}{least}"), "ends in"),
            (Language::ZhCn, None) => ("无门槛".to_owned(), "还剩"),
            (Language::En, None) => ("any order".to_owned(), "ends in"),
        };
        words.note(&threshold);
        words.note(ends);

        // Everything as designed, and again smaller if it is too wide: nothing here may be cut.
        let pixels = |scale: f32| COUNTDOWN * scale * layout.unit;
        let width = |scale: f32| {
            let texts = words.width(&discount, Weight::Bold, DISCOUNT)
                + words.width(&threshold, Weight::Regular, THRESHOLD)
                + words.width(ends, Weight::Regular, ENDS);
            let figures = Figures::width(&Pitch::new(fonts, pixels(scale)), places) as f32 / layout.unit;
            (texts + 4.0 * PAD + 2.0 * GAP) * scale + figures
        };
        let mut scale = (layout.most_ribbon / width(1.0)).min(1.0);
        if width(scale) > layout.most_ribbon {
            // Figures stand on whole pixels, so their width does not shrink evenly.
            scale *= layout.most_ribbon / width(scale);
        }
        let (total, figures) = (width(scale), Figures::draw(fonts, pixels(scale))?);
        let (pad, gap) = (PAD * scale, GAP * scale);
        let threshold_x = pad + words.width(&discount, Weight::Bold, DISCOUNT * scale) + gap;
        let tear = threshold_x + words.width(&threshold, Weight::Regular, THRESHOLD * scale) + pad;
        let figures_x = tear + pad + words.width(ends, Weight::Regular, ENDS * scale) + gap;
        let baseline = |size: f32| Words::baseline(0.0, HEIGHT, size * scale);

        let mut values = Values::default();
        values
            .number("width", total)
            .number("shadow_right", total - SHADOW)
            .number("shadow_width", total - 2.0 * SHADOW)
            .number("tear", tear)
            .number("seam", tear + SEAM);
        values.number("paper", tear - SEAM).number("paper_right", total - RADIUS);
        values
            .text("discount", discount)
            .number("discount_x", pad)
            .number("discount_y", baseline(DISCOUNT))
            .number("discount_size", DISCOUNT * scale);
        values
            .text("threshold", threshold)
            .number("threshold_x", threshold_x)
            .number("threshold_y", baseline(THRESHOLD))
            .number("threshold_size", THRESHOLD * scale);
        values.text("ends", ends).number("ends_x", tear + pad).number("ends_y", baseline(ENDS)).number("ends_size", ENDS * scale);
        let svg = fill(NAME, TEMPLATE, &values)?;
        let area = layout.area(layout.left, layout.top, total, HEIGHT);
        let body = words.draw(NAME, &svg, None, layout.unit, (layout.left, layout.top), area)?;
        // On the canvas: at most 1920.
        let x = (snap(layout.left * layout.unit) + figures_x * layout.unit).round() as i32;
        let y = (snap(layout.top * layout.unit) + baseline(COUNTDOWN) * layout.unit).round() as i32;
        Ok(body.map(|body| Self { body, figures, x, y }))
    }

    /// First column to the right of it.
    pub(crate) fn right(&self) -> i32 {
        self.body.right()
    }

    /// Draws it with its countdown, moved by `dx`.
    pub(crate) fn blend(&self, canvas_i420: &mut [u8], canvas: Canvas, dx: i32, seconds: i64) {
        self.body.blend(canvas_i420, canvas, dx, 0);
        let mut x = self.x + dx;
        for c in countdown(seconds).chars() {
            x += self.figures.blend(c, canvas_i420, canvas, x, self.y);
        }
    }
}

/// Advance of a figure and of the colon in whole pixels, so that every second looks the same.
#[derive(Debug, Clone, Copy)]
struct Pitch {
    figure: i32,
    colon: i32,
}

impl Pitch {
    fn new(fonts: &Fonts, pixels: f32) -> Self {
        // Less than a canvas.
        let whole = |text: &str| (fonts.width(text, Weight::Bold) * pixels).round().max(1.0) as i32;
        Self { figure: whole("0"), colon: whole(":") }
    }
}

/// The characters a countdown is made of, lying at 0,0.
#[derive(Debug)]
struct Figures {
    pitch: Pitch,
    figures: Vec<Option<Bitmap>>,
    colon: Option<Bitmap>,
}

impl Figures {
    fn width(pitch: &Pitch, places: usize) -> i32 {
        // Two of five, seven or more characters are colons only with hours.
        let colons = if places > 5 { 2 } else { 1 };
        (places as i32 - colons) * pitch.figure + colons * pitch.colon
    }

    fn draw(fonts: &Fonts, pixels: f32) -> Result<Self, ComposeError> {
        // Room around the character, even.
        let margin = (pixels as u32).next_multiple_of(2) + 2;
        let side = 3 * margin;
        let draw = |c: char, lift: f32| {
            let mut words = Words::new(fonts);
            let mut values = Values::default();
            values.number("size", pixels).text("figure", c.to_string());
            words.note(":0123456789");
            let svg = fill(FIGURE_NAME, FIGURE_TEMPLATE, &values)?;
            let area = Area { x: 0, y: 0, width: side, height: side };
            let drawn = words.draw(FIGURE_NAME, &svg, None, 1.0, (margin as f32, 2.0 * margin as f32 - lift), area)?;
            // Twice a few hundred pixels.
            Ok(drawn.map(|bitmap| bitmap.moved(-(margin as i32), -(2 * margin as i32))))
        };
        let figures = ('0'..='9').map(|c| draw(c, 0.0)).collect::<Result<Vec<_>, ComposeError>>()?;
        // The face's colon is made for small letters; between figures it stands a little higher.
        Ok(Self { pitch: Pitch::new(fonts, pixels), figures, colon: draw(':', (pixels * 0.08).round())? })
    }

    /// Draws one character; its advance.
    fn blend(&self, c: char, canvas_i420: &mut [u8], canvas: Canvas, x: i32, y: i32) -> i32 {
        let (bitmap, advance) = match c.to_digit(10) {
            Some(figure) => (self.figures.get(figure as usize).and_then(Option::as_ref), self.pitch.figure),
            None => (self.colon.as_ref(), self.pitch.colon),
        };
        if let Some(bitmap) = bitmap {
            bitmap.blend(canvas_i420, canvas, x, y);
        }
        advance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_shown_until_its_very_end() {
        let end = 1_700_000_000_000;
        for (before, shown) in
            [(156_001, 157), (156_000, 156), (155_999, 156), (155_001, 156), (155_000, 155), (1000, 1), (999, 1), (1, 1), (0, 0), (-5, 0)]
        {
            assert_eq!(seconds_left(end, end - before), shown, "{before} ms before the end");
        }
        assert_eq!(seconds_left(i64::MAX, i64::MIN), i64::MAX / 1000 + 1);
        assert_eq!(seconds_left(i64::MIN, i64::MAX), 0);
    }

    #[test]
    fn a_countdown_has_hours_only_if_there_are_any() {
        for (seconds, shown) in [
            (0, "00:00"),
            (59, "00:59"),
            (156, "02:36"),
            (3599, "59:59"),
            (3600, "1:00:00"),
            (360_000, "100:00:00"),
            (i64::MAX, "9999:59:59"),
        ] {
            assert_eq!(countdown(seconds), shown);
        }
    }
}
