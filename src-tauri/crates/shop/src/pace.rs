//! How fast somebody may come: a burst, then one at a time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Addresses that are remembered at a time. Beyond, an address that is not among them is let through: the limit of the whole
/// shop still holds.
const ADDRESSES_MOST: usize = 4_096;

/// A rate: `burst` at once, and one more every `every_ms`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub every_ms: i64,
    pub burst: i64,
}

impl Pace {
    /// Takes a place at `now_ms`, or says how long to wait, in ms. `due_ms` is when all that was taken is worked off.
    fn take(self, due_ms: &mut i64, now_ms: i64) -> Result<(), i64> {
        let most = self.every_ms * self.burst;
        // A clock that was set back owes no more than a whole burst.
        *due_ms = (*due_ms).clamp(now_ms, now_ms + most);
        let next_ms = *due_ms + self.every_ms;
        if next_ms - now_ms > most {
            return Err(next_ms - now_ms - most);
        }
        *due_ms = next_ms;
        Ok(())
    }
}

/// One pace for all.
#[derive(Debug)]
pub(crate) struct Shared {
    pace: Pace,
    due_ms: Mutex<i64>,
}

impl Shared {
    pub(crate) const fn new(pace: Pace) -> Self {
        Self { pace, due_ms: Mutex::new(0) }
    }

    /// Takes a place, or says how long to wait, in ms.
    pub(crate) fn take(&self, now_ms: i64) -> Result<(), i64> {
        self.pace.take(&mut self.due_ms.lock().unwrap_or_else(PoisonError::into_inner), now_ms)
    }
}

/// The same pace for each remote address. An IPv6 address counts by its first 64 bits: the rest is its owner's choice.
#[derive(Debug)]
pub(crate) struct PerAddress {
    pace: Pace,
    due_ms: Mutex<HashMap<IpAddr, i64>>,
}

impl PerAddress {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, due_ms: Mutex::default() }
    }

    /// Takes a place for an address, or says how long to wait, in ms.
    pub(crate) fn take(&self, from: IpAddr, now_ms: i64) -> Result<(), i64> {
        let from = match from.to_canonical() {
            IpAddr::V6(v6) => IpAddr::from((v6.to_bits() >> 64 << 64).to_be_bytes()),
            v4 => v4,
        };
        let mut due_ms = self.due_ms.lock().unwrap_or_else(PoisonError::into_inner);
        if due_ms.len() >= ADDRESSES_MOST && !due_ms.contains_key(&from) {
            // Who owes nothing is as one who never came.
            due_ms.retain(|_, due| *due > now_ms);
            if due_ms.len() >= ADDRESSES_MOST {
                return Ok(());
            }
        }
        self.pace.take(due_ms.entry(from).or_insert(now_ms), now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const PACE: Pace = Pace { every_ms: 200, burst: 3 };

    #[test]
    fn a_burst_then_one_at_a_time() {
        let shared = Shared::new(PACE);
        assert_eq!([0; 4].map(|now| shared.take(now)), [Ok(()), Ok(()), Ok(()), Err(200)]);
        assert_eq!((shared.take(199), shared.take(200), shared.take(201)), (Err(1), Ok(()), Err(199)));
        assert_eq!([10_000; 4].map(|now| shared.take(now)), [Ok(()), Ok(()), Ok(()), Err(200)], "rest earns one burst, not more");
        // The clock is set back by a year.
        assert_eq!((shared.take(-1_000_000), shared.take(-999_800)), (Err(200), Ok(())));
    }

    #[test]
    fn addresses_do_not_wait_for_each_other() {
        let addresses = PerAddress::new(PACE);
        let of = |last: u8| IpAddr::from([192, 0, 2, last]);
        for _ in 0..3 {
            assert_eq!(addresses.take(of(1), 0), Ok(()));
        }
        assert_eq!((addresses.take(of(1), 0), addresses.take(of(2), 0)), (Err(200), Ok(())));
        let six = |text: &str| text.parse::<IpAddr>().expect("an address");
        for last in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff"] {
            assert_eq!(addresses.take(six(last), 0), Ok(()));
        }
        assert_eq!((addresses.take(six("2001:db8::9"), 0), addresses.take(six("2001:db8:0:1::9"), 0)), (Err(200), Ok(())));
        assert_eq!(addresses.take(six("::ffff:192.0.2.1"), 0), Err(200), "the same one, written otherwise");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_those_who_owe_stay() {
        let addresses = PerAddress::new(PACE);
        let of = |n: u32| IpAddr::from(Ipv4Addr::from(n));
        let count = || addresses.due_ms.lock().expect("unpoisoned").len();
        for n in 0..5_000 {
            assert_eq!(addresses.take(of(n), 0), Ok(()));
        }
        assert_eq!(count(), ADDRESSES_MOST);
        for _ in 0..2 {
            assert_eq!(addresses.take(of(7), 0), Ok(()));
        }
        assert_eq!(addresses.take(of(7), 0), Err(200), "one that is remembered is held");
        assert_eq!(addresses.take(of(9_999), 300), Ok(()));
        assert_eq!(count(), 2, "the new one, and the one that still owes");
    }
}
