use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Tries of a rename onto a file that somebody may be reading (Windows refuses it meanwhile).
const TRIES: u32 = 10;
const WAIT: Duration = Duration::from_millis(50);

/// Moves a finished file over another: a reader sees the old one or the new one, nothing between.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match fs::rename(from, to) {
            Err(e) if cfg!(windows) && e.kind() == io::ErrorKind::PermissionDenied && tries < TRIES => std::thread::sleep(WAIT),
            done => return done,
        }
        tries += 1;
    }
}

/// Writes a whole file under its final name at once. On failure nothing of it is left.
pub(crate) fn write(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let hidden = hidden(to);
    fs::write(&hidden, bytes).and_then(|()| rename(&hidden, to)).inspect_err(|_| {
        let _ = fs::remove_file(&hidden);
    })
}

/// `.NAME.tmp` beside `to`: no reader looks for it.
fn hidden(to: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(to.file_name().unwrap_or_default());
    name.push(".tmp");
    to.with_file_name(name)
}

/// Makes a rename in `folder` survive a power cut, where the OS has a way.
pub(crate) fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    if let Err(error) = fs::File::open(folder).and_then(|f| f.sync_all()) {
        tracing::debug!(%error, "folder not synced");
    }
    #[cfg(not(unix))]
    let _ = folder;
}
