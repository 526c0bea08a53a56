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

/// Between the crash of a task and its next beginning.
const CRASH_PAUSE: Duration = Duration::from_millis(200);

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

    /// Starts a named task that outlives its own crashes: `make` begins it, the first time and each time after a panic. `on_crash` is
    /// told before. What crashes again and again is begun again five times a second.
    pub fn spawn_again<F>(&self, name: &'static str, on_crash: impl Fn() + Send + 'static, make: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.token();
        self.spawn(name, async move {
            loop {
                let run = tokio::spawn(make().in_current_span());
                if !run.await.is_err_and(|e| e.is_panic()) {
                    return;
                }
                tracing::error!(name, "a task crashed; it starts again");
                on_crash();
                if token.run_until_cancelled(tokio::time::sleep(CRASH_PAUSE)).await.is_none() {
                    return;
                }
            }
        });
    }

    /// Cancels all and waits up to `limit`; false if some did not end.
    pub async fn stop(&self, limit: Duration) -> bool {
        self.token.cancel();
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn a_task_outlives_its_crashes_and_ends_with_the_others() {
        let (tasks, begun, told) = (Tasks::new(), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (up, mut running) = tokio::sync::mpsc::channel(1);
        let (mine, heard, token) = (Arc::clone(&begun), Arc::clone(&told), tasks.token());
        let on_crash = move || {
            heard.fetch_add(1, Ordering::SeqCst);
        };
        tasks.spawn_again("fragile", on_crash, move || {
            let (time, up, token) = (mine.fetch_add(1, Ordering::SeqCst), up.clone(), token.clone());
            async move {
                assert!(time >= 2, "on purpose");
                up.send(()).await.expect("somebody waits");
                token.cancelled().await;
            }
        });
        let up = tokio::time::timeout(Duration::from_secs(20), running.recv()).await;
        assert_eq!(up, Ok(Some(())));
        assert_eq!((begun.load(Ordering::SeqCst), told.load(Ordering::SeqCst)), (3, 2));
        assert!(tasks.stop(Duration::from_secs(20)).await);
    }
}
