//! Processes on Unix.

use rustix::process::{Pid, Signal, kill_process, setsid};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use tokio::signal::unix::{SignalKind, signal};

fn send(pid: u32, what: Signal) {
    // A pid that is gone is what the caller wanted.
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, what);
    }
}

/// Asks a child to end. Its number is its own until it has been waited for.
pub(crate) fn terminate(pid: u32) {
    send(pid, Signal::TERM);
}

/// A process that is not our child: when it has ended, its number may become another's.
#[derive(Debug)]
pub(crate) struct Stranger {
    pid: u32,
    /// This very process. `None` where the system has no such thing: the number is all there is then.
    #[cfg(target_os = "linux")]
    held: Option<OwnedFd>,
}

impl Stranger {
    /// The process that has this number now; `None` if none has. Whoever checks afterwards that it is the right one cannot
    /// reach a wrong one later.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
        match pidfd_open(number, PidfdFlags::empty()) {
            Err(e) if e == rustix::io::Errno::SRCH => None,
            held => Some(Self { pid, held: held.ok() }),
        }
    }

    /// The process that has this number now.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Some(Self { pid })
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.send(Signal::TERM);
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        self.send(Signal::KILL);
    }

    fn send(&self, what: Signal) {
        #[cfg(target_os = "linux")]
        if let Some(held) = &self.held {
            // Gone already is what was wanted.
            let _ = pidfd_send_signal(held, what);
            return;
        }
        send(self.pid, what);
    }
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
