//! One show: encoders, sinks, and what became of them. Lives on the thread `engine`; sinks tell their news through a
//! bounded channel that [`Show::look`] empties ten times a second.

use crate::encode::{Outlets, Picture, Sink, open_sound};
use crate::error::failure;
use crate::feed::Feed;
use crate::hub::Hub;
use crate::program::Program;
use crate::protocol::{Configuration, Failure, GoLive, LinkState, LinkStatus, Recording, Summary};
use crate::remembered::earlier_parts;
use crate::sound::{Done, Sound, SoundShow};
use crate::timing;
use crate::usage::own_usage;
use secrecy::ExposeSecret;
use stallcast_broadcast::{
    Congestion, FileEvent, HlsSink, LinkFigures, LinkPhase, RecordError, RecordingSink, RtmpSink, SinkEvent, Target,
};
use stallcast_clock::spawn_thread;
use stallcast_libav::{VideoEncoder, VideoSettings};
use stallcast_media::{Counters, Health, HealthCode, LossCounters, StreamConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// News of sinks that may wait. They are emptied ten times a second; what does not fit is counted and logged.
const NEWS: usize = 256;
/// Longest wait for an encoder to flush its last packets.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);
/// Longest wait for a destination to close.
const LINK_LIMIT: Duration = Duration::from_millis(1500);
/// Longest wait for a recording to become a plain MP4: an hour of video is copied once.
const FILE_LIMIT: Duration = Duration::from_secs(60);

/// What a show needs of the stage.
pub(crate) struct ShowParts<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) program: &'a Program,
    pub(crate) sound: &'a Sound,
    pub(crate) hub: Hub,
}

/// Has anybody accepted it?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Live,
}

/// Which sink speaks, and when, ms UTC.
#[derive(Debug)]
struct News {
    at_ms: i64,
    at: Instant,
    from: Origin,
}

#[derive(Debug)]
enum Origin {
    Link { index: usize, event: SinkEvent },
    Recording { path: PathBuf, event: FileEvent },
    Hls { event: FileEvent },
}

/// Where sinks put their news.
#[derive(Debug, Clone)]
struct Teller {
    news: SyncSender<News>,
    lost: Arc<AtomicU64>,
}

impl Teller {
    fn tell(&self, from: Origin) {
        if self.news.try_send(News { at_ms: timing::utc_ms(), at: Instant::now(), from }).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One destination as last seen: its sink is in the outlets while the show runs.
#[derive(Debug)]
struct Link {
    id: String,
    host: String,
    figures: LinkFigures,
}

/// Who decides that the show is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decider {
    Destination,
    Recording,
    Hls,
}

pub(crate) struct Show {
    feed: Feed,
    outlets: Outlets,
    config: StreamConfig,
    hub: Hub,
    picture_done: Done,
    sound_done: Done,
    teller: Teller,
    news: Receiver<News>,
    links: Vec<Link>,
    congestion: Congestion,
    kbps: Arc<AtomicU32>,
    recording: Option<PathBuf>,
    recordings: Vec<PathBuf>,
    disk_full: bool,
    hls: bool,
    decider: Decider,
    live_since: Option<(i64, Instant)>,
    limit: Option<Duration>,
}

impl Show {
    /// Opens encoders and sinks; the program begins with its next settled tick.
    ///
    /// # Errors
    /// `bad_url`, `file_exists`, `path_unwritable`, `disk_full`, `internal`. Nothing runs then.
    pub(crate) fn start(go: GoLive, parts: &ShowParts<'_>) -> Result<Self, Failure> {
        let internal = |e: &dyn ToString| failure("internal", &[("detail", e)]);
        let targets: Vec<(String, Target)> = go
            .destinations
            .iter()
            .map(|d| {
                let key = d.key.as_ref().map(|key| key.expose_secret());
                Target::parse(&d.id, d.url.expose_secret(), key).map(|target| (d.id.clone(), target))
            })
            .collect::<Result<_, _>>()
            .map_err(|e| {
                tracing::warn!(error = %e, "a destination's address is not usable");
                failure("bad_url", &[])
            })?;
        let configuration = parts.configuration;
        let settings =
            VideoSettings { canvas: configuration.canvas, kbps: configuration.video_kbps, low_latency: configuration.low_latency };
        let picture = VideoEncoder::open(&settings).map_err(|e| internal(&e))?;
        let sound = open_sound(configuration.audio_kbps).map_err(|e| internal(&e))?;
        let config = StreamConfig { video: picture.config(), audio: sound.config() };
        let (sender, news) = sync_channel(NEWS);
        let teller = Teller { news: sender, lost: Arc::default() };
        let decider = match (&*targets, &go.recording) {
            ([_, ..], _) => Decider::Destination,
            ([], Some(_)) => Decider::Recording,
            ([], None) => Decider::Hls,
        };
        let mut show = Self {
            feed: Feed::new(),
            outlets: Outlets::default(),
            config,
            hub: parts.hub.clone(),
            picture_done: Done::default(),
            sound_done: Done::default(),
            teller,
            news,
            links: Vec::new(),
            congestion: Congestion::new(configuration.video_kbps, configuration.audio_kbps),
            kbps: Arc::new(AtomicU32::new(configuration.video_kbps)),
            recording: None,
            recordings: Vec::new(),
            disk_full: false,
            hls: false,
            decider,
            live_since: None,
            limit: go.for_s.map(Duration::from_secs),
        };
        let opened = show.open_sinks(targets, go.recording.as_ref(), go.hls_dir.as_deref());
        if let Err(refused) = opened {
            show.finish_sinks();
            return Err(refused);
        }
        let begun = show.begin(go.hls_dir, settings, picture, sound, parts);
        if let Err(e) = begun {
            show.finish_sinks();
            return Err(internal(&e));
        }
        Ok(show)
    }

    fn open_sinks(&mut self, targets: Vec<(String, Target)>, recording: Option<&Recording>, hls_dir: Option<&Path>) -> Result<(), Failure> {
        if let Some(recording) = recording {
            self.start_recording(recording)?;
        }
        if let Some(dir) = hls_dir {
            std::fs::create_dir_all(dir).map_err(|e| failure("path_unwritable", &[("path", &dir.display()), ("detail", &e)]))?;
        }
        for (index, (id, target)) in targets.into_iter().enumerate() {
            let host = target.host().to_owned();
            let (teller, outlets) = (self.teller.clone(), self.outlets.clone());
            let on_event = move |event| teller.tell(Origin::Link { index, event });
            let sink = RtmpSink::start(target, self.config.clone(), on_event, move || outlets.want_keyframe());
            let sink = sink.map_err(|e| failure("internal", &[("detail", &e)]))?;
            self.links.push(Link { id, host, figures: sink.figures() });
            self.outlets.add(Sink::Rtmp(sink));
        }
        Ok(())
    }

    fn begin(
        &self,
        hls_dir: Option<PathBuf>,
        settings: VideoSettings,
        encoder: VideoEncoder,
        sound: stallcast_libav::AudioEncoder,
        parts: &ShowParts<'_>,
    ) -> std::io::Result<()> {
        // The playlist needs the instant of program time zero, which the first frame brings.
        let (outlets, teller, config) = (self.outlets.clone(), self.teller.clone(), self.config.clone());
        let on_begin = move |epoch_ms: i64| {
            let Some(dir) = hls_dir else { return };
            let news = teller.clone();
            match HlsSink::start(&dir, config, epoch_ms, move |event| news.tell(Origin::Hls { event })) {
                Ok(sink) => outlets.add(Sink::Hls(sink)),
                Err(e) => teller.tell(Origin::Hls { event: FileEvent::Failed { reason: e.to_string() } }),
            }
        };
        let picture = Picture {
            settings,
            encoder,
            feed: self.feed.clone(),
            outlets: self.outlets.clone(),
            kbps: Arc::clone(&self.kbps),
            on_begin: Box::new(on_begin),
            done: self.picture_done.clone(),
        };
        picture.start(self.hub.clone())?;
        parts.sound.begin(SoundShow {
            feed: self.feed.clone(),
            encoder: sound,
            outlets: self.outlets.clone(),
            done: self.sound_done.clone(),
        });
        parts.program.begin(self.feed.clone());
        Ok(())
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
        self.recording = Some(path.clone());
        if !self.recordings.contains(path) {
            self.recordings.push(path.clone());
        }
        self.outlets.add(Sink::Recording(sink));
        Ok(())
    }

    /// Finishes the running file in the background.
    pub(crate) fn stop_recording(&mut self) {
        self.recording = None;
        for sink in self.outlets.take(|sink| matches!(sink, Sink::Recording(_))) {
            if let Sink::Recording(sink) = sink
                && spawn_thread("rec:finish", move || sink.finish(FILE_LIMIT)).is_err()
            {
                tracing::error!("no thread to finish the recording; it stays as it is and plays");
            }
        }
    }

    /// Takes the sinks' news and figures.
    pub(crate) fn look(&mut self) {
        self.take_news();
        let mut figures = Vec::with_capacity(self.links.len());
        self.outlets.for_each(|sink| {
            if let Sink::Rtmp(sink) = sink {
                figures.push(sink.figures());
            }
        });
        for (link, figures) in self.links.iter_mut().zip(figures) {
            link.figures = figures;
        }
        self.follow_links();
        let lost = self.teller.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "news of sinks were lost");
        }
    }

    /// One encode for all: the slowest link that is being published to decides the picture's bitrate.
    fn follow_links(&mut self) {
        let publishing = self.links.iter().filter(|link| link.figures.phase == LinkPhase::Publishing);
        let Some(slowest) = publishing.max_by_key(|link| link.figures.behind) else { return };
        let LinkFigures { behind, delivered, .. } = slowest.figures;
        if self.congestion.look(Instant::now(), behind, delivered) {
            let kbps = self.congestion.kbps();
            tracing::info!(host = slowest.host, kbps, behind_ms = behind.as_millis(), "bitrate follows the link");
            self.kbps.store(kbps, Ordering::Relaxed);
        }
    }

    fn take_news(&mut self) {
        while let Ok(News { at_ms, at, from }) = self.news.try_recv() {
            match from {
                Origin::Link { index, event } => self.take_link(index, event, at_ms, at),
                Origin::Recording { path, event } => self.take_recording(&path, event, at_ms, at),
                Origin::Hls { event } => self.take_hls(event, at_ms, at),
            }
        }
    }

    fn take_link(&mut self, index: usize, event: SinkEvent, at_ms: i64, at: Instant) {
        let Some(link) = self.links.get(index) else { return };
        let health = |code| Health::new(code).with("host", &link.host);
        let health = match event {
            SinkEvent::Accepted => None,
            SinkEvent::Lost => Some(health(HealthCode::DestinationLost)),
            SinkEvent::Back => Some(health(HealthCode::DestinationBack)),
            SinkEvent::Refused { ref status } => Some(health(HealthCode::DestinationRefused).with("status", status)),
            SinkEvent::Slow => Some(health(HealthCode::DestinationSlow)),
        };
        if let Some(health) = health {
            self.hub.health(health);
        }
        if index == 0 && matches!(event, SinkEvent::Accepted | SinkEvent::Back) || matches!(event, SinkEvent::Accepted) {
            self.accepted(Decider::Destination, at_ms, at);
        }
    }

    fn take_recording(&mut self, path: &Path, event: FileEvent, at_ms: i64, at: Instant) {
        let shown = path.display();
        match event {
            FileEvent::Started => self.accepted(Decider::Recording, at_ms, at),
            FileEvent::DiskLow { minutes } => self.hub.health(Health::new(HealthCode::DiskLow).with("minutes", minutes)),
            FileEvent::DiskFull => {
                self.disk_full = true;
                self.recording = None;
                self.hub.health(Health::new(HealthCode::RecordingStopped).with("path", shown));
            }
            FileEvent::Failed { reason } => {
                self.recording = None;
                self.hub.health(Health::new(HealthCode::RecordingFailed).with("path", shown).with("reason", reason));
            }
        }
    }

    fn take_hls(&mut self, event: FileEvent, at_ms: i64, at: Instant) {
        match event {
            FileEvent::Started => {
                self.hls = true;
                self.accepted(Decider::Hls, at_ms, at);
            }
            FileEvent::DiskLow { .. } => {}
            FileEvent::DiskFull | FileEvent::Failed { .. } => {
                self.hls = false;
                let reason = if let FileEvent::Failed { reason } = event { reason } else { "disk full".to_owned() };
                self.hub.health(Health::new(HealthCode::ViewersLost).with("reason", reason));
            }
        }
    }

    /// The show is live once whoever decides has accepted.
    fn accepted(&mut self, who: Decider, at_ms: i64, at: Instant) {
        if who == self.decider {
            self.live_since.get_or_insert((at_ms, at));
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        if self.live_since.is_some() { Phase::Live } else { Phase::Starting }
    }

    pub(crate) fn live_since_ms(&self) -> Option<i64> {
        self.live_since.map(|(ms, _)| ms)
    }

    /// Its time is over.
    pub(crate) fn is_over(&self) -> bool {
        matches!((self.limit, self.live_since), (Some(limit), Some((_, since))) if since.elapsed() >= limit)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.feed.counters
    }

    /// Payload bytes out of the encoders.
    pub(crate) fn bytes_encoded(&self) -> u64 {
        self.outlets.bytes()
    }

    pub(crate) fn links(&self) -> Vec<LinkStatus> {
        let status = |link: &Link| LinkStatus {
            id: link.id.clone(),
            host: link.host.clone(),
            state: match link.figures.phase {
                LinkPhase::Connecting => LinkState::Connecting,
                LinkPhase::Publishing => LinkState::Publishing,
                LinkPhase::Reconnecting => LinkState::Reconnecting,
                LinkPhase::Refused => LinkState::Refused,
                LinkPhase::Closed => LinkState::Closed,
            },
            bytes_sent: link.figures.bytes_sent,
            reconnects: link.figures.reconnects,
            dropped: link.figures.dropped,
            behind_ms: u64::try_from(link.figures.behind.as_millis()).unwrap_or(u64::MAX),
        };
        self.links.iter().map(status).collect()
    }

    pub(crate) fn recording(&self) -> Option<PathBuf> {
        self.recording.clone()
    }

    pub(crate) fn recordings(&self) -> Vec<PathBuf> {
        self.recordings.clone()
    }

    pub(crate) fn has_hls(&self) -> bool {
        self.hls
    }

    /// Room for the recording, minutes.
    pub(crate) fn disk_minutes(&self) -> Option<u64> {
        let mut minutes = None;
        self.outlets.for_each(|sink| {
            if let Sink::Recording(sink) = sink {
                minutes = sink.disk_minutes();
            }
        });
        minutes.filter(|_| self.recording.is_some())
    }

    /// Flushes the encoders, closes destinations, finishes files.
    pub(crate) fn end(mut self) -> Summary {
        self.feed.ending.store(true, Ordering::Release);
        for (done, part) in [(&self.picture_done, "picture"), (&self.sound_done, "sound")] {
            if !done.wait(FLUSH_LIMIT) {
                tracing::error!(part, "an encoder did not flush in time");
            }
        }
        self.finish_sinks();
        self.repair_earlier_parts();
        self.take_news();
        let (usage, counters) = (own_usage(), &self.feed.counters);
        let links = self.links();
        Summary {
            frames_composed: counters.composed(),
            loss: LossCounters {
                lagged: counters.lagged(),
                skipped: counters.skipped(),
                dropped: links.iter().map(|link| link.dropped).sum(),
            },
            frames_encoded: counters.encoded(),
            audio_blocks: counters.audio_blocks(),
            links,
            recordings: self.recordings.clone(),
            disk_full: self.disk_full,
            cpu_s: usage.cpu_s,
            peak_rss_bytes: usage.peak_rss_bytes,
        }
    }

    /// What a media process that died left behind becomes a plain file too: it plays as it is, but cannot be searched.
    fn repair_earlier_parts(&self) {
        for part in self.recordings.iter().flat_map(|path| earlier_parts(path)) {
            match stallcast_broadcast::recover(&part) {
                Ok(true) => tracing::info!(part = %part.display(), "an earlier part of the recording was finished"),
                Ok(false) => {}
                Err(e) => tracing::warn!(part = %part.display(), error = %e, "an earlier part of the recording stays as it is"),
            }
        }
    }

    /// All at once: the slowest decides.
    fn finish_sinks(&mut self) {
        let mut link = 0;
        let mut finishing = Vec::new();
        for sink in self.outlets.take(|_| true) {
            let index = link;
            let finish: Box<dyn FnOnce() -> Option<(usize, LinkFigures)> + Send> = match sink {
                Sink::Rtmp(sink) => {
                    link += 1;
                    Box::new(move || Some((index, sink.finish(LINK_LIMIT))))
                }
                Sink::Recording(sink) => Box::new(move || {
                    sink.finish(FILE_LIMIT);
                    None
                }),
                Sink::Hls(sink) => Box::new(move || {
                    sink.finish(LINK_LIMIT);
                    None
                }),
            };
            match spawn_thread("sink:finish", finish) {
                Ok(thread) => finishing.push(thread),
                Err(e) => tracing::error!(error = %e, "no thread to finish a sink"),
            }
        }
        for thread in finishing {
            match thread.join() {
                Ok(Some((index, figures))) => {
                    if let Some(link) = self.links.get_mut(index) {
                        link.figures = figures;
                    }
                }
                Ok(None) => {}
                Err(_) => tracing::error!("a sink crashed while it was finished"),
            }
        }
        self.recording = None;
    }
}
