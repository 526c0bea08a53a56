//! Imitation devices (`tests/devices` of the project) and the probe that is run against them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything may take, shorter than a test run's patience.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The project's scripts for imitation devices.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/devices")
}

/// One imitation camera, number 0, and the library that shows it.
pub struct Cameras {
    folder: TempDir,
}

impl Cameras {
    /// `conf`: see `tests/devices/fakecam.c`.
    pub fn new(name: &str, conf: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let library = folder.path().join("libfakecam.so");
        let built = Command::new("cc")
            .args(["-O2", "-Wno-attribute-alias", "-shared", "-fPIC", "-pthread", "-o"])
            .arg(&library)
            .arg(scripts().join("fakecam.c"))
            .arg("-ldl")
            .status()
            .expect("a C compiler");
        assert!(built.success(), "the imitation camera does not compile");
        let cameras = Self { folder };
        cameras.add(0, name, conf);
        cameras
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("cams")
    }

    pub fn add(&self, number: u32, name: &str, conf: &str) {
        use std::io::Write as _;
        let mut child = Command::new(scripts().join("fakecam.sh"))
            .arg(self.root())
            .args(["new", &number.to_string(), name])
            .stdin(Stdio::piped())
            .spawn()
            .expect("the script");
        child.stdin.take().expect("its input").write_all(conf.as_bytes()).expect("written");
        assert!(child.wait().expect("ended").success());
    }

    fn script(&self, words: &[&str]) {
        let done = Command::new(scripts().join("fakecam.sh")).arg(self.root()).args(words).status().expect("the script");
        assert!(done.success());
    }

    /// Sets faults; none: healthy again.
    pub fn fault(&self, words: &str) {
        self.script(&["ctl", "0", words]);
    }

    pub fn unplug(&self) {
        self.script(&["unplug", "0"]);
    }

    pub fn plug(&self) {
        self.script(&["plug", "0"]);
    }

    /// Leaves the camera in its mode of that number, as another program would.
    pub fn leave_in(&self, mode: u32) {
        std::fs::write(self.root().join("video0.cur"), format!("{mode}\n")).expect("written");
    }

    /// Makes a file of frames or JPEGs beside the camera's configuration.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.root().join(name), bytes).expect("written");
    }

    /// A program that sees this camera and no other.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("FAKECAM_ROOT", self.root()).env("LD_PRELOAD", self.folder.path().join("libfakecam.so"));
        command
    }
}

/// What the probe is to do, in the environment of a test's own second process.
const PROBE: &str = "STALLCAST_TEST_PROBE";

/// The words for the probe if this process is to be it.
pub fn probe_words() -> Option<Vec<String>> {
    let words = std::env::var(PROBE).ok()?;
    // The harness has begun a line.
    say("");
    Some(words.split(' ').map(str::to_owned).collect())
}

/// Makes `command`, which runs this test's executable, the probe: its test `probe_child` does the rest.
pub fn probe(mut command: Command, words: &str) -> Running {
    command.args(["--exact", "probe_child", "--nocapture"]).env(PROBE, words);
    let mut running = Running::start(command);
    running.wait_until("the harness", str::is_empty);
    running.wait_until("the harness", |line| line.is_empty() || line.starts_with("test "));
    running.seen.clear();
    running
}

/// This test's executable.
pub fn own_executable() -> PathBuf {
    std::env::current_exe().expect("this test")
}

/// A program whose lines are read as they come.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    pub seen: Vec<String>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("the program");
        let out = child.stdout.take().expect("its output");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, seen: vec![] }
    }

    /// Waits for a line that begins with `start`.
    pub fn wait_for(&mut self, start: &str) -> String {
        self.wait_until(start, |line| line.starts_with(start))
    }

    /// Waits for the first line that will do.
    pub fn wait_until(&mut self, what: &str, mut will_do: impl FnMut(&str) -> bool) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if will_do(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no '{what}' within {LIMIT:?}; last {:?}", self.seen.iter().rev().take(5).collect::<Vec<_>>())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("ended before '{what}'; last {:?}", self.seen.iter().rev().take(5).collect::<Vec<_>>())
                }
            }
        }
    }

    /// Waits for `count` more lines that begin with `start`.
    pub fn wait_for_many(&mut self, start: &str, count: usize) {
        for _ in 0..count {
            self.wait_for(start);
        }
    }

    /// Waits for its end; the exit status.
    pub fn end(&mut self) -> i32 {
        let deadline = Instant::now() + LIMIT;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
        }
        self.child.wait().ok().and_then(|status| status.code()).unwrap_or(-1)
    }

    pub fn pictures(&self) -> Vec<Picture> {
        self.seen.iter().filter_map(|line| Picture::parse(line)).collect()
    }

    pub fn count(&self, start: &str) -> usize {
        self.seen.iter().filter(|line| line.starts_with(start)).count()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One line `frame …`.
#[derive(Debug, Clone, Copy)]
pub struct Picture {
    pub stamp: i64,
    pub arrival: i64,
    pub number: i64,
    pub bytes: usize,
}

impl Picture {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("frame ")?.split(' ');
        let mut next = || words.next()?.parse::<i64>().ok();
        Some(Self { stamp: next()?, arrival: next()?, number: next()?, bytes: usize::try_from(next()?).ok()? })
    }
}

/// The middle value.
pub fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Distances from one to the next.
pub fn steps(values: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let values: Vec<i64> = values.into_iter().collect();
    values.windows(2).map(|w| w[1] - w[0]).collect()
}

/// One line on standard output, at once, past the capture of the test harness.
pub fn say(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("standard output");
}
