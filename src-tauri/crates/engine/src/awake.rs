//! While a show runs the machine neither sleeps nor darkens its screen, and its battery is watched.

use crate::guard::guarded;
use crate::hub::Hub;
use keepawake::KeepAwake;
use stallcast_clock::spawn_thread;
use stallcast_media::{Health, HealthCode};
use starship_battery::State;
use starship_battery::units::{ratio, time};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// A battery changes slowly, and asking it costs a few file reads.
const LOOK_EACH: Duration = Duration::from_secs(30);
/// So little time or charge is a reason to go and fetch the power supply now.
const LOW_MINUTES: u64 = 30;
/// The later ones: what was said of it is no longer true.
const LOW_PERCENT: [u64; 3] = [20, 10, 5];

/// Lasts as long as the show: the thread `awake` holds what keeps the machine awake, and lets go when this is dropped.
#[derive(Debug)]
pub(crate) struct Awake {
    _held: Option<SyncSender<()>>,
}

impl Awake {
    /// Asks the system. That may take a moment and may fail; nobody waits for it.
    pub(crate) fn start(hub: Hub) -> Self {
        let (held, over) = sync_channel(1);
        // Whoever speaks to the system's services for us may panic when they go away; asked again, they may be back.
        let thread = spawn_thread("awake", move || {
            guarded("awake", &hub, |run| {
                // Once is an accident, and the system is asked again, which is told where it fails.
                if run > 1 {
                    hub.health(Health::new(HealthCode::NotKeptAwake));
                }
                stay_awake(&hub, &over);
            });
        });
        match thread {
            Ok(_) => Self { _held: Some(held) },
            Err(e) => {
                tracing::warn!(error = %e, "no thread to keep the machine awake");
                Self { _held: None }
            }
        }
    }
}

fn stay_awake(hub: &Hub, over: &Receiver<()>) {
    let held = hold_off();
    if may_fall_asleep(held.each_ref().map(Option::is_some)) {
        hub.health(Health::new(HealthCode::NotKeptAwake));
    }
    let mut power = Power::default();
    loop {
        let news = read_battery().and_then(|reading| power.look(reading));
        if let Some(health) = news {
            hub.health(health);
        }
        if over.recv_timeout(LOOK_EACH) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    drop(held);
}

/// Sleep, idleness and the display: is each held off? A display that is lit keeps nobody awake.
fn may_fall_asleep([sleep, idle, _]: [bool; 3]) -> bool {
    !sleep && !idle && has_who_sends_to_sleep()
}

/// Without a system bus there is no service that would.
fn has_who_sends_to_sleep() -> bool {
    !cfg!(target_os = "linux") || std::path::Path::new("/run/dbus/system_bus_socket").exists()
}

/// One by one: a desktop without the one may have the other.
#[cfg(not(windows))]
fn hold_off() -> [Option<KeepAwake>; 3] {
    [hold("sleep", |b| b.sleep(true)), hold("idle", |b| b.idle(true)), hold("display", |b| b.display(true))]
}

/// All in one: here a thread has one wish, and each replaces the one before.
#[cfg(windows)]
fn hold_off() -> [Option<KeepAwake>; 3] {
    // Not every machine knows the first one.
    let all = hold("sleep, idle, display", |b| b.sleep(true).idle(true).display(true));
    [None, all.or_else(|| hold("idle, display", |b| b.idle(true).display(true))), None]
}

fn hold(what: &str, choose: impl FnOnce(&mut keepawake::Builder) -> &mut keepawake::Builder) -> Option<KeepAwake> {
    let mut builder = keepawake::Builder::default();
    builder.app_name("Stallcast").app_reverse_domain("app.stallcast").reason("A live show is running");
    match choose(&mut builder).create() {
        Ok(held) => Some(held),
        Err(e) => {
            tracing::info!(what, error = %e, "the system is not asked to stay awake");
            None
        }
    }
}

/// What the batteries say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    discharging: bool,
    percent: u64,
    minutes: Option<u64>,
}

/// `None` on a machine without a battery.
fn read_battery() -> Option<Reading> {
    let batteries: Vec<_> = starship_battery::Manager::new().ok()?.batteries().ok()?.flatten().collect();
    // The fullest one decides: others are empty while it lasts.
    let fullest =
        batteries.iter().max_by(|a, b| a.state_of_charge().partial_cmp(&b.state_of_charge()).unwrap_or(std::cmp::Ordering::Equal))?;
    let whole = |value: f32| value.max(0.0).round() as u64;
    Some(Reading {
        discharging: batteries.iter().any(|b| b.state() == State::Discharging),
        percent: whole(fullest.state_of_charge().get::<ratio::percent>()),
        minutes: fullest.time_to_empty().map(|left| whole(left.get::<time::minute>())),
    })
}

/// What was told of the power in this show.
#[derive(Debug, Default)]
struct Power {
    on_battery: bool,
    /// How often that it is low.
    low: usize,
}

impl Power {
    fn look(&mut self, now: Reading) -> Option<Health> {
        if !now.discharging {
            let was = std::mem::take(self);
            return was.on_battery.then(|| Health::new(HealthCode::PowerBack));
        }
        let soon_empty = usize::from(now.minutes.is_some_and(|left| left <= LOW_MINUTES));
        let low = LOW_PERCENT.iter().filter(|at| now.percent <= **at).count().max(soon_empty);
        let is_news = !self.on_battery || low > self.low;
        (self.on_battery, self.low) = (true, self.low.max(low));
        let code = if low > 0 { HealthCode::BatteryLow } else { HealthCode::OnBattery };
        is_news.then(|| Health::new(code).with("percent", now.percent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(power: &mut Power, discharging: bool, percent: u64, minutes: Option<u64>) -> Option<HealthCode> {
        power.look(Reading { discharging, percent, minutes }).map(|health| health.code)
    }

    #[test]
    fn a_battery_is_told_once_again_when_low_and_when_power_is_back() {
        let mut power = Power::default();
        assert_eq!(told(&mut power, false, 80, None), None, "plugged in");
        assert_eq!(told(&mut power, true, 80, Some(120)), Some(HealthCode::OnBattery));
        assert_eq!(told(&mut power, true, 70, Some(90)), None, "once");
        assert_eq!(told(&mut power, true, 55, Some(30)), Some(HealthCode::BatteryLow), "by time");
        assert_eq!(told(&mut power, true, 56, Some(31)), None, "no to and fro");
        assert_eq!(told(&mut power, false, 56, None), Some(HealthCode::PowerBack));
        assert_eq!(told(&mut power, true, 20, None), Some(HealthCode::BatteryLow), "by charge, at once");
        assert_eq!(told(&mut power, true, 11, None), None);
        assert_eq!(told(&mut power, true, 10, None), Some(HealthCode::BatteryLow), "what was said is no longer true");
        assert_eq!(told(&mut power, true, 4, None), Some(HealthCode::BatteryLow), "nor then");
    }

    #[test]
    fn that_nothing_keeps_it_awake_is_told_where_something_sends_it_to_sleep() {
        let told = [[true, true, true], [true, false, false], [false, true, false]].map(may_fall_asleep);
        assert_eq!(told, [false; 3]);
        assert_eq!(may_fall_asleep([false, false, true]), has_who_sends_to_sleep());
    }

    #[test]
    fn a_machine_without_services_or_battery_runs_all_the_same() {
        let awake = Awake::start(Hub::default());
        drop(awake);
        let _ = read_battery();
    }
}
