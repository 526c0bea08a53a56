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
    /// Of each link, by its id.
    links: BTreeMap<String, Gone>,
}

/// What became of one link in processes that are gone.
#[derive(Debug, Clone, Default)]
struct Gone {
    bytes: u64,
    reconnects: u32,
    dropped: u64,
    /// How many there were.
    processes: u32,
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
            let gone = self.links.entry(link.id.clone()).or_default();
            gone.bytes += link.bytes_sent;
            gone.reconnects += link.reconnects;
            gone.dropped += link.dropped;
            gone.processes += 1;
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
            if let Some(gone) = self.links.get(&link.id) {
                // Each process after the first connected anew, the last one if it sent anything.
                let anew = gone.processes - u32::from(link.bytes_sent == 0);
                link.reconnects += gone.reconnects + anew;
                link.bytes_sent += gone.bytes;
                link.dropped += gone.dropped;
            }
        }
    }
}

const fn plus(a: LossCounters, b: LossCounters) -> LossCounters {
    LossCounters { lagged: a.lagged + b.lagged, skipped: a.skipped + b.skipped, dropped: a.dropped + b.dropped }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use stallcast_engine::protocol::{LinkState, LinkStatus};

    fn links(bytes_sent: u64, reconnects: u32) -> Vec<LinkStatus> {
        let (id, host) = ("a".to_owned(), "one".to_owned());
        vec![LinkStatus { id, host, state: LinkState::Closed, bytes_sent, reconnects, dropped: 1, behind_ms: 0 }]
    }

    pub(crate) fn summary(links: Vec<LinkStatus>) -> Summary {
        Summary {
            frames_composed: 10,
            loss: LossCounters::default(),
            frames_encoded: 10,
            audio_blocks: 10,
            links,
            recordings: vec![],
            clean_feeds: vec![],
            clean_skipped: 0,
            disk_full: false,
            cpu_s: 1.0,
            peak_rss_bytes: 1,
        }
    }

    #[test]
    fn a_summary_counts_every_process_of_the_show_once() {
        let mut departed = Departed::default();
        departed.add(&Stats { frames_encoded: 30, links: links(100, 2), ..Stats::default() });
        departed.add(&Stats { frames_encoded: 3, links: links(50, 0), ..Stats::default() });
        let counted = |last: Vec<LinkStatus>| {
            let mut summary = summary(last);
            departed.complete(&mut summary);
            (summary.frames_encoded, summary.links[0].bytes_sent, summary.links[0].reconnects, summary.links[0].dropped)
        };
        assert_eq!(counted(links(7, 1)), (43, 157, 2 + 1 + 2, 3), "three processes connected");
        let mut never = links(0, 0);
        never[0].dropped = 0;
        assert_eq!(counted(never), (43, 150, 2 + 1, 2), "the last one never did");
    }
}
