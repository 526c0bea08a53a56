//! How often a platform may be asked.

use crate::PlatformError;
use stallcast_clock::{Clock, Mono};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest wait for a turn. Who would have to wait longer hears it instead.
const WAIT_MOST: Duration = Duration::from_secs(2);
/// Longest pause that a platform may ask for.
const PAUSE_MOST: Duration = Duration::from_secs(24 * 3_600);
/// A minute's quota is used up: a little longer than a minute.
const MINUTE: Duration = Duration::from_secs(61);
/// Platforms whose quotas end at midnight mean Beijing's: hours ahead of UTC.
const BEIJING_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// A token bucket: so many requests at once, and so many a second from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests at once, from 1.
    pub burst: u32,
    /// Requests a second, from 1.
    pub per_second: u32,
}

/// A quota that a platform says is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Of this minute (`WeChat` 45011).
    Minute,
    /// Of this day, Beijing time (`WeChat` 45009).
    Day,
}

impl Quota {
    /// How long there is nothing more to ask, at this instant of the platform's clock, ms UTC.
    #[must_use]
    pub fn pause(self, now_ms: i64) -> Duration {
        match self {
            Self::Minute => MINUTE,
            Self::Day => {
                let left = DAY_MS - (now_ms + BEIJING_MS).rem_euclid(DAY_MS);
                Duration::from_millis(u64::try_from(left).unwrap_or(0)) + MINUTE
            }
        }
    }
}

/// What `Retry-After` asks for: seconds, or a date by the platform's clock, ms UTC. `None` for anything else.
#[must_use]
pub fn retry_after(text: &str, now_ms: i64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds).min(PAUSE_MOST));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).ok()?);
    Some(at.duration_since(now).unwrap_or(Duration::ZERO).min(PAUSE_MOST))
}

/// An HTTP date as ms UTC.
#[must_use]
pub fn http_date_ms(text: &str) -> Option<i64> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// The door of one connection: every exchange of every worker goes through it. Safe from any task.
#[derive(Debug)]
pub struct Gate {
    /// Between two requests in the long run, ns.
    apart_ns: i64,
    /// How far ahead of the long run a burst may be, ns.
    slack_ns: i64,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the next request would come in the long run.
    due: Mono,
    closed_until: Option<Mono>,
}

impl Gate {
    /// An open gate with a full bucket.
    #[must_use]
    pub fn new(rate: Rate, clock: Arc<dyn Clock>) -> Self {
        let apart_ns = 1_000_000_000 / i64::from(rate.per_second.max(1));
        let state = State { due: clock.mono(), closed_until: None };
        Self { apart_ns, slack_ns: apart_ns * i64::from(rate.burst.max(1) - 1), clock, state: Mutex::new(state) }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`PlatformError::RateLimited`] without asking anybody: the platform wants to be left alone, or the queue is long.
    pub async fn pass(&self) -> Result<(), PlatformError> {
        let wait = self.take()?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Takes a turn and tells how long it is away.
    fn take(&self) -> Result<Duration, PlatformError> {
        let now = self.clock.mono();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = state.closed_until {
            let rest = until.since(now);
            if !rest.is_zero() {
                return Err(PlatformError::RateLimited { retry_after: rest });
            }
            state.closed_until = None;
        }
        let due = state.due.max(now);
        let wait = Mono(due.0 - self.slack_ns).since(now);
        if wait > WAIT_MOST {
            return Err(PlatformError::RateLimited { retry_after: wait });
        }
        state.due = Mono(due.0 + self.apart_ns);
        Ok(wait)
    }

    /// The platform wants to be left alone for so long, by everybody on this connection.
    pub fn close_for(&self, pause: Duration) {
        let now = self.clock.mono();
        let until = Mono(now.0.saturating_add(i64::try_from(pause.min(PAUSE_MOST).as_nanos()).unwrap_or(i64::MAX)));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed_until = Some(state.closed_until.map_or(until, |there| there.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_clock::ManualClock;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let clock = ManualClock::new(0);
        let gate = Gate::new(Rate { burst: 3, per_second: 10 }, Arc::new(clock.clone()));
        let waits = |n: usize| (0..n).map(|_| gate.take().map(|w| w.as_millis())).collect::<Vec<_>>();
        assert_eq!(waits(5), [Ok(0), Ok(0), Ok(0), Ok(100), Ok(200)]);
        clock.advance(Duration::from_millis(200));
        assert_eq!(waits(1), [Ok(100)], "those who waited have gone through");
        clock.advance(Duration::from_secs(60));
        assert_eq!(waits(4), [Ok(0), Ok(0), Ok(0), Ok(100)], "the bucket holds no more than a burst");
        // A queue of more than two seconds is not queued up.
        let refused = (0..100).find_map(|_| gate.take().err());
        assert!(matches!(refused, Some(PlatformError::RateLimited { retry_after }) if retry_after > WAIT_MOST));
        assert!(gate.take().is_err(), "and who was refused took no turn");
        clock.advance(Duration::from_millis(200));
        assert!(gate.take().is_ok());
    }

    #[test]
    fn a_pause_holds_for_everybody_and_is_never_shortened() {
        let clock = ManualClock::new(0);
        let gate = Gate::new(Rate { burst: 9, per_second: 9 }, Arc::new(clock.clone()));
        gate.close_for(Duration::from_secs(30));
        gate.close_for(Duration::from_secs(3));
        assert_eq!(gate.take(), Err(PlatformError::RateLimited { retry_after: Duration::from_secs(30) }));
        clock.advance(Duration::from_secs(29));
        assert_eq!(gate.take(), Err(PlatformError::RateLimited { retry_after: Duration::from_secs(1) }));
        clock.advance(Duration::from_secs(1));
        assert_eq!(gate.take(), Ok(Duration::ZERO));
    }

    #[test]
    fn pauses_are_read_in_both_forms() {
        let at = http_date_ms("Sun, 06 Nov 1994 08:49:37 GMT").expect("date");
        let pause = |text, now| retry_after(text, now).map(|d| d.as_secs());
        assert_eq!(pause(" 120 ", at), Some(120));
        assert_eq!(pause("Sun, 06 Nov 1994 08:50:07 GMT", at), Some(30));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:07 GMT", at), Some(0), "that time is over");
        assert_eq!(pause("Fri, 31 Dec 9999 23:59:59 GMT", at), Some(86_400), "nobody is silenced for ever");
        assert_eq!(pause("99999999999", at), Some(86_400));
        for bad in ["", "-1", "1.5", "soon", "99999999999999999999999"] {
            assert_eq!(pause(bad, at), None, "{bad}");
        }
    }

    #[test]
    fn a_day_ends_at_midnight_in_beijing() {
        // 23:00 in Beijing, 15:00 UTC.
        assert_eq!(Quota::Day.pause(15 * 3_600_000), Duration::from_secs(3_600) + MINUTE);
        assert_eq!(Quota::Day.pause(16 * 3_600_000), Duration::from_secs(86_400) + MINUTE);
        assert!(Quota::Minute.pause(0) > Duration::from_secs(60));
    }
}
