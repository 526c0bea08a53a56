//! The database file: opened, checked, migrated. One connection writes, a few read.

use crate::error::ShopError;
use crate::files;
use crate::refusal::Refusal;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, Transaction};
use std::path::Path;
use std::time::Duration;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Older ones can lose a WAL that is reset while another connection reads.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];
const READERS: u32 = 4;
/// A wait this long means something holds the connection that should not.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);

/// The open database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) writer: SqlitePool,
    reader: SqlitePool,
}

impl Store {
    /// Opens `data/shop.db`, making it if it is not there.
    pub(crate) async fn open(data: &Path) -> Result<Self, ShopError> {
        let path = data.join("shop.db");
        // SQLite gives its -wal and -shm the rights of the database itself.
        files::create_private(&path).map_err(|source| ShopError::DataUnwritable { path: path.clone(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(ACQUIRE_LIMIT)
            .pragma("journal_size_limit", "67108864");
        let pool =
            |most| SqlitePoolOptions::new().max_connections(most).acquire_timeout(ACQUIRE_LIMIT).idle_timeout(None).max_lifetime(None);
        let writer = pool(1).connect_with(options.clone()).await.map_err(|e| open_error(&path, &e))?;
        check(&writer, &path).await?;
        MIGRATOR.run(&writer).await.map_err(|e| ShopError::DatabaseBroken { path: path.clone(), detail: e.to_string() })?;
        let reader = pool(READERS).connect_with(options.read_only(true)).await.map_err(|e| open_error(&path, &e))?;
        Ok(Self { writer, reader })
    }

    /// One snapshot of everything: what is read in it fits together.
    pub(crate) async fn read(&self) -> Result<Transaction<'static, Sqlite>, Refusal> {
        Ok(self.reader.begin().await?)
    }

    /// Folds the log into the file and closes it.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await {
            tracing::warn!(%error, "the log of the database stays beside it until the next start");
        }
        self.writer.close().await;
    }
}

async fn check(writer: &SqlitePool, path: &Path) -> Result<(), ShopError> {
    let broken = |detail: String| ShopError::DatabaseBroken { path: path.to_owned(), detail };
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(writer).await.map_err(|e| broken(e.to_string()))?;
    let parts: Vec<u32> = version.split('.').filter_map(|p| p.parse().ok()).collect();
    if parts.as_slice() < OLDEST_SQLITE.as_slice() {
        return Err(ShopError::internal(format_args!("SQLite {version} is too old")));
    }
    let health: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(writer).await.map_err(|e| broken(e.to_string()))?;
    if health != "ok" {
        return Err(broken(health));
    }
    let migrated: Option<i64> = sqlx::query_scalar("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'")
        .fetch_optional(writer)
        .await
        .map_err(|e| broken(e.to_string()))?;
    if migrated.is_some() {
        let found: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
            .fetch_one(writer)
            .await
            .map_err(|e| broken(e.to_string()))?;
        let known = MIGRATOR.iter().map(|m| m.version).max().unwrap_or_default();
        if found > known {
            return Err(ShopError::NewerDatabase { path: path.to_owned(), found, known });
        }
    }
    Ok(())
}

fn open_error(path: &Path, error: &sqlx::Error) -> ShopError {
    // 8 READONLY, 13 FULL, 14 CANTOPEN with their extended codes.
    let unwritable = matches!(error, sqlx::Error::Database(e)
        if e.code().and_then(|c| c.parse::<u32>().ok()).is_some_and(|c| matches!(c & 0xFF, 8 | 13 | 14)));
    if unwritable {
        ShopError::DataUnwritable { path: path.to_owned(), source: std::io::Error::other(error.to_string()) }
    } else {
        ShopError::DatabaseBroken { path: path.to_owned(), detail: error.to_string() }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::orders_read;
    use crate::wire::{LinePieces, OrderState};
    use sqlx::ConnectOptions as _;
    use stallcast_model::Currency;

    /// A shop of the schema that knew one parcel an order: sent, to ship, and refunded before it was sent.
    const BEFORE: &str = "
        INSERT INTO product (id, number, title, seq) VALUES ('p', 1, '盖碗', 1);
        INSERT INTO sku (id, product, position, title, price, on_hand) VALUES ('s', 'p', 0, '', 100, 9);
        INSERT INTO orders (id, viewer, buyer_name, buyer_phone, buyer_address, total, discount, payment, fulfilment, after_sale, placed_ms,
            updated_ms, version)
        VALUES ('sent', 'v', 'n', 'p', 'a', 200, 0, 'paid', 'shipped', 'none', 1, 1, 2),
            ('open', 'v', 'n', 'p', 'a', 200, 0, 'paid', 'unshipped', 'none', 1, 1, 3),
            ('back', 'v', 'n', 'p', 'a', 200, 0, 'refunded', 'unshipped', 'closed', 1, 1, 4);
        INSERT INTO order_line (order_id, position, product, sku, number, title, sku_title, quantity, unit_price)
        SELECT id, 0, 'p', 's', 1, '盖碗', '', 2, 100 FROM orders;
        INSERT INTO shipment (order_id, carrier, tracking, at_ms) VALUES ('sent', '顺丰', 'SF1', 7);";

    #[tokio::test]
    async fn an_order_that_was_sent_whole_becomes_an_order_with_one_parcel() {
        let dir = tempfile::tempdir().unwrap();
        let mut old = SqliteConnectOptions::new().filename(dir.path().join("shop.db")).create_if_missing(true).connect().await.unwrap();
        MIGRATOR.run_to(4, &mut old).await.unwrap();
        sqlx::raw_sql(BEFORE).execute(&mut old).await.unwrap();
        sqlx::Connection::close(old).await.unwrap();

        let store = Store::open(dir.path()).await.unwrap();
        let mut db = store.read().await.unwrap();
        let sent = orders_read::one(&mut db, "sent", Currency::Cny).await.unwrap();
        assert_eq!((sent.state, sent.shipments.len(), sent.shipments[0].at_ms), (OrderState::Shipped, 1, 7));
        assert_eq!(sent.shipments[0].lines, [LinePieces { line: 0, quantity: 2 }]);
        let open = orders_read::one(&mut db, "open", Currency::Cny).await.unwrap();
        assert_eq!((open.state, open.shipments.len(), open.after_sales.len()), (OrderState::ToShip, 0, 0));
        let counters: Vec<(String, i64, i64)> =
            sqlx::query_as("SELECT order_id, sent, returned FROM order_line ORDER BY order_id").fetch_all(&mut *db).await.unwrap();
        let of = |id: &str, sent, returned| (id.to_owned(), sent, returned);
        assert_eq!(counters, [of("back", 0, 2), of("open", 0, 0), of("sent", 2, 0)], "nothing is sent or taken back twice");
        drop(db);
        store.close().await;
    }
}
