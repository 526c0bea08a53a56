//! HLS as a sink: one folder with `stream.m3u8`, `init-N.mp4` and `seg-N.m4s`, which a web server serves as they are.

mod playlist;

use crate::disk::is_full;
use crate::fmp4::{Fragment, Fragmenter};
use crate::{FileEvent, replace};
use playlist::{Playlist, Segment, number};
use stallcast_clock::spawn_thread;
use stallcast_media::queue::{PacketQueue, Taken};
use stallcast_media::{NANOS_PER_MS, Packet, StreamConfig};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

const PLAYLIST: &str = "stream.m3u8";
const QUEUE: Duration = Duration::from_secs(10);
const QUEUE_BYTES: usize = 32 << 20;
/// Longest wait of the writer for a packet.
const PATIENCE: Duration = Duration::from_millis(250);
/// A file stays this long after it left the playlist: a viewer may have read the list just before.
const LINGER: Duration = Duration::from_secs(20);
/// An interrupted playlist younger than this goes on; an older one was another show.
const GO_ON_MS: i64 = 60_000;
/// Segments in a row that could not be written, for another reason than a full disk, before giving up.
const PATIENT_FOR: u32 = 5;

/// Writes the show as HLS into one folder.
///
/// Two-second segments cut at keyframes, a sliding playlist of about 14 s, everything written under another name and
/// then moved, so that a reader never sees half a file. After an engine restart the playlist goes on: numbers keep
/// rising, a discontinuity and a new init segment mark the seam.
pub struct HlsSink {
    queue: PacketQueue,
    done: Receiver<()>,
}

impl HlsSink {
    /// Prepares the folder and the thread `hls`, which events come from. `program_epoch_ms` is the UTC time of program
    /// time 0.
    ///
    /// # Errors
    /// The folder cannot be made or written to.
    pub fn start(
        dir: &Path,
        config: StreamConfig,
        program_epoch_ms: i64,
        on_event: impl Fn(FileEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let fragmenter = Fragmenter::new(config)?;
        fs::create_dir_all(dir)?;
        let writer = Writer::open(dir, program_epoch_ms)?;
        let queue = PacketQueue::new(QUEUE, QUEUE_BYTES);
        let (done, finished) = channel();
        let input = queue.clone();
        let packager = Packager { fragmenter, writer, open: vec![], healthy: false, failures: 0, on_event };
        spawn_thread("hls", move || packager.run(&input, &done))?;
        Ok(Self { queue, done: finished })
    }

    /// Adds a packet. Never blocks; any thread.
    pub fn push(&self, packet: Arc<Packet>) {
        self.queue.push(packet);
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

/// The thread: packets → fragments → segments.
struct Packager<F> {
    fragmenter: Fragmenter,
    writer: Writer,
    /// Fragments of the segment that is growing.
    open: Vec<Fragment>,
    /// The last segment is on the disk and listed.
    healthy: bool,
    failures: u32,
    on_event: F,
}

impl<F: Fn(FileEvent)> Packager<F> {
    fn run(mut self, queue: &PacketQueue, done: &Sender<()>) {
        if let Err(error) = self.package(queue) {
            tracing::warn!(%error, "HLS ends");
            (self.on_event)(FileEvent::Failed { reason: error.to_string() });
        }
        queue.close();
        let (pictures, sounds) = queue.dropped();
        if pictures + sounds > 0 {
            tracing::warn!(pictures, sounds, "packets lost: the disk did not keep up");
        }
        let _ = done.send(());
    }

    fn package(&mut self, queue: &PacketQueue) -> io::Result<()> {
        loop {
            let fragment = match queue.pop(PATIENCE) {
                Taken::Item(packet) => self.fragmenter.push(packet)?,
                Taken::Timeout => None,
                Taken::Closed => break,
            };
            if let Some(fragment) = fragment {
                self.add(fragment)?;
            }
        }
        if let Some(fragment) = self.fragmenter.finish()? {
            self.add(fragment)?;
        }
        self.writer.end()
    }

    fn add(&mut self, fragment: Fragment) -> io::Result<()> {
        let closes = fragment.closes;
        self.open.push(fragment);
        if !closes {
            return Ok(());
        }
        let fragments = std::mem::take(&mut self.open);
        let init = self.fragmenter.init()?.unwrap_or_default();
        match self.writer.add(&init, &fragments) {
            Ok(()) => {
                self.failures = 0;
                if !std::mem::replace(&mut self.healthy, true) {
                    (self.on_event)(FileEvent::Started);
                }
            }
            Err(error) if is_full(&error) => {
                // The window is small and moves on: when there is room again, so is the stream.
                if std::mem::replace(&mut self.healthy, false) || self.failures == 0 {
                    tracing::warn!(%error, "no room for HLS");
                    (self.on_event)(FileEvent::DiskFull);
                }
                self.failures = 1;
            }
            Err(error) => {
                tracing::warn!(%error, "segment not written");
                self.failures += 1;
                if self.failures > PATIENT_FOR {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// What is in the folder.
struct Writer {
    dir: PathBuf,
    epoch_ms: i64,
    list: Playlist,
    /// Name of our init segment, once it is written.
    init: Option<String>,
    next_init: u64,
    /// The next segment does not follow the last listed one.
    seam: bool,
    /// Files that left the playlist, and since when.
    retired: VecDeque<(Instant, String)>,
}

impl Writer {
    /// Goes on from what an interrupted run left, or clears away what an ended one did.
    fn open(dir: &Path, epoch_ms: i64) -> io::Result<Self> {
        let path = dir.join(PLAYLIST);
        let old = match fs::read_to_string(&path) {
            Ok(text) => Playlist::parse(&text),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) if e.kind() == io::ErrorKind::InvalidData => None,
            Err(e) => return Err(e),
        };
        let mut names: Vec<String> = vec![];
        for entry in fs::read_dir(dir)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        let after = |prefix, suffix| names.iter().filter_map(|n| number(n, prefix, suffix)).max().map_or(0, |n| n + 1);
        let mut list = old.unwrap_or_else(|| Playlist { sequence: after("seg-", ".m4s"), ..Playlist::default() });
        let goes_on = !list.ended && list.segments.back().is_some_and(|s| (epoch_ms - s.end_ms()).abs() < GO_ON_MS);
        if !goes_on {
            while list.drop_first().is_some() {}
            list.ended = false;
            match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        let now = Instant::now();
        let mut writer = Self {
            dir: dir.to_owned(),
            epoch_ms,
            seam: goes_on,
            init: None,
            next_init: after("init-", ".mp4"),
            list,
            retired: VecDeque::new(),
        };
        for name in names {
            let ours = number(&name, "seg-", ".m4s").or_else(|| number(&name, "init-", ".mp4")).is_some();
            if ours && !writer.lists(&name) {
                writer.retired.push_back((now, name));
            } else if name.starts_with('.') && name.ends_with(".tmp") {
                let _ = fs::remove_file(dir.join(name));
            }
        }
        Ok(writer)
    }

    fn lists(&self, name: &str) -> bool {
        self.init.as_deref() == Some(name) || self.list.segments.iter().any(|s| s.name == name || s.init == name)
    }

    /// Writes one segment and lists it.
    fn add(&mut self, init: &[u8], fragments: &[Fragment]) -> io::Result<()> {
        let written = self.write(init, fragments);
        if written.is_err() {
            // What comes next does not follow what is listed.
            self.seam = true;
        }
        self.sweep();
        written
    }

    fn write(&mut self, init: &[u8], fragments: &[Fragment]) -> io::Result<()> {
        let Some(first) = fragments.first() else { return Ok(()) };
        let init = match &self.init {
            Some(name) => name.clone(),
            None => {
                let name = format!("init-{}.mp4", self.next_init);
                replace::write(&self.dir.join(&name), init)?;
                self.next_init += 1;
                self.init.insert(name).clone()
            }
        };
        let name = format!("seg-{}.m4s", self.list.next());
        let bytes: Vec<&[u8]> = fragments.iter().map(|f| f.bytes.as_ref()).collect();
        replace::write(&self.dir.join(&name), &bytes.concat())?;
        let segment = Segment {
            name,
            init,
            duration: fragments.iter().map(|f| f.duration).sum(),
            date_ms: self.epoch_ms + first.start.0 / NANOS_PER_MS,
            discontinuity: self.seam && !self.list.segments.is_empty(),
        };
        let before = self.list.clone();
        let gone = self.list.push(segment);
        if let Err(error) = replace::write(&self.dir.join(PLAYLIST), self.list.render().as_bytes()) {
            self.list = before;
            return Err(error);
        }
        self.seam = false;
        let now = Instant::now();
        for segment in gone {
            if !self.lists(&segment.init) && !self.retired.iter().any(|(_, n)| *n == segment.init) {
                self.retired.push_back((now, segment.init));
            }
            self.retired.push_back((now, segment.name));
        }
        Ok(())
    }

    /// Deletes what left the playlist long enough ago.
    fn sweep(&mut self) {
        while let Some((since, name)) = self.retired.front() {
            if since.elapsed() < LINGER {
                break;
            }
            // A number given back after a crash may be in use again.
            if !self.lists(name)
                && let Err(error) = fs::remove_file(self.dir.join(name))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::debug!(%name, %error, "old segment not removed");
            }
            self.retired.pop_front();
        }
    }

    /// Marks the stream as ended. Without one segment there is nothing to mark.
    fn end(&mut self) -> io::Result<()> {
        if self.list.segments.is_empty() {
            return Ok(());
        }
        self.list.ended = true;
        replace::write(&self.dir.join(PLAYLIST), self.list.render().as_bytes())
    }
}
