//! RTMP(S) as a sink: our own session on our own socket, so that it can be cancelled, measured and asked why.
//!
//! One thread for each destination does everything without blocking: [`link`] keeps a publication alive, [`session`] is
//! the protocol without a socket, [`wire`] the socket with or without TLS, [`feed`] what waits to be sent.

mod feed;
mod link;
mod resolve;
mod session;
mod socket;
mod wire;

use crate::{LinkFigures, SinkEvent, Target};
use link::{Link, Shared};
use stallcast_clock::spawn_thread;
use stallcast_media::queue::PacketQueue;
use stallcast_media::{Packet, StreamConfig};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A link may be this far behind before pictures that no other needs are left out: the bitrate has been lowered by then.
const THIN: Duration = Duration::from_millis(1500);
/// And this far before the others go, up to a keyframe.
const QUEUE: Duration = Duration::from_secs(4);
const QUEUE_BYTES: usize = 4 << 20;
/// From any state to closed.
const LONGEST_END: Duration = Duration::from_secs(2);

/// Pushes the show to one RTMP(S) server, and comes back when the link does.
pub struct RtmpSink {
    queue: PacketQueue,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl RtmpSink {
    /// Starts connecting on the thread `rtmp:ID`, which both callbacks are called from. `want_keyframe` asks the
    /// encoder for a keyframe soon: a new session can begin only at one.
    ///
    /// # Errors
    /// No room for another thread.
    pub fn start(
        target: Target,
        config: StreamConfig,
        on_event: impl Fn(SinkEvent) + Send + 'static,
        want_keyframe: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        // Four seconds of a stream at three times its bit rate, so that bytes are not what ends the patience.
        let kbps = u64::from(config.video.kbps) + u64::from(config.audio.kbps);
        let bytes = usize::try_from(kbps * 125 * QUEUE.as_secs() * 3).unwrap_or(QUEUE_BYTES).max(QUEUE_BYTES);
        let queue = PacketQueue::thinning(QUEUE, bytes, THIN);
        let shared = Arc::new(Shared::default());
        let name = format!("rtmp:{}", target.id());
        let link = Link::new(target, config, queue.clone(), Arc::clone(&shared), on_event, want_keyframe);
        let thread = spawn_thread(&name, move || link.run())?;
        Ok(Self { queue, shared, thread: Some(thread) })
    }

    /// Adds a packet. Never blocks; any thread. While the link is behind, pictures go that no other needs, then all up to a
    /// keyframe, never sound.
    pub fn push(&self, packet: Arc<Packet>) {
        self.queue.push(packet);
    }

    /// Figures as of now.
    #[must_use]
    pub fn figures(&self) -> LinkFigures {
        self.shared.figures()
    }

    /// Sends what waits, ends the publication and closes, within `limit` and never more than two seconds.
    pub fn finish(mut self, limit: Duration) -> LinkFigures {
        self.end(limit.min(LONGEST_END));
        self.shared.figures()
    }

    fn end(&mut self, limit: Duration) {
        self.shared.stop(Instant::now() + limit);
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of a destination panicked");
        }
    }
}

impl Drop for RtmpSink {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
