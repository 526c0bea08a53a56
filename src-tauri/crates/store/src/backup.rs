//! Copies of the database, and putting one back in the place of a damaged file.

use crate::check;
use crate::open::connect_read_only;
use crate::{Store, StoreError};
use std::path::{Path, PathBuf};

/// Copies kept: with one an hour, damage that was copied too has two hours to be noticed.
const KEPT: usize = 3;

/// What became of a damaged database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// When the copy that took its place was made, ms UTC; `None` when there was no good one and the file begins anew.
    pub copied_at_ms: Option<i64>,
    /// Where the damaged file lies now.
    pub aside: PathBuf,
}

impl Store {
    /// Lays a whole, compact copy into `folder` (made by the caller, as private as the data folder) and drops all but the
    /// newest three. Reads only: writers go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Unwritable`], [`StoreError::Damaged`] once [`Store::check_rest`] said so,
    /// those of the database. Earlier copies stay.
    pub async fn back_up(&self, folder: &Path, now_ms: i64) -> Result<PathBuf, StoreError> {
        if self.is_suspect() {
            return Err(StoreError::Damaged { detail: "seen before".to_owned() });
        }
        let copy = folder.join(format!("stallcast-{now_ms:015}.db"));
        let unfinished = copy.with_extension("tmp");
        let unwritable = |e: std::io::Error| StoreError::Unwritable(sqlx::Error::Io(e));
        if unfinished.exists() {
            std::fs::remove_file(&unfinished).map_err(unwritable)?;
        }
        let copied = sqlx::query("VACUUM INTO ?").bind(unfinished.to_string_lossy().into_owned()).execute(self.readers()).await;
        if let Err(e) = copied {
            // What is half there is of no use to anybody.
            let _ = std::fs::remove_file(&unfinished);
            return Err(e.into());
        }
        let target = copy.clone();
        let finished = tokio::task::spawn_blocking(move || {
            // A power cut must not leave a name with nothing behind it.
            std::fs::File::open(&unfinished)?.sync_all()?;
            std::fs::rename(&unfinished, &target)
        });
        finished.await.map_err(|_| StoreError::Closed)?.map_err(unwritable)?;
        keep_newest(folder, KEPT);
        Ok(copy)
    }
}

/// Puts the newest good copy of `folder` in the place of the damaged database at `path`, which is kept beside it.
/// The caller holds the lock of the data folder, and no store is open. What happened after the copy is read from the
/// platforms again: their cursors are as old as the copy.
///
/// # Errors
/// [`StoreError::Unwritable`], [`StoreError::DiskFull`].
pub async fn restore(path: &Path, folder: &Path, now_ms: i64) -> Result<Restored, StoreError> {
    let unwritable = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::StorageFull => StoreError::DiskFull,
        _ => StoreError::Unwritable(sqlx::Error::Io(e)),
    };
    let with = |suffix: &str, more: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.push(more);
        PathBuf::from(name)
    };
    let mark = format!(".damaged-{now_ms}");
    for suffix in ["", "-wal", "-shm"] {
        let from = with(suffix, "");
        if from.exists() {
            std::fs::rename(&from, with(suffix, &mark)).map_err(unwritable)?;
        }
    }
    let aside = with("", &mark);
    check::clear_mark(path);
    for (copied_at_ms, copy) in copies(folder) {
        std::fs::copy(&copy, path).map_err(unwritable)?;
        let verdict = async {
            let mut conn = connect_read_only(path).await?;
            check::whole(&mut conn).await
        };
        match verdict.await {
            Ok(()) => return Ok(Restored { copied_at_ms: Some(copied_at_ms), aside }),
            Err(e) => {
                tracing::warn!(error = %e, "a copy of the database is damaged too");
                std::fs::remove_file(path).map_err(unwritable)?;
            }
        }
    }
    Ok(Restored { copied_at_ms: None, aside })
}

/// Is there a copy?
pub(crate) fn any(folder: &Path) -> bool {
    !copies(folder).is_empty()
}

/// Drops all copies but the newest.
pub(crate) fn keep_newest(folder: &Path, kept: usize) {
    for (_, old) in copies(folder).into_iter().skip(kept) {
        if let Err(e) = std::fs::remove_file(&old) {
            tracing::warn!(error = %e, "an old copy of the database stays");
        }
    }
}

/// The finished copies, newest first, with the time in their name.
fn copies(folder: &Path) -> Vec<(i64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(i64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let time = name.to_str()?.strip_prefix("stallcast-")?.strip_suffix(".db")?.parse().ok()?;
            Some((time, entry.path()))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_store::{local, open, open_with_bag, options, order, page};

    #[tokio::test]
    async fn a_damaged_database_is_replaced_by_its_newest_good_copy_and_kept() {
        let dir = tempfile::tempdir().expect("dir");
        let (path, folder) = (dir.path().join("stallcast.db"), dir.path().join("backups"));
        std::fs::create_dir(&folder).expect("folder");
        let store = open_with_bag(&dir).await;
        store.apply_orders(&local(), None, page(vec![order("a", 1)], "1", false, 1_000_000), 1_000_000).await.expect("orders");
        for at in 1..=5 {
            store.back_up(&folder, at).await.expect("copy");
        }
        let kept: Vec<i64> = copies(&folder).into_iter().map(|(at, _)| at).collect();
        assert_eq!(kept, [5, 4, 3], "the newest three");
        store.close().await;
        // The newest copy is damaged as well, in its pages and not in its head: the one before it is taken.
        let newest = folder.join("stallcast-000000000000005.db");
        let mut bytes = std::fs::read(&newest).expect("a copy");
        let from = bytes.len() - 8 * 4096;
        bytes[from..].fill(0xA5);
        std::fs::write(&newest, bytes).expect("damage");
        std::fs::write(&path, vec![b'x'; 8192]).expect("damage");
        assert_eq!(Store::open(options(&dir)).await.expect_err("damaged").code(), "damaged");

        let restored = restore(&path, &folder, 77).await.expect("restored");
        assert_eq!(restored.copied_at_ms, Some(4));
        assert_eq!(std::fs::read(&restored.aside).expect("kept").len(), 8192, "what was damaged is kept for whoever can read it");
        let store = open(&dir).await;
        assert_eq!(store.order_counts().await.expect("counts").total, 1);
        store.close().await;
    }

    #[tokio::test]
    async fn without_a_copy_the_database_begins_anew() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("stallcast.db");
        std::fs::write(&path, vec![b'x'; 8192]).expect("damage");
        let restored = restore(&path, &dir.path().join("backups"), 77).await.expect("restored");
        assert_eq!(restored.copied_at_ms, None);
        open(&dir).await.close().await;
    }

    #[tokio::test]
    async fn a_copy_that_cannot_be_written_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("dir");
        let store = open(&dir).await;
        assert!(store.back_up(&dir.path().join("missing"), 1).await.is_err());
        store.close().await;
    }
}
