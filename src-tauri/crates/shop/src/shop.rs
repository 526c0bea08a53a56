//! What all requests share.

use crate::change::Event;
use crate::comments;
use crate::live::Live;
use crate::pace::{PerAddress, Shared};
use crate::refusal::Refusal;
use crate::store::Store;
use crate::tool_comments;
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
    /// Comments of viewers refused because they came too fast.
    pub comments_refused: u64,
    /// Comments of other tools refused because they came too fast.
    pub tool_comments_refused: u64,
    /// Writes refused because too many waited.
    pub writes_refused: u64,
    /// Requests for what comes next in the live picture, refused because too many waited.
    pub live_refused: u64,
    /// Such requests that were held in vain: nothing came.
    pub live_late: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    connections_refused: AtomicU64,
    streams_refused: AtomicU64,
    streams_lagged: AtomicU64,
    comments_refused: AtomicU64,
    tool_comments_refused: AtomicU64,
    writes_refused: AtomicU64,
    live_refused: AtomicU64,
    live_late: AtomicU64,
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
    pub(crate) fn comments_refused(&self) {
        self.comments_refused.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn tool_comments_refused(&self) {
        self.tool_comments_refused.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn writes_refused(&self) {
        self.writes_refused.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn live_refused(&self) {
        self.live_refused.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn live_late(&self) {
        self.live_late.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn read(&self) -> Counters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            connections_refused: get(&self.connections_refused),
            streams_refused: get(&self.streams_refused),
            streams_lagged: get(&self.streams_lagged),
            comments_refused: get(&self.comments_refused),
            tool_comments_refused: get(&self.tool_comments_refused),
            writes_refused: get(&self.writes_refused),
            live_refused: get(&self.live_refused),
            live_late: get(&self.live_late),
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
    /// The live picture.
    pub(crate) live: Arc<Live>,
    /// The address it listens on.
    pub(crate) bound: IpAddr,
    pub(crate) name: String,
    /// How fast comments may come from one address, and from other tools.
    pub(crate) comment_addresses: PerAddress,
    pub(crate) tool_pace: Shared,
    currency: Currency,
    seller: TokenDigest,
    tool: TokenDigest,
}

/// Who has a token is known by its digest. Digests are compared, all of them: time tells nothing about the token.
#[derive(Debug)]
struct TokenDigest([u8; 32]);

impl TokenDigest {
    fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    fn is_of(&self, token: &str) -> bool {
        let given = Self::of(token);
        let differing = given.0.iter().zip(&self.0).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

/// The tokens of a shop.
pub(crate) struct Tokens<'a> {
    pub seller: &'a str,
    /// Of tools that bring comments.
    pub tool: &'a str,
}

impl Shop {
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        live: PathBuf,
        bound: IpAddr,
        (name, currency): (String, Currency),
        tokens: &Tokens<'_>,
    ) -> Self {
        let tasks = Tasks::new();
        Self {
            store,
            clock,
            events: broadcast::Sender::new(EVENTS_KEPT),
            viewers: watch::Sender::new(0),
            viewer_streams: Arc::new(Semaphore::new(VIEWER_STREAMS)),
            seller_streams: Arc::new(Semaphore::new(SELLER_STREAMS)),
            write_places: Arc::new(Semaphore::new(WRITES_WAITING)),
            tally: Tally::default(),
            live: Arc::new(Live::new(live, tasks.token())),
            tasks,
            bound,
            name,
            comment_addresses: PerAddress::new(comments::ADDRESS_PACE),
            tool_pace: Shared::new(tool_comments::PACE),
            currency,
            seller: TokenDigest::of(tokens.seller),
            tool: TokenDigest::of(tokens.tool),
        }
    }

    pub(crate) const fn currency(&self) -> Currency {
        self.currency
    }

    /// Is this the seller's token?
    pub(crate) fn is_seller(&self, token: &str) -> bool {
        self.seller.is_of(token)
    }

    /// Is this the token of tools that bring comments?
    pub(crate) fn is_tool(&self, token: &str) -> bool {
        self.tool.is_of(token)
    }
}

/// Name and currency of the shop of this database, if it has one yet.
pub(crate) async fn identity(store: &Store) -> Result<Option<(String, Currency)>, Refusal> {
    let mut db = store.read().await?;
    let row: Option<(String, String)> = sqlx::query_as("SELECT name, currency FROM shop").fetch_optional(&mut *db).await?;
    row.map(|(name, code)| Ok((name, Currency::parse(&code).map_err(Refusal::internal)?))).transpose()
}
