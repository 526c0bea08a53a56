//! The event hub: what the media side said last, and the stream of sections to every window.

use crate::health::HealthBoard;
use crate::view::{HealthView, LevelsView, StudioEvent};
use stallcast_engine::protocol::{Configuration, EngineState, Event, Overlay, State, Stats, Summary};
use stallcast_media::Health;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

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
    pub recording_since_ms: Option<i64>,
    /// CPU seconds of media processes that died in this show.
    pub lost_cpu_s: f64,
    pub preview_fps: u32,
    /// Longest side, pixels.
    pub preview_side: u32,
    /// Destinations whose last step on the platform the host has confirmed in this show.
    pub steps_done: BTreeSet<String>,
}

impl Picture {
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
                recording_since_ms: None,
                lost_cpu_s: 0.0,
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
            picture.recording_since_ms = state.recording.as_ref().map(|_| now_ms);
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

    pub(crate) fn take_stats(&self, stats: Stats) {
        let mut picture = self.picture();
        // A counter that fell belongs to a new process: the old one's time still counts.
        if let Some(lost) = picture.stats.as_ref().map(|s| s.cpu_s).filter(|old| *old > stats.cpu_s + 0.5) {
            picture.lost_cpu_s += lost;
        }
        picture.stats = Some(stats);
    }

    /// A show is being encoded or will be in a moment.
    pub(crate) fn is_on_air(&self) -> bool {
        on_air(self.picture().state.engine)
    }

    /// CPU of dead media processes and the figures of the summary's.
    pub(crate) fn engine_cost(&self, summary: &Summary) -> crate::usage::Usage {
        crate::usage::Usage { cpu_s: summary.cpu_s + self.picture().lost_cpu_s, peak_rss_bytes: summary.peak_rss_bytes }
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
