/// Puts the calling thread below all others of the process: what it makes may come late.
#[cfg(target_os = "linux")]
pub(crate) fn lower() {
    // On Linux the nice value belongs to the thread, so this leaves the rest of the process alone.
    if let Err(e) = rustix::process::setpriority_process(None, 10) {
        tracing::debug!(error = %e, "the priority stays as it is");
    }
}

/// Puts the calling thread below all others of the process. Not done on this system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lower() {}
