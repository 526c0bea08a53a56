use crate::timing::Halt;
use stallcast_clock::spawn_thread;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a source that is dropped waits for its thread. A driver that does not come back keeps its thread: the show
/// must not wait for it.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The thread of a source. Dropping it tells the thread to end and waits, but not for ever.
#[derive(Debug)]
pub(crate) struct Worker {
    halt: Halt,
    ended: Ended,
    thread: Option<JoinHandle<()>>,
}

/// Set when a thread is over, however it ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended(Arc<(Mutex<bool>, Condvar)>);

impl Ended {
    /// False if it is not over within `limit`.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let over = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        *self.0.1.wait_timeout_while(over, limit, |over| !*over).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct SetOnDrop(Ended);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        *self.0.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.0.1.notify_all();
    }
}

impl Worker {
    /// Starts a named thread that watches the [`Halt`] it gets.
    ///
    /// # Errors
    /// The OS has no room for another thread.
    pub(crate) fn spawn(name: &str, body: impl FnOnce(Halt) + Send + 'static) -> std::io::Result<Self> {
        let (halt, ended) = (Halt::default(), Ended::default());
        let (told, over) = (halt.clone(), SetOnDrop(ended.clone()));
        let thread = spawn_thread(name, move || {
            let _over = over;
            body(told);
        })?;
        Ok(Self { halt, ended, thread: Some(thread) })
    }

    /// Has it ended, told to or not?
    pub(crate) fn is_over(&self) -> bool {
        self.ended.is_set()
    }

    /// Tells the thread to end without waiting for it; the answer tells when it has.
    pub(crate) fn abandon(mut self) -> Ended {
        self.halt.set();
        self.thread = None;
        self.ended.clone()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.halt.set();
        let Some(thread) = self.thread.take() else { return };
        let name = thread.thread().name().unwrap_or_default().to_owned();
        if !self.ended.wait(PATIENCE) {
            tracing::warn!(name, "a source's thread does not come back from its driver; left behind");
        } else if thread.join().is_err() {
            tracing::error!(name, "a source's thread ended with a panic");
        }
    }
}
