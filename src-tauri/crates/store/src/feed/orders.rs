//! Pages of orders, and single ones read by their id.

use super::unread::{count_unread, keep_unread, now_read};
use super::{Edge, FeedStep, OrderChange, Resource, begin, finish};
use crate::{Store, StoreError, offers, order_write};
use stallcast_model::{ConnectionId, FeedPage, OrderId, ReceivedOrder, UnreadRow};

impl Store {
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
            if order_write::fits(&row.order) {
                prepared.push(order_write::Prepared::new(&*self.inner.sealer, &connection, row)?);
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
                if count_unread(tx, &connection, Resource::Orders).await? > 0 {
                    for order in &prepared {
                        now_read(tx, &connection, Resource::Orders, order.id(), order.version()).await?;
                    }
                }
                let changes = order_write::put_all(tx, &connection, prepared, now_ms).await?;
                let changed: Vec<&str> = changes.iter().map(|c| c.id.as_str()).collect();
                offers::note_affected(tx, &connection, Some(&changed), now_ms).await?;
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
        if !order_write::fits(&order.order) {
            return Ok(None);
        }
        let connection = connection.as_str().to_owned();
        let prepared = order_write::Prepared::new(&*self.inner.sealer, &connection, order)?;
        self.write(move |tx| {
            Box::pin(async move {
                now_read(tx, &connection, Resource::Orders, prepared.id(), prepared.version()).await?;
                let id = prepared.id().to_owned();
                let change = order_write::put_all(tx, &connection, vec![prepared], now_ms).await?.pop();
                if change.is_some() {
                    offers::note_affected(tx, &connection, Some(&[&id]), now_ms).await?;
                }
                Ok(change)
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
}
