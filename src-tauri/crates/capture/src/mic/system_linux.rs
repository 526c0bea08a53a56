//! Microphones among ALSA's names.

use crate::device_list::MicDevice;
use cpal::traits::{DeviceTrait as _, HostTrait as _};
use cpal::{Device, DeviceDirection};

/// Names that lead to a sound server or to whatever the system was told to use.
const SERVERS: [&str; 3] = ["default", "pulse", "pipewire"];

/// What keeps ALSA from writing its complaints to standard error, on this thread and as long as it lives.
pub(super) struct Quiet(Option<std::rc::Rc<std::cell::RefCell<alsa::Output>>>);

/// Collects ALSA's complaints instead of letting them out.
pub(super) fn quiet() -> Quiet {
    Quiet(alsa::Output::local_error_handler().ok())
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(output) = &self.0 {
            let words = output.borrow().to_string();
            if !words.is_empty() {
                tracing::debug!(words, "ALSA");
            }
        }
    }
}

/// ALSA names dozens of rate converters and mixers; microphones are behind the servers and the cards. Nothing is
/// opened: opening them all takes seconds and makes noise.
pub(super) fn list(host: &cpal::Host) -> Vec<MicDevice> {
    let all: Vec<(String, Device)> = host.devices().into_iter().flatten().filter_map(|d| Some((d.id().ok()?.id().to_owned(), d))).collect();
    let name = |device: &Device| device.description().map(|d| d.name().to_owned()).unwrap_or_default();
    let entry = |device: &Device| Some(MicDevice { id: device.id().ok()?.to_string(), name: name(device) });
    let servers = SERVERS.iter().filter_map(|wanted| all.iter().find(|(id, _)| id == wanted)).filter_map(|(_, device)| entry(device));
    let cards = all.iter().filter(|(id, _)| is_numbered(id)).filter_map(|(_, device)| {
        let described = device.description().ok()?;
        if !matches!(described.direction(), DeviceDirection::Input | DeviceDirection::Duplex) {
            return None;
        }
        // By the card's name rather than its number, which changes with the order of plugging in.
        let named = all.iter().find(|(id, d)| id.starts_with("hw:") && !is_numbered(id) && name(d) == described.name());
        entry(named.map_or(device, |(_, d)| d))
    });
    servers.chain(cards).collect()
}

/// `hw:CARD=0,DEV=0`: a card that is there, with its directions.
fn is_numbered(id: &str) -> bool {
    id.strip_prefix("hw:CARD=").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
