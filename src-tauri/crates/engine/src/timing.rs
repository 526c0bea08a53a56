use stallcast_clock::{Clock as _, SystemClock};
use stallcast_media::Pts;

/// Now, on the clock that sources stamp with.
pub(crate) fn now() -> Pts {
    Pts(SystemClock.mono().0)
}

/// Wall clock, ms UTC.
pub(crate) fn utc_ms() -> i64 {
    SystemClock.utc_ms()
}

/// Sleeps until an instant of the monotonic clock. An absolute deadline does not add up the time between reading the
/// clock and falling asleep.
#[cfg(target_os = "linux")]
pub(crate) fn sleep_until(deadline: Pts) {
    use stallcast_media::NANOS_PER_SEC;
    let at = rustix::time::Timespec { tv_sec: deadline.0.div_euclid(NANOS_PER_SEC), tv_nsec: deadline.0.rem_euclid(NANOS_PER_SEC) };
    // Interrupted by a signal: the same absolute deadline again.
    while rustix::thread::clock_nanosleep_absolute(rustix::thread::ClockId::Monotonic, &at) == Err(rustix::io::Errno::INTR) {}
}

/// Sleeps until an instant of the monotonic clock.
#[cfg(not(target_os = "linux"))]
pub(crate) fn sleep_until(deadline: Pts) {
    let left = deadline - now();
    if let Ok(nanos) = u64::try_from(left) {
        std::thread::sleep(std::time::Duration::from_nanos(nanos));
    }
}
