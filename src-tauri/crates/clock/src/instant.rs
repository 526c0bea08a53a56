use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds on the OS monotonic clock (`CLOCK_MONOTONIC` where there is one), comparable between processes of one
/// boot and with the stamps of V4L2 and ALSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub i64);

impl Mono {
    /// Time since `earlier`, zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

/// Where the studio gets its time from. Injected so that tests can move it by hand.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Monotonic now.
    fn mono(&self) -> Mono;
    /// Wall clock now, ms UTC. For storage and people, never for durations.
    fn utc_ms(&self) -> i64;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn mono(&self) -> Mono {
        #[cfg(unix)]
        {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            Mono(now.tv_sec * 1_000_000_000 + now.tv_nsec)
        }
        #[cfg(not(unix))]
        {
            use std::sync::OnceLock;
            use std::time::Instant;
            static START: OnceLock<Instant> = OnceLock::new();
            let start = START.get_or_init(Instant::now);
            Mono(i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX))
        }
    }

    fn utc_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<(AtomicI64, AtomicI64)>);

impl ManualClock {
    /// Starts at monotonic zero and `utc_ms`.
    #[must_use]
    pub fn new(utc_ms: i64) -> Self {
        Self(Arc::new((AtomicI64::new(0), AtomicI64::new(utc_ms))))
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        self.0.0.fetch_add(i64::try_from(by.as_nanos()).unwrap_or(0), Ordering::SeqCst);
        self.0.1.fetch_add(i64::try_from(by.as_millis()).unwrap_or(0), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn mono(&self) -> Mono {
        Mono(self.0.0.load(Ordering::SeqCst))
    }
    fn utc_ms(&self) -> i64 {
        self.0.1.load(Ordering::SeqCst)
    }
}
