use crate::LibavError;
use stallcast_media::{AudioBlock, Frame, VideoFormat};
use std::path::Path;

/// One decoded piece of a media file; instants count from the start of the file.
#[derive(Debug, Clone)]
pub enum Decoded {
    /// I420, range as flagged.
    Video(Frame),
    /// 48 kHz stereo.
    Audio(AudioBlock),
}

/// An opened media file.
#[derive(Debug)]
pub struct MediaFile;

impl MediaFile {
    /// Opens a local file.
    ///
    /// # Errors
    /// Missing, not a media file, no usable track.
    pub fn open(path: &Path) -> Result<Self, LibavError> {
        Err(LibavError::Missing(path.to_owned()))
    }

    /// Format of the frames and frames a second (may be fractional).
    #[must_use]
    pub fn video(&self) -> Option<(VideoFormat, f64)> {
        None
    }

    /// Is there sound?
    #[must_use]
    pub fn has_audio(&self) -> bool {
        false
    }

    /// Nanoseconds of the longer track; 0 if unknown.
    #[must_use]
    pub fn duration(&self) -> i64 {
        0
    }

    /// The next piece in file order; `None` at the end.
    ///
    /// # Errors
    /// Reading failed.
    pub fn next(&mut self) -> Result<Option<Decoded>, LibavError> {
        Ok(None)
    }

    /// Back to the start.
    ///
    /// # Errors
    /// The file cannot be sought.
    pub fn rewind(&mut self) -> Result<(), LibavError> {
        Ok(())
    }
}
