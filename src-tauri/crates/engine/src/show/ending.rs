//! The end of a show: encoders flush, destinations close, and its figures are summed up. Its files become plain ones,
//! which may take longer than anybody waits.

use super::Show;
use crate::encode::Sink;
use crate::protocol::Summary;
use crate::usage::own_usage;
use stallcast_broadcast::{LinkFigures, earlier_parts};
use stallcast_media::LossCounters;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longest wait for the encoder of a clean feed to flush its last packets; nobody waits for that.
pub(crate) const FLUSH_LIMIT: Duration = Duration::from_secs(3);
/// Of the show's end, of which two seconds are promised: encoders that flush no more packets by then are caught in a call, or the
/// machine has no room for them.
const ENCODERS_LIMIT: Duration = Duration::from_millis(1400);
/// Longest wait for all sinks, from the beginning of the end. What a file needs beyond goes on beside whatever comes next.
const END_LIMIT: Duration = Duration::from_millis(1900);
/// So much earlier a destination has to be done, for its last figures to be counted.
const SLACK: Duration = Duration::from_millis(100);
/// Longest time a recording may take to become a plain MP4: ten hours at the rate of a memory card.
pub(crate) const FILE_LIMIT: Duration = Duration::from_secs(3600);

impl Show {
    /// Flushes the encoders, closes destinations, begins to finish the files. Takes two seconds at most, seldom one.
    pub(crate) fn end(mut self) -> Summary {
        let begun = Instant::now();
        self.feed.ending.store(true, Ordering::Release);
        for (done, part) in [(&self.picture_done, "picture"), (&self.sound_done, "sound")] {
            if !done.wait(ENCODERS_LIMIT.saturating_sub(begun.elapsed())) {
                tracing::error!(part, "an encoder did not flush in time");
            }
        }
        self.finish_sinks(begun + END_LIMIT);
        self.repair_earlier_parts();
        self.take_news();
        let (usage, counters) = (own_usage(), &self.feed.counters);
        let links = self.links();
        Summary {
            frames_composed: counters.composed(),
            loss: LossCounters {
                lagged: counters.lagged(),
                skipped: counters.skipped(),
                dropped: links.iter().map(|link| link.dropped).sum(),
            },
            frames_encoded: counters.encoded(),
            audio_blocks: counters.audio_blocks(),
            links,
            recordings: self.recordings.clone(),
            clean_feeds: self.clean.files().to_vec(),
            clean_skipped: self.clean.skipped(),
            disk_full: self.disk_full,
            cpu_s: usage.cpu_s,
            peak_rss_bytes: usage.peak_rss_bytes,
        }
    }

    /// The end of a show that did not begin.
    pub(super) fn take_back_sinks(&mut self) {
        self.finish_sinks(Instant::now() + END_LIMIT);
    }

    /// What a media process that died left behind becomes a plain file too: it plays as it is, but cannot be searched.
    fn repair_earlier_parts(&self) {
        let files: Vec<_> = self.recordings.iter().chain(self.clean.files()).cloned().collect();
        if files.is_empty() {
            return;
        }
        // Even to look for them may take as long as a disk does.
        let repaired = self.finishing.spawn("rec:parts", move || {
            for part in files.iter().flat_map(|path| earlier_parts(path)) {
                match stallcast_broadcast::recover(&part) {
                    Ok(Some(_)) => tracing::info!(part = %part.display(), "an earlier part of the recording was finished"),
                    Ok(None) => {}
                    Err(e) => tracing::warn!(part = %part.display(), error = %e, "an earlier part of the recording stays as it is"),
                }
            }
        });
        if let Err(e) = repaired {
            tracing::error!(error = %e, "no thread to finish earlier parts of the recording; they stay as they are and play");
        }
    }

    /// All at once: the slowest decides, until `deadline`.
    fn finish_sinks(&mut self, deadline: Instant) {
        let limit = deadline.saturating_duration_since(Instant::now()).saturating_sub(SLACK);
        type Finish = Box<dyn FnOnce() -> Option<(usize, LinkFigures)> + Send>;
        let mut link = 0;
        let mut finishes: Vec<Finish> = Vec::new();
        if let Some(clean) = self.clean.end() {
            finishes.push(Box::new(move || {
                clean();
                None
            }));
        }
        for sink in self.outlets.take(|_| true) {
            let index = link;
            finishes.push(match sink {
                Sink::Rtmp(sink) => {
                    link += 1;
                    Box::new(move || Some((index, sink.finish(limit))))
                }
                Sink::Recording(sink) => Box::new(move || {
                    sink.finish(FILE_LIMIT);
                    None
                }),
                Sink::Hls(sink) => Box::new(move || {
                    sink.finish(limit);
                    None
                }),
            });
        }
        let (tell, told) = channel();
        for finish in finishes {
            let tell = tell.clone();
            let started = self.finishing.spawn("sink:finish", move || {
                // Nobody may listen any more by then.
                let _ = tell.send(finish());
            });
            if let Err(e) = started {
                tracing::error!(error = %e, "no thread to finish a sink");
            }
        }
        drop(tell);
        loop {
            match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Some((index, figures))) => {
                    if let Some(link) = self.links.get_mut(index) {
                        link.figures = figures;
                    }
                }
                Ok(None) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    tracing::info!("the show is over; its files are still being finished");
                    break;
                }
            }
        }
        self.recording = None;
    }
}
