//! Destinations as windows see them. Keys never come back; addresses only to the form that asks for one.

use crate::view::LinkStateView;
use serde::{Deserialize, Serialize};
use specta::Type;
use std::collections::BTreeMap;

/// A sentence or a name in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// 简体中文
    pub zh: String,
    /// English
    pub en: String,
}

/// Something the host must know of a platform before the show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct NoteView {
    /// `note.<code>` in the UI's texts.
    pub code: String,
    /// Values for the sentence.
    pub params: BTreeMap<String, String>,
    /// Worth a look; otherwise only told.
    pub look: bool,
}

/// Stated maxima for the present canvas; what is missing no source states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct MostView {
    /// Picture, kbit/s.
    pub video_kbps: Option<u32>,
    /// Sound, kbit/s.
    pub audio_kbps: Option<u32>,
    /// Frames a second.
    pub fps: Option<u32>,
    /// Seconds between keyframes.
    pub keyframe_s: Option<u32>,
}

/// A platform that the form offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct PresetView {
    /// Stored with a destination.
    pub id: String,
    /// Its name.
    pub name: Words,
    /// Addresses that are the same for everybody; the first is the usual one.
    pub servers: Vec<String>,
    /// Where address and key are found.
    pub find: Words,
    /// Who is let in.
    pub gate: Option<Words>,
    /// What must be pressed there once the picture arrives.
    pub last_step: Option<Words>,
    /// Plain RTMP is refused.
    pub rtmps_only: bool,
    /// The key is good for one show; `None` when no source says.
    pub key_for_one_show: Option<bool>,
    /// The figures are the platform's own, or somebody else's; `None` when there are none.
    pub official: Option<bool>,
    /// Stated maxima.
    pub most: MostView,
    /// What the present configuration means there.
    pub notes: Vec<NoteView>,
}

/// One destination. The key never comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DestinationView {
    /// Id.
    pub id: String,
    /// Name given by the seller.
    pub name: String,
    /// Platform chosen in the form.
    pub preset: String,
    /// Host only.
    pub host: String,
    /// `•••• 3f9a`: last four, or empty without a key.
    pub key_hint: String,
    /// The key is forgotten when the show ends.
    pub one_show: bool,
    /// The key was for a show that is over: a new one must be pasted before the next.
    pub key_gone: bool,
    /// Used at the next go-live.
    pub enabled: bool,
    /// Where it stands.
    pub state: LinkStateView,
    /// Far behind, ms.
    pub behind_ms: u32,
    /// What the present configuration means there.
    pub notes: Vec<NoteView>,
    /// What must be pressed on the platform now, until the host has said that it is done.
    pub last_step: Option<Words>,
}

/// What the destination form sends.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DestinationForm {
    /// `None` for a new one.
    pub id: Option<String>,
    /// A preset's id.
    pub preset: String,
    /// 1..=40 characters.
    pub name: String,
    /// `rtmp://` or `rtmps://`; `None` keeps the stored one.
    pub url: Option<String>,
    /// `None` keeps the stored key; empty means the URL is complete.
    pub key: Option<String>,
    /// Forget the key when the show ends. Platforms known to give out a new one each time need no telling.
    pub one_show: bool,
    /// Used at the next go-live.
    pub enabled: bool,
}
