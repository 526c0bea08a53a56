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
