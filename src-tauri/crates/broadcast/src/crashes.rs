use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Crashing again within this time is no accident: going on would fill the disk with beginnings.
const TOO_SOON: Duration = Duration::from_secs(10);

/// Crashes of a thread that writes files: caught, counted for who tells of them, and outlived.
#[derive(Debug, Default)]
pub(crate) struct Crashes(AtomicU32);

impl Crashes {
    /// Runs `body` to its end, anew after a crash (then it gets `true`). One that crashes as soon as it is back has failed.
    pub fn outlive(&self, mut body: impl FnMut(bool) -> io::Result<()>) -> io::Result<()> {
        let mut last: Option<Instant> = None;
        loop {
            if let Ok(ended) = catch_unwind(AssertUnwindSafe(|| body(last.is_some()))) {
                return ended;
            }
            // What it said is in the log: the panic hook writes there.
            tracing::error!("the writer of a file crashed; starting again");
            self.0.fetch_add(1, Ordering::Relaxed);
            if last.replace(Instant::now()).is_some_and(|before| before.elapsed() < TOO_SOON) {
                return Err(io::Error::other("crashes again and again"));
            }
        }
    }

    /// How many since the last call.
    pub fn take(&self) -> u32 {
        self.0.swap(0, Ordering::Relaxed)
    }
}
