//! Settings and the sources that can be chosen.

use serde::{Deserialize, Serialize};
use specta::Type;

/// Settings that the page needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct SettingsView {
    /// `zh-CN` or `en`.
    pub language: String,
    /// `dark` or `light`.
    pub theme: String,
    /// Record each show.
    pub record: bool,
    /// With each recording, record the picture without overlays too.
    pub clean_feed: bool,
    /// Days after which a settled order loses its buyer's name, phone and address, and a comment goes.
    pub retention_days: u32,
    /// How the master key is kept: `keychain`, `passphrase`, `file`.
    pub key_protector: String,
}

/// A source the host can choose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    /// Give this to `choose_camera` or `choose_mic`.
    pub id: String,
    /// Human name.
    pub name: String,
    /// `1280x720 30 NV12`, best first; empty for microphones.
    pub modes: Vec<String>,
}

/// Cameras and microphones of this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DevicesView {
    /// Cameras.
    pub cameras: Vec<DeviceView>,
    /// Microphones.
    pub microphones: Vec<DeviceView>,
}

/// Choice of a picture or sound source: `device` with id (`None` = best), `file` with path, `demo`, `none` (sound only).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum SourceForm {
    /// A device.
    Device {
        /// Id from the list, or `None` for the first that works.
        id: Option<String>,
    },
    /// A media file.
    File {
        /// Where it is.
        path: String,
    },
    /// The drawn demo.
    Demo,
    /// Silence.
    None,
}
