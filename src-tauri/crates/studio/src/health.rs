//! The open problems of the machinery, newest first. Good news closes the problem it answers and leaves after a while; a
//! warning about something that lasts stays until its answer, any other leaves when it stops being repeated. What state and
//! figures of the media process show to be well again is no problem any more either.

use crate::view::HealthView;
use stallcast_engine::protocol::{LinkState, State, Stats};
use stallcast_media::{Health, HealthCode};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

/// Entries kept.
pub const MOST: usize = 20;
const GOOD_MS: i64 = 60_000;
/// Longer than from one word about a trouble that goes on to the next (30 s).
const WARN_MS: i64 = 45_000;
/// Clocks further apart than this are said to be; platforms begin to refuse signed requests at minutes.
const CLOCK_OFF_MS: i64 = 30_000;
/// And said until they are this close.
const CLOCK_GOOD_MS: i64 = 25_000;

/// The media process itself.
const ENGINE: &str = "engine";

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
    /// Over when it is not repeated.
    Warn,
    /// Goes on until its answer.
    Lasting,
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
        self.put(entry(health, now_ms));
    }

    /// A platform stopped or began to answer: id and name of its connection, of which two may have the same. `code`: what is
    /// in the way; `None` when nothing is.
    pub fn platform(&mut self, id: &str, connection: &str, code: Option<&str>, now_ms: i64) {
        let reachable = code.is_none();
        let subject = format!("platform:{id}");
        let params: BTreeMap<String, String> = [("connection", connection), ("reason", code.unwrap_or_default())]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let known = self.entries.iter_mut().find(|e| e.subject == subject && e.level == Level::Bad);
        match known {
            // Another reason asks for another step; since when it is gone does not move.
            Some(known) if !reachable => return known.params = params,
            // A first success is no news; it only answers a failure.
            None if reachable => return,
            _ => {}
        }
        self.put(Entry {
            code: if reachable { "platform_back" } else { "platform_unreachable" }.to_owned(),
            params,
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

    /// There is no media process, and it is tried again until there is: `code` is the error's, with its values. Answered by what says
    /// that it is there.
    pub fn engine_away(&mut self, code: &str, params: &BTreeMap<String, String>, now_ms: i64) {
        let at_ms = self.entries.iter().find(|e| e.subject == ENGINE && e.level == Level::Bad).map_or(now_ms, |e| e.at_ms);
        let mut params = params.clone();
        params.insert("reason".to_owned(), code.to_owned());
        self.put(Entry { code: "engine_away".to_owned(), params, at_ms, level: Level::Bad, subject: ENGINE.to_owned() });
    }

    /// There is one.
    pub fn engine_there(&mut self) {
        self.close(|subject| subject == ENGINE);
    }

    /// The media process's own list of what lasts, read as a whole because its words may have been missed. What was said to be lost
    /// in its files stays: that is answered by the next file. Those that are new here.
    pub fn catch_up(&mut self, problems: &[Health], now_ms: i64) -> Vec<Health> {
        let told: Vec<Entry> = problems.iter().map(|health| entry(health, now_ms)).collect();
        self.close(|subject| {
            let answered = matches!(subject, "camera" | "mic" | "rate" | "disk" | "recording_speed" | "power" | "awake");
            let of_a_link = subject.starts_with("link:") || subject.starts_with("slow:");
            (answered || of_a_link) && !told.iter().any(|entry| entry.subject == subject)
        });
        let mut new = Vec::new();
        for (health, entry) in problems.iter().zip(told) {
            match self.entries.iter_mut().find(|known| (&known.subject, &known.code) == (&entry.subject, &entry.code)) {
                // Since when stays.
                Some(known) => known.params = entry.params,
                None => {
                    self.put(entry);
                    new.push(health.clone());
                }
            }
        }
        new
    }

    /// How many intents were not delivered and wait for a person. The others are on their way, done or given up.
    pub fn failed_intents(&mut self, count: usize, now_ms: i64) {
        const SUBJECT: &str = "intents";
        let params = BTreeMap::from([("count".to_owned(), count.to_string())]);
        match self.entries.iter_mut().find(|e| e.subject == SUBJECT) {
            _ if count == 0 => self.entries.retain(|e| e.subject != SUBJECT),
            Some(known) => known.params = params,
            None => {
                let (code, subject) = ("intent_failed".to_owned(), SUBJECT.to_owned());
                self.put(Entry { code, params, at_ms: now_ms, level: Level::Bad, subject });
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
        while self.entries.len() > MOST {
            // What is over anyway goes first, the oldest of it; an open problem only where there is nothing else.
            let least = |level: Level| self.entries.iter().rposition(|e| e.level == level);
            let at = least(Level::Good).or_else(|| least(Level::Warn)).unwrap_or(MOST);
            self.entries.remove(at);
        }
    }

    /// Drops what is over; true if something went.
    pub fn expire(&mut self, now_ms: i64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| match e.level {
            Level::Good => now_ms - e.at_ms < GOOD_MS,
            Level::Warn => now_ms - e.at_ms < WARN_MS,
            Level::Lasting | Level::Bad => true,
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
                || matches!(subject, "recording" | "recording_speed" | "clean_feed" | "viewers" | "power" | "awake" | "rate" | "disk")
        };
        self.entries.retain(|e| !over(&e.subject));
    }

    /// Forgets what the media process that is gone told of devices, rates and power: the next one tells its own.
    pub fn engine_restarted(&mut self) {
        self.close(|subject| {
            matches!(subject, "camera" | "mic" | "rate" | "disk" | "recording_speed" | "power" | "awake") || subject.starts_with("slow:")
        });
    }

    /// Keeps what is said true: figures move after a word was told, and a link that is over is not slow.
    pub fn figures(&mut self, stats: &Stats) {
        let over = |state: LinkState| matches!(state, LinkState::Refused | LinkState::Closed);
        let goes_on = |id: &str| stats.links.iter().any(|link| link.id == id && !over(link.state));
        self.close(|subject| subject.strip_prefix("slow:").is_some_and(|id| !goes_on(id)));
        for entry in self.entries.iter_mut().filter(|e| e.level == Level::Lasting) {
            let (name, value) = match (entry.subject.as_str(), stats.disk_minutes) {
                ("rate", _) => ("percent", u64::from(stats.picture_percent)),
                ("disk", Some(minutes)) => ("minutes", minutes),
                _ => continue,
            };
            entry.params.insert(name.to_owned(), value.to_string());
        }
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
        let unrecorded = now.recording.is_none() && before.is_some_and(|before| before.recording.is_some());
        let files = |state: &State| state.recording.is_some() || state.clean_feed.is_some();
        let nothing_written = !files(now) && before.is_some_and(files);
        let accepted = accepted(before, now);
        self.close(|subject| match subject {
            "camera" => camera,
            "mic" | "mic_late" => mic,
            "recording" => recording,
            "recording_speed" => recording || unrecorded,
            "clean_feed" => clean_feed,
            "viewers" => viewers,
            "disk" => unrecorded || nothing_written,
            _ => subject.strip_prefix("link:").is_some_and(|id| accepted.contains(id)),
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
            subject: e.subject.clone(),
            code: e.code.clone(),
            params: e.params.clone(),
            at_ms: e.at_ms as f64,
            level: match e.level {
                Level::Good => "good",
                Level::Warn | Level::Lasting => "warn",
                Level::Bad => "bad",
            }
            .to_owned(),
        };
        self.entries.iter().map(view).collect()
    }
}

/// What an event of the media side is in the list.
fn entry(health: &Health, now_ms: i64) -> Entry {
    use HealthCode as H;
    let subject = |kind: &str, name: &str| format!("{kind}:{}", health.params.get(name).map_or("", String::as_str));
    // One host may be pushed to twice.
    let link = |kind: &str| subject(kind, if health.params.contains_key("id") { "id" } else { "host" });
    let (level, subject) = match health.code {
        H::CameraLost | H::SourcesSpared => (Level::Bad, "camera".to_owned()),
        H::CameraBack => (Level::Good, "camera".to_owned()),
        H::MicLost => (Level::Bad, "mic".to_owned()),
        H::MicLate => (Level::Warn, "mic_late".to_owned()),
        H::MicBack => (Level::Good, "mic".to_owned()),
        H::DestinationLost | H::DestinationHeld | H::DestinationUnreachable | H::DestinationRefused => (Level::Bad, link("link")),
        H::DestinationBack => (Level::Good, link("link")),
        H::DestinationSlow => (Level::Lasting, link("slow")),
        H::DestinationCaughtUp => (Level::Good, link("slow")),
        H::PictureLowered => (Level::Lasting, "rate".to_owned()),
        H::PictureRestored => (Level::Good, "rate".to_owned()),
        H::RecordingStopped | H::RecordingFailed => (Level::Bad, "recording".to_owned()),
        H::RecordingBehind => (Level::Lasting, "recording_speed".to_owned()),
        H::RecordingCaughtUp => (Level::Good, "recording_speed".to_owned()),
        H::CleanFeedStopped | H::CleanFeedFailed => (Level::Bad, "clean_feed".to_owned()),
        H::ViewersLost => (Level::Bad, "viewers".to_owned()),
        H::DiskLow | H::DiskSaving => (Level::Lasting, "disk".to_owned()),
        H::DiskEnough => (Level::Good, "disk".to_owned()),
        H::OnBattery => (Level::Lasting, "power".to_owned()),
        H::BatteryLow => (Level::Bad, "power".to_owned()),
        H::PowerBack => (Level::Good, "power".to_owned()),
        H::NotKeptAwake => (Level::Lasting, "awake".to_owned()),
        H::RecordingRepaired => (Level::Good, subject("repaired", "name")),
        H::EncoderBehind => (Level::Warn, "encoder".to_owned()),
        H::EncoderReplaced | H::EncoderHung => (Level::Warn, "encoder_kind".to_owned()),
        H::ProgramLate => (Level::Warn, "program".to_owned()),
        H::PartRestarted => (Level::Good, subject("part", "part")),
        H::EngineRestarted => (Level::Good, ENGINE.to_owned()),
        H::ShowLost | H::ShowEnded => (Level::Bad, "show".to_owned()),
        H::ShopRestarted => (Level::Good, "shop".to_owned()),
        H::MissingGlyphs => (Level::Warn, "glyphs".to_owned()),
    };
    Entry { code: word(health.code), params: health.params.clone(), at_ms: now_ms, level, subject }
}

/// The links that publish now and did not before.
fn accepted<'a>(before: Option<&State>, now: &'a State) -> BTreeSet<&'a str> {
    let publishes = |state: &State, id: &str| state.links.iter().any(|link| link.id == id && link.state == LinkState::Publishing);
    let begun = now.links.iter().filter(|link| publishes(now, &link.id) && !before.is_some_and(|before| publishes(before, &link.id)));
    begun.map(|link| link.id.as_str()).collect()
}

/// The stable word of a health code.
#[must_use]
pub fn word(code: HealthCode) -> String {
    serde_json::to_value(code).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
