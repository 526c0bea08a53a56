//! The open problems of the machinery, newest first. Good news closes the problem it answers and leaves after a while;
//! warnings that have no such answer leave when they stop being repeated.

use crate::view::HealthView;
use stallcast_media::{Health, HealthCode};
use std::collections::{BTreeMap, VecDeque};

/// Entries kept.
pub const MOST: usize = 20;
const GOOD_MS: i64 = 60_000;
const WARN_MS: i64 = 30_000;

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
            H::DestinationLost | H::DestinationRefused => (Level::Bad, subject("link", "host")),
            H::DestinationBack => (Level::Good, subject("link", "host")),
            H::DestinationSlow => (Level::Warn, subject("slow", "host")),
            H::RecordingStopped | H::RecordingFailed => (Level::Bad, "recording".to_owned()),
            H::ViewersLost => (Level::Bad, "viewers".to_owned()),
            H::DiskLow => (Level::Warn, "disk".to_owned()),
            H::EncoderBehind => (Level::Warn, "encoder".to_owned()),
            H::ProgramLate => (Level::Warn, "program".to_owned()),
            H::PartRestarted => (Level::Good, subject("part", "part")),
            H::EngineRestarted => (Level::Good, "engine".to_owned()),
            H::ShopRestarted => (Level::Good, "shop".to_owned()),
            H::MissingGlyphs => (Level::Warn, "glyphs".to_owned()),
        };
        self.put(Entry { code: word(health.code), params: health.params.clone(), at_ms: now_ms, level, subject });
    }

    /// A platform stopped or began to answer.
    pub fn platform(&mut self, connection: &str, reachable: bool, now_ms: i64) {
        let subject = format!("platform:{connection}");
        let known_bad = self.entries.iter().any(|e| e.subject == subject && e.level == Level::Bad);
        // A first success is no news; it only answers a failure.
        if reachable && !known_bad || !reachable && known_bad {
            return;
        }
        self.put(Entry {
            code: if reachable { "platform_back" } else { "platform_unreachable" }.to_owned(),
            params: BTreeMap::from([("connection".to_owned(), connection.to_owned())]),
            at_ms: now_ms,
            level: if reachable { Level::Good } else { Level::Bad },
            subject,
        });
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

    /// Forgets the problems of destinations and recording: the show they belonged to is over.
    pub fn show_over(&mut self) {
        self.entries.retain(|e| !(e.subject.starts_with("link:") || e.subject.starts_with("slow:") || e.subject == "recording"));
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

/// The stable word of a health code.
#[must_use]
pub fn word(code: HealthCode) -> String {
    serde_json::to_value(code).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_platform_is_news_only_when_it_changes() {
        let mut board = HealthBoard::default();
        board.platform("shop", true, 0);
        assert!(board.view().is_empty());
        board.platform("shop", false, 1);
        board.platform("shop", false, 2);
        assert_eq!((board.view().len(), board.view()[0].at_ms), (1, 1.0), "since when it is gone must not move");
        board.platform("shop", true, 3);
        assert_eq!(board.view()[0].code, "platform_back");
    }
}
