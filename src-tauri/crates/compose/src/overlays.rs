use crate::{ComposeError, Fonts, OverlayCounters, OverlaySet};
use stallcast_media::{Canvas, Pts};

/// What is drawn over the camera.
#[derive(Debug)]
pub struct Overlays {
    set: OverlaySet,
}

impl Overlays {
    /// Starts the render thread.
    ///
    /// # Errors
    /// The OS gives no thread.
    pub fn new(_canvas: Canvas, _fonts: Fonts) -> Result<Self, ComposeError> {
        Ok(Self { set: OverlaySet::default() })
    }

    /// What shall be drawn from now on.
    pub fn set(&mut self, set: OverlaySet, _at: Pts) {
        self.set = set;
    }

    /// Is there nothing to draw, now and until the next set?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        true
    }

    /// Draws into a canvas.
    pub fn blend(&mut self, _canvas_i420: &mut [u8], _at: Pts, _utc_ms: i64) {}

    /// Counts so far.
    #[must_use]
    pub fn counters(&self) -> OverlayCounters {
        OverlayCounters::default()
    }
}
