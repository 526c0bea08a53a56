//! Recordings that are being made plain files: hours of video take minutes to copy on a slow disk. A show that ends does
//! not wait for them; the process that ends does.

use stallcast_clock::spawn_thread;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The files at work. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Finishing(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: Mutex<usize>,
    less: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them; a panic ends it too.
struct One(Arc<Shared>);

impl Drop for One {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.less.notify_all();
    }
}

impl Finishing {
    /// Finishes on a thread of its own.
    ///
    /// # Errors
    /// No thread is to be had: the file stays as it is and plays.
    pub(crate) fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        *self.0.lock() += 1;
        let one = One(Arc::clone(&self.0));
        spawn_thread(name, move || {
            let _one = one;
            work();
        })
        .map(drop)
    }

    /// Waits until none is at work; false if some still are after `limit`.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let open = self.0.lock();
        let waited = self.0.less.wait_timeout_while(open, limit, |open| *open > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn waits_for_every_file_and_not_for_ever() {
        let finishing = Finishing::default();
        assert!(finishing.wait(Duration::ZERO), "nothing to wait for");
        let (go_on, told) = channel::<()>();
        let at_work = move || {
            let _ = told.recv();
        };
        finishing.spawn("file", at_work).expect("a thread");
        finishing.clone().spawn("broken", || panic!("on purpose")).expect("a thread");
        assert!(!finishing.wait(Duration::from_millis(50)), "one is at work");
        go_on.send(()).expect("it waits");
        assert!(finishing.wait(Duration::from_secs(20)));
    }
}
