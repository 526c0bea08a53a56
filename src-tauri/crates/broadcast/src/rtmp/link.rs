//! Keeps one publication alive: tries, refusals, losses and returns, until stopped or refused for good.

mod dial;
mod live;
mod publish;

use super::feed::Feed;
use super::resolve::Resolver;
use super::session::Stage;
use crate::{LinkFigures, LinkPhase, SinkEvent, Target};
use dial::{Dialed, Opened};
use publish::{Ended, Slow};
use stallcast_clock::Backoff;
use stallcast_media::queue::PacketQueue;
use stallcast_media::{Pts, StreamConfig};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait of the thread for anything: how late it notices a stop or a server's word.
const TURN: Duration = Duration::from_millis(20);
/// A fresh connection is tried this often: TCP's own retries grow apart, ours must not.
const PROBE_EACH: Duration = Duration::from_millis(500);
/// A keyframe this old is still a good beginning: near the present.
const AGE: Duration = Duration::from_secs(1);
/// Once it was accepted, a platform may hold the old connection for this long and refuse the new one.
const HELD: Duration = Duration::from_secs(120);
const HELD_RETRY: Duration = Duration::from_secs(1);
/// A session shorter than this ended by the server's will: do not hammer it.
const SHORT: Duration = Duration::from_secs(5);
/// Times in a row that the server hangs up before that is a no. Some platforms answer a bad key so.
const KEY_HANG_UPS: u32 = 3;
const HANG_UPS: u32 = 6;
/// Connections in a row that are closed without a word before that is told: 3 s in which a server may still be starting.
const STARTING: u32 = 6;
/// A connection that was given up for being too late is told as lost when there is no other after so long: a relay on the way may go
/// on for some seconds with what it still has of the old one.
const RESET_LIMIT: Duration = Duration::from_secs(4);
/// Figures and health are looked at this often.
const LOOK_EACH: Duration = Duration::from_millis(100);

/// Status of a refusal that came without the server's words.
const CLOSED: &str = "Connection.Closed";
const NOT_TRUSTED: &str = "Connection.NotTrusted";

/// What the sink's owner sees and says.
#[derive(Default)]
pub(super) struct Shared {
    figures: Mutex<LinkFigures>,
    stop: Mutex<Option<Instant>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, LinkFigures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn figures(&self) -> LinkFigures {
        *self.lock()
    }

    /// End by `deadline`.
    pub fn stop(&self, deadline: Instant) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
    }

    fn stopping(&self) -> Option<Instant> {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A platform that refuses what it had accepted: most likely it still holds the connection before.
#[derive(Debug, Default)]
struct Held {
    since: Option<Instant>,
    told: bool,
}

impl Held {
    /// It refuses, as it did ever since it answers; true when that has gone on for too long.
    fn refused(&mut self, now: Instant) -> bool {
        now.duration_since(*self.since.get_or_insert(now)) >= HELD
    }

    /// Nobody answers, which is no refusal: the platform has its time from its next word on.
    const fn interrupt(&mut self) {
        self.since = None;
    }

    /// True once, until it accepts.
    const fn tell(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }
}

/// The thread of one destination.
pub(super) struct Link<E, K> {
    target: Target,
    config: StreamConfig,
    feed: Feed,
    shared: Arc<Shared>,
    resolver: Resolver,
    backoff: Backoff,
    on_event: E,
    want_keyframe: K,
    /// Media was accepted once by way of this sink; see [`Self::was_accepted`].
    accepted: bool,
    /// It has said that it takes the key, be it that the connection broke before the first picture.
    key_taken: bool,
    /// A loss was told and no return yet.
    lost: bool,
    keyframe_asked: Option<Instant>,
    /// One was asked for before the server accepted again.
    asked_ahead: bool,
    /// It was told that nobody answers.
    unreachable: bool,
    held: Held,
    /// Connections in a row that were taken and not answered, after it had accepted.
    silences: u32,
    /// Times that the server answered and hung up, until it accepts.
    hang_ups: u32,
    /// Connections in a row that were closed without a word.
    unanswered: u32,
    slow: Slow,
    /// When a session was last given up for being far too late.
    reset_at: Option<Instant>,
    /// What the kernel may hold since, bytes, until the link keeps up again.
    room: Option<usize>,
}

impl<E: Fn(SinkEvent), K: Fn()> Link<E, K> {
    pub fn new(target: Target, config: StreamConfig, queue: PacketQueue, shared: Arc<Shared>, on_event: E, want_keyframe: K) -> Self {
        let priming = Pts::from_ticks(i64::from(config.audio.priming), config.audio.rate);
        let resolver = Resolver::new(target.host(), target.port());
        // Any number that differs between destinations.
        let seed =
            target.id().bytes().chain(target.host().bytes()).fold(u64::from(std::process::id()), |s, b| s.wrapping_mul(31) + u64::from(b));
        if target.was_accepted() {
            shared.lock().phase = LinkPhase::Reconnecting;
        }
        Self {
            feed: Feed::new(queue, priming),
            shared,
            resolver,
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(5), seed),
            on_event,
            want_keyframe,
            accepted: false,
            key_taken: false,
            lost: false,
            keyframe_asked: None,
            asked_ahead: false,
            unreachable: false,
            held: Held::default(),
            silences: 0,
            hang_ups: 0,
            unanswered: 0,
            slow: Slow::default(),
            reset_at: None,
            room: None,
            target,
            config,
        }
    }

    /// Until stopped. A crash is told and costs the session, not the destination: the next one is dialled.
    pub fn run(mut self) {
        let mut crashed = false;
        while catch_unwind(AssertUnwindSafe(|| self.run_once(crashed))).is_err() {
            tracing::error!(host = self.target.host(), "the thread of a destination crashed; starting again");
            crashed = true;
            std::thread::sleep(TURN);
        }
    }

    fn run_once(&mut self, crashed: bool) {
        if crashed {
            (self.on_event)(SinkEvent::Restarted);
            self.lose("crashed");
            let wait = self.backoff.next_wait();
            self.pause(wait);
        }
        let refused = self.keep_alive();
        self.figure(|f| f.phase = if refused.is_some() { LinkPhase::Refused } else { LinkPhase::Closed });
        if let Some(status) = refused {
            tracing::warn!(host = self.target.host(), %status, "destination refused");
            (self.on_event)(SinkEvent::Refused { status });
            // The figures go on counting what it does not get.
            while self.shared.stopping().is_none() {
                self.rest(LOOK_EACH);
            }
        }
        self.figure(|_| {});
    }

    /// Publishes until stopped (`None`) or refused for good (the status).
    fn keep_alive(&mut self) -> Option<String> {
        let mut stuck = None;
        loop {
            let (live, revived) = match self.dial(&mut stuck) {
                Dialed::Stop => return None,
                Dialed::Revived(live) => (live, true),
                Dialed::Connected(stream) => {
                    let opened = self.open(stream, &mut stuck);
                    // A port without a server behind it, or with a stranger (what stands before one that is dead, a network that
                    // wants to be paid first): it has not answered, so this is looked for at the same pace as a host that is
                    // not there.
                    let known = self.was_accepted();
                    let nobody = matches!(opened, Opened::NobodyBehind);
                    let stranger = matches!(opened, Opened::HungUp(Stage::Handshake) | Opened::TimedOut | Opened::NotTrusted);
                    let no_answer = nobody || known && stranger || matches!(opened, Opened::TimedOut);
                    if no_answer {
                        self.held.interrupt();
                    }
                    self.unanswered = if nobody { self.unanswered + 1 } else { 0 };
                    let stage = match opened {
                        Opened::Live(live) => {
                            self.key_taken = true;
                            if let Some(old) = stuck.take() {
                                old.wire.abort();
                            }
                            Ok((live, false))
                        }
                        Opened::Revived(live) => Ok((live, true)),
                        Opened::Stop => return None,
                        Opened::NotTrusted if known => {
                            self.tell_unreachable(true);
                            Err(None)
                        }
                        Opened::NotTrusted => Err(Some(NOT_TRUSTED.to_owned())),
                        Opened::Refused(status) => Err(Some(status)),
                        Opened::NobodyBehind => {
                            if self.unanswered >= STARTING {
                                self.tell_unreachable(true);
                            }
                            Err(None)
                        }
                        Opened::HungUp(stage) => {
                            self.hang_ups += 1;
                            let of_the_key = stage >= Stage::Publish;
                            let enough = self.hang_ups >= if of_the_key { KEY_HANG_UPS } else { HANG_UPS };
                            if known && enough && !of_the_key {
                                self.tell_unreachable(true);
                            }
                            // One that had accepted the key and closes on hearing it again holds the old connection, or no
                            // longer wants it: both are refusals.
                            Err((enough && (!known || of_the_key)).then(|| CLOSED.to_owned()))
                        }
                        Opened::TimedOut => {
                            self.tell_unreachable(true);
                            Err(None)
                        }
                    };
                    match stage {
                        Ok(live) => live,
                        Err(Some(status)) => {
                            self.miss();
                            if self.is_final() {
                                return Some(status);
                            }
                            tracing::info!(host = self.target.host(), %status, "refused for now");
                            self.pause(HELD_RETRY);
                            continue;
                        }
                        Err(None) => {
                            let wait = if no_answer { PROBE_EACH } else { self.backoff.next_wait() };
                            self.pause(wait);
                            continue;
                        }
                    }
                }
            };
            let begun = Instant::now();
            let ended = self.publish(live, revived);
            if begun.elapsed() >= SHORT {
                self.backoff.reset();
            }
            match ended {
                Ended::Stop(live, deadline) => {
                    self.close(*live, deadline);
                    return None;
                }
                Ended::Stuck(live) => {
                    self.lose("nothing is acknowledged");
                    stuck = Some(live);
                }
                Ended::Late(live) => {
                    tracing::warn!(host = self.target.host(), room = self.room, "far too late; beginning anew with the present");
                    live.wire.abort();
                    self.figure(|f| (f.behind, f.way, f.delivered) = (Duration::ZERO, Duration::ZERO, 0));
                }
                Ended::Closed if begun.elapsed() < SHORT => {
                    self.lose("closed at once");
                    let wait = self.backoff.next_wait();
                    self.pause(wait);
                }
                // What lies between may have cut it as well: that is no refusal.
                Ended::Lost | Ended::Closed => {
                    self.lose("connection lost");
                    if begun.elapsed() < SHORT {
                        self.pause(PROBE_EACH);
                    }
                }
                Ended::Refused(status) => {
                    self.lose(&status);
                    if self.is_final() {
                        return Some(status);
                    }
                    let wait = if begun.elapsed() < SHORT { self.backoff.next_wait() } else { HELD_RETRY };
                    self.pause(wait.max(HELD_RETRY));
                }
            }
        }
    }

    /// It accepted its key in this show, by way of this sink or of one in a process before this.
    fn was_accepted(&self) -> bool {
        self.accepted || self.key_taken || self.target.was_accepted()
    }

    /// A refusal is final if this destination never accepted in this show, or has refused for too long since.
    fn is_final(&mut self) -> bool {
        if !self.was_accepted() || self.held.refused(Instant::now()) {
            return true;
        }
        if !self.is_resetting() && self.held.tell() {
            (self.on_event)(SinkEvent::Held);
        }
        false
    }

    /// It was we who gave the session up, a moment ago: the platform may not have noticed, and nobody has to hear of it yet.
    fn is_resetting(&self) -> bool {
        self.reset_at.is_some_and(|at| at.elapsed() < RESET_LIMIT)
    }

    /// Told as lost when there is no other session in time; where it was told before, or never accepted, this is nothing.
    fn miss(&mut self) {
        if !self.is_resetting() {
            self.lose("not accepted again after a reset");
        }
    }

    /// Once, and only before this sink was accepted: afterwards the loss has been told.
    fn tell_unreachable(&mut self, named: bool) {
        if !self.accepted && !std::mem::replace(&mut self.unreachable, true) {
            tracing::warn!(host = self.target.host(), named, "nobody answers");
            (self.on_event)(SinkEvent::Unreachable { named });
        }
    }

    fn lose(&mut self, why: &str) {
        if self.accepted && !self.lost {
            self.lost = true;
            tracing::warn!(host = self.target.host(), why, "destination lost");
            self.figure(|f| f.phase = LinkPhase::Reconnecting);
            (self.on_event)(SinkEvent::Lost);
        }
    }

    /// Waits while the feed goes on, until stopped.
    fn pause(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until && self.shared.stopping().is_none() {
            self.rest(TURN.min(until.saturating_duration_since(Instant::now())));
        }
    }

    fn rest(&mut self, time: Duration) {
        let until = Instant::now() + time;
        self.feed.absorb(time);
        // A closed queue gives nothing to wait for.
        std::thread::sleep(until.saturating_duration_since(Instant::now()).min(TURN));
        self.figure(|_| {});
    }

    fn ask_for_keyframe(&mut self) {
        if self.keyframe_asked.is_none_or(|at| at.elapsed() > AGE) {
            self.keyframe_asked = Some(Instant::now());
            (self.want_keyframe)();
        }
    }

    /// Media is being accepted, over a `new` connection or the old one.
    fn back(&mut self, new: bool) {
        let first = !std::mem::replace(&mut self.accepted, true);
        // Any of them was told, and wants its answer. Refusals without a loss: after a process that died.
        let was_bad = [&mut self.lost, &mut self.unreachable, &mut self.held.told].map(std::mem::take).contains(&true);
        (self.held, self.hang_ups, self.silences, self.asked_ahead) = (Held::default(), 0, 0, false);
        self.figure(|f| {
            f.phase = LinkPhase::Publishing;
            f.reconnects += u32::from(new && !first);
            if new {
                // Those of the session before say nothing of this one.
                (f.behind, f.way, f.delivered) = (Duration::ZERO, Duration::ZERO, 0);
            }
        });
        tracing::info!(host = self.target.host(), first, "destination accepts");
        if first {
            (self.on_event)(SinkEvent::Accepted);
        }
        if was_bad {
            (self.on_event)(SinkEvent::Back);
        }
    }

    fn figure(&self, change: impl FnOnce(&mut LinkFigures)) {
        let mut figures = self.shared.lock();
        figures.dropped = self.feed.dropped();
        change(&mut figures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusing_without_a_break_is_refusing_for_good() {
        let (mut held, start) = (Held::default(), Instant::now());
        let at = |s: u64| start + Duration::from_secs(s);
        assert!(!held.refused(at(0)) && held.tell());
        assert!(!held.refused(at(119)) && !held.tell(), "told once");
        held.interrupt();
        assert!(!held.refused(at(500)), "nobody answered in between");
        assert!(!held.refused(at(619)) && !held.tell());
        assert!(held.refused(at(620)), "two minutes of nothing but refusals");
    }
}
