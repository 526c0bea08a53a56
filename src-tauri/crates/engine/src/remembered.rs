use crate::protocol::{Command, GoLive, Recording, Reply, Snapshot};
use bytes::Bytes;
use stallcast_broadcast::next_part;
use std::time::{Duration, Instant};

/// What a new media process must be told to go on where the old one died. Secrets stay in memory.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    configure: Option<Command>,
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
            Command::Configure(_) => self.configure = Some(command.clone()),
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
            Command::Snapshot => {
                if let Reply::Snapshot(snapshot) = reply {
                    self.learn(snapshot);
                }
            }
        }
    }

    /// A show that runs (again: by [`crate::Engine::remember_go_live`]).
    pub(crate) fn begin(&mut self, go: GoLive) {
        let live_since = self.show.as_ref().and_then(|show| show.live_since);
        self.show = Some(Show { recording: go.recording.clone(), clean_feed: go.clean_feed.clone(), go, live_since });
    }

    /// The first destination accepted.
    pub(crate) fn went_live(&mut self) {
        if let Some(show) = &mut self.show {
            show.live_since.get_or_insert_with(Instant::now);
        }
    }

    /// The show is over.
    pub(crate) fn over(&mut self) {
        self.show = None;
    }

    /// What a running engine says of itself, where nothing was given through this client.
    pub(crate) fn learn(&mut self, snapshot: &Snapshot) {
        if let (None, Some(configuration)) = (&self.configure, &snapshot.configuration) {
            self.configure = Some(Command::Configure(configuration.clone()));
        }
        if self.muted.is_none() {
            self.muted = Some(Command::SetMuted { muted: snapshot.state.muted });
        }
        if self.overlay.is_none() {
            self.overlay = Some((Command::SetOverlay(snapshot.overlay.clone()), Bytes::new()));
        }
    }

    /// The commands that restore everything, in order.
    pub(crate) fn replay(&self) -> Vec<(Command, Bytes)> {
        let plain = |command: &Option<Command>| command.clone().map(|command| (command, Bytes::new()));
        let mut out: Vec<_> = [&self.grace, &self.configure, &self.muted].into_iter().filter_map(plain).collect();
        out.extend(self.overlay.clone());
        out.extend(plain(&self.preview));
        if let Some(show) = &self.show {
            let next = |file: &Option<Recording>| file.as_ref().map(|r| Recording { path: next_part(&r.path), overwrite: false });
            let (recording, clean_feed) = (next(&show.recording), next(&show.clean_feed));
            let gone = show.live_since.map_or(Duration::ZERO, |since| since.elapsed());
            // Not zero: the show ends by its own time, with everything that belongs to an end.
            let for_s = show.go.for_s.map(|s| s.saturating_sub(gone.as_secs()).max(1));
            out.push((Command::GoLive(GoLive { recording, clean_feed, for_s, ..show.go.clone() }), Bytes::new()));
        }
        out
    }

    pub(crate) fn has_show(&self) -> bool {
        self.show.is_some()
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
        let replay = remembered.replay();
        assert!(matches!(replay[0].0, Command::SetMuted { muted: true }));
        assert!(matches!(replay[1].0, Command::Preview { .. }));
        let Command::GoLive(go) = &replay[2].0 else { panic!("the show comes last") };
        let recording = go.recording.as_ref().expect("it goes on");
        assert_eq!(recording.path, folder.path().join("show.part3.mp4"));
        assert!(!recording.overwrite, "what exists is not touched");
        let clean = go.clean_feed.as_ref().expect("so does the clean feed");
        assert_eq!((&clean.path, clean.overwrite), (&folder.path().join("show.clean.part2.mp4"), false));
        remembered.note(&Command::StopCleanFeed, &none, &Reply::Done);
        assert!(matches!(&remembered.replay()[2].0, Command::GoLive(go) if go.clean_feed.is_none() && go.recording.is_some()));
        remembered.note(&Command::StopRecording, &none, &Reply::Done);
        assert!(matches!(&remembered.replay()[2].0, Command::GoLive(go) if go.recording.is_none()));
        remembered.note(&Command::End, &none, &Reply::Done);
        assert!(remembered.replay().iter().all(|(c, _)| !matches!(c, Command::GoLive(_))));
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
        assert_eq!(remembered.replay()[0].1.as_ref(), b"png");
        remembered.note(&card("b", "盖碗"), &Bytes::new(), &Reply::Done);
        assert!(remembered.replay()[0].1.is_empty());
    }
}
