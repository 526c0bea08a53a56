//! Buyers' fields leave after their time, and their bytes with them.

use crate::order_write::index_keys;
use crate::{Store, StoreError};
use std::path::Path;

/// Orders purged in one transaction: the writer is free for others in between.
const AT_ONCE: i64 = 500;
/// Largest database that is written anew after a purge, bytes: a second or two, in which nothing else is written. Above it
/// the bytes are overwritten all the same (`secure_delete`), the file only keeps its size.
const REWRITTEN_MOST: i64 = 256 << 20;

impl Store {
    /// Takes away name, phone, address, the platform's JSON and the marks of orders that were settled (shipped, delivered,
    /// refunded or cancelled) and have not changed since `before_ms`, and of rows that could not be read and are as old.
    /// Returns how many orders. An order that is still owed keeps its buyer, however old it is, unless its shop was removed
    /// before `before_ms`.
    ///
    /// # Errors
    /// Those of the database; what was done until then stays done.
    pub async fn purge_buyers(&self, before_ms: i64, now_ms: i64) -> Result<u32, StoreError> {
        let mut purged = 0;
        loop {
            let done = self.write(move |tx| {
                Box::pin(async move {
                    // The condition is that of the index `orders_settled`, to the letter.
                    let mut keys: Vec<i64> = sqlx::query_scalar(
                        "SELECT key FROM orders WHERE purged_at_ms IS NULL AND status IN ('shipped', 'delivered', 'refunded', 'cancelled')
                             AND changed_at_ms < ? ORDER BY changed_at_ms LIMIT ?",
                    )
                    .bind(before_ms)
                    .bind(AT_ONCE)
                    .fetch_all(&mut *tx)
                    .await?;
                    if keys.is_empty() {
                        // Of a removed shop nobody hears that an order is settled: the time counts from its removal.
                        keys = sqlx::query_scalar(
                            "SELECT o.key FROM connection AS c CROSS JOIN orders AS o ON o.connection = c.id
                             WHERE c.removed_at_ms < ?1 AND o.purged_at_ms IS NULL AND o.changed_at_ms < ?1 LIMIT ?2",
                        )
                        .bind(before_ms)
                        .bind(AT_ONCE)
                        .fetch_all(&mut *tx)
                        .await?;
                    }
                    let list = serde_json::to_string(&keys).map_err(|e| StoreError::broken("order key", e))?;
                    sqlx::query("DELETE FROM buyer WHERE order_key IN (SELECT value FROM json_each(?))")
                        .bind(&list)
                        .execute(&mut *tx)
                        .await?;
                    sqlx::query("UPDATE orders SET buyer = '', purged_at_ms = ? WHERE key IN (SELECT value FROM json_each(?))")
                        .bind(now_ms)
                        .bind(&list)
                        .execute(&mut *tx)
                        .await?;
                    index_keys(tx, &list).await?;
                    // The row itself stays: while it is here, the list does not count as complete.
                    sqlx::query("UPDATE unread SET sealed = x'' WHERE seen_at_ms < ? AND length(sealed) > 0")
                        .bind(before_ms)
                        .execute(tx)
                        .await?;
                    Ok(u32::try_from(keys.len()).unwrap_or(u32::MAX))
                })
            });
            match done.await? {
                0 => return Ok(purged),
                done => purged += done,
            }
        }
    }

    /// Leaves nothing of what was purged behind: empties the log, writes a database of moderate size anew, puts one fresh copy
    /// in the place of all in `folder`, and drops what lies beside the database since before `before_ms`: its copies from
    /// before an upgrade, and damaged files put aside.
    ///
    /// # Errors
    /// As [`Self::back_up`]. Nothing that is needed is lost.
    pub async fn sweep(&self, path: &Path, folder: &Path, before_ms: i64, now_ms: i64) -> Result<(), StoreError> {
        let mut conn = self.acquire_writer().await?;
        let (pages, size): (i64, i64) = sqlx::query_as("SELECT * FROM pragma_page_count, pragma_page_size").fetch_one(&mut *conn).await?;
        if pages.saturating_mul(size) <= REWRITTEN_MOST {
            sqlx::query("VACUUM").execute(&mut *conn).await?;
        }
        let (held, ..): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *conn).await?;
        drop(conn);
        if held != 0 {
            tracing::warn!("somebody reads: the log is emptied at the next sweep");
        }
        if crate::backup::any(folder) {
            self.back_up(folder, now_ms).await?;
            crate::backup::keep_newest(folder, 1);
        }
        drop_beside(path, before_ms);
        Ok(())
    }
}

/// `stallcast.db.before-…` and `stallcast.db.damaged-…`, with their logs.
fn drop_beside(path: &Path, before_ms: i64) {
    let Some((folder, name)) = path.parent().zip(path.file_name().and_then(|n| n.to_str())) else { return };
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let found = entry.file_name();
        let beside =
            found.to_str().and_then(|f| f.strip_prefix(name)).is_some_and(|rest| rest.contains(".before-") || rest.contains(".damaged-"));
        let changed = entry.metadata().and_then(|m| m.modified()).ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let is_old = changed.is_some_and(|at| i64::try_from(at.as_millis()).unwrap_or(i64::MAX) < before_ms);
        if beside
            && is_old
            && let Err(e) = std::fs::remove_file(entry.path())
        {
            tracing::warn!(error = %e, "an old file beside the database stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::test_store::{local, open, order, page};
    use crate::{OrderSearch, Store};
    use stallcast_model::{Fulfilment, OrderId, ReceivedOrder};
    use std::path::{Path, PathBuf};

    /// Files under `folder` that hold `needle`.
    fn holding(folder: &Path, needle: &[u8]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                found.extend(holding(&path, needle));
            } else if std::fs::read(&path).expect("file").windows(needle.len()).any(|w| w == needle) {
                found.push(path);
            }
        }
        found
    }

    fn shipped(id: &str, version: i64) -> ReceivedOrder {
        let mut received = order(id, version);
        received.order.fulfilment = Fulfilment::Shipped;
        received.contact.phone = format!("1390000{version:04}");
        // As large as real ones: it takes pages of its own.
        received.order.raw_json =
            format!("{{\"id\":\"{id}\",\"note\":\"{}\"}}", "长".repeat(usize::try_from(version % 7).expect("small") * 700));
        received
    }

    async fn found(store: &Store, text: &str) -> usize {
        let search = OrderSearch { text: text.to_owned(), status: None, connection: None, before: None, limit: 500 };
        store.search_orders(search).await.expect("search").rows.len()
    }

    async fn sealed(store: &Store, id: &str) -> (Vec<u8>, i64) {
        sqlx::query_as("SELECT sealed, phone_mark FROM buyer JOIN orders ON key = order_key WHERE id = ?")
            .bind(id.to_owned())
            .fetch_one(store.readers())
            .await
            .expect("sealed")
    }

    #[tokio::test]
    async fn what_was_purged_is_in_no_file() {
        let dir = tempfile::tempdir().expect("dir");
        let (path, folder) = (dir.path().join("stallcast.db"), dir.path().join("backups"));
        std::fs::create_dir(&folder).expect("folder");
        std::fs::write(dir.path().join("stallcast.db.before-1"), "an old copy").expect("write");
        let store = open(&dir).await;
        let rows: Vec<_> = (1..=60).map(|n| shipped(&format!("o-{n}"), n)).collect();
        store.apply_orders(&local(), None, page(rows, "60", false, 50), 1_000).await.expect("page");
        let newer = vec![shipped("late", 61), order("owed", 62)];
        store.apply_orders(&local(), Some("60"), page(newer, "62", false, 60), 9_000).await.expect("page");
        store.back_up(&folder, 1).await.expect("copy");
        store.back_up(&folder, 2).await.expect("copy");
        let mut canaries = Vec::new();
        for n in [1, 6, 13, 30, 60] {
            let (bytes, mark) = sealed(&store, &format!("o-{n}")).await;
            // Name of the row and the first bytes of the sealed text: longer ones are spread over several pages.
            let needle = bytes[..bytes.len().min(90)].to_vec();
            assert!(holding(dir.path(), &needle).len() >= 3, "the search can find it: database or log, and two copies");
            canaries.extend([needle, mark.to_be_bytes().to_vec()]);
        }
        assert_eq!(found(&store, "13900000006").await, 1);

        assert_eq!(store.purge_buyers(5_000, 10_000).await.expect("purge"), 60);
        store.sweep(&path, &folder, i64::MAX, 3).await.expect("sweep");
        for (i, canary) in canaries.iter().enumerate() {
            assert_eq!(holding(dir.path(), canary), Vec::<PathBuf>::new(), "canary {i}");
        }
        assert_eq!(std::fs::read_dir(&folder).expect("folder").count(), 1, "one fresh copy");
        assert!(!dir.path().join("stallcast.db.before-1").exists());

        let row = store.order(&local(), &OrderId::new("o-6")).await.expect("read").expect("there");
        assert_eq!((row.order.buyer.as_str(), row.purged_at_ms, row.order.lines.len()), ("", Some(10_000), 1));
        assert_eq!(store.contact(&local(), &OrderId::new("o-6")).await.expect("read"), None);
        for (text, count) in [("13900000006", 0), ("13900000061", 1), ("林", 2), ("林小姐", 2), ("盖碗", 62)] {
            assert_eq!(found(&store, text).await, count, "{text}");
        }
        assert_eq!(store.contact(&local(), &OrderId::new("owed")).await.expect("read").map(|c| c.phone).as_deref(), Some("13800138000"));
        assert_eq!(store.purge_buyers(5_000, 11_000).await.expect("again"), 0);
        store.close().await;
    }

    #[tokio::test]
    async fn a_purged_order_that_is_read_again_stays_purged_until_it_is_open_again() {
        let dir = tempfile::tempdir().expect("dir");
        let store = open(&dir).await;
        store.apply_orders(&local(), None, page(vec![shipped("a", 1)], "1", false, 50), 1_000).await.expect("page");
        assert_eq!(store.purge_buyers(5_000, 10_000).await.expect("purge"), 1);
        // The platform tells the same order again, as after a reset of its feed.
        store.apply_orders(&local(), Some("1"), page(vec![shipped("a", 2)], "2", false, 60), 11_000).await.expect("page");
        let id = OrderId::new("a");
        assert_eq!(store.contact(&local(), &id).await.expect("read"), None);
        assert_eq!(store.order(&local(), &id).await.expect("read").expect("there").order.buyer, "");
        assert_eq!((found(&store, "13900000002").await, found(&store, "林").await), (0, 0));
        // It comes back to be shipped: the address is needed.
        store.apply_orders(&local(), Some("2"), page(vec![order("a", 3)], "3", false, 70), 12_000).await.expect("page");
        assert_eq!(store.contact(&local(), &id).await.expect("read").map(|c| c.phone).as_deref(), Some("13800138000"));
        assert_eq!(found(&store, "林").await, 1);
        store.close().await;
    }
}
