//! Which source frame a tick of the program shows. Pure: it sees stamps only, never a clock.
//!
//! The tick at T wants the frame whose stamp is nearest to T − D. Taken literally that beats against a source of the same
//! rate: where T − D falls between two stamps, a few milliseconds of jitter choose now the one, now the other, and frames
//! repeat and go missing all the time. So a source whose rate fits the canvas is *phase-locked*: its stamps are smoothed
//! into a phase, the frames are taken strictly in order, and one is repeated or left out only when the smoothed phase has
//! really drifted away by more than [`HOLD`] of a period.

use stallcast_media::{NANOS_PER_SEC, Pts};

/// Part of a source period that the phase may drift before a frame is repeated or left out. More than half, so that
/// the correction itself lands inside the band and is not corrected back.
const HOLD: f64 = 0.65;
/// Part of a new stamp that goes into the phase: a drift of 1000 ppm lags by half a millisecond at 30 fps.
const SMOOTH: f64 = 1.0 / 16.0;
/// Relative difference of rates up to which a source is phase-locked.
const LOCK: f64 = 0.005;
/// Periods of delay that D starts from. Aligning to the stamps adds up to one more: 1.75 on average over all phases.
const BASE: f64 = 1.25;
/// Most periods of delay. The ring keeps six frames: more delay would ask for frames that are gone.
const MOST: f64 = 4.3;
/// Most delay that a source starts with whose frames are not taken in order, nanoseconds: the nearest one is there at once, however
/// seldom they come.
const LOOSE: f64 = 150e6;
/// Frames whose stamps make a phase that can be trusted.
const ENOUGH: u32 = 8;
/// Two frames that came too late within this time raise D.
const LATE_WINDOW: i64 = 10 * NANOS_PER_SEC;

/// One frame that can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its number at the source.
    pub(crate) seq: u64,
    /// Its stamp.
    pub(crate) pts: Pts,
}

#[derive(Debug, Clone, Copy)]
struct Phase {
    seq: u64,
    stamp: f64,
    frames: u32,
}

/// Chooses frames of one source for one canvas.
#[derive(Debug)]
pub(crate) struct FrameChooser {
    /// Nanoseconds of one source frame, as the source names its rate.
    period: f64,
    /// Source frames per tick; `None`: rates do not fit, nearest is taken.
    step: Option<u64>,
    delay: i64,
    least_delay: i64,
    live: bool,
    aligned: bool,
    last: Option<Held>,
    phase: Option<Phase>,
    spacing: f64,
    /// The first frame that was due and not there, and the stamp it should have.
    due: Option<(u64, f64)>,
    late: Option<Pts>,
    repeats: u64,
    missed: u64,
}

impl FrameChooser {
    /// `tick` and `period`: nanoseconds of one canvas frame and of one source frame. `least_delay`: D of the program so
    /// far, if it is live already: D stays then, unless this source's ring does not reach that far back.
    pub(crate) fn new(tick: i64, period: f64, least_delay: i64) -> Self {
        let tick_ns = tick as f64;
        let period = if period.is_finite() && period > 0.0 { period } else { tick_ns };
        let ratio = tick_ns / period;
        let whole = ratio.round();
        let fits = whole >= 1.0 && (ratio / whole - 1.0).abs() <= LOCK;
        let own = if fits { period * BASE } else { (period * BASE).min(LOOSE) };
        let least_delay = least_delay.min((period * MOST).max(own) as i64);
        Self {
            period,
            step: fits.then_some(whole as u64),
            delay: (own as i64).max(least_delay),
            least_delay,
            live: least_delay > 0,
            aligned: least_delay > 0,
            last: None,
            phase: None,
            spacing: period,
            due: None,
            late: None,
            repeats: 0,
            missed: 0,
        }
    }

    /// D, nanoseconds.
    pub(crate) fn delay(&self) -> i64 {
        self.delay
    }

    /// Ticks that showed a frame again although the source should have had a new one, and source frames never shown.
    pub(crate) fn losses(&self) -> (u64, u64) {
        (self.repeats, self.missed)
    }

    /// True when the stamps are understood well enough to begin a show.
    pub(crate) fn is_settled(&self) -> bool {
        match self.step {
            Some(_) => self.aligned,
            None => self.phase.is_some_and(|p| p.frames >= 2),
        }
    }

    /// The show begins: from now on D of this source only grows, a period at a time.
    pub(crate) fn go_live(&mut self, at: Pts) {
        if !self.live {
            self.align(at);
        }
        self.live = true;
    }

    /// The show is over: D may follow the source again.
    pub(crate) fn stand_by(&mut self) {
        self.live = false;
        self.least_delay = 0;
    }

    fn is_locked(&self) -> bool {
        // A camera that names 30 fps and gives 15 in the dark is not locked.
        self.step.is_some() && (self.spacing / self.period - 1.0).abs() < 0.1
    }

    /// Puts T − D exactly on a stamp, so that picture and sound meet and the phase has the whole band to drift in.
    fn align(&mut self, at: Pts) {
        let Some(phase) = self.phase.filter(|p| p.frames >= ENOUGH && self.is_locked()) else { return };
        let base = (self.period * BASE).max(self.least_delay as f64);
        let age = at.0 as f64 - phase.stamp;
        // The smallest D ≥ base with at − D = stamp + n·period.
        let periods = ((base - age) / self.period).ceil();
        let aligned = (age + periods * self.period) as i64;
        // Already on a stamp, give or take what smoothing leaves: D raised for late frames stays raised.
        let off = (self.delay - aligned) as f64 / self.period;
        if !self.aligned || (off - off.round()).abs() > 0.05 || off < -0.5 {
            self.delay = aligned;
        }
        self.aligned = true;
    }

    /// Counts the stamps of new frames in.
    fn observe(&mut self, held: &[Held]) {
        for frame in held {
            let stamp = frame.pts.0 as f64;
            self.phase = Some(match self.phase {
                Some(phase) if frame.seq <= phase.seq => continue,
                Some(phase) => {
                    let steps = (frame.seq - phase.seq) as f64;
                    let expected = phase.stamp + steps * self.period;
                    let off = stamp - expected;
                    self.spacing += ((steps * self.period + off) / steps - self.spacing) * SMOOTH;
                    if off.abs() > self.period / 2.0 {
                        // Frames are missing at the source, or it jumped: no jitter to be smoothed.
                        Phase { seq: frame.seq, stamp, frames: phase.frames }
                    } else {
                        // Quick at first: the first frames are an average.
                        let part = SMOOTH.max(1.0 / f64::from(phase.frames + 1));
                        Phase { seq: frame.seq, stamp: expected + off * part, frames: phase.frames.saturating_add(1) }
                    }
                }
                None => Phase { seq: frame.seq, stamp, frames: 1 },
            });
        }
    }

    /// The frame for the tick at `at`: its place in `held` (oldest first), or `None` to show the last one again.
    pub(crate) fn choose(&mut self, at: Pts, held: &[Held]) -> Option<usize> {
        self.observe(held);
        if !self.live && !self.aligned {
            self.align(at);
        }
        self.measure_late(at, held);
        let newest = held.last()?;
        let target = at + -self.delay;
        let index = match (self.last, self.phase) {
            (Some(last), Some(phase)) if self.is_locked() && newest.seq >= last.seq => self.next_in_order(target, last, phase, held),
            // Never backwards, except when the source itself began anew.
            (Some(last), _) if newest.seq >= last.seq => nearest(target, held, last.seq),
            _ => nearest(target, held, 0),
        };
        let chosen = held[index?];
        if let Some(last) = self.last {
            match chosen.seq.checked_sub(last.seq) {
                Some(0) => return None,
                Some(n) => self.missed += n.saturating_sub(self.step.unwrap_or(n)),
                None => {}
            }
        }
        self.last = Some(chosen);
        index
    }

    fn next_in_order(&mut self, target: Pts, last: Held, phase: Phase, held: &[Held]) -> Option<usize> {
        let smoothed = |seq: u64| phase.stamp + (seq as f64 - phase.seq as f64) * self.period;
        let band = HOLD * self.period;
        let mut wanted = last.seq + self.step.unwrap_or(1);
        let mut off = smoothed(wanted) - target.0 as f64;
        while off > band && wanted > last.seq {
            wanted -= 1;
            off -= self.period;
        }
        while off < -band {
            wanted += 1;
            off += self.period;
        }
        if wanted == last.seq {
            self.repeats += 1;
            return None;
        }
        let newest = held.last()?.seq;
        if wanted > newest {
            self.repeats += 1;
            self.due.get_or_insert((wanted, smoothed(wanted)));
            // Half-rate steps still have something new to show.
            return held.iter().position(|h| h.seq > last.seq && h.seq == newest);
        }
        held.iter().position(|h| h.seq >= wanted)
    }

    /// Has the frame come that was missed? Another one comes in its place if the source lost it or stood still: then a
    /// larger D would not have helped.
    fn measure_late(&mut self, at: Pts, held: &[Held]) {
        let Some((seq, stamp)) = self.due else { return };
        let Some(came) = held.iter().find(|h| h.seq >= seq) else { return };
        self.due = None;
        if (came.pts.0 as f64 - stamp).abs() < self.period / 2.0 {
            self.came_late(at);
        }
    }

    /// A frame came after it was due. Once is an accident; twice in ten seconds means that D is too small.
    fn came_late(&mut self, at: Pts) {
        let again = self.late.is_some_and(|before| at - before < LATE_WINDOW);
        self.late = Some(at);
        let raised = self.delay as f64 + self.period;
        if again && raised <= MOST * self.period {
            // By a whole period, so that the phase stays where it is.
            self.delay = raised as i64;
            self.late = None;
        }
    }
}

/// Place of the frame nearest to `target` that is not older than number `from`.
fn nearest(target: Pts, held: &[Held], from: u64) -> Option<usize> {
    let candidates = held.iter().enumerate().filter(|(_, h)| h.seq >= from);
    candidates.min_by_key(|(_, h)| (h.pts - target).abs()).map(|(i, _)| i)
}

#[cfg(test)]
#[path = "chooser_tests.rs"]
mod tests;
