use crate::LibavError;
use stallcast_media::{Canvas, Frame, Packet, VideoConfig};

/// What the program's picture is encoded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoSettings {
    /// Size and rate.
    pub canvas: Canvas,
    /// Target and ceiling, kbit/s.
    pub kbps: u32,
    /// No B-frames and no look-ahead: 50 ms instead of 700 ms behind the camera, at more bits for the same picture.
    pub low_latency: bool,
}

/// H.264.
#[derive(Debug)]
pub struct VideoEncoder;

impl VideoEncoder {
    /// Opens libx264.
    ///
    /// # Errors
    /// This ffmpeg has no libx264, or it refuses the settings.
    pub fn open(_s: &VideoSettings) -> Result<Self, LibavError> {
        Err(LibavError::CodecMissing("libx264"))
    }

    /// What sinks must know.
    #[must_use]
    pub fn config(&self) -> VideoConfig {
        VideoConfig { width: 0, height: 0, fps: 0, kbps: 0, avcc: bytes::Bytes::new() }
    }

    /// Takes one canvas and gives the packets that are ready.
    ///
    /// # Errors
    /// A frame of another format, or ffmpeg failed.
    pub fn encode(&mut self, _frame: &Frame, _keyframe: bool) -> Result<Vec<Packet>, LibavError> {
        Err(LibavError::CodecMissing("libx264"))
    }

    /// Sets the bit rate from the next frame on.
    pub fn set_kbps(&mut self, _kbps: u32) {}

    /// The packets still inside.
    ///
    /// # Errors
    /// ffmpeg failed.
    pub fn finish(&mut self) -> Result<Vec<Packet>, LibavError> {
        Err(LibavError::CodecMissing("libx264"))
    }
}
