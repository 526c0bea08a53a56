//! `tracing` to `DIR/logs/NAME.log` (size-capped, redacted) and to standard error.

use crate::private_file;
use crate::redact::Redactor;
use stallcast_clock::spawn_thread;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Largest size of one log file, bytes.
pub const FILE_LIMIT: u64 = 5 << 20;
/// Files kept: the present one and the ones before it.
pub const FILES: u32 = 3;
/// Lines that may wait for the disk; more are counted and lost.
const WAITING: usize = 1024;
/// Longest wait for a line to be written, once until everything is.
const PATIENCE: Duration = Duration::from_millis(20);

/// Writes whole lines into a file that is renamed away when it is full.
#[derive(Debug)]
struct CappedFile {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    limit: u64,
}

impl CappedFile {
    fn open(path: PathBuf, limit: u64) -> std::io::Result<Self> {
        let file = private_file::open_options().append(true).create(true).open(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file: Some(file), size, limit })
    }

    fn older(&self, n: u32) -> PathBuf {
        self.path.with_extension(format!("log.{n}"))
    }

    fn write_line(&mut self, line: &str) -> std::io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.size > 0 && self.size.saturating_add(length) > self.limit {
            // Closed first: some systems do not rename open files.
            self.file = None;
            for n in (1..FILES - 1).rev() {
                let _ = std::fs::rename(self.older(n), self.older(n + 1));
            }
            let _ = std::fs::rename(&self.path, self.older(1));
            self.size = 0;
        }
        if self.file.is_none() {
            self.file = Some(private_file::open_options().append(true).create(true).open(&self.path)?);
        }
        if let Some(file) = &mut self.file {
            file.write_all(line.as_bytes())?;
            self.size += length;
        }
        Ok(())
    }
}

/// Where lines end.
#[derive(Debug)]
enum Target {
    File(CappedFile),
    Stderr,
}

impl Target {
    fn write_line(&mut self, line: &str) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.write_line(line),
            Self::Stderr => std::io::stderr().lock().write_all(line.as_bytes()),
        }
    }
}

/// A line, and whom to tell when it is written.
type Line = (String, SyncSender<()>);

/// The thread `log`, which waits for a disk or a terminal so that nobody else does: a show goes on while neither takes anything. As
/// long as they do, a line is written before whoever said it goes on, so that the last words of a process are not lost.
#[derive(Debug, Clone)]
struct Lines {
    waiting: SyncSender<Line>,
    state: Arc<LinesState>,
}

#[derive(Debug, Default)]
struct LinesState {
    /// Somebody waited in vain: until everything is written, nobody waits.
    behind: AtomicBool,
    /// Lines for which there was no room.
    lost: AtomicU64,
}

impl Lines {
    fn start(mut target: Target) -> std::io::Result<Self> {
        let (waiting, lines) = sync_channel::<Line>(WAITING);
        let state = Arc::new(LinesState::default());
        let mine = Arc::clone(&state);
        spawn_thread("log", move || {
            while let Some((line, written)) = next_line(&lines, &mine.behind) {
                let lost = mine.lost.swap(0, Ordering::Relaxed);
                // A disk that is full takes no line, and has no room for the complaint either.
                if lost > 0 {
                    let _ = target.write_line(&format!("{lost} lines lost: the log could not be written\n"));
                }
                let _ = target.write_line(&line);
                let _ = written.send(());
            }
        })?;
        Ok(Self { waiting, state })
    }

    fn put(&self, line: String) {
        let (written, done) = sync_channel(1);
        if self.waiting.try_send((line, written)).is_err() {
            self.state.lost.fetch_add(1, Ordering::Relaxed);
        } else if !self.state.behind.load(Ordering::Relaxed) && done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            self.state.behind.store(true, Ordering::Relaxed);
        }
    }
}

/// The next line; nothing waits when there is none at once.
fn next_line(lines: &Receiver<Line>, behind: &AtomicBool) -> Option<Line> {
    lines.try_recv().ok().or_else(|| {
        behind.store(false, Ordering::Relaxed);
        lines.recv().ok()
    })
}

/// A writer for `tracing`: one call is one line, masked before it goes anywhere.
#[derive(Clone)]
struct Redacting {
    redactor: Redactor,
    lines: Lines,
}

impl Write for Redacting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        self.lines.put(self.redactor.mask(&line).to_string());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Redacting {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Starts logging for this process: `info` and above into `DIR/logs/NAME.log`, `warn` and above to standard error when
/// `stderr` is set. `STALLCAST_LOG` (a `tracing` filter) overrides both. A folder that cannot be written loses the file,
/// never the program. A second call changes nothing. Secrets registered with the returned redactor are masked.
pub fn start(data: &Path, name: &str, stderr: bool) -> Redactor {
    let redactor = Redactor::default();
    let wanted = std::env::var("STALLCAST_LOG").ok();
    let filter = |least: LevelFilter| match &wanted {
        Some(text) => EnvFilter::builder().parse_lossy(text),
        None => EnvFilter::default().add_directive(least.into()),
    };
    let folder = data.join("logs");
    let file = private_file::make_folder(&folder).and_then(|()| CappedFile::open(folder.join(format!("{name}.log")), FILE_LIMIT)).ok();
    let lines = |target| Lines::start(target).ok().map(|lines| Redacting { redactor: redactor.clone(), lines });
    let file_layer = file
        .and_then(|file| lines(Target::File(file)))
        .map(|writer| tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer).with_filter(filter(LevelFilter::INFO)));
    let stderr_layer = stderr.then(|| lines(Target::Stderr)).flatten().map(|writer| {
        tracing_subscriber::fmt::layer().with_ansi(false).with_target(false).with_writer(writer).with_filter(filter(LevelFilter::WARN))
    });
    // Fails only if logging was started before, in tests: then that one stays.
    let _ = tracing_subscriber::registry().with(file_layer).with(stderr_layer).try_init();
    redactor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_reach_the_file_masked() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("studio.log");
        let redactor = Redactor::default();
        redactor.register("canary-key-1");
        let file = CappedFile::open(path.clone(), FILE_LIMIT).expect("open");
        let writer = Redacting { redactor, lines: Lines::start(Target::File(file)).expect("a thread") };
        let subscriber = tracing_subscriber::registry().with(tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(url = "rtmp://h/app/other", phone = "13812345678", "publishing canary-key-1");
        });
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(text.contains("publishing ••••") && text.contains("rtmp://h/••••"), "{text}");
        for secret in ["canary", "other", "138123"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }

    /// A disk that takes nothing, as far as a program can tell: a pipe that nobody reads.
    #[cfg(unix)]
    #[test]
    fn nobody_waits_for_a_disk_that_takes_nothing_and_no_line_is_lost_unsaid() {
        use std::io::{BufRead as _, BufReader};
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("engine.log");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        let reader = std::thread::spawn({
            let path = path.clone();
            move || File::open(path).expect("a reader")
        });
        let lines = Lines::start(Target::File(CappedFile::open(path, u64::MAX).expect("open"))).expect("a thread");
        let pipe = reader.join().expect("opened");
        let begun = std::time::Instant::now();
        // A pipe holds 64 KB, the queue the next thousand.
        for n in 0..4_000 {
            lines.put(format!("line {n:>100}\n"));
        }
        // A promise of 20 ms and a few thousand pushes; four times that is the hang guard.
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        let reader = std::thread::spawn(move || BufReader::new(pipe).lines().map_while(Result::ok).collect::<Vec<_>>());
        while lines.state.behind.load(Ordering::Relaxed) {
            assert!(begun.elapsed() < Duration::from_secs(30), "it is read, and nothing is written");
            std::thread::yield_now();
        }
        lines.put("afterwards\n".to_owned());
        drop(lines);
        let read = reader.join().expect("read");
        let lost = read.iter().find_map(|line| line.strip_suffix(" lines lost: the log could not be written")?.parse::<usize>().ok());
        assert_eq!(read.last().map(String::as_str), Some("afterwards"));
        assert_eq!(lost.map(|lost| lost + read.len() - 1), Some(4_001), "each line is there, or counted");
    }

    #[test]
    fn the_log_never_grows_past_its_cap() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("studio.log");
        let mut file = CappedFile::open(path, 100).expect("open");
        for n in 0..100 {
            file.write_line(&format!("{n:030}\n")).expect("write");
        }
        let mut sizes: Vec<_> =
            std::fs::read_dir(dir.path()).expect("list").map(|e| e.expect("entry").metadata().expect("metadata").len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes.len(), 3, "two old files and the present one");
        assert!(sizes.iter().all(|s| *s <= 100));
        assert!(
            std::fs::read_to_string(dir.path().join("studio.log")).expect("read").contains("99\n"),
            "the newest line is in the newest file"
        );
    }
}
