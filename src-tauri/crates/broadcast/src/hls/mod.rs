//! Low-latency HLS as a sink: one folder with `stream.m3u8`, `init-N.mp4`, `seg-N.m4s` and `part-N-I.m4s`. A web server
//! that can hold back its answer (the local shop) serves it part by part; any other serves it segment by segment.

mod date;
mod folder;
mod parse;
mod playlist;

use crate::FileEvent;
use crate::crashes::Crashes;
use crate::disk::is_full;
use crate::fmp4::{Fragment, Fragmenter};
use folder::Folder;
use stallcast_clock::{failpoint, spawn_thread};
use stallcast_media::queue::{PacketQueue, Taken};
use stallcast_media::{Packet, StreamConfig};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const QUEUE: Duration = Duration::from_secs(10);
const QUEUE_BYTES: usize = 32 << 20;
/// Longest wait of the writer for a packet.
const PATIENCE: Duration = Duration::from_millis(250);
/// A folder that cannot be had is tried this often.
const OPEN_EACH: Duration = Duration::from_secs(1);
/// Segments in a row with a part that could not be written, for another reason than a full disk, before that is told.
const PATIENT_FOR: u32 = 5;

/// Writes the show as HLS into one folder.
///
/// Two-second segments cut at keyframes, each told as it grows in parts of half a second, a sliding playlist of about 14 s,
/// everything written under another name and then moved, so that a reader never sees half a file. After an engine restart the
/// playlist goes on: numbers keep rising, a discontinuity and a new init segment mark the seam.
pub struct HlsSink {
    queue: PacketQueue,
    crashes: Arc<Crashes>,
    done: Receiver<()>,
}

impl HlsSink {
    /// Starts the thread `hls`, which prepares the folder and which events come from. A folder that cannot be made or written to
    /// is told, and tried until the end. `program_epoch_ms` is the UTC time of program time 0.
    ///
    /// # Errors
    /// No file can describe these streams, or no thread from the OS.
    pub fn start(
        dir: &Path,
        config: StreamConfig,
        program_epoch_ms: i64,
        on_event: impl Fn(FileEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let fragmenter = Fragmenter::parts(config)?;
        let queue = PacketQueue::new(QUEUE, QUEUE_BYTES);
        let (done, finished) = channel();
        let crashes = Arc::new(Crashes::default());
        let (input, counted, dir) = (queue.clone(), Arc::clone(&crashes), dir.to_owned());
        spawn_thread("hls", move || {
            let open = || {
                fs::create_dir_all(&dir)?;
                Folder::open(&dir, program_epoch_ms, fragmenter.part_target())
            };
            let mut folder = None;
            let ready = counted.outlive(|_| {
                folder = opened(open, &input, &on_event);
                Ok(())
            });
            match (ready, folder) {
                (Ok(()), Some(folder)) => {
                    Packager { fragmenter, folder, healthy: false, failures: 0, crashes: counted, on_event }.run(&input);
                }
                (Err(error), _) => on_event(FileEvent::Failed { reason: error.to_string() }),
                // Over before there was a folder.
                (Ok(()), None) => {}
            }
            let _ = done.send(());
        })?;
        Ok(Self { queue, crashes, done: finished })
    }

    /// Adds a packet. Never blocks; any thread.
    pub fn push(&self, packet: Arc<Packet>) {
        self.queue.push(packet);
    }

    /// How much waits for the disk. Pictures are lost when it is 10 s.
    #[must_use]
    pub fn waiting(&self) -> Duration {
        self.queue.span()
    }

    /// How often its thread crashed, and went on behind a seam, since this was last asked.
    pub fn take_crashes(&self) -> u32 {
        self.crashes.take()
    }

    /// Ends the stream: the last segment, and the mark that no more will come. Blocks for at most `limit`.
    pub fn finish(self, limit: Duration) {
        self.queue.close();
        if self.done.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the last HLS segment is still being written");
        }
    }
}

impl Drop for HlsSink {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The folder, once it can be had; `None` if the stream ends before.
fn opened(open: impl Fn() -> io::Result<Folder>, queue: &PacketQueue, on_event: impl Fn(FileEvent)) -> Option<Folder> {
    let mut told = false;
    loop {
        let error = match open() {
            Ok(folder) => return Some(folder),
            Err(error) => error,
        };
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(%error, "no folder for HLS");
            on_event(if is_full(&error) { FileEvent::DiskFull } else { FileEvent::Failed { reason: error.to_string() } });
        }
        // What comes meanwhile would be too old for anybody.
        let again = Instant::now() + OPEN_EACH;
        while Instant::now() < again {
            if matches!(queue.pop(PATIENCE), Taken::Closed) {
                return None;
            }
        }
    }
}

/// The thread: packets → fragments → parts and segments.
struct Packager<F> {
    fragmenter: Fragmenter,
    folder: Folder,
    /// The last part is on the disk and listed.
    healthy: bool,
    failures: u32,
    crashes: Arc<Crashes>,
    on_event: F,
}

impl<F: Fn(FileEvent)> Packager<F> {
    fn run(mut self, queue: &PacketQueue) {
        let crashes = Arc::clone(&self.crashes);
        let ended = crashes.outlive(|again| {
            if again {
                self.fragmenter.begin_anew()?;
                self.folder.begin_anew();
            }
            self.package(queue)
        });
        if let Err(error) = ended {
            tracing::warn!(%error, "HLS ends");
            (self.on_event)(FileEvent::Failed { reason: error.to_string() });
        }
        queue.close();
        let (pictures, sounds) = queue.dropped();
        if pictures + sounds > 0 {
            tracing::warn!(pictures, sounds, "packets lost: the disk did not keep up");
        }
    }

    fn package(&mut self, queue: &PacketQueue) -> io::Result<()> {
        loop {
            let fragment = match queue.pop(PATIENCE) {
                Taken::Item(packet) => {
                    if !self.fragmenter.fits(&packet) {
                        self.follow_encoder(&packet)?;
                    }
                    self.fragmenter.push(packet)?
                }
                Taken::Timeout => None,
                Taken::Closed => break,
            };
            if let Some(fragment) = fragment {
                failpoint!("hls.fragment");
                self.add(&fragment)?;
            }
        }
        if let Some(fragment) = self.fragmenter.finish()? {
            self.add(&fragment)?;
        }
        self.folder.end()
    }

    /// Another encoder made this keyframe: a seam in the playlist and a new init segment.
    fn follow_encoder(&mut self, first: &Packet) -> io::Result<()> {
        let init = self.fragmenter.init()?.unwrap_or_default();
        if let Some(fragment) = self.fragmenter.renew(first)? {
            self.add_to(&init, &fragment)?;
        }
        self.folder.begin_anew();
        Ok(())
    }

    fn add(&mut self, fragment: &Fragment) -> io::Result<()> {
        let init = self.fragmenter.init()?.unwrap_or_default();
        self.add_to(&init, fragment)
    }

    fn add_to(&mut self, init: &[u8], fragment: &Fragment) -> io::Result<()> {
        match self.folder.add(init, fragment) {
            Ok(false) => {}
            Ok(true) => {
                self.failures = 0;
                if !std::mem::replace(&mut self.healthy, true) {
                    (self.on_event)(FileEvent::Started);
                }
            }
            // The window is small and moves on: when it can be written again, so is the stream. The viewers have no other.
            Err(error) if is_full(&error) => {
                if std::mem::replace(&mut self.healthy, false) || self.failures == 0 {
                    tracing::warn!(%error, "no room for HLS");
                    (self.on_event)(FileEvent::DiskFull);
                }
                self.failures = self.failures.max(1);
            }
            Err(error) => {
                tracing::warn!(%error, "part not written");
                self.failures = self.failures.saturating_add(1);
                if self.failures == PATIENT_FOR + 1 {
                    self.healthy = false;
                    (self.on_event)(FileEvent::Failed { reason: error.to_string() });
                }
            }
        }
        Ok(())
    }
}
