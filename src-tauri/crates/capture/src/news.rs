use stallcast_media::Health;
use std::sync::{Arc, Mutex, PoisonError};

/// Events kept for a reader that does not come; more cannot tell it more.
const MOST: usize = 64;

/// Events of one source on their way to its owner. Overflow policy: the newest are not added.
#[derive(Debug, Clone, Default)]
pub(crate) struct News(Arc<Mutex<Vec<Health>>>);

impl News {
    pub(crate) fn add(&self, health: Health) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST {
            waiting.push(health);
        }
    }

    pub(crate) fn take(&self) -> Vec<Health> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
