use crate::LibavError;
use stallcast_media::{AudioBlock, AudioConfig, Packet};

/// AAC-LC, 48 kHz stereo.
#[derive(Debug)]
pub struct AudioEncoder;

impl AudioEncoder {
    /// Opens an encoder of `kbps` kbit/s.
    ///
    /// # Errors
    /// This ffmpeg has no AAC encoder, or it refuses the rate.
    pub fn open(_kbps: u32) -> Result<Self, LibavError> {
        Err(LibavError::CodecMissing("aac"))
    }

    /// What sinks must know.
    #[must_use]
    pub fn config(&self) -> AudioConfig {
        AudioConfig { rate: 0, channels: 0, kbps: 0, asc: bytes::Bytes::new(), priming: 0 }
    }

    /// Takes one block (48 kHz, mono or stereo) and gives the packets that are ready.
    ///
    /// # Errors
    /// A block of another rate, or ffmpeg failed.
    pub fn encode(&mut self, _block: &AudioBlock) -> Result<Vec<Packet>, LibavError> {
        Err(LibavError::CodecMissing("aac"))
    }

    /// The packets still inside.
    ///
    /// # Errors
    /// ffmpeg failed.
    pub fn finish(&mut self) -> Result<Vec<Packet>, LibavError> {
        Err(LibavError::CodecMissing("aac"))
    }
}
