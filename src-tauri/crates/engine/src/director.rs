//! What the media side does on command: sources, overlays, shows. Lives on the thread `engine`.

use crate::encoders::Encoders;
use crate::error::failure;
use crate::feed::PreviewWish;
use crate::finishing::Finishing;
use crate::hub::{Hub, Subject};
use crate::progress::Progress;
use crate::protocol::{
    Command, Configuration, EngineState, Event, Failure, GoLive, Overlay, Recording, Reply, Restoration, Snapshot, State, Stats, Summary,
};
use crate::rates::Rates;
use crate::show::{Phase, Show, ShowParts};
use crate::sources;
use crate::stage::{Opening, Stage, Surroundings, Wake};
use crate::usage::own_usage;
use bytes::Bytes;
use stallcast_compose::Fonts;
use stallcast_media::{Counters, Health, HealthCode, LossCounters};
use std::ops::ControlFlow::{Break, Continue};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A show that nobody looks after ends after this time.
const GRACE: Duration = Duration::from_secs(600);
/// Price, stock and coupon that nobody confirms any more leave the picture after this time, as they do where an app hears nothing
/// of its platform (`studio::present`).
const FIGURES_GRACE: Duration = Duration::from_secs(8);
/// Without a show, devices that nobody looks at are let go of after this time: an app that restarts is quicker.
const STAGE_GRACE: Duration = Duration::from_secs(10);
/// And the process ends.
const IDLE_GRACE: Duration = Duration::from_secs(60);
/// Longest wait of the process's end for recordings that are being finished. What is not plain by then plays as it is, and the
/// next start finishes it.
const FILES_LIMIT: Duration = Duration::from_secs(60);
/// Called with the name of the part when a show stands still: the process is to be replaced.
pub(crate) type OnStuck = Box<dyn Fn(&'static str) + Send>;

/// Figures go out this often.
const STATS: Duration = Duration::from_secs(1);
/// Slack of the once-a-second figures: the look comes ten times a second.
const STATS_SLACK: Duration = Duration::from_millis(50);

/// What became of a command.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way from one function to the next")]
pub(crate) enum Carried {
    /// It is carried out.
    Out(Reply),
    /// Sources are being opened for it: the answer comes out of [`Director::opened`].
    Later,
}

pub(crate) struct Director {
    data: PathBuf,
    hub: Hub,
    fonts: Fonts,
    encoders: Encoders,
    stage: Option<Stage>,
    /// Other sources, while they are being opened.
    opening: Option<Box<Opening>>,
    /// Those of a process that died, while they are being opened: nobody waits for an answer, and no show for them.
    reopening: Vec<Opening>,
    /// Their overlays have other words.
    spoken: bool,
    wake: Wake,
    show: Option<Show>,
    /// What the running show was started with.
    go: Option<GoLive>,
    finishing: Finishing,
    progress: Progress,
    on_stuck: OnStuck,
    overlay: Overlay,
    /// Picture of the card, as last attached.
    picture: Bytes,
    muted: bool,
    wish: PreviewWish,
    grace: Duration,
    /// Since when no client is attached.
    alone_since: Option<Instant>,
    ending: bool,
    told: Option<State>,
    stats: Option<Stats>,
    stats_due: Instant,
    rates: Rates,
    missing_glyphs: u64,
}

impl std::fmt::Debug for Director {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Director").field("data", &self.data).finish_non_exhaustive()
    }
}

impl Director {
    /// `wake`: there is something for [`Self::opened`].
    pub(crate) fn new(data: &Path, hub: Hub, on_stuck: OnStuck, wake: Wake) -> Self {
        Self {
            data: data.to_owned(),
            hub,
            fonts: Fonts::bundled(),
            encoders: Encoders::default(),
            stage: None,
            opening: None,
            reopening: Vec::new(),
            spoken: false,
            wake,
            show: None,
            go: None,
            finishing: Finishing::default(),
            progress: Progress::default(),
            on_stuck,
            overlay: Overlay::default(),
            picture: Bytes::new(),
            muted: false,
            wish: PreviewWish::default(),
            grace: GRACE,
            alone_since: None,
            ending: false,
            told: None,
            stats: None,
            stats_due: Instant::now(),
            rates: Rates::default(),
            missing_glyphs: 0,
        }
    }

    /// Carries out everything but [`Command::Quit`].
    pub(crate) fn carry_out(&mut self, command: Command, attachment: &Bytes) -> Result<Carried, Failure> {
        match command {
            Command::Configure(configuration) => return self.configure(configuration, true),
            Command::Restore(restoration) => return self.restore(restoration),
            Command::SetOverlay(overlay) => self.set_overlay(overlay, attachment),
            Command::GoLive(go) => self.go_live(go)?,
            Command::SetMuted { muted } => {
                self.muted = muted;
                if let Some(stage) = &self.stage {
                    stage.sound.set_muted(muted);
                }
            }
            Command::Preview { fps, max_side } => self.wish.set(fps.min(30), max_side.clamp(16, 960)),
            Command::StartRecording(recording) => self.show_now()?.start_recording(&recording)?,
            Command::StopRecording => self.show_now()?.stop_recording(),
            Command::StartCleanFeed(recording) => self.show_now()?.start_clean_feed(&recording),
            Command::StopCleanFeed => self.show_now()?.stop_clean_feed(),
            Command::SetGrace { seconds } => self.grace = Duration::from_secs(seconds),
            Command::Snapshot => return Ok(Carried::Out(Reply::Snapshot(self.snapshot()))),
            Command::Handover => return Ok(Carried::Out(Reply::Handover { show: self.handover(), grace_s: Some(self.grace.as_secs()) })),
            Command::End => return self.end().map(|ended| Carried::Out(Reply::Ended(ended))).ok_or_else(|| failure("not_live", &[])),
            Command::Quit => {}
        }
        Ok(Carried::Out(Reply::Done))
    }

    /// Has this to wait for sources that are being opened? What is about them, and a show that somebody begins with them.
    pub(crate) const fn must_wait(&self, command: &Command) -> bool {
        match command {
            Command::Configure(_) | Command::Restore(_) => self.opening.is_some() || !self.reopening.is_empty(),
            Command::GoLive(_) => self.opening.is_some(),
            _ => false,
        }
    }

    /// The answer that [`Carried::Later`] promised, once there is one.
    pub(crate) fn opened(&mut self) -> Option<Result<Reply, Failure>> {
        self.follow_reopening();
        let opening = self.opening.take()?;
        let Some(stage) = &mut self.stage else {
            return Some(Err(failure("internal", &[("detail", &"nobody looked, and the sources were let go of")])));
        };
        match stage.finish_change(opening, &self.wake) {
            Continue(opening) => {
                self.opening = Some(opening);
                None
            }
            Break(result) => {
                if std::mem::take(&mut self.spoken) && result.is_ok() {
                    self.apply_overlay();
                }
                Some(result.map(|()| Reply::Done))
            }
        }
    }

    fn follow_reopening(&mut self) {
        let Some(stage) = &mut self.stage else { return self.reopening.clear() };
        let (openings, wake) = (std::mem::take(&mut self.reopening), &self.wake);
        let before = openings.len();
        self.reopening = openings.into_iter().filter_map(|opening| stage.finish_again(opening, wake)).collect();
        if self.reopening.len() < before {
            self.tell_state();
        }
    }

    /// Ends the show if there is one, then everything. Blocks until its files are finished, a minute at most.
    pub(crate) fn close(&mut self) {
        if let Some(summary) = self.end() {
            self.hub.event(Event::Ended(summary));
        }
        (self.stage, self.opening, self.reopening) = (None, None, Vec::new());
        self.tell_state();
        if !self.finishing.wait(FILES_LIMIT) {
            tracing::warn!("a recording is still being finished; the next start goes on with it");
        }
    }

    /// Nobody has been attached for so long that this process serves no one.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.show.is_none() && self.alone_for() >= IDLE_GRACE.min(self.grace)
    }

    fn show_now(&mut self) -> Result<&mut Show, Failure> {
        self.show.as_mut().ok_or_else(|| failure("not_live", &[]))
    }

    /// `chosen`: by a person, not for a process that died.
    fn configure(&mut self, wanted: Configuration, chosen: bool) -> Result<Carried, Failure> {
        sources::check(&wanted)?;
        self.encoders.look_for(&wanted, &self.data);
        if let Some(stage) = &mut self.stage {
            let now = &stage.configuration;
            let same_program = now.canvas == wanted.canvas;
            let same_encoders = now.video_kbps == wanted.video_kbps
                && now.audio_kbps == wanted.audio_kbps
                && (now.low_latency, now.encoder) == (wanted.low_latency, wanted.encoder);
            if self.show.is_some() && !(same_program && same_encoders) {
                return Err(failure("already_live", &[]));
            }
            if same_program {
                let spoken = now.language != wanted.language;
                self.opening = stage.begin_change(wanted, chosen, &self.wake)?;
                if self.opening.is_some() {
                    self.spoken = spoken;
                    return Ok(Carried::Later);
                }
                if spoken {
                    self.apply_overlay();
                }
                return Ok(Carried::Out(Reply::Done));
            }
        }
        // Another canvas: the old stage lets go of its devices first.
        let before = self.stage.take().map(|stage| stage.configuration.clone());
        match Stage::open(&wanted, &self.around()) {
            Ok(stage) => {
                self.stage = Some(stage);
                self.apply_overlay();
                Ok(Carried::Out(Reply::Done))
            }
            Err(refused) => {
                // What was there before is better than nothing.
                if let Some(before) = before {
                    match Stage::open(&before, &self.around()) {
                        Ok(stage) => self.stage = Some(stage),
                        Err(e) => tracing::warn!(code = e.code, "the earlier sources do not open again"),
                    }
                    self.apply_overlay();
                }
                Err(refused)
            }
        }
    }

    /// A show goes on without a camera, so it can begin again without one.
    fn restore(&mut self, restoration: Restoration) -> Result<Carried, Failure> {
        let Restoration { configuration: wanted, on_air, spared } = restoration;
        if self.stage.is_some() {
            return self.configure(wanted, false);
        }
        sources::check(&wanted)?;
        self.encoders.look_for(&wanted, &self.data);
        let (stage, reopening) = if spared {
            let opened = sources::spared(on_air.as_ref().map_or("", |camera| &camera.name));
            let mut stage = Stage::with(&wanted, opened, &self.around())?;
            stage.spared = true;
            (stage, Vec::new())
        } else {
            Stage::again(&wanted, on_air, &self.around(), &self.wake)?
        };
        (self.stage, self.reopening) = (Some(stage), reopening);
        self.apply_overlay();
        Ok(Carried::Out(Reply::Done))
    }

    fn around(&self) -> Surroundings<'_> {
        Surroundings { hub: &self.hub, fonts: &self.fonts, wish: &self.wish, muted: self.muted }
    }

    fn set_overlay(&mut self, overlay: Overlay, attachment: &Bytes) {
        let key = |overlay: &Overlay| overlay.card.as_ref().and_then(|card| card.picture_key.clone());
        if !attachment.is_empty() || key(&overlay) != key(&self.overlay) {
            self.picture = attachment.clone();
        }
        self.overlay = overlay;
        self.apply_overlay();
    }

    fn apply_overlay(&self) {
        if let Some(stage) = &self.stage {
            stage.set_overlay(&self.overlay, &self.picture);
        }
    }

    fn go_live(&mut self, go: GoLive) -> Result<(), Failure> {
        if self.show.is_some() {
            return Err(failure("already_live", &[]));
        }
        let stage = self.stage.as_ref().ok_or_else(|| failure("not_live", &[]))?;
        let parts = ShowParts {
            configuration: &stage.configuration,
            program: &stage.program,
            sound: &stage.sound,
            encoders: &self.encoders,
            finishing: &self.finishing,
            hub: self.hub.clone(),
        };
        self.show = Some(Show::start(go.clone(), &parts)?);
        self.go = Some(go);
        self.progress = Progress::default();
        self.rates = Rates::default();
        self.alone_since = None;
        Ok(())
    }

    fn end(&mut self) -> Option<Summary> {
        let show = self.show.take()?;
        self.ending = true;
        let closing = State { engine: EngineState::Ending, ..self.state_of(Some(&show)) };
        self.tell(closing);
        let summary = show.end();
        self.ending = false;
        (self.go, self.alone_since) = (None, None);
        self.hub.forget(|subject| matches!(subject, Subject::Show(_)));
        self.rates = Rates::default();
        self.tell_state();
        Some(summary)
    }

    /// Ten times a second: links, times, figures.
    pub(crate) fn look(&mut self) {
        self.look_who_is_there();
        if let Some(show) = &mut self.show {
            show.look();
            if let Some(part) = self.progress.stuck(Instant::now(), show.counters()) {
                (self.on_stuck)(part);
                self.progress = Progress::default();
            }
            let over = show.is_over();
            if over {
                tracing::info!("the time of the show is over");
            }
            let lonely = self.alone_for() >= self.grace;
            if lonely {
                tracing::warn!("nobody looks after the show; it ends");
            }
            if (over || lonely)
                && let Some(summary) = self.end()
            {
                self.hub.event(Event::Ended(summary));
            }
        }
        self.tell_state();
        if self.stats_due <= Instant::now() + STATS_SLACK {
            self.stats_due = (self.stats_due + STATS).max(Instant::now() + STATS / 2);
            self.tell_stats();
        }
    }

    fn look_who_is_there(&mut self) {
        if self.hub.clients() > 0 {
            self.alone_since = None;
            return;
        }
        if self.alone_since.is_none() {
            self.alone_since = Some(Instant::now());
            // Pictures and levels for nobody cost as much as for somebody. Who attaches asks for them.
            self.wish.set(0, 0);
        }
        if self.alone_for() >= FIGURES_GRACE && leave_out_figures(&mut self.overlay) {
            tracing::info!("nobody confirms price, stock and coupon; they leave the picture");
            self.apply_overlay();
        }
        if self.show.is_none() && self.stage.is_some() && self.alone_for() >= STAGE_GRACE.min(self.grace) {
            tracing::info!("nobody looks; camera and microphone are let go of");
            self.stage = None;
            // What was lost of them is nothing to whoever comes next and opens them.
            self.hub.forget(|subject| matches!(subject, Subject::Camera | Subject::Mic));
        }
    }

    fn alone_for(&self) -> Duration {
        self.alone_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn counters(&self) -> Option<&Counters> {
        match (&self.show, &self.stage) {
            (Some(show), _) => Some(show.counters()),
            (None, Some(stage)) => Some(stage.program.idle_counters()),
            (None, None) => None,
        }
    }

    fn tell_stats(&mut self) {
        let Some(counters) = self.counters().cloned() else {
            self.stats = None;
            return;
        };
        let (usage, now) = (own_usage(), Instant::now());
        let bytes = self.show.as_ref().map_or(0, Show::bytes_encoded);
        let rates = self.rates.next(now, counters.composed(), bytes, usage.cpu_s);
        let links = self.show.as_ref().map(Show::links).unwrap_or_default();
        let stats = Stats {
            frames_composed: counters.composed(),
            frames_encoded: counters.encoded(),
            loss: LossCounters {
                lagged: counters.lagged(),
                skipped: counters.skipped(),
                dropped: links.iter().map(|link| link.dropped).sum(),
            },
            clean_skipped: self.show.as_ref().map_or(0, |show| show.clean().skipped()),
            audio_blocks: counters.audio_blocks(),
            fps: rates.fps,
            kbps: rates.kbps,
            cpu: rates.cpu,
            peak_rss_bytes: usage.peak_rss_bytes,
            cpu_s: usage.cpu_s,
            program_delay_ms: self.stage.as_ref().map_or(0, |stage| u32::try_from(stage.delay.get() / 1_000_000).unwrap_or(0)),
            picture_percent: self.show.as_ref().map_or(100, Show::picture_percent),
            disk_minutes: self.show.as_ref().and_then(Show::disk_minutes),
            links,
        };
        for health in self.rates.troubles(now, &stats.loss, stats.frames_composed) {
            self.hub.health(health);
        }
        let missing = self.fonts.missing_glyphs();
        if missing > self.missing_glyphs {
            self.missing_glyphs = missing;
            self.hub.health(Health::new(HealthCode::MissingGlyphs).with("count", missing));
        }
        self.hub.event(Event::Stats(stats.clone()));
        self.stats = Some(stats);
    }

    fn state_of(&self, show: Option<&Show>) -> State {
        let stage = self.stage.as_ref();
        let engine = match (show.map(Show::phase), stage) {
            (Some(Phase::Starting), _) => EngineState::Starting,
            (Some(Phase::Live), _) => EngineState::Live,
            (None, Some(_)) => EngineState::Ready,
            (None, None) => EngineState::Idle,
        };
        State {
            engine,
            live_since_ms: show.and_then(Show::live_since_ms),
            camera: stage.map(|stage| stage.camera.clone()).unwrap_or_default(),
            camera_id: stage.map(|stage| stage.camera_id.get()).unwrap_or_default(),
            mic: stage.map(|stage| stage.mic.clone()).unwrap_or_default(),
            demo: stage.is_some_and(|stage| stage.demo),
            muted: self.muted,
            links: show.map(Show::links).unwrap_or_default(),
            recording: show.and_then(Show::recording),
            recordings: show.map(Show::recordings).unwrap_or_default(),
            clean_feed: show.and_then(|show| show.clean().path()),
            clean_feeds: show.map(|show| show.clean().files().to_vec()).unwrap_or_default(),
            hls: show.is_some_and(Show::has_hls),
            encoder: show.map(|show| show.encoder().to_owned()).unwrap_or_default(),
        }
    }

    /// Sends the state if it differs from the one last told.
    pub(crate) fn tell_state(&mut self) {
        let state = self.state_of(self.show.as_ref());
        self.tell(state);
    }

    fn tell(&mut self, state: State) {
        // Figures that move all the time are for the stats.
        let mut steady = state.clone();
        for link in &mut steady.links {
            (link.bytes_sent, link.dropped, link.behind_ms) = (0, 0, 0);
        }
        if self.told.as_ref() != Some(&steady) {
            tracing::info!(state = ?state.engine, links = ?state.links.iter().map(|l| (&l.host, l.state)).collect::<Vec<_>>(), "state");
            self.told = Some(steady);
            self.hub.event(Event::State(state));
        }
    }

    fn handover(&self) -> Option<GoLive> {
        let (show, go) = (self.show.as_ref()?, self.go.clone()?);
        // A new part follows the one that is being written.
        let file = |path: Option<PathBuf>| path.map(|path| Recording { path, overwrite: false });
        let for_s = show.time_left().map(|left| left.as_secs().max(1));
        Some(show.with_past(GoLive { recording: file(show.recording()), clean_feed: file(show.clean().path()), for_s, ..go }))
    }

    fn snapshot(&self) -> Snapshot {
        let mut overlay = self.overlay.clone();
        // Whoever sees the key sends no picture: it would stay away.
        if let Some(card) = overlay.card.as_mut().filter(|_| self.picture.is_empty()) {
            card.picture_key = None;
        }
        Snapshot {
            state: self.state_of(self.show.as_ref()),
            stats: self.stats.clone(),
            configuration: self.stage.as_ref().map(|stage| stage.configuration.clone()),
            overlay,
            problems: self.hub.problems(),
        }
    }
}

/// The picture never shows a price that may be over, nor offers what may be gone: number and title stay. True if anything was there.
fn leave_out_figures(overlay: &mut Overlay) -> bool {
    let mut bare = Overlay { coupon: None, ..overlay.clone() };
    if let Some(card) = &mut bare.card {
        (card.price, card.old_price, card.stock, card.stock_of) = (None, None, None, None);
    }
    let before = std::mem::replace(overlay, bare);
    before != *overlay
}
