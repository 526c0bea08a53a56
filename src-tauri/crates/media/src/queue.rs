//! Bounded queues. Each has a limit in items, time or bytes, a written overflow policy and a counter.

use crate::{NANOS_PER_MS, Packet, Pts, Track};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Sound wakes a waiting reader only once this much of it waits: it leaves with a picture, and for each block a thread
/// would wake for nothing.
const SOUND_ALONE: i64 = 100 * NANOS_PER_MS;

/// What a wait on a queue ended with.
#[derive(Debug)]
pub enum Taken<T> {
    /// An item.
    Item(T),
    /// Nothing came in time.
    Timeout,
    /// Closed and empty: nothing will ever come.
    Closed,
}

/// A queue of packets for one sink, limited by the time it spans and by bytes.
///
/// Overflow policy: video is dropped up to a keyframe and counted: the newest one that waits, else the next that comes. A
/// queue that was made [`PacketQueue::thinning`] first lets go of pictures that no other needs. Sound is never dropped before
/// four times the time limit (then the oldest goes, counted), because a gap in sound is heard and costs little to keep.
#[derive(Debug, Clone)]
pub struct PacketQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ready: Condvar,
    limit_ns: i64,
    limit_bytes: usize,
    thin_ns: i64,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Arc<Packet>>,
    bytes: usize,
    dropped_video: u64,
    dropped_audio: u64,
    waiting_for_keyframe: bool,
    closed: bool,
}

impl State {
    fn span(&self) -> i64 {
        let video = |p: &&Arc<Packet>| p.track == Track::Video;
        match (self.items.iter().find(video), self.items.iter().rev().find(video)) {
            (Some(first), Some(last)) => last.dts - first.dts,
            _ => 0,
        }
    }

    /// Pictures before the newest keyframe that waits; all of them, up to the next one that comes, if none waits behind
    /// another picture.
    fn make_room(&mut self) {
        let first = self.items.iter().position(|p| p.track == Track::Video);
        let newest = self.items.iter().rposition(|p| p.track == Track::Video && p.keyframe);
        match newest.filter(|_| newest > first) {
            Some(keyframe) => self.drop_video(keyframe),
            None => {
                self.drop_video(self.items.len());
                self.waiting_for_keyframe = true;
            }
        }
    }

    /// The pictures among the first `upto` packets.
    fn drop_video(&mut self, upto: usize) {
        let Self { items, bytes, dropped_video, .. } = self;
        let mut at = 0;
        items.retain(|packet| {
            let goes = packet.track == Track::Video && at < upto;
            at += 1;
            if goes {
                *bytes -= packet.payload.len();
                *dropped_video += 1;
            }
            !goes
        });
    }
}

impl PacketQueue {
    /// A queue spanning at most `limit` of video and `limit_bytes` of payload.
    #[must_use]
    pub fn new(limit: Duration, limit_bytes: usize) -> Self {
        Self::thinning(limit, limit_bytes, Duration::MAX)
    }

    /// The same; while it spans more than `thin`, pictures that no other needs ([`Packet::disposable`]) are not taken.
    #[must_use]
    pub fn thinning(limit: Duration, limit_bytes: usize, thin: Duration) -> Self {
        let [limit_ns, thin_ns] = [limit, thin].map(|time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
        Self { shared: Arc::new(Shared { state: Mutex::default(), ready: Condvar::new(), limit_ns, limit_bytes, thin_ns }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a packet. Never blocks. On overflow the policy above applies. A waiting reader is woken by every picture, and by
    /// sound that has waited for 100 ms.
    pub fn push(&self, packet: Arc<Packet>) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if packet.track == Track::Video {
            if packet.keyframe {
                state.waiting_for_keyframe = false;
            }
            let (limit_ns, limit_bytes) = (self.shared.limit_ns, self.shared.limit_bytes);
            let is_over = |state: &State| state.span() > limit_ns || state.bytes + packet.payload.len() > limit_bytes;
            // What is left behind a keyframe may still be too much.
            while !state.waiting_for_keyframe && is_over(&state) {
                state.make_room();
            }
            if packet.keyframe {
                state.waiting_for_keyframe = false;
            } else if state.waiting_for_keyframe || (packet.disposable && state.span() > self.shared.thin_ns) {
                state.dropped_video += 1;
                return;
            }
        } else {
            let oldest = state.items.iter().find(|p| p.track == Track::Audio).map(|p| p.dts);
            if oldest.is_some_and(|first| packet.dts - first > 4 * self.shared.limit_ns)
                && let Some(at) = state.items.iter().position(|p| p.track == Track::Audio)
                && let Some(old) = state.items.remove(at)
            {
                state.bytes -= old.payload.len();
                state.dropped_audio += 1;
            }
        }
        let since = packet.dts - state.items.front().map_or(packet.dts, |first| first.dts);
        let wakes = packet.track == Track::Video || since >= SOUND_ALONE;
        state.bytes += packet.payload.len();
        state.items.push_back(packet);
        drop(state);
        if wakes {
            self.shared.ready.notify_one();
        }
    }

    /// Waits up to `timeout` for the oldest packet.
    #[must_use]
    pub fn pop(&self, timeout: Duration) -> Taken<Arc<Packet>> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            if let Some(packet) = state.items.pop_front() {
                state.bytes -= packet.payload.len();
                return Taken::Item(packet);
            }
            if state.closed {
                return Taken::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Timeout;
            }
            state = self.shared.ready.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// No more packets will come; waiting readers drain what is left.
    pub fn close(&self) {
        self.lock().closed = true;
        self.shared.ready.notify_all();
    }

    /// Video and audio packets dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> (u64, u64) {
        let state = self.lock();
        (state.dropped_video, state.dropped_audio)
    }

    /// Was everything dropped, up to a keyframe that has not come yet? It helps to ask for one.
    #[must_use]
    pub fn waits_for_keyframe(&self) -> bool {
        self.lock().waiting_for_keyframe
    }

    /// Payload bytes waiting.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Time from the oldest to the newest waiting video packet: how far this sink is behind.
    #[must_use]
    pub fn span(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.lock().span()).unwrap_or(0))
    }

    /// Decoding instant of the newest waiting packet.
    #[must_use]
    pub fn newest(&self) -> Option<Pts> {
        self.lock().items.back().map(|p| p.dts)
    }
}

/// A queue of whole items that keeps the newest: when full the oldest goes and is counted.
#[derive(Debug, Clone)]
pub struct NewestQueue<T> {
    shared: Arc<(Mutex<Newest<T>>, Condvar)>,
    limit: usize,
}

#[derive(Debug)]
struct Newest<T> {
    items: VecDeque<T>,
    lost: u64,
    closed: bool,
}

impl<T> NewestQueue<T> {
    /// At most `limit` items wait.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            shared: Arc::new((Mutex::new(Newest { items: VecDeque::with_capacity(limit), lost: 0, closed: false }), Condvar::new())),
            limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Newest<T>> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item, never blocks; true if an older one had to go.
    pub fn push(&self, item: T) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        let full = state.items.len() >= self.limit;
        if full {
            state.items.pop_front();
            state.lost += 1;
        }
        state.items.push_back(item);
        drop(state);
        self.shared.1.notify_one();
        full
    }

    /// Adds an item only if there is room; gives it back (and counts it) otherwise.
    ///
    /// # Errors
    /// The item itself, when the queue is full or closed.
    pub fn try_push(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed {
            return Err(item);
        }
        if state.items.len() >= self.limit {
            state.lost += 1;
            return Err(item);
        }
        state.items.push_back(item);
        drop(state);
        self.shared.1.notify_one();
        Ok(())
    }

    /// Waits up to `timeout` for the oldest item.
    #[must_use]
    pub fn pop(&self, timeout: Duration) -> Taken<T> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                return Taken::Item(item);
            }
            if state.closed {
                return Taken::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Timeout;
            }
            state = self.shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// No more items will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.shared.1.notify_all();
    }

    /// Items lost to the limit since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lock().lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn packet(track: Track, ms: i64, keyframe: bool) -> Arc<Packet> {
        Arc::new(Packet {
            track,
            pts: Pts::from_ms(ms),
            dts: Pts::from_ms(ms),
            duration: 0,
            keyframe,
            disposable: false,
            payload: Bytes::from_static(&[0; 100]),
            config: None,
        })
    }

    fn drain(queue: &PacketQueue) -> Vec<(Track, i64)> {
        let mut out = vec![];
        while let Taken::Item(p) = queue.pop(Duration::ZERO) {
            out.push((p.track, p.dts.as_ms()));
        }
        out
    }

    #[test]
    fn a_full_queue_drops_pictures_up_to_a_keyframe_and_keeps_the_sound() {
        let queue = PacketQueue::new(Duration::from_millis(100), 1 << 20);
        for ms in (0..=300).step_by(20) {
            queue.push(packet(Track::Video, ms, ms == 0 || ms == 280));
            queue.push(packet(Track::Audio, ms, true));
        }
        let left = drain(&queue);
        assert_eq!(left.iter().filter(|(t, _)| *t == Track::Audio).count(), 16, "sound is never dropped silently");
        let video: Vec<i64> = left.iter().filter(|(t, _)| *t == Track::Video).map(|(_, ms)| *ms).collect();
        assert_eq!(video, [280, 300], "after a drop a decoder must start at a keyframe");
        assert_eq!(queue.dropped(), (14, 0));
    }

    fn pictures(queue: &PacketQueue) -> Vec<i64> {
        drain(queue).into_iter().filter(|(t, _)| *t == Track::Video).map(|(_, ms)| ms).collect()
    }

    #[test]
    fn a_keyframe_that_waits_already_is_kept_with_all_behind_it() {
        let queue = PacketQueue::new(Duration::from_millis(100), 1 << 20);
        for ms in (0..=120).step_by(20) {
            queue.push(packet(Track::Video, ms, ms % 80 == 0));
            queue.push(packet(Track::Audio, ms, true));
        }
        assert!(!queue.waits_for_keyframe());
        queue.push(packet(Track::Video, 140, false));
        assert_eq!(queue.dropped(), (4, 0), "what is before 80");
        assert!(!queue.waits_for_keyframe());
        assert_eq!(pictures(&queue), [80, 100, 120, 140]);
    }

    #[test]
    fn bytes_behind_a_keyframe_may_still_be_too_many() {
        let queue = PacketQueue::new(Duration::from_secs(10), 350);
        // A hundred bytes each: the keyframe and two more are all that fits.
        for ms in [0, 20, 40, 60, 80, 100, 120] {
            queue.push(packet(Track::Video, ms, ms == 0 || ms == 20));
        }
        assert_eq!(queue.dropped(), (7, 0));
        assert!(queue.waits_for_keyframe());
        queue.push(packet(Track::Video, 140, true));
        assert!(!queue.waits_for_keyframe());
        assert_eq!(pictures(&queue), [140]);
    }

    #[test]
    fn pictures_that_no_other_needs_go_first() {
        let queue = PacketQueue::thinning(Duration::from_millis(400), 1 << 20, Duration::from_millis(100));
        for ms in (0..=300).step_by(20) {
            let disposable = ms % 40 == 20;
            queue.push(Arc::new(Packet { disposable, ..(*packet(Track::Video, ms, ms == 0)).clone() }));
        }
        assert_eq!(pictures(&queue), [0, 20, 40, 60, 80, 100, 120, 160, 200, 240, 280]);
        assert_eq!(queue.dropped(), (5, 0));
    }

    #[test]
    fn a_reader_is_woken_by_pictures_and_by_sound_that_has_waited() {
        let queue = PacketQueue::new(Duration::from_secs(1), 1 << 20);
        let reader = queue.clone();
        // Whoever looks gets it at once.
        queue.push(packet(Track::Audio, 0, true));
        assert_eq!(drain(&queue), [(Track::Audio, 0)]);
        let waiting = std::thread::spawn(move || {
            let Taken::Item(first) = reader.pop(Duration::from_secs(60)) else { return None };
            Some((first.dts.as_ms(), drain(&reader).len()))
        });
        // Five blocks wait, the sixth wakes: 100 ms without a picture.
        let begun = Instant::now();
        (0..=5).for_each(|n| queue.push(packet(Track::Audio, 20 * n, true)));
        let (first, _) = waiting.join().ok().flatten().expect("it is woken");
        assert!(first == 0 && begun.elapsed() < Duration::from_secs(30), "woken, not timed out");
        let reader = queue.clone();
        let waiting = std::thread::spawn(move || matches!(reader.pop(Duration::from_secs(60)), Taken::Item(_)));
        drain(&queue);
        queue.push(packet(Track::Video, 120, true));
        assert!(waiting.join().unwrap_or(false) && begun.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn closing_wakes_a_waiting_reader() {
        let queue = PacketQueue::new(Duration::from_secs(1), 1 << 20);
        let reader = queue.clone();
        let waiting = std::thread::spawn(move || matches!(reader.pop(Duration::from_secs(30)), Taken::Closed));
        queue.close();
        assert!(waiting.join().unwrap_or(false));
    }
}
