//! What all requests share.

use crate::change::Event;
use crate::refusal::Refusal;
use crate::store::Store;
use sha2::{Digest, Sha256};
use stallcast_clock::{Clock, Tasks};
use stallcast_model::Currency;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Semaphore, broadcast, watch};

/// Writes that may wait for the writer; more are refused as `busy`.
const WRITES_WAITING: usize = 512;
/// Open event streams of viewers, and of sellers.
const VIEWER_STREAMS: usize = 500;
const SELLER_STREAMS: usize = 16;
/// Events a slow stream may lag behind before it reads them from the table instead.
const EVENTS_KEPT: usize = 1024;

/// What was refused or took the slow way since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections closed at once because too many were open.
    pub connections_refused: u64,
    /// Event streams refused because too many were open.
    pub streams_refused: u64,
    /// Times a stream lagged and went on from the table.
    pub streams_lagged: u64,
    /// Writes refused because too many waited.
    pub writes_refused: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    connections_refused: AtomicU64,
    streams_refused: AtomicU64,
    streams_lagged: AtomicU64,
    writes_refused: AtomicU64,
}

impl Tally {
    pub(crate) fn connections_refused(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn streams_refused(&self) {
        self.streams_refused.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn streams_lagged(&self) {
        self.streams_lagged.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn writes_refused(&self) {
        self.writes_refused.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn read(&self) -> Counters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            connections_refused: get(&self.connections_refused),
            streams_refused: get(&self.streams_refused),
            streams_lagged: get(&self.streams_lagged),
            writes_refused: get(&self.writes_refused),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Tasks,
    pub(crate) events: broadcast::Sender<Arc<Event>>,
    /// Open streams of viewers.
    pub(crate) viewers: watch::Sender<u64>,
    pub(crate) viewer_streams: Arc<Semaphore>,
    pub(crate) seller_streams: Arc<Semaphore>,
    pub(crate) write_places: Arc<Semaphore>,
    pub(crate) tally: Tally,
    /// Folder of the live files.
    pub(crate) live: PathBuf,
    /// The address it listens on.
    pub(crate) bound: IpAddr,
    pub(crate) name: String,
    currency: Currency,
    token_digest: [u8; 32],
}

impl Shop {
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        live: PathBuf,
        bound: IpAddr,
        (name, currency): (String, Currency),
        token: &str,
    ) -> Self {
        Self {
            store,
            clock,
            tasks: Tasks::new(),
            events: broadcast::Sender::new(EVENTS_KEPT),
            viewers: watch::Sender::new(0),
            viewer_streams: Arc::new(Semaphore::new(VIEWER_STREAMS)),
            seller_streams: Arc::new(Semaphore::new(SELLER_STREAMS)),
            write_places: Arc::new(Semaphore::new(WRITES_WAITING)),
            tally: Tally::default(),
            live,
            bound,
            name,
            currency,
            token_digest: Sha256::digest(token).into(),
        }
    }

    pub(crate) const fn currency(&self) -> Currency {
        self.currency
    }

    /// Is this the seller's token? Digests are compared, all of them: time tells nothing about the token.
    pub(crate) fn is_seller(&self, token: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(token).into();
        let differing = given.iter().zip(&self.token_digest).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

/// Name and currency of the shop of this database, if it has one yet.
pub(crate) async fn identity(store: &Store) -> Result<Option<(String, Currency)>, Refusal> {
    let mut db = store.read().await?;
    let row: Option<(String, String)> = sqlx::query_as("SELECT name, currency FROM shop").fetch_optional(&mut *db).await?;
    row.map(|(name, code)| Ok((name, Currency::parse(&code).map_err(Refusal::internal)?))).transpose()
}
