//! What sinks and encoders tell a show, and what it makes of it: state, health, the next file.

use super::{Decider, Show};
use crate::encode::Sink;
use crate::hub::Subject;
use crate::relay::Replaced;
use crate::timing;
use stallcast_broadcast::{FileEvent, Refusal, SinkEvent};
use stallcast_media::{Health, HealthCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

/// News of sinks that may wait. They are emptied ten times a second; what does not fit is counted and logged.
pub(super) const NEWS: usize = 256;

/// Which sink speaks, and when, ms UTC.
#[derive(Debug)]
pub(super) struct News {
    at_ms: i64,
    at: Instant,
    from: Origin,
}

#[derive(Debug)]
pub(super) enum Origin {
    Link { index: usize, event: SinkEvent },
    Recording { path: PathBuf, event: FileEvent },
    Clean { path: PathBuf, event: FileEvent },
    Hls { event: FileEvent },
    Encoder(Replaced),
}

/// Where sinks put their news.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    pub(super) news: SyncSender<News>,
    pub(super) lost: Arc<AtomicU64>,
}

impl Teller {
    pub(super) fn tell(&self, from: Origin) {
        if self.news.try_send(News { at_ms: timing::utc_ms(), at: Instant::now(), from }).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Show {
    pub(super) fn take_news(&mut self) {
        while let Ok(News { at_ms, at, from }) = self.news.try_recv() {
            match from {
                Origin::Link { index, event } => self.take_link(index, event, at_ms, at),
                Origin::Recording { path, event } => self.take_recording(&path, event, at_ms, at),
                Origin::Clean { path, event } => self.clean.take(&path, event, self.recording.is_some()),
                Origin::Hls { event } => self.take_hls(event, at_ms, at),
                Origin::Encoder(replaced) => self.take_replaced(replaced),
            }
        }
        self.tell_crashes();
    }

    /// A sink that writes files goes on after a crash of its thread, in the next part or behind a seam.
    fn tell_crashes(&self) {
        let (mut record, mut hls) = (0, 0);
        self.outlets.for_each(|sink| match sink {
            Sink::Recording(sink) => record += sink.take_crashes(),
            Sink::Hls(sink) => hls += sink.take_crashes(),
            Sink::Rtmp(_) => {}
        });
        for (part, crashes) in [("record", record), ("hls", hls)] {
            (0..crashes).for_each(|_| self.hub.part_restarted(part));
        }
    }

    /// The sinks read it from the packets; here it is for those that come later, and for people.
    fn take_replaced(&mut self, replaced: Replaced) {
        let Replaced { from, to, config, hung } = replaced;
        self.encoders.distrust(from);
        self.config.video = config;
        self.encoder = to;
        let code = if hung { HealthCode::EncoderHung } else { HealthCode::EncoderReplaced };
        self.hub.health(Health::new(code).with("from", from).with("to", to));
    }

    fn take_link(&mut self, index: usize, event: SinkEvent, at_ms: i64, at: Instant) {
        let Some(link) = self.links.get(index) else { return };
        let health = |code| Health::new(code).with("host", &link.host).with("id", &link.id);
        let health = match event {
            SinkEvent::Accepted => None,
            SinkEvent::Lost => Some(health(HealthCode::DestinationLost)),
            SinkEvent::Back => Some(health(HealthCode::DestinationBack)),
            SinkEvent::Refused { ref status } => {
                Some(health(HealthCode::DestinationRefused).with("status", status).with("reason", Refusal::of(status).code()))
            }
            SinkEvent::Unreachable { named } => {
                Some(health(HealthCode::DestinationUnreachable).with("reason", if named { "no_answer" } else { "name" }))
            }
            SinkEvent::Held => Some(health(HealthCode::DestinationHeld)),
            SinkEvent::Slow => Some(health(HealthCode::DestinationSlow)),
            SinkEvent::CaughtUp => Some(health(HealthCode::DestinationCaughtUp)),
            SinkEvent::Restarted => {
                self.hub.part_restarted(&format!("rtmp:{}", link.id));
                None
            }
        };
        if let Some(health) = health {
            self.hub.health(health);
        }
        if index == 0 && matches!(event, SinkEvent::Accepted | SinkEvent::Back) || matches!(event, SinkEvent::Accepted) {
            self.accepted(Decider::Destination, at_ms, at);
        }
    }

    fn take_recording(&mut self, name: &Path, event: FileEvent, at_ms: i64, at: Instant) {
        let shown = name.display();
        // One that was stopped may still say something while it is being finished.
        let running = self.recording.is_some() && self.recording_name == name;
        match event {
            FileEvent::Started => {
                self.recordings_begun.push(name.to_owned());
                self.accepted(Decider::Recording, at_ms, at);
            }
            FileEvent::Continued { path: next } => {
                if running {
                    self.recording = Some(next.clone());
                }
                self.recordings.push(next);
            }
            FileEvent::DiskLow { .. } | FileEvent::DiskTight { .. } | FileEvent::DiskEnough if !running => {}
            FileEvent::DiskLow { minutes } => self.hub.health(Health::new(HealthCode::DiskLow).with("minutes", minutes)),
            FileEvent::DiskTight { percent, minutes } => {
                self.disk_percent = percent;
                self.set_rate();
                let health = if percent < 100 {
                    Health::new(HealthCode::DiskSaving).with("percent", percent)
                } else {
                    Health::new(HealthCode::DiskLow)
                };
                self.hub.health(health.with("minutes", minutes));
            }
            FileEvent::DiskEnough => self.hub.health(Health::new(HealthCode::DiskEnough)),
            FileEvent::DiskFull => {
                self.disk_full = true;
                self.end_recording(name, running);
                self.hub.health(Health::new(HealthCode::RecordingStopped).with("path", shown));
            }
            FileEvent::Failed { reason } => {
                self.end_recording(name, running);
                self.hub.health(Health::new(HealthCode::RecordingFailed).with("path", shown).with("reason", reason));
            }
        }
    }

    fn end_recording(&mut self, name: &Path, running: bool) {
        if !self.recordings_begun.iter().any(|begun| begun == name) {
            // Nothing of the show is in it; under this name there may be somebody else's file.
            self.recordings.retain(|file| file != name);
        }
        if running {
            self.recording = None;
            self.spare_no_more();
            self.forget_recording_disk();
        }
    }

    fn take_hls(&mut self, event: FileEvent, at_ms: i64, at: Instant) {
        match event {
            FileEvent::Started => {
                self.viewers_written = true;
                self.see_viewers();
                self.viewers_since.get_or_insert((at_ms, at));
                self.accepted(Decider::Hls, at_ms, at);
            }
            FileEvent::DiskLow { .. } | FileEvent::DiskEnough | FileEvent::DiskTight { .. } | FileEvent::Continued { .. } => {}
            FileEvent::DiskFull | FileEvent::Failed { .. } => {
                self.viewers_written = false;
                self.lose_viewers(if let FileEvent::Failed { reason } = &event { reason } else { "disk full" });
            }
        }
    }

    pub(super) fn lose_viewers(&self, reason: &str) {
        self.hub.health(Health::new(HealthCode::ViewersLost).with("reason", reason));
    }

    /// One of the two has become well that viewers depend on: with both they have their picture again.
    pub(super) fn see_viewers(&self) {
        if self.has_hls() {
            self.hub.forget(|subject| subject == Subject::Show("viewers"));
        }
    }

    /// The show is live once whoever decides has accepted.
    fn accepted(&mut self, who: Decider, at_ms: i64, at: Instant) {
        if who == self.decider {
            self.live_since.get_or_insert((at_ms, at));
        }
    }
}
