//! A session on its socket.

use super::super::session::{News, ProtocolError, Session};
use super::super::wire::Wire;
use stallcast_media::Pts;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Serialized bytes beyond which no more are taken from the queue, where they can still be dropped.
pub(super) const OUT: usize = 64 << 10;

/// A session on its socket.
pub(super) struct Live {
    pub wire: Wire,
    pub session: Session,
    /// Bytes of `session.out` already given to the wire.
    at: usize,
    pub sent: u64,
    /// Time 0 of this publication on the program's timeline.
    pub origin: Option<Pts>,
    /// What the peer had acknowledged when last looked at, and since when that has not grown.
    delivered: u64,
    pub quiet_since: Instant,
}

impl Live {
    pub fn new(wire: Wire, session: Session) -> Self {
        Self { wire, session, at: 0, sent: 0, origin: None, delivered: 0, quiet_since: Instant::now() }
    }

    pub fn pending(&self) -> usize {
        self.session.out.len() - self.at
    }

    /// Would a writable socket take something now?
    pub fn wants_write(&self) -> bool {
        self.wire.wants_write() || (self.pending() > 0 && !self.wire.is_handshaking())
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

    pub fn waiting(&self) -> u64 {
        self.pending() as u64 + self.wire.unsent().unwrap_or(0)
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
    fn nothing_waits_for_the_socket_while_tls_waits_for_the_server() {
        let (mut live, _peer) = connected("rtmps").expect("a connection");
        live.send().expect("sent");
        assert!(live.pending() > 0, "RTMP comes after TLS");
        assert!(!live.wants_write(), "else the thread would spin until the server answers");
    }
}
