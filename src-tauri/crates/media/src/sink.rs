use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The three losses, never mixed: *lagged* frames were composed late, *skipped* ones the encoder had no time for,
/// *dropped* ones a sink could not pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LossCounters {
    /// Ticks of the program clock that passed without a composed frame.
    pub lagged: u64,
    /// Composed frames that were not encoded.
    pub skipped: u64,
    /// Encoded video packets that a destination did not get.
    pub dropped: u64,
}

/// Counters shared by the threads of a show; relaxed, so a reader may be one event behind.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    composed: AtomicU64,
    lagged: AtomicU64,
    skipped: AtomicU64,
    encoded: AtomicU64,
    audio_blocks: AtomicU64,
}

macro_rules! counter {
    ($($(#[$doc:meta])* $add:ident $get:ident $field:ident;)*) => {$(
        $(#[$doc])*
        pub fn $add(&self, n: u64) {
            self.0.$field.fetch_add(n, Ordering::Relaxed);
        }
        /// The count so far.
        #[must_use]
        pub fn $get(&self) -> u64 {
            self.0.$field.load(Ordering::Relaxed)
        }
    )*};
}

impl Counters {
    counter! {
        /// Frames composed.
        add_composed composed composed;
        /// Ticks missed.
        add_lagged lagged lagged;
        /// Frames the encoder had no room for.
        add_skipped skipped skipped;
        /// Video packets that came out of the encoder.
        add_encoded encoded encoded;
        /// Blocks of 1024 sample frames encoded.
        add_audio_blocks audio_blocks audio_blocks;
    }
}
