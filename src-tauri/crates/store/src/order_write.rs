//! Orders on their way into the database: a page at a time, in few statements however many orders it has.

mod index;
mod rows;

use crate::buyer::BuyerRow;
use crate::text::Tokens;
use crate::words::Word;
use crate::{OrderChange, Sealer, StoreError, parcels};
use sqlx::SqliteConnection;
use stallcast_model::{Contact, Order, OrderStatus, ReceivedOrder, mask_name};
use std::collections::{HashMap, HashSet};

use index::index;
pub(crate) use index::index_keys;
use rows::{Shows, insert_buyers, insert_lines, insert_orders, update_order};

/// Keys of one millisecond: 2^20. A millisecond that is full takes the next one's.
pub(crate) const KEYS_PER_MS: i64 = 1 << 20;
/// Latest time that a key can hold, ms UTC (the year 2109).
const LATEST_MS: i64 = (1 << 42) - 1;
/// Rows of one INSERT: binding them costs more than the statement from here on.
const ROWS: usize = 50;
/// The first key of the millisecond in which an order was placed or a comment written.
pub(crate) fn first_key(placed_at_ms: i64) -> i64 {
    placed_at_ms.clamp(0, LATEST_MS) * KEYS_PER_MS
}

/// Nobody owes the buyer anything: their name and address are not needed much longer.
pub(crate) const fn is_settled(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::Refunded | OrderStatus::Cancelled)
}

/// An order ready to be written: what is personal is sealed, what is searched is cut up.
pub(crate) struct Prepared {
    order: Order,
    status: OrderStatus,
    buyer: BuyerRow,
    tokens: Tokens,
    /// Digest of the order as it was read.
    body: i64,
}

impl Prepared {
    pub(crate) fn new(sealer: &dyn Sealer, connection: &str, received: ReceivedOrder) -> Result<Self, StoreError> {
        let ReceivedOrder { mut order, contact } = received;
        let raw_json = std::mem::take(&mut order.raw_json);
        let body = body_mark(sealer, &order, &contact)?;
        let buyer = BuyerRow::new(sealer, connection, &mut order, contact, raw_json)?;
        order.buyer = mask_name(&order.buyer);
        let status = order.status();
        let mut tokens = Tokens::default();
        for (i, line) in order.lines.iter().enumerate() {
            tokens.product(connection, line.product.as_str());
            if order.lines.iter().take(i).all(|before| before.title != line.title) {
                tokens.title(&line.title);
            }
        }
        tokens.number(&order.number);
        for shipment in &order.shipments {
            tokens.number(&shipment.waybill.tracking);
        }
        tokens.status(status.word());
        Ok(Self { order, status, buyer, tokens, body })
    }

    pub(crate) fn id(&self) -> &str {
        self.order.id.as_str()
    }

    pub(crate) const fn version(&self) -> i64 {
        self.order.version
    }

    /// Takes away what is personal.
    fn purge(&mut self) {
        self.order.buyer.clear();
    }

    fn finish_tokens(&mut self) -> (String, i64) {
        self.tokens.masked(&self.order.buyer);
        self.tokens.finish()
    }
}

/// Digest of everything that is mapped of an order, the same in every process and on every machine with the same key. The
/// platform's own JSON is left out: some of it changes with every read. Keyed, because a buyer's fields are in it.
fn body_mark(sealer: &dyn Sealer, order: &Order, contact: &Contact) -> Result<i64, StoreError> {
    let body = serde_json::to_string(&(order, contact)).map_err(|e| StoreError::broken("order", e))?;
    Ok(sealer.mark("order body", &body)?)
}

/// One currency an order: what the columns can hold.
pub(crate) fn fits(order: &Order) -> bool {
    let currency = order.total.currency;
    order.discount.currency == currency
        && order.lines.iter().all(|l| l.unit_price.currency == currency)
        && order.after_sales.iter().all(|a| a.amount.currency == currency)
}

/// What is stored of an order.
#[derive(sqlx::FromRow)]
struct Stored {
    id: String,
    key: i64,
    version: i64,
    body: Option<i64>,
    status: String,
    placed_at_ms: i64,
    tokens: Option<i64>,
    purged_at_ms: Option<i64>,
}

impl Stored {
    /// What was read says something new: a higher version, or the same one with another body (a platform whose times are
    /// coarse, or that changes rows without touching them). Of two readings of one version the later one counts.
    fn yields_to(&self, new: &Prepared) -> bool {
        self.version < new.version() || (self.version == new.version() && self.body != Some(new.body))
    }
}

/// A row that is written.
struct Winner {
    key: i64,
    new: Prepared,
    stored: Option<Stored>,
    tokens: (String, i64),
    /// Nothing personal is kept of it.
    purged_at_ms: Option<i64>,
}

/// Stores each order once, as it was last read at its highest version. Repeats and older ones are no changes.
pub(crate) async fn put_all(
    tx: &mut SqliteConnection,
    connection: &str,
    orders: Vec<Prepared>,
    now_ms: i64,
) -> Result<Vec<OrderChange>, StoreError> {
    let mut winners = choose(tx, connection, orders).await?;
    if winners.is_empty() {
        return Ok(Vec::new());
    }
    give_keys(tx, &mut winners).await?;
    let changes = winners.iter().map(change).collect::<Result<Vec<_>, _>>()?;
    // The text index takes rising row ids at once and others one by one.
    winners.sort_unstable_by_key(|w| w.key);
    let (known, new): (Vec<Winner>, Vec<Winner>) = winners.into_iter().partition(|w| w.stored.is_some());
    if !new.is_empty() {
        let shows = Shows::around(tx, &new).await?;
        insert_orders(tx, connection, &shows, &new, now_ms).await?;
    }
    for winner in &known {
        update_order(tx, winner, now_ms).await?;
    }
    parcels::clear(tx, &known.iter().map(|w| w.key).collect::<Vec<_>>()).await?;
    let all: Vec<&Winner> = new.iter().chain(&known).collect();
    insert_lines(tx, &all).await?;
    parcels::insert(tx, &all.iter().map(|w| (w.key, &w.new.order)).collect::<Vec<_>>()).await?;
    insert_buyers(tx, &all).await?;
    index(tx, all).await?;
    Ok(changes)
}

fn change(winner: &Winner) -> Result<OrderChange, StoreError> {
    let before = winner.stored.as_ref().map(|s| OrderStatus::from_word(&s.status)).transpose()?;
    Ok(OrderChange { id: winner.new.order.id.clone(), is_new: before.is_none(), before, now: winner.new.status })
}

/// The last reading of the highest version of each order that is news, in the order of the page.
async fn choose(tx: &mut SqliteConnection, connection: &str, orders: Vec<Prepared>) -> Result<Vec<Winner>, StoreError> {
    let ids = serde_json::to_string(&orders.iter().map(Prepared::id).collect::<HashSet<_>>());
    let rows: Vec<Stored> = sqlx::query_as(
        "SELECT o.id, o.key, o.version, o.body, o.status, o.placed_at_ms, o.tokens, o.purged_at_ms
         FROM json_each(?) AS j CROSS JOIN orders AS o ON o.id = j.value AND o.connection = ?",
    )
    .bind(ids.map_err(|e| StoreError::broken("order id", e))?)
    .bind(connection)
    .fetch_all(tx)
    .await?;
    let stored: HashMap<String, Stored> = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut best: Vec<Prepared> = Vec::with_capacity(orders.len());
    for order in orders {
        if let Some(there) = places.get(order.id()).and_then(|at| best.get_mut(*at)) {
            if order.version() >= there.version() {
                *there = order;
            }
        } else {
            places.insert(order.id().to_owned(), best.len());
            best.push(order);
        }
    }
    best.retain(|new| stored.get(new.id()).is_none_or(|s| s.yields_to(new)));
    let mut stored = stored;
    Ok(best
        .into_iter()
        .map(|mut new| {
            let stored = stored.remove(new.id());
            // What was purged stays purged, unless the order is open again: then somebody needs the address.
            let purged_at_ms = stored.as_ref().and_then(|s| s.purged_at_ms).filter(|_| is_settled(new.status));
            if purged_at_ms.is_some() {
                new.purge();
            }
            let tokens = new.finish_tokens();
            Winner { key: stored.as_ref().map_or(0, |s| s.key), new, stored, tokens, purged_at_ms }
        })
        .collect())
}

/// Gives new orders their keys, and another one to an order whose platform corrected when it was placed.
async fn give_keys(tx: &mut SqliteConnection, winners: &mut [Winner]) -> Result<(), StoreError> {
    let mut next: HashMap<i64, i64> = HashMap::new();
    let wanted = |w: &Winner| w.stored.as_ref().is_none_or(|s| first_key(s.placed_at_ms) != first_key(w.new.order.placed_at_ms));
    let firsts: HashSet<i64> = winners.iter().filter(|w| wanted(w)).map(|w| first_key(w.new.order.placed_at_ms)).collect();
    let firsts = serde_json::to_string(&firsts).map_err(|e| StoreError::broken("order key", e))?;
    // Keys are handed out without gaps from the start of a millisecond, also past its end.
    let taken: Vec<(i64, Option<i64>)> =
        sqlx::query_as("SELECT j.value, (SELECT max(key) FROM orders WHERE key >= j.value AND key < j.value + ?) FROM json_each(?) AS j")
            .bind(KEYS_PER_MS)
            .bind(firsts)
            .fetch_all(&mut *tx)
            .await?;
    for (first, last) in taken {
        next.insert(first, last.map_or(first, |last| last + 1));
    }
    for winner in winners.iter_mut().filter(|w| wanted(w)) {
        let first = first_key(winner.new.order.placed_at_ms);
        let place = next.entry(first).or_insert(first);
        let mut key = *place;
        if key >= first + KEYS_PER_MS {
            // A million orders in one millisecond: whatever is free behind them.
            let free: Option<i64> = sqlx::query_scalar(
                "SELECT min(key) + 1 FROM orders AS o WHERE key >= ? AND NOT EXISTS (SELECT 1 FROM orders AS n WHERE n.key = o.key + 1)",
            )
            .bind(key - 1)
            .fetch_one(&mut *tx)
            .await?;
            key = free.unwrap_or(key);
        }
        *place = key + 1;
        if let Some(stored) = &winner.stored {
            sqlx::query("UPDATE orders SET key = ? WHERE key = ?").bind(key).bind(stored.key).execute(&mut *tx).await?;
            sqlx::query("DELETE FROM order_text WHERE rowid = ?").bind(stored.key).execute(&mut *tx).await?;
        }
        winner.key = key;
    }
    Ok(())
}
