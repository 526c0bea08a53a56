//! Which processes belong to a data folder, what they cost, and how they end. Linux: read from `/proc`.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a process of the program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Window or `live`: what holds the folder.
    App,
    /// The media process.
    Engine,
    /// The local shop.
    Shop,
}

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its parent's number.
    pub parent: u32,
    /// Its arguments, program first.
    pub args: Vec<String>,
}

impl Process {
    /// Its role, by its subcommand.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.args.iter().skip(1).map(String::as_str).find(|a| matches!(*a, "engine" | "shop" | "live")) {
            Some("engine") => Role::Engine,
            Some("shop") => Role::Shop,
            _ => Role::App,
        }
    }

    fn is_ours(&self) -> bool {
        let program = self.args.first().and_then(|a| Path::new(a).file_name());
        program.is_some_and(|name| ["stallcast", "stallcast-window", "stallcast-engine"].iter().any(|ours| name == *ours))
    }

    /// Its environment as bytes, entries parted by zero bytes; empty if it is gone.
    #[must_use]
    pub fn environ(&self) -> Vec<u8> {
        fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default()
    }
}

/// Every process that can be read. Zombies have no arguments and do not count.
#[must_use]
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter_map(one).collect()
}

fn one(pid: u32) -> Option<Process> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let args: Vec<String> = bytes.split(|b| *b == 0).map(|a| String::from_utf8_lossy(a).into_owned()).collect();
    let args: Vec<String> = args.strip_suffix(&[String::new()]).map(<[String]>::to_vec).unwrap_or(args);
    (!bytes.is_empty()).then(|| Process { pid, parent: stat(pid).map_or(0, |s| s.parent), args })
}

/// The processes of the program that work on this data folder: it stands in their arguments, or they are children of one.
#[must_use]
pub fn of_folder(data: &Path) -> Vec<Process> {
    let data = data.to_string_lossy();
    let all = all();
    // A driver or a wrapper may carry the folder in its arguments too.
    let mine = |p: &Process| p.args.iter().any(|a| a.contains(&*data)) && p.is_ours();
    let mut found: Vec<Process> = all.iter().filter(|p| mine(p)).cloned().collect();
    loop {
        let more: Vec<Process> = all.iter().filter(|p| !found.contains(p) && found.iter().any(|f| f.pid == p.parent)).cloned().collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// The process of this role on this folder, if there is one. Children of the window (WebKit's) have no role.
#[must_use]
pub fn of_role(data: &Path, role: Role) -> Option<Process> {
    let found = of_folder(data);
    let named = |p: &&Process| p.is_ours() && p.role() == role;
    // A media process starts another of its kind for a moment, to probe an encoder.
    let parent = |p: &Process| found.iter().find(|f| f.pid == p.parent);
    found.iter().filter(named).find(|p| parent(p).is_none_or(|parent| parent.role() != role)).cloned()
}

/// Waits for a process of this role other than `not`.
///
/// # Errors
/// None within the limit.
pub fn wait_for_role(data: &Path, role: Role, not: Option<u32>, limit: Duration) -> anyhow::Result<Process> {
    let begun = Instant::now();
    loop {
        if let Some(found) = of_role(data, role).filter(|p| Some(p.pid) != not) {
            return Ok(found);
        }
        anyhow::ensure!(begun.elapsed() < limit, "no {role:?} on {} after {limit:?}", data.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Stat {
    parent: u32,
    state: char,
    ticks: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |n: usize| fields.get(n)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: u32::try_from(number(1)?).ok()?,
        // Its own, and of children that it has waited for.
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
    })
}

/// Runs, and is no zombie. One of several threads that still ends keeps it alive, with its files and locks.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let threads = || fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    stat(pid).is_some_and(|s| !matches!(s.state, 'Z' | 'X') || threads() > 1)
}

/// CPU seconds of a process so far, with the children it has waited for.
#[must_use]
pub fn cpu_s(pid: u32) -> f64 {
    let ticks = rustix::param::clock_ticks_per_second();
    stat(pid).map_or(0.0, |s| s.ticks as f64 / ticks as f64)
}

/// A thread and what it has used.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadCpu {
    /// Its number.
    pub id: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// CPU seconds so far.
    pub cpu_s: f64,
}

/// The threads of a process that run now.
#[must_use]
pub fn threads(pid: u32) -> Vec<ThreadCpu> {
    let clock = rustix::param::clock_ticks_per_second() as f64;
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let one = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (head, tail) = text.rsplit_once(')')?;
        let fields: Vec<u64> = tail.split_whitespace().skip(11).take(2).map_while(|n| n.parse().ok()).collect();
        let [user, system] = fields[..] else { return None };
        let (id, name) = head.split_once(" (")?;
        Some(ThreadCpu { id: id.parse().ok()?, name: name.to_owned(), cpu_s: (user + system) as f64 / clock })
    };
    entries.filter_map(one).collect()
}

/// The most memory a process has held, bytes.
#[must_use]
pub fn peak_bytes(pid: u32) -> u64 {
    status_bytes(pid, "VmHWM:")
}

fn status_bytes(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Memory a process holds now, bytes.
#[must_use]
pub fn resident_bytes(pid: u32) -> u64 {
    status_bytes(pid, "VmRSS:")
}

/// Sends a signal. A process that is gone is no failure.
pub fn signal(pid: u32, what: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, what);
    }
}

/// Stops one thread of a process for good, as a call into a driver that never comes back does: all others go on. It is
/// let go of when this program ends.
///
/// # Errors
/// There is no such thread, or this user may not trace it.
#[cfg(target_os = "linux")]
pub fn freeze_thread(pid: u32, name: &str) -> anyhow::Result<()> {
    use anyhow::Context as _;
    use nix::sys::ptrace;
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

    let thread = threads(pid).into_iter().find(|t| t.name == name).with_context(|| format!("no thread {name} in {pid}"))?;
    let tid = nix::unistd::Pid::from_raw(thread.id.try_into()?);
    let (tell, told) = std::sync::mpsc::channel();
    // Only the thread that traces may wait for it, and it must: until then a dead process is not gone for its parent.
    std::thread::spawn(move || {
        let stopped = ptrace::seize(tid, ptrace::Options::empty()).and_then(|()| ptrace::interrupt(tid));
        let failed = stopped.is_err();
        let _ = tell.send(stopped);
        while !failed && !matches!(waitpid(tid, Some(WaitPidFlag::__WALL)), Err(_) | Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)))
        {
        }
    });
    told.recv()?.with_context(|| format!("thread {name} of {pid} cannot be traced"))
}

/// kill -9, and waits until it is gone.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
    let begun = Instant::now();
    while is_alive(pid) && begun.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends everything that works on this folder. Supervisors go first, so that nothing comes back.
pub fn kill_folder(data: &Path) {
    for _ in 0..5 {
        let mut left = of_folder(data);
        if left.is_empty() {
            return;
        }
        left.sort_by_key(Process::role);
        for process in left {
            kill(process.pid);
        }
    }
}

/// Where a process reads its files: its own root, which may be another mount namespace.
#[must_use]
pub fn seen_by(pid: u32, path: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/root{}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn processes_are_found_by_their_folder_and_killed() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let fake = folder.path().join("stallcast");
        std::os::unix::fs::symlink("/bin/sh", &fake)?;
        let data = folder.path().join("data");
        let start = |role: &str| {
            // The shell waits for a child: both belong to the folder.
            let mut command = Command::new(&fake);
            command.args(["-c", "sleep 60; :", role, "--data"]).arg(&data).stdin(Stdio::null());
            command.spawn()
        };
        let (mut engine, mut shop) = (start("engine")?, start("shop")?);
        let found = wait_for_role(&data, Role::Engine, None, Duration::from_secs(5))?;
        assert_eq!(found.pid, engine.id());
        assert!(String::from_utf8_lossy(&found.environ()).contains("PATH="));
        assert!(is_alive(shop.id()) && resident_bytes(shop.id()) > 0);
        kill(engine.id());
        assert!(!is_alive(engine.id()));
        engine.wait()?;
        assert_eq!(of_role(&data, Role::Engine), None);
        assert_eq!(of_role(&data, Role::Shop).map(|p| p.pid), Some(shop.id()));
        kill_folder(&data);
        shop.wait()?;
        assert_eq!(of_folder(&data), []);
        Ok(())
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let before = cpu_s(std::process::id());
        let begun = Instant::now();
        let mut n: u64 = 0;
        while cpu_s(std::process::id()) < before + 0.05 && begun.elapsed() < Duration::from_secs(10) {
            n = n.wrapping_mul(31).wrapping_add(1);
        }
        assert!(cpu_s(std::process::id()) >= before + 0.05, "{n}");
    }
}
