use stallcast_media::queue::{PacketQueue, Taken};
use stallcast_media::{NANOS_PER_MS, NANOS_PER_SEC, Packet, Pts, Track};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sound waits at most this long for the pictures of its time (an encoder looks ahead); then there are none.
const SOUND_WAITS: i64 = 2 * NANOS_PER_SEC;
/// Sound kept from before the newest keyframe: what a decoder runs in with.
const RUN_IN: i64 = 100 * NANOS_PER_MS;
/// Without a server: at most this much of the show is kept, so a session never starts with old pictures.
const KEPT: i64 = 5 * NANOS_PER_SEC;

/// The packets of one destination on their way from the queue to a session.
///
/// Without a session it keeps what has come since the newest keyframe, so that a new one can begin at once. With a
/// session it gives packets in the order of their decoding times: sound waits for its pictures, pictures never wait.
pub(super) struct Feed {
    queue: PacketQueue,
    video: VecDeque<Arc<Packet>>,
    audio: VecDeque<Arc<Packet>>,
    /// Since the session began: the common offset, and the last picture given.
    origin: Option<Pts>,
    last: Option<Pts>,
    priming: i64,
    dropped: u64,
    closed: bool,
}

impl Feed {
    pub fn new(queue: PacketQueue, priming: Pts) -> Self {
        Self {
            queue,
            video: VecDeque::new(),
            audio: VecDeque::new(),
            origin: None,
            last: None,
            priming: priming.0,
            dropped: 0,
            closed: false,
        }
    }

    /// Pictures the destination did not get.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped().0 + self.dropped
    }

    /// The queue has overflowed, and nothing more comes before the next keyframe.
    pub fn waits_for_keyframe(&self) -> bool {
        self.queue.waits_for_keyframe()
    }

    /// Time waiting here and in the queue.
    pub fn span(&self) -> Duration {
        let here = match (self.video.front(), self.video.back()) {
            (Some(first), Some(last)) => u64::try_from(last.dts - first.dts).unwrap_or(0),
            _ => 0,
        };
        self.queue.span() + Duration::from_nanos(here)
    }

    /// Without a session: takes what has come, waiting for up to `timeout` if nothing has.
    pub fn absorb(&mut self, timeout: Duration) {
        if self.origin.take().is_some() {
            // What the last session left over is of no use before its next keyframe.
            while self.video.front().is_some_and(|p| !p.keyframe) {
                self.video.pop_front();
                self.dropped += 1;
            }
        }
        let mut wait = timeout;
        while let Some(packet) = self.take(wait) {
            wait = Duration::ZERO;
            self.keep(packet);
        }
    }

    fn take(&mut self, timeout: Duration) -> Option<Arc<Packet>> {
        match self.queue.pop(timeout) {
            Taken::Item(packet) => Some(packet),
            Taken::Timeout => None,
            Taken::Closed => {
                self.closed = true;
                None
            }
        }
    }

    fn keep(&mut self, packet: Arc<Packet>) {
        if packet.track == Track::Audio {
            while self.audio.front().is_some_and(|p| packet.dts - p.dts > KEPT) {
                self.audio.pop_front();
            }
            self.audio.push_back(packet);
            return;
        }
        let too_long = self.video.front().is_some_and(|p| packet.dts - p.dts > KEPT);
        if packet.keyframe || too_long {
            self.forget_pictures();
        }
        if packet.keyframe {
            while self.audio.front().is_some_and(|p| p.pts < packet.pts + -RUN_IN) {
                self.audio.pop_front();
            }
        }
        if packet.keyframe || !self.video.is_empty() {
            self.video.push_back(packet);
        } else {
            self.dropped += 1;
        }
    }

    fn forget_pictures(&mut self) {
        self.dropped += u64::try_from(self.video.len()).unwrap_or(0);
        self.video.clear();
    }

    /// How old the keyframe is that a session would begin at now; `None` if there is none.
    pub fn keyframe_age(&self) -> Option<Duration> {
        let (first, last) = (self.video.front()?, self.video.back()?);
        Some(Duration::from_nanos(u64::try_from(last.dts - first.dts).unwrap_or(0)))
    }

    /// A session begins: at the kept keyframe if it is at most `fresh` old, else at the next that comes.
    pub fn begin(&mut self, fresh: Duration) -> bool {
        (self.origin, self.last) = (None, None);
        if self.keyframe_age().is_some_and(|age| age <= fresh) {
            return true;
        }
        self.forget_pictures();
        false
    }

    /// With a session: the common offset of its two tracks, once its first picture has been given.
    pub const fn origin(&self) -> Option<Pts> {
        self.origin
    }

    /// True when the queue was closed and everything has been given.
    pub fn is_finished(&self) -> bool {
        self.closed && (self.origin.is_none() || (self.video.is_empty() && self.audio.is_empty()))
    }

    /// With a session: the next packet, waiting for up to `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Option<Arc<Packet>> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(packet) = self.ready() {
                return Some(packet);
            }
            let Some(packet) = self.take(until.saturating_duration_since(Instant::now())) else {
                // Closing lets go of sound that waited for pictures.
                return if self.closed { self.ready() } else { None };
            };
            if packet.track == Track::Audio {
                self.audio.push_back(packet);
            } else if self.origin.is_some() || packet.keyframe {
                self.video.push_back(packet);
            } else {
                self.dropped += 1;
            }
        }
    }

    fn ready(&mut self) -> Option<Arc<Packet>> {
        let Some(origin) = self.origin else {
            // Both tracks are moved by one offset, so that neither the first keyframe's decoding time nor the priming
            // of the sound is negative.
            let first = self.video.front()?;
            self.origin = Some(first.dts.min(first.pts + -self.priming));
            return self.ready();
        };
        while self.audio.front().is_some_and(|p| p.dts < origin) {
            self.audio.pop_front();
        }
        let video = self.video.front().map(|p| p.dts);
        let audio = self.audio.front().map(|p| p.dts);
        let audio_first = match (video, audio) {
            (Some(v), Some(a)) => a <= v,
            (None, Some(a)) => {
                let waited = self.audio.back().is_some_and(|newest| newest.dts - a > SOUND_WAITS);
                waited || self.closed || self.last.is_some_and(|last| a <= last)
            }
            (_, None) => false,
        };
        if audio_first {
            return self.audio.pop_front();
        }
        let packet = self.video.pop_front()?;
        self.last = Some(packet.dts);
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn packet(track: Track, ms: i64, keyframe: bool) -> Arc<Packet> {
        Arc::new(Packet {
            track,
            pts: Pts::from_ms(ms),
            dts: Pts::from_ms(ms),
            duration: 0,
            keyframe,
            disposable: false,
            payload: Bytes::from_static(&[0; 10]),
            config: None,
        })
    }

    fn feed() -> (PacketQueue, Feed) {
        let queue = PacketQueue::new(Duration::from_secs(4), 1 << 20);
        (queue.clone(), Feed::new(queue, Pts::from_ms(20)))
    }

    /// A live encoder: sound at once, pictures 400 ms later, a keyframe each second.
    fn push_show(queue: &PacketQueue, from: i64, to: i64) {
        for ms in (from..to).step_by(20) {
            queue.push(packet(Track::Audio, ms, true));
            if ms % 40 == 0 && ms >= 400 {
                queue.push(packet(Track::Video, ms - 400, (ms - 400) % 1000 == 0));
            }
        }
    }

    fn all(feed: &mut Feed) -> Vec<(Track, i64)> {
        std::iter::from_fn(|| feed.next(Duration::ZERO)).map(|p| (p.track, p.dts.as_ms())).collect()
    }

    #[test]
    fn a_session_begins_at_the_newest_keyframe_with_the_sound_of_its_time() {
        let (queue, mut feed) = feed();
        push_show(&queue, 0, 3000);
        feed.absorb(Duration::ZERO);
        assert_eq!(feed.keyframe_age(), Some(Duration::from_millis(560)));
        assert_eq!(feed.dropped(), 50, "two seconds of pictures were for nobody");
        assert!(feed.begin(Duration::from_secs(1)));
        let given = all(&mut feed);
        assert_eq!(feed.origin(), Some(Pts::from_ms(1980)), "room for the priming of the sound");
        assert_eq!(given[..4], [(Track::Audio, 1980), (Track::Audio, 2000), (Track::Video, 2000), (Track::Audio, 2020)]);
        assert!(given.windows(2).all(|w| w[1].1 >= w[0].1), "in one order over both tracks");
        assert_eq!(given.last(), Some(&(Track::Video, 2560)), "sound ahead of its pictures waits for them");
    }

    #[test]
    fn an_old_keyframe_is_not_taken_and_the_next_one_is() {
        let (queue, mut feed) = feed();
        push_show(&queue, 0, 1300);
        feed.absorb(Duration::ZERO);
        assert!(!feed.begin(Duration::from_millis(500)));
        assert_eq!(all(&mut feed), [], "nothing before a keyframe");
        push_show(&queue, 1300, 1500);
        let given = all(&mut feed);
        assert_eq!(given.iter().find(|(t, _)| *t == Track::Video), Some(&(Track::Video, 1000)));
        assert!(given.iter().all(|(_, ms)| *ms >= 980), "{given:?}");
    }

    #[test]
    fn sound_does_not_wait_for_ever() {
        let (queue, mut feed) = feed();
        push_show(&queue, 0, 440);
        feed.absorb(Duration::ZERO);
        assert!(feed.begin(Duration::from_secs(1)));
        all(&mut feed);
        for ms in (440..4000).step_by(20) {
            queue.push(packet(Track::Audio, ms, true));
        }
        assert_eq!(all(&mut feed).last(), Some(&(Track::Audio, 1960)), "pictures stopped: sound goes on, two seconds late");
    }

    #[test]
    fn closing_gives_the_rest() {
        let (queue, mut feed) = feed();
        push_show(&queue, 0, 1000);
        feed.absorb(Duration::ZERO);
        assert!(feed.begin(Duration::from_secs(1)));
        queue.close();
        let given = all(&mut feed);
        assert_eq!(given.last(), Some(&(Track::Audio, 980)));
        assert!(feed.is_finished());
    }
}
