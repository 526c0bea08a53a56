//! The background work of an open studio: opening the children, carrying the media process's events, the slow tick.

use crate::error::StudioError;
use crate::health::HealthBoard;
use crate::preview::{FULL_FPS, IDLE, PreviewPicture, SLOW_FPS, side_for};
use crate::shop_process::{ShopProcess, ShopStart};
use crate::studio::{EngineMode, ShopMode, Studio};
use crate::view::StudioEvent;
use stallcast_clock::Backoff;
use stallcast_engine::protocol::{Command, EngineState, Event, Overlay, Reply};
use stallcast_engine::{Engine, EngineEvent};
use stallcast_media::{Health, HealthCode};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

const TICK: Duration = Duration::from_secs(1);
/// An empty picture is compared with the database only each so many: whatever changes it says so by itself.
const ANY_BEAT: u32 = 10;
const PREVIEW_TICK: Duration = Duration::from_secs(2);
/// Between two notes that the explained product is in the picture: what a crash may cost an explanation.
const SPAN_TICK: Duration = Duration::from_secs(5);
/// Between two copies of the database while on air.
const BACKUP_MS: i64 = 3_600_000;

impl Studio {
    /// Opens media process, shop and selling side by side. A window tries again and again; a command line is told.
    pub(crate) async fn open_children(self) {
        let token = self.inner.closing.clone();
        let _turn = self.inner.opening.lock().await;
        let ticking = self.clone();
        self.inner.tasks.spawn_again("tick", self.crashed("tick"), move || ticking.clone().tick());
        let given = self.inner.options.configuration.is_some();
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10), 1);
        loop {
            let result = tokio::select! {
                () = token.cancelled() => return,
                (media, shop) = async { tokio::join!(self.open_media(), self.open_selling()) } => media.and(shop),
            };
            if let Err(e) = &result {
                tracing::info!(error = %e, "the studio does not open");
                if self.inner.engine.get().is_none() {
                    self.say_engine_away(e.code(), e.params());
                }
            }
            let done = result.is_ok();
            self.tell_opened(result);
            if done || given {
                break;
            }
            tokio::select! {
                () = token.cancelled() => return,
                () = tokio::time::sleep(backoff.next_wait()) => {}
            }
        }
        self.publish_all().await;
    }

    /// A window without a media process says why and what to do: it would say for ever that it opens.
    fn say_engine_away(&self, code: &str, params: &BTreeMap<String, String>) {
        let now = self.now_ms();
        self.hub().change_health(|board| board.engine_away(code, params, now));
    }

    async fn open_media(&self) -> Result<(), StudioError> {
        let inner = &self.inner;
        if inner.engine.get().is_none() {
            let engine = match inner.options.engine {
                EngineMode::Child => Engine::attach_or_start(self.data(), &crate::programs::of_engine(&inner.options.exe)).await?,
                EngineMode::Given(start) => start(self.data().to_owned()).await?,
            };
            let events = engine.events();
            if inner.engine.set(engine).is_err() {
                return Err(StudioError::internal("two media processes"));
            }
            // Whatever fails below is tried again; what the media process tells is heard from now on.
            let (studio, first) = (self.clone(), Mutex::new(Some(events)));
            inner.tasks.spawn_again("engine events", self.crashed("engine events"), move || {
                let events = first.lock().unwrap_or_else(PoisonError::into_inner).take();
                studio.clone().carry_from(events)
            });
            // Somebody may look already.
            let fps = self.hub().picture().preview_fps;
            if fps > 0 {
                self.set_preview(fps).await;
            }
        }
        if !inner.span_settled.load(Ordering::Relaxed) {
            self.settle_lost_span().await?;
            inner.span_settled.store(true, Ordering::Relaxed);
        }
        self.take_snapshot().await?;
        if !self.is_on_air() {
            self.close_left_over_show().await;
            // The recordings, HLS and product card belong to a show that is over.
            let configuration = self.configuration();
            self.open_sources(configuration, inner.options.configuration.is_some()).await?;
            self.finish_leftovers();
        }
        self.take_snapshot().await?;
        Ok(())
    }

    /// An explanation that a dead process left open: on air or with its card still in the picture it never stopped; else
    /// it ended when it was last seen.
    async fn settle_lost_span(&self) -> Result<(), StudioError> {
        let Reply::Snapshot(found) = self.engine()?.command(Command::Snapshot, bytes::Bytes::new()).await? else {
            return Err(StudioError::internal("Snapshot"));
        };
        // Told before this process listened.
        for health in found.problems {
            self.hub().health(health, self.now_ms());
        }
        if crate::hub::on_air(found.state.engine) || found.overlay.card.is_some() {
            return Ok(());
        }
        crate::rows::close_lost_span(&self.inner.store, self.now_ms()).await
    }

    async fn open_selling(&self) -> Result<(), StudioError> {
        let inner = &self.inner;
        self.start_remotes().await?;
        if let ShopMode::On { listen } = inner.options.shop
            && inner.shop.get().is_none()
        {
            let start = ShopStart { data: self.data().to_owned(), exe: inner.options.exe.clone(), listen };
            let (tell, mut told) = mpsc::channel(4);
            let shop = ShopProcess::start(start, &inner.tasks, tell).await?;
            // Only this task opens the shop.
            let _ = inner.shop.set(shop);
            let studio = self.clone();
            inner.tasks.spawn("shop news", async move {
                let token = studio.inner.tasks.token();
                while let Some(Some(())) = token.run_until_cancelled(told.recv()).await {
                    studio.hub().health(Health::new(HealthCode::ShopRestarted), studio.now_ms());
                    studio.shop_restarted().await;
                    studio.publish_show().await;
                }
            });
        }
        if self.shop_url().is_some() && self.shops().own().is_none() {
            self.start_selling().await?;
        }
        Ok(())
    }

    /// Everything as it stands in the media process: after attaching, after a lag. Its problems that last.
    pub(crate) async fn take_snapshot(&self) -> Result<Vec<Health>, StudioError> {
        let reply = self.engine()?.command(Command::Snapshot, bytes::Bytes::new()).await?;
        let Reply::Snapshot(snapshot) = reply else {
            return Err(StudioError::internal("Snapshot"));
        };
        self.hub().change_health(HealthBoard::engine_there);
        let before = self.hub().picture().state.clone();
        self.hub().take_state(snapshot.state.clone(), self.now_ms());
        if let Some(stats) = snapshot.stats {
            self.hub().take_stats(stats);
        }
        if let Some(configuration) = snapshot.configuration
            && crate::hub::on_air(snapshot.state.engine)
        {
            self.hub().picture().configuration = configuration;
        }
        self.hub().picture().overlay = snapshot.overlay;
        self.follow_state(before.engine, &snapshot.state).await;
        if crate::hub::on_air(before.engine) && !crate::hub::on_air(snapshot.state.engine) {
            self.show_vanished(&before).await;
        }
        self.publish_show().await;
        self.refresh_overlay().await;
        Ok(snapshot.problems)
    }

    /// Tells that a part of this process crashed and starts again.
    fn crashed(&self, part: &'static str) -> impl Fn() + Send + 'static {
        let studio = self.clone();
        move || studio.hub().health(Health::new(HealthCode::PartRestarted).with("part", part), studio.now_ms())
    }

    /// Carries the given events; without any those from now on, after everything as it stands.
    async fn carry_from(self, events: Option<Receiver<EngineEvent>>) {
        let events = match (events, self.inner.engine.get()) {
            (Some(events), _) => events,
            (None, Some(engine)) => {
                let events = engine.events();
                self.catch_up(true).await;
                events
            }
            (None, None) => return,
        };
        self.carry(events).await;
    }

    /// Carries events of the media process until the studio closes.
    async fn carry(self, mut events: Receiver<EngineEvent>) {
        let token = self.inner.tasks.token();
        // A new process is being told what the old one had: what it says of itself meanwhile is not yet the show's state.
        let mut restoring = false;
        loop {
            let event = tokio::select! {
                biased;
                () = token.cancelled() => return,
                event = events.recv() => event,
            };
            match event {
                Ok(EngineEvent::Event(Event::State(_))) if restoring => {}
                Ok(EngineEvent::Event(event)) => self.take_event(event).await,
                Ok(EngineEvent::Preview { seq, width, height, jpeg }) => {
                    self.inner.preview.put(PreviewPicture { seq, width, height, jpeg })
                }
                Ok(EngineEvent::Down) => {
                    tracing::error!("the media process ended; it is being started again");
                    restoring = true;
                    self.inner.preview.restart();
                    {
                        let mut picture = self.hub().picture();
                        picture.open = false;
                        picture.process_died();
                    }
                    self.say_engine_away("died", &BTreeMap::new());
                    self.publish_show().await;
                }
                Ok(EngineEvent::Restarted { gap_ms, lost, ended }) => {
                    restoring = false;
                    let health = match lost {
                        None if ended => Health::new(HealthCode::ShowEnded),
                        None => Health::new(HealthCode::EngineRestarted).with("gap_ms", gap_ms),
                        Some(refused) => Health::new(HealthCode::ShowLost).with("code", refused.code),
                    };
                    self.hub().health(health, self.now_ms());
                    self.catch_up(false).await;
                }
                Ok(EngineEvent::Reconnected { ended }) => {
                    restoring = false;
                    if ended {
                        self.hub().health(Health::new(HealthCode::ShowEnded), self.now_ms());
                    }
                    // It makes no pictures while nobody is attached. Who looked still does, or is found not to.
                    let fps = self.hub().picture().preview_fps;
                    if fps > 0 {
                        self.set_preview(fps).await;
                    }
                    self.catch_up(true).await;
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "events of the media process were missed");
                    // The end of a restart may be among them.
                    restoring = false;
                    self.catch_up(true).await;
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// What was not heard as events is read as a whole, and told on. `missed`: words of the process that runs were among it, so its
    /// problems are read too; else they come as events, and what was said in its place stays.
    async fn catch_up(&self, missed: bool) {
        match self.take_snapshot().await {
            Ok(problems) => {
                if missed {
                    self.hub().catch_up_health(&problems, self.now_ms());
                }
                self.hub().tell(Event::State(self.engine_state()));
            }
            Err(e) => tracing::warn!(error = %e, "the media process gives no snapshot"),
        }
    }

    async fn take_event(&self, event: Event) {
        match &event {
            Event::State(state) => {
                let before = self.hub().picture().state.engine;
                if self.hub().take_state(state.clone(), self.now_ms()) {
                    self.follow_state(before, state).await;
                    self.publish_show().await;
                    self.publish_destinations().await;
                }
            }
            Event::Stats(stats) => {
                let late = self.hub().take_stats(stats.clone());
                self.hub().send(StudioEvent::Stats(self.stats_view()));
                if late {
                    self.publish_destinations().await;
                }
            }
            Event::Levels { peak_db, rms_db } => return self.hub().levels(*peak_db, *rms_db),
            Event::Health(health) => return self.hub().health(health.clone(), self.now_ms()),
            // Its own way: see EngineEvent::Preview.
            Event::Preview { .. } => return,
            // It ended by itself: its time was over, or nobody looked after it. Tells the news itself.
            Event::Ended(summary) => {
                self.hub().picture().pressed = None;
                let summary = self.whole(summary.clone());
                return self.show_over(&summary).await;
            }
        }
        self.hub().tell(event);
    }

    /// Once a second: what changes by time alone.
    async fn tick(self) {
        let token = self.inner.tasks.token();
        let mut tick = tokio::time::interval(TICK);
        let mut preview = tokio::time::interval(PREVIEW_TICK);
        let mut span = tokio::time::interval(SPAN_TICK);
        let mut idle = Duration::ZERO;
        let mut backed_up: Option<i64> = None;
        let mut beats = 0_u32;
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                _ = tick.tick() => {
                    let now = self.now_ms();
                    self.hub().change_health(|board| { board.expire(now); });
                    self.tell_clocks(now);
                    self.expire_reading(now).await;
                    self.follow_clock().await;
                    if beats.is_multiple_of(ANY_BEAT) && !self.is_on_air() {
                        self.inner.tasks.spawn("room", self.clone().look_for_room());
                    }
                    beats = beats.wrapping_add(1);
                    if beats.is_multiple_of(ANY_BEAT) || self.overlay_ages() {
                        self.refresh_overlay().await;
                    }
                    if self.is_on_air() && backed_up.is_none_or(|at| now - at >= BACKUP_MS) {
                        backed_up = Some(now);
                        self.inner.tasks.spawn("backup", self.clone().back_up(now));
                    }
                }
                _ = span.tick() => self.note_span().await,
                _ = preview.tick() => {
                    let (asked, taken, shown) = self.inner.preview.counts();
                    idle = if asked == 0 { idle + PREVIEW_TICK } else { Duration::ZERO };
                    let fps = self.hub().picture().preview_fps;
                    let wanted = match fps {
                        0 => 0,
                        _ if idle >= IDLE => 0,
                        // A reader that misses a third of the pictures costs more than it sees.
                        FULL_FPS if shown >= 30 && taken * 3 < shown * 2 => SLOW_FPS,
                        fps => fps,
                    };
                    if wanted != fps {
                        self.set_preview(wanted).await;
                    }
                }
            }
        }
    }

    /// Is there something in the picture that time alone changes (figures, a countdown), or that it should show and does not?
    fn overlay_ages(&self) -> bool {
        self.inner.overlay_owed.load(Ordering::Relaxed) || self.hub().picture().overlay != Overlay::default()
    }

    /// How long a recording could be: known before the show, when there is time to make room.
    async fn look_for_room(self) {
        let configuration = self.configuration();
        // Beside the recordings' folder, which comes with the first one.
        let (folder, kbps) = (self.data().to_owned(), configuration.video_kbps + configuration.audio_kbps);
        let minutes = tokio::task::spawn_blocking(move || stallcast_engine::room_minutes(&folder, kbps)).await;
        self.hub().picture().room_minutes = minutes.ok().flatten();
    }

    /// A copy of the database, on a task of its own: it may take seconds.
    async fn back_up(self, now_ms: i64) {
        if let Err(e) = crate::rows::back_up(&self.inner.store, self.data(), now_ms).await {
            tracing::warn!(error = %e, "no copy of the database");
        }
    }

    /// Somebody looks, at a picture whose longest side has `shown` pixels: pictures are asked for if they are not coming
    /// already, and not larger than they are shown.
    pub(crate) async fn want_preview(&self, shown: u32) {
        let side = side_for(shown);
        let (fps, before) = {
            let mut picture = self.hub().picture();
            (picture.preview_fps, std::mem::replace(&mut picture.preview_side, side))
        };
        if fps == 0 || side != before {
            self.set_preview(if fps == 0 { FULL_FPS } else { fps }).await;
        }
    }

    /// Asks for so many pictures a second; where there is no media process yet, once there is.
    async fn set_preview(&self, fps: u32) {
        let max_side = {
            let mut picture = self.hub().picture();
            picture.preview_fps = fps;
            picture.preview_side
        };
        let Some(engine) = self.inner.engine.get() else { return };
        if let Err(e) = engine.command(Command::Preview { fps, max_side }, bytes::Bytes::new()).await {
            tracing::debug!(error = %e, "the preview does not change");
            self.hub().picture().preview_fps = 0;
        }
    }

    pub(crate) async fn publish_show(&self) {
        self.hub().send(StudioEvent::Show(self.show_view().await));
    }

    pub(crate) async fn publish_all(&self) {
        for event in self.snapshot().await.sections() {
            self.hub().send(event);
        }
    }

    /// The show ended while no app looked: its row still says it runs.
    async fn close_left_over_show(&self) {
        if self.hub().picture().state.engine != EngineState::Ending {
            self.end_left_over_row().await;
            self.forget_keys().await;
        }
    }
}
