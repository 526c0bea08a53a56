//! Whether a publication is back after an outage, by what stands in the ingest's files.
//!
//! That they grow proves nothing: what was sent before the outage waits in sockets on the way, and goes into the old recording
//! once the link is back, also when nobody publishes any more. Two things do prove it, and either counts:
//! - a picture in a recording that was begun since. An ingest begins one for each publication, and that takes words of both
//!   sides, none of which get through during an outage. This is how a publication comes back that had to be made anew.
//! - a picture in the old recording that over a healthy link would have come only now, so that nobody can have sent it before.
//!   Its own time stamp says so: how far those were ahead of this machine's clock is learnt while all is well. This is how a
//!   session comes back that survived, after what it still had to send.

use crate::flv::Tail;
use crate::ingest::Ingest;
use anyhow::ensure;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the files are looked at: the figure's own error.
const EACH: Duration = Duration::from_millis(5);
/// Seconds for which a publication is watched before its outage: a whole group of pictures, the largest and the smallest among them.
const LEARN_S: f64 = 2.0;
/// Seconds without a picture that an outage has had when it ends. Less would be none.
const SILENT_S: f64 = 0.5;

/// The recording that a publication goes into.
#[derive(Debug)]
struct Recording {
    path: PathBuf,
    tail: Tail,
    /// When the watch began: zero of this machine's clock.
    begun: Instant,
    first_s: Option<f64>,
    newest_s: f64,
    /// How far time stamps were ahead of the clock at most, seconds: of the pictures that came soonest.
    ahead_s: f64,
}

impl Recording {
    fn open(path: PathBuf) -> io::Result<Self> {
        let tail = Tail::open(&path)?;
        Ok(Self { path, tail, begun: Instant::now(), first_s: None, newest_s: 0.0, ahead_s: f64::NEG_INFINITY })
    }

    /// Takes what has come; true if something has.
    fn look(&mut self) -> io::Result<bool> {
        let new = self.tail.look()?;
        if let Some(newest) = new.last() {
            self.newest_s = newest.dts_s;
        }
        Ok(!new.is_empty())
    }

    /// The same while all is well; true when enough is known.
    fn learn(&mut self) -> io::Result<bool> {
        if self.look()? {
            self.ahead_s = self.ahead_s.max(self.newest_s - self.begun.elapsed().as_secs_f64());
            self.first_s.get_or_insert(self.newest_s);
        }
        let seen_s = self.first_s.map_or(0.0, |first| self.newest_s - first);
        Ok(seen_s >= LEARN_S && self.begun.elapsed().as_secs_f64() >= LEARN_S)
    }

    /// Seconds from when the newest picture should have come, at the soonest, to this instant.
    fn silent_s(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.begun).as_secs_f64() - (self.newest_s - self.ahead_s)
    }
}

/// A publication before its outage.
#[derive(Debug)]
pub struct Before {
    key: String,
    old: Recording,
}

impl Before {
    /// Watches it for two seconds, in which all must be well.
    ///
    /// # Errors
    /// Nothing is published under this key within the limit.
    pub fn outage(ingest: &Ingest, key: &str, limit: Duration) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut recording: Option<Recording> = None;
        loop {
            if let Some(path) = ingest.recordings(key).pop()
                && recording.as_ref().is_none_or(|known| known.path != path)
            {
                recording = Some(Recording::open(path)?);
            }
            if let Some(mut old) = recording.take() {
                if old.learn()? {
                    return Ok(Self { key: key.to_owned(), old });
                }
                recording = Some(old);
            }
            ensure!(begun.elapsed() < limit, "{key} is not published for {limit:?}: {}", ingest.log());
            std::thread::sleep(EACH);
        }
    }

    /// The outage ends: to be called just before what was broken is whole again.
    ///
    /// # Errors
    /// It was none: media came all the time, or a publication was made meanwhile.
    pub fn over(mut self, ingest: &Ingest) -> anyhow::Result<After> {
        let newest = ingest.recordings(&self.key).pop();
        self.old.look()?;
        let returned = Instant::now();
        ensure!(newest.as_ref() == Some(&self.old.path), "no outage: {} was published anew in it", self.key);
        ensure!(self.old.silent_s(returned) > SILENT_S, "no outage: pictures of {} came all the time", self.key);
        Ok(After { key: self.key, newest, old: Some(self.old), returned })
    }
}

/// A publication after its outage.
#[derive(Debug)]
pub struct After {
    key: String,
    /// The newest recording when the outage ended.
    newest: Option<PathBuf>,
    /// Where a session that survived goes on; `None` if there can be none.
    old: Option<Recording>,
    returned: Instant,
}

impl After {
    /// Who published died just now: only another publication counts.
    #[must_use]
    pub fn death(ingest: &Ingest, key: &str) -> Self {
        let returned = Instant::now();
        Self { key: key.to_owned(), newest: ingest.recordings(key).pop(), old: None, returned }
    }

    /// Has media been accepted since?
    ///
    /// # Errors
    /// A recording cannot be read.
    pub fn is_back(&mut self, ingest: &Ingest) -> anyhow::Result<bool> {
        // Their names end in the second in which they were begun, and so are in this order.
        for path in ingest.recordings(&self.key).iter().rev().take_while(|path| Some(*path) > self.newest.as_ref()) {
            if !Tail::open(path)?.look()?.is_empty() {
                return Ok(true);
            }
        }
        let Some(old) = &mut self.old else { return Ok(false) };
        old.look()?;
        Ok(old.silent_s(self.returned) < 0.0)
    }

    /// Waits until it has, and how long after the outage's end that was.
    ///
    /// # Errors
    /// The limit is over.
    pub fn wait(&mut self, ingest: &Ingest, limit: Duration) -> anyhow::Result<Duration> {
        while !self.is_back(ingest)? {
            ensure!(self.returned.elapsed() < limit, "{} is not back after {limit:?}: {}", self.key, ingest.log());
            std::thread::sleep(EACH);
        }
        Ok(self.returned.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault_proxy::{Fault, FaultProxy};
    use crate::ingest::{Occupant, publisher};

    const LIMIT: Duration = Duration::from_secs(30);
    /// How long the link is silent: enough for a lot to wait in its sockets.
    const OUTAGE: Duration = Duration::from_secs(2);
    /// Noise: pictures that take some bytes.
    const PICTURE: &str = "color=c=gray:s=160x120:r=30,noise=alls=30:allf=t";

    fn through(proxy: &FaultProxy) -> String {
        format!("{}/k", Ingest::url_at(proxy.address()))
    }

    #[test]
    fn what_was_sent_before_an_outage_is_no_comeback() -> anyhow::Result<()> {
        let ingest = Ingest::start()?;
        let proxy = FaultProxy::start(ingest.address())?;
        let publishing = Occupant(publisher(PICTURE, &through(&proxy)).spawn()?);
        let before = Before::outage(&ingest, "k", LIMIT)?;
        proxy.set(Fault::Stall);
        std::thread::sleep(OUTAGE);
        // It will never come back.
        drop(publishing);
        let mut dead = After::death(&ingest, "k");
        let mut after = before.over(&ingest)?;
        let received = ingest.received("k");
        proxy.set(Fault::Pass);
        // When its connection ends, everything that waited has been passed on.
        ingest.wait_publishing("k", false, LIMIT)?;
        ensure!(ingest.received("k") > received + 2_000, "nothing waited, so this shows nothing");
        ensure!(!after.is_back(&ingest)?, "{after:?}");
        ensure!(!dead.is_back(&ingest)?, "{dead:?}");

        // Somebody else does.
        let _again = Occupant(publisher(PICTURE, &through(&proxy)).spawn()?);
        after.wait(&ingest, LIMIT)?;
        dead.wait(&ingest, LIMIT)?;
        ensure!(ingest.recordings("k").len() == 2, "in a recording of its own");
        Ok(())
    }

    #[test]
    fn a_session_that_survives_is_back_with_what_was_made_since() -> anyhow::Result<()> {
        let ingest = Ingest::start()?;
        let proxy = FaultProxy::start(ingest.address())?;
        let _publishing = Occupant(publisher(PICTURE, &through(&proxy)).spawn()?);
        let before = Before::outage(&ingest, "k", LIMIT)?;
        let newest_s = before.old.newest_s;
        proxy.set(Fault::Stall);
        std::thread::sleep(OUTAGE);
        let mut after = before.over(&ingest)?;
        ensure!(!after.is_back(&ingest)?, "{after:?}");
        proxy.set(Fault::Pass);
        after.wait(&ingest, LIMIT)?;
        ensure!(ingest.recordings("k").len() == 1, "it is the same session");
        let gone_s = after.old.map_or(0.0, |old| old.newest_s - newest_s);
        ensure!(gone_s > OUTAGE.as_secs_f64() - 0.2, "{gone_s} s after the outage began: what had waited was taken for new");
        Ok(())
    }

    #[test]
    fn a_link_that_was_never_gone_is_no_outage() -> anyhow::Result<()> {
        let ingest = Ingest::start()?;
        let _publishing = Occupant(publisher(PICTURE, &format!("{}/k", ingest.url())).spawn()?);
        let before = Before::outage(&ingest, "k", LIMIT)?;
        ensure!(before.over(&ingest).is_err());
        Ok(())
    }
}
