//! Files of a running show: the recording and the clean feed begin and end while it goes on.

use super::news::Origin;
use super::{FILE_LIMIT, Show};
use crate::encode::Sink;
use crate::error::failure;
use crate::protocol::{Failure, Recording};
use stallcast_broadcast::{RecordError, RecordingSink};
use stallcast_media::{Health, HealthCode};

impl Show {
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
