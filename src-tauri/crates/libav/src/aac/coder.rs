use super::alike::{self, Window};
use crate::LibavError;
use crate::codec::{AvFrame, AvPacket, Codec};
use bytes::Bytes;
use ffmpeg_next::ffi;
use stallcast_media::{BLOCK_FRAMES, SAMPLE_RATE};

/// What libavcodec's encoder is told to leave: intensity stereo, noise of the decoder's own, temporal shaping. All three cost
/// time, and sound at 128 kbit/s is nearer to its source without them: 4.83 of 5 by Zimtohrli, a model of hearing, against
/// 4.80 (middle of both sides 4.86 against 4.80, their difference 4.38 against 4.28; eight pieces of music, four voices alone
/// and over music). Where both channels are one, noise and shaping of one would not be those of the other.
const PLAIN: [(&str, &str); 3] = [("aac_is", "0"), ("aac_pns", "0"), ("aac_tns", "0")];
/// Its faster search takes less than half the time for voices and music, half again as much for a pure tone. Of two channels it
/// damages the difference (3.72); one channel at 128 kbit/s sounds no worse by it: 4.98 against 4.96, with 3 dB less noise.
const FAST: (&str, &str) = ("aac_coder", "fast");
/// It cannot tell that loud values no longer fit (a pure tone of 0.84 came out with noise of −10 dB), so that it gets them at half
/// their loudness, and the decoder is told to play them twice as loud: −65 dB.
const HALVED: (f32, u32) = (0.25, alike::TWICE);
/// Else one channel is what is the same in both.
const AS_IT_IS: (f32, u32) = (0.5, 0);
/// From here on one channel is searched fast, kbit/s. At 96 both are equal (4.92, 4.93); below, by its documentation, it is worse.
const FAST_FROM: u32 = 96;

/// One frame of AAC.
#[derive(Debug)]
pub(crate) struct Coded {
    /// Of its first sample, 1/48000 s.
    pub(crate) pts: i64,
    pub(crate) bytes: Bytes,
    /// How it fades into the next one.
    pub(super) window: Option<Window>,
}

/// libavcodec's encoder. Its frames are pairs of channels, whatever it encodes.
#[derive(Debug)]
pub(super) struct Coder {
    codec: Codec,
    /// Its frames hold one channel and are made pairs: that channel's share of the sum of both, and how much louder it is played.
    single: Option<(f32, u32)>,
    frame: AvFrame,
    packet: AvPacket,
}

impl Coder {
    /// Of two channels.
    pub(super) fn pair(kbps: u32) -> Result<Self, LibavError> {
        Self::open(kbps, 2)
    }

    /// Of what both channels have in common.
    pub(super) fn single(kbps: u32) -> Result<Self, LibavError> {
        Self::open(kbps, 1)
    }

    fn open(kbps: u32, channels: u8) -> Result<Self, LibavError> {
        let mut codec = Codec::encoder("aac")?;
        codec.sample_rate = SAMPLE_RATE as i32;
        codec.sample_fmt = ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP;
        codec.time_base = ffi::AVRational { num: 1, den: SAMPLE_RATE as i32 };
        codec.bit_rate = i64::from(kbps.clamp(8, 1000)) * 1000;
        codec.flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32;
        codec.set_channels(channels);
        let fast = channels == 1 && kbps >= FAST_FROM;
        let options: Vec<_> = PLAIN.into_iter().chain(fast.then_some(FAST)).collect();
        codec.open(&options)?;
        if codec.frame_size as usize != BLOCK_FRAMES {
            return Err(LibavError::Unsupported { what: "AAC frame", detail: codec.frame_size.to_string() });
        }
        let frame = AvFrame::sound(SAMPLE_RATE, BLOCK_FRAMES, channels)?;
        let single = (channels == 1).then_some(if fast { HALVED } else { AS_IT_IS });
        Ok(Self { codec, single, frame, packet: AvPacket::new()? })
    }

    /// The decoder's configuration.
    pub(super) fn asc(&self) -> Bytes {
        Bytes::copy_from_slice(self.codec.extradata())
    }

    /// Samples of its own before the first real one.
    pub(super) fn priming(&self) -> u32 {
        self.codec.initial_padding.unsigned_abs()
    }

    /// One frame in.
    pub(super) fn encode(&mut self, pts: i64, samples: &[[f32; 2]]) -> Result<Vec<Coded>, LibavError> {
        self.frame.make_writable()?;
        if let Some((share, _)) = self.single {
            for (to, [left, right]) in self.frame.channel_mut(0).iter_mut().zip(samples) {
                *to = (left + right) * share;
            }
        } else {
            for n in 0..2 {
                for (to, from) in self.frame.channel_mut(n).iter_mut().zip(samples) {
                    *to = from[n];
                }
            }
        }
        self.frame.pts = pts;
        self.codec.send_frame(Some(&self.frame))?;
        self.collect()
    }

    /// The frames still inside.
    pub(super) fn finish(&mut self) -> Result<Vec<Coded>, LibavError> {
        self.codec.send_frame(None)?;
        self.collect()
    }

    fn collect(&mut self) -> Result<Vec<Coded>, LibavError> {
        let mut out = vec![];
        while self.codec.receive_packet(&mut self.packet)? {
            let bytes = self.packet.bytes();
            let window = alike::window(bytes);
            let bytes = if let Some((_, louder)) = self.single {
                alike::pair_of(bytes, louder)
                    .ok_or_else(|| LibavError::Failed { what: "AAC", detail: "a frame that is not one channel".to_owned() })?
            } else {
                Bytes::copy_from_slice(bytes)
            };
            out.push(Coded { pts: self.packet.pts, bytes, window });
            self.packet.clear();
        }
        Ok(out)
    }
}
