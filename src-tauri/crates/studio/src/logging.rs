//! `tracing` to `DIR/logs/NAME.log` (size-capped, redacted) and to standard error.

use crate::private_file;
use crate::redact::Redactor;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Largest size of one log file, bytes.
pub const FILE_LIMIT: u64 = 5 << 20;
/// Files kept: the present one and the ones before it.
pub const FILES: u32 = 3;

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

#[derive(Clone)]
enum Target {
    File(Arc<Mutex<CappedFile>>),
    Stderr,
}

/// A writer for `tracing`: one call is one line, masked before it goes anywhere.
#[derive(Clone)]
struct Redacting {
    redactor: Redactor,
    target: Target,
}

impl Write for Redacting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        let masked = self.redactor.mask(&line);
        match &self.target {
            Target::File(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write_line(&masked)?,
            Target::Stderr => std::io::stderr().lock().write_all(masked.as_bytes())?,
        }
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
    let file_layer = file.map(|f| {
        let writer = Redacting { redactor: redactor.clone(), target: Target::File(Arc::new(Mutex::new(f))) };
        tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer).with_filter(filter(LevelFilter::INFO))
    });
    let stderr_layer = stderr.then(|| {
        let writer = Redacting { redactor: redactor.clone(), target: Target::Stderr };
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
        let writer = Redacting { redactor, target: Target::File(Arc::new(Mutex::new(file))) };
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
