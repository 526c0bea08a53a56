//! Processes where there are no Unix signals: the shop ends when it is killed; its database is safe at any instant.

/// Asks a process to end.
pub(crate) fn terminate(pid: u32) {
    kill(pid);
}

/// Ends a process at once.
pub(crate) fn kill(pid: u32) {
    let ended = std::process::Command::new("taskkill").args(["/F", "/PID", &pid.to_string()]).output();
    if let Err(e) = ended {
        tracing::warn!(pid, error = %e, "cannot end a process");
    }
}

/// Children of a window have no terminal here.
pub(crate) fn leave_session() {}

/// There is no such signal here.
pub(crate) fn ignore_hangup() {}

/// There is no such signal here.
pub(crate) async fn shut_down_signal() {
    std::future::pending().await
}
