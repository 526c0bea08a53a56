use crate::Pts;

/// Samples a second of everything after a source: what AAC and every platform take.
pub const SAMPLE_RATE: u32 = 48_000;
/// Sample frames in one program block: what one AAC-LC frame holds.
pub const BLOCK_FRAMES: usize = 1024;

/// A stretch of sound: interleaved f32 in -1.0..=1.0.
#[derive(Debug, Clone)]
pub struct AudioBlock {
    /// Instant of the first sample.
    pub pts: Pts,
    /// Samples a second for each channel.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Interleaved; length is a multiple of `channels`.
    pub samples: Vec<f32>,
}

impl AudioBlock {
    /// Sample frames (one value for each channel) in the block.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.samples.len() / usize::from(self.channels.max(1))
    }

    /// Instant just after the last sample.
    #[must_use]
    pub fn end(&self) -> Pts {
        Pts(self.pts.0 + Pts::from_ticks(i64::try_from(self.frames()).unwrap_or(0), self.rate).0)
    }
}
