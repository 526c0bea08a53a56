//! What this process has used. Files named by OS hold the rest.

#[cfg(target_os = "linux")]
#[path = "usage_linux.rs"]
mod os;
#[cfg(not(target_os = "linux"))]
#[path = "usage_other.rs"]
mod os;

pub(crate) use os::own_usage;

/// CPU and memory of this process since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// CPU seconds, all threads, user and system.
    pub(crate) cpu_s: f64,
    /// Most memory it ever held, bytes.
    pub(crate) peak_rss_bytes: u64,
}
