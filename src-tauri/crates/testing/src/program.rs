//! Runs the `stallcast` binary the way a person or a script does, in a folder of its own.

use crate::processes::{self, Process, Role};
use anyhow::{Context as _, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Hang guard of a command that ends by itself.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// Hang guard of a start: shop, engine, encoders, on a busy machine.
pub const START_LIMIT: Duration = Duration::from_secs(60);

/// The binary under test: `STALLCAST_BIN`, else the one beside this test or benchmark.
///
/// # Errors
/// It is not there.
pub fn binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("STALLCAST_BIN") {
        return Ok(std::path::absolute(path)?);
    }
    let here = std::env::current_exe()?;
    let name = format!("stallcast{}", std::env::consts::EXE_SUFFIX);
    let found = here.ancestors().skip(1).take(2).map(|folder| folder.join(&name)).find(|path| path.is_file());
    found.with_context(|| format!("no {name} near {}: cargo build -p stallcast, or set STALLCAST_BIN", here.display()))
}

/// A home, a runtime folder and a data folder that nobody else uses. Dropping it ends everything that works on it.
#[derive(Debug)]
pub struct Desk {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Desk {
    /// A new, empty one; sentences are English.
    ///
    /// # Errors
    /// There can be no temporary folder.
    pub fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("stallcast-").tempdir()?;
        for (name, mode) in [("home", 0o755), ("run", 0o700), ("work", 0o755)] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        }
        let mut desk = Self { folder, environment: vec![] };
        let (home, run) = (desk.path("home"), desk.path("run"));
        for (name, value) in [("HOME", home.as_path()), ("XDG_RUNTIME_DIR", run.as_path())] {
            desk.set(name, &value.to_string_lossy());
        }
        desk.set("STALLCAST_LANG", "en");
        // The keychain of whoever runs the tests is none of their business.
        desk.set("DBUS_SESSION_BUS_ADDRESS", "disabled:");
        Ok(desk)
    }

    /// Sets a variable for everything started from here.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(n, _)| n != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The variables set so far.
    #[must_use]
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// The data folder. The program makes it.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A file in the folder for the test's own files.
    #[must_use]
    pub fn work(&self, name: &str) -> PathBuf {
        self.path("work").join(name)
    }

    /// Everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives a command the environment of this desk and nothing that leads to the person's own desktop.
    pub fn furnish(&self, command: &mut Command) {
        for name in
            ["DISPLAY", "WAYLAND_DISPLAY", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "STALLCAST_DATA", "STALLCAST_PASSPHRASE_FILE", "LC_ALL"]
        {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(n, v)| (n, v))).current_dir(self.path("work"));
    }

    /// The program with these words and `--data`, not started yet.
    ///
    /// # Errors
    /// The binary is not there.
    pub fn command<S: AsRef<str>>(&self, words: &[S]) -> anyhow::Result<Command> {
        let mut command = Command::new(binary()?);
        command.args(words.iter().map(AsRef::as_ref)).arg("--data").arg(self.data());
        self.furnish(&mut command);
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command that ends by itself.
    ///
    /// # Errors
    /// It does not start, or does not end in time.
    pub fn run<S: AsRef<str>>(&self, words: &[S]) -> anyhow::Result<Ran> {
        let mut command = self.command(words)?;
        Ran::of(&mut command, COMMAND_LIMIT)
    }

    /// Starts `live … --json`.
    ///
    /// # Errors
    /// It does not start.
    pub fn live<S: AsRef<str>>(&self, words: &[S]) -> anyhow::Result<Show> {
        let mut command = self.live_command(words)?;
        Show::of(&mut command, self.data())
    }

    /// `live … --json`, not started yet.
    ///
    /// # Errors
    /// The binary is not there.
    pub fn live_command<S: AsRef<str>>(&self, words: &[S]) -> anyhow::Result<Command> {
        let mut all = vec!["live", "--json"];
        all.extend(words.iter().map(AsRef::as_ref));
        self.command(&all)
    }

    /// What works on the data folder now.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        processes::of_folder(&self.data())
    }

    /// The process of this role.
    ///
    /// # Errors
    /// There is none.
    pub fn process(&self, role: Role) -> anyhow::Result<Process> {
        processes::of_role(&self.data(), role).with_context(|| format!("no {role:?} runs"))
    }

    /// kill -9 of the process of this role, and its number.
    ///
    /// # Errors
    /// There is none.
    pub fn kill(&self, role: Role) -> anyhow::Result<u32> {
        let pid = self.process(role)?.pid;
        processes::kill(pid);
        Ok(pid)
    }

    /// Rows of the studio's database, each an object.
    ///
    /// # Errors
    /// `sqlite3` is missing, or the query is wrong.
    pub fn query(&self, sql: &str) -> anyhow::Result<Vec<Value>> {
        query(&self.data().join("stallcast.db"), sql)
    }

    /// The logs, one after the other: what a failed test prints.
    #[must_use]
    pub fn logs(&self) -> String {
        let mut all = String::new();
        for entry in std::fs::read_dir(self.data().join("logs")).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let tail: Vec<&str> = text.lines().rev().take(60).collect();
            all.push_str(&format!("--- {}\n", entry.path().display()));
            all.extend(tail.iter().rev().flat_map(|l| [l, "\n"]));
        }
        all
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut err = std::io::stderr().lock();
            let _ = std::io::Write::write_all(&mut err, self.logs().as_bytes());
        }
        processes::kill_folder(&self.data());
    }
}

/// Rows of an SQLite database, read by its own command line.
///
/// # Errors
/// `sqlite3` is missing, or the query is wrong.
pub fn query(database: &Path, sql: &str) -> anyhow::Result<Vec<Value>> {
    let out = Command::new("sqlite3").args(["-readonly", "-json", "-cmd", ".timeout 5000"]).arg(database).arg(sql).output();
    let out = out.context("sqlite3 does not start")?;
    ensure!(out.status.success(), "{}: {sql}: {}", database.display(), String::from_utf8_lossy(&out.stderr));
    if out.stdout.iter().all(u8::is_ascii_whitespace) {
        return Ok(vec![]);
    }
    Ok(serde_json::from_slice(&out.stdout)?)
}

/// A command that ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Runs it to its end.
    ///
    /// # Errors
    /// It does not start, or does not end in time.
    pub fn of(command: &mut Command, limit: Duration) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))?;
        let pid = child.id();
        let mut streams = (child.stdout.take().context("no output")?, child.stderr.take().context("no log")?);
        let err = std::thread::spawn(move || {
            let mut text = vec![];
            streams.1.read_to_end(&mut text).map(|_| text)
        });
        let out = std::thread::spawn(move || {
            let mut text = vec![];
            streams.0.read_to_end(&mut text).map(|_| text)
        });
        let status = wait(&mut child, limit);
        if status.is_none() {
            processes::kill(pid);
        }
        let whole = |thread: std::thread::JoinHandle<std::io::Result<Vec<u8>>>| match thread.join() {
            Ok(Ok(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            _ => String::new(),
        };
        let status = status.with_context(|| format!("{command:?} did not end in {limit:?}"))?;
        Ok(Self { status: status.code(), stdout: whole(out), stderr: whole(err) })
    }

    /// Standard output as one JSON document.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(self.stdout.trim()).with_context(|| format!("{self:?}"))
    }
}

impl From<Output> for Ran {
    fn from(out: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: out.status.code(), stdout: text(&out.stdout), stderr: text(&out.stderr) }
    }
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if begun.elapsed() < limit => std::thread::sleep(Duration::from_millis(5)),
            _ => return None,
        }
    }
}

/// One JSON line and when it was read.
#[derive(Debug, Clone)]
pub struct Line {
    /// When.
    pub at: Instant,
    /// What.
    pub value: Value,
}

#[derive(Debug, Default)]
struct Heard {
    lines: Vec<Line>,
    /// Lines that are no JSON object with a type: the contract forbids them.
    foreign: Vec<String>,
    log: String,
    closed: bool,
}

/// A running `live --json`. It is killed when dropped; its children go with the desk.
#[derive(Debug)]
pub struct Show {
    child: Child,
    data: PathBuf,
    heard: Arc<(Mutex<Heard>, Condvar)>,
    started: Instant,
}

impl Show {
    /// Starts a command that prints JSON lines.
    ///
    /// # Errors
    /// It does not start.
    pub fn of(command: &mut Command, data: PathBuf) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))?;
        let started = Instant::now();
        let heard: Arc<(Mutex<Heard>, Condvar)> = Arc::default();
        let (out, err) = (child.stdout.take().context("no output")?, child.stderr.take().context("no log")?);
        let ears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let mut heard = ears.0.lock().unwrap_or_else(PoisonError::into_inner);
                match serde_json::from_str::<Value>(&line) {
                    Ok(value) if value["type"].is_string() => heard.lines.push(Line { at: Instant::now(), value }),
                    _ => heard.foreign.push(line),
                }
                ears.1.notify_all();
            }
            ears.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
            ears.1.notify_all();
        });
        let ears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                let mut heard = ears.0.lock().unwrap_or_else(PoisonError::into_inner);
                heard.log.push_str(&line);
                heard.log.push('\n');
            }
        });
        Ok(Self { child, data, heard, started })
    }

    /// When it was started.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many lines were heard so far: what comes after is news.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner).lines.len()
    }

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    /// Standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner).log.clone()
    }

    /// Waits for a line after `mark` that `pick` takes.
    ///
    /// # Errors
    /// The limit is over, or the program ended without such a line.
    pub fn wait_from<T>(&self, mark: usize, what: &str, limit: Duration, mut pick: impl FnMut(&Line) -> Option<T>) -> anyhow::Result<T> {
        let begun = Instant::now();
        let mut next = mark;
        let mut heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while let Some(line) = heard.lines.get(next) {
                if let Some(found) = pick(line) {
                    return Ok(found);
                }
                next += 1;
            }
            let left = limit.saturating_sub(begun.elapsed());
            if heard.closed || left.is_zero() {
                let why = if heard.closed { "it ended".to_owned() } else { format!("{limit:?} are over") };
                let last: Vec<String> = heard.lines.iter().rev().take(5).map(|l| l.value.to_string()).collect();
                bail!("no {what}: {why}. Last lines:\n{}\n{}\nlog:\n{}", last.join("\n"), heard.foreign.join("\n"), heard.log);
            }
            heard = self.heard.1.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a line, the earlier ones included.
    ///
    /// # Errors
    /// The limit is over, or the program ended without such a line.
    pub fn wait<T>(&self, what: &str, limit: Duration, pick: impl FnMut(&Line) -> Option<T>) -> anyhow::Result<T> {
        self.wait_from(0, what, limit, pick)
    }

    /// Waits for the first line of this type.
    ///
    /// # Errors
    /// The limit is over, or the program ended without it.
    pub fn wait_type(&self, kind: &str, limit: Duration) -> anyhow::Result<Value> {
        self.wait(kind, limit, |l| (l.value["type"] == kind).then(|| l.value.clone()))
    }

    /// Waits until the show is on air, and when that was told.
    ///
    /// # Errors
    /// The limit is over, or the program ended without it.
    pub fn wait_live(&self, limit: Duration) -> anyhow::Result<Instant> {
        self.wait("state live", limit, |l| (l.value["type"] == "state" && l.value["state"] == "live").then_some(l.at))
    }

    /// Waits for a health line with this code after `mark`, and its values.
    ///
    /// # Errors
    /// The limit is over, or the program ended without it.
    pub fn wait_health(&self, mark: usize, code: &str, limit: Duration) -> anyhow::Result<Value> {
        let found = |l: &Line| (l.value["type"] == "health" && l.value["code"] == code).then(|| l.value["params"].clone());
        self.wait_from(mark, &format!("health {code}"), limit, found)
    }

    /// The shop's address and the seller's token, once the show is ready.
    ///
    /// # Errors
    /// It is not, or runs without a shop.
    pub fn shop(&self) -> anyhow::Result<crate::shop::Seller> {
        let ready = self.wait_type("ready", START_LIMIT)?;
        let text = |name: &str| ready[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {ready}"));
        crate::shop::Seller::new(&text("shop_url")?, Path::new(&text("seller_token_file")?))
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        processes::signal(self.child.id(), Signal::INT);
    }

    /// kill -9 of this process alone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The limit is over.
    pub fn finish(mut self, limit: Duration) -> anyhow::Result<Finished> {
        let status = wait(&mut self.child, limit).with_context(|| format!("no end in {limit:?}\n{}", self.log()))?;
        // What it wrote last may still be on its way through the pipe.
        let begun = Instant::now();
        let mut heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !heard.closed && begun.elapsed() < Duration::from_secs(5) {
            heard = self.heard.1.wait_timeout(heard, Duration::from_millis(50)).unwrap_or_else(PoisonError::into_inner).0;
        }
        let finished = Finished {
            status: status.code(),
            lines: std::mem::take(&mut heard.lines),
            foreign: std::mem::take(&mut heard.foreign),
            log: std::mem::take(&mut heard.log),
        };
        drop(heard);
        Ok(finished)
    }

    /// Ctrl-C, then waits for the end.
    ///
    /// # Errors
    /// The limit is over.
    pub fn end(self, limit: Duration) -> anyhow::Result<Finished> {
        self.interrupt();
        self.finish(limit)
    }

    /// CPU seconds of all processes of this show so far.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        processes::of_folder(&self.data).iter().map(|p| processes::cpu_s(p.pid)).sum()
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A show that ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Its JSON lines.
    pub lines: Vec<Line>,
    /// Lines on standard output that are none.
    pub foreign: Vec<String>,
    /// Standard error.
    pub log: String,
}

impl Finished {
    /// The summary, which must be the last line.
    ///
    /// # Errors
    /// It is not, or something else stands on standard output.
    pub fn summary(&self) -> anyhow::Result<&Value> {
        ensure!(self.foreign.is_empty(), "not JSON: {:?}", self.foreign);
        let last = self.lines.last().with_context(|| format!("no lines\n{}", self.log))?;
        ensure!(last.value["type"] == "summary", "the last line is {}\n{}", last.value, self.log);
        Ok(&last.value)
    }

    /// Health codes in their order.
    #[must_use]
    pub fn health(&self) -> Vec<&str> {
        self.lines.iter().filter(|l| l.value["type"] == "health").filter_map(|l| l.value["code"].as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[test]
    fn lines_are_waited_for_and_foreign_ones_noticed() -> anyhow::Result<()> {
        let desk = Desk::new()?;
        let text = r#"echo '{"type":"ready"}'; echo 'a log line' >&2; sleep 0.2; echo '{"type":"state","state":"live"}'; echo oops; echo '{"type":"summary"}'; exit 4"#;
        let show = Show::of(&mut script(text), desk.data())?;
        show.wait_type("ready", COMMAND_LIMIT)?;
        let mark = show.mark();
        show.wait_live(COMMAND_LIMIT)?;
        let never = show.wait_from(mark, "ready again", COMMAND_LIMIT, |l| (l.value["type"] == "ready").then_some(()));
        assert!(never.expect_err("it ended").to_string().contains("it ended"));
        let finished = show.finish(COMMAND_LIMIT)?;
        assert_eq!((finished.status, finished.lines.len(), finished.foreign.len()), (Some(4), 3, 1));
        assert!(finished.log.contains("a log line"));
        assert!(finished.summary().is_err(), "a line that is no JSON breaks the contract");
        Ok(())
    }

    #[test]
    fn a_command_that_hangs_is_ended() -> anyhow::Result<()> {
        let begun = Instant::now();
        assert!(Ran::of(&mut script("exec sleep 60"), Duration::from_millis(200)).is_err());
        assert!(begun.elapsed() < Duration::from_secs(20));
        let ran = Ran::of(&mut script("echo '{}'; echo no >&2; exit 3"), COMMAND_LIMIT)?;
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(3), "no\n"));
        assert!(ran.json()?.is_object());
        Ok(())
    }

    #[test]
    fn a_database_is_read_by_its_own_command_line() -> anyhow::Result<()> {
        let desk = Desk::new()?;
        let path = desk.work("a.db");
        let made = Command::new("sqlite3").arg(&path).arg("create table t (a text, n integer); insert into t values ('杯', 3)").status()?;
        assert!(made.success());
        assert_eq!(query(&path, "select a, n from t")?, [serde_json::json!({"a": "杯", "n": 3})]);
        assert!(query(&path, "select a from t where n = 4")?.is_empty());
        assert!(query(&path, "select nonsense").is_err());
        Ok(())
    }
}
