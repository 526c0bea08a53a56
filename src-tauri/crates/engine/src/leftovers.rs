//! Recordings that a power cut or a kill of everything left unfinished.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every part of the recording that was first named so, those that are there.
#[must_use]
pub fn recording_parts(path: &Path) -> Vec<PathBuf> {
    let mut parts = stallcast_broadcast::earlier_parts(&stallcast_broadcast::next_part(path));
    if path.is_file() && !parts.iter().any(|part| part == path) {
        parts.push(path.to_owned());
    }
    parts
}

/// Makes a plain MP4 of a file that is an unfinished recording; its length, or `None` if there was nothing to do: it is
/// finished, or no recording. Copies the whole file: not for a thread that somebody waits for.
///
/// # Errors
/// [`std::io::ErrorKind::WouldBlock`] while somebody writes it; it cannot be read or written.
pub fn finish_recording(path: &Path) -> std::io::Result<Option<Duration>> {
    stallcast_broadcast::recover(path)
}
