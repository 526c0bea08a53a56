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
    // A driver or a wrapper may carry the folder in its arguments too; the program itself is named after its binary.
    let mine = |p: &Process| p.args.iter().any(|a| a.contains(&*data)) && p.args.first().is_some_and(|a| a.ends_with("stallcast"));
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
    of_folder(data).into_iter().find(|p| p.args.first().is_some_and(|a| a.ends_with("stallcast")) && p.role() == role)
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

/// Runs, and is no zombie.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|s| !matches!(s.state, 'Z' | 'X'))
}

/// CPU seconds of a process so far, with the children it has waited for.
#[must_use]
pub fn cpu_s(pid: u32) -> f64 {
    let ticks = rustix::param::clock_ticks_per_second();
    stat(pid).map_or(0.0, |s| s.ticks as f64 / ticks as f64)
}

/// Memory a process holds now, bytes.
#[must_use]
pub fn resident_bytes(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Sends a signal. A process that is gone is no failure.
pub fn signal(pid: u32, what: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, what);
    }
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
