//! Processes on Unix.

use rustix::process::{Pid, Signal, kill_process, setsid};
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

/// Starts a session of its own. A process that leads its group already has what it needs.
pub(crate) fn leave_session() {
    let _ = setsid();
}

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
