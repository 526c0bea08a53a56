//! A session on its socket.

use super::super::session::{News, ProtocolError, Session};
use super::super::wire::Wire;
use crate::way::Way;
use stallcast_media::{Packet, Pts, Track};
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Pictures on their way to the peer whose times are kept: more than any socket holds.
const MARKS: usize = 2048;
/// Serialized bytes beyond which no more are taken from the queue, where they can still be dropped.
pub(super) const OUT: usize = 64 << 10;

/// A session on its socket.
pub(super) struct Live {
    pub wire: Wire,
    pub session: Session,
    /// Bytes of `session.out` already given to the wire.
    at: usize,
    pub sent: u64,
    /// As `sent`, since the session began.
    passed: u64,
    /// Time 0 of this publication on the program's timeline.
    origin: Option<Pts>,
    /// The count of bytes up to the end of the first picture.
    first: Option<u64>,
    /// Of each picture that is not yet with the peer: the count of bytes up to its end, and when it is decoded.
    marks: VecDeque<(u64, Pts)>,
    /// What the peer had acknowledged when last looked at, and since when that has not grown.
    delivered: u64,
    pub quiet_since: Instant,
    way: Way,
}

impl Live {
    pub fn new(wire: Wire, session: Session) -> Self {
        Self {
            wire,
            session,
            at: 0,
            sent: 0,
            passed: 0,
            origin: None,
            first: None,
            marks: VecDeque::new(),
            delivered: 0,
            quiet_since: Instant::now(),
            way: Way::default(),
        }
    }

    pub fn pending(&self) -> usize {
        self.session.out.len() - self.at
    }

    /// Would a writable socket take something now?
    pub fn wants_write(&self) -> bool {
        self.wire.wants_write() || (self.pending() > 0 && !self.wire.is_handshaking())
    }

    /// Bytes that it was given to send since it began.
    pub const fn given(&self) -> u64 {
        self.passed + (self.session.out.len() - self.at) as u64
    }

    /// One packet to be sent. `origin` counts with the first one: time 0 of this publication.
    pub fn give(&mut self, packet: &Packet, origin: Pts) -> Result<(), ProtocolError> {
        let origin = *self.origin.get_or_insert(origin);
        self.session.packet(packet, origin)?;
        if packet.track == Track::Video {
            if self.marks.len() == MARKS {
                self.marks.pop_front();
            }
            self.first.get_or_insert(self.given());
            self.marks.push_back((self.given(), packet.dts));
        }
        Ok(())
    }

    /// Has its first picture been taken by the system? Not only when nothing waits, which on a narrow link is never.
    pub fn has_begun(&self) -> bool {
        self.first.is_some_and(|end| self.passed >= end)
    }

    /// How much older than the newest picture the oldest one is that is not yet with the peer.
    pub fn age(&mut self) -> Duration {
        let there = (self.passed + self.pending() as u64).saturating_sub(self.waiting());
        while self.marks.front().is_some_and(|(end, _)| *end <= there) {
            self.marks.pop_front();
        }
        match (self.marks.front(), self.marks.back()) {
            (Some((_, oldest)), Some((_, newest))) => Duration::from_nanos(u64::try_from(*newest - *oldest).unwrap_or(0)),
            _ => Duration::ZERO,
        }
    }

    /// How much of being `behind` now is the way there and back.
    pub fn way(&mut self, behind: Duration) -> Duration {
        self.way.look(Instant::now(), behind, self.wire.round_trip())
    }

    /// Gives the wire what it takes.
    pub fn send(&mut self) -> io::Result<()> {
        while self.at < self.session.out.len() {
            let taken = self.wire.write(&self.session.out[self.at..])?;
            if taken == 0 {
                break;
            }
            self.at += taken;
            self.sent += taken as u64;
            self.passed += taken as u64;
        }
        if self.at == self.session.out.len() {
            self.session.out.clear();
            self.at = 0;
        } else if self.at >= OUT {
            // A link that is never quite through: what it has taken must not pile up.
            self.session.out.drain(..self.at);
            self.at = 0;
        }
        self.wire.flush().map(drop)
    }

    pub fn receive(&mut self) -> Result<Option<News>, Trouble> {
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
    pub fn progress(&mut self) -> bool {
        let delivered = self.wire.delivered();
        let idle = !self.wants_write() && self.wire.unsent().unwrap_or(0) == 0;
        let moved = delivered > self.delivered;
        self.delivered = delivered;
        if moved || idle {
            self.quiet_since = Instant::now();
        }
        moved
    }

    /// Bytes that are not yet with the peer.
    fn waiting(&self) -> u64 {
        self.pending() as u64 + self.wire.waiting()
    }
}

/// Why a session is none.
pub(super) enum Trouble {
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

#[cfg(test)]
mod tests {
    use super::super::super::socket::{Dial, wait};
    use super::*;
    use crate::Target;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    const LIMIT: Duration = Duration::from_secs(10);

    /// A session on a socket with small buffers, and the other end of it.
    fn connected(scheme: &str) -> Option<(Live, TcpStream)> {
        let listener = TcpListener::bind("127.0.0.1:0").ok()?;
        rustix::net::sockopt::set_socket_recv_buffer_size(&listener, 32 << 10).ok()?;
        let address = listener.local_addr().ok()?;
        let dial = Dial::begin(address, 32 << 10).ok()?;
        let (peer, _) = listener.accept().ok()?;
        wait(&[(dial.stream(), true)], LIMIT).ok()?;
        let target = Target::parse("t", &format!("{scheme}://{address}/live"), Some("key")).ok()?;
        let wire = Wire::new(dial.finish().ok()?, &target).ok()?;
        Some((Live::new(wire, Session::new(target).ok()?), peer))
    }

    /// Of so many bytes, shown so many ms after the first.
    fn picture(ms: i64, bytes: usize) -> Packet {
        Packet {
            track: Track::Video,
            pts: Pts::from_ms(ms),
            dts: Pts::from_ms(ms),
            duration: 0,
            keyframe: ms == 0,
            disposable: false,
            payload: vec![0; bytes].into(),
            config: None,
        }
    }

    #[test]
    fn what_a_slow_link_has_taken_is_let_go() {
        let (mut live, mut peer) = connected("rtmp").expect("a connection");
        let mut chunk = [0; 16 << 10];
        // Never through with what it was given: more comes as soon as there is room for it.
        for _ in 0..400 {
            while live.pending() < OUT {
                live.session.out.extend_from_slice(&chunk);
            }
            live.send().expect("sent");
            assert!(live.session.out.len() <= 3 * OUT, "{} bytes are kept", live.session.out.len());
            assert!(peer.read(&mut chunk).expect("read") > 0);
        }
        assert!(live.sent > 4 << 20, "{} bytes went through", live.sent);
    }

    #[test]
    fn how_far_it_is_behind_does_not_depend_on_the_bitrate() {
        let (mut live, mut peer) = connected("rtmp").expect("a connection");
        for n in 0..200 {
            live.give(&picture(n * 100, 2000), Pts(0)).expect("given");
            live.send().expect("sent");
        }
        // The two ends hold less than half of 400 KB, which would be a second of a usual stream.
        let age = live.age();
        assert!(age > Duration::from_secs(10) && age < Duration::from_secs(20), "{age:?}");
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 16 << 10];
            while peer.read(&mut chunk).is_ok_and(|got| got > 0) {}
        });
        let until = Instant::now() + LIMIT;
        while live.age() > Duration::ZERO || live.waiting() > 0 {
            assert!(Instant::now() < until, "{:?} behind", live.age());
            live.send().expect("sent");
            wait(&[(live.wire.stream(), live.wants_write())], Duration::from_millis(10)).expect("a socket");
        }
        live.give(&picture(50_000, 2000), Pts(0)).expect("given");
        assert_eq!(live.age(), Duration::ZERO, "the newest one is not late, whatever came before");
        drop(live);
        assert!(reader.join().is_ok());
    }

    #[test]
    fn a_session_has_begun_with_its_first_picture_though_something_always_waits() {
        let (mut live, mut peer) = connected("rtmp").expect("a connection");
        live.give(&picture(0, 300_000), Pts(0)).expect("given");
        live.send().expect("sent");
        assert!(!live.has_begun(), "most of it waits here");
        let (mut chunk, mut read) = ([0; 16 << 10], 0);
        for n in 1.. {
            live.give(&picture(n * 33, 20_000), Pts(0)).expect("given");
            live.send().expect("sent");
            assert!(live.wants_write() && read < 400_000, "{read} bytes are there");
            if live.has_begun() {
                break;
            }
            read += peer.read(&mut chunk).expect("read");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn how_long_the_way_is_is_known_from_the_connection_on() {
        let (mut live, _peer) = connected("rtmp").expect("a connection");
        let way = live.way(Duration::from_secs(5));
        assert!(way > Duration::ZERO && way < Duration::from_millis(500), "{way:?}");
    }

    #[test]
    fn nothing_waits_for_the_socket_while_tls_waits_for_the_server() {
        let (mut live, _peer) = connected("rtmps").expect("a connection");
        live.send().expect("sent");
        assert!(live.pending() > 0, "RTMP comes after TLS");
        assert!(!live.wants_write(), "else the thread would spin until the server answers");
    }
}
