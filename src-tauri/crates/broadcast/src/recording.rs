use crate::crashes::Crashes;
use crate::disk::{Room, Thrift, Watch, Word, is_full};
use crate::fmp4::{Fragment, Fragmenter, scan, write_plain};
use crate::{FileEvent, next_part, replace};
use stallcast_clock::{failpoint, spawn_thread};
use stallcast_media::queue::{PacketQueue, Taken};
use stallcast_media::{NANOS_PER_SEC, Packet, StreamConfig};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use thiserror::Error;

/// A disk may be this far behind before pictures are lost; ten seconds is what a sleeping one takes to wake.
const QUEUE: Duration = Duration::from_secs(30);
const QUEUE_BYTES: usize = 64 << 20;
/// Longest wait of whoever starts a recording: no disk that answers takes that long, and a show goes on meanwhile that has to be
/// looked after.
const OPENED_WITHIN: Duration = Duration::from_secs(1);
/// Longest wait of the writer for a packet.
const PATIENCE: Duration = Duration::from_millis(250);
/// What a power cut can lose, and how old the known room on the disk can be.
const SYNC_EACH: Duration = Duration::from_secs(2);
/// Nearly every fragment of a recording: where a keyframe does not come sooner.
const FRAGMENT_LASTS: Duration = Duration::from_millis(400);
/// The bit rate behind the forecast is that of the last this many fragments (30 s).
const RATE_OVER: usize = 75;
/// `disk_minutes` while the OS does not say.
const UNKNOWN: u64 = u64::MAX;

/// A recording cannot be started.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The file is there and may not be replaced.
    #[error("the file exists")]
    Exists,
    /// The folder is missing or may not be written to, or another recording is written to this file.
    #[error("cannot be written: {0}")]
    Unwritable(#[source] io::Error),
    /// No room to begin.
    #[error("the disk is full")]
    DiskFull,
}

impl RecordError {
    /// Stable code for the sentence.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exists => "file_exists",
            Self::Unwritable(_) => "path_unwritable",
            Self::DiskFull => "disk_full",
        }
    }
}

impl From<io::Error> for RecordError {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists,
            _ if is_full(&e) => Self::DiskFull,
            _ => Self::Unwritable(e),
        }
    }
}

/// What is told where nobody waits for the refusal any more.
impl From<RecordError> for FileEvent {
    fn from(late: RecordError) -> Self {
        match late {
            RecordError::DiskFull => Self::DiskFull,
            RecordError::Exists | RecordError::Unwritable(_) => Self::Failed { reason: late.to_string() },
        }
    }
}

/// Records the show into one MP4 file.
///
/// While it runs the file is a fragmented MP4 that grows each 0.4 s and plays as it is, also after `kill -9`;
/// ending it makes a plain MP4 with the index first. The disk is watched: when it is full the recording ends with what
/// it has, and the show goes on.
pub struct RecordingSink {
    path: PathBuf,
    queue: PacketQueue,
    minutes: Arc<AtomicU64>,
    crashes: Arc<Crashes>,
    done: Receiver<()>,
}

impl RecordingSink {
    /// Two threads, `record`, which creates the file, and `record-sync`. Events come from the first. Returns after a second at most:
    /// a disk that sleeps, or a share that hangs, opens later, with what was pushed meanwhile. What it refuses then is an event.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn start(
        path: &Path,
        overwrite: bool,
        config: StreamConfig,
        on_event: impl Fn(FileEvent) + Send + 'static,
    ) -> Result<Self, RecordError> {
        let kbps = u64::from(config.video.kbps) + u64::from(config.audio.kbps);
        let fragmenter = Fragmenter::recording(config).map_err(RecordError::Unwritable)?;
        let queue = PacketQueue::new(QUEUE, QUEUE_BYTES);
        let minutes = Arc::new(AtomicU64::new(UNKNOWN));
        let crashes = Arc::new(Crashes::default());
        let (done, finished) = channel();
        // Nothing is kept in it: an answer is heard, or whoever gives it knows that nobody heard it.
        let (answer, answered) = sync_channel(0);
        let sink = Self {
            path: path.to_owned(),
            queue: queue.clone(),
            minutes: Arc::clone(&minutes),
            crashes: Arc::clone(&crashes),
            done: finished,
        };
        let path = path.to_owned();
        let record = move || match open(&path, overwrite) {
            Ok((file, syncer)) => {
                let recorder = Recorder {
                    path,
                    file,
                    fragmenter,
                    whole: 0,
                    fragments: 0,
                    started: false,
                    rate: Rate { nominal: kbps * 125 * 60, recent: VecDeque::with_capacity(RATE_OVER) },
                    watch: Watch::default(),
                    thrift: Thrift::default(),
                    minutes,
                    syncer,
                    crashes,
                    on_event,
                };
                let _ = answer.send(Ok(()));
                recorder.run(&queue, &done);
            }
            Err(refused) => {
                queue.close();
                if let Err(SendError(Err(late))) = answer.send(Err(refused)) {
                    tracing::warn!(path = %path.display(), error = %late, "the recording does not begin");
                    on_event(late.into());
                }
                let _ = done.send(());
            }
        };
        spawn_thread("record", record).map_err(RecordError::Unwritable)?;
        match answered.recv_timeout(OPENED_WITHIN) {
            Ok(opened) => opened.map(|()| sink),
            Err(RecvTimeoutError::Disconnected) => Err(RecordError::Unwritable(io::Error::other("the thread crashed"))),
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!(path = %sink.path.display(), "the disk takes its time; the recording begins when it answers");
                Ok(sink)
            }
        }
    }

    /// Adds a packet. Never blocks; any thread.
    pub fn push(&self, packet: Arc<Packet>) {
        self.queue.push(packet);
    }

    /// The file being written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Minutes of room left at the present bitrate; `None` when the OS does not say.
    #[must_use]
    pub fn disk_minutes(&self) -> Option<u64> {
        Some(self.minutes.load(Ordering::Relaxed)).filter(|m| *m != UNKNOWN)
    }

    /// How much waits for the disk. Pictures are lost when it is 30 s.
    #[must_use]
    pub fn waiting(&self) -> Duration {
        self.queue.span()
    }

    /// How often its thread crashed, and went on in the next part, since this was last asked.
    pub fn take_crashes(&self) -> u32 {
        self.crashes.take()
    }

    /// Ends the recording: writes what waits and makes it a plain MP4. Blocks for at most `limit`; a copy that takes
    /// longer goes on by itself, and until it is done the file is the fragmented one, whole and playable.
    pub fn finish(self, limit: Duration) {
        self.queue.close();
        if self.done.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(path = %self.path.display(), "the recording is still being finished");
        }
    }
}

impl Drop for RecordingSink {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The file, empty, and the thread that waits for its disk. Takes as long as the disk does.
fn open(path: &Path, overwrite: bool) -> Result<(Arc<File>, Syncer), RecordError> {
    failpoint!("recording.open");
    let room = Room::of(folder(path))?;
    if room.is_some_and(|r| r.usable == 0) {
        return Err(RecordError::DiskFull);
    }
    let file = Arc::new(create(path, overwrite)?);
    let syncer = Syncer::start(Arc::clone(&file), folder(path).to_owned(), room)?;
    Ok((file, syncer))
}

/// The file, empty and ours alone.
fn create(path: &Path, overwrite: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    let file = if overwrite { options.create(true).truncate(false) } else { options.create_new(true) }.open(path)?;
    lock(&file)?;
    file.set_len(0)?;
    Ok(file)
}

/// Keeps [`recover`] and other recordings away from a file in use. The kernel frees it with the process. Not on
/// Windows, where a lock would also keep players out.
fn lock(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    file.try_lock()?;
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// The writer thread.
struct Recorder<F> {
    path: PathBuf,
    file: Arc<File>,
    fragmenter: Fragmenter,
    /// End of the last whole fragment.
    whole: u64,
    fragments: u64,
    /// Something of the show is on the disk.
    started: bool,
    rate: Rate,
    watch: Watch,
    thrift: Thrift,
    minutes: Arc<AtomicU64>,
    syncer: Syncer,
    crashes: Arc<Crashes>,
    on_event: F,
}

impl<F: Fn(FileEvent)> Recorder<F> {
    fn run(mut self, queue: &PacketQueue, done: &Sender<()>) {
        let crashes = Arc::clone(&self.crashes);
        let ended = crashes.outlive(|again| {
            if again {
                self.begin_anew()?;
            }
            self.record(queue)
        });
        queue.close();
        let (pictures, sounds) = queue.dropped();
        if pictures + sounds > 0 {
            tracing::warn!(pictures, sounds, "packets lost: the disk did not keep up");
        }
        self.syncer.stop();
        if let Err(error) = &ended {
            self.give_up(error);
        }
        let Self { path, file, fragments, .. } = self;
        match ended {
            _ if fragments == 0 => {
                drop(file);
                // Not one picture came: there is nothing to keep.
                let _ = fs::remove_file(&path);
            }
            Ok(()) => finish_part(&path, file),
            Err(_) => drop(file),
        }
        let _ = done.send(());
    }

    fn record(&mut self, queue: &PacketQueue) -> io::Result<()> {
        loop {
            match queue.pop(PATIENCE) {
                Taken::Item(packet) => {
                    if !self.fragmenter.fits(&packet) {
                        self.follow_encoder(&packet)?;
                    }
                    if let Some(fragment) = self.fragmenter.push(packet)?
                        && let Err(error) = self.write(&fragment)
                    {
                        // FAT32 has no files above 4 GiB: the next part begins with the next keyframe.
                        if error.kind() != io::ErrorKind::FileTooLarge || self.fragments == 0 {
                            return Err(error);
                        }
                        tracing::warn!(path = %self.path.display(), "the file is as large as it can be; the next part begins");
                        self.begin_anew()?;
                    }
                }
                Taken::Timeout => {}
                Taken::Closed => break,
            }
        }
        self.fragmenter.finish()?.map_or(Ok(()), |fragment| self.write(&fragment))
    }

    /// After a crash: what is whole is kept, and the next part begins with the next keyframe.
    fn begin_anew(&mut self) -> io::Result<()> {
        self.fragmenter.begin_anew()?;
        if self.fragments == 0 {
            self.whole = 0;
        }
        self.file.set_len(self.whole)?;
        if self.fragments == 0 { self.file.rewind() } else { self.next_file() }
    }

    /// Another encoder made this keyframe: a file has one description of its pictures, so the next part begins.
    fn follow_encoder(&mut self, first: &Packet) -> io::Result<()> {
        // What is left belongs behind the old init segment.
        let init = self.fragmenter.init()?;
        if let Some(fragment) = self.fragmenter.renew(first)? {
            self.write_after(init, &fragment)?;
        }
        if self.fragments == 0 { Ok(()) } else { self.next_file() }
    }

    /// The next part. The one before is finished on a thread of its own.
    fn next_file(&mut self) -> io::Result<()> {
        let next = next_part(&self.path);
        let file = Arc::new(create(&next, false)?);
        let syncer = Syncer::start(Arc::clone(&file), folder(&next).to_owned(), self.syncer.room())?;
        std::mem::replace(&mut self.syncer, syncer).stop();
        let held = std::mem::replace(&mut self.file, file);
        let before = std::mem::replace(&mut self.path, next.clone());
        (self.whole, self.fragments) = (0, 0);
        spawn_thread("record-part", move || finish_part(&before, held))?;
        (self.on_event)(FileEvent::Continued { path: next });
        Ok(())
    }

    fn write(&mut self, fragment: &Fragment) -> io::Result<()> {
        let init = if self.whole == 0 { self.fragmenter.init()? } else { None };
        self.write_after(init, fragment)
    }

    fn write_after(&mut self, init: Option<Vec<u8>>, fragment: &Fragment) -> io::Result<()> {
        if let Some(error) = self.syncer.take_failure() {
            return Err(error);
        }
        let room = self.syncer.room();
        if room.is_some_and(|r| r.usable < fragment.bytes.len() as u64) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut file = &*self.file;
        if self.whole == 0 {
            let init = init.unwrap_or_default();
            file.write_all(&init)?;
            self.whole = init.len() as u64;
        }
        failpoint!("recording.fragment");
        // One write, straight to the kernel: a killed process leaves whole fragments.
        file.write_all(&fragment.bytes)?;
        self.whole += fragment.bytes.len() as u64;
        self.fragments += 1;
        self.syncer.written(self.whole);
        self.rate.add(fragment);
        if !std::mem::replace(&mut self.started, true) {
            (self.on_event)(FileEvent::Started);
        }
        if let Some(room) = room {
            let (minutes, word) = self.watch.look(room, self.rate.bytes_per_minute());
            self.minutes.store(minutes, Ordering::Relaxed);
            // The last word is the one that stays in sight.
            if word == Some(Word::Low) {
                (self.on_event)(FileEvent::DiskLow { minutes });
            }
            if let Some(percent) = self.thrift.look(room, self.rate.nominal) {
                (self.on_event)(FileEvent::DiskTight { percent, minutes });
            }
            if word == Some(Word::Enough) {
                (self.on_event)(FileEvent::DiskEnough);
            }
        }
        Ok(())
    }

    /// Keeps the whole fragments and says what happened.
    fn give_up(&self, error: &io::Error) {
        tracing::warn!(path = %self.path.display(), %error, "the recording ends");
        if let Err(error) = self.file.set_len(self.whole).and_then(|()| self.file.sync_data()) {
            tracing::warn!(%error, "its tail could not be cut off");
        }
        self.minutes.store(0, Ordering::Relaxed);
        (self.on_event)(if is_full(error) { FileEvent::DiskFull } else { FileEvent::Failed { reason: error.to_string() } });
    }
}

/// What a minute takes: measured, or what the encoders were told before there is something to measure.
struct Rate {
    nominal: u64,
    recent: VecDeque<(u64, i64)>,
}

impl Rate {
    fn add(&mut self, fragment: &Fragment) {
        if self.recent.len() == RATE_OVER {
            self.recent.pop_front();
        }
        self.recent.push_back((fragment.bytes.len() as u64, fragment.duration));
    }

    fn bytes_per_minute(&self) -> u64 {
        let (bytes, nanos) = self.recent.iter().fold((0, 0), |(b, n), (bytes, nanos)| (b + bytes, n + nanos));
        if nanos < 10 * NANOS_PER_SEC {
            return self.nominal;
        }
        u64::try_from(i128::from(bytes) * i128::from(60 * NANOS_PER_SEC) / i128::from(nanos)).unwrap_or(self.nominal)
    }
}

/// The thread that waits for the disk, so that the writer does not: `fdatasync` each two seconds, and how much room is
/// left.
struct Syncer {
    shared: Arc<Synced>,
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Synced {
    written: AtomicU64,
    /// Why what was written is not on the disk, until the writer has taken notice.
    failure: Mutex<Option<io::Error>>,
    room: Mutex<Option<Room>>,
}

impl Syncer {
    fn start(file: Arc<File>, folder: PathBuf, room: Option<Room>) -> io::Result<Self> {
        let shared = Arc::new(Synced { written: AtomicU64::new(0), failure: Mutex::default(), room: Mutex::new(room) });
        let (wake, woken) = channel();
        let mine = Arc::clone(&shared);
        let thread = spawn_thread("record-sync", move || {
            // What it said is in the log. Without it nobody would hear that the disk fails.
            while catch_unwind(AssertUnwindSafe(|| mine.run(&file, &folder, &woken))).is_err() {
                tracing::error!("the thread that waits for the disk crashed; starting again");
            }
        })?;
        Ok(Self { shared, wake: Some(wake), thread: Some(thread) })
    }

    fn written(&self, bytes: u64) {
        self.shared.written.store(bytes, Ordering::Relaxed);
    }

    /// What is written goes to memory first: that the disk does not take it is seen here and nowhere else.
    fn take_failure(&self) -> Option<io::Error> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn room(&self) -> Option<Room> {
        *self.shared.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Synced {
    fn run(&self, file: &File, folder: &Path, woken: &Receiver<()>) {
        let mut synced = 0;
        while woken.recv_timeout(SYNC_EACH) == Err(RecvTimeoutError::Timeout) {
            let written = self.written.load(Ordering::Relaxed);
            if written != synced {
                synced = written;
                if let Err(error) = file.sync_data()
                    && !is_not_to_be_had(&error)
                {
                    tracing::warn!(%error, "recording not synced to the disk");
                    *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
            if let Ok(room) = Room::of(folder) {
                *self.room.lock().unwrap_or_else(PoisonError::into_inner) = room;
            }
        }
    }
}

/// Some shares of a network take files and cannot say when they are on the disk: that is no failure of it.
fn is_not_to_be_had(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

/// Makes a plain MP4 of a recording that was not finished and says about how long it is; `None` if it was none. What was
/// cut off in its last fragment is dropped. Where there is no room for the copy the fragments stay: they play as they are.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] while somebody writes it: a show that runs, or a killed process whose last write is not
/// through yet and keeps it alive; the file cannot be read or written.
pub fn recover(path: &Path) -> io::Result<Option<Duration>> {
    let open = || OpenOptions::new().read(true).write(true).open(path);
    let held = open()?;
    lock(&held)?;
    // Opened anew: who held it may have put the plain file in its place since.
    let mut file = open()?;
    let found = scan(&mut file)?;
    if !found.fragmented || found.fragments == 0 {
        return Ok(None);
    }
    if found.whole < found.length {
        file.set_len(found.whole)?;
        file.sync_data()?;
    }
    let about = || FRAGMENT_LASTS.saturating_mul(u32::try_from(found.fragments).unwrap_or(u32::MAX));
    Ok(Some(make_plain(path)?.unwrap_or_else(about)))
}

/// Makes a recording plain that is whole. Its lock is `held` until the copy is in its place: another process that looks for
/// what was cut off would write one too, into the same file. Where nothing is locked an open file could not be replaced.
fn finish_part(path: &Path, held: Arc<File>) {
    let held = cfg!(unix).then_some(held);
    if let Err(error) = make_plain(path) {
        tracing::warn!(path = %path.display(), %error, "the recording stays fragmented");
    }
    drop(held);
}

/// Copies the fragments into a plain MP4 with its index first and puts that in their place, and says how long it is; leaves
/// them (`None`) if there is no room for both. Whoever calls it holds the lock of `path`.
fn make_plain(path: &Path) -> io::Result<Option<Duration>> {
    let mut beside = OsString::from(path);
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    // What a killed process had copied is of no use, and would take the room of this copy.
    let _ = fs::remove_file(&beside);
    let length = fs::metadata(path)?.len();
    if Room::of(folder(path))?.is_some_and(|r| r.usable < length + (length >> 4)) {
        tracing::info!(path = %path.display(), "no room for a plain copy, the fragments stay");
        return Ok(None);
    }
    let copy = || {
        let (mut from, mut to) = (File::open(path)?, File::create(&beside)?);
        let lasts = write_plain(&mut from, &mut to)?;
        failpoint!("recording.copied");
        to.sync_all().map(|()| lasts)
    };
    let lasts = copy().and_then(|lasts| replace::rename(&beside, path).map(|()| lasts)).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })?;
    replace::sync_folder(folder(path));
    Ok(Some(lasts))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags, open};
    use std::os::fd::OwnedFd;
    use std::time::Instant;

    /// Hang guard: it looks each two seconds.
    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn what_the_disk_does_not_take_is_told_to_the_writer_once() -> io::Result<()> {
        let start = |file: OwnedFd| Syncer::start(Arc::new(File::from(file)), std::env::temp_dir(), None);
        // What knows of no disk has none that fails.
        let (_reader, writer) = io::pipe()?;
        let mut pipe = start(writer.into())?;
        pipe.written(1);
        // A name and no file: whatever is asked of it fails.
        let folder = open(std::env::temp_dir(), OFlags::PATH, Mode::empty())?;
        let mut syncer = start(folder)?;
        assert!(syncer.take_failure().is_none(), "nothing was written yet");
        syncer.written(1);
        let begun = Instant::now();
        let failure = loop {
            match syncer.take_failure() {
                None if begun.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(10)),
                found => break found,
            }
        };
        assert!(failure.is_some_and(|e| !is_full(&e)));
        assert!(syncer.take_failure().is_none());
        syncer.stop();
        // Both began at the same time.
        assert!(pipe.take_failure().is_none());
        pipe.stop();
        Ok(())
    }
}
