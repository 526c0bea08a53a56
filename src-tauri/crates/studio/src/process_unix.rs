//! Processes on Unix.

use rustix::process::{Pid, Signal, kill_process, setsid};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use tokio::signal::unix::{SignalKind, signal};

fn send(pid: u32, what: Signal) {
    // A pid that is gone is what the caller wanted.
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, what);
    }
}

/// Asks a process to end.
pub(crate) fn terminate(pid: u32) {
    send(pid, Signal::TERM);
}

/// Ends a process at once.
pub(crate) fn kill(pid: u32) {
    send(pid, Signal::KILL);
}

/// Goes on as this program, with the same process id. Returns only to say why not.
///
/// # Errors
/// It is not there, or no program.
pub(crate) fn become_program(mut program: Command) -> io::Result<()> {
    Err(program.exec())
}

/// Starts a session of its own. A process that leads its group already has what it needs.
pub(crate) fn leave_session() {
    let _ = setsid();
}

/// There is none to hide.
pub(crate) const fn hide_console(_child: &mut tokio::process::Command) {}

/// From now on a closed terminal does not end this process.
pub(crate) fn ignore_hangup() {
    if let Ok(mut hangup) = signal(SignalKind::hangup()) {
        // Lives as long as the runtime, which lives as long as the process.
        tokio::spawn(async move { while hangup.recv().await.is_some() {} });
    }
}

/// Waits for SIGTERM.
pub(crate) async fn shut_down_signal() {
    match signal(SignalKind::terminate()) {
        Ok(mut asked) => {
            asked.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
