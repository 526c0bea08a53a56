use super::feed::Feed;
use super::resolve::Resolver;
use super::session::{News, ProtocolError, Session, Stage};
use super::socket::{Dial, wait};
use super::wire::{Wire, is_distrust};
use crate::{LinkFigures, LinkPhase, SinkEvent, Target};
use stallcast_clock::Backoff;
use stallcast_media::queue::PacketQueue;
use stallcast_media::{Pts, StreamConfig, Track};
use std::io;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait of the thread for anything: how late it notices a stop or a server's word.
const TURN: Duration = Duration::from_millis(20);
/// A fresh connection is tried this often: TCP's own retries grow apart, ours must not.
const PROBE_EACH: Duration = Duration::from_millis(500);
/// The older of two tries gets this long, for hosts that are slow to answer.
const DIAL: Duration = Duration::from_secs(5);
/// From a TCP connection to `NetStream.Publish.Start`.
const SETUP: Duration = Duration::from_secs(8);
/// Bytes wait and none is acknowledged for this long: the peer or the link is gone.
const STUCK: Duration = Duration::from_millis(3500);
/// A keyframe this old is still a good beginning: for the first session nothing of the show is left out, a later one
/// begins near the present.
const FIRST_AGE: Duration = Duration::from_millis(2500);
const AGE: Duration = Duration::from_secs(1);
/// Once it was accepted, a platform may hold the old connection for this long and refuse the new one.
const HELD: Duration = Duration::from_secs(120);
const HELD_RETRY: Duration = Duration::from_secs(1);
/// A session shorter than this ended by the server's will: do not hammer it.
const SHORT: Duration = Duration::from_secs(5);
/// Serialized bytes beyond which no more are taken from the queue, where they can still be dropped.
const OUT: usize = 64 << 10;
/// Least kernel send buffer; else one second of the stream.
const SEND_BUFFER: usize = 128 << 10;
/// Figures and health are looked at this often.
const LOOK_EACH: Duration = Duration::from_millis(100);
/// Behind by this much is slow; well below it for a while is not.
const SLOW: Duration = Duration::from_millis(1500);
const CALM: Duration = Duration::from_millis(500);
const CALM_FOR: Duration = Duration::from_secs(5);

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

/// A session on its socket.
struct Live {
    wire: Wire,
    session: Session,
    /// Bytes of `session.out` already given to the wire.
    at: usize,
    sent: u64,
    /// Time 0 of this publication on the program's timeline.
    origin: Option<Pts>,
    /// What the peer had acknowledged when last looked at, and since when that has not grown.
    delivered: u64,
    quiet_since: Instant,
}

impl Live {
    fn new(wire: Wire, session: Session) -> Self {
        Self { wire, session, at: 0, sent: 0, origin: None, delivered: 0, quiet_since: Instant::now() }
    }

    fn pending(&self) -> usize {
        self.session.out.len() - self.at
    }

    fn wants_write(&self) -> bool {
        self.pending() > 0 || self.wire.wants_write()
    }

    /// Gives the wire what it takes.
    fn send(&mut self) -> io::Result<()> {
        while self.at < self.session.out.len() {
            let taken = self.wire.write(&self.session.out[self.at..])?;
            if taken == 0 {
                break;
            }
            self.at += taken;
            self.sent += taken as u64;
        }
        if self.at == self.session.out.len() {
            self.session.out.clear();
            self.at = 0;
        }
        self.wire.flush().map(drop)
    }

    fn receive(&mut self) -> Result<Option<News>, Trouble> {
        let mut bytes = vec![];
        let read = self.wire.read(&mut bytes);
        // A server's bytes are a stranger's: a fault in reading them ends this session, not the show.
        let session = &mut self.session;
        let news = catch_unwind(AssertUnwindSafe(|| session.input(&bytes))).unwrap_or_else(|_| Err(ProtocolError::fault()))?;
        if news.is_none() {
            read?;
        }
        Ok(news)
    }

    /// Has the peer taken anything since the last look, or nothing to take?
    fn progress(&mut self) -> bool {
        let delivered = self.wire.delivered();
        let idle = !self.wants_write() && self.wire.unsent().unwrap_or(0) == 0;
        let moved = delivered > self.delivered;
        self.delivered = delivered;
        if moved || idle {
            self.quiet_since = Instant::now();
        }
        moved
    }

    fn waiting(&self) -> u64 {
        self.pending() as u64 + self.wire.unsent().unwrap_or(0)
    }
}

/// Why a session is none.
enum Trouble {
    Io(io::Error),
    Protocol(ProtocolError),
}

impl From<io::Error> for Trouble {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<ProtocolError> for Trouble {
    fn from(e: ProtocolError) -> Self {
        Self::Protocol(e)
    }
}

/// How looking for a connection ended.
enum Dialed {
    Connected(TcpStream),
    /// The session that was stuck moves again.
    Revived(Box<Live>),
    Stop,
}

/// How setting up a session ended.
enum Opened {
    Live(Box<Live>),
    Refused(String),
    /// The server closed, or does not speak RTMP, at this stage.
    HungUp(Stage),
    TimedOut,
    NotTrusted,
    Stop,
}

/// How a session ended.
enum Ended {
    Lost,
    /// Nothing moves; the session is kept, in case it does again.
    Stuck(Box<Live>),
    Refused(String),
    Stop(Box<Live>, Instant),
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
    /// Media was accepted once in this show.
    accepted: bool,
    /// A loss was told and no return yet.
    lost: bool,
    keyframe_asked: Option<Instant>,
    /// Since when the platform refuses what it had accepted.
    held_since: Option<Instant>,
    /// Times in a row that the server hung up without a word.
    hang_ups: u32,
    slow: Slow,
}

#[derive(Default)]
struct Slow {
    told: bool,
    calm_since: Option<Instant>,
    dropped: u64,
}

impl<E: Fn(SinkEvent), K: Fn()> Link<E, K> {
    pub fn new(target: Target, config: StreamConfig, queue: PacketQueue, shared: Arc<Shared>, on_event: E, want_keyframe: K) -> Self {
        let priming = Pts::from_ticks(i64::from(config.audio.priming), config.audio.rate);
        let resolver = Resolver::new(target.host(), target.port());
        // Any number that differs between destinations.
        let seed =
            target.id().bytes().chain(target.host().bytes()).fold(u64::from(std::process::id()), |s, b| s.wrapping_mul(31) + u64::from(b));
        Self {
            feed: Feed::new(queue, priming),
            shared,
            resolver,
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(5), seed),
            on_event,
            want_keyframe,
            accepted: false,
            lost: false,
            keyframe_asked: None,
            held_since: None,
            hang_ups: 0,
            slow: Slow::default(),
            target,
            config,
        }
    }

    pub fn run(mut self) {
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
                    if let Some(Live { wire, .. }) = stuck.take().map(|l: Box<Live>| *l) {
                        wire.abort();
                    }
                    let stage = match self.open(stream) {
                        Opened::Live(live) => Ok(live),
                        Opened::Stop => return None,
                        Opened::NotTrusted => Err(Some(NOT_TRUSTED.to_owned())),
                        Opened::Refused(status) => Err(Some(status)),
                        Opened::HungUp(stage) => {
                            self.hang_ups += 1;
                            // Some platforms answer a bad key by closing: three times just then is a no.
                            let most = if stage >= Stage::Publish { 3 } else { 6 };
                            Err((!self.accepted && self.hang_ups >= most).then(|| CLOSED.to_owned()))
                        }
                        Opened::TimedOut => Err(None),
                    };
                    match stage {
                        Ok(live) => (live, false),
                        Err(Some(status)) => {
                            if self.is_final() {
                                return Some(status);
                            }
                            tracing::info!(host = self.target.host(), %status, "refused for now");
                            self.pause(HELD_RETRY);
                            continue;
                        }
                        Err(None) => {
                            let wait = self.backoff.next_wait();
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
                Ended::Lost if begun.elapsed() < SHORT => {
                    self.lose("connection lost at once");
                    let wait = self.backoff.next_wait();
                    self.pause(wait);
                }
                Ended::Lost => self.lose("connection lost"),
                Ended::Refused(status) => {
                    self.lose(&status);
                    if self.is_final() {
                        return Some(status);
                    }
                    self.pause(HELD_RETRY);
                }
            }
        }
    }

    /// A refusal is final if this destination never accepted in this show, or has refused for too long since.
    fn is_final(&mut self) -> bool {
        !self.accepted || self.held_since.get_or_insert_with(Instant::now).elapsed() >= HELD
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

    /// Looks for a TCP connection, for ever: one fresh try each [`PROBE_EACH`], at most two at once.
    fn dial(&mut self, stuck: &mut Option<Box<Live>>) -> Dialed {
        let kbps = self.config.video.kbps + self.config.audio.kbps;
        let buffer = usize::try_from(kbps).map_or(SEND_BUFFER, |kbps| (kbps * 125).max(SEND_BUFFER));
        let mut dials: Vec<Dial> = vec![];
        let mut probed: Option<Instant> = None;
        loop {
            if self.shared.stopping().is_some() {
                return Dialed::Stop;
            }
            dials.retain(|d| d.since.elapsed() < DIAL);
            if probed.is_none_or(|at| at.elapsed() >= PROBE_EACH)
                && let Some(address) = self.resolver.next()
            {
                probed = Some(Instant::now());
                // The older one is the patient one.
                dials.truncate(1);
                match Dial::begin(address, buffer) {
                    Ok(dial) => dials.push(dial),
                    Err(error) => tracing::debug!(host = self.target.host(), %error, "no way there"),
                }
            }
            self.feed.absorb(Duration::ZERO);
            self.figure(|_| {});

            let mut sockets: Vec<(&TcpStream, bool)> = dials.iter().map(|d| (d.stream(), true)).collect();
            if let Some(live) = stuck {
                sockets.push((live.wire.stream(), live.wants_write()));
            }
            if sockets.is_empty() {
                self.feed.absorb(TURN);
                continue;
            }
            let Ok(ready) = wait(&sockets, TURN) else {
                dials.clear();
                continue;
            };
            if let Some(mut live) = stuck.take() {
                let alive = live.send().is_ok() && matches!(live.receive(), Ok(None));
                if alive && live.progress() {
                    return Dialed::Revived(live);
                }
                *stuck = alive.then_some(live);
            }
            for at in (0..dials.len()).rev().filter(|at| ready.get(*at) == Some(&true)).collect::<Vec<_>>() {
                match dials.remove(at).finish() {
                    Ok(stream) => return Dialed::Connected(stream),
                    Err(error) => tracing::debug!(host = self.target.host(), %error, "not reached"),
                }
            }
        }
    }

    /// TLS, handshake, connect, publish.
    fn open(&mut self, stream: TcpStream) -> Opened {
        let until = Instant::now() + SETUP;
        if self.accepted && self.feed.keyframe_age().is_none_or(|age| age > AGE / 2) {
            // It takes the encoder as long as it takes us to publish.
            self.ask_for_keyframe();
        }
        let session = Session::new(self.target.clone()).map_err(Trouble::Protocol);
        let live = session.and_then(|session| Ok(Live::new(Wire::new(stream, &self.target)?, session)));
        let mut live = match live {
            Ok(live) => live,
            Err(trouble) => return self.failed(&trouble, Stage::Handshake),
        };
        loop {
            if self.shared.stopping().is_some() {
                return Opened::Stop;
            }
            if Instant::now() >= until {
                tracing::info!(host = self.target.host(), stage = ?live.session.stage(), "no answer in time");
                return Opened::TimedOut;
            }
            match live.receive() {
                Ok(Some(News::Live)) => return Opened::Live(Box::new(live)),
                Ok(Some(News::Refused(status))) => return Opened::Refused(status),
                Ok(None) => {}
                Err(trouble) => return self.failed(&trouble, live.session.stage()),
            }
            if let Err(error) = live.send() {
                return self.failed(&error.into(), live.session.stage());
            }
            self.feed.absorb(Duration::ZERO);
            self.figure(|_| {});
            if let Err(error) = wait(&[(live.wire.stream(), live.wants_write())], TURN) {
                return self.failed(&error.into(), live.session.stage());
            }
        }
    }

    fn failed(&self, trouble: &Trouble, stage: Stage) -> Opened {
        let host = self.target.host();
        match trouble {
            Trouble::Io(error) if is_distrust(error) => {
                tracing::warn!(host, %error, "certificate not trusted");
                return Opened::NotTrusted;
            }
            Trouble::Io(error) => tracing::info!(host, ?stage, %error, "server hung up"),
            Trouble::Protocol(error) => tracing::info!(host, ?stage, %error, "server not understood"),
        }
        Opened::HungUp(stage)
    }

    fn ask_for_keyframe(&mut self) {
        if self.keyframe_asked.is_none_or(|at| at.elapsed() > AGE) {
            self.keyframe_asked = Some(Instant::now());
            (self.want_keyframe)();
        }
    }

    /// Sends packets until something ends it.
    fn publish(&mut self, mut live: Box<Live>, revived: bool) -> Ended {
        if !self.feed.begin(if self.accepted { AGE } else { FIRST_AGE }) {
            self.ask_for_keyframe();
        }
        if revived {
            self.back(false);
        } else {
            live.sent = 0;
            if live.session.headers(&self.config).is_err() {
                return Ended::Lost;
            }
        }
        let (mut given, mut on_air) = (revived, revived);
        let mut looked = Instant::now();
        live.quiet_since = looked;
        self.slow = Slow { dropped: u64::MAX, ..Slow::default() };
        loop {
            if let Some(deadline) = self.shared.stopping() {
                return Ended::Stop(live, deadline);
            }
            match live.receive() {
                Ok(Some(News::Refused(status))) => return Ended::Refused(status),
                Ok(_) => {}
                Err(trouble) => return self.broken(&trouble),
            }
            if live.pending() < OUT {
                let patience = if live.wants_write() { Duration::ZERO } else { TURN };
                if let Some(packet) = self.feed.next(patience)
                    && let Some(origin) = self.feed.origin()
                {
                    given |= packet.track == Track::Video;
                    let origin = *live.origin.get_or_insert(origin);
                    if let Err(error) = live.session.packet(&packet, origin) {
                        return self.broken(&error.into());
                    }
                }
            }
            if let Err(error) = live.send() {
                return self.broken(&error.into());
            }
            if given && !on_air && !live.wants_write() {
                on_air = true;
                self.back(true);
            }
            if live.wants_write()
                && let Err(error) = wait(&[(live.wire.stream(), true)], TURN)
            {
                return self.broken(&error.into());
            }
            if looked.elapsed() >= LOOK_EACH {
                looked = Instant::now();
                live.progress();
                self.look(&mut live);
                if live.quiet_since.elapsed() >= STUCK {
                    return Ended::Stuck(live);
                }
            }
        }
    }

    fn broken(&self, trouble: &Trouble) -> Ended {
        match trouble {
            Trouble::Io(error) => tracing::info!(host = self.target.host(), %error, "connection ended"),
            Trouble::Protocol(error) => tracing::info!(host = self.target.host(), %error, "server not understood"),
        }
        Ended::Lost
    }

    /// Media is being accepted, over a `new` connection or the old one.
    fn back(&mut self, new: bool) {
        let first = !std::mem::replace(&mut self.accepted, true);
        let was_lost = std::mem::replace(&mut self.lost, false);
        (self.held_since, self.hang_ups) = (None, 0);
        self.figure(|f| {
            f.phase = LinkPhase::Publishing;
            f.reconnects += u32::from(new && !first);
        });
        tracing::info!(host = self.target.host(), first, "destination accepts");
        if first {
            (self.on_event)(SinkEvent::Accepted);
        } else if was_lost {
            (self.on_event)(SinkEvent::Back);
        }
    }

    /// Figures, and whether the link keeps up.
    fn look(&mut self, live: &mut Live) {
        let bytes_per_s = u64::from(self.config.video.kbps + self.config.audio.kbps).max(1) * 125;
        let behind = self.feed.span() + Duration::from_millis(live.waiting() * 1000 / bytes_per_s);
        let sent = std::mem::take(&mut live.sent);
        self.figure(|f| {
            f.behind = behind;
            f.delivered = live.wire.delivered();
            f.bytes_sent += sent;
        });
        let dropped = self.feed.dropped();
        let slow = behind > SLOW || dropped > self.slow.dropped;
        self.slow.dropped = dropped;
        if slow && !self.slow.told {
            self.slow.told = true;
            tracing::warn!(host = self.target.host(), behind_ms = behind.as_millis(), dropped, "destination slow");
            (self.on_event)(SinkEvent::Slow);
        }
        if slow || behind > CALM {
            self.slow.calm_since = None;
        } else if self.slow.calm_since.get_or_insert_with(Instant::now).elapsed() >= CALM_FOR {
            self.slow.told = false;
        }
    }

    fn figure(&self, change: impl FnOnce(&mut LinkFigures)) {
        let mut figures = self.shared.lock();
        figures.dropped = self.feed.dropped();
        change(&mut figures);
    }

    /// Sends what waits, says that this is the end, and lets the server read it.
    fn close(&mut self, mut live: Live, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let drain_until = deadline - left / 3;
        let mut goodbye = false;
        while Instant::now() < deadline {
            if !goodbye && (self.feed.is_finished() || Instant::now() >= drain_until) {
                goodbye = true;
                if live.session.close().is_err() {
                    break;
                }
            }
            if !goodbye
                && live.pending() < OUT
                && let (Some(packet), Some(origin)) = (self.feed.next(Duration::ZERO), self.feed.origin())
            {
                let origin = *live.origin.get_or_insert(origin);
                if live.session.packet(&packet, origin).is_err() {
                    break;
                }
            }
            if live.send().is_err() || live.receive().is_err() {
                break;
            }
            if !live.wants_write() && goodbye && live.wire.unsent().unwrap_or(0) == 0 {
                live.wire.shutdown();
                break;
            }
            let nap = deadline.saturating_duration_since(Instant::now()).min(TURN / 4);
            let _ = wait(&[(live.wire.stream(), live.wants_write())], nap);
        }
        let sent = live.sent;
        self.figure(|f| {
            f.bytes_sent += sent;
            f.behind = Duration::ZERO;
        });
    }
}
