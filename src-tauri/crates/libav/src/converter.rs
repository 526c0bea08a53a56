use crate::LibavError;
use crate::colour::{Colour, Cut};
use crate::import::{Opener, Stage};
use crate::plane::i420_mut;
use stallcast_media::{Canvas, Frame, PixelFormat, VideoFormat};

/// Brings any picture onto the canvas: scaled to cover it, cut at the centre, I420, limited range, BT.709.
///
/// What the numbers of a frame mean: I420 is BT.709 in the range its flag says; NV12 and YUYV are BT.601 in the range
/// their flag says; MJPEG is BT.601 in full range unless the JPEG says otherwise. A picture that needs no scaling costs
/// one pass over its rows, one that is a canvas already is copied.
#[derive(Debug)]
pub struct Converter {
    canvas: Canvas,
    opener: Opener,
    stage: Stage,
}

impl Converter {
    /// A converter for one canvas. Nothing is allocated before the first picture that needs it.
    #[must_use]
    pub fn new(canvas: Canvas) -> Self {
        Self { canvas, opener: Opener::default(), stage: Stage::default() }
    }

    /// Is this picture a canvas already, so that it can be used as it is?
    #[must_use]
    pub fn is_canvas(&self, frame: &Frame) -> bool {
        let format = frame.format;
        let canvas = VideoFormat { width: self.canvas.width, height: self.canvas.height, pixel: PixelFormat::I420 };
        format == canvas && !frame.full_range && frame.is_whole()
    }

    /// Fills `out`, which holds exactly the bytes of a canvas. After an error `out` may hold half a picture; the next
    /// frame may be converted at once.
    ///
    /// # Errors
    /// A damaged JPEG, a frame with too few bytes, or `out` of another size.
    pub fn convert(&mut self, frame: &Frame, out: &mut [u8]) -> Result<(), LibavError> {
        let (width, height) = (self.canvas.width as usize, self.canvas.height as usize);
        let wrong = || LibavError::Unsupported { what: "canvas", detail: format!("{width}x{height}") };
        if self.is_canvas(frame) && frame.format.bytes() == out.len() {
            frame.pack_into(out);
            return Ok(());
        }
        let source = self.opener.open(frame)?;
        let mut planes = i420_mut(out, width, height).filter(|_| width > 0 && height > 0).ok_or_else(wrong)?;
        let cut = Cut::covering((source.width, source.height), (width, height));
        self.stage.place(&source, cut, Colour::CANVAS, (width, height), &mut planes)
    }
}
