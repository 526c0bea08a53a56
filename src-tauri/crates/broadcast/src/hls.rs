use crate::FileEvent;
use stallcast_media::queue::PacketQueue;
use stallcast_media::{Packet, StreamConfig};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Writes the show as HLS into one folder.
pub struct HlsSink {
    queue: PacketQueue,
}

impl HlsSink {
    /// Prepares the folder. `program_epoch_ms` is the UTC time of program time 0.
    ///
    /// # Errors
    /// The folder cannot be made or written to.
    pub fn start(dir: &Path, config: StreamConfig, program_epoch_ms: i64, on_event: impl Fn(FileEvent) + Send + 'static) -> io::Result<Self> {
        let _ = (dir, config, program_epoch_ms, on_event);
        Ok(Self { queue: PacketQueue::new(Duration::from_secs(30), 1 << 26) })
    }

    /// Adds a packet. Never blocks.
    pub fn push(&self, packet: Arc<Packet>) {
        self.queue.push(packet);
    }

    /// Ends the stream: last segment, end mark in the playlist.
    pub fn finish(self, limit: Duration) {
        let _ = limit;
    }
}
