use std::future::Future;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Starts a named OS thread. The caller joins it.
///
/// # Errors
/// The OS has no room for another thread.
pub fn spawn_thread<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> std::io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// The tasks of one owner: named, cancelled together, joined with a deadline.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The token that every task of this owner watches.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Starts a named task on the current tokio runtime.
    pub fn spawn(&self, name: &'static str, body: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(body.instrument(tracing::info_span!("task", name)));
    }

    /// Cancels all and waits up to `limit`; false if some did not end.
    pub async fn stop(&self, limit: Duration) -> bool {
        self.token.cancel();
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }
}
