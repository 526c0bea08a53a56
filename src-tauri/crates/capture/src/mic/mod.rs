//! Microphones, through cpal. The thread of one is `mic:<id>`: it opens the device, empties the ring that the library's
//! own thread fills, and gives every block its instant.

mod intake;
mod stamps;
mod steady;
#[cfg(target_os = "linux")]
mod system_linux;
#[cfg(any(test, not(target_os = "linux")))]
mod system_other;

use crate::device_list::MicDevice;
use crate::keeper::{Device, Opened, Trouble, keep, keep_trying};
use crate::news::News;
use crate::sound_queue::SoundQueue;
use crate::timing::{Halt, now};
use crate::worker::Worker;
use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{BufferSize, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize, SupportedStreamConfigRange};
use intake::{Faults, Inlet, Outlet};
use stallcast_media::{AudioBlock, AudioSource, Health, HealthCode, NANOS_PER_MS, SAMPLE_RATE, SourceError, SourceErrorKind};
use stamps::{ClockMap, Stamps};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use steady::Steady;
#[cfg(target_os = "linux")]
use system_linux as system;
#[cfg(not(target_os = "linux"))]
use system_other as system;

/// How long opening may take. The first sound may come later: some servers let it wait for seconds.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// Without a block for so long the stream is built anew.
const HANGS_AFTER: i64 = 500 * NANOS_PER_MS;
/// How often the ring is emptied.
const EMPTY_EVERY: i64 = 10 * NANOS_PER_MS;
/// Wanted length of a block: two of them are all that a driver buffers, so they must outlast a busy machine.
const BLOCK: Duration = Duration::from_millis(42);

/// What is plugged in, the default first.
pub(crate) fn list() -> Vec<MicDevice> {
    let _quiet = system::quiet();
    system::list(&cpal::default_host())
}

/// Opens a microphone; see [`crate::open_mic`].
pub(crate) fn open(id: Option<&str>) -> Result<MicSource, SourceError> {
    let shared = share(id);
    let watch = keep(&shared, OPEN_LIMIT, HANGS_AFTER).map_err(|trouble| refusal(&shared, trouble))?;
    Ok(MicSource { shared, _watch: watch })
}

/// Opens a microphone that may not be there yet; see [`crate::wait_for_mic`].
pub(crate) fn wait(id: Option<&str>) -> Result<MicSource, SourceError> {
    let shared = share(id);
    let watch = keep_trying(&shared, HANGS_AFTER).map_err(|trouble| refusal(&shared, trouble))?;
    Ok(MicSource { shared, _watch: watch })
}

fn share(id: Option<&str>) -> Arc<Shared> {
    Arc::new(Shared {
        id: id.map(str::to_owned),
        name: Mutex::new(id.unwrap_or("default").to_owned()),
        queue: SoundQueue::default(),
        news: News::default(),
        blocks: AtomicU64::new(0),
    })
}

fn refusal(shared: &Shared, trouble: Trouble) -> SourceError {
    SourceError { kind: trouble.kind, name: shared.name(), detail: trouble.detail }
}

struct Shared {
    id: Option<String>,
    name: Mutex<String>,
    queue: SoundQueue,
    news: News,
    blocks: AtomicU64,
}

impl Device for Shared {
    fn thread_name(&self) -> String {
        format!("mic:{}", self.id.as_deref().unwrap_or("default")).replace('\0', "")
    }

    fn work(&self, halt: &Halt, opened: &Opened) -> Result<(), Trouble> {
        let _quiet = system::quiet();
        let device = find(self.id.as_deref())?;
        let (range, rate) = device
            .supported_input_configs()
            .map_err(|e| trouble(&e))?
            .filter_map(|range| Some((range, rate_of(&range)?)))
            .min_by_key(|(range, rate)| preference(range, *rate))
            .ok_or_else(|| Trouble::new(SourceErrorKind::Unusable, "it offers no layout that can be used"))?;
        let channels = usize::from(range.channels());
        let kept = channels.min(2);
        let faults = Arc::new(Faults::default());
        let (inlet, outlet) = intake::pipe(rate, channels, kept);
        let stream = build(&device, &range, rate, inlet, &faults).map_err(|e| trouble(&e))?;
        stream.play().map_err(|e| trouble(&e))?;
        let name = device.description().map(|d| d.name().to_owned()).unwrap_or_default();
        tracing::info!(mic = name, rate, channels, format = %range.sample_format(), "a microphone is open");
        if !name.is_empty() {
            *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
        }
        opened.tell();
        let mut line =
            Line { outlet, clock: ClockMap::default(), stamps: Stamps::new(rate), steady: Steady::new(rate, kept), samples: vec![] };
        while !halt.wait_until(now() + EMPTY_EVERY) {
            if faults.disturbances() > 0 {
                line.stamps.disturb();
            }
            let (came, blocks) = line.empty();
            for block in blocks {
                self.queue.push(block);
            }
            self.blocks.fetch_add(came, Ordering::Release);
            if let Some(error) = faults.end() {
                return Err(trouble(&error));
            }
        }
        Ok(())
    }

    fn delivered(&self) -> u64 {
        self.blocks.load(Ordering::Acquire)
    }

    fn tell(&self, lost: bool) {
        let code = if lost { HealthCode::MicLost } else { HealthCode::MicBack };
        self.news.add(Health::new(code).with("device", self.name()));
    }
}

impl Shared {
    fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// From the ring to blocks on the grid.
struct Line {
    outlet: Outlet,
    clock: ClockMap,
    stamps: Stamps,
    steady: Steady,
    samples: Vec<f32>,
}

impl Line {
    /// Number of blocks that came, and what they make on the grid.
    fn empty(&mut self) -> (u64, Vec<AudioBlock>) {
        let (mut came, mut out) = (0, vec![]);
        loop {
            self.samples.clear();
            let Some(head) = self.outlet.next(&mut self.samples) else { return (came, out) };
            came += 1;
            self.steady.hold(self.samples.iter().copied());
            let raw = self.clock.monotonic(head.arrival, head.called) + -head.age;
            if let Some(segment) = self.stamps.push(raw, head.frames, head.lost) {
                out.extend(self.steady.stamp(segment));
            }
        }
    }
}

fn find(id: Option<&str>) -> Result<cpal::Device, Trouble> {
    let host = cpal::default_host();
    let missing = || Trouble::new(SourceErrorKind::Missing, "no such microphone");
    let Some(id) = id.filter(|id| *id != "default") else {
        return host.default_input_device().ok_or_else(|| Trouble::new(SourceErrorKind::Missing, "no microphone is plugged in"));
    };
    let prefixed = format!("{}:{id}", host.id()).to_lowercase();
    [id, &prefixed]
        .iter()
        .filter_map(|text| cpal::DeviceId::from_str(text).ok())
        .find_map(|id| host.device_by_id(&id))
        .or_else(|| {
            let listed = system::list(&host).into_iter().find(|mic| mic.name == id)?;
            host.device_by_id(&cpal::DeviceId::from_str(&listed.id).ok()?)
        })
        .ok_or_else(missing)
}

fn trouble(e: &cpal::Error) -> Trouble {
    use cpal::ErrorKind::{BackendError, DeviceBusy, DeviceNotAvailable, HostUnavailable, PermissionDenied};
    let kind = match e.kind() {
        DeviceBusy => SourceErrorKind::Busy,
        PermissionDenied => SourceErrorKind::Denied,
        DeviceNotAvailable | HostUnavailable => SourceErrorKind::Missing,
        // ALSA's way to say that the sound server is not there.
        BackendError if e.message().is_some_and(|words| words.contains("refused")) => SourceErrorKind::Missing,
        _ => SourceErrorKind::Unusable,
    };
    Trouble::new(kind, e)
}

/// 48 kHz where it is offered, else what is nearest.
fn rate_of(range: &SupportedStreamConfigRange) -> Option<u32> {
    let known = matches!(
        range.sample_format(),
        SampleFormat::F32 | SampleFormat::I16 | SampleFormat::I32 | SampleFormat::U8 | SampleFormat::U16 | SampleFormat::F64
    );
    let rate = SAMPLE_RATE.clamp(range.min_sample_rate(), range.max_sample_rate());
    (known && range.channels() > 0 && (8000..=384_000).contains(&rate)).then_some(rate)
}

/// The smallest is best: the rate, then stereo before mono before more, then the layout that needs least conversion.
fn preference(range: &SupportedStreamConfigRange, rate: u32) -> (u32, u16, u8) {
    let channels = match range.channels() {
        2 => 0,
        n => n,
    };
    let format = match range.sample_format() {
        SampleFormat::F32 => 0,
        SampleFormat::I16 => 1,
        SampleFormat::I32 => 2,
        _ => 3,
    };
    (rate.abs_diff(SAMPLE_RATE), channels, format)
}

fn build(
    device: &cpal::Device,
    range: &SupportedStreamConfigRange,
    rate: u32,
    inlet: Inlet,
    faults: &Arc<Faults>,
) -> Result<cpal::Stream, cpal::Error> {
    let frames = u32::try_from(u128::from(rate) * BLOCK.as_millis() / 1000).unwrap_or(rate);
    let buffer_size = match range.buffer_size() {
        SupportedBufferSize::Range { min, max } if cfg!(target_os = "linux") => BufferSize::Fixed(frames.clamp(*min, (*max).max(*min))),
        _ => BufferSize::Default,
    };
    let config = StreamConfig { channels: range.channels(), sample_rate: rate, buffer_size };
    match range.sample_format() {
        SampleFormat::F32 => stream::<f32>(device, config, inlet, faults),
        SampleFormat::I16 => stream::<i16>(device, config, inlet, faults),
        SampleFormat::I32 => stream::<i32>(device, config, inlet, faults),
        SampleFormat::U16 => stream::<u16>(device, config, inlet, faults),
        SampleFormat::U8 => stream::<u8>(device, config, inlet, faults),
        _ => stream::<f64>(device, config, inlet, faults),
    }
}

fn stream<T>(device: &cpal::Device, config: StreamConfig, mut inlet: Inlet, faults: &Arc<Faults>) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let faults = Arc::clone(faults);
    device.build_input_stream::<T, _, _>(config, move |data, info| inlet.take(data, info), move |error| faults.note(error), None)
}

/// An opened microphone.
pub(crate) struct MicSource {
    shared: Arc<Shared>,
    _watch: Worker,
}

impl AudioSource for MicSource {
    fn take(&mut self) -> Vec<AudioBlock> {
        self.shared.queue.take()
    }

    fn name(&self) -> String {
        self.shared.name()
    }

    fn health(&mut self) -> Vec<Health> {
        self.shared.news.take()
    }
}

impl Drop for MicSource {
    fn drop(&mut self) {
        let overflowed = self.shared.queue.close();
        if overflowed > 0 {
            tracing::warn!(mic = self.shared.name(), overflowed, "sample frames that nobody took in time");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, SupportedBufferSize::Unknown, format)
    }

    #[test]
    fn the_layout_that_needs_least_work_is_taken() {
        let best = |ranges: &[SupportedStreamConfigRange]| {
            let (range, rate) = ranges.iter().filter_map(|r| Some((*r, rate_of(r)?))).min_by_key(|(r, rate)| preference(r, *rate))?;
            Some((range.channels(), rate, range.sample_format()))
        };
        let server = [
            range(1, (1, 384_000), SampleFormat::U8),
            range(2, (1, 384_000), SampleFormat::F32),
            range(6, (1, 384_000), SampleFormat::F32),
        ];
        assert_eq!(best(&server), Some((2, 48_000, SampleFormat::F32)));
        let usb = [range(1, (44_100, 44_100), SampleFormat::I16), range(1, (16_000, 16_000), SampleFormat::F32)];
        assert_eq!(best(&usb), Some((1, 44_100, SampleFormat::I16)));
        assert_eq!(best(&[range(2, (48_000, 48_000), SampleFormat::DsdU8)]), None);
        let array = [range(4, (48_000, 48_000), SampleFormat::I32), range(1, (48_000, 48_000), SampleFormat::I16)];
        assert_eq!(best(&array), Some((1, 48_000, SampleFormat::I16)));
    }

    #[test]
    fn the_list_of_other_systems_needs_no_device() {
        // Whatever is there: nothing is opened, nothing fails, nothing is named twice.
        let _quiet = (system::quiet(), system_other::quiet());
        let list = system_other::list(&cpal::default_host());
        let mut ids: Vec<&String> = list.iter().map(|mic| &mic.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), list.len());
    }
}
