use crate::events::{News, SyncEvent};
use crate::line::{Line, Pace, Timing};
use crate::pull::Feed;
use crate::push::Outbox;
use crate::reach::{Reach, ReachBoard};
use crate::{coupons, hints};
use stallcast_clock::{Clock, Tasks};
use stallcast_model::{Capability, ConnectionId};
use stallcast_platform::Platform;
use stallcast_store::{Resource, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast, watch};

/// Longest wait for the workers beyond [`Timing::finish`].
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// What is kept in step, and how.
#[derive(Debug, Clone)]
pub struct SyncOptions {
    /// The store of the data folder, which knows the connection already.
    pub store: Store,
    /// The platform.
    pub platform: Arc<dyn Platform>,
    /// Its connection.
    pub connection: ConnectionId,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Pace at the start.
    pub pace: Pace,
    /// The workers' times.
    pub timing: Timing,
}

/// The running workers of one connection. Dropping it stops them without waiting; what was under way then becomes a doubt
/// when the store is opened again.
#[derive(Debug)]
pub struct ConnectionSync {
    line: Arc<Line>,
    tasks: Tasks,
    pace: watch::Sender<Pace>,
    read_orders_at_ms: watch::Receiver<Option<i64>>,
    read_products_at_ms: watch::Receiver<Option<i64>>,
    /// `None` for a platform without comments.
    read_comments_at_ms: Option<watch::Receiver<Option<i64>>>,
}

impl Drop for ConnectionSync {
    fn drop(&mut self) {
        self.line.token.cancel();
    }
}

impl ConnectionSync {
    /// Starts the workers on the current tokio runtime. The receiver gets every event from the first on.
    #[must_use]
    pub fn start(options: SyncOptions) -> (Self, broadcast::Receiver<SyncEvent>) {
        let SyncOptions { store, platform, connection, clock, pace, timing } = options;
        let (tasks, news) = (Tasks::new(), News::new());
        let events = news.listen();
        let (pace_tx, pace_rx) = watch::channel(pace);
        let line = Arc::new(Line {
            store,
            platform,
            connection,
            clock,
            timing,
            news,
            reach: ReachBoard::default(),
            pace: pace_rx,
            token: tasks.token(),
            read_orders: Notify::new(),
            read_products: Notify::new(),
            read_comments: Notify::new(),
            read_coupons: Notify::new(),
            wake_outbox: Notify::new(),
            listen_again: Notify::new(),
        });
        let feed = |resource| {
            let (read_at_ms, read) = watch::channel(None);
            (Feed { line: Arc::clone(&line), resource, read_at_ms }, read)
        };
        let (orders, read_orders_at_ms) = feed(Resource::Orders);
        let (products, read_products_at_ms) = feed(Resource::Products);
        // What is lost by a crash is read again, and what was not sent waits in the store.
        let again = |name: &'static str, feed: Feed| tasks.spawn_again(name, || {}, move || feed.clone().run());
        again("orders", orders);
        again("products", products);
        let has_comments = line.platform.capabilities().comments == Capability::Native;
        let read_comments_at_ms = has_comments.then(|| {
            let (comments, read) = feed(Resource::Comments);
            again("comments", comments);
            read
        });
        let [coupons, hints, outbox] = [0; 3].map(|_| Arc::clone(&line));
        tasks.spawn_again("coupons", || {}, move || coupons::run(Arc::clone(&coupons)));
        tasks.spawn_again("hints", || {}, move || hints::run(Arc::clone(&hints)));
        tasks.spawn_again("outbox", || {}, move || Outbox::new(Arc::clone(&outbox)).run());
        (Self { line, tasks, pace: pace_tx, read_orders_at_ms, read_products_at_ms, read_comments_at_ms }, events)
    }

    /// Something was written into the outbox.
    pub fn wake_outbox(&self) {
        self.line.wake_outbox.notify_one();
    }

    /// Reads everything now and listens again: the platform was started again.
    pub fn read_now(&self) {
        let Line { read_orders, read_products, read_comments, read_coupons, listen_again, .. } = &*self.line;
        for nudge in [read_orders, read_products, read_comments, read_coupons, listen_again] {
            nudge.notify_one();
        }
        self.wake_outbox();
    }

    /// How closely to watch from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.pace.send_if_modified(|now| std::mem::replace(now, pace) != pace);
    }

    /// How closely it is watched.
    #[must_use]
    pub fn pace(&self) -> Pace {
        *self.pace.borrow()
    }

    /// How long a poll is away at most, at the present pace.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.line.timing.between(self.pace())
    }

    /// Does the platform answer?
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.line.reach.now()
    }

    /// Could this feed be read when it was last asked for? False before the first answer, and for one that there is not.
    #[must_use]
    pub fn reads(&self, resource: Resource) -> bool {
        self.line.reach.reads(resource)
    }

    /// When the last read that reached the end of a feed was begun, ms UTC, ours: everything stored held at that instant.
    #[must_use]
    pub fn read_at_ms(&self, resource: Resource) -> Option<i64> {
        match resource {
            Resource::Orders => *self.read_orders_at_ms.borrow(),
            Resource::Products => *self.read_products_at_ms.borrow(),
            Resource::Comments => *self.read_comments_at_ms.as_ref()?.borrow(),
        }
    }

    /// Waits until orders and products were read to their end once.
    pub async fn first_read(&self) {
        for read in [&self.read_products_at_ms, &self.read_orders_at_ms] {
            // An error means that the workers ended: there is nothing to wait for.
            let _ = read.clone().wait_for(Option::is_some).await;
        }
    }

    /// Stops the workers. What was under way and did not end becomes a doubt.
    pub async fn stop(&self) {
        if !self.tasks.stop(self.line.timing.finish + STOP_LIMIT).await {
            tracing::warn!("a worker did not end in time");
            return;
        }
        if let Err(e) = self.line.store.release_leases(Some(&self.line.connection)).await {
            // They are released when the store is opened again.
            tracing::warn!(error = %e, "leases were not released");
        }
    }
}
