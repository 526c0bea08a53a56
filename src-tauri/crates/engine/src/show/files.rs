//! Files of a running show: the recording and the clean feed begin and end while it goes on.

use super::news::Origin;
use super::{FILE_LIMIT, Show};
use crate::encode::Sink;
use crate::error::failure;
use crate::hub::Subject;
use crate::protocol::{Failure, Recording};
use stallcast_broadcast::{RecordError, RecordingSink};
use stallcast_media::{Health, HealthCode};
use std::time::Duration;

/// So much that waits for a disk is told: it is in memory only, and when that is full, pictures are missing.
const BEHIND: Duration = Duration::from_secs(5);
/// With no more than this waiting, the disk takes it as it comes: the writer has one fragment at a time.
const IN_TIME: Duration = Duration::from_secs(1);

/// A file whose disk may be too slow.
#[derive(Debug, Default)]
pub(super) struct Disk {
    told: bool,
}

impl Disk {
    pub(super) const fn is_behind(&self) -> bool {
        self.told
    }

    /// So much waits; `None` without such a file. Is there something to tell: that it is behind, or that it no longer is?
    fn look(&mut self, waits: Option<Duration>) -> Option<bool> {
        let behind = match waits {
            Some(waits) if waits > BEHIND => true,
            Some(waits) if waits > IN_TIME => self.told,
            _ => false,
        };
        (std::mem::replace(&mut self.told, behind) != behind).then_some(behind)
    }
}

impl Show {
    /// Do the disks keep up?
    pub(super) fn look_at_disks(&mut self) {
        let (mut record, mut viewers) = (None, None);
        self.outlets.for_each(|sink| match sink {
            Sink::Recording(sink) => record = Some(sink.waiting()),
            Sink::Hls(sink) => viewers = Some(sink.waiting()),
            Sink::Rtmp(_) => {}
        });
        // One that has ended keeps what was waiting.
        let record = record.filter(|_| self.recording.is_some());
        if let Some(behind) = self.recording_disk.look(record)
            && let Some(path) = &self.recording
        {
            let code = if behind { HealthCode::RecordingBehind } else { HealthCode::RecordingCaughtUp };
            self.hub.health(Health::new(code).with("path", path.display()));
        }
        match self.viewers_disk.look(viewers) {
            Some(true) => self.lose_viewers("the disk is too slow"),
            Some(false) => self.see_viewers(),
            None => {}
        }
    }

    /// Nothing is recorded: no disk is too slow for it.
    pub(super) fn forget_recording_disk(&mut self) {
        self.recording_disk = Disk::default();
        self.hub.forget(|subject| subject == Subject::Show("recording_speed"));
    }

    /// Starts a file; a running one is finished first.
    ///
    /// # Errors
    /// `file_exists`, `path_unwritable`, `disk_full`.
    pub(crate) fn start_recording(&mut self, recording: &Recording) -> Result<(), Failure> {
        let (path, shown) = (&recording.path, recording.path.display());
        if self.recording.as_ref() == Some(path) {
            return Ok(());
        }
        let (teller, named) = (self.teller.clone(), path.clone());
        let on_event = move |event| teller.tell(Origin::Recording { path: named.clone(), event });
        let sink = RecordingSink::start(path, recording.overwrite, self.config.clone(), on_event).map_err(|e| match e {
            RecordError::Exists => failure("file_exists", &[("path", &shown)]),
            RecordError::DiskFull => failure("disk_full", &[("path", &shown)]),
            e => failure("path_unwritable", &[("path", &shown), ("detail", &e)]),
        })?;
        self.stop_recording();
        self.hub.forget(|subject| subject == Subject::Show("recording"));
        self.recording = Some(path.clone());
        self.recording_name.clone_from(path);
        if !self.recordings.contains(path) {
            self.recordings.push(path.clone());
        }
        self.outlets.add(Sink::Recording(sink));
        Ok(())
    }

    /// Finishes the running file in the background.
    pub(crate) fn stop_recording(&mut self) {
        self.recording = None;
        self.spare_no_more();
        self.forget_recording_disk();
        for sink in self.outlets.take(|sink| matches!(sink, Sink::Recording(_))) {
            if let Sink::Recording(sink) = sink
                && self.finishing.spawn("rec:finish", move || sink.finish(FILE_LIMIT)).is_err()
            {
                tracing::error!("no thread to finish the recording; it stays as it is and plays");
            }
        }
    }

    /// Starts the clean feed, or another file of it. Never refused: what fails is told as health, and the show goes on.
    pub(crate) fn start_clean_feed(&mut self, recording: &Recording) {
        if self.recording.as_ref() == Some(&recording.path) {
            let health = Health::new(HealthCode::CleanFeedFailed).with("path", recording.path.display());
            return self.hub.health(health.with("reason", "it is the recording"));
        }
        let (teller, path) = (self.teller.clone(), recording.path.clone());
        self.clean.start(recording, move |event| teller.tell(Origin::Clean { path: path.clone(), event }));
    }

    /// Ends the clean feed; its file is finished in the background.
    pub(crate) fn stop_clean_feed(&mut self) {
        self.clean.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_behind_is_told_once_and_so_is_that_it_caught_up() {
        let mut disk = Disk::default();
        let mut told = |ms: u64| disk.look(Some(Duration::from_millis(ms)));
        assert_eq!([told(0), told(4_900), told(5_100), told(12_000), told(1_100)], [None, None, Some(true), None, None]);
        assert_eq!([told(900), told(4_000), told(6_000)], [Some(false), None, Some(true)]);
        assert_eq!((disk.look(None), disk.look(None)), (Some(false), None), "without a file nothing waits");
    }
}
