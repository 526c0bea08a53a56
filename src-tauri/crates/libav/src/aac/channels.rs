use super::alike::Window;
use super::coder::{Coded, Coder};
use crate::LibavError;
use bytes::Bytes;
use std::collections::VecDeque;

/// Frames an encoder hears before its own are taken: its look-ahead, its overlap, and what it needs to tell loud from louder.
const WARM_UP: usize = 4;
/// Frames of the same sound on both sides after which one channel is enough again: 2 s.
const AGAIN: u32 = 94;
/// Frames after which an encoder of both takes over even if the windows do not fit. One may wait for nothing, because the encoder
/// looks one frame ahead. A seam that does not fit adds at most 0.9 dB of noise to the quarter of a second in which the sides part
/// (64 places, voices with and without drums), and the middle alone on both sides 1.4 dB by one frame more, 3.6 by ten.
const PATIENCE: u32 = 1;

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
    /// An encoder failed: from now on it is both channels, as soon as that is to be had.
    broken: bool,
    /// Frames before an encoder of both is tried again that was not to be had.
    rest: u32,
    /// The newest frame that went out, 1/48000 s.
    sent: Option<i64>,
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
            rest: 0,
            sent: None,
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
    /// ffmpeg failed, and so did another encoder in its place: this frame is lost, and the next one finds a new one.
    pub(crate) fn encode(&mut self, pts: i64, samples: &[[f32; 2]]) -> Result<Vec<Coded>, LibavError> {
        let same = samples.iter().all(|[left, right]| left.to_bits() == right.to_bits());
        self.same = if same { self.same.saturating_add(1) } else { 0 };
        self.rest = self.rest.saturating_sub(1);
        self.choose(same)?;
        let Some(now) = &mut self.now else { return Ok(vec![]) };
        let from_now = match now.coder.encode(pts, samples) {
            Ok(coded) => coded,
            Err(e) => return self.replace(&e, pts, samples),
        };
        let from_next = match self.next.as_mut().map(|next| next.coder.encode(pts, samples)) {
            Some(Ok(coded)) => coded,
            Some(Err(e)) => {
                self.stay(&e);
                vec![]
            }
            None => vec![],
        };
        self.hear(pts, samples);
        Ok(self.pick(from_now, from_next))
    }

    fn hear(&mut self, pts: i64, samples: &[[f32; 2]]) {
        if self.heard.len() == WARM_UP {
            self.heard.pop_front();
        }
        self.heard.push_back((pts, samples.to_vec()));
    }

    /// The encoder failed: one that has heard the same makes this frame, and those that were still inside the other.
    fn replace(&mut self, e: &LibavError, pts: i64, samples: &[[f32; 2]]) -> Result<Vec<Coded>, LibavError> {
        tracing::warn!(error = %e, "the encoder of the sound failed; another one goes on");
        (self.now, self.broken) = (None, true);
        let (mut running, mut coded) = match self.next.take() {
            Some(next) => (next, vec![]),
            None => self.warmed_up(Lane::Both)?,
        };
        coded.extend(running.coder.encode(pts, samples)?);
        coded.retain(|coded| self.sent.is_none_or(|sent| coded.pts > sent));
        if let Some(newest) = coded.last() {
            (running.before, self.sent) = (newest.window, Some(newest.pts));
        }
        self.now = Some(running);
        self.hear(pts, samples);
        Ok(coded)
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
        if !self.broken || lane == Lane::Both && self.rest == 0 {
            match self.warmed_up(lane) {
                Ok((next, _)) => (self.next, self.waited) = (Some(next), 0),
                Err(e) => self.stay(&e),
            }
        }
        Ok(())
    }

    /// The encoder that was to take over failed; the one that makes the sound now is whole.
    fn stay(&mut self, e: &LibavError) {
        tracing::warn!(error = %e, "another encoder for the sound failed before it was needed");
        (self.next, self.broken, self.rest) = (None, true, AGAIN);
    }

    /// An encoder of this kind that has heard what came before, and the frames it made of that.
    fn warmed_up(&self, lane: Lane) -> Result<(Running, Vec<Coded>), LibavError> {
        let mut running = Running::open(self.kbps, lane)?;
        let mut made = vec![];
        for (pts, samples) in &self.heard {
            made.extend(running.coder.encode(*pts, samples)?);
        }
        running.before = made.last().and_then(|coded| coded.window);
        Ok((running, made))
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
                let fits = now.before.zip(next.before).is_some_and(|(now, next)| now.ends_as(next));
                // Both sides are wanted now; one of them can wait.
                if fits || next.lane == Lane::Both && self.waited >= PATIENCE {
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
            self.sent = Some(newest.pts);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_media::BLOCK_FRAMES;

    /// A tone, and on the right another one where `both`.
    fn frame(n: i64, both: bool) -> Sound {
        let tone = |at: i64, hz: f32| (at as f32 / 48_000.0 * hz * std::f32::consts::TAU).sin() * 0.3;
        let block = BLOCK_FRAMES as i64;
        (n * block..(n + 1) * block).map(|at| [tone(at, 440.0), tone(at, if both { 700.0 } else { 440.0 })]).collect()
    }

    fn assert_whole(out: &[i64], frames: i64) {
        assert!(out.windows(2).all(|pair| pair[1] - pair[0] == BLOCK_FRAMES as i64), "{out:?}");
        assert_eq!(out.len() as i64, frames + 1, "and the priming");
    }

    #[test]
    fn an_encoder_that_fails_costs_not_one_frame() -> Result<(), LibavError> {
        // Before it has heard enough for another one; of one channel; while the other runs beside; of both.
        for (fails_at, both_from) in [(1, 90), (30, 90), (41, 40), (60, 40)] {
            let mut channels = Channels::open(128)?;
            let mut out = vec![];
            for n in 0..90 {
                if n == fails_at
                    && let Some(now) = &mut channels.now
                {
                    // An encoder that was told that nothing comes any more takes nothing any more.
                    let _ = now.coder.finish()?;
                }
                let coded = channels.encode(n * BLOCK_FRAMES as i64, &frame(n, n >= both_from))?;
                out.extend(coded.iter().map(|coded| coded.pts));
            }
            out.extend(channels.finish()?.iter().map(|coded| coded.pts));
            assert_whole(&out, 90);
            assert!(channels.broken, "failed at {fails_at}");
        }
        Ok(())
    }

    #[test]
    fn a_second_encoder_that_fails_is_tried_again_where_both_sides_are_wanted() -> Result<(), LibavError> {
        let mut channels = Channels::open(128)?;
        let mut out = vec![];
        for n in 0..300 {
            if n == 100 {
                channels.stay(&LibavError::Failed { what: "AAC", detail: "on purpose".to_owned() });
            }
            let lane = channels.now.as_ref().map(|now| now.lane);
            assert!(n < 2 || lane == Some(if n < 100 + i64::from(AGAIN) { Lane::One } else { lane.unwrap_or(Lane::One) }), "frame {n}");
            out.extend(channels.encode(n * BLOCK_FRAMES as i64, &frame(n, n >= 101))?.iter().map(|coded| coded.pts));
        }
        assert_eq!(channels.now.as_ref().map(|now| now.lane), Some(Lane::Both));
        out.extend(channels.finish()?.iter().map(|coded| coded.pts));
        assert_whole(&out, 300);
        Ok(())
    }
}
