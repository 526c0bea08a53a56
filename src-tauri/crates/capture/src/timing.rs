use stallcast_clock::{Clock as _, SystemClock};
use stallcast_media::Pts;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Now, on the clock that every source stamps with.
pub(crate) fn now() -> Pts {
    Pts(SystemClock.mono().0)
}

/// Tells a thread to end, also while it waits for an instant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halt(Arc<(Mutex<bool>, Condvar)>);

impl Halt {
    /// From now on every wait ends at once.
    pub(crate) fn set(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `deadline`; true when told to end. The deadline is absolute, so waits do not add up to a drift.
    pub(crate) fn wait_until(&self, deadline: Pts) -> bool {
        let mut set = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !*set {
            let Ok(left) = u64::try_from(deadline - now()) else { return false };
            if left == 0 {
                return false;
            }
            set = self.0.1.wait_timeout(set, Duration::from_nanos(left)).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
