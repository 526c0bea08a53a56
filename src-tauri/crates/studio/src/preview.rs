//! The newest preview picture and who waits for it. Pictures nobody asks for are not asked of the media process.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Frames a second while somebody looks.
pub const FULL_FPS: u32 = 30;
/// Frames a second for a reader that cannot keep up.
pub const SLOW_FPS: u32 = 15;
/// Longest side, pixels: what no window needs more of.
pub const MAX_SIDE: u32 = 960;
/// As little is never asked for, whatever a page says.
const MIN_SIDE: u32 = 320;
/// Sides are multiples of it, so that a window that is being resized does not open an encoder for every pixel.
const SIDE_STEP: u32 = 64;
/// Without a request for this long nobody looks any more.
pub const IDLE: Duration = Duration::from_secs(10);

/// The longest side to ask for, where a page shows this many pixels; 0: it does not say.
pub(crate) const fn side_for(shown: u32) -> u32 {
    if shown == 0 || shown > MAX_SIDE {
        return MAX_SIDE;
    }
    let side = shown.div_ceil(SIDE_STEP) * SIDE_STEP;
    if side < MIN_SIDE { MIN_SIDE } else { side }
}

/// One JPEG of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewPicture {
    /// Rising.
    pub seq: u64,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// JPEG.
    pub jpeg: Bytes,
}

/// Newest wins; any number of readers.
#[derive(Debug)]
pub struct PreviewBoard {
    newest: watch::Sender<Option<Arc<PreviewPicture>>>,
    taken: AtomicU64,
    shown: AtomicU64,
    asked: AtomicU64,
}

impl Default for PreviewBoard {
    fn default() -> Self {
        Self { newest: watch::Sender::new(None), taken: AtomicU64::new(0), shown: AtomicU64::new(0), asked: AtomicU64::new(0) }
    }
}

impl PreviewBoard {
    /// A new picture from the media process.
    pub fn put(&self, picture: PreviewPicture) {
        self.shown.fetch_add(1, Ordering::Relaxed);
        self.newest.send_replace(Some(Arc::new(picture)));
    }

    /// A restarted media process counts from the start again: readers must not wait for its old numbers.
    pub fn restart(&self) {
        self.newest.send_replace(None);
    }

    /// The newest picture other than number `after`; waits up to `wait` for one.
    pub async fn next(&self, after: u64, wait: Duration) -> Option<Arc<PreviewPicture>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut newest = self.newest.subscribe();
        // Not "greater than": after a restart of the media process numbers begin again.
        let fresh = |p: &Option<Arc<PreviewPicture>>| p.as_ref().is_some_and(|p| p.seq != after);
        let found = tokio::time::timeout(wait, newest.wait_for(fresh)).await.ok()?.ok()?.clone();
        self.taken.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Requests, pictures given out and pictures made since the last call.
    pub fn counts(&self) -> (u64, u64, u64) {
        let read = |c: &AtomicU64| c.swap(0, Ordering::Relaxed);
        (read(&self.asked), read(&self.taken), read(&self.shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(seq: u64) -> PreviewPicture {
        PreviewPicture { seq, width: 1, height: 1, jpeg: Bytes::from_static(b"x") }
    }

    #[test]
    fn pictures_are_about_as_large_as_they_are_shown() {
        let sides = [(0, MAX_SIDE), (1, MIN_SIDE), (321, 384), (640, 640), (641, 704), (960, 960), (u32::MAX, MAX_SIDE)];
        for (shown, side) in sides {
            assert_eq!(side_for(shown), side, "{shown}");
        }
    }

    #[tokio::test]
    async fn readers_get_the_newest_and_only_once() {
        let board = PreviewBoard::default();
        assert!(board.next(0, Duration::from_millis(1)).await.is_none());
        board.put(picture(1));
        board.put(picture(2));
        assert_eq!(board.next(0, Duration::ZERO).await.map(|p| p.seq), Some(2));
        assert!(board.next(2, Duration::from_millis(1)).await.is_none());
        let (waited, ()) = tokio::join!(board.next(2, Duration::from_secs(10)), async { board.put(picture(3)) });
        assert_eq!(waited.map(|p| p.seq), Some(3));
        board.restart();
        board.put(picture(1));
        assert_eq!(board.next(3, Duration::ZERO).await.map(|p| p.seq), Some(1), "numbers begin again after a restart");
    }
}
