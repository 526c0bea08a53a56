use crate::check::{self, Checked};
use crate::{Sealer, StoreError};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection};
use stallcast_clock::{Clock, Tasks, failpoint};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Migrations of this program, oldest first.
pub(crate) static MIGRATOR: Migrator = sqlx::migrate!("./migrations");
/// Longest wait for a connection. Writes take milliseconds: reaching this means that something hangs.
const ACQUIRE: Duration = Duration::from_secs(5);
const READERS: u32 = 3;
/// The first SQLite without the WAL-reset fault.
const SQLITE_AT_LEAST: [u32; 3] = [3, 51, 3];

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `DIR/stallcast.db`; created if missing.
    pub path: PathBuf,
    /// Seals buyers' fields.
    pub sealer: Arc<dyn Sealer>,
    /// Time, for leases.
    pub clock: Arc<dyn Clock>,
}

/// The open database. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    writer: SqlitePool,
    readers: SqlitePool,
    tasks: Tasks,
    pub(crate) sealer: Arc<dyn Sealer>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Names this opening in leases. Another name in the file belongs to a process that is dead, because one process at
    /// a time holds the folder's lock.
    pub(crate) owner: String,
    pub(crate) path: PathBuf,
    /// What of the file was read while it was opened.
    pub(crate) checked: Checked,
}

/// A use-case inside its transaction.
pub(crate) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

fn connect(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .synchronous(SqliteSynchronous::Full)
        // Keeps the log from staying large after one long write.
        .pragma("journal_size_limit", "33554432")
        // What is deleted or replaced is overwritten: buyers' fields must not stay in free space.
        .pragma("secure_delete", "ON")
        // KiB. The default of 2 MiB does not hold the upper pages of the indexes of a million orders.
        .pragma("cache_size", "-16384")
}

/// A connection that only reads, for a file that another process may own.
pub(crate) async fn connect_read_only(path: &Path) -> Result<SqliteConnection, StoreError> {
    Ok(SqliteConnection::connect_with(&connect(path).read_only(true)).await?)
}

impl Store {
    /// Opens the database: checks it (of a large one the tables that steer a show: [`Self::check_rest`]), brings its schema up to date, turns leases of a dead process into doubts, and makes
    /// sure that there is a current show.
    ///
    /// # Errors
    /// [`StoreError::NewerDatabase`], [`StoreError::Damaged`], [`StoreError::OldSqlite`], [`StoreError::DiskFull`],
    /// [`StoreError::Unwritable`].
    pub async fn open(options: StoreOptions) -> Result<Self, StoreError> {
        Self::open_with(options, &MIGRATOR).await
    }

    pub(crate) async fn open_with(options: StoreOptions, migrator: &Migrator) -> Result<Self, StoreError> {
        Self::open_checking(options, migrator, None).await
    }

    /// `at_once`: bytes up to which the whole file is checked, if not the usual ones.
    pub(crate) async fn open_checking(options: StoreOptions, migrator: &Migrator, at_once: Option<u64>) -> Result<Self, StoreError> {
        let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE).idle_timeout(None).max_lifetime(None);
        let writing = connect(&options.path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
        let writer = pool().max_connections(1).connect_with(writing).await?;
        let checked = match Self::prepare(&writer, &options.path, migrator, at_once).await {
            Ok(checked) => checked,
            Err(e) => {
                writer.close().await;
                return Err(e);
            }
        };
        let readers = pool().max_connections(READERS).connect_with(connect(&options.path).read_only(true)).await?;
        let store = Self {
            inner: Arc::new(Inner {
                writer,
                readers,
                tasks: Tasks::new(),
                sealer: options.sealer,
                clock: options.clock,
                owner: uuid::Uuid::new_v4().to_string(),
                path: options.path,
                checked,
            }),
        };
        store.index_missing().await?;
        store.release_leases(None).await?;
        store.ensure_show().await?;
        Ok(store)
    }

    async fn prepare(writer: &SqlitePool, path: &Path, migrator: &Migrator, at_once: Option<u64>) -> Result<Checked, StoreError> {
        let mut conn = writer.acquire().await?;
        let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *conn).await?;
        check_version(&version)?;
        let checked = check::at_opening(&mut conn, path, at_once).await?;
        migrate(&mut conn, path, migrator).await?;
        Ok(checked)
    }

    /// Waits for running writes, folds the log into the file and closes it. Later calls fail with
    /// [`StoreError::Closed`].
    pub async fn close(&self) {
        let inner = &self.inner;
        if !inner.tasks.stop(Duration::from_secs(5)).await {
            tracing::warn!("a write did not end in time");
        }
        inner.readers.close().await;
        if !inner.writer.is_closed()
            && let Err(e) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&inner.writer).await
        {
            tracing::warn!(error = %e, "the log stays beside the database");
        }
        inner.writer.close().await;
    }

    /// Runs a use-case in one transaction and in a task of its own.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let writer = self.inner.writer.clone();
        self.inner.tasks.spawn("store write", async move {
            let result = async {
                // Deferred transactions that turn into writes fail at once when another writer is there.
                let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
                failpoint!("store.begun");
                let value = work(&mut tx).await?;
                failpoint!("store.before_commit");
                tx.commit().await?;
                failpoint!("store.committed");
                Ok(value)
            };
            // The caller may have gone; the work is done all the same.
            let _ = tell.send(result.await);
        });
        told.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Reads several things as of one instant.
    pub(crate) async fn snapshot(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, StoreError> {
        Ok(self.inner.readers.begin().await?)
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }

    /// The one writing connection, outside a transaction: for what SQLite does in none.
    pub(crate) async fn acquire_writer(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, StoreError> {
        Ok(self.inner.writer.acquire().await?)
    }

    #[cfg(test)]
    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.inner.writer
    }

    /// A new id that sorts by time.
    pub(crate) fn new_id(now_ms: i64) -> String {
        let (s, ms) = (now_ms.div_euclid(1000), now_ms.rem_euclid(1000));
        let nanos = u32::try_from(ms).unwrap_or(0) * 1_000_000;
        let time = uuid::Timestamp::from_unix(uuid::NoContext, u64::try_from(s).unwrap_or(0), nanos);
        uuid::Uuid::new_v7(time).to_string()
    }
}

fn check_version(found: &str) -> Result<(), StoreError> {
    let mut parts = [0_u32; 3];
    for (part, text) in parts.iter_mut().zip(found.split('.')) {
        *part = text.parse().unwrap_or(0);
    }
    if parts < SQLITE_AT_LEAST { Err(StoreError::OldSqlite { found: found.to_owned() }) } else { Ok(()) }
}

/// Each migration is one transaction. Before an existing database changes, a copy is laid beside it.
async fn migrate(conn: &mut SqliteConnection, path: &Path, migrator: &Migrator) -> Result<(), StoreError> {
    let known = migrator.iter().map(|m| m.version).max().unwrap_or(0);
    let has_schema: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')").fetch_one(&mut *conn).await?;
    if has_schema {
        let found: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut *conn).await?;
        let found = found.unwrap_or(0);
        if found > known {
            return Err(StoreError::NewerDatabase { found, known });
        }
        if found > 0 && found < known {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".before-{known}"));
            let copy = PathBuf::from(name);
            // Left by an upgrade that did not end: the database is still the old one, and so will the new copy be.
            if copy.exists() {
                std::fs::remove_file(&copy).map_err(|e| StoreError::Unwritable(sqlx::Error::Io(e)))?;
            }
            sqlx::query("VACUUM INTO ?").bind(copy.to_string_lossy().into_owned()).execute(&mut *conn).await?;
        }
    }
    migrator.run_direct(None, conn, false).await.map_err(|e| match e {
        sqlx::migrate::MigrateError::Execute(e) | sqlx::migrate::MigrateError::ExecuteMigration(e, _) => e.into(),
        other => StoreError::Damaged { detail: other.to_string() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_store::{TestSealer, options};
    use sqlx::SqlSafeStr;
    use sqlx::migrate::{Migration, MigrationType};

    fn next_migrator() -> Migrator {
        let mut all: Vec<Migration> = MIGRATOR.iter().cloned().collect();
        all.push(Migration::new(
            99_999_999_999_999,
            "later".into(),
            MigrationType::Simple,
            "CREATE TABLE later (id TEXT) STRICT".into_sql_str(),
            false,
        ));
        Migrator::with_migrations(all)
    }

    #[tokio::test]
    async fn an_older_database_is_copied_and_upgraded_and_a_newer_one_is_left_alone() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(options(&dir)).await.expect("open");
        store.set_setting("a", "1").await.expect("set");
        store.close().await;

        let store = Store::open_with(options(&dir), &next_migrator()).await.expect("upgrade");
        assert_eq!(store.setting("a").await.expect("get").as_deref(), Some("1"), "rows survive an upgrade");
        store.close().await;
        let copies: Vec<_> = std::fs::read_dir(dir.path())
            .expect("list")
            .filter_map(|e| e.ok().map(|e| e.file_name().to_string_lossy().into_owned()))
            .filter(|n| n.contains(".before-"))
            .collect();
        assert_eq!(copies, ["stallcast.db.before-99999999999999"]);

        let before = std::fs::read(dir.path().join("stallcast.db")).expect("bytes");
        let refused = Store::open(options(&dir)).await.expect_err("newer");
        assert_eq!(refused.code(), "newer_database");
        assert_eq!(std::fs::read(dir.path().join("stallcast.db")).expect("bytes"), before, "a refused database stays as it was");
    }

    #[tokio::test]
    async fn broken_files_are_named_as_such() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join("stallcast.db"), vec![b'x'; 8192]).expect("write");
        assert_eq!(Store::open(options(&dir)).await.expect_err("garbage").code(), "damaged");

        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(options(&dir)).await.expect("open");
        for n in 0..500 {
            store.set_setting(&format!("setting {n}"), &"x".repeat(200)).await.expect("set");
        }
        store.close().await;
        let path = dir.path().join("stallcast.db");
        let mut bytes = std::fs::read(&path).expect("read");
        let from = bytes.len() - 8 * 4096;
        bytes[from..].fill(0xA5);
        std::fs::write(&path, bytes).expect("write");
        assert_eq!(Store::open(options(&dir)).await.expect_err("torn").code(), "damaged");
    }

    #[tokio::test]
    async fn a_folder_that_is_missing_is_unwritable() {
        let dir = tempfile::tempdir().expect("dir");
        let options = StoreOptions { path: dir.path().join("no/such/stallcast.db"), ..options(&dir) };
        assert_eq!(Store::open(options).await.expect_err("missing").code(), "data_unwritable");
    }

    #[tokio::test]
    async fn settings_of_the_connections_hold() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(options(&dir)).await.expect("open");
        let text = |sql: &'static str| {
            let store = store.clone();
            async move { sqlx::query_scalar::<_, String>(sql).fetch_one(store.writer()).await.expect("pragma") }
        };
        let number = |sql: &'static str| {
            let store = store.clone();
            async move { sqlx::query_scalar::<_, i64>(sql).fetch_one(store.writer()).await.expect("pragma") }
        };
        assert_eq!(text("PRAGMA journal_mode").await, "wal");
        assert_eq!(number("PRAGMA synchronous").await, 2, "FULL: a commit outlives a power cut");
        assert_eq!(number("PRAGMA foreign_keys").await, 1);
        assert_eq!(number("PRAGMA secure_delete").await, 1);
        let loose: i64 = number("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%' AND name <> '_sqlx_migrations' AND strict = 0").await;
        assert_eq!(loose, 0, "every table is STRICT");
        let refused = sqlx::query("INSERT INTO setting VALUES ('a', 'b')").execute(store.readers()).await;
        assert!(refused.is_err(), "readers cannot write");
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_does_not_undo_the_write() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(options(&dir)).await.expect("open");
        let mut set = Box::pin(store.set_setting("kept", "yes"));
        // One poll starts the write; then the caller is gone.
        assert!(futures_poll_once(set.as_mut()).await.is_none(), "a write is never instant");
        drop(set);
        store.close().await;
        let store = Store::open(options(&dir)).await.expect("open");
        assert_eq!(store.setting("kept").await.expect("get").as_deref(), Some("yes"));
    }

    async fn futures_poll_once<T>(mut f: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match f.as_mut().poll(cx) {
                std::task::Poll::Ready(v) => Some(v),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(check_version("3.51.3").is_ok());
        assert!(check_version("3.100.0").is_ok());
        for old in ["3.51.2", "3.9.9", "2.99.99", "x"] {
            assert!(check_version(old).is_err(), "{old}");
        }
        let _ = TestSealer;
    }
}
