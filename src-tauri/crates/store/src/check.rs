//! Is the file whole?
//!
//! SQLite reads every page to say so: half a second for a hundred thousand orders, five for a million, and a host who
//! starts late waits for none of it. Beyond [`AT_ONCE`] the opening checks the tables a show is steered by, and whoever opened
//! has the rest read in the background ([`Store::check_rest`]). Damage found there leaves a mark beside the database, so
//! that the next opening checks all of it first, finds it again and has a copy put in its place.

use crate::open::connect_read_only;
use crate::{Store, StoreError};
use sqlx::SqliteConnection;
use std::path::{Path, PathBuf};

/// Bytes of a file that is checked whole while it is opened: a tenth of a second, about 30 000 orders.
const AT_ONCE: u64 = 32 * 1024 * 1024;

/// Tables a show is steered by: all but orders, what belongs to an order (by its foreign key, so that a new table is not
/// forgotten), comments, and the text indexes. Those grow without end.
const STEERING: &str = "SELECT name FROM sqlite_schema AS t WHERE type = 'table' AND rootpage > 0
    AND name NOT IN ('orders', 'comment') AND name NOT LIKE '%\\_text\\_%' ESCAPE '\\'
    AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(t.name) AS f WHERE f.\"table\" = 'orders')";

/// How much of the file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    Whole,
    /// All but the large tables.
    Part,
}

/// Beside the database: its damage was seen while it was open.
fn mark(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".suspect");
    PathBuf::from(name)
}

/// Reads every page.
pub(crate) async fn whole(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    verdict(sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(conn).await?)
}

fn verdict(said: String) -> Result<(), StoreError> {
    if said == "ok" { Ok(()) } else { Err(StoreError::Damaged { detail: said }) }
}

/// What an opening checks: everything if that is quick or was asked for by a mark.
pub(crate) async fn at_opening(conn: &mut SqliteConnection, path: &Path, at_once: Option<u64>) -> Result<Checked, StoreError> {
    let bytes = std::fs::metadata(path).map_or(0, |m| m.len());
    if bytes <= at_once.unwrap_or(AT_ONCE) || mark(path).exists() {
        whole(conn).await?;
        clear_mark(path);
        return Ok(Checked::Whole);
    }
    let tables: Vec<String> = sqlx::query_scalar(STEERING).fetch_all(&mut *conn).await?;
    for table in tables {
        // A name out of our own schema; the pragma takes no bound value.
        let check = format!("PRAGMA quick_check('{}')", table.replace('\'', "''"));
        verdict(sqlx::query_scalar(sqlx::AssertSqlSafe(check)).fetch_one(&mut *conn).await?)?;
    }
    Ok(Checked::Part)
}

/// The damaged file has gone, or was found whole.
pub(crate) fn clear_mark(path: &Path) {
    if let Err(e) = std::fs::remove_file(mark(path))
        && e.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(error = %e, "the mark of a damaged database stays");
    }
}

impl Store {
    /// Was damage seen that the next opening will mend?
    pub(crate) fn is_suspect(&self) -> bool {
        mark(&self.inner.path).exists()
    }

    /// Reads what the opening left out, on a connection of its own; at once if it left out nothing. Writers go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]: the next opening will say it too, so that [`crate::restore`] can be called, and no copy is
    /// made any more that would push out a good one. Others: it could not be read, and nothing is known.
    pub async fn check_rest(&self) -> Result<(), StoreError> {
        if self.inner.checked == Checked::Whole {
            return Ok(());
        }
        let path = &self.inner.path;
        let mut conn = connect_read_only(path).await?;
        let result = whole(&mut conn).await;
        if let Err(StoreError::Damaged { .. }) = &result {
            std::fs::write(mark(path), b"").map_err(|e| StoreError::Unwritable(sqlx::Error::Io(e)))?;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::MIGRATOR;
    use crate::test_store::{local, open, options, order, page};

    /// Overwrites the first page of a table.
    async fn damage(store: Store, path: &Path, table: &str) {
        let root: i64 = sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = ?")
            .bind(table)
            .fetch_one(store.readers())
            .await
            .expect("its first page");
        store.close().await;
        let mut bytes = std::fs::read(path).expect("read");
        let from = usize::try_from(root - 1).expect("page") * 4096;
        bytes[from..from + 4096].fill(0xA5);
        std::fs::write(path, bytes).expect("damage");
    }

    #[tokio::test]
    async fn damage_in_a_large_table_is_found_after_the_opening_and_by_the_next_one() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("stallcast.db");
        let store = open(&dir).await;
        let many = (0..50).map(|n| order(&format!("o-{n}"), 1)).collect();
        store.apply_orders(&local(), None, page(many, "1", false, 1_000_000), 1_000_000).await.expect("orders");
        store.check_rest().await.expect("a small file is checked while it is opened");
        damage(store, &path, "order_line").await;

        // As if it were large: the tables that steer a show are whole, and it opens.
        let large = Store::open_checking(options(&dir), &MIGRATOR, Some(1)).await.expect("opens");
        assert!(!mark(&path).exists());
        assert_eq!(large.check_rest().await.expect_err("damage").code(), "damaged");
        let (folder, refused) = (dir.path().join("backups"), "a copy of it would push out a good one");
        std::fs::create_dir(&folder).expect("folder");
        assert_eq!(large.back_up(&folder, 1).await.expect_err(refused).code(), "damaged");
        large.close().await;
        assert!(mark(&path).exists());
        let refused = Store::open_checking(options(&dir), &MIGRATOR, Some(1)).await.expect_err("the mark has all of it checked");
        assert_eq!(refused.code(), "damaged");
        crate::restore(&path, &dir.path().join("backups"), 7).await.expect("put aside");
        assert!(!mark(&path).exists(), "what was damaged has gone");
    }

    #[tokio::test]
    async fn what_grows_with_orders_is_left_for_later_and_nothing_else_is() {
        let dir = tempfile::tempdir().expect("dir");
        let store = open(&dir).await;
        let tables: Vec<String> = sqlx::query_scalar(STEERING).fetch_all(store.readers()).await.expect("tables");
        for large in
            ["orders", "order_line", "buyer", "shipment", "shipment_line", "after_sale", "comment", "order_text_data", "comment_text_data"]
        {
            assert!(!tables.iter().any(|t| t == large), "{large} makes a start wait");
        }
        for small in ["outbox", "cursor", "bag_item", "explain_span", "coupon", "show", "product", "sku", "destination", "setting", "inbox"]
        {
            assert!(tables.iter().any(|t| t == small), "{small} steers a show");
        }
        store.close().await;
    }

    #[tokio::test]
    async fn damage_in_a_table_that_steers_a_show_is_found_while_opening() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("stallcast.db");
        damage(open(&dir).await, &path, "outbox").await;
        let refused = Store::open_checking(options(&dir), &MIGRATOR, Some(1)).await.expect_err("damaged");
        assert_eq!(refused.code(), "damaged");
    }
}
