//! Processes where there are no sessions.

/// No window of its own, out of reach of the console's Ctrl-C, and out of a job that kills its members.
#[cfg(windows)]
pub(crate) fn prepare(command: &mut tokio::process::Command) {
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    command.creation_flags(CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP);
}

/// Nothing to prepare.
#[cfg(not(windows))]
pub(crate) fn prepare(_command: &mut tokio::process::Command) {}

/// There are no sessions.
pub(crate) fn leave_session() {}

/// The system writes what a process died of where its owner said; it is asked nothing here.
pub(crate) const fn no_core_file() {}

/// The system's own tool ends with 1, and so does nothing that a driver does.
pub(crate) fn was_killed(status: std::process::ExitStatus) -> bool {
    status.code() == Some(1)
}

/// Ends a process at once, by the system's own tool.
pub(crate) fn kill(pid: u32) {
    let _ = std::process::Command::new("taskkill").args(["/F", "/PID", &pid.to_string()]).status();
}

/// A process that ends lets go of everything at once.
pub(crate) const fn is_dying(_pid: u32) -> bool {
    false
}

/// Nothing asks.
pub(crate) async fn shut_down_signal() {
    std::future::pending::<()>().await;
}
