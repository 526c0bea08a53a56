//! The open problems of the machinery, newest first. Good news closes the problem it answers and leaves after a while;
//! warnings that have no such answer leave when they stop being repeated. What a state of the media process shows to be well
//! again is no problem any more either.

use crate::view::HealthView;
use stallcast_engine::protocol::{LinkState, State};
use stallcast_media::{Health, HealthCode};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

/// Entries kept.
pub const MOST: usize = 20;
const GOOD_MS: i64 = 60_000;
const WARN_MS: i64 = 30_000;
/// Clocks further apart than this are said to be; platforms begin to refuse signed requests at minutes.
const CLOCK_OFF_MS: i64 = 30_000;
/// And said until they are this close.
const CLOCK_GOOD_MS: i64 = 25_000;

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    code: String,
    params: BTreeMap<String, String>,
    at_ms: i64,
    level: Level,
    /// Entries with the same subject replace each other.
    subject: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Good,
    Warn,
    Bad,
}

/// The list. Not shared by itself: its owner guards it.
#[derive(Debug, Default)]
pub struct HealthBoard {
    entries: VecDeque<Entry>,
}

impl HealthBoard {
    /// Takes an event of the media side.
    pub fn take(&mut self, health: &Health, now_ms: i64) {
        use HealthCode as H;
        let subject = |kind: &str, name: &str| format!("{kind}:{}", health.params.get(name).map_or("", String::as_str));
        let (level, subject) = match health.code {
            H::CameraLost => (Level::Bad, "camera".to_owned()),
            H::CameraBack => (Level::Good, "camera".to_owned()),
            H::MicLost => (Level::Bad, "mic".to_owned()),
            H::MicBack => (Level::Good, "mic".to_owned()),
            H::DestinationLost | H::DestinationHeld | H::DestinationUnreachable | H::DestinationRefused => {
                (Level::Bad, subject("link", "host"))
            }
            H::DestinationBack => (Level::Good, subject("link", "host")),
            H::DestinationSlow => (Level::Warn, subject("slow", "host")),
            H::RecordingStopped | H::RecordingFailed => (Level::Bad, "recording".to_owned()),
            H::CleanFeedStopped | H::CleanFeedFailed => (Level::Bad, "clean_feed".to_owned()),
            H::ViewersLost => (Level::Bad, "viewers".to_owned()),
            H::DiskLow | H::DiskSaving => (Level::Warn, "disk".to_owned()),
            H::OnBattery => (Level::Warn, "power".to_owned()),
            H::BatteryLow => (Level::Bad, "power".to_owned()),
            H::PowerBack => (Level::Good, "power".to_owned()),
            H::RecordingRepaired => (Level::Good, subject("repaired", "name")),
            H::EncoderBehind => (Level::Warn, "encoder".to_owned()),
            H::EncoderReplaced | H::EncoderHung => (Level::Warn, "encoder_kind".to_owned()),
            H::ProgramLate => (Level::Warn, "program".to_owned()),
            H::PartRestarted => (Level::Good, subject("part", "part")),
            H::EngineRestarted => (Level::Good, "engine".to_owned()),
            H::ShowLost => (Level::Bad, "show".to_owned()),
            H::ShopRestarted => (Level::Good, "shop".to_owned()),
            H::MissingGlyphs => (Level::Warn, "glyphs".to_owned()),
        };
        self.put(Entry { code: word(health.code), params: health.params.clone(), at_ms: now_ms, level, subject });
    }

    /// A platform stopped or began to answer: id and name of its connection, of which two may have the same. `code`: what is
    /// in the way; `None` when nothing is.
    pub fn platform(&mut self, id: &str, connection: &str, code: Option<&str>, now_ms: i64) {
        let reachable = code.is_none();
        let subject = format!("platform:{id}");
        let known_bad = self.entries.iter().any(|e| e.subject == subject && e.level == Level::Bad);
        // A first success is no news; it only answers a failure.
        if reachable && !known_bad || !reachable && known_bad {
            return;
        }
        self.put(Entry {
            code: if reachable { "platform_back" } else { "platform_unreachable" }.to_owned(),
            params: [("connection", connection), ("reason", code.unwrap_or_default())]
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            at_ms: now_ms,
            level: if reachable { Level::Good } else { Level::Bad },
            subject,
        });
    }

    /// How far a platform's clock is ahead of this computer's, ms; less than nothing: behind it.
    pub fn clock(&mut self, id: &str, connection: &str, ahead_ms: i64, now_ms: i64) {
        let subject = format!("clock:{id}");
        let code = if ahead_ms > 0 { "clock_behind" } else { "clock_ahead" };
        let known = self.entries.iter().find(|e| e.subject == subject).map(|e| e.code == code);
        match known {
            Some(_) if ahead_ms.abs() <= CLOCK_GOOD_MS => self.entries.retain(|e| e.subject != subject),
            // Since when, and by how much at first: neither moves while it is so.
            Some(true) => {}
            _ if ahead_ms.abs() > CLOCK_OFF_MS => {
                let seconds = (ahead_ms.abs() / 1_000).to_string();
                let params = BTreeMap::from([("connection".to_owned(), connection.to_owned()), ("seconds".to_owned(), seconds)]);
                self.put(Entry { code: code.to_owned(), params, at_ms: now_ms, level: Level::Bad, subject });
            }
            _ => {}
        }
    }

    /// A shop was removed: nobody waits for it to answer.
    pub fn forget_shop(&mut self, id: &str) {
        let (platform, clock) = (format!("platform:{id}"), format!("clock:{id}"));
        self.entries.retain(|e| e.subject != platform && e.subject != clock);
    }

    /// What was not delivered and waits for a person: ids and actions. The others are on their way, done or given up.
    pub fn failed_intents<'a>(&mut self, failed: impl IntoIterator<Item = (&'a str, &'a str)>, now_ms: i64) {
        let failed: BTreeMap<String, &str> = failed.into_iter().map(|(id, action)| (format!("intent:{id}"), action)).collect();
        self.entries.retain(|e| !e.subject.starts_with("intent:") || failed.contains_key(&e.subject));
        for (subject, action) in failed {
            if !self.entries.iter().any(|e| e.subject == subject) {
                let params = BTreeMap::from([("action".to_owned(), action.to_owned())]);
                self.put(Entry { code: "intent_failed".to_owned(), params, at_ms: now_ms, level: Level::Bad, subject });
            }
        }
    }

    /// The database was damaged; a copy took its place, or it begins anew.
    pub fn database_restored(&mut self, copied_at_ms: Option<i64>, now_ms: i64) {
        let (code, params) = match copied_at_ms {
            Some(at) => ("database_restored", BTreeMap::from([("minutes".to_owned(), ((now_ms - at) / 60_000).max(0).to_string())])),
            None => ("database_renewed", BTreeMap::new()),
        };
        self.put(Entry { code: code.to_owned(), params, at_ms: now_ms, level: Level::Warn, subject: "database".to_owned() });
    }

    /// Damage was seen in the open database: the show goes on, the next start mends it.
    pub fn database_suspect(&mut self, now_ms: i64) {
        let (code, subject) = ("database_suspect".to_owned(), "database".to_owned());
        self.put(Entry { code, params: BTreeMap::new(), at_ms: now_ms, level: Level::Bad, subject });
    }

    fn put(&mut self, entry: Entry) {
        self.entries.retain(|e| e.subject != entry.subject);
        self.entries.push_front(entry);
        self.entries.truncate(MOST);
    }

    /// Drops what is over; true if something went.
    pub fn expire(&mut self, now_ms: i64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| match e.level {
            Level::Good => now_ms - e.at_ms < GOOD_MS,
            Level::Warn => now_ms - e.at_ms < WARN_MS,
            Level::Bad => true,
        });
        self.entries.len() != before
    }

    /// A new show answers the loss of the one before.
    pub fn show_begins(&mut self) {
        self.entries.retain(|e| e.subject != "show");
    }

    /// Forgets the problems of destinations, files and power: the show they belonged to is over, and nobody looks after
    /// them any more.
    pub fn show_over(&mut self) {
        let over = |subject: &str| {
            subject.starts_with("link:")
                || subject.starts_with("slow:")
                || matches!(subject, "recording" | "clean_feed" | "viewers" | "power")
        };
        self.entries.retain(|e| !over(&e.subject));
    }

    /// Forgets the problems of camera and microphone: the media process that told them is gone, and the next one tells its own.
    pub fn engine_restarted(&mut self) {
        self.close(|subject| matches!(subject, "camera" | "mic"));
    }

    /// Closes what no good news will answer, because things stand well again in another way: a device that was chosen
    /// anew, an address that a new process pushes to, a file that is written again. `before` is what the same process said
    /// last. True if something went.
    pub fn follow(&mut self, before: Option<&State>, now: &State) -> bool {
        let named = |pick: fn(&State) -> &str| before.is_some_and(|before| pick(before) != pick(now)) && !pick(now).is_empty();
        let written = |pick: fn(&State) -> &Option<PathBuf>| pick(now).is_some() && before.is_none_or(|before| pick(before) != pick(now));
        let (camera, mic) = (named(|state| &state.camera), named(|state| &state.mic));
        let (recording, clean_feed) = (written(|state| &state.recording), written(|state| &state.clean_feed));
        let viewers = now.hls && before.is_none_or(|before| !before.hls);
        let hosts = accepted_hosts(before, now);
        self.close(|subject| match subject {
            "camera" => camera,
            "mic" => mic,
            "recording" => recording,
            "clean_feed" => clean_feed,
            "viewers" => viewers,
            _ => subject.strip_prefix("link:").is_some_and(|host| hosts.contains(host)),
        })
    }

    /// Forgets the open problems with these subjects; true if there was one. Good news stays its time.
    fn close(&mut self, over: impl Fn(&str) -> bool) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| e.level == Level::Good || !over(&e.subject));
        self.entries.len() != before
    }

    /// For windows.
    #[must_use]
    pub fn view(&self) -> Vec<HealthView> {
        #[expect(clippy::cast_precision_loss, reason = "ms UTC stay below 2^53 for 285 000 years")]
        let view = |e: &Entry| HealthView {
            code: e.code.clone(),
            params: e.params.clone(),
            at_ms: e.at_ms as f64,
            level: match e.level {
                Level::Good => "good",
                Level::Warn => "warn",
                Level::Bad => "bad",
            }
            .to_owned(),
        };
        self.entries.iter().map(view).collect()
    }
}

/// Where a link publishes now and did not before, and no other link to the same host is in trouble: they share an entry.
fn accepted_hosts<'a>(before: Option<&State>, now: &'a State) -> BTreeSet<&'a str> {
    let published =
        |id: &str| before.is_some_and(|before| before.links.iter().any(|link| link.id == id && link.state == LinkState::Publishing));
    let is_well =
        |host: &str| now.links.iter().all(|link| link.host != host || matches!(link.state, LinkState::Publishing | LinkState::Closed));
    let begun = now.links.iter().filter(|link| link.state == LinkState::Publishing && !published(&link.id));
    begun.map(|link| link.host.as_str()).filter(|host| is_well(host)).collect()
}

/// The stable word of a health code.
#[must_use]
pub fn word(code: HealthCode) -> String {
    serde_json::to_value(code).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_engine::protocol::LinkStatus;

    #[test]
    fn good_news_closes_its_problem_and_leaves() {
        let mut board = HealthBoard::default();
        board.take(&Health::new(HealthCode::DestinationLost).with("host", "a"), 0);
        board.take(&Health::new(HealthCode::DestinationLost).with("host", "b"), 1);
        board.take(&Health::new(HealthCode::DestinationBack).with("host", "a"), 2);
        let codes = |b: &HealthBoard| b.view().into_iter().map(|h| (h.code, h.level)).collect::<Vec<_>>();
        let pair = |c: &str, l: &str| (c.to_owned(), l.to_owned());
        assert_eq!(codes(&board), [pair("destination_back", "good"), pair("destination_lost", "bad")]);
        assert!(board.expire(GOOD_MS + 2));
        assert_eq!(codes(&board), [pair("destination_lost", "bad")], "an open problem stays until it is answered");
        board.show_over();
        assert!(board.view().is_empty());
    }

    fn state(links: &[(&str, LinkState)]) -> State {
        let link = |(id, state): &(&str, LinkState)| LinkStatus {
            id: (*id).to_owned(),
            host: id.trim_end_matches(char::is_numeric).to_owned(),
            state: *state,
            bytes_sent: 0,
            reconnects: 0,
            dropped: 0,
            behind_ms: 0,
        };
        State { camera: "cam".to_owned(), mic: "mic".to_owned(), links: links.iter().map(link).collect(), ..crate::hub::silent_state() }
    }

    fn board(codes: &[HealthCode]) -> HealthBoard {
        let mut board = HealthBoard::default();
        for code in codes {
            board.take(&Health::new(*code).with("host", "a"), 0);
        }
        board
    }

    fn codes(board: &HealthBoard) -> Vec<String> {
        board.view().into_iter().map(|h| h.code).collect()
    }

    #[test]
    fn what_stands_well_again_in_another_way_closes_its_problem_alone() {
        use HealthCode as H;
        use LinkState::{Connecting, Publishing};
        let all = [H::CameraLost, H::MicLost, H::DestinationUnreachable, H::RecordingFailed, H::CleanFeedStopped, H::ViewersLost];
        let file = |name: &str| Some(PathBuf::from(name));
        let before = State { recording: file("a.mp4"), ..state(&[("a", Connecting)]) };
        let again = |change: fn(&mut State)| {
            let mut now = before.clone();
            change(&mut now);
            let mut board = board(&all);
            let went = board.follow(Some(&before), &now);
            let left = codes(&board);
            assert_eq!(went, left.len() < all.len());
            all.map(super::word).into_iter().filter(|code| !left.contains(code)).collect::<Vec<_>>()
        };
        assert!(again(|s| s.muted = true).is_empty());
        assert!(again(|s| (s.camera.clear(), s.mic.clear()).0).is_empty(), "nothing is opened yet");
        assert_eq!(again(|s| s.camera = "other".to_owned()), ["camera_lost"]);
        assert_eq!(again(|s| s.mic = "other".to_owned()), ["mic_lost"]);
        assert_eq!(again(|s| s.links[0].state = Publishing), ["destination_unreachable"]);
        assert!(again(|s| s.recording = None).is_empty());
        assert_eq!(again(|s| s.recording = Some(PathBuf::from("b.mp4"))), ["recording_failed"]);
        assert_eq!(again(|s| s.clean_feed = Some(PathBuf::from("b.mp4"))), ["clean_feed_stopped"]);
        assert_eq!(again(|s| s.hls = true), ["viewers_lost"]);
        let told_after = State { hls: true, ..state(&[("a", Publishing)]) };
        let mut board = board(&all);
        assert!(!board.follow(Some(&told_after), &told_after), "a state from before the loss answers nothing");
        board.follow(None, &told_after);
        assert_eq!(codes(&board).len(), all.len() - 2, "the first state of a process is news");
    }

    #[test]
    fn a_destination_is_well_when_all_of_its_host_are_and_its_good_news_stays() {
        use LinkState::{Publishing, Reconnecting, Refused};
        let mut refused = board(&[HealthCode::DestinationRefused]);
        let (before, now) = (state(&[("a1", Reconnecting), ("a2", Refused)]), state(&[("a1", Publishing), ("a2", Refused)]));
        assert!(!refused.follow(Some(&before), &now), "the other one is still refused");
        let mut back = board(&[HealthCode::DestinationBack]);
        assert!(!back.follow(Some(&state(&[("a", Reconnecting)])), &state(&[("a", Publishing)])));
        assert_eq!(codes(&back), ["destination_back"]);
    }

    #[test]
    fn with_the_show_its_problems_end_and_with_the_media_process_those_of_its_devices() {
        use HealthCode as H;
        let mut board = board(&[H::CameraLost, H::MicLost, H::BatteryLow, H::ViewersLost, H::CleanFeedFailed, H::RecordingStopped]);
        board.show_over();
        assert_eq!(codes(&board), ["mic_lost", "camera_lost"], "the camera is still gone");
        board.engine_restarted();
        assert!(codes(&board).is_empty());
    }

    #[test]
    fn the_list_is_bounded_and_warnings_fade() {
        let mut board = HealthBoard::default();
        for n in 0..100 {
            board.take(&Health::new(HealthCode::PartRestarted).with("part", n), n);
        }
        assert_eq!(board.view().len(), MOST);
        assert_eq!(board.view()[0].params["part"], "99", "newest first");
        board.take(&Health::new(HealthCode::EncoderBehind), 200);
        board.take(&Health::new(HealthCode::EncoderBehind), 20_200);
        assert!(!board.expire(40_000));
        assert!(board.expire(50_200), "a warning nobody repeats is over");
    }

    #[test]
    fn what_failed_stays_until_somebody_did_something() {
        let mut board = HealthBoard::default();
        board.failed_intents([("a", "pin"), ("b", "ship")], 1);
        board.failed_intents([("b", "ship"), ("c", "coupon")], 2);
        let actions: Vec<_> = board.view().into_iter().map(|h| (h.params["action"].clone(), h.at_ms)).collect();
        assert_eq!(actions, [("coupon".to_owned(), 2.0), ("ship".to_owned(), 1.0)], "since when must not move");
        assert!(!board.expire(i64::MAX / 2));
        board.failed_intents([], 3);
        assert!(board.view().is_empty());
    }

    #[test]
    fn a_wrong_clock_is_told_once_until_somebody_sets_it() {
        let mut board = HealthBoard::default();
        board.clock("s", "shop", 30_000, 1);
        assert!(board.view().is_empty(), "half a minute is nothing");
        board.clock("s", "shop", 95_400, 2);
        board.clock("s", "shop", 28_000, 3);
        let view = board.view();
        assert_eq!((view[0].code.as_str(), view[0].at_ms, view[0].params["seconds"].as_str()), ("clock_behind", 2.0, "95"));
        assert!(!board.expire(i64::MAX / 2), "it does not go away by itself");
        board.clock("s", "shop", -40_000, 4);
        assert_eq!(board.view().iter().map(|h| h.code.as_str()).collect::<Vec<_>>(), ["clock_ahead"]);
        board.clock("s", "shop", 200, 5);
        assert!(board.view().is_empty());
    }

    #[test]
    fn a_platform_is_news_only_when_it_changes() {
        let mut board = HealthBoard::default();
        board.platform("s", "shop", None, 0);
        assert!(board.view().is_empty());
        board.platform("s", "shop", Some("unreachable"), 1);
        board.platform("s", "shop", Some("unreachable"), 2);
        assert_eq!((board.view().len(), board.view()[0].at_ms), (1, 1.0), "since when it is gone must not move");
        board.platform("t", "shop", Some("unreachable"), 2);
        assert_eq!(board.view().len(), 2, "another shop of the same name");
        board.platform("s", "shop", None, 3);
        assert_eq!(board.view()[0].code, "platform_back");
        board.forget_shop("t");
        assert_eq!(board.view().len(), 1);
    }
}
