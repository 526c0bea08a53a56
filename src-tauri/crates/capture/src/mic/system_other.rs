//! Microphones of systems that name them well by themselves. Not tried.

use crate::device_list::MicDevice;
use cpal::traits::{DeviceTrait as _, HostTrait as _};

/// Nothing to be silenced here.
pub(super) struct Quiet;

pub(super) fn quiet() -> Quiet {
    Quiet
}

/// The default first.
pub(super) fn list(host: &cpal::Host) -> Vec<MicDevice> {
    let default = host.default_input_device().and_then(|d| d.id().ok()).map(|id| id.to_string());
    let mut all: Vec<MicDevice> = host
        .input_devices()
        .into_iter()
        .flatten()
        .filter_map(|d| Some(MicDevice { id: d.id().ok()?.to_string(), name: d.description().ok()?.name().to_owned() }))
        .collect();
    all.sort_by_key(|mic| Some(&mic.id) != default.as_ref());
    all
}
