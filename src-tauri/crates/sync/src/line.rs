//! What the workers of one connection share.

use crate::events::News;
use crate::reach::ReachBoard;
use stallcast_clock::{Backoff, Clock};
use stallcast_model::ConnectionId;
use stallcast_platform::Platform;
use stallcast_store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How closely the platform is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pace {
    /// Somebody sells.
    Live,
    /// Nobody looks.
    #[default]
    Idle,
}

/// The workers' times. The defaults are those of the design.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// Between two reads of a feed while live.
    pub live: Duration,
    /// Between two reads while idle.
    pub idle: Duration,
    /// Between two readings of what was read already.
    pub reconcile: Duration,
    /// First wait after a failure.
    pub retry_first: Duration,
    /// Longest wait after failures.
    pub retry_most: Duration,
    /// First wait of one intent between two tries. Short: a host is looking at it.
    pub try_first: Duration,
    /// Longest wait of one intent that surely did not arrive; twice that for one that is looked up.
    pub try_most: Duration,
    /// How long a worker may take over one intent.
    pub lease: Duration,
    /// How long running exchanges may take to end when the workers are stopped.
    pub finish: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            live: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            reconcile: Duration::from_secs(300),
            retry_first: Duration::from_millis(500),
            retry_most: Duration::from_secs(60),
            try_first: Duration::from_millis(500),
            try_most: Duration::from_secs(5),
            lease: Duration::from_secs(90),
            finish: Duration::from_secs(2),
        }
    }
}

impl Timing {
    pub(crate) const fn between(&self, pace: Pace) -> Duration {
        match pace {
            Pace::Live => self.live,
            Pace::Idle => self.idle,
        }
    }

    pub(crate) fn backoff(&self, seed: u64) -> Backoff {
        Backoff::new(self.retry_first, self.retry_most, seed)
    }
}

/// The shared parts of one connection's workers.
#[derive(Debug)]
pub(crate) struct Line {
    pub store: Store,
    pub platform: Arc<dyn Platform>,
    pub connection: ConnectionId,
    pub clock: Arc<dyn Clock>,
    pub timing: Timing,
    pub news: News,
    pub reach: ReachBoard,
    pub pace: watch::Receiver<Pace>,
    pub token: CancellationToken,
    pub read_orders: Notify,
    pub read_products: Notify,
    pub read_comments: Notify,
    pub read_coupons: Notify,
    pub wake_outbox: Notify,
    pub listen_again: Notify,
}

impl Line {
    /// Spreads the waits of many studios.
    pub(crate) fn seed(&self) -> u64 {
        u64::try_from(self.clock.mono().0).unwrap_or(1)
    }

    /// Waits for the next turn. False when the workers are to end.
    pub(crate) async fn rest(&self, wait: Duration, nudge: Option<&Notify>) -> bool {
        let nudged = async {
            match nudge {
                Some(nudge) => nudge.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.token.cancelled() => false,
            () = nudged => true,
            () = tokio::time::sleep(wait) => true,
        }
    }
}
