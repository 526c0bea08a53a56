//! The picture's bitrate in a running show: what the slowest link carries and the recording's disk has room for, and what
//! people are told of it.

use super::{Link, Show};
use crate::hub::Subject;
use stallcast_media::{Health, HealthCode};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Below this share of the full rate a person is told, percent.
const TOLD_BELOW: u32 = 90;
/// Once it was so for this long: a short dip is nobody's business.
const TOLD_AFTER: Duration = Duration::from_secs(3);
/// From this share on all is well again, percent.
const WELL_FROM: u32 = 95;

impl Show {
    /// One encode for all: the slowest link that is being published to decides the picture's bitrate, and while there is
    /// none it is the full one.
    pub(super) fn follow_links(&mut self) {
        if self.congestion.look(Instant::now(), self.links.iter().map(|link| &link.figures)) {
            let kbps = self.congestion.kbps();
            match self.congestion.slowest().and_then(|slowest| self.links.get(slowest)) {
                Some(Link { host, figures, .. }) => {
                    let (behind_ms, way_ms) = (figures.behind.as_millis(), figures.way.as_millis());
                    tracing::info!(host, kbps, behind_ms, way_ms, "bitrate follows the link");
                }
                None => tracing::info!(kbps, "no link to follow: the bitrate is what it was before"),
            }
            self.set_rate();
        }
        self.tell_rate(Instant::now());
    }

    /// The picture's bitrate: what the slowest link carries, and what the room for the recording allows.
    pub(super) fn set_rate(&self) {
        let disk = share(self.full_kbps, self.disk_percent);
        self.kbps.store(self.congestion.kbps().min(disk), Ordering::Relaxed);
    }

    /// No recording runs: its disk has no say.
    pub(super) fn spare_no_more(&mut self) {
        self.disk_percent = 100;
        self.hub.forget(|subject| subject == Subject::Show("disk"));
        self.set_rate();
    }

    /// Share of its full bitrate that the links leave the picture, percent.
    pub(crate) fn picture_percent(&self) -> u32 {
        percent(self.congestion.kbps(), self.full_kbps)
    }

    fn tell_rate(&mut self, now: Instant) {
        let share = self.picture_percent();
        // It may have drained long before it is told of, and another one may be the slowest.
        let link = self.congestion.lowered_for().and_then(|link| self.links.get(link));
        match (self.lowered.look(now, share, link.is_some()), link) {
            // Of the show's one encode: no id, the next word of another link takes its place.
            (Some(Word::Lowered), Some(Link { host, .. })) => {
                self.hub.health(Health::new(HealthCode::PictureLowered).with("host", host).with("percent", share));
            }
            (Some(Word::Restored), _) => self.hub.health(Health::new(HealthCode::PictureRestored)),
            _ => {}
        }
    }
}

/// So much of the full rate: all of it is all of it, though it be no whole hundred.
pub(crate) fn share(full_kbps: u32, percent: u32) -> u32 {
    u32::try_from(u64::from(full_kbps) * u64::from(percent) / 100).unwrap_or(full_kbps)
}

fn percent(kbps: u32, full: u32) -> u32 {
    u32::try_from(u64::from(kbps) * 100 / u64::from(full.max(1))).unwrap_or(100).min(100)
}

/// What was told of the rate.
#[derive(Debug, Default)]
pub(super) struct Lowered {
    /// Since when it has been low enough to be told.
    since: Option<Instant>,
    /// The share that was told last, percent.
    told: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Lowered,
    Restored,
}

impl Lowered {
    /// `known`: it can be said for whose sake.
    fn look(&mut self, now: Instant, share: u32, known: bool) -> Option<Word> {
        if share >= WELL_FROM {
            self.since = None;
            return self.told.take().map(|_| Word::Restored);
        }
        if share >= TOLD_BELOW && self.told.is_none() {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        // Half of what was told is another thing to hear; on the way up the end of it is.
        let is_news = self.told.is_none_or(|told| share * 2 <= told);
        if !known || !is_news || now.duration_since(since) < TOLD_AFTER {
            return None;
        }
        self.told = Some(share);
        Some(Word::Lowered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lowered_picture_is_told_once_again_when_it_is_much_worse_and_when_it_is_well() {
        let (mut lowered, start) = (Lowered::default(), Instant::now());
        let mut told = |ms: u64, share: u32| lowered.look(start + Duration::from_millis(ms), share, ms != 5_000);
        assert_eq!([told(0, 100), told(1_000, 92), told(2_000, 70), told(4_900, 60)], [None; 4]);
        assert_eq!([told(5_000, 60), told(5_100, 60)], [None, Some(Word::Lowered)], "three seconds, once it is known for whom");
        assert_eq!([told(5_200, 50), told(6_000, 80), told(7_000, 94), told(8_000, 40)], [None; 4], "no running commentary");
        assert_eq!(told(9_000, 30), Some(Word::Lowered), "half of it");
        assert_eq!([told(10_000, 94), told(11_000, 95)], [None, Some(Word::Restored)]);
        assert_eq!([told(12_000, 80), told(14_900, 100)], [None, None], "a dip");
    }

    #[test]
    fn a_share_of_the_rate_is_no_less_than_it_says() {
        assert_eq!([share(1999, 100), share(250, 100), share(2500, 60), share(1999, 50)], [1999, 250, 1500, 999]);
    }

    #[test]
    fn shares_are_whole_percents() {
        assert_eq!([percent(2500, 2500), percent(1499, 2500), percent(250, 2500), percent(0, 0)], [100, 59, 10, 0]);
    }
}
