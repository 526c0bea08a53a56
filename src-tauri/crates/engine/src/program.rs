//! The program clock: one picture at every tick, whatever the source does.

use crate::chooser::{FrameChooser, Held};
use crate::feed::{Delay, Feed, PreviewWish, Slot};
use crate::guard::guarded;
use crate::hub::Hub;
use crate::timing;
use stallcast_clock::spawn_thread;
use stallcast_compose::{Fonts, OverlaySet, Overlays};
use stallcast_libav::Converter;
use stallcast_media::queue::NewestQueue;
use stallcast_media::{
    Canvas, Counters, Frame, FramePool, FrameRing, Health, HealthCode, NANOS_PER_MS, NANOS_PER_SEC, PixelFormat, Pts, VideoFormat,
    VideoSource,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Without a new frame for so long the picture holds; after it the slate comes.
const LOST_AFTER: i64 = NANOS_PER_SEC;
/// A show waits at most so long for its source to be understood before it begins all the same.
const SETTLE_LIMIT: i64 = 900 * NANOS_PER_MS;
/// The same for a source that has no picture at all: it may have none for long.
const NOTHING_LIMIT: i64 = 300 * NANOS_PER_MS;
/// Idle buffers kept: what encoder queue and preview give back in one go.
const IDLE_BUFFERS: usize = 4;

/// The running program clock with its thread `program`.
pub(crate) struct Program {
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

/// What other threads may ask of the program thread. Nothing here waits for it.
struct Control {
    source: Slot<Box<dyn VideoSource>>,
    overlay: Slot<OverlaySet>,
    feed: Slot<Feed>,
    stop: AtomicBool,
    idle: Counters,
    delay: Delay,
}

/// What a program is made of.
pub(crate) struct Parts {
    pub(crate) canvas: Canvas,
    pub(crate) source: Box<dyn VideoSource>,
    pub(crate) slate: Frame,
    pub(crate) fonts: Fonts,
    pub(crate) delay: Delay,
    pub(crate) preview: PreviewWish,
    /// Newest composed frame for the preview thread.
    pub(crate) preview_frames: NewestQueue<Frame>,
    pub(crate) hub: Hub,
}

impl Program {
    /// Starts the clock.
    ///
    /// # Errors
    /// The OS gives no thread.
    pub(crate) fn start(parts: Parts) -> std::io::Result<Self> {
        let control = Arc::new(Control {
            source: Slot::default(),
            overlay: Slot::default(),
            feed: Slot::default(),
            stop: AtomicBool::new(false),
            idle: Counters::default(),
            delay: parts.delay.clone(),
        });
        let shared = Arc::clone(&control);
        let thread = spawn_thread("program", move || {
            let hub = parts.hub.clone();
            let mut clock = Clockwork::new(parts, shared);
            guarded("program", &hub, |run| {
                if run > 0 {
                    clock.recover();
                }
                clock.run();
            });
        })?;
        Ok(Self { control, thread: Some(thread) })
    }

    /// Another source; the picture holds until it delivers.
    pub(crate) fn replace_source(&self, source: Box<dyn VideoSource>) {
        drop(self.control.source.put(source));
    }

    pub(crate) fn set_overlay(&self, set: OverlaySet) {
        self.control.overlay.put(set);
    }

    /// The next tick, once the source is understood, is the first of a show.
    pub(crate) fn begin(&self, feed: Feed) {
        self.control.feed.put(feed);
    }

    /// Counts while no show runs.
    pub(crate) fn idle_counters(&self) -> &Counters {
        &self.control.idle
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.control.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the program thread ended with a panic");
        }
    }
}

struct Clockwork {
    parts: Parts,
    control: Arc<Control>,
    ring: FrameRing,
    chooser: FrameChooser,
    converter: Converter,
    overlays: Option<Overlays>,
    /// What they show, for new ones after a crash.
    overlay_set: OverlaySet,
    pool: FramePool,
    /// Converted picture of the source, without overlays.
    base: Option<Frame>,
    /// Stamp of the newest frame and when it was first seen: a source's own clock may jump.
    seen: Option<(u64, Pts)>,
    started: Pts,
    /// Since when no frame could be converted.
    broken: Option<Pts>,
    /// D of the program before this source.
    least_delay: i64,
    /// Such a source was said to be lost.
    said_broken: bool,
    /// Tick 0.
    origin: Pts,
    waiting_feed: Option<(Feed, Pts)>,
    /// The running show and the number of its next frame.
    feed: Option<(Feed, i64)>,
    next_preview: Pts,
    last_failure: Option<Pts>,
}

impl Clockwork {
    fn new(parts: Parts, control: Arc<Control>) -> Self {
        let (ring, chooser) = Self::follow(parts.canvas, &*parts.source, 0);
        let converter = Converter::new(parts.canvas);
        let overlays = Self::overlays(&parts);
        control.delay.set(chooser.delay());
        Self {
            ring,
            chooser,
            converter,
            overlays,
            overlay_set: OverlaySet::default(),
            pool: FramePool::new(IDLE_BUFFERS),
            base: None,
            seen: None,
            started: timing::now(),
            broken: None,
            least_delay: 0,
            said_broken: false,
            origin: timing::now(),
            waiting_feed: None,
            feed: None,
            next_preview: Pts(0),
            last_failure: None,
            parts,
            control,
        }
    }

    fn follow(canvas: Canvas, source: &dyn VideoSource, least_delay: i64) -> (FrameRing, FrameChooser) {
        let (_, fps) = source.format();
        (source.ring(), FrameChooser::new(canvas.interval(), NANOS_PER_SEC as f64 / fps, least_delay))
    }

    fn overlays(parts: &Parts) -> Option<Overlays> {
        match Overlays::new(parts.canvas, parts.fonts.clone()) {
            Ok(overlays) => Some(overlays),
            Err(e) => {
                tracing::error!(error = %e, "no overlays");
                None
            }
        }
    }

    /// After a crash: what may be damaged begins anew. The show goes on with the same feed and count.
    fn recover(&mut self) {
        self.converter = Converter::new(self.parts.canvas);
        self.overlays = Self::overlays(&self.parts);
        if let Some(overlays) = &mut self.overlays {
            overlays.set(self.overlay_set.clone(), timing::now());
        }
        self.base = None;
    }

    fn run(&mut self) {
        let canvas = self.parts.canvas;
        // After a crash on the same grid: frames of a show keep their distance.
        let start = self.origin;
        let mut n = (timing::now() - start) / canvas.interval() + 1;
        while !self.control.stop.load(Ordering::Acquire) {
            let mut tick = start + canvas.frame_pts(n).0;
            timing::sleep_until(tick);
            let late = (timing::now() - tick) / canvas.interval();
            if late > 0 {
                // Whole intervals are gone: go on with the tick that is now, and count the others.
                n += late;
                tick = start + canvas.frame_pts(n).0;
                self.counters().add_lagged(u64::try_from(late).unwrap_or(0));
            }
            self.tick(tick);
            n += 1;
        }
        self.end_show(timing::now());
    }

    fn counters(&self) -> &Counters {
        self.feed.as_ref().map_or(&self.control.idle, |(feed, _)| &feed.counters)
    }

    fn tick(&mut self, at: Pts) {
        self.take_orders(at);
        for health in self.parts.source.health() {
            self.parts.hub.health(health);
        }
        self.follow_show(at);
        let under = self.compose(at);
        let picture = self.overlay(&under, at);
        self.counters().add_composed(1);
        if let Some((feed, next)) = &mut self.feed {
            // By the clock, not by counting: lagged ticks leave a hole that the encoder fills, and the sound stays in step.
            let number = feed.span.begin().map_or(*next, |begin| Pts(at - begin).as_ticks(self.parts.canvas.fps)).max(*next);
            *next = number + 1;
            let pts = self.parts.canvas.frame_pts(number);
            if feed.frames.try_push(picture.at(pts)).is_err() {
                feed.counters.add_skipped(1);
            }
            feed.put_clean(|| under.at(pts));
        }
        let fps = self.parts.preview.fps();
        if fps > 0 && at >= self.next_preview {
            let interval = NANOS_PER_SEC / i64::from(fps);
            // A tenth of a tick early is on time: both rates are rounded.
            let slack = self.parts.canvas.interval() / 10;
            self.next_preview = Pts((self.next_preview.0 + interval).max(at.0 + interval / 2)) + -slack;
            self.parts.preview_frames.push(picture);
        }
    }

    fn take_orders(&mut self, at: Pts) {
        if let Some(source) = self.control.source.take() {
            // One that never had a picture (it only stood in for another) leaves D as it found it.
            let now = if self.seen.is_some() { self.chooser.delay() } else { self.chooser.delay().max(self.least_delay) };
            let least = if self.feed.is_some() { now } else { 0 };
            self.least_delay = least;
            (self.ring, self.chooser) = Self::follow(self.parts.canvas, &*source, least);
            self.seen = None;
            self.started = at;
            (self.broken, self.said_broken) = (None, false);
            // The old source may take up to two seconds to stop: not on this thread.
            let old = std::mem::replace(&mut self.parts.source, source);
            if let Err(e) = spawn_thread("source-stop", move || drop(old)) {
                tracing::warn!(error = %e, "the old source is stopped on the program thread");
            }
        }
        if let Some(set) = self.control.overlay.take() {
            self.overlay_set = set.clone();
            if let Some(overlays) = &mut self.overlays {
                overlays.set(set, at);
            }
        }
        if let Some(feed) = self.control.feed.take() {
            self.waiting_feed = Some((feed, at));
        }
    }

    fn follow_show(&mut self, at: Pts) {
        if self.feed.as_ref().is_some_and(|(feed, _)| feed.is_ending()) {
            self.end_show(at);
        }
        let limit = if self.seen.is_none() { NOTHING_LIMIT } else { SETTLE_LIMIT };
        let ready = |(feed, since): &(Feed, Pts)| self.chooser.is_settled() || at - *since > limit || feed.is_ending();
        if self.waiting_feed.as_ref().is_some_and(ready)
            && let Some((feed, _)) = self.waiting_feed.take()
        {
            self.end_show(at);
            self.chooser.go_live(at);
            self.control.delay.set(self.chooser.delay());
            feed.span.set_begin(at);
            self.feed = Some((feed, 0));
        }
    }

    fn end_show(&mut self, at: Pts) {
        if let Some((feed, next)) = self.feed.take() {
            let begin = feed.span.begin().unwrap_or(at);
            feed.span.set_end(begin + self.parts.canvas.frame_pts(next).0);
            feed.frames.close();
            feed.end_clean();
            let (repeats, missed) = self.chooser.losses();
            tracing::info!(ticks = next, repeats, missed, delay_ms = self.chooser.delay() / NANOS_PER_MS, "program of the show ended");
            self.chooser.stand_by();
        }
    }

    /// The picture of this tick, without overlays.
    fn compose(&mut self, at: Pts) -> Frame {
        let frames = self.ring.frames();
        let held: Vec<Held> = frames.iter().map(|(seq, frame)| Held { seq: *seq, pts: frame.pts }).collect();
        let chosen = self.chooser.choose(at, &held).and_then(|i| frames.get(i));
        self.control.delay.set(self.chooser.delay());
        if let Some((_, frame)) = chosen.filter(|(_, frame)| self.converter.is_canvas(frame)) {
            // Shared with the source, not copied: overlays are blended into a copy of their own.
            self.base = Some(frame.at(at));
            self.broken = None;
        } else if let Some((_, frame)) = chosen {
            let format = VideoFormat { width: self.parts.canvas.width, height: self.parts.canvas.height, pixel: PixelFormat::I420 };
            let mut buffer = self.pool.take(format.bytes());
            match self.converter.convert(frame, &mut buffer.bytes) {
                Ok(()) => {
                    self.base = Some(Frame::new(format, at, false, buffer));
                    self.broken = None;
                }
                // A broken JPEG of a camera: the last picture stays. Not a line for each.
                Err(e) => {
                    self.broken.get_or_insert(at);
                    if self.last_failure.is_none_or(|last| at - last > NANOS_PER_SEC) {
                        tracing::warn!(error = %e, "a frame could not be converted");
                        self.last_failure = Some(at);
                    }
                }
            }
        }
        let newest = held.last().map(|h| h.seq);
        if let Some(seq) = newest
            && self.seen.is_none_or(|(before, _)| before != seq)
        {
            self.seen = Some((seq, at));
        }
        let broken = self.broken.is_some_and(|since| at - since > LOST_AFTER);
        self.say_broken(broken);
        let lost = broken || at - self.seen.map_or(self.started, |(_, since)| since) > LOST_AFTER;
        let under = match (&self.base, lost) {
            (Some(base), false) => base,
            (_, true) => &self.parts.slate,
            (None, false) => self.base.insert(black(self.parts.canvas, at)),
        };
        under.at(at)
    }

    /// Pictures come and none can be shown, so the source itself notices nothing.
    fn say_broken(&mut self, broken: bool) {
        if broken != self.said_broken {
            self.said_broken = broken;
            let code = if broken { HealthCode::CameraLost } else { HealthCode::CameraBack };
            self.parts.hub.health(Health::new(code).with("device", self.parts.source.name()));
        }
    }

    /// The picture with everything that is drawn over it.
    fn overlay(&mut self, under: &Frame, at: Pts) -> Frame {
        let Some(overlays) = self.overlays.as_mut().filter(|overlays| !overlays.is_empty()) else {
            return under.clone();
        };
        let mut buffer = self.pool.take(under.format.bytes());
        under.pack_into(&mut buffer.bytes);
        overlays.blend(&mut buffer.bytes, at, timing::utc_ms());
        Frame::new(under.format, at, false, buffer)
    }
}

fn black(canvas: Canvas, at: Pts) -> Frame {
    let format = VideoFormat { width: canvas.width, height: canvas.height, pixel: PixelFormat::I420 };
    let mut bytes = vec![0; format.bytes()];
    stallcast_compose::fill_black(&mut bytes, canvas);
    Frame::new(format, at, false, bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Mailbox, News};
    use crate::protocol::Event;

    const CANVAS: Canvas = Canvas { width: 160, height: 160, fps: 30 };

    struct Camera(FrameRing);

    impl VideoSource for Camera {
        fn ring(&self) -> FrameRing {
            self.0.clone()
        }
        fn format(&self) -> (VideoFormat, f64) {
            (VideoFormat { width: 160, height: 160, pixel: PixelFormat::Mjpeg }, 30.0)
        }
        fn name(&self) -> String {
            "Webcam".to_owned()
        }
        fn health(&mut self) -> Vec<Health> {
            vec![]
        }
    }

    /// A frame of one shade, or one that no decoder can read.
    fn frame(at: Pts, shade: Option<u8>) -> Frame {
        let pixel = if shade.is_some() { PixelFormat::I420 } else { PixelFormat::Mjpeg };
        let format = VideoFormat { width: CANVAS.width, height: CANVAS.height, pixel };
        let bytes = shade.map_or_else(|| b"\xFF\xD8\xFF\xD9".to_vec(), |shade| vec![shade; format.bytes()]);
        Frame::new(format, at, false, bytes.into())
    }

    async fn told(mailbox: &Mailbox) -> (HealthCode, String) {
        match mailbox.next().await {
            Some(News::Event(Event::Health(health))) => (health.code, health.params["device"].clone()),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_camera_whose_pictures_cannot_be_decoded_is_lost_after_a_second() {
        let (ring, hub) = (FrameRing::new(), Hub::default());
        let mailbox = hub.attach(true);
        let mut clock = Clockwork::new(
            Parts {
                canvas: CANVAS,
                source: Box::new(Camera(ring.clone())),
                slate: frame(Pts(0), Some(99)),
                fonts: Fonts::bundled(),
                delay: Delay::default(),
                preview: PreviewWish::default(),
                preview_frames: NewestQueue::new(1),
                hub: hub.clone(),
            },
            Arc::new(Control {
                source: Slot::default(),
                overlay: Slot::default(),
                feed: Slot::default(),
                stop: AtomicBool::new(false),
                idle: Counters::default(),
                delay: Delay::default(),
            }),
        );
        let mut at = clock.started;
        // Its picture of each tick.
        let mut play = |ticks: i64, shade: Option<u8>| -> Vec<u8> {
            let shown = (0..ticks).map(|_| {
                at = at + CANVAS.interval();
                ring.push(frame(at, shade));
                clock.compose(at).bytes()[0]
            });
            shown.collect()
        };
        assert_eq!(play(30, Some(50)).last(), Some(&50));
        let broken = play(60, None);
        assert_eq!(broken[..29], [50; 29], "the last picture stays for a second");
        assert_eq!(broken[40..], [99; 20], "then the slate");
        assert_eq!(told(&mailbox).await, (HealthCode::CameraLost, "Webcam".to_owned()));
        assert_eq!(play(10, Some(70)).last(), Some(&70));
        assert_eq!(told(&mailbox).await, (HealthCode::CameraBack, "Webcam".to_owned()));
        // One in ten is damaged: nobody's business.
        for _ in 0..20 {
            assert!(!play(9, Some(70)).contains(&99) && !play(1, None).contains(&99));
        }
        hub.health(Health::new(HealthCode::CameraBack).with("device", "the last word"));
        assert_eq!(told(&mailbox).await.1, "the last word");
    }
}
