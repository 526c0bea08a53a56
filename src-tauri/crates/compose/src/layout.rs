//! Where overlays lie. Everything is sized in units of the canvas width, so preview and program agree at any size.

use stallcast_media::Canvas;

/// Room around an overlay for its shadow, units.
const SHADOW: f32 = 11.0;

/// The places on one canvas. Lengths but `unit` are in units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Layout {
    pub(crate) canvas: Canvas,
    /// Pixels of one unit.
    pub(crate) unit: f32,
    /// Left edge of card and ribbon.
    pub(crate) left: f32,
    /// Top edge of the ribbon.
    pub(crate) top: f32,
    /// From the bottom edge of the card to that of the canvas.
    pub(crate) bottom: f32,
    pub(crate) card_width: f32,
    pub(crate) most_ribbon: f32,
}

/// Even-edged pixels of the canvas that one overlay is drawn into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Layout {
    /// Upright and nearly square canvases keep clear of what platforms draw over the top 12 and the bottom 19.5
    /// hundredths; wide ones have a smaller card in the corner. The unit shrinks where card and ribbon would meet.
    pub(crate) fn new(canvas: Canvas) -> Self {
        let (width, height) = (canvas.width as f32, canvas.height as f32);
        if width <= height * 1.2 {
            Self {
                canvas,
                unit: (width / 100.0).min(height / 82.5),
                left: 5.0,
                top: 14.5,
                bottom: 22.0,
                card_width: 90.0,
                most_ribbon: 90.0,
            }
        } else {
            Self {
                canvas,
                unit: (width / 215.0).min(height / 65.5),
                left: 7.5,
                top: 8.5,
                bottom: 10.75,
                card_width: 86.0,
                most_ribbon: 120.0,
            }
        }
    }

    /// Pixels around a box (units from the top left corner of the canvas) with its shadow.
    pub(crate) fn area(&self, x: f32, y: f32, width: f32, height: f32) -> Area {
        let low = |at: f32| ((((at - SHADOW) * self.unit).max(0.0)) as u32) & !1;
        let high = |at: f32, most: u32| ((((at + SHADOW) * self.unit).ceil().max(0.0)) as u32).next_multiple_of(2).min(most);
        let (left, top) = (low(x), low(y));
        Area {
            x: left,
            y: top,
            width: high(x + width, self.canvas.width).saturating_sub(left),
            height: high(y + height, self.canvas.height).saturating_sub(top),
        }
    }

    /// Canvas height in units.
    pub(crate) fn height(&self) -> f32 {
        self.canvas.height as f32 / self.unit
    }
}

/// The nearest even pixel: long edges are sharp there, and chroma ends where luma does.
pub(crate) fn snap(pixels: f32) -> f32 {
    (pixels / 2.0).round() * 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::HEIGHT as CARD_HEIGHT;
    use crate::ribbon::HEIGHT as RIBBON_HEIGHT;

    #[test]
    fn card_and_ribbon_lie_on_every_canvas_and_never_meet() {
        for width in (160..=1920).step_by(32) {
            for height in (160..=1920).step_by(32) {
                let layout = Layout::new(Canvas { width, height, fps: 30 });
                let card_top = layout.height() - layout.bottom - CARD_HEIGHT;
                assert!(layout.top + RIBBON_HEIGHT <= card_top, "they meet on {width}x{height}");
                assert!((layout.left + layout.card_width) * layout.unit <= width as f32 + 0.01, "the card leaves {width}x{height}");
                let area = layout.area(layout.left, card_top, layout.card_width, CARD_HEIGHT);
                assert!(area.x + area.width <= width && area.y + area.height <= height && area.width > 0 && area.height > 0);
                assert!((area.x | area.y | area.width | area.height) & 1 == 0);
            }
        }
    }

    #[test]
    fn the_phone_canvas_has_the_sizes_of_the_design() {
        let layout = Layout::new(Canvas { width: 720, height: 1280, fps: 30 });
        assert_eq!(layout.unit, 7.2);
        let wide = Layout::new(Canvas { width: 1280, height: 720, fps: 30 });
        assert!((wide.card_width * wide.unit / 1280.0 - 0.40).abs() < 0.001, "two fifths of a wide picture");
    }
}
