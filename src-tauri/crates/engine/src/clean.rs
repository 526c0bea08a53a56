//! The clean feed: the show's picture without overlays in a file of its own, with the same sound. It may fail in every
//! way: neither the show nor its recording waits for it, and both go on.

use crate::encode::{EncoderThread, Outlets, Picture, Sink};
use crate::feed::Feed;
use crate::finishing::Finishing;
use crate::hub::Hub;
use crate::progress::Beside;
use crate::protocol::Recording;
use crate::relay::{PictureEncoder, Relay};
use crate::show::{FILE_LIMIT, FLUSH_LIMIT, share};
use crate::sound::Done;
use stallcast_broadcast::{FileEvent, RecordError, RecordingSink};
use stallcast_libav::{LibavError, VideoEncoder, VideoSettings, X264_LIGHT};
use stallcast_media::{AudioConfig, Counters, Health, HealthCode, StreamConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Instant;
use thiserror::Error;

/// Its bitrate in percent of the show's: the lighter preset needs more bits for the same picture, and it is there to be cut.
const RATE_PERCENT: u32 = 150;

#[derive(Debug, Error)]
enum CleanError {
    #[error(transparent)]
    Encoder(#[from] LibavError),
    #[error(transparent)]
    File(#[from] RecordError),
    #[error("no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The clean feed of one show, running or not. Lives on the thread `engine`.
pub(crate) struct CleanFeed {
    settings: VideoSettings,
    audio: AudioConfig,
    /// Of the show: where the program takes it from, and whose sound it shares.
    feed: Feed,
    show: Outlets,
    finishing: Finishing,
    hub: Hub,
    running: Option<Running>,
    files: Vec<PathBuf>,
    /// Over all its files.
    counters: Counters,
}

struct Running {
    /// As first named: its events come under this name.
    name: PathBuf,
    /// The part being written.
    path: PathBuf,
    outlets: Outlets,
    done: Done,
    encodes: Beside,
}

impl Running {
    /// Blocks until the encoder is empty and the file is whole.
    fn finish(self) {
        if !self.done.wait(FLUSH_LIMIT) {
            tracing::error!(path = %self.path.display(), "the encoder of the clean feed did not flush in time");
        }
        for sink in self.outlets.take(|_| true) {
            if let Sink::Recording(sink) = sink {
                sink.finish(FILE_LIMIT);
            }
        }
    }
}

impl CleanFeed {
    /// `settings` are the show's, before its destinations have limited them.
    pub(crate) fn new(settings: VideoSettings, audio: AudioConfig, feed: &Feed, show: &Outlets, finishing: Finishing, hub: Hub) -> Self {
        let settings = VideoSettings { kbps: share(settings.kbps, RATE_PERCENT), keyframe_s: 2, low_latency: false, ..settings };
        Self {
            settings,
            audio,
            feed: feed.clone(),
            show: show.clone(),
            finishing,
            hub,
            running: None,
            files: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// Starts a file; a running one is finished first, in the background. What fails is told as health.
    pub(crate) fn start(&mut self, recording: &Recording, on_event: impl Fn(FileEvent) + Send + 'static) {
        if self.running.as_ref().is_some_and(|running| running.path == recording.path) {
            return;
        }
        self.stop();
        match self.open(recording, on_event) {
            Ok(running) => {
                if !self.files.contains(&recording.path) {
                    self.files.push(recording.path.clone());
                }
                self.running = Some(running);
            }
            Err(e) => self.failed(&recording.path, &e.to_string()),
        }
    }

    fn open(&self, recording: &Recording, on_event: impl Fn(FileEvent) + Send + 'static) -> Result<Running, CleanError> {
        let settings = self.settings;
        let first = VideoEncoder::open_with(&X264_LIGHT, &settings)?;
        let config = StreamConfig { video: first.config(), audio: self.audio.clone() };
        let sink = RecordingSink::start(&recording.path, recording.overwrite, config, on_event)?;
        let open = move |_| Ok(Box::new(VideoEncoder::open_with(&X264_LIGHT, &settings)?) as Box<dyn PictureEncoder>);
        let (outlets, done) = (Outlets::default(), Done::default());
        outlets.add(Sink::Recording(sink));
        let clean = self.feed.begin_clean(self.counters.clone());
        let picture = Picture {
            relay: Relay::new(Box::new(first), Box::new(open)),
            frames: clean.frames,
            counters: clean.counters,
            span: self.feed.span.clone(),
            outlets: outlets.clone(),
            kbps: Arc::new(AtomicU32::new(settings.kbps)),
            on_begin: None,
            on_replaced: Box::new(|_| ()),
            done: done.clone(),
        };
        // Before the first keyframe can come: it is written with the sound that belongs to it.
        self.show.share_sound(Some(outlets.clone()));
        if let Err(e) = picture.start(EncoderThread::Clean, self.hub.clone()) {
            self.show.share_sound(None);
            self.feed.end_clean();
            return Err(e.into());
        }
        Ok(Running { name: recording.path.clone(), path: recording.path.clone(), outlets, done, encodes: Beside::default() })
    }

    /// Ten times a second. An encoder that does not come back ends the file: the sound it shares would pile up for pictures that
    /// never come.
    pub(crate) fn look(&mut self, now: Instant) {
        let encoded = self.counters.encoded();
        let Some(running) = &mut self.running else { return };
        let mut crashes = 0;
        running.outlets.for_each(|sink| {
            if let Sink::Recording(sink) = sink {
                crashes += sink.take_crashes();
            }
        });
        (0..crashes).for_each(|_| self.hub.part_restarted("clean"));
        if running.encodes.stuck(now, encoded) {
            let path = running.path.clone();
            self.stop();
            self.failed(&path, "its encoder stands still");
        }
    }

    /// Finishes the running file in the background.
    pub(crate) fn stop(&mut self) {
        let Some(running) = self.let_go() else { return };
        if self.finishing.spawn("clean:finish", move || running.finish()).is_err() {
            tracing::error!("no thread to finish the clean feed; its file stays as it is and plays");
        }
    }

    /// At the end of the show: what is left to do, for a thread that may block.
    pub(crate) fn end(&mut self) -> Option<impl FnOnce() + Send + use<>> {
        let running = self.let_go()?;
        Some(move || running.finish())
    }

    fn let_go(&mut self) -> Option<Running> {
        let running = self.running.take()?;
        self.feed.end_clean();
        self.show.share_sound(None);
        Some(running)
    }

    /// News of the file that was started as `name`. `beside_recording`: the recording is running too, and the room that is
    /// left on the disk belongs to it.
    pub(crate) fn take(&mut self, name: &Path, event: FileEvent, beside_recording: bool) {
        let Some(running) = self.running.as_mut().filter(|running| running.name == name) else {
            return tracing::debug!(?event, "news of a clean feed that has ended");
        };
        match event {
            FileEvent::Started => {}
            FileEvent::Continued { path } => {
                running.path.clone_from(&path);
                self.files.push(path);
            }
            FileEvent::DiskLow { minutes } if !beside_recording => {
                self.hub.health(Health::new(HealthCode::DiskLow).with("minutes", minutes))
            }
            FileEvent::DiskTight { percent, .. } if percent < 100 && beside_recording => self.out_of_room(),
            FileEvent::DiskEnough if !beside_recording => self.hub.health(Health::new(HealthCode::DiskEnough)),
            FileEvent::DiskLow { .. } | FileEvent::DiskEnough | FileEvent::DiskTight { .. } => {}
            FileEvent::DiskFull => self.out_of_room(),
            FileEvent::Failed { reason } => {
                let path = running.path.clone();
                self.stop();
                self.failed(&path, &reason);
            }
        }
    }

    fn out_of_room(&mut self) {
        let Some(path) = self.path() else { return };
        self.stop();
        self.hub.health(Health::new(HealthCode::CleanFeedStopped).with("path", path.display()));
    }

    fn failed(&self, path: &Path, reason: &str) {
        self.hub.health(Health::new(HealthCode::CleanFeedFailed).with("path", path.display()).with("reason", reason));
    }

    /// File being written.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.running.as_ref().map(|running| running.path.clone())
    }

    /// All its files in this show.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Clean frames its encoder had no room for. They are repeats in the file.
    pub(crate) fn skipped(&self) -> u64 {
        self.counters.skipped()
    }
}
