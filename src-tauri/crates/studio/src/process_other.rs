//! Processes where there are no Unix signals: the shop ends when it is killed; its database is safe at any instant.

/// Asks a child to end.
pub(crate) fn terminate(pid: u32) {
    kill(pid);
}

fn kill(pid: u32) {
    let ended = std::process::Command::new("taskkill").args(["/F", "/PID", &pid.to_string()]).output();
    if let Err(e) = ended {
        tracing::warn!(pid, error = %e, "cannot end a process");
    }
}

/// A process that is not our child, by its number.
#[derive(Debug)]
pub(crate) struct Stranger {
    pid: u32,
}

impl Stranger {
    /// The process that has this number now.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Some(Self { pid })
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        kill(self.pid);
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        kill(self.pid);
    }
}

/// A process cannot change its program here: the other one runs on its own.
///
/// # Errors
/// It is not there, or no program.
pub(crate) fn become_program(mut program: std::process::Command) -> std::io::Result<()> {
    program.spawn().map(drop)
}

/// Children of a window have no terminal here.
pub(crate) fn leave_session() {}

/// A child of the window opens no console of its own.
pub(crate) fn hide_console(child: &mut tokio::process::Command) {
    #[cfg(windows)]
    {
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        child.creation_flags(CREATE_NO_WINDOW);
    }
    #[cfg(not(windows))]
    let _ = child;
}

/// There is no such signal here.
pub(crate) fn ignore_hangup() {}

/// There is no such signal here.
pub(crate) async fn shut_down_signal() {
    std::future::pending().await
}
