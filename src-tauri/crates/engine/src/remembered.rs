use crate::protocol::{Command, Configuration, GoLive, Recording, Reply, Snapshot};
use bytes::Bytes;
use stallcast_broadcast::next_part;
use stallcast_media::{Health, HealthCode};
use std::time::{Duration, Instant};

/// What a new media process must be told to go on where the old one died. Secrets stay in memory.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    configuration: Option<Configuration>,
    grace: Option<Command>,
    muted: Option<Command>,
    overlay: Option<(Command, Bytes)>,
    preview: Option<Command>,
    show: Option<Show>,
}

#[derive(Debug)]
struct Show {
    go: GoLive,
    /// The recording as first named, if it is still wanted.
    recording: Option<Recording>,
    /// The same for the clean feed.
    clean_feed: Option<Recording>,
    live_since: Option<Instant>,
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
            Command::Configure(configuration) | Command::Restore(configuration) => self.configuration = Some(configuration.clone()),
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
                Reply::Handover { show: Some(go) } => self.begin(go.clone()),
                _ => {}
            },
        }
    }

    /// A show that runs.
    fn begin(&mut self, go: GoLive) {
        let live_since = self.show.as_ref().and_then(|show| show.live_since);
        self.show = Some(Show { recording: go.recording.clone(), clean_feed: go.clean_feed.clone(), go, live_since });
    }

    /// The first destination accepted.
    pub(crate) fn went_live(&mut self) {
        if let Some(show) = &mut self.show {
            show.live_since.get_or_insert_with(Instant::now);
        }
    }

    /// A file that ended by itself is not begun again.
    pub(crate) fn heard(&mut self, health: &Health) {
        let Some(show) = &mut self.show else { return };
        match health.code {
            HealthCode::RecordingStopped | HealthCode::RecordingFailed => show.recording = None,
            HealthCode::CleanFeedStopped | HealthCode::CleanFeedFailed => show.clean_feed = None,
            _ => {}
        }
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
        if self.muted.is_none() {
            self.muted = Some(Command::SetMuted { muted: snapshot.state.muted });
        }
        if self.overlay.is_none() {
            self.overlay = Some((Command::SetOverlay(snapshot.overlay.clone()), Bytes::new()));
        }
    }

    /// The sources, which come first.
    pub(crate) fn configuration(&self) -> Option<Configuration> {
        self.configuration.clone()
    }

    /// The commands that restore everything else but the show, in order.
    pub(crate) fn settings(&self) -> Vec<(Command, Bytes)> {
        let plain = |command: &Option<Command>| command.clone().map(|command| (command, Bytes::new()));
        let mut out: Vec<_> = [&self.grace, &self.muted].into_iter().filter_map(plain).collect();
        out.extend(self.overlay.clone());
        out.extend(plain(&self.preview));
        out
    }

    /// The show as it goes on now; its files in new parts.
    pub(crate) fn show(&self) -> Option<GoLive> {
        let show = self.show.as_ref()?;
        let next = |file: &Option<Recording>| file.as_ref().map(|r| Recording { path: next_part(&r.path), overwrite: false });
        let (recording, clean_feed) = (next(&show.recording), next(&show.clean_feed));
        let gone = show.live_since.map_or(Duration::ZERO, |since| since.elapsed());
        // Not zero: the show ends by its own time, with everything that belongs to an end.
        let for_s = show.go.for_s.map(|s| s.saturating_sub(gone.as_secs()).max(1));
        Some(GoLive { recording, clean_feed, for_s, ..show.go.clone() })
    }
}

fn key(overlay: &crate::protocol::Overlay) -> Option<&str> {
    overlay.card.as_ref().and_then(|card| card.picture_key.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Overlay, ProductCard};
    use std::path::Path;

    fn go(path: &Path) -> Command {
        let recording = Some(Recording { path: path.to_owned(), overwrite: true });
        Command::GoLive(GoLive {
            destinations: vec![],
            hls_dir: None,
            recording,
            clean_feed: Some(Recording { path: path.with_extension("clean.mp4"), overwrite: true }),
            for_s: Some(600),
            limits: crate::protocol::EncoderLimits::default(),
        })
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
        let go = remembered.show().expect("it goes on");
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
        remembered.heard(&Health::new(HealthCode::RecordingStopped));
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
        remembered.note(&Command::Handover, &Bytes::new(), &Reply::Handover { show: Some(found) });
        let show = remembered.show().expect("it goes on");
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
