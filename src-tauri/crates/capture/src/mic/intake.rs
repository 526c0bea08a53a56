//! Between the sound library's own thread and ours: nothing on the library's side locks, allocates or logs.

use crate::timing::now;
use cpal::{FromSample, InputCallbackInfo, Sample as _, SizedSample};
use rtrb::{Consumer, Producer, RingBuffer};
use stallcast_media::Pts;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Seconds of sound kept for our thread if it does not come.
const SECONDS: usize = 4;
/// Blocks kept; the smallest are about a millisecond long.
const BLOCKS: usize = 4096;

/// One block as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) frames: usize,
    /// When the library called us.
    pub(super) arrival: Pts,
    /// The same by the library's clock.
    pub(super) called: i64,
    /// How old its first sample was then.
    pub(super) age: i64,
    /// Sample frames before it that found no room.
    pub(super) lost: u64,
}

/// What went wrong on the library's thread.
#[derive(Debug, Default)]
pub(super) struct Faults {
    broken: AtomicBool,
    why: Mutex<Option<cpal::Error>>,
    disturbed: AtomicU32,
}

impl Faults {
    /// Notes an error. Only the first that ends the stream is kept: a dead server gives a hundred thousand a second.
    pub(super) fn note(&self, error: cpal::Error) {
        use cpal::ErrorKind::{DeviceChanged, RealtimeDenied, Xrun};
        match error.kind() {
            Xrun | DeviceChanged => {
                self.disturbed.fetch_add(1, Ordering::Relaxed);
            }
            RealtimeDenied => {}
            _ => {
                if !self.broken.swap(true, Ordering::AcqRel) {
                    *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
        }
    }

    /// Why the stream is over, if it is.
    pub(super) fn end(&self) -> Option<cpal::Error> {
        self.broken.load(Ordering::Acquire).then(|| {
            let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).take();
            why.unwrap_or_else(|| cpal::Error::new(cpal::ErrorKind::Other))
        })
    }

    /// Times that sound was lost in the driver since the last call.
    pub(super) fn disturbances(&self) -> u32 {
        self.disturbed.swap(0, Ordering::Relaxed)
    }
}

/// The library's side.
pub(super) struct Inlet {
    samples: Producer<f32>,
    heads: Producer<Head>,
    channels: usize,
    kept: usize,
    lost: u64,
}

/// Our side.
pub(super) struct Outlet {
    samples: Consumer<f32>,
    heads: Consumer<Head>,
    kept: usize,
}

/// `channels` as the device gives them; `kept` of them are used.
pub(super) fn pipe(rate: u32, channels: usize, kept: usize) -> (Inlet, Outlet) {
    let (samples, taken) = RingBuffer::new(rate as usize * kept * SECONDS);
    let (heads, headed) = RingBuffer::new(BLOCKS);
    (Inlet { samples, heads, channels, kept, lost: 0 }, Outlet { samples: taken, heads: headed, kept })
}

impl Inlet {
    /// Takes a block. Real-time safe. Overflow policy: the newest are not taken, counted.
    pub(super) fn take<T>(&mut self, data: &[T], info: &InputCallbackInfo)
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let arrival = now();
        let stamps = info.timestamp();
        let nanos = |n: u128| i64::try_from(n).unwrap_or(i64::MAX);
        let called = nanos(stamps.callback.as_nanos());
        let age = nanos(stamps.callback.duration_since(stamps.capture).as_nanos());
        self.put(data, arrival, called, age);
    }

    fn put<T>(&mut self, data: &[T], arrival: Pts, called: i64, age: i64)
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let frames = data.len() / self.channels.max(1);
        if frames == 0 {
            return;
        }
        let room = self.heads.slots() > 0;
        let Some(mut chunk) = self.samples.write_chunk(frames * self.kept).ok().filter(|_| room) else {
            self.lost += frames as u64;
            return;
        };
        let (first, second) = chunk.as_mut_slices();
        let from = data.chunks_exact(self.channels).flat_map(|frame| frame.iter().take(self.kept));
        for (slot, sample) in first.iter_mut().chain(second).zip(from) {
            *slot = f32::from_sample(*sample);
        }
        chunk.commit_all();
        let head = Head { frames, arrival, called, age, lost: std::mem::take(&mut self.lost) };
        // There is room: this side alone fills it.
        let _ = self.heads.push(head);
    }
}

impl Outlet {
    /// The oldest block, its samples appended to `samples`.
    pub(super) fn next(&mut self, samples: &mut Vec<f32>) -> Option<Head> {
        let head = self.heads.pop().ok()?;
        let chunk = self.samples.read_chunk(head.frames * self.kept).ok()?;
        samples.extend(chunk);
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_pass_whole_and_what_finds_no_room_is_counted() {
        let (mut inlet, mut outlet) = pipe(1000, 3, 2);
        // 4 s of 1 kHz: 4000 frames.
        for i in 0..45_i16 {
            inlet.put(&[i * 100, -100, 7].repeat(100), Pts(i64::from(i)), 0, 0);
        }
        let mut samples = vec![];
        let mut heads = vec![];
        while let Some(head) = outlet.next(&mut samples) {
            heads.push(head);
        }
        assert_eq!((heads.len(), samples.len()), (40, 8000));
        assert!((samples[2] - 0.0).abs() < 1e-6 && (samples[7999] + 100.0 / 32_768.0).abs() < 1e-6, "two of three channels");
        inlet.put(&[0_i16; 300], Pts(99), 0, 0);
        assert_eq!(outlet.next(&mut samples).map(|head| head.lost), Some(500));
    }

    #[test]
    fn of_half_a_million_errors_the_first_is_kept() {
        let faults = Faults::default();
        faults.note(cpal::Error::new(cpal::ErrorKind::Xrun));
        assert!(faults.end().is_none());
        faults.note(cpal::Error::new(cpal::ErrorKind::StreamInvalidated));
        for _ in 0..500_000 {
            faults.note(cpal::Error::new(cpal::ErrorKind::BackendError));
        }
        assert_eq!(faults.end().map(|e| e.kind()), Some(cpal::ErrorKind::StreamInvalidated));
        assert_eq!((faults.disturbances(), faults.disturbances()), (1, 0));
    }
}
