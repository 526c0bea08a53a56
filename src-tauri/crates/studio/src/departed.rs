//! What media processes that died in the running show had counted: the next one begins at zero, the show does not.

use stallcast_engine::protocol::{Stats, Summary};
use stallcast_media::LossCounters;
use std::collections::BTreeMap;

/// Sums over the processes that are gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Departed {
    /// CPU seconds, those before the show too: they cannot be told apart.
    pub cpu_s: f64,
    loss: LossCounters,
    frames_composed: u64,
    frames_encoded: u64,
    audio_blocks: u64,
    clean_skipped: u64,
    /// Bytes, reconnects and dropped frames of each link, by its id.
    links: BTreeMap<String, (u64, u32, u64)>,
}

impl Departed {
    /// One died; these were its last figures.
    pub(crate) fn add(&mut self, last: &Stats) {
        self.cpu_s += last.cpu_s;
        self.loss = plus(self.loss, last.loss);
        self.frames_composed += last.frames_composed;
        self.frames_encoded += last.frames_encoded;
        self.audio_blocks += last.audio_blocks;
        self.clean_skipped += last.clean_skipped;
        for link in &last.links {
            let (bytes, reconnects, dropped) = self.links.entry(link.id.clone()).or_default();
            *bytes += link.bytes_sent;
            // The next process had to connect anew.
            *reconnects += link.reconnects + 1;
            *dropped += link.dropped;
        }
    }

    /// Losses of the whole show, with those that the present process has counted.
    pub(crate) fn loss_with(&self, now: LossCounters) -> LossCounters {
        plus(self.loss, now)
    }

    /// Makes the last process's summary the show's. CPU and memory are added elsewhere, with those of all processes.
    pub(crate) fn complete(&self, summary: &mut Summary) {
        summary.loss = plus(self.loss, summary.loss);
        summary.frames_composed += self.frames_composed;
        summary.frames_encoded += self.frames_encoded;
        summary.audio_blocks += self.audio_blocks;
        summary.clean_skipped += self.clean_skipped;
        for link in &mut summary.links {
            if let Some((bytes, reconnects, dropped)) = self.links.get(&link.id) {
                link.bytes_sent += bytes;
                link.reconnects += reconnects;
                link.dropped += dropped;
            }
        }
    }
}

const fn plus(a: LossCounters, b: LossCounters) -> LossCounters {
    LossCounters { lagged: a.lagged + b.lagged, skipped: a.skipped + b.skipped, dropped: a.dropped + b.dropped }
}
