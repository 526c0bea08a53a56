//! Pages of products.

use super::unread::{keep_unread, now_read};
use super::{Edge, FeedStep, ProductChange, Resource, begin, finish};
use crate::{Store, StoreError, products};
use stallcast_model::{ConnectionId, FeedPage, ReceivedProduct, UnreadRow};

impl Store {
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
}
