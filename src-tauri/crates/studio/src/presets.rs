//! Selling platforms as places to push to: what `presets.toml` says of each, and what that means for a show.

use crate::view::{MostView, NoteView, PresetView, Words};
use serde::Deserialize;
use stallcast_engine::protocol::{Configuration, EncoderLimits};
use stallcast_media::Canvas;
use std::sync::LazyLock;

/// The preset of a server that none of the others describes.
pub(crate) const CUSTOM: &str = "custom";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Presets {
    preset: Vec<Preset>,
}

/// One platform, as in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preset {
    pub id: String,
    pub name: Words,
    hosts: Vec<String>,
    servers: Vec<String>,
    find: Words,
    gate: Option<Words>,
    pub last_step: Option<Words>,
    pub rtmps_only: bool,
    pub key: KeyLife,
    shape: Shape,
    most: Most,
    /// Short side, frames a second, kbit/s.
    #[serde(default)]
    ladder: Vec<(u32, u32, u32)>,
    firm: bool,
    source: Source,
}

/// For how long a key is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyLife {
    Kept,
    Show,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Portrait,
    Landscape,
    Both,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    Official,
    ThirdParty,
    Unknown,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Most {
    video_kbps: Stated,
    audio_kbps: Stated,
    fps: Stated,
    short_side: Stated,
    long_side: Stated,
    keyframe_s: Stated,
    b_frames: Stated,
}

/// A figure, or the word that no source states one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Stated {
    Is(u32),
    Not(NotStated),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NotStated {
    Unknown,
}

impl Stated {
    const fn get(self) -> Option<u32> {
        match self {
            Self::Is(n) => Some(n),
            Self::Not(NotStated::Unknown) => None,
        }
    }
}

static ALL: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    toml::from_str::<Presets>(include_str!("../presets.toml")).map(|p| p.preset).unwrap_or_else(|e| {
        // A test reads the same file.
        tracing::error!(error = %e, "presets.toml is not understood");
        Vec::new()
    })
});

/// All of them, in the order of the form.
pub(crate) fn all() -> &'static [Preset] {
    &ALL
}

/// By the id stored with a destination.
pub(crate) fn by_id(id: &str) -> Option<&'static Preset> {
    all().iter().find(|p| p.id == id)
}

/// By the host of an ingest.
pub(crate) fn by_host(host: &str) -> Option<&'static Preset> {
    let host = host.to_ascii_lowercase();
    let fits = |pattern: &String| match pattern.strip_prefix('*') {
        Some(end) => host.ends_with(end),
        None => host == *pattern,
    };
    all().iter().find(|p| p.hosts.iter().any(fits))
}

/// What is known of a destination: its chosen platform, or for a custom one what its host tells.
pub(crate) fn of(id: &str, host: &str) -> Option<&'static Preset> {
    by_id(id).filter(|p| p.id != CUSTOM).or_else(|| by_host(host))
}

/// What all of these together demand of the one encode: the strictest decides.
pub(crate) fn limits<'a>(presets: impl IntoIterator<Item = &'a Preset>, canvas: Canvas) -> EncoderLimits {
    let mut limits = EncoderLimits::default();
    let least = |a: Option<u32>, b: Option<u32>| a.map_or(b, |a| Some(b.map_or(a, |b| a.min(b))));
    for preset in presets.into_iter().filter(|p| p.firm) {
        limits.keyframe_s = limits.keyframe_s.min(preset.most.keyframe_s.get().unwrap_or(u32::MAX)).max(1);
        limits.b_frames = limits.b_frames.min(preset.most.b_frames.get().unwrap_or(u32::MAX));
        limits.video_kbps = least(limits.video_kbps, preset.video_kbps(canvas));
        limits.audio_kbps = least(limits.audio_kbps, preset.most.audio_kbps.get());
    }
    limits
}

impl Preset {
    /// The stated maximum for this size and rate, kbit/s.
    fn video_kbps(&self, canvas: Canvas) -> Option<u32> {
        let short = canvas.width.min(canvas.height);
        let rungs = self.ladder.iter().filter(|(side, fps, _)| *side >= short && *fps >= canvas.fps);
        rungs.map(|(_, _, kbps)| *kbps).min().or_else(|| self.most.video_kbps.get())
    }

    /// What a show of this configuration must know of the platform: what is changed for it, and what is outside of what it
    /// states. Nothing of this happens in silence.
    pub(crate) fn notes(&self, configuration: &Configuration) -> Vec<NoteView> {
        let Canvas { width, height, fps } = configuration.canvas;
        let mut notes = Vec::new();
        let mut note = |code: &str, look: bool, params: &[(&str, String)]| {
            let params = params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            notes.push(NoteView { code: code.to_owned(), params, look });
        };
        let rates = [
            (self.video_kbps(configuration.canvas), configuration.video_kbps, "lowered_video", "above_video"),
            (self.most.audio_kbps.get(), configuration.audio_kbps, "lowered_audio", "above_audio"),
        ];
        for (most, have, lowered, above) in rates {
            if let Some(most) = most.filter(|most| *most < have) {
                note(if self.firm { lowered } else { above }, true, &[("have", have.to_string()), ("most", most.to_string())]);
            }
        }
        if let Some(most) = self.most.fps.get().filter(|most| *most < fps) {
            note("above_fps", true, &[("have", fps.to_string()), ("most", most.to_string())]);
        }
        let (short, long) = (width.min(height), width.max(height));
        if let (Some(most_short), Some(most_long)) = (self.most.short_side.get(), self.most.long_side.get())
            && (short > most_short || long > most_long)
        {
            note("above_size", true, &[("have", format!("{width}×{height}")), ("most", format!("{most_short}×{most_long}"))]);
        }
        match self.shape {
            Shape::Landscape if height > width => note("wants_landscape", true, &[]),
            Shape::Portrait if width > height => note("wants_portrait", true, &[]),
            _ => {}
        }
        let own = limits([self], configuration.canvas);
        let usual = EncoderLimits::default();
        if own.keyframe_s < usual.keyframe_s {
            note("keyframe", false, &[("seconds", own.keyframe_s.to_string())]);
        }
        if own.b_frames < usual.b_frames && !configuration.low_latency {
            note("b_frames", false, &[("count", own.b_frames.to_string())]);
        }
        notes
    }

    pub(crate) fn view(&self, configuration: &Configuration) -> PresetView {
        PresetView {
            id: self.id.clone(),
            name: self.name.clone(),
            servers: self.servers.clone(),
            find: self.find.clone(),
            gate: self.gate.clone(),
            last_step: self.last_step.clone(),
            rtmps_only: self.rtmps_only,
            key_for_one_show: match self.key {
                KeyLife::Show => Some(true),
                KeyLife::Kept => Some(false),
                KeyLife::Unknown => None,
            },
            official: match self.source {
                Source::Official => Some(true),
                Source::ThirdParty => Some(false),
                Source::Unknown => None,
            },
            most: MostView {
                video_kbps: self.video_kbps(configuration.canvas),
                audio_kbps: self.most.audio_kbps.get(),
                fps: self.most.fps.get(),
                keyframe_s: self.most.keyframe_s.get(),
            },
            notes: self.notes(configuration),
        }
    }
}

#[cfg(test)]
#[path = "presets_tests.rs"]
mod tests;
