use crate::LibavError;
use bytes::Bytes;
use stallcast_media::Frame;

/// A preview picture.
#[derive(Debug, Clone)]
pub struct JpegPicture {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// One JPEG file.
    pub bytes: Bytes,
}

/// Makes preview pictures.
#[derive(Debug)]
pub struct JpegEncoder {
    max_side: u32,
}

impl JpegEncoder {
    /// Pictures whose longer side is at most `max_side` pixels; smaller ones keep their size.
    #[must_use]
    pub fn new(max_side: u32) -> Self {
        Self { max_side }
    }

    /// Encodes one picture.
    ///
    /// # Errors
    /// A damaged or too short frame, or ffmpeg failed.
    pub fn encode(&mut self, _frame: &Frame) -> Result<JpegPicture, LibavError> {
        Err(LibavError::Unsupported { what: "side", detail: self.max_side.to_string() })
    }
}
