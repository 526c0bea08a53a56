use std::time::Duration;

/// Growing waits between tries: doubles from `first` to `most`, each shortened by up to a fifth so that many clients do
/// not come back in step.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    tries: u32,
    seed: u64,
}

impl Backoff {
    /// `seed` only spreads the jitter; any number will do.
    #[must_use]
    pub const fn new(first: Duration, most: Duration, seed: u64) -> Self {
        Self { first, most, tries: 0, seed }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let full = self.first.saturating_mul(1 << self.tries.min(20)).min(self.most);
        self.tries = self.tries.saturating_add(1);
        // SplitMix64: small, good enough to part clients, no dependency.
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^= z >> 27;
        let fifth = u64::try_from(full.as_nanos() / 5).unwrap_or(0);
        full - Duration::from_nanos(if fifth == 0 { 0 } else { z % fifth })
    }

    /// Starts again from the first wait after a success.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }

    /// Tries since the last success.
    #[must_use]
    pub const fn tries(&self) -> u32 {
        self.tries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_start_again_after_success() {
        let mut b = Backoff::new(Duration::from_millis(500), Duration::from_secs(5), 7);
        let waits: Vec<_> = (0..8).map(|_| b.next_wait()).collect();
        assert!(waits.iter().all(|w| *w <= Duration::from_secs(5)));
        assert!(waits[0] <= Duration::from_millis(500) && waits[0] >= Duration::from_millis(400));
        assert!(waits[7] >= Duration::from_secs(4));
        b.reset();
        assert!(b.next_wait() <= Duration::from_millis(500));
    }
}
