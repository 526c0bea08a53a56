use super::alike::Window;
use super::coder::{Coded, Coder};
use crate::LibavError;
use bytes::Bytes;
use std::collections::VecDeque;

/// Frames an encoder hears before its own are taken: its look-ahead, its overlap, and what it needs to tell loud from louder.
const WARM_UP: usize = 4;
/// Frames of the same sound on both sides after which one channel is enough again: 2 s.
const AGAIN: u32 = 94;
/// Frames after which the other encoder takes over even if the windows do not fit: 0.2 s, of which one is then heard wrong.
const PATIENCE: u32 = 10;

/// One frame's worth of sound.
type Sound = Vec<[f32; 2]>;

/// What an encoder gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// The channels are the same: one is encoded.
    One,
    Both,
}

/// An encoder that runs.
#[derive(Debug)]
struct Running {
    coder: Coder,
    lane: Lane,
    /// Window of its newest frame, whether that went out or not.
    before: Option<Window>,
}

impl Running {
    fn open(kbps: u32, lane: Lane) -> Result<Self, LibavError> {
        let coder = if lane == Lane::One { Coder::single(kbps)? } else { Coder::pair(kbps)? };
        Ok(Self { coder, lane, before: None })
    }
}

/// Encodes stereo; gives the frames of one encoder, or of another one where the sound asks for it.
#[derive(Debug)]
pub(crate) struct Channels {
    kbps: u32,
    asc: Bytes,
    priming: u32,
    /// None before the first frame.
    now: Option<Running>,
    /// It runs beside, and takes over as soon as its frame fits behind the last one.
    next: Option<Running>,
    /// Frames that `next` ran beside.
    waited: u32,
    /// Newest frames of sound, for an encoder that begins.
    heard: VecDeque<(i64, Sound)>,
    /// Frames in a row with the same sound on both sides.
    same: u32,
    /// An encoder failed: from now on there is no change any more, and of both channels if there has to be a new one.
    broken: bool,
}

impl Channels {
    /// # Errors
    /// This ffmpeg has no AAC encoder, or it refuses the rate.
    pub(crate) fn open(kbps: u32) -> Result<Self, LibavError> {
        let both = Coder::pair(kbps)?;
        Ok(Self {
            kbps,
            asc: both.asc(),
            priming: both.priming(),
            now: None,
            next: None,
            waited: 0,
            heard: VecDeque::new(),
            same: 0,
            broken: false,
        })
    }

    /// What a decoder must know: always stereo.
    pub(crate) fn asc(&self) -> Bytes {
        self.asc.clone()
    }

    /// Samples before the first real one.
    pub(crate) const fn priming(&self) -> u32 {
        self.priming
    }

    /// One frame of [`stallcast_media::BLOCK_FRAMES`] in; `pts` in 1/48000 s.
    ///
    /// # Errors
    /// ffmpeg failed, and this frame is lost; the next one finds another encoder.
    pub(crate) fn encode(&mut self, pts: i64, samples: &[[f32; 2]]) -> Result<Vec<Coded>, LibavError> {
        let same = samples.iter().all(|[left, right]| left.to_bits() == right.to_bits());
        self.same = if same { self.same.saturating_add(1) } else { 0 };
        self.choose(same)?;
        let Some(now) = &mut self.now else { return Ok(vec![]) };
        let from_now = match now.coder.encode(pts, samples) {
            Ok(coded) => coded,
            Err(e) => {
                (self.now, self.broken) = (None, true);
                return Err(e);
            }
        };
        let from_next = match self.next.as_mut().map(|next| next.coder.encode(pts, samples)) {
            Some(Ok(coded)) => coded,
            Some(Err(e)) => {
                self.stay(&e);
                vec![]
            }
            None => vec![],
        };
        if self.heard.len() == WARM_UP {
            self.heard.pop_front();
        }
        self.heard.push_back((pts, samples.to_vec()));
        Ok(self.pick(from_now, from_next))
    }

    /// The frames still inside.
    ///
    /// # Errors
    /// ffmpeg failed.
    pub(crate) fn finish(&mut self) -> Result<Vec<Coded>, LibavError> {
        self.next = None;
        self.now.take().map_or_else(|| Ok(vec![]), |mut now| now.coder.finish())
    }

    /// Starts or stops the encoder that runs beside.
    fn choose(&mut self, same: bool) -> Result<(), LibavError> {
        let Some(now) = &self.now else {
            let lane = if same && !self.broken { Lane::One } else { Lane::Both };
            (self.now, self.next) = (Some(Running::open(self.kbps, lane)?), None);
            return Ok(());
        };
        if let Some(next) = &self.next {
            if next.lane == Lane::One && !same {
                self.next = None;
            }
            return Ok(());
        }
        let lane = match now.lane {
            Lane::One if !same => Lane::Both,
            Lane::Both if self.same >= AGAIN => Lane::One,
            _ => return Ok(()),
        };
        if !self.broken {
            match self.warmed_up(lane) {
                Ok(next) => (self.next, self.waited) = (Some(next), 0),
                Err(e) => self.stay(&e),
            }
        }
        Ok(())
    }

    /// The encoder that was to take over failed; the one that makes the sound now is whole.
    fn stay(&mut self, e: &LibavError) {
        tracing::warn!(error = %e, "another encoder for the sound failed before it was needed");
        (self.next, self.broken) = (None, true);
    }

    /// An encoder of this kind that has heard what came before.
    fn warmed_up(&self, lane: Lane) -> Result<Running, LibavError> {
        let mut running = Running::open(self.kbps, lane)?;
        for (pts, samples) in &self.heard {
            for coded in running.coder.encode(*pts, samples)? {
                running.before = coded.window;
            }
        }
        Ok(running)
    }

    /// The frames that go out, of those that both encoders made of the same sound.
    fn pick(&mut self, from_now: Vec<Coded>, from_next: Vec<Coded>) -> Vec<Coded> {
        let Some(now) = &mut self.now else { return vec![] };
        let mut from_next = VecDeque::from(from_next);
        let mut out = vec![];
        for coded in from_now {
            if let Some(next) = &mut self.next
                && let Some(other) = from_next.pop_front_if(|other| other.pts == coded.pts)
            {
                if (now.before.is_some() && now.before == next.before) || self.waited >= PATIENCE {
                    tracing::debug!(to = ?next.lane, waited = self.waited, "the sound is encoded by another encoder");
                    std::mem::swap(now, next);
                    self.next = None;
                    out.push(other);
                    out.extend(from_next);
                    break;
                }
                self.waited += 1;
                next.before = other.window;
            }
            now.before = coded.window;
            out.push(coded);
        }
        if let Some(newest) = out.last() {
            now.before = newest.window;
        }
        out
    }
}
