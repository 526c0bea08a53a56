//! The event hub: what the media side said last, and the stream of sections to every window.

use crate::departed::Departed;
use crate::health::HealthBoard;
use crate::view::{HealthView, LevelsView, StudioEvent};
use stallcast_engine::protocol::{Configuration, EngineState, Event, Overlay, State, Stats, Summary};
use stallcast_media::Health;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Behind by more than this a link is slow to a person, ms; the pages say the same (`ui/src/lib/stores/link.ts`).
const SLOW_MS: u64 = 1_500;
/// Events kept for a slow reader; one that falls further behind takes a snapshot.
const EVENTS: usize = 256;

/// What the media side said last, and what the studio knows about the running show. Guarded for moments only.
#[derive(Debug)]
pub(crate) struct Picture {
    pub state: State,
    pub stats: Option<Stats>,
    pub health: HealthBoard,
    pub configuration: Configuration,
    /// As last sent to the engine.
    pub overlay: Overlay,
    /// The media process has answered.
    pub open: bool,
    /// It has not answered yet, but its news have begun: the problems of devices in the list are its own.
    pub met: bool,
    /// Pressed, and the media process has not said so yet.
    pub pressed: Option<Pressed>,
    /// How often the end was pressed: a start that it overtook does not go live after it.
    pub ends: u64,
    /// Figures of the last show, until the next one: for who missed the news of its end.
    pub ended: Option<Summary>,
    pub recording_since_ms: Option<i64>,
    /// Off air: minutes of recording that its folder has room for.
    pub room_minutes: Option<u64>,
    /// What media processes that died in this show had counted.
    pub departed: Departed,
    pub preview_fps: u32,
    /// Longest side, pixels.
    pub preview_side: u32,
    /// Destinations whose last step on the platform the host has confirmed in this show.
    pub steps_done: BTreeSet<String>,
}

impl Picture {
    /// What the media process has counted in this show still counts.
    pub(crate) fn process_died(&mut self) {
        let last = self.stats.take();
        if let Some(last) = last.filter(|_| on_air(self.state.engine)) {
            self.departed.add(&last);
            // Counted there now; until the next one speaks these are what is known of the links.
            for link in &mut self.state.links {
                (link.bytes_sent, link.reconnects, link.dropped) = (0, 0, 0);
            }
        }
    }

    /// Called before news are taken. What a media process said of its devices is over with the first news after it; what the
    /// next one says stays.
    fn meet(&mut self) {
        if !self.open && !std::mem::replace(&mut self.met, true) {
            self.health.engine_restarted();
        }
    }
}

/// A button that was pressed, until the media process confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pressed {
    GoLive,
    End,
}

/// State before the media process has said anything.
pub(crate) const fn silent_state() -> State {
    State {
        engine: EngineState::Idle,
        live_since_ms: None,
        camera: String::new(),
        camera_id: String::new(),
        mic: String::new(),
        demo: false,
        muted: false,
        links: Vec::new(),
        recording: None,
        recordings: Vec::new(),
        clean_feed: None,
        clean_feeds: Vec::new(),
        hls: false,
        encoder: String::new(),
    }
}

/// Sends sections to windows and raw events to the command line.
#[derive(Debug)]
pub(crate) struct Hub {
    picture: Mutex<Picture>,
    sections: broadcast::Sender<StudioEvent>,
    news: broadcast::Sender<Event>,
}

impl Hub {
    pub(crate) fn new(configuration: Configuration) -> Self {
        Self {
            picture: Mutex::new(Picture {
                state: silent_state(),
                stats: None,
                health: HealthBoard::default(),
                configuration,
                overlay: Overlay::default(),
                open: false,
                met: false,
                pressed: None,
                ends: 0,
                ended: None,
                recording_since_ms: None,
                room_minutes: None,
                departed: Departed::default(),
                preview_fps: 0,
                preview_side: crate::preview::MAX_SIDE,
                steps_done: BTreeSet::new(),
            }),
            sections: broadcast::channel(EVENTS).0,
            news: broadcast::channel(EVENTS).0,
        }
    }

    /// Locks the picture. Never held across an await.
    pub(crate) fn picture(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<StudioEvent> {
        self.sections.subscribe()
    }

    pub(crate) fn news(&self) -> broadcast::Receiver<Event> {
        self.news.subscribe()
    }

    /// Nobody listening is no error.
    pub(crate) fn send(&self, event: StudioEvent) {
        let _ = self.sections.send(event);
    }

    pub(crate) fn tell(&self, event: Event) {
        if let Event::Ended(summary) = &event {
            self.picture().ended = Some(summary.clone());
        }
        let _ = self.news.send(event);
    }

    /// A health event of the media side or of a child, into the list, the windows and the command line.
    pub(crate) fn health(&self, health: Health, now_ms: i64) {
        let view = {
            let mut picture = self.picture();
            picture.meet();
            picture.health.take(&health, now_ms);
            picture.health.view()
        };
        self.send(StudioEvent::Health(view));
        self.tell(Event::Health(health));
    }

    /// The media process's own list of what lasts, where its words may have been missed.
    pub(crate) fn catch_up_health(&self, problems: &[Health], now_ms: i64) {
        let mut new = Vec::new();
        self.change_health(|board| new = board.catch_up(problems, now_ms));
        for health in new {
            self.tell(Event::Health(health));
        }
    }

    /// Changes the list of problems and tells the windows when it changed.
    pub(crate) fn change_health(&self, change: impl FnOnce(&mut HealthBoard)) {
        let (before, after): (Vec<HealthView>, Vec<HealthView>) = {
            let mut picture = self.picture();
            let before = picture.health.view();
            change(&mut picture.health);
            (before, picture.health.view())
        };
        if before != after {
            self.send(StudioEvent::Health(after));
        }
    }

    pub(crate) fn levels(&self, peak_db: f32, rms_db: f32) {
        self.send(StudioEvent::Levels(LevelsView { peak_db, rms_db }));
    }

    /// Takes a new state; true if something that windows show changed.
    pub(crate) fn take_state(&self, state: State, now_ms: i64) -> bool {
        let mut picture = self.picture();
        let changed = picture.state != state || !picture.open;
        if changed {
            self.follow_health(&mut picture, &state);
        }
        if picture.state.recording.is_none() != state.recording.is_none() {
            // One that was there before anything was heard began nobody knows when.
            picture.recording_since_ms = state.recording.as_ref().filter(|_| picture.open).map(|_| now_ms);
        }
        let over = match picture.pressed {
            Some(Pressed::GoLive) => matches!(state.engine, EngineState::Starting | EngineState::Live),
            Some(Pressed::End) => matches!(state.engine, EngineState::Idle | EngineState::Ready),
            None => false,
        };
        if over {
            picture.pressed = None;
        }
        picture.open |= state.engine != EngineState::Idle;
        picture.met &= !picture.open;
        picture.state = state;
        changed
    }

    /// The list of problems follows a state that changed, and the windows learn what went.
    fn follow_health(&self, picture: &mut Picture, state: &State) {
        let before = picture.health.view();
        picture.meet();
        let Picture { health, state: last, open, .. } = picture;
        health.follow(open.then_some(&*last), state);
        let after = health.view();
        if before != after {
            self.send(StudioEvent::Health(after));
        }
    }

    /// Takes the figures of a second; true if they change what windows show of the destinations.
    pub(crate) fn take_stats(&self, stats: Stats) -> bool {
        let mut picture = self.picture();
        // A counter that fell belongs to a new process, and the word of the old one's death was missed.
        if picture.stats.as_ref().is_some_and(|last| last.cpu_s > stats.cpu_s + 0.5) {
            picture.process_died();
        }
        let mut moved = false;
        for link in &mut picture.state.links {
            // The media process sends its state when something else changes, which may be never.
            if let Some(now) = stats.links.iter().find(|now| now.id == link.id) {
                let shown = |behind_ms: u64| if behind_ms > SLOW_MS { behind_ms / 100 } else { 0 };
                moved |= shown(link.behind_ms) != shown(now.behind_ms);
                (link.behind_ms, link.bytes_sent, link.dropped) = (now.behind_ms, now.bytes_sent, now.dropped);
            }
        }
        picture.stats = Some(stats.clone());
        drop(picture);
        self.change_health(|board| board.figures(&stats));
        moved
    }

    /// A show is being encoded or will be in a moment.
    pub(crate) fn is_on_air(&self) -> bool {
        on_air(self.picture().state.engine)
    }

    /// CPU of dead media processes and the figures of the summary's.
    pub(crate) fn engine_cost(&self, summary: &Summary) -> crate::usage::Usage {
        crate::usage::Usage { cpu_s: summary.cpu_s + self.picture().departed.cpu_s, peak_rss_bytes: summary.peak_rss_bytes }
    }
}

pub(crate) const fn on_air(state: EngineState) -> bool {
    matches!(state, EngineState::Starting | EngineState::Live | EngineState::Ending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_media::HealthCode;

    fn hub() -> Hub {
        Hub::new(crate::sources::first_configuration("en"))
    }

    fn ready(camera: &str) -> State {
        State { engine: EngineState::Ready, camera: camera.to_owned(), mic: "mic".to_owned(), ..silent_state() }
    }

    fn codes(hub: &Hub) -> Vec<String> {
        hub.picture().health.view().into_iter().map(|h| h.code).collect()
    }

    #[test]
    fn another_camera_closes_the_problem_of_the_lost_one_and_the_windows_are_told() {
        let hub = hub();
        hub.take_state(ready("cam"), 0);
        hub.health(Health::new(HealthCode::CameraLost), 1);
        let mut events = hub.events();
        hub.take_state(State { muted: true, ..ready("cam") }, 2);
        assert_eq!(codes(&hub), ["camera_lost"], "nothing that could have brought it back");
        assert!(events.is_empty());
        hub.take_state(ready("other"), 3);
        assert!(codes(&hub).is_empty());
        assert_eq!(events.try_recv().ok(), Some(StudioEvent::Health(vec![])));
    }

    #[test]
    fn a_show_counts_on_over_the_death_of_its_media_process() {
        let hub = hub();
        let figures = |cpu_s, dropped, frames_encoded| Stats {
            cpu_s,
            frames_encoded,
            loss: stallcast_media::LossCounters { lagged: 1, skipped: 2, dropped },
            ..Stats::default()
        };
        hub.take_state(State { engine: EngineState::Live, ..ready("cam") }, 0);
        hub.take_stats(figures(30.0, 5, 900));
        hub.take_stats(figures(40.0, 6, 1_200));
        hub.picture().process_died();
        // The next one does not live long, and nobody is told of its end.
        hub.take_stats(figures(1.0, 1, 30));
        hub.take_stats(figures(0.2, 2, 6));
        let picture = hub.picture();
        assert_eq!(picture.departed.loss_with(picture.stats.as_ref().expect("told").loss).dropped, 6 + 1 + 2);
        assert!((picture.departed.cpu_s - 41.0).abs() < 0.001);
    }

    #[test]
    fn the_end_of_a_show_is_known_to_who_missed_the_news_of_it() {
        let hub = hub();
        let mut news = hub.news();
        hub.tell(Event::Ended(crate::departed::tests::summary(vec![])));
        for _ in 0..=EVENTS {
            hub.tell(Event::Stats(Stats::default()));
        }
        assert!(matches!(news.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
        assert!(std::iter::from_fn(|| news.try_recv().ok()).all(|event| matches!(event, Event::Stats(_))), "it is gone");
        assert!(hub.picture().ended.is_some());
    }

    #[test]
    fn how_long_a_recording_runs_is_said_only_by_who_saw_it_begin() {
        let recorded = || State { engine: EngineState::Live, recording: Some("a.mp4".into()), ..ready("cam") };
        let (attached, there) = (hub(), hub());
        attached.take_state(recorded(), 7);
        there.take_state(State { engine: EngineState::Live, ..ready("cam") }, 6);
        there.take_state(recorded(), 7);
        assert_eq!((attached.picture().recording_since_ms, there.picture().recording_since_ms), (None, Some(7)));
    }

    #[test]
    fn a_link_that_falls_behind_is_shown_without_any_other_news() {
        let link = |behind_ms| stallcast_engine::protocol::LinkStatus {
            id: "a".to_owned(),
            host: "one".to_owned(),
            state: stallcast_engine::protocol::LinkState::Publishing,
            bytes_sent: 0,
            reconnects: 0,
            dropped: 0,
            behind_ms,
        };
        let hub = hub();
        hub.take_state(State { links: vec![link(0)], ..ready("cam") }, 0);
        let figures = |behind_ms| Stats { picture_percent: 100, links: vec![link(behind_ms)], ..Stats::default() };
        let moved = [400, 1_400, 2_410, 2_450, 2_510, 300, 200].map(|behind_ms| hub.take_stats(figures(behind_ms)));
        assert_eq!(moved, [false, false, true, false, true, true, false], "only what a person sees");
        assert_eq!(hub.picture().state.links[0].behind_ms, 200);
    }

    #[test]
    fn the_problems_of_devices_go_with_their_process_and_those_of_the_next_one_stay() {
        let hub = hub();
        // Twice: whatever was the last news before a death.
        for at in [0, 10] {
            hub.take_state(ready("cam"), at);
            hub.health(Health::new(HealthCode::CameraLost), at + 1);
            hub.picture().open = false;
            hub.health(Health::new(HealthCode::MicLost), at + 2);
            assert_eq!(codes(&hub), ["mic_lost"]);
            hub.take_state(silent_state(), at + 3);
            hub.take_state(ready("cam"), at + 4);
            assert_eq!(codes(&hub), ["mic_lost"], "it was told by the process that runs now");
            hub.picture().open = false;
            hub.take_state(silent_state(), at + 5);
            assert!(codes(&hub).is_empty());
        }
        hub.take_state(ready("cam"), 20);
        hub.picture().open = false;
        hub.take_state(ready("cam"), 21);
        hub.health(Health::new(HealthCode::CameraLost), 22);
        hub.picture().open = false;
        hub.take_state(ready("cam"), 23);
        assert!(codes(&hub).is_empty(), "one state is enough");
    }
}
