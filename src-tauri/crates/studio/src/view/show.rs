//! Show, transport and figures.

use super::MoneyView;
use serde::{Deserialize, Serialize};
use specta::Type;

/// Where the show stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum ShowStateView {
    /// The media process is being started.
    Opening,
    /// Preview runs.
    Ready,
    /// Going live.
    Starting,
    /// On air.
    Live,
    /// Ending.
    Ending,
}

/// Show and transport.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ShowView {
    /// Where it stands.
    pub state: ShowStateView,
    /// Title of the show.
    pub title: String,
    /// Name of the shop.
    pub shop_name: String,
    /// On air since, ms UTC.
    pub live_since_ms: Option<f64>,
    /// Human name of the picture source.
    pub camera: String,
    /// Id of the camera that was chosen among those that are there: two may have one name.
    pub camera_id: Option<String>,
    /// Human name of the sound source.
    pub mic: String,
    /// Id of the microphone that was chosen, as with the camera.
    pub mic_id: Option<String>,
    /// The picture is the drawn demo.
    pub demo: bool,
    /// Silence is sent.
    pub muted: bool,
    /// Canvas width, pixels.
    pub canvas_width: u32,
    /// Canvas height, pixels.
    pub canvas_height: u32,
    /// File name of the running recording.
    pub recording: Option<String>,
    /// The picture without overlays is being recorded too.
    pub clean_feed: bool,
    /// Recording since, ms UTC.
    pub recording_since_ms: Option<f64>,
    /// Address of the viewer page, once the local shop answers.
    pub viewer_url: Option<String>,
    /// Orders of this show.
    pub order_count: u32,
    /// Sum of this show's orders that are not cancelled or refunded.
    pub turnover: MoneyView,
}

/// Figures for the strip and the health line.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct StatsView {
    /// Composed a second.
    pub fps: f32,
    /// kbit/s out of the encoders; 0 when not live.
    pub kbps: u32,
    /// 卡顿: composed late.
    pub lagged: u32,
    /// 跳帧: encoder had no time.
    pub skipped: u32,
    /// 丢帧: network.
    pub dropped: u32,
    /// CPU of the media process, 1.0 = one core.
    pub cpu: f32,
    /// Processor cores of the machine.
    pub cores: u32,
    /// Share of its full bitrate that a slow link leaves the picture, percent.
    pub picture_percent: u32,
    /// Minutes of recording left; off air, what a recording would have.
    pub disk_minutes: Option<u32>,
    /// Program delay D, ms.
    pub program_delay_ms: u32,
}

/// Microphone level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct LevelsView {
    /// dBFS.
    pub peak_db: f32,
    /// dBFS.
    pub rms_db: f32,
}

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum LinkStateView {
    /// Not live.
    Idle,
    /// First try.
    Connecting,
    /// Media is being accepted.
    Publishing,
    /// Trying again.
    Reconnecting,
    /// The platform refused the key.
    Refused,
}
