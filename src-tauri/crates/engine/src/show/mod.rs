//! One show: encoders, sinks, and what became of them. Lives on the thread `engine`; sinks tell their news through a
//! bounded channel that [`Show::look`] empties ten times a second.

mod ending;
mod files;
mod news;
mod rate;

pub(crate) use ending::{FILE_LIMIT, FLUSH_LIMIT};
pub(crate) use rate::share;

use crate::awake::Awake;
use crate::clean::CleanFeed;
use crate::encode::{EncoderThread, Outlets, Picture, Sink, open_sound};
use crate::encoders::{Encoders, settings};
use crate::error::failure;
use crate::feed::Feed;
use crate::finishing::Finishing;
use crate::hub::{Hub, Subject};
use crate::program::Program;
use crate::protocol::{Configuration, Failure, GoLive, LinkState, LinkStatus, Recording};
use crate::relay::Relay;
use crate::sound::{Done, Sound, SoundShow};
use files::Disk;
use news::{NEWS, News, Origin, Teller};
use rate::Lowered;
use secrecy::ExposeSecret;
use stallcast_broadcast::{Congestion, FileEvent, HlsSink, LinkFigures, LinkPhase, RtmpSink, Target};
use stallcast_libav::VideoSettings;
use stallcast_media::{Counters, StreamConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// What a show needs of the stage.
pub(crate) struct ShowParts<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) program: &'a Program,
    pub(crate) sound: &'a Sound,
    pub(crate) encoders: &'a Encoders,
    pub(crate) finishing: &'a Finishing,
    pub(crate) hub: Hub,
}

/// Has anybody accepted it?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Live,
}

/// One destination as last seen: its sink is in the outlets while the show runs.
#[derive(Debug)]
struct Link {
    id: String,
    host: String,
    figures: LinkFigures,
    /// Media was accepted there in this show.
    accepted: bool,
}

/// Who decides that the show is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decider {
    Destination,
    Recording,
    Hls,
}

/// Without a destination or a file that accepts for so long, a show is live for the viewers who have it.
const DECIDES_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Show {
    feed: Feed,
    outlets: Outlets,
    config: StreamConfig,
    /// What encodes the picture.
    encoder: &'static str,
    encoders: Encoders,
    hub: Hub,
    picture_done: Done,
    sound_done: Done,
    teller: Teller,
    news: Receiver<News>,
    links: Vec<Link>,
    congestion: Congestion,
    lowered: Lowered,
    kbps: Arc<AtomicU32>,
    full_kbps: u32,
    /// Share of the full rate that the room for the recording allows.
    disk_percent: u32,
    recording: Option<PathBuf>,
    /// What its first part was called: news of it come under that name.
    recording_name: PathBuf,
    recordings: Vec<PathBuf>,
    /// Those with something in them, as first named.
    recordings_begun: Vec<PathBuf>,
    clean: CleanFeed,
    finishing: Finishing,
    disk_full: bool,
    recording_disk: Disk,
    viewers_disk: Disk,
    /// The newest part of the viewers' picture is in its folder.
    viewers_written: bool,
    decider: Decider,
    begun: Instant,
    /// Since when viewers have had a picture.
    viewers_since: Option<(i64, Instant)>,
    /// When it went live, ms UTC, and from when on its time counts: the two differ where it went live in a process before this.
    live_since: Option<(i64, Instant)>,
    limit: Option<Duration>,
    /// The machine stays awake as long as the show lives.
    _awake: Awake,
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
                Target::parse(&d.id, d.url.expose_secret(), key).map(|target| (d.id.clone(), target.accepted_before(d.accepted)))
            })
            .collect::<Result<_, _>>()
            .map_err(|e| {
                tracing::warn!(error = %e, "a destination's address is not usable");
                failure("bad_url", &[("rule", &e.code())])
            })?;
        let configuration = parts.configuration;
        let (video_kbps, audio_kbps) = (go.limits.video(configuration.video_kbps), go.limits.audio(configuration.audio_kbps));
        // The strictest destination decides for the one encode they share.
        let settings =
            VideoSettings { kbps: video_kbps, keyframe_s: go.limits.keyframe_s, b_frames: go.limits.b_frames, ..settings(configuration) };
        let chosen = parts.encoders.choose(configuration);
        let (picture, open) = parts.encoders.open(chosen, settings, &parts.hub).map_err(|e| internal(&e))?;
        let name = picture.name();
        let sound = open_sound(audio_kbps).map_err(|e| internal(&e))?;
        let config = StreamConfig { video: picture.config(), audio: sound.config() };
        let (sender, news) = sync_channel(NEWS);
        let teller = Teller { news: sender, lost: Arc::default() };
        let decider = match (&*targets, &go.recording) {
            ([_, ..], _) => Decider::Destination,
            ([], Some(_)) => Decider::Recording,
            ([], None) => Decider::Hls,
        };
        let (feed, outlets) = (Feed::new(), Outlets::default());
        let finishing = parts.finishing.clone();
        let clean_settings = crate::encoders::settings(configuration);
        let clean = CleanFeed::new(clean_settings, config.audio.clone(), &feed, &outlets, finishing.clone(), parts.hub.clone());
        let mut show = Self {
            feed,
            outlets,
            config,
            encoder: name,
            encoders: parts.encoders.clone(),
            hub: parts.hub.clone(),
            picture_done: Done::default(),
            sound_done: Done::default(),
            teller,
            news,
            links: Vec::new(),
            congestion: Congestion::new(video_kbps, audio_kbps),
            lowered: Lowered::default(),
            kbps: Arc::new(AtomicU32::new(video_kbps)),
            full_kbps: video_kbps,
            disk_percent: 100,
            recording: None,
            recording_name: PathBuf::new(),
            recordings: Vec::new(),
            recordings_begun: Vec::new(),
            clean,
            finishing,
            disk_full: false,
            recording_disk: Disk::default(),
            viewers_disk: Disk::default(),
            viewers_written: false,
            decider,
            begun: Instant::now(),
            viewers_since: None,
            live_since: go.live_since_ms.map(|ms| (ms, Instant::now())),
            limit: go.for_s.map(Duration::from_secs),
            _awake: Awake::start(parts.hub.clone()),
        };
        // A show that goes on, and that somebody else gets, does so without a folder for its viewers: that is tried until it is there.
        let goes_on = go.live_since_ms.is_some() && !(targets.is_empty() && go.recording.is_none());
        let new_dir = go.hls_dir.as_deref().filter(|_| !goes_on);
        let opened = show.open_sinks(targets, go.recording.as_ref(), new_dir);
        if let Err(refused) = opened {
            show.take_back_sinks();
            return Err(refused);
        }
        if let Some(clean) = &go.clean_feed {
            show.start_clean_feed(clean);
        }
        let begun = show.begin(go.hls_dir, Relay::new(picture, open), sound, parts);
        if let Err(e) = begun {
            show.take_back_sinks();
            return Err(internal(&e));
        }
        Ok(show)
    }

    fn open_sinks(&mut self, targets: Vec<(String, Target)>, recording: Option<&Recording>, hls_dir: Option<&Path>) -> Result<(), Failure> {
        // First, because it leaves nothing behind if what follows is refused.
        if let Some(dir) = hls_dir {
            std::fs::create_dir_all(dir).map_err(|e| failure("path_unwritable", &[("path", &dir.display()), ("detail", &e)]))?;
        }
        if let Some(recording) = recording {
            self.start_recording(recording)?;
        }
        for (index, (id, target)) in targets.into_iter().enumerate() {
            let host = target.host().to_owned();
            let (teller, outlets) = (self.teller.clone(), self.outlets.clone());
            let on_event = move |event| teller.tell(Origin::Link { index, event });
            let sink = RtmpSink::start(target, self.config.clone(), on_event, move || outlets.want_keyframe());
            let sink = sink.map_err(|e| failure("internal", &[("detail", &e)]))?;
            self.links.push(Link { id, host, figures: sink.figures(), accepted: false });
            self.outlets.add(Sink::Rtmp(sink));
        }
        Ok(())
    }

    fn begin(
        &self,
        hls_dir: Option<PathBuf>,
        relay: Relay,
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
        let replaced = self.teller.clone();
        let picture = Picture {
            relay,
            frames: self.feed.frames.clone(),
            counters: self.feed.counters.clone(),
            span: self.feed.span.clone(),
            outlets: self.outlets.clone(),
            kbps: Arc::clone(&self.kbps),
            on_begin: Some(Box::new(on_begin)),
            on_replaced: Box::new(move |news| replaced.tell(Origin::Encoder(news))),
            done: self.picture_done.clone(),
        };
        picture.start(EncoderThread::Show, self.hub.clone())?;
        parts.sound.begin(SoundShow {
            feed: self.feed.clone(),
            encoder: sound,
            outlets: self.outlets.clone(),
            done: self.sound_done.clone(),
        });
        parts.program.begin(self.feed.clone());
        Ok(())
    }

    pub(crate) const fn clean(&self) -> &CleanFeed {
        &self.clean
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
            link.accepted |= matches!(figures.phase, LinkPhase::Publishing | LinkPhase::Reconnecting);
        }
        self.decide(Instant::now());
        self.follow_links();
        self.look_at_disks();
        self.clean.look(Instant::now());
        // No file, no disk that could be full.
        if self.recording.is_none() && self.clean.path().is_none() {
            self.hub.forget(|subject| subject == Subject::Show("disk"));
        }
        let lost = self.teller.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "news of sinks were lost");
        }
    }

    /// Whoever was to decide cannot, or does not for too long, and viewers have the show: it is live for them.
    fn decide(&mut self, now: Instant) {
        let refused = |link: &Link| matches!(link.figures.phase, LinkPhase::Refused | LinkPhase::Closed);
        let hopeless = match self.decider {
            Decider::Destination => self.links.iter().all(refused),
            Decider::Recording => self.recording.is_none(),
            Decider::Hls => false,
        };
        if self.live_since.is_none() && (hopeless || now.duration_since(self.begun) >= DECIDES_WITHIN) {
            self.live_since = self.viewers_since;
        }
    }

    pub(crate) const fn encoder(&self) -> &'static str {
        self.encoder
    }

    pub(crate) fn phase(&self) -> Phase {
        if self.live_since.is_some() { Phase::Live } else { Phase::Starting }
    }

    pub(crate) fn live_since_ms(&self) -> Option<i64> {
        self.live_since.map(|(ms, _)| ms)
    }

    /// What a process that goes on with this show has to know of its past.
    pub(crate) fn with_past(&self, mut go: GoLive) -> GoLive {
        go.live_since_ms = self.live_since_ms();
        for (destination, link) in go.destinations.iter_mut().zip(&self.links) {
            destination.accepted |= link.accepted;
        }
        go
    }

    /// Its time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.live_since.is_some() && self.time_left().is_some_and(|left| left.is_zero())
    }

    /// Until it ends by itself; `None` for no limit.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let gone = self.live_since.map_or(Duration::ZERO, |(_, since)| since.elapsed());
        self.limit.map(|limit| limit.saturating_sub(gone))
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

    /// Do viewers get a picture? It is written, and in time.
    pub(crate) const fn has_hls(&self) -> bool {
        self.viewers_written && !self.viewers_disk.is_behind()
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
}
