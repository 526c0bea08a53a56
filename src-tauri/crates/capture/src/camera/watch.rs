//! When a camera is lost, opened again and back. Pure: the caller brings the time and what it sees.

use stallcast_media::{NANOS_PER_SEC, Pts};

/// Without a picture for so long a camera is lost.
pub(crate) const LOST_AFTER: i64 = NANOS_PER_SEC;
/// A camera that was opened may take so long for its first picture before it is opened once more.
const START_LIMIT: i64 = 3 * NANOS_PER_SEC;
/// From one try to the next.
const RETRY: i64 = NANOS_PER_SEC;
/// Threads that hang in a driver before no more are sent after them.
const MOST_STUCK: usize = 4;

/// What is to be seen of a camera.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    /// Pictures since the source was opened.
    pub(crate) frames: u64,
    /// Is a reader at work? False when it ended by itself.
    pub(crate) reading: bool,
    /// Readers that were left behind and have not ended.
    pub(crate) stuck: usize,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Say that the camera is lost.
    TellLost,
    /// Say that it is back.
    TellBack,
    /// Leave the reader behind, if there is one, and open anew.
    Reopen,
}

/// The watch over one camera.
#[derive(Debug)]
pub(crate) struct Watch {
    frames: u64,
    last_frame: Pts,
    opened: Pts,
    lost: bool,
    /// Pictures came since it was opened last.
    started: bool,
}

impl Watch {
    /// A camera that delivered its first picture now.
    pub(crate) fn new(now: Pts, frames: u64) -> Self {
        Self { frames, last_frame: now, opened: now, lost: false, started: true }
    }

    /// To be called several times a second.
    pub(crate) fn observe(&mut self, now: Pts, sight: Sight) -> Vec<Order> {
        let mut orders = Vec::new();
        if sight.frames != self.frames {
            self.frames = sight.frames;
            self.last_frame = now;
            self.started = true;
            if self.lost {
                self.lost = false;
                orders.push(Order::TellBack);
            }
        }
        let silent = now - self.last_frame;
        if silent > LOST_AFTER && !self.lost {
            self.lost = true;
            orders.push(Order::TellLost);
        }
        let hangs = sight.reading && if self.started { silent > LOST_AFTER } else { now - self.opened > START_LIMIT };
        let again = now - self.opened >= RETRY;
        if (hangs || !sight.reading) && again && sight.stuck < MOST_STUCK {
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
                watch: Watch::new(Pts(0), 1),
                sight: Sight { frames: 1, reading: true, stuck: 0 },
                log: vec![],
            }
        }

        /// `ms` pass; the camera delivers meanwhile or not.
        fn pass(&mut self, ms: u64, delivers: bool) -> &mut Self {
            for _ in 0..ms / 50 {
                self.clock.advance(Duration::from_millis(50));
                self.sight.frames += u64::from(delivers);
                let now = Pts(self.clock.mono().0);
                for order in self.watch.observe(now, self.sight) {
                    self.log.push((now.as_ms(), order));
                    if order == Order::Reopen {
                        self.sight.reading = true;
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
            post.sight.reading = false;
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
        post.sight.reading = false;
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
}
