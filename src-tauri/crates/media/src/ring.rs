use crate::{Frame, Pts};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The last few frames of one source, written by its thread and read by the program clock. Writers never wait: the
/// oldest frame goes. 6 frames cover the largest D (4.3 source periods, for a driver that delivers late) and the band
/// the phase may drift in.
#[derive(Debug, Clone)]
pub struct FrameRing {
    shared: Arc<(Mutex<Ring>, Condvar)>,
}

#[derive(Debug, Default)]
struct Ring {
    frames: VecDeque<Frame>,
    received: u64,
}

/// Frames kept.
const KEEP: usize = 6;

impl Default for FrameRing {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameRing {
    /// An empty ring.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the newest frame; the oldest of more than six goes.
    pub fn push(&self, frame: Frame) {
        let mut ring = self.lock();
        if ring.frames.len() == KEEP {
            ring.frames.pop_front();
        }
        ring.frames.push_back(frame);
        ring.received += 1;
        drop(ring);
        self.shared.1.notify_all();
    }

    /// The frame whose stamp is nearest to `at`; `None` before the first.
    #[must_use]
    pub fn nearest(&self, at: Pts) -> Option<Frame> {
        self.lock().frames.iter().min_by_key(|f| (f.pts - at).abs()).cloned()
    }

    /// The frames held, oldest first, each with its number (counted from 1 since the start).
    #[must_use]
    pub fn frames(&self) -> Vec<(u64, Frame)> {
        let ring = self.lock();
        let first = ring.received - u64::try_from(ring.frames.len()).unwrap_or(0) + 1;
        (first..).zip(ring.frames.iter().cloned()).collect()
    }

    /// Stamp of the newest frame.
    #[must_use]
    pub fn newest(&self) -> Option<Pts> {
        self.lock().frames.back().map(|f| f.pts)
    }

    /// Frames received since the start.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.lock().received
    }

    /// Forgets all frames (a source was replaced).
    pub fn clear(&self) {
        self.lock().frames.clear();
    }

    /// Waits up to `timeout` for more than `seen` frames to have been received; the count then.
    #[must_use]
    pub fn wait_beyond(&self, seen: u64, timeout: Duration) -> u64 {
        let deadline = Instant::now() + timeout;
        let mut ring = self.lock();
        while ring.received <= seen {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            ring = self.shared.1.wait_timeout(ring, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        ring.received
    }
}
