//! A session that sends: packets, headers of another encoder, whether the link keeps up, the end.

use super::super::session::{News, ProtocolError, Session};
use super::super::socket::wait;
use super::live::{Live, OUT, Trouble};
use super::{AGE, LOOK_EACH, Link, TURN};
use crate::SinkEvent;
use stallcast_clock::failpoint;
use stallcast_media::{Packet, VideoConfig};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// Longest wait for a packet: pictures come more often, and with each the server's words are read too.
const QUIET: Duration = Duration::from_millis(50);
/// Bytes wait and none is acknowledged for this long: the peer or the link is gone. Less for a peer that no longer reads, so that
/// it is noticed within [`NOTICED`]; a session is kept all the same, in case that it moves again.
const STUCK: Duration = Duration::from_millis(3500);
const STUCK_LEAST: Duration = Duration::from_secs(2);
const NOTICED: Duration = Duration::from_millis(4700);
/// What the system of a peer that no longer reads goes on acknowledging: its receive buffer.
const PEER_BUFFER: u32 = 256 << 10;
/// As [`AGE`] for the first session: nothing of the show is left out.
const FIRST_AGE: Duration = Duration::from_millis(2500);
/// This much waiting is slow; well below it for a while is not. The way there does not count: no network is too slow for being far.
const SLOW: Duration = Duration::from_millis(1500);
const CALM: Duration = Duration::from_millis(500);
const CALM_FOR: Duration = Duration::from_secs(5);

/// The socket has held more than this of the show for so long, and no longer way explains it: what is in there cannot be dropped,
/// and would be that late for as long as the link is slow. A new connection begins with the present.
const LATE: Duration = Duration::from_secs(4);
const LATE_FOR: Duration = Duration::from_secs(2);
/// Least time between two of them: a platform is not to be hammered.
const RESET_EACH: Duration = Duration::from_secs(30);
/// What a stream takes and a link carries is measured over so long.
const MEASURED: Duration = Duration::from_secs(3);
/// Least kernel send buffer of a link that was too late.
const NARROW: usize = 32 << 10;

/// How a session ended.
pub(super) enum Ended {
    Lost,
    /// The server closed it.
    Closed,
    /// Nothing moves; the session is kept, in case it does again.
    Stuck(Box<Live>),
    /// It moves, and is far too late.
    Late(Box<Live>),
    Refused(String),
    Stop(Box<Live>, Instant),
}

/// For a stream of this rate, kbit/s. One so slow that its peer's buffer takes longer to fill is noticed that much later.
fn stuck_after(kbps: u32) -> Duration {
    let filling = Duration::from_secs_f64(f64::from(PEER_BUFFER) * 8.0 / 1000.0 / f64::from(kbps.max(1)));
    NOTICED.saturating_sub(filling).clamp(STUCK_LEAST, STUCK)
}

#[derive(Default)]
pub(super) struct Slow {
    told: bool,
    calm_since: Option<Instant>,
    dropped: u64,
    /// Since when far too much has been waiting in the socket, and what had been delivered then.
    late_since: Option<(Instant, u64)>,
    /// What it was given, at times at which it moved and nothing had to wait: a full link says nothing of the stream.
    given: VecDeque<(Instant, u64)>,
}

impl Slow {
    /// What the stream takes, kbit/s, as long as it could be sent; `None` before that is known.
    fn takes_kbps(&self) -> Option<u32> {
        let ((from, first), (to, last)) = (self.given.front()?, self.given.back()?);
        kbps(last.saturating_sub(*first), to.duration_since(*from))
    }

    /// The session moved, and had been given so much.
    fn moved(&mut self, now: Instant, given: u64) {
        self.given.push_back((now, given));
        while self.given.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= MEASURED) {
            self.given.pop_front();
        }
    }
}

/// `None` over less than a second.
fn kbps(bytes: u64, time: Duration) -> Option<u32> {
    let kbps = bytes as f64 * 8.0 / 1000.0 / time.as_secs_f64();
    (time >= Duration::from_secs(1)).then_some(kbps as u32)
}

impl<E: Fn(SinkEvent), K: Fn()> Link<E, K> {
    /// Sends packets until something ends it.
    pub(super) fn publish(&mut self, mut live: Box<Live>, revived: bool) -> Ended {
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
        let mut on_air = revived;
        let mut looked = Instant::now();
        live.quiet_since = looked;
        let nominal = self.config.video.kbps + self.config.audio.kbps;
        // What was told stays so until it is answered.
        self.slow = Slow { dropped: u64::MAX, told: self.slow.told, ..Slow::default() };
        loop {
            if let Some(deadline) = self.shared.stopping() {
                return Ended::Stop(live, deadline);
            }
            match live.receive() {
                Ok(Some(News::Refused(status))) => return Ended::Refused(status),
                Ok(_) => {}
                Err(trouble) => return self.broken(&trouble),
            }
            let mut patience = if live.wants_write() { Duration::ZERO } else { QUIET };
            // A picture and the sound that waited for it leave together.
            // Neither here nor in the kernel can anything be dropped.
            let most = self.room.map_or(OUT, |room| room.min(OUT));
            while live.pending() < most
                && let Some(packet) = self.feed.next(patience)
                && let Some(origin) = self.feed.origin()
            {
                patience = Duration::ZERO;
                if let Err(error) = self.follow_encoder(&mut live.session, &packet) {
                    return self.broken(&error.into());
                }
                if let Err(error) = live.give(&packet, origin) {
                    return self.broken(&error.into());
                }
            }
            if let Err(error) = live.send() {
                return self.broken(&error.into());
            }
            if !on_air && live.has_begun() {
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
                failpoint!("rtmp.look");
                if live.progress() && live.pending() == 0 && !live.wants_write() {
                    self.slow.moved(looked, live.given());
                }
                self.look(&mut live);
                let takes = self.slow.takes_kbps().unwrap_or(nominal).min(nominal);
                if live.quiet_since.elapsed() >= stuck_after(takes) {
                    return Ended::Stuck(live);
                }
                if self.gives_up(&live) {
                    return Ended::Late(live);
                }
            }
        }
    }

    /// Another encoder made this keyframe: its headers go before it, in the same publication.
    fn follow_encoder(&mut self, session: &mut Session, packet: &Packet) -> Result<(), ProtocolError> {
        match &packet.config {
            Some(config) if !self.config.video.decodes(config) => {
                self.config.video = VideoConfig::clone(config);
                session.headers(&self.config)
            }
            _ => Ok(()),
        }
    }

    fn broken(&self, trouble: &Trouble) -> Ended {
        match trouble {
            Trouble::Io(error) => tracing::info!(host = self.target.host(), %error, "connection ended"),
            Trouble::Protocol(error) => tracing::info!(host = self.target.host(), %error, "server not understood"),
        }
        match trouble {
            Trouble::Io(error) if error.kind() != ErrorKind::UnexpectedEof => Ended::Lost,
            Trouble::Io(_) | Trouble::Protocol(_) => Ended::Closed,
        }
    }

    /// Figures, and whether the link keeps up.
    fn look(&mut self, live: &mut Live) {
        let age = live.age();
        let behind = self.feed.span() + age;
        let way = live.way(behind);
        let queued = behind.saturating_sub(way);
        let late = age.saturating_sub(way) > LATE;
        self.slow.late_since = late.then(|| self.slow.late_since.unwrap_or_else(|| (Instant::now(), live.wire.delivered())));
        let sent = std::mem::take(&mut live.sent);
        self.figure(|f| {
            (f.behind, f.way) = (behind, way);
            f.delivered = live.wire.delivered();
            f.bytes_sent += sent;
        });
        if self.feed.waits_for_keyframe() {
            // Else the picture stands still until the next one is due.
            self.ask_for_keyframe();
        }
        let dropped = self.feed.dropped();
        let slow = queued > SLOW || dropped > self.slow.dropped;
        self.slow.dropped = dropped;
        if slow && !self.slow.told {
            self.slow.told = true;
            let (behind_ms, way_ms) = (behind.as_millis(), way.as_millis());
            tracing::warn!(host = self.target.host(), behind_ms, way_ms, dropped, "destination slow");
            (self.on_event)(SinkEvent::Slow);
        }
        if slow || queued > CALM {
            self.slow.calm_since = None;
        } else if self.slow.calm_since.get_or_insert_with(Instant::now).elapsed() >= CALM_FOR {
            if self.room.take().is_some() {
                live.wire.hold(self.usual_room());
            }
            if std::mem::take(&mut self.slow.told) {
                (self.on_event)(SinkEvent::CaughtUp);
            }
        }
    }

    /// Is it so late that it is given up? Then what it carries says how much its next socket may hold.
    fn gives_up(&mut self, live: &Live) -> bool {
        let Some((since, delivered)) = self.slow.late_since else { return false };
        let lasts = since.elapsed();
        if lasts < LATE_FOR || self.reset_at.is_some_and(|at| at.elapsed() < RESET_EACH) {
            return false;
        }
        let carried = kbps(live.wire.delivered().saturating_sub(delivered), lasts).unwrap_or(0);
        self.room = Some((carried as usize * 125).max(NARROW));
        self.reset_at = Some(Instant::now());
        true
    }

    /// Sends what waits, says that this is the end, and lets the server read it.
    pub(super) fn close(&mut self, mut live: Live, deadline: Instant) {
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
                && live.give(&packet, origin).is_err()
            {
                break;
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
            (f.behind, f.way) = (Duration::ZERO, Duration::ZERO);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_stream_fills_the_buffer_of_its_peer_slowly() {
        let noticed = |kbps: u32| stuck_after(kbps) + Duration::from_millis(u64::from(PEER_BUFFER * 8 / kbps));
        assert_eq!(stuck_after(2628), STUCK);
        for kbps in [780, 928, 1400, 1728, 2628, 6000] {
            assert!(noticed(kbps) <= Duration::from_millis(4800), "{:?} at {kbps} kbit/s", noticed(kbps));
        }
        assert_eq!([stuck_after(300), stuck_after(0)], [STUCK_LEAST; 2]);
    }

    #[test]
    fn what_a_stream_takes_is_known_from_the_time_in_which_it_moved() {
        let (mut slow, start) = (Slow::default(), Instant::now());
        assert_eq!(slow.takes_kbps(), None);
        for tenth in 0..=60 {
            slow.moved(start + Duration::from_millis(100 * tenth), 10_000 * tenth);
        }
        assert_eq!(slow.takes_kbps(), Some(800));
        // A still picture.
        for tenth in 61..=100 {
            slow.moved(start + Duration::from_millis(100 * tenth), 600_000 + 2_500 * (tenth - 60));
        }
        assert_eq!(slow.takes_kbps(), Some(200));
    }
}
