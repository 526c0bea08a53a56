use crate::{Fonts, Language, fill_black};
use stallcast_media::{Canvas, Frame, PixelFormat, Pts, VideoFormat};

/// Pictures that stand in for a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slate {
    /// The camera is gone; the show goes on.
    CameraLost,
}

/// A whole canvas.
#[must_use]
pub fn slate(canvas: Canvas, _slate: Slate, _language: Language, _fonts: &Fonts) -> Frame {
    let format = VideoFormat { width: canvas.width, height: canvas.height, pixel: PixelFormat::I420 };
    let mut bytes = vec![0; format.bytes()];
    fill_black(&mut bytes, canvas);
    Frame::new(format, Pts(0), false, bytes.into())
}
