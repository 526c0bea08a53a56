//! When a device is lost, opened again and back. Pure: the caller brings the time and what it sees.

use stallcast_media::{NANOS_PER_MS, NANOS_PER_SEC, Pts};

/// Without anything for so long a device is lost.
const LOST_AFTER: i64 = NANOS_PER_SEC;
/// A device that was opened when the watch began and has delivered nothing yet is lost after so long.
const FIRST_LIMIT: i64 = 3 * NANOS_PER_SEC;
/// A device that was opened may take so long for its first delivery before it is opened once more: no less than where it
/// is opened for the first time, or a slow one would begin again and again.
pub(crate) const START_LIMIT: i64 = 7 * NANOS_PER_SEC;
/// What the time between two looks counts at most: a process that was stopped, or a machine that slept, makes it long, and
/// the device had no more of it than the watch.
const MOST_PASSED: i64 = 150 * NANOS_PER_MS;
/// From one try to the next.
const RETRY: i64 = NANOS_PER_SEC;
/// Threads that hang in a driver before no more are sent after them.
const MOST_STUCK: usize = 4;

/// What is to be seen of a device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    /// Pictures or blocks since the source was opened.
    pub(crate) delivered: u64,
    /// Is a thread at work? False when it ended by itself.
    pub(crate) working: bool,
    /// Threads that were left behind and have not ended.
    pub(crate) stuck: usize,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Say that the device is lost.
    TellLost,
    /// Say that it is back.
    TellBack,
    /// Leave the thread behind, if there is one, and open anew.
    Reopen,
}

/// The watch over one device.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Without anything for so long its thread hangs and another is sent.
    hangs_after: i64,
    delivered: u64,
    last: Pts,
    opened: Pts,
    seen: Pts,
    lost: bool,
    /// Something came since it was opened last.
    started: bool,
}

impl Watch {
    /// A device that was opened now and has delivered so much; `lost`: said to be so already.
    pub(crate) fn new(now: Pts, delivered: u64, hangs_after: i64, lost: bool) -> Self {
        let started = delivered > 0;
        // The first sound of some servers takes its time.
        let last = if started { now } else { now + (FIRST_LIMIT - LOST_AFTER) };
        Self { hangs_after, delivered, last, opened: now, seen: now, lost, started }
    }

    /// To be called several times a second.
    pub(crate) fn observe(&mut self, now: Pts, sight: Sight) -> Vec<Order> {
        let mut orders = Vec::new();
        let missed = (now - self.seen - MOST_PASSED).max(0);
        (self.seen, self.last, self.opened) = (now, self.last + missed, self.opened + missed);
        if sight.delivered != self.delivered {
            self.delivered = sight.delivered;
            self.last = now;
            self.started = true;
            if self.lost {
                self.lost = false;
                orders.push(Order::TellBack);
            }
        }
        let silent = now - self.last;
        if silent > LOST_AFTER && !self.lost {
            self.lost = true;
            orders.push(Order::TellLost);
        }
        let hangs = sight.working && if self.started { silent > self.hangs_after } else { now - self.opened > START_LIMIT };
        let again = now - self.opened >= RETRY;
        if (hangs || !sight.working) && again && sight.stuck < MOST_STUCK {
            self.opened = now;
            self.started = false;
            orders.push(Order::Reopen);
        }
        orders
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_clock::{Clock as _, ManualClock};
    use std::time::Duration;

    /// A camera seen 20 times a second.
    struct Post {
        clock: ManualClock,
        watch: Watch,
        sight: Sight,
        log: Vec<(i64, Order)>,
    }

    impl Post {
        fn new() -> Self {
            Self {
                clock: ManualClock::new(0),
                watch: Watch::new(Pts(0), 1, LOST_AFTER, false),
                sight: Sight { delivered: 1, working: true, stuck: 0 },
                log: vec![],
            }
        }

        /// `ms` pass; the camera delivers meanwhile or not.
        fn pass(&mut self, ms: u64, delivers: bool) -> &mut Self {
            for _ in 0..ms / 50 {
                self.clock.advance(Duration::from_millis(50));
                self.sight.delivered += u64::from(delivers);
                let now = Pts(self.clock.mono().0);
                for order in self.watch.observe(now, self.sight) {
                    self.log.push((now.as_ms(), order));
                    if order == Order::Reopen {
                        self.sight.working = true;
                    }
                }
            }
            self
        }

        fn orders(&self) -> Vec<Order> {
            self.log.iter().map(|(_, order)| *order).collect()
        }
    }

    #[test]
    fn a_healthy_camera_is_left_alone() {
        assert!(Post::new().pass(60_000, true).log.is_empty());
    }

    #[test]
    fn a_stall_is_lost_after_a_second_and_opened_again_at_once() {
        let mut post = Post::new();
        post.pass(5000, true).pass(2000, false);
        assert_eq!(post.orders(), [Order::TellLost, Order::Reopen]);
        assert!(post.log.iter().all(|(at, _)| (6000..=6100).contains(at)), "{:?}", post.log);
        post.pass(1000, true);
        assert_eq!(post.orders()[2..], [Order::TellBack]);
        // A second time as the first.
        post.pass(5000, true).pass(1500, false);
        assert_eq!(post.orders()[3..], [Order::TellLost, Order::Reopen]);
    }

    #[test]
    fn an_unplugged_camera_is_tried_every_second_for_ever_and_lost_only_once() {
        let mut post = Post::new();
        post.pass(5000, true);
        for _ in 0..600 {
            // Every try fails at once.
            post.sight.working = false;
            post.pass(1000, false);
        }
        let orders = post.orders();
        assert_eq!(orders.iter().filter(|o| **o == Order::TellLost).count(), 1);
        assert!(orders.iter().filter(|o| **o == Order::Reopen).count() >= 595, "{}", orders.len());
        assert!(post.log[0].0 <= 5100, "the first try does not wait");
    }

    #[test]
    fn a_reader_that_ends_and_comes_back_within_a_second_is_nobodys_business() {
        let mut post = Post::new();
        post.pass(5000, true);
        post.sight.working = false;
        post.pass(500, false).pass(5000, true);
        assert_eq!(post.orders(), [Order::Reopen]);
    }

    #[test]
    fn hanging_threads_are_not_piled_up() {
        let mut post = Post::new();
        post.pass(5000, true);
        post.sight.stuck = MOST_STUCK;
        post.pass(60_000, false);
        assert_eq!(post.orders(), [Order::TellLost]);
        post.sight.stuck = 0;
        post.pass(100, false);
        assert_eq!(post.orders()[1..], [Order::Reopen]);
    }

    #[test]
    fn a_device_that_is_not_there_yet_is_tried_for_ever_and_back_once_it_delivers() {
        let mut post = Post { watch: Watch::new(Pts(0), 0, LOST_AFTER, true), ..Post::new() };
        post.sight = Sight { delivered: 0, working: false, stuck: 0 };
        for _ in 0..30 {
            post.pass(1000, false);
            post.sight.working = false;
        }
        assert!(post.orders().len() >= 29 && post.orders().iter().all(|o| *o == Order::Reopen), "{:?}", post.orders());
        post.log.clear();
        post.sight.working = true;
        post.pass(1000, true);
        assert_eq!(post.orders(), [Order::TellBack]);
    }

    #[test]
    fn a_slow_starter_is_given_time_and_a_short_gap_is_mended_unheard() {
        let mut post = Post { watch: Watch::new(Pts(0), 0, LOST_AFTER / 2, false), ..Post::new() };
        post.sight.delivered = 0;
        post.pass(2500, false).pass(5000, true);
        assert!(post.log.is_empty(), "{:?}", post.log);
        post.pass(700, false).pass(5000, true);
        assert_eq!(post.orders(), [Order::Reopen]);
        // One that never starts is lost in the end.
        let mut post = Post { watch: Watch::new(Pts(0), 0, LOST_AFTER / 2, false), ..Post::new() };
        post.sight.delivered = 0;
        post.pass(3500, false);
        assert_eq!(post.orders(), [Order::TellLost]);
        post.pass(4000, false);
        assert_eq!(post.orders(), [Order::TellLost, Order::Reopen]);
    }

    #[test]
    fn a_camera_that_takes_five_seconds_to_its_first_picture_comes_back() {
        let mut post = Post::new();
        post.pass(5000, true);
        post.sight.working = false;
        // It is in use for two seconds more, and then slow.
        post.pass(6950, false).pass(5000, true);
        assert_eq!(post.orders(), [Order::Reopen, Order::TellLost, Order::TellBack]);
    }

    #[test]
    fn a_process_that_was_stopped_loses_no_device() {
        let mut post = Post::new();
        post.pass(5000, true);
        for _ in 0..10 {
            post.clock.advance(Duration::from_secs(60));
            // The watch is the first to run again; the device needs a moment.
            post.pass(500, false).pass(3000, true);
        }
        assert!(post.log.is_empty(), "{:?}", post.log);
        // Not time enough to start either.
        let mut post = Post { watch: Watch::new(Pts(0), 0, LOST_AFTER / 2, false), ..Post::new() };
        post.sight.delivered = 0;
        post.pass(2000, false).clock.advance(Duration::from_secs(60));
        post.pass(500, false).pass(5000, true);
        assert!(post.log.is_empty(), "{:?}", post.log);
    }
}
