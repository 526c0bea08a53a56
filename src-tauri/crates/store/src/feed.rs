//! Feeds read by cursor: a page, its cursor and the seal in one transaction.

mod comments;
mod inbox;
mod orders;
mod products;
mod unread;

pub use inbox::ReceivedEvent;

use crate::{Store, StoreError};
use sqlx::SqliteConnection;
use stallcast_model::{ConnectionId, OrderId, OrderStatus, ProductId};
use unread::count_unread;

/// What a feed is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Orders.
    Orders,
    /// Products.
    Products,
    /// Comments.
    Comments,
}

impl Resource {
    /// The word in the database and in logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Products => "products",
            Self::Comments => "comments",
        }
    }
}

/// How far a feed is known, proven by its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seal {
    /// Everything up to here is stored, by the platform's clock, ms UTC.
    pub complete_up_to_ms: Option<i64>,
    /// When that was read, by our clock, ms UTC.
    pub read_at_ms: Option<i64>,
    /// Where the next page begins; `None` = from the start.
    pub cursor: Option<String>,
}

/// An order that is new or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderChange {
    /// Which.
    pub id: OrderId,
    /// Never seen before.
    pub is_new: bool,
    /// Its word before.
    pub before: Option<OrderStatus>,
    /// Its word now.
    pub now: OrderStatus,
}

/// A product that is new or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductChange {
    /// Which.
    pub id: ProductId,
    /// Never seen before.
    pub is_new: bool,
}

/// What applying a page did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedStep<C> {
    /// New and changed rows; repeats are not among them.
    pub changes: Vec<C>,
    /// How far the feed is known now.
    pub seal: Seal,
    /// The seal proves more than before.
    pub seal_moved: bool,
    /// The platform was reset: nothing was applied and the cursor is at the start again.
    pub restarted: bool,
    /// Rows of this feed that cannot be read. While there are any, the seal stands still.
    pub unread: u32,
}

/// The part of a page that is not its rows.
struct Edge {
    from: Option<String>,
    next: String,
    more: bool,
    read_at_ms: Option<i64>,
    feed: Option<String>,
}

#[derive(sqlx::FromRow, Default)]
struct CursorRow {
    feed: Option<String>,
    value: Option<String>,
    complete_up_to_ms: Option<i64>,
    read_at_ms: Option<i64>,
}

async fn cursor(tx: &mut SqliteConnection, connection: &str, resource: Resource) -> Result<Option<CursorRow>, StoreError> {
    Ok(sqlx::query_as("SELECT feed, value, complete_up_to_ms, read_at_ms FROM cursor WHERE connection = ? AND resource = ?")
        .bind(connection)
        .bind(resource.word())
        .fetch_optional(tx)
        .await?)
}

async fn put_cursor(tx: &mut SqliteConnection, connection: &str, resource: &str, row: &CursorRow, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO cursor (connection, resource, feed, value, advanced_at_ms, complete_up_to_ms, read_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (connection, resource) DO UPDATE SET feed = excluded.feed, value = excluded.value,
             advanced_at_ms = excluded.advanced_at_ms, complete_up_to_ms = excluded.complete_up_to_ms, read_at_ms = excluded.read_at_ms",
    )
    .bind(connection)
    .bind(resource)
    .bind(&row.feed)
    .bind(&row.value)
    .bind(now_ms)
    .bind(row.complete_up_to_ms)
    .bind(row.read_at_ms)
    .execute(tx)
    .await?;
    Ok(())
}

impl From<CursorRow> for Seal {
    fn from(row: CursorRow) -> Self {
        Self { complete_up_to_ms: row.complete_up_to_ms, read_at_ms: row.read_at_ms, cursor: row.value }
    }
}

/// Checks that the page continues what is stored. `Ok(Err(step))` when the platform was reset.
async fn begin<C>(
    tx: &mut SqliteConnection,
    connection: &str,
    resource: Resource,
    edge: &Edge,
    now_ms: i64,
) -> Result<Result<CursorRow, FeedStep<C>>, StoreError> {
    let row = cursor(tx, connection, resource).await?.unwrap_or_default();
    if row.value != edge.from {
        return Err(StoreError::CursorMoved);
    }
    if let (Some(old), Some(new)) = (&row.feed, &edge.feed)
        && old != new
    {
        tracing::warn!(connection, resource = resource.word(), "the platform's feed began anew; it is read from its start");
        let fresh = CursorRow { feed: edge.feed.clone(), ..CursorRow::default() };
        put_cursor(tx, connection, resource.word(), &fresh, now_ms).await?;
        // Version numbers of the old feed say nothing about the new one. The rows stay.
        match resource {
            Resource::Products => sqlx::query("UPDATE product SET version = -1 WHERE connection = ?"),
            Resource::Comments => sqlx::query("UPDATE comment SET version = -1 WHERE connection = ?"),
            Resource::Orders => sqlx::query("UPDATE orders SET version = -1 WHERE connection = ?"),
        }
        .bind(connection)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM unread WHERE connection = ? AND resource = ?").bind(connection).bind(resource.word()).execute(tx).await?;
        return Ok(Err(FeedStep {
            changes: Vec::new(),
            seal: fresh.into(),
            seal_moved: row.complete_up_to_ms.is_some(),
            restarted: true,
            unread: 0,
        }));
    }
    Ok(Ok(row))
}

/// Moves cursor and seal. The seal moves only when the feed said that there is no more and every row could be read.
async fn finish<C>(
    tx: &mut SqliteConnection,
    connection: &str,
    resource: Resource,
    edge: Edge,
    before: CursorRow,
    changes: Vec<C>,
    now_ms: i64,
) -> Result<FeedStep<C>, StoreError> {
    let unread = count_unread(tx, connection, resource).await?;
    let proven = edge.read_at_ms.filter(|_| !edge.more && unread == 0);
    let complete_up_to_ms = before.complete_up_to_ms.max(proven);
    let row = CursorRow {
        feed: edge.feed.or(before.feed),
        value: Some(edge.next),
        complete_up_to_ms,
        read_at_ms: if proven.is_some() { Some(now_ms) } else { before.read_at_ms },
    };
    put_cursor(tx, connection, resource.word(), &row, now_ms).await?;
    Ok(FeedStep {
        changes,
        seal_moved: complete_up_to_ms != before.complete_up_to_ms,
        seal: row.into(),
        restarted: false,
        unread: u32::try_from(unread).unwrap_or(u32::MAX),
    })
}

impl Store {
    /// How far a feed is known; `None` before its first page.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn seal(&self, connection: &ConnectionId, resource: Resource) -> Result<Option<Seal>, StoreError> {
        let mut conn = self.readers().acquire().await?;
        Ok(cursor(&mut conn, connection.as_str(), resource).await?.map(Into::into))
    }
}
