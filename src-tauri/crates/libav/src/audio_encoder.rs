use crate::LibavError;
use crate::aac::{Channels, Coded};
use stallcast_media::{AudioBlock, AudioConfig, BLOCK_FRAMES, Packet, Pts, SAMPLE_RATE, Track};

/// Blocks whose instant is this near to the end of the one before continue it: 1 ms.
const SLACK: i64 = SAMPLE_RATE as i64 / 1000;
/// A hole up to this long is filled with silence.
const FILL: i64 = 2 * SAMPLE_RATE as i64;

/// AAC-LC, 48 kHz stereo, 1024 sample frames a packet. Sound that is the same on both sides, as of one microphone, costs half
/// the time and gets all the bits.
///
/// A sample keeps its place on the time line: blocks that follow each other within 1 ms are joined, a hole of up to two
/// seconds becomes silence, a longer one stays a hole, and what overlaps the block before is left out. The first packets
/// hold [`AudioConfig::priming`] samples of the encoder's own before the first real one, so their pts lies before it.
#[derive(Debug)]
pub struct AudioEncoder {
    kbps: u32,
    channels: Channels,
    /// Interleaved stereo that does not fill a frame yet.
    waiting: Vec<f32>,
    /// Tick after the last sample taken.
    next: Option<i64>,
    ended: bool,
}

impl AudioEncoder {
    /// Opens an encoder of `kbps` kbit/s.
    ///
    /// # Errors
    /// This ffmpeg has no AAC encoder, or it refuses the rate.
    pub fn open(kbps: u32) -> Result<Self, LibavError> {
        Ok(Self { kbps, channels: Channels::open(kbps)?, waiting: vec![], next: None, ended: false })
    }

    /// What sinks must know.
    #[must_use]
    pub fn config(&self) -> AudioConfig {
        AudioConfig { rate: SAMPLE_RATE, channels: 2, kbps: self.kbps, asc: self.channels.asc(), priming: self.channels.priming() }
    }

    /// Takes one block (48 kHz, mono or stereo, any length) and gives the packets that are ready. A sample that is no
    /// number counts as silence.
    ///
    /// # Errors
    /// A block of another rate, a call after [`AudioEncoder::finish`], or ffmpeg failed.
    pub fn encode(&mut self, block: &AudioBlock) -> Result<Vec<Packet>, LibavError> {
        if self.ended || block.rate != SAMPLE_RATE || !(1..=2).contains(&block.channels) {
            let detail = format!("{} Hz, {} channels, ended: {}", block.rate, block.channels, self.ended);
            return Err(LibavError::Unsupported { what: "sound", detail });
        }
        let mut packets = vec![];
        let at = block.pts.as_ticks(SAMPLE_RATE);
        let ahead = self.next.map_or(0, |next| at - next);
        let mut skip = 0;
        if ahead > FILL {
            tracing::warn!(samples = ahead, "a hole in the sound is too long to be filled");
            self.pad_out();
            self.drain(&mut packets)?;
            self.next = Some(at);
        } else if ahead > SLACK {
            self.take(std::iter::repeat_n([0.0; 2], ahead as usize));
        } else if ahead < -SLACK {
            skip = usize::try_from(-ahead).unwrap_or(usize::MAX);
        }
        self.next.get_or_insert(at);
        if block.channels == 1 {
            self.take(block.samples.iter().skip(skip).map(|one| [*one; 2]));
        } else {
            self.take(block.samples.as_chunks::<2>().0.iter().skip(skip).copied());
        }
        self.drain(&mut packets)?;
        Ok(packets)
    }

    fn take(&mut self, samples: impl Iterator<Item = [f32; 2]>) {
        let before = self.waiting.len();
        self.waiting.extend(samples.flatten().map(|sample| if sample.is_finite() { sample } else { 0.0 }));
        if let Some(next) = &mut self.next {
            *next += (self.waiting.len() - before) as i64 / 2;
        }
    }

    /// Silence up to the end of the frame that is being filled.
    fn pad_out(&mut self) {
        let frames = (self.waiting.len() / 2).next_multiple_of(BLOCK_FRAMES);
        self.take(std::iter::repeat_n([0.0; 2], frames - self.waiting.len() / 2));
    }

    /// Encodes the whole frames that wait.
    fn drain(&mut self, packets: &mut Vec<Packet>) -> Result<(), LibavError> {
        let mut pts = self.next.unwrap_or(0) - self.waiting.len() as i64 / 2;
        let whole = self.waiting.len() / (2 * BLOCK_FRAMES);
        // Taken out first: a frame that fails is not tried again with the next block.
        let frames: Vec<f32> = self.waiting.drain(..whole * 2 * BLOCK_FRAMES).collect();
        for frame in frames.as_chunks::<2>().0.chunks_exact(BLOCK_FRAMES) {
            packets.extend(self.channels.encode(pts, frame)?.into_iter().map(packet));
            pts += BLOCK_FRAMES as i64;
        }
        Ok(())
    }

    /// The packets still inside; the last frame is filled up with silence. Later calls give none.
    ///
    /// # Errors
    /// ffmpeg failed.
    pub fn finish(&mut self) -> Result<Vec<Packet>, LibavError> {
        let mut packets = vec![];
        if !std::mem::replace(&mut self.ended, true) {
            self.pad_out();
            self.drain(&mut packets)?;
            packets.extend(self.channels.finish()?.into_iter().map(packet));
        }
        Ok(packets)
    }
}

fn packet(coded: Coded) -> Packet {
    let pts = Pts::from_ticks(coded.pts, SAMPLE_RATE);
    Packet {
        track: Track::Audio,
        pts,
        dts: pts,
        duration: Pts::from_ticks(coded.pts + BLOCK_FRAMES as i64, SAMPLE_RATE) - pts,
        keyframe: true,
        disposable: false,
        payload: coded.bytes,
        config: None,
    }
}
