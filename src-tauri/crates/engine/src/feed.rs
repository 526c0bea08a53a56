use stallcast_media::queue::NewestQueue;
use stallcast_media::{Counters, Frame, Pts};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Composed frames that may wait for the encoder. More would be delay, not rescue.
const WAITING_FRAMES: usize = 3;
/// Frames of the clean picture that may wait: its encoder has the lowest priority and gets its turn later.
const WAITING_CLEAN: usize = 8;

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
    /// The same pictures without overlays, while somebody wants them.
    clean: Arc<Mutex<Option<CleanFrames>>>,
}

/// Where the program puts the pictures of a show before overlays are drawn over them, at the same instants.
#[derive(Debug, Clone)]
pub(crate) struct CleanFrames {
    /// Overflow policy: the new frame is not taken and counts as skipped here, never in the show.
    pub(crate) frames: NewestQueue<Frame>,
    pub(crate) counters: Counters,
}

impl CleanFrames {
    pub(crate) fn put(&self, frame: Frame) {
        if self.frames.try_push(frame).is_err() {
            self.counters.add_skipped(1);
        }
    }
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            frames: NewestQueue::new(WAITING_FRAMES),
            counters: Counters::default(),
            span: Span::default(),
            ending: Arc::default(),
            clean: Arc::default(),
        }
    }

    fn lock_clean(&self) -> MutexGuard<'_, Option<CleanFrames>> {
        self.clean.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From the next tick on, clean pictures too.
    pub(crate) fn begin_clean(&self, counters: Counters) -> CleanFrames {
        let clean = CleanFrames { frames: NewestQueue::new(WAITING_CLEAN), counters };
        if let Some(before) = self.lock_clean().replace(clean.clone()) {
            before.frames.close();
        }
        clean
    }

    /// No more clean pictures; their queue is closed.
    pub(crate) fn end_clean(&self) {
        if let Some(clean) = self.lock_clean().take() {
            clean.frames.close();
        }
    }

    /// Gives the clean picture of this tick to whoever wants it; else does nothing.
    pub(crate) fn put_clean(&self, frame: impl FnOnce() -> Frame) {
        if let Some(clean) = &*self.lock_clean() {
            clean.put(frame());
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_media::queue::Taken;
    use stallcast_media::{PixelFormat, VideoFormat};
    use std::time::Duration;

    #[test]
    fn what_the_clean_feed_skips_is_its_own_and_without_one_nothing_is_made() {
        let format = VideoFormat { width: 2, height: 2, pixel: PixelFormat::I420 };
        let frame = |n| Frame::new(format, Pts(n), false, vec![0; format.bytes()].into());
        let (feed, counters) = (Feed::new(), Counters::default());
        feed.put_clean(|| panic!("nobody wants it"));
        let clean = feed.begin_clean(counters.clone());
        for n in 0..WAITING_CLEAN as i64 + 3 {
            feed.put_clean(|| frame(n));
        }
        assert_eq!((counters.skipped(), feed.counters.skipped()), (3, 0));
        let again = feed.begin_clean(counters.clone());
        feed.put_clean(|| frame(99));
        assert!(matches!(again.frames.pop(Duration::ZERO), Taken::Item(frame) if frame.pts == Pts(99)));
        feed.end_clean();
        feed.put_clean(|| panic!("nobody wants it any more"));
        assert!(matches!(again.frames.pop(Duration::ZERO), Taken::Closed));
        while let Taken::Item(frame) = clean.frames.pop(Duration::ZERO) {
            assert!(frame.pts < Pts(WAITING_CLEAN as i64), "the oldest stay, in their order");
        }
        assert!(matches!(clean.frames.pop(Duration::ZERO), Taken::Closed), "the file before it ends");
    }
}
