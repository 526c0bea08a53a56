//! The one owner of a data folder: an OS file lock on `DIR/lock`, freed by the OS however its holder ends.

use crate::private_file;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why the lock could not be taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process works on this folder.
    #[error("the data folder is held by another process")]
    Held {
        /// Its process id, where the OS lets us read it.
        pid: Option<u32>,
    },
    /// The folder or the lock file cannot be made.
    #[error("cannot lock {path}")]
    Io {
        /// What could not be opened.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Held for as long as this process runs the workers of the folder. Dropping it, or any end of the process, frees it.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Makes the folder (owner only) if it is missing and takes its lock.
    ///
    /// # Errors
    /// [`LockError::Held`] with the holder's pid; [`LockError::Io`] when the folder cannot be written.
    pub fn take(data: &Path) -> Result<Self, LockError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| LockError::Io { path, source }
        };
        private_file::make_folder(data).map_err(failed(data))?;
        let path = data.join("lock");
        let mut file = private_file::open_options().read(true).create(true).truncate(false).open(&path).map_err(failed(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: holder(&path) }),
            Err(TryLockError::Error(source)) => return Err(LockError::Io { path, source }),
        }
        let write = |file: &mut File| -> std::io::Result<()> {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{}", std::process::id())?;
            file.flush()
        };
        write(&mut file).map_err(failed(&path))?;
        Ok(Self { _file: file })
    }

    /// The pid of the process that holds the folder now, or `None` if nobody does. Never waits and never keeps the lock.
    #[must_use]
    pub fn holder(data: &Path) -> Option<Option<u32>> {
        let path = data.join("lock");
        let file = OpenOptions::new().read(true).write(true).open(&path).ok()?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Some(holder(&path)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

fn holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    const CHILD: &str = "STALLCAST_TEST_LOCK_DIR";

    /// Not a test of its own: the second process of the test below.
    #[test]
    fn lock_child() {
        let Ok(dir) = std::env::var(CHILD) else { return };
        let _lock = FolderLock::take(Path::new(&dir)).expect("the parent left the lock free");
        std::fs::write(Path::new(&dir).join("held"), "").expect("marker");
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn a_second_process_is_refused_by_name_and_kill_frees_the_lock() {
        let dir = tempfile::tempdir().expect("dir");
        let mut child = Command::new(std::env::current_exe().expect("exe"))
            .args(["--exact", "lock::tests::lock_child", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("child");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !dir.path().join("held").exists() {
            assert!(std::time::Instant::now() < deadline, "the child never took the lock");
            std::thread::yield_now();
        }
        assert_eq!(FolderLock::holder(dir.path()), Some(Some(child.id())));
        match FolderLock::take(dir.path()) {
            Err(LockError::Held { pid }) => assert_eq!(pid, Some(child.id())),
            other => panic!("expected the child to hold it, got {other:?}"),
        }
        child.kill().expect("kill");
        child.wait().expect("wait");
        assert_eq!(FolderLock::holder(dir.path()), None);
        FolderLock::take(dir.path()).expect("kill -9 freed it");
    }

    #[test]
    fn one_process_cannot_hold_it_twice() {
        let dir = tempfile::tempdir().expect("dir");
        let first = FolderLock::take(dir.path()).expect("first");
        assert!(matches!(FolderLock::take(dir.path()), Err(LockError::Held { .. })));
        drop(first);
        FolderLock::take(dir.path()).expect("freed by drop");
    }
}
