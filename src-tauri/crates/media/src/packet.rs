use crate::Pts;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which elementary stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Track {
    /// H.264.
    Video,
    /// AAC-LC.
    Audio,
}

/// One encoded unit. Shared as `Arc<Packet>` between sinks, never copied.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Which stream.
    pub track: Track,
    /// Shown or heard at, from the start of the program.
    pub pts: Pts,
    /// Decoded at; strictly rising on a track.
    pub dts: Pts,
    /// Nanoseconds it lasts.
    pub duration: i64,
    /// Can a decoder start here? Always true for sound.
    pub keyframe: bool,
    /// Can it be left out without hurting any other packet (a B-frame nobody refers to)?
    pub disposable: bool,
    /// AVCC (4-byte length prefixed) NAL units, or one raw AAC frame without ADTS.
    pub payload: Bytes,
    /// On keyframes of a picture encoder: how this packet and those up to the next keyframe are decoded. An encoder may be
    /// replaced in the middle of a show; `None`: as before.
    pub config: Option<Arc<VideoConfig>>,
}

/// What a sink must know of the video stream before its first packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoConfig {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// Target, kbit/s.
    pub kbps: u32,
    /// The body of an `avcC` box (AVCDecoderConfigurationRecord).
    pub avcc: Bytes,
}

impl VideoConfig {
    /// Can a decoder that was made for this stream read that one? The rate makes no difference.
    #[must_use]
    pub fn decodes(&self, other: &Self) -> bool {
        (self.width, self.height, self.fps) == (other.width, other.height, other.fps) && self.avcc == other.avcc
    }
}

/// What a sink must know of the audio stream before its first packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioConfig {
    /// Samples a second.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Target, kbit/s.
    pub kbps: u32,
    /// AudioSpecificConfig of the AAC stream.
    pub asc: Bytes,
    /// Samples the decoder must discard at the start; packet pts already has them taken off.
    pub priming: u32,
}

/// Both streams. There is always an audio track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// Picture.
    pub video: VideoConfig,
    /// Sound.
    pub audio: AudioConfig,
}
