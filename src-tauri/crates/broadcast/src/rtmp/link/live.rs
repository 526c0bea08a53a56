//! A session on its socket.

use super::super::session::{News, ProtocolError, Session};
use super::super::wire::Wire;
use stallcast_media::Pts;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

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

    pub fn wants_write(&self) -> bool {
        self.pending() > 0 || self.wire.wants_write()
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
