//! Feeds read by cursor: a page, its cursor and the seal in one transaction.

use crate::{Store, StoreError, orders, products};
use sqlx::SqliteConnection;
use stallcast_model::{ConnectionId, FeedPage, OrderId, OrderStatus, ProductId, ReceivedOrder, ReceivedProduct, UnreadRow};

/// Events kept for recognising repeats, per connection.
const INBOX_KEPT: i64 = 10_000;

/// What a feed is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Orders.
    Orders,
    /// Products.
    Products,
}

impl Resource {
    /// The word in the database and in logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Products => "products",
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

/// An event of a platform's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// Its id on the platform.
    pub id: String,
    /// What it is about.
    pub kind: String,
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

struct SealedUnread {
    row: UnreadRow,
    sealed: Vec<u8>,
}

async fn keep_unread(
    tx: &mut SqliteConnection,
    connection: &str,
    resource: Resource,
    rows: &[SealedUnread],
    now_ms: i64,
) -> Result<(), StoreError> {
    for SealedUnread { row, sealed } in rows {
        sqlx::query(
            "INSERT INTO unread (connection, resource, id, version, reason, sealed, seen_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (connection, resource, id) DO UPDATE SET version = excluded.version, reason = excluded.reason, sealed = excluded.sealed",
        )
        .bind(connection)
        .bind(resource.word())
        .bind(&row.id)
        .bind(row.version)
        .bind(&row.reason)
        .bind(sealed)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn count_unread(tx: &mut SqliteConnection, connection: &str, resource: Resource) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM unread WHERE connection = ? AND resource = ?")
        .bind(connection)
        .bind(resource.word())
        .fetch_one(tx)
        .await?)
}

async fn now_read(tx: &mut SqliteConnection, connection: &str, resource: Resource, id: &str, version: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM unread WHERE connection = ? AND resource = ? AND id = ? AND version <= ?")
        .bind(connection)
        .bind(resource.word())
        .bind(id)
        .bind(version)
        .execute(tx)
        .await?;
    Ok(())
}

impl Store {
    fn seal_unread(&self, connection: &str, resource: Resource, rows: Vec<UnreadRow>) -> Result<Vec<SealedUnread>, StoreError> {
        rows.into_iter()
            .map(|mut row| {
                let name = format!("unread:{}:{connection}:{}", resource.word(), row.id);
                let sealed = self.inner.sealer.seal(&name, std::mem::take(&mut row.raw_json).as_bytes())?;
                Ok(SealedUnread { row, sealed })
            })
            .collect()
    }

    /// Applies a page of orders that was read from cursor `from`: each order once at its highest version, with the cursor
    /// and the seal.
    ///
    /// # Errors
    /// [`StoreError::CursorMoved`] when the page does not continue what is stored, those of the database and of sealing.
    /// Nothing is applied then.
    pub async fn apply_orders(
        &self,
        connection: &ConnectionId,
        from: Option<&str>,
        page: FeedPage<ReceivedOrder>,
        now_ms: i64,
    ) -> Result<FeedStep<OrderChange>, StoreError> {
        let connection = connection.as_str().to_owned();
        let FeedPage { rows, mut unread, next, more, read_at_ms, feed } = page;
        let edge = Edge { from: from.map(str::to_owned), next, more, read_at_ms, feed };
        let mut prepared = Vec::with_capacity(rows.len());
        for mut row in rows {
            if orders::fits(&row.order) {
                let (id, version) = (row.order.id.as_str().to_owned(), row.order.version);
                prepared.push((id, version, orders::Prepared::new(&*self.inner.sealer, &connection, row)?));
            } else {
                unread.push(UnreadRow {
                    id: row.order.id.as_str().to_owned(),
                    version: row.order.version,
                    reason: "several currencies".to_owned(),
                    raw_json: std::mem::take(&mut row.order.raw_json),
                });
            }
        }
        let unread = self.seal_unread(&connection, Resource::Orders, unread)?;
        self.write(move |tx| {
            Box::pin(async move {
                let before = match begin(tx, &connection, Resource::Orders, &edge, now_ms).await? {
                    Ok(before) => before,
                    Err(restarted) => return Ok(restarted),
                };
                keep_unread(tx, &connection, Resource::Orders, &unread, now_ms).await?;
                let mut changes: Vec<OrderChange> = Vec::new();
                let any_unread = count_unread(tx, &connection, Resource::Orders).await? > 0;
                for (id, version, order) in &prepared {
                    if any_unread {
                        now_read(tx, &connection, Resource::Orders, id, *version).await?;
                    }
                    if let Some(change) = orders::upsert(tx, &connection, order, now_ms).await? {
                        merge(&mut changes, change);
                    }
                }
                finish(tx, &connection, Resource::Orders, edge, before, changes, now_ms).await
            })
        })
        .await
    }

    /// Takes one order that was read by its id, outside the feed; it is no longer one that could not be read. `None` for a
    /// repeat.
    ///
    /// # Errors
    /// Those of the database and of sealing.
    pub async fn apply_read_order(
        &self,
        connection: &ConnectionId,
        order: ReceivedOrder,
        now_ms: i64,
    ) -> Result<Option<OrderChange>, StoreError> {
        if !orders::fits(&order.order) {
            return Ok(None);
        }
        let connection = connection.as_str().to_owned();
        let (id, version) = (order.order.id.as_str().to_owned(), order.order.version);
        let prepared = orders::Prepared::new(&*self.inner.sealer, &connection, order)?;
        self.write(move |tx| {
            Box::pin(async move {
                now_read(tx, &connection, Resource::Orders, &id, version).await?;
                orders::upsert(tx, &connection, &prepared, now_ms).await
            })
        })
        .await
    }

    /// Orders of a connection that could not be read, oldest first, at most 100: to be asked for one by one.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn unread_orders(&self, connection: &ConnectionId) -> Result<Vec<OrderId>, StoreError> {
        let ids: Vec<String> =
            sqlx::query_scalar("SELECT id FROM unread WHERE connection = ? AND resource = 'orders' ORDER BY seen_at_ms, id LIMIT 100")
                .bind(connection.as_str())
                .fetch_all(self.readers())
                .await?;
        Ok(ids.into_iter().map(OrderId::new).collect())
    }

    /// Applies a page of products that was read from cursor `from`. New ones come into the bag.
    ///
    /// # Errors
    /// As [`Self::apply_orders`].
    pub async fn apply_products(
        &self,
        connection: &ConnectionId,
        from: Option<&str>,
        page: FeedPage<ReceivedProduct>,
        now_ms: i64,
    ) -> Result<FeedStep<ProductChange>, StoreError> {
        let connection = connection.as_str().to_owned();
        let FeedPage { mut rows, mut unread, next, more, read_at_ms, feed } = page;
        let edge = Edge { from: from.map(str::to_owned), next, more, read_at_ms, feed };
        rows.retain(|row| match row.product.validate() {
            Ok(()) => true,
            Err(e) => {
                let raw_json = String::new();
                unread.push(UnreadRow { id: row.product.id.as_str().to_owned(), version: row.version, reason: e.to_string(), raw_json });
                false
            }
        });
        let unread = self.seal_unread(&connection, Resource::Products, unread)?;
        self.write(move |tx| {
            Box::pin(async move {
                let before = match begin(tx, &connection, Resource::Products, &edge, now_ms).await? {
                    Ok(before) => before,
                    Err(restarted) => return Ok(restarted),
                };
                keep_unread(tx, &connection, Resource::Products, &unread, now_ms).await?;
                let mut changes = Vec::new();
                for row in &rows {
                    now_read(tx, &connection, Resource::Products, row.product.id.as_str(), row.version).await?;
                    changes.extend(products::upsert(tx, &connection, row).await?);
                }
                finish(tx, &connection, Resource::Products, edge, before, changes, now_ms).await
            })
        })
        .await
    }

    /// How far a feed is known; `None` before its first page.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn seal(&self, connection: &ConnectionId, resource: Resource) -> Result<Option<Seal>, StoreError> {
        let mut conn = self.readers().acquire().await?;
        Ok(cursor(&mut conn, connection.as_str(), resource).await?.map(Into::into))
    }

    /// Remembers events of the platform's stream and where to resume it. Returns how many were not known.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn receive_events(
        &self,
        connection: &ConnectionId,
        events: Vec<ReceivedEvent>,
        resume: Option<String>,
        now_ms: i64,
    ) -> Result<u32, StoreError> {
        let connection = connection.as_str().to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let mut new = 0;
                for event in &events {
                    let done = sqlx::query(
                        "INSERT INTO inbox (connection, event_id, kind, received_at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    )
                    .bind(&connection)
                    .bind(&event.id)
                    .bind(&event.kind)
                    .bind(now_ms)
                    .execute(&mut *tx)
                    .await?;
                    new += u32::from(done.rows_affected() > 0);
                }
                if resume.is_some() {
                    let row = CursorRow { value: resume, ..CursorRow::default() };
                    put_cursor(tx, &connection, "events", &row, now_ms).await?;
                }
                sqlx::query(
                    "DELETE FROM inbox WHERE connection = ?1 AND received_at_ms < (SELECT received_at_ms FROM inbox WHERE connection = ?1
                     ORDER BY received_at_ms DESC LIMIT 1 OFFSET ?2)",
                )
                .bind(&connection)
                .bind(INBOX_KEPT)
                .execute(tx)
                .await?;
                Ok(new)
            })
        })
        .await
    }

    /// Where the platform's event stream is resumed.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn event_cursor(&self, connection: &ConnectionId) -> Result<Option<String>, StoreError> {
        let value: Option<Option<String>> = sqlx::query_scalar("SELECT value FROM cursor WHERE connection = ? AND resource = 'events'")
            .bind(connection.as_str())
            .fetch_optional(self.readers())
            .await?;
        Ok(value.flatten())
    }
}

/// Two versions of one order in one page are one change.
fn merge(changes: &mut Vec<OrderChange>, change: OrderChange) {
    match changes.iter_mut().find(|c| c.id == change.id) {
        Some(there) => there.now = change.now,
        None => changes.push(change),
    }
}
