//! What the command line prints: JSON lines on standard output, or sentences on standard error.

use crate::error::StudioError;
use crate::messages::{self, Language};
use crate::view::NoteView;
use serde_json::{Value, json};
use stallcast_engine::protocol::{EngineState, LinkState, LinkStatus, State, Stats, Summary};
use stallcast_media::Health;
use std::io::Write;

/// Where a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    pub json: bool,
    pub language: Language,
}

impl Terminal {
    /// One JSON line. A reader that went away is no reason to end a show.
    pub(crate) fn line(&self, value: &Value) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{value}").and_then(|()| out.flush());
    }

    /// A sentence for a person, on standard error.
    pub(crate) fn say(&self, code: &str, params: &[(&str, &str)]) {
        self.raw(&messages::text(code, params, self.language));
    }

    /// A finished text for a person, on standard error.
    pub(crate) fn raw(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// A result for a person, on standard output.
    pub(crate) fn print(&self, code: &str, params: &[(&str, &str)]) {
        self.print_raw(&messages::text(code, params, self.language));
    }

    /// A finished text on standard output.
    pub(crate) fn print_raw(&self, text: &str) {
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// An error: its JSON line when asked for, and always its sentence.
    pub(crate) fn error(&self, error: &StudioError) {
        if self.json {
            self.line(&json!({ "type": "error", "code": error.code(), "params": error.params() }));
        }
        self.raw(&error.sentence(self.language));
    }

    /// Word of a state in the terminal's language.
    pub(crate) fn state_word(&self, state: &str) -> String {
        messages::text(&format!("state_{state}"), &[], self.language)
    }

    /// The state of the show changed.
    pub(crate) fn state(&self, state: &State) {
        let word = state_code(state.engine);
        if self.json {
            self.line(&json!({
                "type": "state", "state": word, "live_since_ms": state.live_since_ms, "camera": state.camera, "mic": state.mic,
                "demo": state.demo, "muted": state.muted, "destinations": links(&state.links), "recording": state.recording,
                "recordings": state.recordings, "clean_feed": state.clean_feed, "clean_feeds": state.clean_feeds, "hls": state.hls,
            }));
        }
    }

    /// Figures of a second.
    pub(crate) fn stats(&self, stats: &Stats) {
        if self.json {
            self.line(&json!({
                "type": "stats", "frames_composed": stats.frames_composed, "frames_lagged": stats.loss.lagged,
                "frames_skipped": stats.loss.skipped, "frames_dropped": stats.loss.dropped, "frames_encoded": stats.frames_encoded,
                "clean_skipped": stats.clean_skipped,
                "audio_blocks": stats.audio_blocks, "fps": stats.fps, "kbps": stats.kbps, "cpu": stats.cpu,
                "peak_rss_bytes": stats.peak_rss_bytes, "cpu_s": stats.cpu_s, "program_delay_ms": stats.program_delay_ms,
                "picture_percent": stats.picture_percent, "disk_minutes": stats.disk_minutes, "destinations": links(&stats.links),
            }));
        }
    }

    /// News of the machinery.
    pub(crate) fn health(&self, health: &Health) {
        let code = crate::health::word(health.code);
        let text = messages::health_sentence(&code, &health.params, self.language);
        if self.json {
            // The text is for whoever shows it to a person: codes are for programs.
            self.line(&json!({ "type": "health", "code": code, "params": health.params, "text": text }));
        } else {
            self.raw(&text);
        }
    }

    /// What the platforms of a show change or warn about.
    pub(crate) fn notes(&self, notes: &[(String, NoteView)]) {
        for (host, note) in notes {
            let text = messages::note_sentence(host, note, self.language);
            if self.json {
                self.line(&json!({ "type": "note", "code": note.code, "host": host, "params": note.params, "text": text }));
            } else {
                self.raw(&text);
            }
        }
    }

    /// The last line of a show.
    pub(crate) fn summary(&self, summary: &Summary) {
        if self.json {
            self.line(&summary_line(summary));
            return;
        }
        let text = |n: u64| n.to_string();
        self.say(
            "summary_line",
            &[
                ("composed", &text(summary.frames_composed)),
                ("encoded", &text(summary.frames_encoded)),
                ("lagged", &text(summary.loss.lagged)),
                ("skipped", &text(summary.loss.skipped)),
                ("dropped", &text(summary.loss.dropped)),
                ("cpu", &format!("{:.1}", summary.cpu_s)),
                ("rss", &text(summary.peak_rss_bytes >> 20)),
            ],
        );
        for link in &summary.links {
            let (bytes, reconnects) = (link.bytes_sent.to_string(), link.reconnects.to_string());
            let state = messages::text(&format!("link_{}", link_code(link.state)), &[], self.language);
            let params = [("host", link.host.as_str()), ("bytes", &bytes), ("reconnects", &reconnects), ("state", &state)];
            self.say("destination_line", &params);
        }
        for path in &summary.recordings {
            self.say("recorded", &[("path", &path.display().to_string())]);
        }
        for path in &summary.clean_feeds {
            let (path, skipped) = (path.display().to_string(), summary.clean_skipped.to_string());
            self.say("recorded_clean", &[("path", &path), ("skipped", &skipped)]);
        }
        if summary.disk_full {
            self.say("disk_was_full", &[]);
        }
    }
}

fn summary_line(summary: &Summary) -> Value {
    json!({
        "type": "summary", "frames_composed": summary.frames_composed, "frames_lagged": summary.loss.lagged,
        "frames_skipped": summary.loss.skipped, "frames_dropped": summary.loss.dropped, "frames_encoded": summary.frames_encoded,
        "audio_blocks": summary.audio_blocks, "destinations": links(&summary.links), "recordings": summary.recordings,
        "clean_feeds": summary.clean_feeds, "clean_skipped": summary.clean_skipped,
        "disk_full": summary.disk_full, "cpu_s": summary.cpu_s, "peak_rss_bytes": summary.peak_rss_bytes,
    })
}

/// `idle`, `ready`, `starting`, `live`, `ending`.
pub(crate) const fn state_code(state: EngineState) -> &'static str {
    match state {
        EngineState::Idle => "idle",
        EngineState::Ready => "ready",
        EngineState::Starting => "starting",
        EngineState::Live => "live",
        EngineState::Ending => "ending",
    }
}

const fn link_code(state: LinkState) -> &'static str {
    match state {
        LinkState::Idle => "idle",
        LinkState::Connecting => "connecting",
        LinkState::Publishing => "publishing",
        LinkState::Reconnecting => "reconnecting",
        LinkState::Refused => "refused",
        LinkState::Closed => "closed",
    }
}

fn links(links: &[LinkStatus]) -> Value {
    let one = |l: &LinkStatus| {
        json!({
            "id": l.id, "host": l.host, "bytes_sent": l.bytes_sent, "reconnects": l.reconnects, "state": link_code(l.state), "dropped": l.dropped,
            "behind_ms": l.behind_ms,
        })
    };
    links.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_media::LossCounters;

    #[test]
    fn the_summary_has_the_fields_of_the_contract() {
        let link = LinkStatus {
            id: "to-1".to_owned(),
            host: "live.example".to_owned(),
            state: LinkState::Closed,
            bytes_sent: 7,
            reconnects: 1,
            dropped: 0,
            behind_ms: 0,
        };
        let summary = Summary {
            frames_composed: 1,
            loss: LossCounters { lagged: 2, skipped: 3, dropped: 4 },
            frames_encoded: 5,
            audio_blocks: 6,
            links: vec![link],
            recordings: vec!["/a/b.mp4".into()],
            clean_feeds: vec!["/a/b.clean.mp4".into()],
            clean_skipped: 8,
            disk_full: false,
            cpu_s: 1.5,
            peak_rss_bytes: 9,
        };
        let line = summary_line(&summary);
        for (field, value) in [
            ("type", json!("summary")),
            ("frames_composed", json!(1)),
            ("frames_lagged", json!(2)),
            ("frames_skipped", json!(3)),
            ("frames_dropped", json!(4)),
            ("frames_encoded", json!(5)),
            ("audio_blocks", json!(6)),
            ("recordings", json!(["/a/b.mp4"])),
            ("clean_feeds", json!(["/a/b.clean.mp4"])),
            ("clean_skipped", json!(8)),
            ("cpu_s", json!(1.5)),
            ("peak_rss_bytes", json!(9)),
        ] {
            assert_eq!(line[field], value, "{field}");
        }
        let to = &line["destinations"][0];
        assert_eq!(
            (&to["host"], &to["bytes_sent"], &to["reconnects"], &to["state"]),
            (&json!("live.example"), &json!(7), &json!(1), &json!("closed"))
        );
    }
}
