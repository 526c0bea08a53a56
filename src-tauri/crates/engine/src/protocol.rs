//! What travels over the engine's private socket.
//!
//! One message: `u32` little-endian length of the JSON, `u32` length of the attachment, the JSON, the attachment.
//! Requests carry an `id` that their reply repeats; events come unasked. The first message each way is [`Hello`]; a
//! client of another [`VERSION`] may only observe, send [`Command::End`], and [`Command::Quit`] while no show runs. Pictures are attachments, never JSON.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use stallcast_media::{Canvas, Health, LossCounters};
use std::path::PathBuf;

/// Raised with every change that an older peer would misread.
pub const VERSION: u32 = 3;
/// Longest accepted JSON part, bytes.
pub const MAX_JSON: u32 = 1 << 20;
/// Longest accepted attachment, bytes.
pub const MAX_ATTACHMENT: u32 = 8 << 20;

/// First message each way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Sender's [`VERSION`].
    pub version: u32,
    /// Sender's process id.
    pub pid: u32,
    /// It looks once and goes: a show that nobody looks after is not kept going by it.
    #[serde(default)]
    pub glances: bool,
}

/// From client to engine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client, rising.
    pub id: u64,
    /// What to do.
    pub command: Command,
}

/// From engine to client.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "snapshots are rare: one when a client attaches")]
pub enum Message {
    /// Answer to the request with this id.
    Reply {
        /// The request's id.
        id: u64,
        /// How it ended.
        result: Result<Reply, Failure>,
    },
    /// Unasked.
    Event {
        /// What happened.
        event: Event,
    },
}

/// Orders to the engine. Each is idempotent: sending the last ones again after a restart restores the show.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Opens sources and starts the program clock (preview runs, nothing is pushed). Replaces an earlier configuration;
    /// while live only sources may change.
    Configure(Configuration),
    /// The same after this process took over from one that died.
    Restore(Restoration),
    /// Replaces all overlays of the program. Attachment: the card's picture bytes (PNG, JPEG or SVG), empty for none or
    /// unchanged (same `picture_key`).
    SetOverlay(Overlay),
    /// Starts encoding into the destinations, HLS and the recording. Accepted at once; results come as events.
    GoLive(GoLive),
    /// Sends silence instead of the microphone.
    SetMuted {
        /// True to mute.
        muted: bool,
    },
    /// Asks for preview JPEGs, newest wins; 0 fps stops them.
    Preview {
        /// 0..=30.
        fps: u32,
        /// Longest side of the picture, at most 960.
        max_side: u32,
    },
    /// Starts a recording of a live show.
    StartRecording(Recording),
    /// Ends the recording, finishing the file.
    StopRecording,
    /// Records the picture of a live show without overlays, with the same sound, into a file of its own. What fails is told
    /// as health.
    StartCleanFeed(Recording),
    /// Ends the clean feed, finishing its file.
    StopCleanFeed,
    /// The engine ends the show by itself if no client is connected for this long. Default 600 s. Without a show it lets go of
    /// its devices after ten seconds and ends after a minute, or after this time if it is shorter.
    SetGrace {
        /// Seconds.
        seconds: u64,
    },
    /// Everything as it stands now, for a client that attaches.
    Snapshot,
    /// The running show as it would have to be started again, with its keys and its past: for the client that will do so if
    /// this process dies.
    Handover,
    /// Ends the show: flushes encoders, finishes files, closes destinations. The reply carries the summary. The
    /// process stays, ready for another show.
    End,
    /// Ends the show if there is one, then the process.
    Quit,
}

/// Where picture and sound come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CameraChoice {
    /// A camera; `None` takes the first that works.
    Device {
        /// Id from the device list.
        id: Option<String>,
    },
    /// A media file, looped.
    File {
        /// Where it is.
        path: PathBuf,
    },
    /// Drawn in code, labelled as demo.
    Demo,
}

/// Where sound comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MicChoice {
    /// A microphone; `None` takes the default one.
    Device {
        /// Id from the device list.
        id: Option<String>,
    },
    /// A media file, looped. The camera's own path means one opened source on one clock.
    File {
        /// Where it is.
        path: PathBuf,
    },
    /// A voice-like tone in step with the demo picture.
    Demo,
    /// Silence. The audio track exists all the same.
    None,
}

/// What encodes the picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncoderChoice {
    /// Hardware that has passed its probe by the time the show begins, else x264.
    #[default]
    Auto,
    /// x264.
    Software,
}

/// Sources, canvas and encoders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Picture source.
    pub camera: CameraChoice,
    /// Sound source.
    pub mic: MicChoice,
    /// Program size and rate.
    pub canvas: Canvas,
    /// H.264 bitrate, kbit/s.
    pub video_kbps: u32,
    /// AAC bitrate, kbit/s.
    pub audio_kbps: u32,
    /// x264 zerolatency, no B-frames.
    pub low_latency: bool,
    /// What encodes the picture.
    #[serde(default)]
    pub encoder: EncoderChoice,
    /// `zh-CN` or `en`: the words inside overlays.
    pub language: String,
}

/// A camera that was on air.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnAir {
    /// What told it from others of its name.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Sources as a process that died had them. None of them is refused, and no show waits for them: what takes its time to open, or is
/// not there, comes when it does, behind a slate and silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoration {
    /// As they were chosen. This is what [`Snapshot`] tells, whatever is opened for it.
    #[serde(flatten)]
    pub configuration: Configuration,
    /// The camera that was on air. It is this one again and no other, whatever was chosen: what stands before another camera is
    /// not meant to be seen. A microphone needs no name: the system's default is followed while a process lives, and so by the
    /// next.
    #[serde(default)]
    pub on_air: Option<OnAir>,
    /// Opens none of them: a slate and silence until somebody chooses sources. Processes before this one crashed with them.
    #[serde(default)]
    pub spared: bool,
}

/// What is drawn over the camera. Only confirmed values may be put here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// The product being explained.
    pub card: Option<ProductCard>,
    /// The coupon that can be claimed.
    pub coupon: Option<CouponRibbon>,
}

/// Texts are drawn as given; amounts are already formatted by the studio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductCard {
    /// Spoken number.
    pub number: u32,
    /// Confirmed title.
    pub title: String,
    /// Currency sign, for example `¥`.
    pub sign: String,
    /// Confirmed price in major units, for example `268`; `None` leaves the figure out.
    pub price: Option<String>,
    /// Struck through, without sign.
    pub old_price: Option<String>,
    /// Confirmed pieces left; `None` leaves the figure out.
    pub stock: Option<i64>,
    /// Pieces at the start of the show, for the bar.
    pub stock_of: Option<i64>,
    /// Changes when the attached picture changes.
    pub picture_key: Option<String>,
}

/// Terms of the running coupon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponRibbon {
    /// Currency sign.
    pub sign: String,
    /// Discount in major units.
    pub discount: String,
    /// Threshold in major units; `None` for none.
    pub threshold: Option<String>,
    /// When it ends, ms UTC by the studio's clock (already corrected to the platform's).
    pub ends_at_ms: i64,
}

/// Start of a show.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GoLive {
    /// RTMP destinations, at most 4, may be empty.
    pub destinations: Vec<Destination>,
    /// Folder for the HLS playlist, init and segments; `None` for no HLS.
    pub hls_dir: Option<PathBuf>,
    /// Recording from the start.
    pub recording: Option<Recording>,
    /// The picture without overlays, recorded from the start. Nothing of it touches the show: see [`Command::StartCleanFeed`].
    #[serde(default)]
    pub clean_feed: Option<Recording>,
    /// End by itself after this many seconds, counted as the command line says; `None` for no limit.
    pub for_s: Option<u64>,
    /// What the destinations demand of the encoder.
    #[serde(default)]
    pub limits: EncoderLimits,
    /// Since when the show is live, ms UTC, if this process goes on with one that was: it is live at once, and `for_s` counts
    /// from now.
    #[serde(default)]
    pub live_since_ms: Option<i64>,
}

/// What the destinations of a show demand of the one encode they share: the strictest of them decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderLimits {
    /// Seconds from one keyframe to the next, at most.
    pub keyframe_s: u32,
    /// B-frames between two others, at most.
    pub b_frames: u32,
    /// H.264 bitrate, kbit/s, at most; `None` for no demand.
    pub video_kbps: Option<u32>,
    /// AAC bitrate, kbit/s, at most; `None` for no demand.
    pub audio_kbps: Option<u32>,
}

impl Default for EncoderLimits {
    fn default() -> Self {
        Self { keyframe_s: 2, b_frames: 2, video_kbps: None, audio_kbps: None }
    }
}

impl EncoderLimits {
    /// The picture's bitrate under this limit, kbit/s.
    #[must_use]
    pub fn video(&self, wanted: u32) -> u32 {
        self.video_kbps.map_or(wanted, |most| wanted.min(most))
    }

    /// The sound's bitrate under this limit, kbit/s.
    #[must_use]
    pub fn audio(&self, wanted: u32) -> u32 {
        self.audio_kbps.map_or(wanted, |most| wanted.min(most))
    }
}

/// One RTMP(S) destination.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Destination {
    /// Chosen by the studio, stable.
    pub id: String,
    /// `rtmp://host[:port]/app[/…]` without key, or the complete URL when `key` is `None`.
    #[serde(with = "secret")]
    pub url: SecretString,
    /// Stream key.
    #[serde(with = "secret_option")]
    pub key: Option<SecretString>,
    /// It accepted this key already in this show, through a process before this one: the platform may still hold that
    /// connection, so that a refusal is not at once the last word.
    #[serde(default)]
    pub accepted: bool,
}

/// A file to record into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// `.mp4`. After an engine restart the show goes on as `NAME.part2.mp4`.
    pub path: PathBuf,
    /// Replace an existing file.
    pub overwrite: bool,
}

/// Successful answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "snapshots are rare: one when a client attaches")]
pub enum Reply {
    /// Done, or accepted.
    Done,
    /// For [`Command::Snapshot`].
    Snapshot(Snapshot),
    /// For [`Command::Handover`]; `None` while no show runs.
    Handover {
        /// Its files are the parts being written, its time is what is left of it.
        show: Option<GoLive>,
        /// As last set by [`Command::SetGrace`], seconds; `None` from a process that does not say.
        #[serde(default)]
        grace_s: Option<u64>,
    },
    /// For [`Command::End`].
    Ended(Summary),
}

/// A refused command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable code, translated by the UI and the command line: `device_missing`, `device_busy`, `device_denied`,
    /// `source_unusable`, `file_missing`, `file_exists`, `path_unwritable`, `disk_full`, `bad_url`, `bad_value`,
    /// `already_live`, `not_live`, `version`, `internal`.
    pub code: String,
    /// Values for the sentence: `name`, `path`, `host`, `detail`.
    pub params: std::collections::BTreeMap<String, String>,
}

/// Where the media side stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// No configuration yet.
    Idle,
    /// Composing, preview possible, nothing pushed.
    Ready,
    /// Encoding; the first destination (else recording, else HLS) has not accepted yet.
    Starting,
    /// Accepted, by way of this process or of one that it took over from.
    Live,
    /// Flushing.
    Ending,
}

/// Where one destination stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Not started.
    Idle,
    /// First try.
    Connecting,
    /// Media is being accepted.
    Publishing,
    /// Was accepted once, trying again.
    Reconnecting,
    /// The platform refused the key; not tried again.
    Refused,
    /// Ended by us.
    Closed,
}

/// One destination as seen now. No secret in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The studio's id.
    pub id: String,
    /// Host only.
    pub host: String,
    /// Where it stands.
    pub state: LinkState,
    /// Media bytes handed to the OS.
    pub bytes_sent: u64,
    /// Successful connections after the first.
    pub reconnects: u32,
    /// Video packets it did not get.
    pub dropped: u64,
    /// How far it is behind, ms.
    pub behind_ms: u64,
}

/// Unasked news. `Stats` comes once a second while composing, `Levels` ten times while previews are asked for,
/// the others when they change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// State changed.
    State(State),
    /// Once a second.
    Stats(Stats),
    /// Microphone level after mute, dBFS, -100.0..=0.0.
    Levels {
        /// Loudest sample of the last 100 ms.
        peak_db: f32,
        /// Mean level of the last 100 ms.
        rms_db: f32,
    },
    /// Something happened that a person may have to know.
    Health(Health),
    /// A preview JPEG; the picture is the attachment.
    Preview {
        /// Rising.
        seq: u64,
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The show ended by itself (its time was over, or nobody was attached for the grace time).
    Ended(Summary),
}

/// State of everything that changes rarely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Media side as a whole.
    pub engine: EngineState,
    /// When the first destination accepted, ms UTC; the same after a restart of this process.
    pub live_since_ms: Option<i64>,
    /// Human name of the picture source.
    pub camera: String,
    /// What tells it from others of its name; empty for what is no device.
    #[serde(default)]
    pub camera_id: String,
    /// Human name of the sound source.
    pub mic: String,
    /// Picture is the drawn demo.
    pub demo: bool,
    /// Silence is sent.
    pub muted: bool,
    /// Destinations in their order.
    pub links: Vec<LinkStatus>,
    /// File being written.
    pub recording: Option<PathBuf>,
    /// All files of this show.
    pub recordings: Vec<PathBuf>,
    /// File of the picture without overlays being written.
    #[serde(default)]
    pub clean_feed: Option<PathBuf>,
    /// All such files of this show.
    #[serde(default)]
    pub clean_feeds: Vec<PathBuf>,
    /// HLS playlist exists and grows.
    pub hls: bool,
    /// libavcodec's name of what encodes the picture; empty while nothing is encoded.
    #[serde(default)]
    pub encoder: String,
}

/// A process that does not say it lowers nothing.
const fn whole() -> u32 {
    100
}

/// Figures of the last second, and counts since the show began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Frames composed since the start.
    pub frames_composed: u64,
    /// Frames out of the encoder since the start.
    pub frames_encoded: u64,
    /// The three losses since the start.
    pub loss: LossCounters,
    /// Pictures that only the clean feed lost: its encoder had no room.
    #[serde(default)]
    pub clean_skipped: u64,
    /// Audio blocks encoded since the start.
    pub audio_blocks: u64,
    /// Composed in the last second.
    pub fps: f32,
    /// Out of the encoders in the last second, kbit/s.
    pub kbps: u32,
    /// CPU of the engine process in the last second, 1.0 = one core.
    pub cpu: f32,
    /// Peak memory of the engine process, bytes.
    pub peak_rss_bytes: u64,
    /// CPU seconds of the engine process since it started.
    pub cpu_s: f64,
    /// D of the design: how far the program runs behind capture, ms.
    pub program_delay_ms: u32,
    /// Share of its full bitrate that the slowest link leaves the picture, percent; 100 without a show.
    #[serde(default = "whole")]
    pub picture_percent: u32,
    /// Room for the recording at this bitrate, minutes; `None` when not recording.
    pub disk_minutes: Option<u64>,
    /// Destinations, as in [`State`].
    pub links: Vec<LinkStatus>,
}

/// Answer to [`Command::Snapshot`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// State.
    pub state: State,
    /// Figures, if composing.
    pub stats: Option<Stats>,
    /// Present configuration.
    pub configuration: Option<Configuration>,
    /// Present overlays.
    pub overlay: Overlay,
    /// Problems that last, as they were told.
    #[serde(default)]
    pub problems: Vec<Health>,
}

/// A finished show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Frames composed while live.
    pub frames_composed: u64,
    /// The three losses.
    pub loss: LossCounters,
    /// Frames out of the encoder.
    pub frames_encoded: u64,
    /// Audio blocks encoded.
    pub audio_blocks: u64,
    /// Destinations at the end.
    pub links: Vec<LinkStatus>,
    /// Files written.
    pub recordings: Vec<PathBuf>,
    /// Files of the picture without overlays.
    #[serde(default)]
    pub clean_feeds: Vec<PathBuf>,
    /// Pictures that only the clean feed lost.
    #[serde(default)]
    pub clean_skipped: u64,
    /// A recording stopped because the disk was full.
    pub disk_full: bool,
    /// CPU seconds of the engine since it started.
    pub cpu_s: f64,
    /// Peak memory of the engine, bytes.
    pub peak_rss_bytes: u64,
}

mod secret {
    use secrecy::{ExposeSecret, SecretString};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &SecretString, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(value.expose_secret())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
        String::deserialize(from).map(SecretString::from)
    }
}

mod secret_option {
    use secrecy::{ExposeSecret, SecretString};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(secret) => to.serialize_some(secret.expose_secret()),
            None => to.serialize_none(),
        }
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
    }
}

/// For tests that need any configuration: what every machine opens.
#[cfg(test)]
pub(crate) fn small_demo() -> Configuration {
    Configuration {
        camera: CameraChoice::Demo,
        mic: MicChoice::Demo,
        canvas: Canvas { width: 360, height: 640, fps: 30 },
        video_kbps: 800,
        audio_kbps: 96,
        low_latency: false,
        encoder: EncoderChoice::Auto,
        language: "en".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_an_older_process_are_understood() {
        let mut told = serde_json::to_value(Stats::default()).expect("JSON");
        for field in ["picture_percent", "clean_skipped"] {
            told.as_object_mut().and_then(|fields| fields.remove(field)).expect("it is told");
        }
        let stats: Stats = serde_json::from_value(told).expect("a show of that process goes on under a newer app");
        assert_eq!(stats, Stats { picture_percent: 100, ..Stats::default() });
    }
}
