use crate::{LinkFigures, LinkPhase};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// With more than this waiting, on a link that was seen to carry less than it is given, the rate is too high. The kernel's send
/// buffer (about a second) is counted too and the way there is not, so this is queueing and neither jitter nor distance. It may
/// still be a keyframe, of which a fifth to a third of two seconds' bits go at once: those the link takes at its own speed.
const TOO_FAR: Duration = Duration::from_millis(400);
/// A lost packet holds back what comes after it for one round trip, in the midst of a keyframe for two: so much, up to this, says
/// nothing yet of a link that carried the full rate until now.
const TOO_FAR_ANYWHERE: Duration = Duration::from_millis(1200);
/// With less than this waiting, the link is not full.
const CLOSE: Duration = Duration::from_millis(250);
/// A session is not judged for so many round trips: TCP begins with ten packets, and may send more with each.
const ROUNDS: u32 = 5;
/// Throughput is measured over so long.
const WINDOW: Duration = Duration::from_secs(2);
/// What a link carries is known from so long a time of being full: everything it could carry was there to be carried.
const KNOWN: Duration = Duration::from_millis(800);
/// That it carries less than it is given is seen after so long, or a round trip.
const SEEN: Duration = Duration::from_millis(300);
/// And it carries less when it is below this share of it: measured over moments.
const LESS: f64 = 0.95;
/// Between two steps down: a lower rate comes out of the encoder's look-ahead and the send buffer about a second later.
const FALL_AGAIN: Duration = Duration::from_millis(1500);
/// The link must have kept up for so long before a step up. Doubles with each step that failed, up to the limit: a full
/// rate must be back within 20 s of a link that is good again.
const CLIMB_AFTER: Duration = Duration::from_millis(2400);
const CLIMB_LIMIT: Duration = Duration::from_secs(8);
/// A step up after which no more than [`IDLE`] waits so much later proves the link; one that is taken back before has failed.
const PROVED_AFTER: Duration = Duration::from_secs(4);
/// With no more than this waiting, a link has had nothing to do in between: it carries more than it is given. Where more waits
/// though it keeps up, the queue still grows, and slowly: no step up follows. The age of one picture and of its acknowledgement.
const IDLE: Duration = Duration::from_millis(100);
/// Much waits, and nothing has got through for so long: the link is gone and not slow, no bitrate would help it.
const GONE: Duration = Duration::from_secs(1);
/// Of what the link was measured to carry: the rest drains the queue within seconds.
const SHARE: f64 = 0.75;
/// One step up, of the full rate, and one from a rate that has proved the link better than it was.
const STEP: f64 = 0.2;
const LONG_STEP: f64 = 0.4;
/// A rate is clearly more than what was measured when it is so many times that: a queue that grows by less is not seen in time.
const CLEARLY: f64 = 1.15;
/// From here, of the full rate, a step leads to all of it: what is left is worth no step of its own.
const NEARLY: f64 = 0.9;
/// Lowest picture, kbit/s: a face can still be told.
const FLOOR_KBPS: u32 = 250;

/// What the slowest link of a show carries, and the picture bitrate that fits: down at once to what was measured, up in
/// steps that prove themselves. A link that is gone has no say, and what was taken off for it is given back; without any
/// link that is published to, the full rate is back. It only computes; whoever owns the encoder sets the rate.
#[derive(Debug, Clone)]
pub struct Congestion {
    full_kbps: u32,
    audio_kbps: u32,
    kbps: u32,
    /// Of each link.
    lanes: Vec<Lane>,
    slowest: Option<usize>,
    /// When it was last looked whether to go down, and how much waited then.
    fell: Option<(Instant, Duration)>,
    /// The last step up, until it has proved the link or failed.
    climbed: Option<Instant>,
    calm_since: Option<Instant>,
    patience: Duration,
    /// What picture the slowest link carried at most when the rate was last lowered, kbit/s.
    ceiling_kbps: f64,
    /// The link has proved better than that.
    better: bool,
    /// The last step down.
    step_down: Option<StepDown>,
}

/// What one link has passed on in its present session.
#[derive(Debug, Clone, Default)]
struct Lane {
    /// When, how much had been delivered, bytes.
    delivered: VecDeque<(Instant, u64)>,
    /// When the session was first seen.
    begun: Option<Instant>,
    /// When something was last delivered, or little waited.
    moved: Option<Instant>,
    /// Since when it has been full.
    full_since: Option<Instant>,
    /// How much waited at each look of late.
    waited: VecDeque<(Instant, Duration)>,
}

#[derive(Debug, Clone, Copy)]
struct StepDown {
    link: usize,
    at: Instant,
    /// The rate before it, kbit/s.
    from: u32,
}

/// Has a link a say?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vote {
    Yes,
    /// It was gone until now, or has just begun: what it catches up with is seen before it is judged.
    Fresh,
    /// Nothing gets through just now: all that a lost packet holds back comes at once, or it will be gone.
    Waits,
    Gone,
}

impl Lane {
    fn look(&mut self, now: Instant, figures: &LinkFigures) -> Vote {
        let was_gone = self.is_gone(now);
        let before = self.delivered.back().map(|(_, bytes)| *bytes);
        if before.is_some_and(|before| before > figures.delivered) {
            // Another session.
            self.delivered.clear();
            self.begun = None;
        }
        let full = figures.queued() > CLOSE;
        if before != Some(figures.delivered) || !full {
            self.moved = Some(now);
        }
        self.full_since = full.then(|| self.full_since.unwrap_or(now));
        self.waited.push_back((now, figures.queued()));
        while self.waited.len() > 2 && self.waited.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= KNOWN / 2) {
            self.waited.pop_front();
        }
        let begun = *self.begun.get_or_insert(now);
        let vote = if self.is_gone(now) {
            Vote::Gone
        } else if was_gone || now.duration_since(begun) <= figures.way * ROUNDS {
            Vote::Fresh
        } else if self.moved == Some(now) {
            Vote::Yes
        } else {
            Vote::Waits
        };
        if vote == Vote::Fresh {
            // Neither a standstill nor the first round trips say what it carries.
            self.delivered.clear();
            self.full_since = Some(now);
        }
        self.delivered.push_back((now, figures.delivered));
        while self.delivered.len() > 2 && self.delivered.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            self.delivered.pop_front();
        }
        vote
    }

    fn is_gone(&self, now: Instant) -> bool {
        self.moved.is_some_and(|at| now.duration_since(at) >= GONE)
    }

    /// What went through in the window, kbit/s; `None` before half of it has passed.
    fn carried_kbps(&self) -> Option<f64> {
        self.kbps_from(self.delivered.front()?, WINDOW / 2)
    }

    /// It has been full for long, and what waits does not become less: what a keyframe held back would be going out.
    fn fills(&self) -> bool {
        self.full_for() >= KNOWN && self.waited.front().zip(self.waited.back()).is_some_and(|((_, before), (_, now))| now >= before)
    }

    /// How long it has been full.
    fn full_for(&self) -> Duration {
        let last = self.delivered.back().map(|(at, _)| *at);
        self.full_since.zip(last).map_or(Duration::ZERO, |(since, last)| last.duration_since(since))
    }

    /// What it has carried since it is full, kbit/s, in the last [`KNOWN`]; `None` before it was full for `at_least`.
    fn full_kbps(&self, at_least: Duration) -> Option<f64> {
        let (since, now) = (self.full_since?, self.delivered.back()?.0);
        let from = self.delivered.iter().find(|(at, _)| *at >= since && now.duration_since(*at) <= KNOWN.max(at_least))?;
        self.kbps_from(from, at_least)
    }

    /// What it carries at most, kbit/s, of late; `None` before that is known.
    fn most_kbps(&self) -> Option<f64> {
        let (since, now) = (self.full_since?, self.delivered.back()?.0);
        let from = self.delivered.iter().rfind(|(at, _)| now.duration_since(*at) >= KNOWN)?;
        if from.0 < since { None } else { self.kbps_from(from, KNOWN).filter(|kbps| *kbps > 0.0) }
    }

    fn kbps_from(&self, (from, first): &(Instant, u64), at_least: Duration) -> Option<f64> {
        let (to, last) = self.delivered.back()?;
        let time = to.duration_since(*from);
        (time >= at_least).then(|| (last - first) as f64 * 8.0 / 1000.0 / time.as_secs_f64())
    }
}

impl Congestion {
    /// For a show of these rates, kbit/s.
    #[must_use]
    pub fn new(video_kbps: u32, audio_kbps: u32) -> Self {
        Self {
            full_kbps: video_kbps,
            audio_kbps,
            kbps: video_kbps,
            lanes: Vec::new(),
            slowest: None,
            fell: None,
            climbed: None,
            calm_since: None,
            patience: CLIMB_AFTER,
            ceiling_kbps: 0.0,
            better: false,
            step_down: None,
        }
    }

    /// The picture rate that fits now, kbit/s.
    #[must_use]
    pub const fn kbps(&self) -> u32 {
        self.kbps
    }

    /// The link that had the last word, as it was counted in [`Congestion::look`].
    #[must_use]
    pub const fn slowest(&self) -> Option<usize> {
        self.slowest
    }

    /// The link for whose sake the rate was last lowered; `None` if it was given back.
    #[must_use]
    pub fn lowered_for(&self) -> Option<usize> {
        self.step_down.map(|step| step.link)
    }

    /// Takes the figures of all links, in the same order each time, several times a second. True when the rate changed.
    pub fn look<'a>(&mut self, now: Instant, links: impl IntoIterator<Item = &'a LinkFigures>) -> bool {
        let before = self.kbps;
        let mut published = false;
        let mut slowest: Option<((bool, Duration), usize, Vote)> = None;
        for (link, figures) in links.into_iter().enumerate() {
            if self.lanes.len() <= link {
                self.lanes.push(Lane::default());
            }
            let Some(lane) = self.lanes.get_mut(link) else { continue };
            let moved = lane.moved;
            let vote = if figures.phase == LinkPhase::Publishing {
                published = true;
                lane.look(now, figures)
            } else {
                *lane = Lane::default();
                Vote::Gone
            };
            if vote == Vote::Gone {
                self.give_back(link, moved);
                continue;
            }
            // One that has too much waiting comes before a farther one where as much may wait, and before one not yet judged.
            let queued = figures.queued();
            let weight = (vote == Vote::Yes && self.is_slow(link, figures), queued);
            if slowest.is_none_or(|(most, ..)| weight > most) {
                slowest = Some((weight, link, vote));
            }
        }
        self.slowest = slowest.map(|(_, link, _)| link);
        match slowest {
            Some((_, _, Vote::Waits)) => {}
            Some((weight, link, vote)) => {
                if vote == Vote::Fresh {
                    self.fell = Some((now, weight.1));
                }
                self.follow(now, link, weight);
            }
            // Nothing is known of the only ones there are.
            None if published => self.calm_since = None,
            None => *self = Self { lanes: std::mem::take(&mut self.lanes), ..Self::new(self.full_kbps, self.audio_kbps) },
        }
        self.kbps != before
    }

    /// A link is gone that had last moved then: was the last step down for its sake, with nothing delivered since?
    fn give_back(&mut self, link: usize, moved: Option<Instant>) {
        if let Some(step) = self.step_down.filter(|step| step.link == link && moved.is_some_and(|at| at <= step.at)) {
            self.kbps = self.kbps.max(step.from);
            (self.step_down, self.fell) = (None, None);
        }
    }

    /// More than this waiting is too much where the way takes so long. Once the rate had to be lowered, there is no grace: the link
    /// is known to be slow, and late is what it would be.
    fn too_far(&self, way: Duration) -> Duration {
        if self.kbps < self.full_kbps { TOO_FAR } else { (way * 2).clamp(TOO_FAR, TOO_FAR_ANYWHERE) }
    }

    /// Too much waits there, because it carries less than it is given.
    fn is_slow(&self, link: usize, figures: &LinkFigures) -> bool {
        let (queued, way) = (figures.queued(), figures.way);
        let given = f64::from(self.kbps + self.audio_kbps);
        let too_little = |lane: &Lane| lane.fills() || lane.full_kbps(SEEN.max(way)).is_some_and(|carried| carried < given * LESS);
        queued > self.too_far(way) && (queued > TOO_FAR_ANYWHERE.max(way * 2) || self.lanes.get(link).is_some_and(too_little))
    }

    fn follow(&mut self, now: Instant, link: usize, (slow, queued): (bool, Duration)) {
        let full_for = self.lanes.get(link).map_or(Duration::ZERO, Lane::full_for);
        if slow {
            self.calm_since = None;
            match self.fell {
                Some((at, _)) if now.duration_since(at) < FALL_AGAIN => self.correct(link),
                // It catches up: lower would only be worse to look at.
                Some((_, before)) if queued < before => self.fell = Some((now, queued)),
                _ => {
                    self.fall(now, link);
                    self.fell = Some((now, queued));
                }
            }
        } else if queued < CLOSE {
            let since = *self.calm_since.get_or_insert(now);
            self.fell = None;
            if queued <= IDLE {
                self.prove(now);
                let due = self.climbed.unwrap_or(since).max(since) + self.patience <= now;
                if self.kbps < self.full_kbps && due {
                    self.climb(now);
                }
            }
        } else if full_for >= KNOWN {
            // Not a keyframe alone.
            self.calm_since = None;
        }
    }

    fn fall(&mut self, now: Instant, link: usize) {
        if self.climbed.is_some() {
            self.patience = (self.patience * 2).min(CLIMB_LIMIT);
        }
        let lane = self.lanes.get(link);
        let most = lane.and_then(Lane::most_kbps);
        self.step_down = Some(StepDown { link, at: now, from: self.kbps });
        let carried = most.or_else(|| lane?.full_kbps(SEEN)).or_else(|| lane?.carried_kbps());
        let fits = carried.map_or(f64::from(self.kbps) * 0.7, |all| self.share(all));
        self.better = false;
        self.ceiling_kbps = carried.map_or(f64::from(self.kbps), |all| all - f64::from(self.audio_kbps));
        // Never up on the way down, and never less than a tenth.
        self.lower(fits.min(f64::from(self.kbps) * 0.9));
        self.climbed = None;
    }

    /// A step down may have been measured over a time in which the link was not full yet, or carried more. Where it is known to
    /// carry less than it is given, the encoder need not have answered first.
    fn correct(&mut self, link: usize) {
        let most = self.lanes.get(link).and_then(Lane::most_kbps);
        if let Some(most) = most.filter(|most| *most < f64::from(self.kbps + self.audio_kbps)) {
            self.ceiling_kbps = most - f64::from(self.audio_kbps);
            self.lower(self.share(most).min(f64::from(self.kbps)));
        }
    }

    /// What of it is the picture's, kbit/s.
    fn share(&self, all_kbps: f64) -> f64 {
        (all_kbps - f64::from(self.audio_kbps)) * SHARE
    }

    fn lower(&mut self, kbps: f64) {
        self.kbps = (kbps.max(0.0) as u32).clamp(FLOOR_KBPS.min(self.full_kbps), self.full_kbps);
    }

    /// Next to nothing waits: for how long has the last step up lasted?
    fn prove(&mut self, now: Instant) {
        if self.climbed.is_some_and(|at| now.duration_since(at) >= PROVED_AFTER) {
            self.climbed = None;
            self.patience = CLIMB_AFTER;
            self.better |= f64::from(self.kbps) > self.ceiling_kbps * CLEARLY;
        }
    }

    fn climb(&mut self, now: Instant) {
        let step = f64::from(self.full_kbps) * if self.better { LONG_STEP } else { STEP };
        let longer = self.kbps + (step as u32).max(1);
        let nearly = f64::from(longer) >= f64::from(self.full_kbps) * NEARLY;
        self.kbps = if nearly { self.full_kbps } else { longer };
        self.climbed = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::way::Way;
    use std::ops::Range;

    fn publishing(behind: Duration, delivered: u64) -> LinkFigures {
        LinkFigures { phase: LinkPhase::Publishing, behind, delivered, ..LinkFigures::default() }
    }

    /// As [`publishing`], over a way that takes so long.
    fn far(behind: Duration, way: Duration, delivered: u64) -> LinkFigures {
        LinkFigures { way, ..publishing(behind, delivered) }
    }

    /// Time of the simulated link. It is looked at each tenth of a second.
    const TICK: Duration = Duration::from_millis(10);

    /// A link of a given rate behind a queue, and a peer so many ticks away that acknowledges.
    struct Simulated {
        congestion: Congestion,
        way: Way,
        start: Instant,
        tick: u64,
        /// A round trip, and what the OS says of it.
        round_trip: u64,
        told: Duration,
        /// What waits, and what is not acknowledged yet: when that is due, when it was made, kbit.
        queue: VecDeque<(u64, f64)>,
        flying: VecDeque<(u64, u64, f64)>,
        /// A lost packet holds the acknowledgements back until then.
        held_until: u64,
        there_kbit: f64,
        /// Encoders answer late.
        pipe: VecDeque<u32>,
        /// What share of two seconds' bits the keyframe has that each two seconds begin with.
        keyframe: f64,
    }

    impl Simulated {
        fn new(round_trip_ms: u32) -> Self {
            let told = Duration::from_millis(round_trip_ms.into());
            Self {
                congestion: Congestion::new(2500, 128),
                way: Way::default(),
                start: Instant::now(),
                tick: 0,
                round_trip: u64::from(round_trip_ms) / 10,
                told,
                queue: VecDeque::new(),
                flying: VecDeque::new(),
                held_until: 0,
                there_kbit: 0.0,
                // A second of look-ahead and of waiting to be looked at.
                pipe: vec![2500; 100].into(),
                keyframe: 1.0 / 200.0,
            }
        }

        /// One packet is lost now: it is missed a round trip later, and sent again.
        fn lose(&mut self) {
            self.held_until = self.tick + self.round_trip + 20;
        }

        /// Runs for `seconds` over a link of `link_kbps`; the farthest it was behind and the rate at the end.
        fn run(&mut self, seconds: u32, link_kbps: f64) -> (Duration, u32) {
            self.run_tenths(seconds * 10, link_kbps)
        }

        fn run_tenths(&mut self, tenths: u32, link_kbps: f64) -> (Duration, u32) {
            let mut farthest = Duration::ZERO;
            for _ in 0..tenths * 10 {
                self.tick += 1;
                self.pipe.push_back(self.congestion.kbps());
                let picture = f64::from(self.pipe.pop_front().unwrap_or(0)) / 100.0;
                let of_two_seconds = if self.tick.is_multiple_of(200) { self.keyframe } else { (1.0 - self.keyframe) / 199.0 };
                self.queue.push_back((self.tick, picture * 200.0 * of_two_seconds + 1.28));
                self.send(link_kbps / 100.0);
                if self.tick.is_multiple_of(10) {
                    farthest = farthest.max(self.look());
                }
            }
            (farthest, self.congestion.kbps())
        }

        fn send(&mut self, mut room: f64) {
            while let Some((made, oldest)) = self.queue.front_mut().filter(|_| room > 0.0) {
                let through = oldest.min(room);
                (*oldest, room) = (*oldest - through, room - through);
                self.flying.push_back((self.tick + self.round_trip, *made, through));
                if *oldest <= f64::EPSILON {
                    self.queue.pop_front();
                }
            }
            while self.tick >= self.held_until && self.flying.front().is_some_and(|(due, ..)| *due <= self.tick) {
                self.there_kbit += self.flying.pop_front().map_or(0.0, |(_, _, through)| through);
            }
        }

        fn look(&mut self) -> Duration {
            let now = self.start + TICK * u32::try_from(self.tick).unwrap_or(u32::MAX);
            let oldest = self.flying.front().map(|(_, made, _)| *made).or_else(|| self.queue.front().map(|(made, _)| *made));
            let behind = TICK * u32::try_from(oldest.map_or(0, |made| self.tick - made)).unwrap_or(u32::MAX);
            let way = self.way.look(now, behind, Some(self.told));
            self.congestion.look(now, &[far(behind, way, (self.there_kbit * 1000.0 / 8.0) as u64)]);
            behind
        }
    }

    #[test]
    fn a_good_link_is_left_alone() {
        let mut link = Simulated::new(0);
        assert_eq!(link.run(60, 6000.0), (Duration::ZERO, 2500));
    }

    /// A product on a tripod: next to everything is in the keyframes.
    #[test]
    fn keyframes_are_not_taken_for_a_slow_link() {
        for (round_trip_ms, keyframe) in [0, 30, 150].into_iter().flat_map(|way| [0.2, 0.3, 0.35].map(|share| (way, share))) {
            for kbps in [2750, 3000, 3300, 3600, 6000] {
                let named = format!("{kbps} kbit/s, {round_trip_ms} ms, {keyframe} in the keyframe");
                let mut link = Simulated { keyframe, ..Simulated::new(round_trip_ms) };
                let lowest = (0..60).map(|_| link.run(1, f64::from(kbps)).1).min();
                assert_eq!(lowest, Some(2500), "{named}");
            }
            for kbps in [3300, 6000] {
                let mut link = Simulated { keyframe, ..Simulated::new(round_trip_ms) };
                link.run(5, 6000.0);
                let (farthest, kbps_then) = link.run(10, 2628.0 * 0.6);
                assert!(farthest <= Duration::from_millis(2500) && (700..=1450).contains(&kbps_then), "{farthest:?}, {kbps_then}");
                link.run(20, f64::from(kbps));
                assert_eq!(link.congestion.kbps(), 2500, "{kbps} kbit/s after a slow while, {round_trip_ms} ms, {keyframe}");
            }
        }
    }

    #[test]
    fn a_link_at_sixty_and_then_a_quarter_of_the_rate_is_followed_and_left_again() {
        let mut link = Simulated::new(0);
        link.run(5, 6000.0);
        let (farthest, kbps) = link.run(10, 2628.0 * 0.6);
        assert!(farthest <= Duration::from_secs(2), "{farthest:?} behind");
        assert!((700..=1450).contains(&kbps), "settled at {kbps}");
        let (farthest, _) = link.run(10, 2628.0 * 0.6);
        assert!(farthest <= Duration::from_millis(1500), "{farthest:?}: it does not hunt");
        let (farthest, kbps) = link.run(10, 2628.0 * 0.25);
        assert!(farthest <= Duration::from_millis(1600), "{farthest:?} behind");
        assert!((250..=530).contains(&kbps), "settled at {kbps}");
        let (_, kbps) = link.run(20, 6000.0);
        assert_eq!(kbps, 2500, "the full rate is back within 20 s");
    }

    /// However long it was slow, and whatever step it had just tried.
    #[test]
    fn the_full_rate_is_back_in_time_from_wherever_it_was() {
        for share in [0.15, 0.25, 0.4, 0.6, 0.8] {
            for tenths in 40..200 {
                let mut link = Simulated::new(0);
                link.run(5, 6000.0);
                link.run_tenths(tenths, 2628.0 * share);
                let mut again = 0;
                while link.congestion.kbps() < 2500 && again < 300 {
                    link.run_tenths(1, 6000.0);
                    again += 1;
                }
                assert!(again <= 150, "{again} tenths of a second after {tenths} at {share}");
            }
        }
    }

    /// A link that nearly carries the step that is tried fills slowly.
    #[test]
    fn no_step_follows_while_the_queue_still_grows() {
        for kbps in (800..2600).step_by(50) {
            let mut link = Simulated::new(0);
            link.run(30, f64::from(kbps));
            let (farthest, _) = link.run(120, f64::from(kbps));
            assert!(farthest <= Duration::from_millis(1000), "{farthest:?} behind on a link of {kbps} kbit/s");
        }
    }

    #[test]
    fn a_far_link_that_carries_the_rate_keeps_it() {
        for round_trip_ms in [30, 300, 450, 600] {
            let mut link = Simulated::new(round_trip_ms);
            for second in 0..60 {
                if second % 7 == 5 {
                    link.lose();
                }
                let (_, kbps) = link.run(1, 6000.0);
                assert_eq!(kbps, 2500, "after {second} s at {round_trip_ms} ms");
            }
        }
    }

    #[test]
    fn a_far_link_that_was_slow_gets_the_full_rate_back() {
        for round_trip_ms in [300, 450, 600] {
            let mut link = Simulated::new(round_trip_ms);
            link.run(5, 6000.0);
            let (_, kbps) = link.run(6, 2628.0 * 0.25);
            assert!(kbps < 500, "{kbps} at {round_trip_ms} ms");
            for second in 0..20 {
                if second % 7 == 5 {
                    link.lose();
                }
                link.run(1, 6000.0);
            }
            assert_eq!(link.congestion.kbps(), 2500, "at {round_trip_ms} ms");
        }
    }

    #[test]
    fn a_slow_link_is_followed_though_it_is_far() {
        let mut link = Simulated::new(300);
        link.run(5, 6000.0);
        let (farthest, kbps) = link.run(10, 2628.0 * 0.6);
        assert!(farthest <= Duration::from_millis(2500), "{farthest:?} behind");
        assert!((700..=1450).contains(&kbps), "settled at {kbps}");
        let (farthest, _) = link.run(10, 2628.0 * 0.6);
        assert!(farthest <= Duration::from_secs(2), "{farthest:?}: it does not hunt");
        let (farthest, kbps) = link.run(10, 2628.0 * 0.25);
        assert!(farthest <= Duration::from_millis(3500), "{farthest:?} behind");
        assert!((250..=530).contains(&kbps), "settled at {kbps}");
        let (farthest, _) = link.run(10, 2628.0 * 0.25);
        assert!(farthest <= Duration::from_secs(2), "{farthest:?} behind");
        let (_, kbps) = link.run(20, 6000.0);
        assert_eq!(kbps, 2500, "the full rate is back within 20 s");
    }

    #[test]
    fn a_link_that_is_full_from_its_first_second_is_not_taken_for_a_far_one() {
        for round_trip_ms in [0, 30, 300, 600] {
            let mut link = Simulated::new(round_trip_ms);
            let (_, kbps) = link.run(5, 2628.0 * 0.6);
            assert!(kbps < 1450, "{kbps} at {round_trip_ms} ms");
        }
    }

    #[test]
    fn a_way_that_became_longer_is_learnt() {
        let mut link = Simulated::new(50);
        link.run(10, 6000.0);
        link.round_trip = 55;
        let (_, kbps) = link.run(10, 6000.0);
        assert!(kbps < 2500, "the OS does not know yet, and it looks like a queue");
        let (_, kbps) = link.run(30, 6000.0);
        assert_eq!(kbps, 2500);
    }

    #[test]
    fn a_link_that_gets_worse_while_it_is_full_is_followed_at_once() {
        let mut link = Simulated::new(0);
        link.run(5, 6000.0);
        link.run(2, 2628.0 * 0.6);
        let (farthest, _) = link.run(10, 2628.0 * 0.25);
        assert!(farthest <= Duration::from_millis(5500), "{farthest:?}: most of it waited before");
    }

    #[test]
    fn a_step_that_fails_is_tried_less_often() {
        let mut link = Simulated::new(0);
        link.run(20, 1500.0);
        let mut falls = 0;
        let mut before = link.congestion.kbps();
        for _ in 0..60 {
            let (_, kbps) = link.run(1, 1500.0);
            falls += u32::from(kbps < before);
            before = kbps;
        }
        assert!(falls <= 8, "{falls} falls in a minute");
        assert!(before >= 250, "never below the floor");
    }

    const TENTH: Duration = Duration::from_millis(100);

    /// Three seconds of links that keep up, at 2400 kbit/s each from a count of their own.
    fn settled(first_counts: &[u64]) -> (Congestion, Instant) {
        let (mut congestion, mut now) = (Congestion::new(2500, 128), Instant::now());
        for n in 0..30 {
            now += TENTH;
            let links: Vec<_> = first_counts.iter().map(|first| publishing(TENTH, first + n * 30_000)).collect();
            assert!(!congestion.look(now, &links));
        }
        (congestion, now)
    }

    #[test]
    fn each_link_is_measured_by_itself() {
        let (mut congestion, mut now) = settled(&[0, 50_000_000]);
        // The second one becomes slow while the first is what it was.
        let (mut first, mut second) = (900_000, 50_900_000);
        for _ in 0..10 {
            now += TENTH;
            (first, second) = (first + 30_000, second + 15_000);
            congestion.look(now, &[publishing(TENTH, first), publishing(TENTH * 3, second)]);
        }
        congestion.look(now, &[publishing(TENTH, first), publishing(TENTH * 5, second)]);
        let kbps = congestion.kbps();
        assert_eq!(congestion.slowest(), Some(1));
        assert!((700..=900).contains(&kbps), "{kbps}: three quarters of the 1200 kbit/s it carried with the sound");
    }

    #[test]
    fn a_far_link_does_not_hide_a_near_one() {
        let (mut congestion, now) = settled(&[0, 0]);
        let beyond = |n: u64| far(TENTH * 11, Duration::from_millis(450), 870_000 + n * 30_000);
        assert!(!congestion.look(now + TENTH, &[publishing(TENTH, 900_000), beyond(1)]), "less than two round trips wait");
        assert_eq!(congestion.slowest(), Some(1));
        let mut lowered = false;
        for n in 2..9_u32 {
            let near = publishing(TENTH * (2 + n), 900_000 + u64::from(n) * 15_000);
            lowered |= congestion.look(now + TENTH * n, &[near, beyond(n.into())]);
        }
        assert!(lowered);
        assert_eq!((congestion.slowest(), congestion.lowered_for()), (Some(0), Some(0)));
    }

    #[test]
    fn a_session_that_gathers_speed_is_not_slow() {
        let (mut congestion, start) = (Congestion::new(2500, 128), Instant::now());
        for n in 0..=41_u64 {
            // It begins a second late, and sends faster with every round trip.
            let behind = Duration::from_millis((1000 + 100 * n - 3 * n * n).max(450));
            let now = start + Duration::from_millis(100 * n);
            assert!(!congestion.look(now, &[far(behind, Duration::from_millis(450), 1000 * n * n)]), "{behind:?} behind at {n}");
        }
    }

    /// What an outage without a word looks like: nothing is delivered, and everything waits.
    fn black_hole(congestion: &mut Congestion, now: &mut Instant, tenths: Range<u32>, others: &[u64], stands_at: u64) -> u32 {
        let mut lowest = u32::MAX;
        for n in tenths {
            *now += TENTH;
            let others = others.iter().map(|first| publishing(TENTH, first + u64::from(n) * 30_000));
            let links: Vec<_> = others.chain([publishing(TENTH * n, stands_at)]).collect();
            congestion.look(*now, &links);
            lowest = lowest.min(congestion.kbps());
        }
        lowest
    }

    #[test]
    fn a_link_that_is_gone_is_not_a_slow_one() {
        let (mut congestion, mut now) = settled(&[0]);
        let lowest = black_hole(&mut congestion, &mut now, 1..36, &[], 870_000);
        assert_eq!(lowest, 2500, "until somebody calls it lost");
        let mut reconnecting = LinkFigures { phase: LinkPhase::Reconnecting, ..publishing(TENTH * 35, 870_000) };
        assert!(!congestion.look(now + TENTH, &[reconnecting]));
        reconnecting.phase = LinkPhase::Refused;
        assert!(!congestion.look(now + TENTH * 2, &[reconnecting]));
    }

    #[test]
    fn a_step_down_for_a_link_that_goes_is_taken_back() {
        let (mut congestion, mut now) = settled(&[0]);
        let mut lowered = false;
        for n in 3..7_u32 {
            now += TENTH;
            lowered |= congestion.look(now, &[publishing(TENTH * n, 870_000 + u64::from(n) * 5_000)]);
        }
        assert!(lowered);
        let lowest = black_hole(&mut congestion, &mut now, 7..21, &[], 900_000);
        assert!(lowest < 2500);
        assert_eq!(congestion.kbps(), 2500, "before anybody calls it lost");
    }

    #[test]
    fn without_a_link_the_full_rate_is_back() {
        let (mut congestion, now) = settled(&[0]);
        for n in 1..40_u32 {
            congestion.look(now + TENTH * n, &[publishing(TENTH * 5 + TENTH * n / 2, 870_000 + u64::from(n) * 1000)]);
        }
        assert!(congestion.kbps() < 600, "a slow link: {}", congestion.kbps());
        let lost = LinkFigures { phase: LinkPhase::Reconnecting, ..publishing(TENTH * 25, 910_000) };
        assert!(congestion.look(now + TENTH * 41, &[lost]));
        assert_eq!(congestion.kbps(), 2500, "the recording is not to suffer for as long as it lasts");
    }

    #[test]
    fn a_dead_destination_does_not_pull_the_others_down() {
        let (mut congestion, mut now) = settled(&[0, 1000, 2000, 3000]);
        let others = [870_000, 871_000, 872_000];
        black_hole(&mut congestion, &mut now, 1..13, &others, 873_000);
        assert_eq!(congestion.kbps(), 2500, "given back");
        let lowest = black_hole(&mut congestion, &mut now, 13..36, &others, 873_000);
        assert_eq!(lowest, 2500, "until it is called lost");
    }

    #[test]
    fn one_that_moves_again_may_catch_up_before_it_is_judged() {
        let (mut congestion, mut now) = settled(&[0]);
        black_hole(&mut congestion, &mut now, 1..16, &[], 870_000);
        for n in 1..=15_u32 {
            now += TENTH;
            congestion.look(now, &[publishing(TENTH * (15 - n), 870_000 + u64::from(n) * 60_000)]);
        }
        assert_eq!(congestion.kbps(), 2500, "it was gone for a second and a half, and never slow");
        // One that does not catch up is slow after all.
        black_hole(&mut congestion, &mut now, 1..16, &[], 1_770_000);
        for n in 1..=20_u32 {
            now += TENTH;
            congestion.look(now, &[publishing(TENTH * (15 + n), 1_770_000 + u64::from(n) * 10_000)]);
        }
        assert!(congestion.kbps() < 1000, "{}", congestion.kbps());
    }
}
