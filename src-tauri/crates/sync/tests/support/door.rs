//! What stands between the workers and a platform that counts: the gate that every adapter has, and behind it the platform's quota.

use stallcast_clock::Clock;
use stallcast_platform::PlatformError;
use stallcast_platform::limits::{Gate, Quota, Rate};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// The door of one connection.
#[derive(Debug)]
pub struct Door {
    gate: Gate,
    /// Exchanges until the minute's quota is used up.
    left: AtomicI64,
    arrived: AtomicU32,
    refused: AtomicU32,
}

impl Door {
    /// As many exchanges as the platform gives a minute; [`Self::refill`] begins the next one.
    pub fn new(rate: Rate, quota: i64, clock: Arc<dyn Clock>) -> Arc<Self> {
        let gate = Gate::new(rate, clock);
        Arc::new(Self { gate, left: AtomicI64::new(quota), arrived: AtomicU32::new(0), refused: AtomicU32::new(0) })
    }

    /// The next minute.
    pub fn refill(&self) {
        self.left.store(i64::MAX, Ordering::SeqCst);
    }

    /// Exchanges that reached the platform, those that it refused included.
    pub fn arrived(&self) -> u32 {
        self.arrived.load(Ordering::SeqCst)
    }

    /// Those that it refused because the quota was used up.
    pub fn refused(&self) -> u32 {
        self.refused.load(Ordering::SeqCst)
    }

    /// One exchange, as an adapter makes it.
    pub async fn pass(&self) -> Result<(), PlatformError> {
        self.gate.pass().await?;
        self.arrived.fetch_add(1, Ordering::SeqCst);
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        let retry_after = Quota::Minute.pause(0);
        self.gate.close_for(retry_after);
        Err(PlatformError::RateLimited { retry_after })
    }
}
