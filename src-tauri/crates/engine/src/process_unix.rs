//! Processes on Unix.

use rustix::process::{Pid, Signal, kill_process, setsid};
use tokio::signal::unix::{SignalKind, signal};

/// Nothing to do: the child leaves the session itself. (Making it a group leader here would make `setsid` fail.)
pub(crate) fn prepare(_command: &mut tokio::process::Command) {}

/// Starts a session of its own, so that Ctrl-C and the closing of a terminal do not reach this process.
pub(crate) fn leave_session() {
    // Fails for a process that leads its group, which then needs nothing.
    let _ = setsid();
}

/// Ends a process at once.
pub(crate) fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Gone already is what was wanted.
        let _ = kill_process(pid, Signal::KILL);
    }
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
