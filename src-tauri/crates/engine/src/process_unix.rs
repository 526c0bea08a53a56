//! Processes on Unix.

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit, setsid, test_kill_process};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use tokio::signal::unix::{SignalKind, signal};

/// Nothing to do: the child leaves the session itself. (Making it a group leader here would make `setsid` fail.)
pub(crate) fn prepare(_command: &mut tokio::process::Command) {}

/// Starts a session of its own, so that Ctrl-C and the closing of a terminal do not reach this process.
pub(crate) fn leave_session() {
    // Fails for a process that leads its group, which then needs nothing.
    let _ = setsid();
}

/// Whatever this process and its children die of, their memory is not written to a file: there are keys in it.
pub(crate) fn no_core_file() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "what is in memory could be written to a file");
    }
}

/// Was it ended from outside, by a signal that nothing inside sends?
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    let from_outside = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT].map(Signal::as_raw);
    status.signal().is_some_and(|signal| from_outside.contains(&signal))
}

/// Ends a process at once.
pub(crate) fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Gone already is what was wanted.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Is this process gone, or will it never do anything again? Not one that is stopped, slow or hangs.
pub(crate) fn is_dead(pid: u32) -> bool {
    let Some(known) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    test_kill_process(known) == Err(Errno::SRCH) || is_dying(pid)
}

/// Was this process killed, and is still there? A thread that waits in the kernel for a device or a disk cannot be ended, and
/// keeps open what the process had open, its listening socket too.
#[cfg(target_os = "linux")]
pub(crate) fn is_dying(pid: u32) -> bool {
    let says = |file: &str, tells: fn(&str) -> bool| {
        std::fs::read(format!("/proc/{pid}/{file}")).is_ok_and(|text| tells(&String::from_utf8_lossy(&text)))
    };
    says("stat", tells_of_death) || says("status", tells_of_a_crash)
}

/// Reads `/proc/PID/status`: a process that crashed waits for all of its threads before it ends, whether it leaves a core file or not.
#[cfg(target_os = "linux")]
fn tells_of_a_crash(status: &str) -> bool {
    status.lines().any(|line| line.strip_prefix("CoreDumping:").is_some_and(|value| value.trim() == "1"))
}

/// Other systems do not tell.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn is_dying(_pid: u32) -> bool {
    false
}

/// Reads `/proc/PID/stat`, which is about the first thread of a process: it is no more, it is ending, or it will as soon as it
/// wakes.
#[cfg(target_os = "linux")]
fn tells_of_death(stat: &str) -> bool {
    /// Places behind the name, of what proc(5) counts as fields 9 and 31.
    const FLAGS: usize = 6;
    const PENDING: usize = 28;
    /// `PF_EXITING` of the kernel.
    const EXITING: u64 = 4;
    /// The bit of SIGKILL.
    const KILL: u64 = 1 << 8;
    // A name may hold blanks and brackets.
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let bits = |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    matches!(fields.first().copied(), Some("Z" | "X" | "x")) || bits(FLAGS) & EXITING != 0 || bits(PENDING) & KILL != 0
}

/// Waits for SIGTERM. From the first poll on, SIGHUP is ignored.
pub(crate) async fn shut_down_signal() {
    let (Ok(mut asked), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = asked.recv() => return,
            _ = hangup.recv() => tracing::info!("hang-up ignored"),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::{Duration, Instant};

    #[test]
    fn killed_is_told_from_stopped() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("it runs");
        let pid = child.id();
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
        assert!(!is_dead(pid) && !is_dead(std::process::id()));
        kill_process(raw, Signal::STOP).expect("stopped");
        assert!(!is_dead(pid), "it may go on");
        kill(pid);
        // Nobody has asked how it ended: it is there and is not.
        let until = Instant::now() + Duration::from_secs(10);
        while !is_dying(pid) {
            assert!(Instant::now() < until, "it is killed");
            std::thread::yield_now();
        }
        child.wait().expect("it ended");
        assert!(is_dead(pid) && !is_dying(pid), "nothing is left of it");
    }

    #[test]
    fn a_thread_that_cannot_be_woken_does_not_look_alive() {
        // What the kernel writes of a process: running, caught in a disk, killed meanwhile, caught in its own end.
        let stat = |name: &str, state: &str, flags: u32, pending: u32| {
            format!(
                "42 ({name}) {state} 1 42 42 0 -1 {flags} 900 0 0 0 5 3 0 0 20 0 9 0 7000 80000 600 18446744073709551615 1 1 0 0 0 \
                 {pending} 0 4096 17512 1 0 0 17 1 0 0 0 0 0"
            )
        };
        assert!(!tells_of_death(&stat("stallcast-engine", "S", 4_194_304, 0)));
        assert!(!tells_of_death(&stat("stallcast-engine", "D", 4_194_304, 0)), "it only waits");
        assert!(!tells_of_death(&stat("a) Z (b", "T", 4_194_304, 1 << 14)), "told to end, which it does in order");
        assert!(tells_of_death(&stat("stallcast-engine", "D", 4_194_304, 1 << 8)));
        assert!(tells_of_death(&stat("stallcast-engine", "D", 4_194_308, 0)));
        assert!(tells_of_death(&stat("a) S (b", "Z", 4_194_304, 0)));
        assert!(!tells_of_death("") && !tells_of_death("42 (short) S"));
        assert!(tells_of_a_crash("Name:\tstallcast-engin\nCoreDumping:\t1\nTHP_enabled:\t1\n"));
        assert!(!tells_of_a_crash("Name:\tCoreDumping:\t1\nCoreDumping:\t0\n") && !tells_of_a_crash(""));
    }
}
