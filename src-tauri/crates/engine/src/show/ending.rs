//! The end of a show: encoders flush, destinations close, files become plain ones, and its figures are summed up.

use super::Show;
use crate::encode::Sink;
use crate::protocol::Summary;
use crate::usage::own_usage;
use stallcast_broadcast::{LinkFigures, earlier_parts};
use stallcast_clock::spawn_thread;
use stallcast_media::LossCounters;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Longest wait for an encoder to flush its last packets.
pub(crate) const FLUSH_LIMIT: Duration = Duration::from_secs(3);
/// Longest wait for a destination to close.
const LINK_LIMIT: Duration = Duration::from_millis(1500);
/// Longest wait for a recording to become a plain MP4: an hour of video is copied once.
pub(crate) const FILE_LIMIT: Duration = Duration::from_secs(60);

impl Show {
    /// Flushes the encoders, closes destinations, finishes files.
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
        for part in self.recordings.iter().chain(self.clean.files()).flat_map(|path| earlier_parts(path)) {
            match stallcast_broadcast::recover(&part) {
                Ok(Some(_)) => tracing::info!(part = %part.display(), "an earlier part of the recording was finished"),
                Ok(None) => {}
                Err(e) => tracing::warn!(part = %part.display(), error = %e, "an earlier part of the recording stays as it is"),
            }
        }
    }

    /// All at once: the slowest decides.
    pub(super) fn finish_sinks(&mut self) {
        let mut link = 0;
        let mut finishing = Vec::new();
        if let Some(clean) = self.clean.end() {
            match spawn_thread("sink:finish", move || {
                clean();
                None
            }) {
                Ok(thread) => finishing.push(thread),
                Err(e) => tracing::error!(error = %e, "no thread to finish the clean feed"),
            }
        }
        for sink in self.outlets.take(|_| true) {
            let index = link;
            let finish: Box<dyn FnOnce() -> Option<(usize, LinkFigures)> + Send> = match sink {
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
            };
            match spawn_thread("sink:finish", finish) {
                Ok(thread) => finishing.push(thread),
                Err(e) => tracing::error!(error = %e, "no thread to finish a sink"),
            }
        }
        for thread in finishing {
            match thread.join() {
                Ok(Some((index, figures))) => {
                    if let Some(link) = self.links.get_mut(index) {
                        link.figures = figures;
                    }
                }
                Ok(None) => {}
                Err(_) => tracing::error!("a sink crashed while it was finished"),
            }
        }
        self.recording = None;
    }
}
