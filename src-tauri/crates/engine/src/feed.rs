use stallcast_media::queue::NewestQueue;
use stallcast_media::{Counters, Frame, Pts};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Composed frames that may wait for the encoder. More would be delay, not rescue.
const WAITING_FRAMES: usize = 3;

/// When a show begins and ends on the program clock. Written by the program, read by the sound: both tracks begin with
/// the same instant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Span(Arc<Mutex<(Option<Pts>, Option<Pts>)>>);

impl Span {
    fn lock(&self) -> MutexGuard<'_, (Option<Pts>, Option<Pts>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The tick of the first frame; it is 0 in packets.
    pub(crate) fn begin(&self) -> Option<Pts> {
        self.lock().0
    }
    pub(crate) fn set_begin(&self, at: Pts) {
        self.lock().0.get_or_insert(at);
    }
    /// The instant just after the last frame.
    pub(crate) fn end(&self) -> Option<Pts> {
        self.lock().1
    }
    pub(crate) fn set_end(&self, at: Pts) {
        self.lock().1.get_or_insert(at);
    }
}

/// Where the program puts the frames of one show.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    /// To the video encoder. Overflow policy: the new frame is not taken and counts as skipped.
    pub(crate) frames: NewestQueue<Frame>,
    pub(crate) counters: Counters,
    pub(crate) span: Span,
    /// Told to end; the program sets the span's end and closes the queue with its next tick.
    pub(crate) ending: Arc<AtomicBool>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self { frames: NewestQueue::new(WAITING_FRAMES), counters: Counters::default(), span: Span::default(), ending: Arc::default() }
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }
}

/// D of the design, shared by picture and sound, nanoseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delay(Arc<AtomicI64>);

impl Delay {
    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }
    pub(crate) fn set(&self, delay: i64) {
        self.0.store(delay, Ordering::Release);
    }
}

/// What previews are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct PreviewWish(Arc<(AtomicU32, AtomicU32)>);

impl PreviewWish {
    pub(crate) fn set(&self, fps: u32, max_side: u32) {
        self.0.1.store(max_side, Ordering::Relaxed);
        self.0.0.store(fps, Ordering::Relaxed);
    }
    /// Frames a second, 0 for none.
    pub(crate) fn fps(&self) -> u32 {
        self.0.0.load(Ordering::Relaxed)
    }
    /// Longest side, pixels.
    pub(crate) fn max_side(&self) -> u32 {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// Something handed from the command thread to another; a newer one replaces one not yet taken.
#[derive(Debug, Clone)]
pub(crate) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl<T> Slot<T> {
    /// Gives back what nobody had taken.
    pub(crate) fn put(&self, value: T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(value)
    }
    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
