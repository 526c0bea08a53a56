//! What the tests of this crate share: real packets out of ffmpeg, a player that pushes them in real time, and a look
//! at what came out.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare itself has failed")]

pub mod clip;
pub mod disk;
pub mod fickle;
pub mod look;
pub mod m3u8;
pub mod nginx;
pub mod proxy;
pub mod tls;

use std::time::{Duration, Instant};

/// Waits for `ready` with a deadline; the test fails with `what` when it passes.
pub fn wait_for<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < until, "waited {limit:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
