use crate::protocol::{
    Command, Configuration, EngineState, GoLive, LinkState, LinkStatus, OnAir, Recording, Reply, Restoration, Snapshot, State,
};
use bytes::Bytes;
use stallcast_broadcast::{is_one_recording, next_part};
use stallcast_media::{Health, HealthCode};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a new media process must be told to go on where the old one died. Secrets stay in memory.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    configuration: Option<Configuration>,
    /// The camera that was opened for it.
    camera: Option<OnAir>,
    grace: Option<Command>,
    muted: Option<Command>,
    overlay: Option<(Command, Bytes)>,
    preview: Option<Command>,
    show: Option<Show>,
}

#[derive(Debug)]
struct Show {
    /// With what was heard of it since: when it went live, and who accepted.
    go: GoLive,
    /// The recording as first named, if it is still wanted.
    recording: Option<Recording>,
    /// The same for the clean feed.
    clean_feed: Option<Recording>,
    /// From when on its time counts: when it went live, or when it was learnt how much is left.
    counts_since: Option<Instant>,
}

impl Remembered {
    /// Takes note of a command that was carried out.
    pub(crate) fn note(&mut self, command: &Command, attachment: &Bytes, reply: &Reply) {
        match command {
            Command::SetOverlay(overlay) => {
                let same_key = |old: &Command| match old {
                    Command::SetOverlay(old) => key(old) == key(overlay),
                    _ => false,
                };
                // Without a picture: the one already given for the same key stays.
                let picture = match &self.overlay {
                    Some((old, picture)) if attachment.is_empty() && same_key(old) => picture.clone(),
                    _ => attachment.clone(),
                };
                self.overlay = Some((command.clone(), picture));
            }
            Command::Configure(configuration) | Command::Restore(Restoration { configuration, .. }) => {
                self.configuration = Some(configuration.clone());
            }
            Command::SetGrace { .. } => self.grace = Some(command.clone()),
            Command::SetMuted { .. } => self.muted = Some(command.clone()),
            Command::Preview { .. } => self.preview = Some(command.clone()),
            Command::GoLive(go) => self.begin(go.clone()),
            Command::StartRecording(recording) => {
                if let Some(show) = &mut self.show {
                    show.recording = Some(recording.clone());
                }
            }
            Command::StopRecording => {
                if let Some(show) = &mut self.show {
                    show.recording = None;
                }
            }
            Command::StartCleanFeed(recording) => {
                if let Some(show) = &mut self.show {
                    show.clean_feed = Some(recording.clone());
                }
            }
            Command::StopCleanFeed => {
                if let Some(show) = &mut self.show {
                    show.clean_feed = None;
                }
            }
            Command::End | Command::Quit => self.over(),
            Command::Snapshot | Command::Handover => match reply {
                Reply::Snapshot(snapshot) => self.learn(snapshot),
                Reply::Handover { show, grace_s } => {
                    if self.grace.is_none() {
                        self.grace = grace_s.map(|seconds| Command::SetGrace { seconds });
                    }
                    if let Some(go) = show {
                        self.begin(go.clone());
                    }
                }
                _ => {}
            },
        }
    }

    /// A show that runs.
    fn begin(&mut self, go: GoLive) {
        let counts_since = go.live_since_ms.map(|_| Instant::now());
        self.show = Some(Show { recording: go.recording.clone(), clean_feed: go.clean_feed.clone(), go, counts_since });
    }

    /// What a process says of itself that had all this before, or was given it.
    pub(crate) fn heard_state(&mut self, state: &State) {
        if let Some(camera) = on_air(state) {
            self.camera = Some(camera);
        }
        if matches!(state.engine, EngineState::Idle | EngineState::Ready) {
            // Somebody else may have ended it, or its time has.
            self.over();
        }
        self.heard_show(state);
    }

    /// The same of one that may still be on its way there: only what it says of a show counts.
    pub(crate) fn heard_show(&mut self, state: &State) {
        if let (Some(show), Some(_)) = (&mut self.show, state.live_since_ms)
            && show.go.live_since_ms.is_none()
        {
            show.go.live_since_ms = state.live_since_ms;
            show.counts_since = Some(Instant::now());
        }
        self.heard_links(&state.links);
    }

    /// Who accepted once may refuse for a while, and is asked again.
    pub(crate) fn heard_links(&mut self, links: &[LinkStatus]) {
        let Some(show) = &mut self.show else { return };
        for link in links.iter().filter(|link| matches!(link.state, LinkState::Publishing | LinkState::Reconnecting)) {
            for destination in show.go.destinations.iter_mut().filter(|destination| destination.id == link.id) {
                destination.accepted = true;
            }
        }
    }

    /// A file that ended by itself is not begun again.
    pub(crate) fn heard(&mut self, health: &Health) {
        let Some(show) = &mut self.show else { return };
        // The tail of an earlier file may fail while the next one runs.
        let file = match health.code {
            HealthCode::RecordingStopped | HealthCode::RecordingFailed => &mut show.recording,
            HealthCode::CleanFeedStopped | HealthCode::CleanFeedFailed => &mut show.clean_feed,
            _ => return,
        };
        let named = health.params.get("path").map(Path::new);
        file.take_if(|file| named.is_none_or(|named| is_one_recording(named, &file.path)));
    }

    /// The show is over.
    pub(crate) fn over(&mut self) {
        self.show = None;
    }

    /// What a running engine says of itself, where nothing was given through this client.
    pub(crate) fn learn(&mut self, snapshot: &Snapshot) {
        if let (None, Some(configuration)) = (&self.configuration, &snapshot.configuration) {
            self.configuration = Some(configuration.clone());
        }
        if self.camera.is_none() {
            self.camera = on_air(&snapshot.state);
        }
        if self.muted.is_none() {
            self.muted = Some(Command::SetMuted { muted: snapshot.state.muted });
        }
        if self.overlay.is_none() {
            self.overlay = Some((Command::SetOverlay(snapshot.overlay.clone()), Bytes::new()));
        }
    }

    /// The sources, which come first. What was chosen stays what it is; beside it stands what came of it. `spared`: they are not
    /// opened.
    pub(crate) fn sources(&self, spared: bool) -> Option<Restoration> {
        let configuration = self.configuration.clone()?;
        Some(Restoration { configuration, on_air: self.camera.clone(), spared })
    }

    /// The commands that restore everything else but the show, in order.
    pub(crate) fn settings(&self) -> Vec<(Command, Bytes)> {
        let plain = |command: &Option<Command>| command.clone().map(|command| (command, Bytes::new()));
        let mut out: Vec<_> = [&self.grace, &self.muted].into_iter().filter_map(plain).collect();
        out.extend(self.overlay.clone());
        out.extend(plain(&self.preview));
        out
    }

    /// Is there a show?
    pub(crate) const fn has_show(&self) -> bool {
        self.show.is_some()
    }

    /// The show as it goes on now; its files as first named: see [`next_parts`].
    pub(crate) fn show(&self) -> Option<GoLive> {
        let show = self.show.as_ref()?;
        let (recording, clean_feed) = (show.recording.clone(), show.clean_feed.clone());
        let gone = show.counts_since.map_or(Duration::ZERO, |since| since.elapsed());
        // Not zero: the show ends by its own time, with everything that belongs to an end.
        let for_s = show.go.for_s.map(|s| s.saturating_sub(gone.as_secs()).max(1));
        Some(GoLive { recording, clean_feed, for_s, ..show.go.clone() })
    }
}

/// The same with its files in new parts. Looks at the disk, which may take as long as a disk does.
pub(crate) fn next_parts(go: GoLive) -> GoLive {
    let next = |file: Option<Recording>| file.map(|r| Recording { path: next_part(&r.path), overwrite: false });
    GoLive { recording: next(go.recording), clean_feed: next(go.clean_feed), ..go }
}

fn on_air(state: &State) -> Option<OnAir> {
    (!state.camera_id.is_empty()).then(|| OnAir { id: state.camera_id.clone(), name: state.camera.clone() })
}

fn key(overlay: &crate::protocol::Overlay) -> Option<&str> {
    overlay.card.as_ref().and_then(|card| card.picture_key.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CameraChoice, Destination, Overlay, ProductCard, small_demo};

    fn state(engine: EngineState, links: &[(&str, LinkState)]) -> State {
        let link = |(id, state): &(&str, LinkState)| LinkStatus {
            id: (*id).to_owned(),
            host: "host".to_owned(),
            state: *state,
            bytes_sent: 0,
            reconnects: 0,
            dropped: 0,
            behind_ms: 0,
        };
        State {
            engine,
            live_since_ms: (engine == EngineState::Live).then_some(1_000),
            camera: "C920".to_owned(),
            camera_id: "/dev/video2".to_owned(),
            mic: String::new(),
            demo: false,
            muted: false,
            links: links.iter().map(link).collect(),
            recording: None,
            recordings: vec![],
            clean_feed: None,
            clean_feeds: vec![],
            hls: false,
            encoder: String::new(),
        }
    }

    fn go(path: &Path) -> Command {
        let recording = Some(Recording { path: path.to_owned(), overwrite: true });
        Command::GoLive(GoLive {
            destinations: vec![],
            hls_dir: None,
            recording,
            clean_feed: Some(Recording { path: path.with_extension("clean.mp4"), overwrite: true }),
            for_s: Some(600),
            limits: crate::protocol::EncoderLimits::default(),
            live_since_ms: None,
        })
    }

    #[test]
    fn the_past_of_a_show_goes_with_it() {
        let destination = |id: &str| Destination { id: id.to_owned(), url: "rtmp://host/live".into(), key: None, accepted: false };
        let Command::GoLive(go) = go(Path::new("show.mp4")) else { panic!("a show") };
        let go = GoLive { destinations: vec![destination("a"), destination("b"), destination("c")], ..go };
        let mut remembered = Remembered::default();
        remembered.note(&Command::GoLive(go), &Bytes::new(), &Reply::Done);
        let past = |remembered: &Remembered| {
            let show = remembered.show().expect("it goes on");
            (show.live_since_ms, show.destinations.iter().map(|d| d.accepted).collect::<Vec<_>>())
        };
        remembered.heard_state(&state(EngineState::Starting, &[("a", LinkState::Connecting), ("b", LinkState::Refused)]));
        assert_eq!(past(&remembered), (None, vec![false; 3]));
        remembered.heard_state(&state(EngineState::Live, &[("a", LinkState::Publishing), ("b", LinkState::Refused)]));
        remembered.heard_links(&state(EngineState::Live, &[("a", LinkState::Refused), ("c", LinkState::Reconnecting)]).links);
        assert_eq!(past(&remembered), (Some(1_000), vec![true, false, true]), "once accepted is accepted");
        // The next process begins anew, and the show does not.
        remembered.heard_show(&State { live_since_ms: Some(9_000), ..state(EngineState::Live, &[]) });
        assert_eq!(past(&remembered), (Some(1_000), vec![true, false, true]));
        // Whoever finds it running is told the same.
        let handed = Reply::Handover { show: remembered.show(), grace_s: None };
        let mut found = Remembered::default();
        found.note(&Command::Handover, &Bytes::new(), &handed);
        assert_eq!(past(&found), past(&remembered));
    }

    #[test]
    fn the_time_of_a_show_counts_from_when_it_is_known_to_be_live() {
        let mut remembered = Remembered::default();
        let left = |remembered: &Remembered| remembered.show().and_then(|go| go.for_s);
        remembered.note(&go(Path::new("show.mp4")), &Bytes::new(), &Reply::Done);
        assert!(remembered.show.as_ref().is_some_and(|show| show.counts_since.is_none()), "nobody has accepted");
        assert_eq!(left(&remembered), Some(600));
        remembered.heard_state(&state(EngineState::Live, &[]));
        let long_ago = Instant::now().checked_sub(Duration::from_secs(100)).expect("this machine runs for longer");
        remembered.show.as_mut().expect("it runs").counts_since = Some(long_ago);
        assert!(left(&remembered).is_some_and(|left| (490..=500).contains(&left)));
        remembered.show.as_mut().expect("it runs").go.for_s = Some(60);
        assert_eq!(left(&remembered), Some(1), "it ends by itself, in order");
    }

    #[test]
    fn a_process_that_was_given_nothing_yet_does_not_end_a_show() {
        let mut remembered = Remembered::default();
        remembered.note(&go(Path::new("show.mp4")), &Bytes::new(), &Reply::Done);
        remembered.heard_show(&state(EngineState::Idle, &[]));
        assert!(remembered.show().is_some());
        remembered.heard_state(&state(EngineState::Ready, &[]));
        assert!(remembered.show().is_none(), "it ended while nobody listened");
    }

    #[test]
    fn the_camera_on_air_is_told_beside_the_choice() {
        let mut remembered = Remembered::default();
        assert_eq!(remembered.sources(false), None);
        let chosen = Configuration { camera: CameraChoice::Device { id: None }, ..small_demo() };
        remembered.note(&Command::Configure(chosen.clone()), &Bytes::new(), &Reply::Done);
        remembered.heard_state(&state(EngineState::Ready, &[]));
        // The next process says its own names while it is given all this, and none while it has no sources.
        remembered.heard_show(&State { camera: "another".to_owned(), ..state(EngineState::Ready, &[]) });
        remembered.heard_state(&State { camera: String::new(), camera_id: String::new(), ..state(EngineState::Idle, &[]) });
        let sources = remembered.sources(false).expect("they are restored");
        let on_air = OnAir { id: "/dev/video2".to_owned(), name: "C920".to_owned() };
        assert_eq!(sources, Restoration { configuration: chosen, on_air: Some(on_air), spared: false });
        // As it travels: also to and from a process that knows of no camera.
        let text = serde_json::to_string(&Command::Restore(sources.clone())).expect("JSON");
        assert!(matches!(serde_json::from_str(&text), Ok(Command::Restore(again)) if again == sources), "{text}");
        let Restoration { configuration, .. } = sources;
        let plain = serde_json::to_string(&Command::Configure(configuration.clone())).expect("JSON").replace("configure", "restore");
        let Ok(Command::Restore(older)) = serde_json::from_str(&plain) else { panic!("{plain}") };
        assert_eq!(older, Restoration { configuration, on_air: None, spared: false });
    }

    #[test]
    fn a_show_is_restored_in_order_and_into_a_new_part() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("show.mp4");
        let mut remembered = Remembered::default();
        let none = Bytes::new();
        remembered.note(&go(&path), &none, &Reply::Done);
        remembered.note(&Command::Preview { fps: 15, max_side: 960 }, &none, &Reply::Done);
        remembered.note(&Command::SetMuted { muted: true }, &none, &Reply::Done);
        std::fs::write(folder.path().join("show.part2.mp4"), "x").expect("written");
        let settings = remembered.settings();
        assert!(matches!(settings[0].0, Command::SetMuted { muted: true }));
        assert!(matches!(settings[1].0, Command::Preview { .. }));
        let go = next_parts(remembered.show().expect("it goes on"));
        let recording = go.recording.as_ref().expect("it goes on");
        assert_eq!(recording.path, folder.path().join("show.part3.mp4"));
        assert!(!recording.overwrite, "what exists is not touched");
        let clean = go.clean_feed.as_ref().expect("so does the clean feed");
        assert_eq!((&clean.path, clean.overwrite), (&folder.path().join("show.clean.part2.mp4"), false));
        remembered.note(&Command::StopCleanFeed, &none, &Reply::Done);
        let files = |remembered: &Remembered| remembered.show().map(|go| (go.recording.is_some(), go.clean_feed.is_some()));
        assert_eq!(files(&remembered), Some((true, false)));
        remembered.note(&Command::StopRecording, &none, &Reply::Done);
        assert_eq!(files(&remembered), Some((false, false)));
        remembered.note(&Command::End, &none, &Reply::Done);
        assert_eq!(files(&remembered), None);
    }

    #[test]
    fn a_file_that_ended_by_itself_does_not_stop_the_show_from_coming_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut remembered = Remembered::default();
        remembered.note(&go(&folder.path().join("show.mp4")), &Bytes::new(), &Reply::Done);
        // Of another one, which had been stopped before.
        remembered.heard(&Health::new(HealthCode::RecordingFailed).with("path", folder.path().join("before.mp4").display()));
        assert!(remembered.show().is_some_and(|show| show.recording.is_some()));
        remembered.heard(&Health::new(HealthCode::RecordingStopped).with("path", folder.path().join("show.part2.mp4").display()));
        let show = remembered.show().expect("the show goes on");
        assert!(show.recording.is_none() && show.clean_feed.is_some());
        remembered.heard(&Health::new(HealthCode::CleanFeedFailed));
        assert!(remembered.show().expect("the show goes on").clean_feed.is_none());
    }

    #[test]
    fn a_show_that_was_found_running_is_remembered_as_it_stands() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut remembered = Remembered::default();
        let Command::GoLive(found) = go(&folder.path().join("show.part3.mp4")) else { panic!("a show") };
        std::fs::write(folder.path().join("show.part3.mp4"), "x").expect("written");
        remembered.note(&Command::Handover, &Bytes::new(), &Reply::Handover { show: Some(found), grace_s: Some(11_400) });
        let settings = remembered.settings();
        assert!(matches!(settings.as_slice(), [(Command::SetGrace { seconds: 11_400 }, _)]), "{settings:?}");
        let show = next_parts(remembered.show().expect("it goes on"));
        assert_eq!(show.recording.expect("so does its file").path, folder.path().join("show.part4.mp4"));
    }

    #[test]
    fn the_picture_of_the_card_is_kept_while_its_key_stays() {
        let card = |key: &str, title: &str| {
            let card = ProductCard {
                number: 1,
                title: title.to_owned(),
                sign: "¥".to_owned(),
                price: None,
                old_price: None,
                stock: None,
                stock_of: None,
                picture_key: Some(key.to_owned()),
            };
            Command::SetOverlay(Overlay { card: Some(card), coupon: None })
        };
        let mut remembered = Remembered::default();
        remembered.note(&card("a", "杯"), &Bytes::from_static(b"png"), &Reply::Done);
        remembered.note(&card("a", "盖碗"), &Bytes::new(), &Reply::Done);
        assert_eq!(remembered.settings()[0].1.as_ref(), b"png");
        remembered.note(&card("b", "盖碗"), &Bytes::new(), &Reply::Done);
        assert!(remembered.settings()[0].1.is_empty());
    }
}
