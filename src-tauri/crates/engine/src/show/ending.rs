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

/// Longest wait for an encoder to flush its last packets.
pub(crate) const FLUSH_LIMIT: Duration = Duration::from_secs(3);
/// Longest wait for a destination to close.
const LINK_LIMIT: Duration = Duration::from_millis(1500);
/// Longest wait of the show's end for all its sinks. What a file needs beyond goes on beside whatever comes next.
const SINKS_LIMIT: Duration = Duration::from_millis(1600);
/// Longest time a recording may take to become a plain MP4: ten hours at the rate of a memory card.
pub(crate) const FILE_LIMIT: Duration = Duration::from_secs(3600);

impl Show {
    /// Flushes the encoders, closes destinations, begins to finish the files. Takes at most eight seconds, seldom one.
    pub(crate) fn end(mut self) -> Summary {
        self.feed.ending.store(true, Ordering::Release);
        for (done, part) in [(&self.picture_done, "picture"), (&self.sound_done, "sound")] {
            if !done.wait(FLUSH_LIMIT) {
                tracing::error!(part, "an encoder did not flush in time");
            }
        }
        self.finish_sinks();
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

    /// What a media process that died left behind becomes a plain file too: it plays as it is, but cannot be searched.
    fn repair_earlier_parts(&self) {
        let parts: Vec<_> = self.recordings.iter().chain(self.clean.files()).flat_map(|path| earlier_parts(path)).collect();
        if parts.is_empty() {
            return;
        }
        let repaired = self.finishing.spawn("rec:parts", move || {
            for part in parts {
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

    /// All at once: the slowest decides, within [`SINKS_LIMIT`].
    pub(super) fn finish_sinks(&mut self) {
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
                    Box::new(move || Some((index, sink.finish(LINK_LIMIT))))
                }
                Sink::Recording(sink) => Box::new(move || {
                    sink.finish(FILE_LIMIT);
                    None
                }),
                Sink::Hls(sink) => Box::new(move || {
                    sink.finish(LINK_LIMIT);
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
        let deadline = Instant::now() + SINKS_LIMIT;
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
