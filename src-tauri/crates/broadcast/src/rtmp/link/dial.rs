//! From nothing to a session that may send: TCP, TLS, handshake, connect, publish.

use super::super::session::{News, Session, Stage};
use super::super::socket::{Dial, wait};
use super::super::wire::{Wire, is_distrust};
use super::live::{Live, Trouble};
use super::{AGE, Link, PROBE_EACH, TURN};
use crate::SinkEvent;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The older of two tries gets this long, for hosts that are slow to answer.
const DIAL: Duration = Duration::from_secs(5);
/// Nobody has answered for this long: worth a word, while the tries go on.
const UNREACHABLE: Duration = Duration::from_secs(3);
/// From a TCP connection to `NetStream.Publish.Start`.
const SETUP: Duration = Duration::from_secs(8);
/// A server that had accepted and does not say a word for this long is not there: what took the connection stands before
/// it, or the link went again. TCP would try again ever less often, a fresh connection does not.
const ANSWER: Duration = Duration::from_secs(2);
/// A server that answers again may go on with the session that was stuck: that one has so long to move before it is given up.
const GIVES_WAY: Duration = Duration::from_millis(250);
/// Each so manyth time in a row that gets all of [`SETUP`]: it may only be slow.
const PATIENT_EACH: u32 = 4;
/// Least kernel send buffer; else one second of the stream.
const SEND_BUFFER: usize = 128 << 10;

/// How looking for a connection ended.
pub(super) enum Dialed {
    Connected(TcpStream),
    /// The session that was stuck moves again.
    Revived(Box<Live>),
    Stop,
}

/// How setting up a session ended.
pub(super) enum Opened {
    Live(Box<Live>),
    /// The session that was stuck moves again, before this one was answered.
    Revived(Box<Live>),
    Refused(String),
    /// The server closed, or does not speak RTMP, at this stage.
    HungUp(Stage),
    /// What took the connection closed it without a word: a balancer before a server that is not there.
    NobodyBehind,
    TimedOut,
    NotTrusted,
    Stop,
}

/// A stuck session that moves again; else the same session, if it is still one.
fn revived(mut live: Box<Live>) -> Result<Box<Live>, Option<Box<Live>>> {
    let alive = live.send().is_ok() && matches!(live.receive(), Ok(None));
    if alive && live.progress() { Ok(live) } else { Err(alive.then_some(live)) }
}

impl<E: Fn(SinkEvent), K: Fn()> Link<E, K> {
    /// Looks for a TCP connection, for ever: one fresh try each [`PROBE_EACH`], at most two at once.
    pub(super) fn dial(&mut self, stuck: &mut Option<Box<Live>>) -> Dialed {
        let buffer = self.room.unwrap_or_else(|| self.usual_room());
        let mut dials: Vec<Dial> = vec![];
        let mut probed: Option<Instant> = None;
        let begun = Instant::now();
        loop {
            if begun.elapsed() >= UNREACHABLE {
                self.tell_unreachable(probed.is_some());
                self.held.interrupt();
            }
            self.miss();
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
            if let Some(live) = stuck.take() {
                match revived(live) {
                    Ok(live) => return Dialed::Revived(live),
                    Err(live) => *stuck = live,
                }
            }
            for at in (0..dials.len()).rev().filter(|at| ready.get(*at) == Some(&true)).collect::<Vec<_>>() {
                match dials.remove(at).finish() {
                    Ok(stream) => return Dialed::Connected(stream),
                    Err(error) => tracing::debug!(host = self.target.host(), %error, "not reached"),
                }
            }
        }
    }

    /// Kernel send buffer of a link that carries the stream, bytes.
    pub(super) fn usual_room(&self) -> usize {
        let kbps = self.config.video.kbps + self.config.audio.kbps;
        usize::try_from(kbps).map_or(SEND_BUFFER, |kbps| (kbps * 125).max(SEND_BUFFER))
    }

    /// TLS, handshake, connect, publish. A session that is `stuck` is given up when a server answers here: what takes a connection
    /// may be its system alone, while it is frozen. Before it is asked to publish, because it may take one publisher only.
    pub(super) fn open(&mut self, stream: TcpStream, stuck: &mut Option<Box<Live>>) -> Opened {
        let until = Instant::now() + SETUP;
        let in_a_hurry = self.was_accepted() && !(self.silences + 1).is_multiple_of(PATIENT_EACH);
        let (mut heard, mut heard_at) = (0, Instant::now());
        let mut answered_at = None;
        let session = Session::new(self.target.clone()).map_err(Trouble::Protocol);
        let live = session.and_then(|session| Ok(Live::new(Wire::new(stream, &self.target)?, session)));
        let mut live = match live {
            Ok(live) => live,
            Err(trouble) => return self.failed(&trouble, Stage::Handshake, 0),
        };
        loop {
            if self.shared.stopping().is_some() {
                return Opened::Stop;
            }
            let silent = in_a_hurry && live.session.stage() == Stage::Handshake && heard_at.elapsed() >= ANSWER;
            if silent || Instant::now() >= until {
                self.silences += 1;
                tracing::info!(host = self.target.host(), stage = ?live.session.stage(), "no answer in time");
                return Opened::TimedOut;
            }
            let answered = live.session.stage() > Stage::Handshake;
            if let Some(old) = stuck.take() {
                match revived(old) {
                    Ok(old) => return Opened::Revived(old),
                    Err(Some(old)) if answered && answered_at.get_or_insert_with(Instant::now).elapsed() >= GIVES_WAY => old.wire.abort(),
                    Err(old) => *stuck = old,
                }
            }
            let gives_way = answered && stuck.is_some();
            if !gives_way {
                match live.receive() {
                    Ok(Some(News::Live)) => return Opened::Live(Box::new(live)),
                    Ok(Some(News::Refused(status))) => return Opened::Refused(status),
                    Ok(None) => {}
                    Err(trouble) => return self.failed(&trouble, live.session.stage(), live.wire.said()),
                }
            }
            self.miss();
            if live.wire.heard() != heard {
                (heard, heard_at) = (live.wire.heard(), Instant::now());
            }
            if live.session.stage() >= Stage::Create {
                self.ask_ahead();
            }
            if let Err(error) = live.send() {
                return self.failed(&error.into(), live.session.stage(), live.wire.said());
            }
            self.figure(|_| {});
            if gives_way {
                self.feed.absorb(TURN / 4);
                continue;
            }
            self.feed.absorb(Duration::ZERO);
            if let Err(error) = wait(&[(live.wire.stream(), live.wants_write())], TURN) {
                return self.failed(&error.into(), live.session.stage(), live.wire.said());
            }
        }
    }

    /// It takes the encoder as long as it takes us to publish: by then there is a keyframe. Only where a server answers,
    /// and once until it accepts: every destination gets these keyframes.
    fn ask_ahead(&mut self) {
        if self.accepted && !self.asked_ahead && self.feed.keyframe_age().is_none_or(|age| age > AGE / 2) {
            self.asked_ahead = true;
            self.ask_for_keyframe();
        }
    }

    /// `said`: bytes of RTMP that came from the server.
    fn failed(&self, trouble: &Trouble, stage: Stage, said: u64) -> Opened {
        let host = self.target.host();
        // Anything but words of its own: what it says is not TLS.
        let closed = matches!(trouble, Trouble::Io(error) if error.kind() != ErrorKind::InvalidData);
        match trouble {
            Trouble::Io(error) if is_distrust(error) => {
                tracing::warn!(host, %error, "certificate not trusted");
                return Opened::NotTrusted;
            }
            Trouble::Io(error) => tracing::info!(host, ?stage, %error, "server hung up"),
            Trouble::Protocol(error) => tracing::info!(host, ?stage, %error, "server not understood"),
        }
        if closed && said == 0 { Opened::NobodyBehind } else { Opened::HungUp(stage) }
    }
}
