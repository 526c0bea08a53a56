//! The picture encoder of a show: another takes over when it fails, and the show goes on.

use stallcast_libav::{LibavError, VideoEncoder};
use stallcast_media::{Frame, Packet, VideoConfig};
use std::time::{Duration, Instant};
use thiserror::Error;

/// A second failure within this time is no accident: the base takes over.
const ACCIDENT: Duration = Duration::from_secs(60);
/// Between two openings of the base: what fails at once is not tried with every frame.
const RETRY: Duration = Duration::from_secs(1);

/// Why a picture was not encoded.
#[derive(Debug, Error)]
pub(crate) enum EncodeError {
    #[error(transparent)]
    Libav(#[from] LibavError),
    /// See [`crate::watched`].
    #[error("a call into it does not come back")]
    Hangs,
}

/// What encodes pictures. Drivers behind it fail in ways that can only be imitated.
pub(crate) trait PictureEncoder: Send {
    fn name(&self) -> &'static str;
    fn config(&self) -> VideoConfig;
    fn encode(&mut self, frame: &Frame, keyframe: bool) -> Result<Vec<Packet>, EncodeError>;
    fn set_kbps(&mut self, kbps: u32);
    fn finish(&mut self) -> Result<Vec<Packet>, EncodeError>;
}

impl PictureEncoder for VideoEncoder {
    fn name(&self) -> &'static str {
        Self::name(self)
    }
    fn config(&self) -> VideoConfig {
        Self::config(self)
    }
    fn encode(&mut self, frame: &Frame, keyframe: bool) -> Result<Vec<Packet>, EncodeError> {
        Ok(Self::encode(self, frame, keyframe)?)
    }
    fn set_kbps(&mut self, kbps: u32) {
        Self::set_kbps(self, kbps);
    }
    fn finish(&mut self) -> Result<Vec<Packet>, EncodeError> {
        Ok(Self::finish(self)?)
    }
}

/// Which encoder is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one this show began with.
    Chosen,
    /// x264.
    Base,
}

/// Opens one.
pub(crate) type Open = Box<dyn FnMut(Which) -> Result<Box<dyn PictureEncoder>, EncodeError> + Send>;

/// One gave way to another of another kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) config: VideoConfig,
    /// It was left behind in a call that did not come back.
    pub(crate) hung: bool,
}

/// Encodes with one encoder, opens it again after a failure, and goes over to the base after a second one, or at once
/// after one that hangs.
pub(crate) struct Relay {
    open: Open,
    current: Option<Box<dyn PictureEncoder>>,
    which: Which,
    name: &'static str,
    kbps: Option<u32>,
    failed: Option<Instant>,
    /// The base was last opened.
    tried: Option<Instant>,
    replaced: Option<Replaced>,
    /// The chosen one hangs: never opened again.
    hung: bool,
}

impl Relay {
    pub(crate) fn new(first: Box<dyn PictureEncoder>, open: Open) -> Self {
        let name = first.name();
        Self { open, name, current: Some(first), which: Which::Chosen, kbps: None, failed: None, tried: None, replaced: None, hung: false }
    }

    /// The packets that are ready; `None`: this frame was not encoded.
    pub(crate) fn encode(&mut self, frame: &Frame, keyframe: bool) -> Option<Vec<Packet>> {
        if let Some(encoder) = &mut self.current {
            match encoder.encode(frame, keyframe) {
                Ok(packets) => return Some(packets),
                Err(e) => self.fail_with(&e),
            }
        }
        self.open_again();
        match self.current.as_mut()?.encode(frame, true) {
            Ok(packets) => Some(packets),
            Err(e) => {
                self.fail_with(&e);
                None
            }
        }
    }

    fn fail_with(&mut self, error: &EncodeError) {
        tracing::error!(%error, encoder = self.name, "the picture encoder failed");
        self.fail();
        self.note_hang(error);
    }

    fn note_hang(&mut self, error: &EncodeError) {
        if matches!(error, EncodeError::Hangs) {
            (self.hung, self.which) = (true, Which::Base);
        }
    }

    /// What it holds is lost with it; the next frame finds another.
    pub(crate) fn fail(&mut self) {
        self.current = None;
        let again = self.failed.replace(Instant::now()).is_some_and(|before| before.elapsed() < ACCIDENT);
        if again {
            self.which = Which::Base;
        }
    }

    fn open_again(&mut self) {
        if self.current.is_some() || self.which == Which::Base && self.tried.is_some_and(|at| at.elapsed() < RETRY) {
            return;
        }
        let opened = match (self.open)(self.which) {
            Err(e) if self.which == Which::Chosen => {
                tracing::warn!(error = %e, encoder = self.name, "it does not open again");
                self.note_hang(&e);
                self.which = Which::Base;
                (self.open)(Which::Base)
            }
            opened => opened,
        };
        if self.which == Which::Base {
            self.tried = Some(Instant::now());
        }
        match opened {
            Ok(mut encoder) => {
                if let Some(kbps) = self.kbps {
                    encoder.set_kbps(kbps);
                }
                if encoder.name() != self.name {
                    tracing::warn!(from = self.name, to = encoder.name(), "another picture encoder takes over");
                    self.replaced = Some(Replaced { from: self.name, to: encoder.name(), config: encoder.config(), hung: self.hung });
                }
                (self.name, self.current) = (encoder.name(), Some(encoder));
            }
            Err(e) => tracing::error!(error = %e, "no picture encoder opens"),
        }
    }

    /// That another took over, once.
    pub(crate) fn take_replaced(&mut self) -> Option<Replaced> {
        self.replaced.take()
    }

    pub(crate) fn set_kbps(&mut self, kbps: u32) {
        self.kbps = Some(kbps);
        if let Some(encoder) = &mut self.current {
            encoder.set_kbps(kbps);
        }
    }

    /// What is still inside.
    pub(crate) fn finish(&mut self) -> Vec<Packet> {
        let finished = self.current.as_mut().map_or_else(|| Ok(vec![]), |encoder| encoder.finish());
        finished.unwrap_or_else(|e| {
            tracing::error!(error = %e, encoder = self.name, "the last pictures are lost");
            vec![]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_libav::VideoSettings;
    use stallcast_media::{Canvas, PixelFormat, Pts, VideoFormat};

    const CANVAS: Canvas = Canvas { width: 160, height: 128, fps: 30 };

    fn x264(low_latency: bool) -> VideoEncoder {
        VideoEncoder::open(&VideoSettings { canvas: CANVAS, kbps: 300, low_latency, keyframe_s: 2, b_frames: 2 }).expect("x264 opens")
    }

    /// A driver that works for a while.
    struct Failing {
        encoder: VideoEncoder,
        left: u32,
    }

    impl PictureEncoder for Failing {
        fn name(&self) -> &'static str {
            "h264_imitation"
        }
        fn config(&self) -> VideoConfig {
            self.encoder.config()
        }
        fn encode(&mut self, frame: &Frame, keyframe: bool) -> Result<Vec<Packet>, EncodeError> {
            if self.left == 0 {
                return Err(LibavError::Failed { what: "encode", detail: "the device was reset".to_owned() }.into());
            }
            self.left -= 1;
            Ok(self.encoder.encode(frame, keyframe)?)
        }
        fn set_kbps(&mut self, kbps: u32) {
            self.encoder.set_kbps(kbps);
        }
        fn finish(&mut self) -> Result<Vec<Packet>, EncodeError> {
            Ok(self.encoder.finish()?)
        }
    }

    fn frame(tick: i64) -> Frame {
        let format = VideoFormat { width: CANVAS.width, height: CANVAS.height, pixel: PixelFormat::I420 };
        Frame::new(format, Pts::from_ticks(tick, CANVAS.fps), false, vec![90; format.bytes()].into())
    }

    fn failing(left: u32) -> Box<dyn PictureEncoder> {
        Box::new(Failing { encoder: x264(true), left })
    }

    /// `lives`: how many frames each opening of the chosen one lasts.
    fn relay(lives: &'static [u32]) -> Relay {
        let mut next = lives.iter();
        let mut chosen =
            move || next.next().map(|left| failing(*left)).ok_or(EncodeError::from(LibavError::CodecMissing("h264_imitation")));
        let first = chosen().expect("the first opens");
        let open = move |which| match which {
            Which::Chosen => chosen(),
            Which::Base => Ok(Box::new(x264(false)) as Box<dyn PictureEncoder>),
        };
        Relay::new(first, Box::new(open))
    }

    fn run(relay: &mut Relay, frames: i64) -> Vec<Packet> {
        let mut packets: Vec<Packet> = (0..frames).flat_map(|n| relay.encode(&frame(n), false).expect("encoded")).collect();
        packets.extend(relay.finish());
        packets
    }

    #[test]
    fn one_failure_is_an_accident() {
        let mut relay = relay(&[20, 1000]);
        let packets = run(&mut relay, 60);
        assert_eq!(packets.len(), 60, "the frame that failed is encoded by the next one");
        assert_eq!(relay.take_replaced(), None, "the same kind again");
        let keys: Vec<i64> = packets.iter().filter(|p| p.keyframe).map(|p| p.pts.as_ticks(30)).collect();
        assert_eq!(keys, [0, 20]);
    }

    #[test]
    fn a_second_failure_brings_the_base_and_the_show_goes_on() {
        let mut relay = relay(&[20, 10]);
        relay.set_kbps(250);
        let packets = run(&mut relay, 90);
        assert_eq!(packets.len(), 90);
        assert!(packets.windows(2).all(|w| w[1].dts > w[0].dts || w[1].keyframe), "in order");
        let replaced = relay.take_replaced().expect("told");
        assert_eq!((replaced.from, replaced.to, replaced.config.kbps), ("h264_imitation", "libx264", 250));
        assert_eq!(relay.take_replaced(), None, "once");
        let seam = packets.iter().find(|p| p.pts.as_ticks(30) == 30).expect("the first of the base");
        assert!(seam.keyframe && seam.config.as_ref().is_some_and(|c| c.avcc == replaced.config.avcc), "it says how it is decoded");
    }

    #[test]
    fn one_that_does_not_open_again_is_replaced_at_once() {
        let mut relay = relay(&[5]);
        assert_eq!(run(&mut relay, 30).len(), 30);
        assert_eq!(relay.take_replaced().map(|r| r.to), Some("libx264"));
    }

    #[test]
    fn without_any_encoder_frames_are_left_out_until_one_opens() {
        let mut opens = 0;
        let open = move |_| {
            opens += 1;
            if opens < 3 { Err(LibavError::CodecMissing("libx264").into()) } else { Ok(failing(1000)) }
        };
        let mut relay = Relay::new(failing(1), Box::new(open));
        assert!(relay.encode(&frame(0), true).is_some());
        assert!(relay.encode(&frame(1), false).is_none(), "neither opens");
        assert!(relay.encode(&frame(2), false).is_none(), "not tried with every frame");
        relay.tried = Instant::now().checked_sub(RETRY);
        assert!(relay.encode(&frame(3), false).is_some_and(|packets| packets[0].keyframe));
    }
}
