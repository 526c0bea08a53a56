use crate::LibavError;
use crate::codec::{AvFrame, AvPacket, Codec};
use bytes::Bytes;
use ffmpeg_next::ffi;
use stallcast_media::{AudioBlock, AudioConfig, BLOCK_FRAMES, Packet, Pts, SAMPLE_RATE, Track};

/// Blocks whose instant is this near to the end of the one before continue it: 1 ms.
const SLACK: i64 = SAMPLE_RATE as i64 / 1000;
/// A hole up to this long is filled with silence.
const FILL: i64 = 2 * SAMPLE_RATE as i64;

/// AAC-LC, 48 kHz stereo, 1024 sample frames a packet.
///
/// A sample keeps its place on the time line: blocks that follow each other within 1 ms are joined, a hole of up to two
/// seconds becomes silence, a longer one stays a hole, and what overlaps the block before is left out. The first packets
/// hold [`AudioConfig::priming`] samples of the encoder's own before the first real one, so their pts lies before it.
#[derive(Debug)]
pub struct AudioEncoder {
    kbps: u32,
    codec: Codec,
    frame: AvFrame,
    packet: AvPacket,
    asc: Bytes,
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
        let mut codec = Codec::encoder("aac")?;
        codec.sample_rate = SAMPLE_RATE as i32;
        codec.sample_fmt = ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP;
        codec.time_base = ffi::AVRational { num: 1, den: SAMPLE_RATE as i32 };
        codec.bit_rate = i64::from(kbps.clamp(8, 1000)) * 1000;
        codec.flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32;
        codec.set_stereo();
        codec.open(&[])?;
        if codec.frame_size as usize != BLOCK_FRAMES {
            return Err(LibavError::Unsupported { what: "AAC frame", detail: codec.frame_size.to_string() });
        }
        let asc = Bytes::copy_from_slice(codec.extradata());
        let frame = AvFrame::stereo(SAMPLE_RATE, BLOCK_FRAMES)?;
        Ok(Self { kbps, codec, frame, packet: AvPacket::new()?, asc, waiting: vec![], next: None, ended: false })
    }

    /// What sinks must know.
    #[must_use]
    pub fn config(&self) -> AudioConfig {
        let priming = self.codec.initial_padding.unsigned_abs();
        AudioConfig { rate: SAMPLE_RATE, channels: 2, kbps: self.kbps, asc: self.asc.clone(), priming }
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
        for n in 0..whole {
            self.frame.make_writable()?;
            let [left, right] = self.frame.channels_mut();
            let samples = self.waiting[n * 2 * BLOCK_FRAMES..].as_chunks::<2>().0;
            for (([l, r], left), right) in samples.iter().zip(left).zip(right) {
                (*left, *right) = (*l, *r);
            }
            self.frame.pts = pts;
            pts += BLOCK_FRAMES as i64;
            self.codec.send_frame(Some(&self.frame))?;
            self.collect(packets)?;
        }
        self.waiting.drain(..whole * 2 * BLOCK_FRAMES);
        Ok(())
    }

    fn collect(&mut self, packets: &mut Vec<Packet>) -> Result<(), LibavError> {
        while self.codec.receive_packet(&mut self.packet)? {
            let ticks = self.packet.pts;
            let pts = Pts::from_ticks(ticks, SAMPLE_RATE);
            packets.push(Packet {
                track: Track::Audio,
                pts,
                dts: pts,
                duration: Pts::from_ticks(ticks + BLOCK_FRAMES as i64, SAMPLE_RATE) - pts,
                keyframe: true,
                disposable: false,
                payload: Bytes::copy_from_slice(self.packet.bytes()),
                config: None,
            });
            self.packet.clear();
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
            self.codec.send_frame(None)?;
            self.collect(&mut packets)?;
        }
        Ok(packets)
    }
}
