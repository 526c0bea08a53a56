//! The demo: what a newcomer without a camera sees and hears. Drawn in code, paced on the monotonic clock.

mod digits;
mod paint;
mod picture;
mod voice;

use crate::sound_queue::SoundQueue;
use crate::timing::{Halt, now};
use crate::worker::Worker;
use picture::Scene;
use stallcast_media::{
    AudioBlock, AudioSource, Canvas, Frame, FramePool, FrameRing, Health, NANOS_PER_SEC, PixelFormat, Pts, SAMPLE_RATE, SourceError,
    SourceErrorKind, VideoFormat, VideoSource,
};
use std::sync::Arc;
use voice::Voice;

const NAME: &str = "demo";
/// Sample frames of one block: 20 ms.
const BLOCK: i64 = SAMPLE_RATE as i64 / 50;
/// The machine slept or was overloaded for longer: what was missed is left out instead of made up for.
const MOST_BEHIND: i64 = NANOS_PER_SEC / 4;
/// Idle pictures kept: the ring and what the program holds.
const IDLE_PICTURES: usize = 8;

/// Starts the demo.
pub(crate) fn open(canvas: Canvas) -> Result<(DemoPicture, DemoSound), SourceError> {
    let (ring, queue) = (FrameRing::new(), SoundQueue::default());
    let mut stage = Stage {
        canvas,
        scene: Scene::new(canvas),
        voice: Voice::new(),
        pool: FramePool::new(IDLE_PICTURES),
        ring: ring.clone(),
        queue: queue.clone(),
        origin: now(),
        next_frame: 0,
        next_block: 0,
    };
    let worker = Worker::spawn("demo", move |halt| stage.run(&halt)).map_err(|e| SourceError {
        kind: SourceErrorKind::Unusable,
        name: NAME.to_owned(),
        detail: e.to_string(),
    })?;
    let worker = Arc::new(worker);
    Ok((DemoPicture { canvas, ring, _worker: Arc::clone(&worker) }, DemoSound { queue, _worker: worker }))
}

struct Stage {
    canvas: Canvas,
    scene: Scene,
    voice: Voice,
    pool: FramePool,
    ring: FrameRing,
    queue: SoundQueue,
    /// Instant of frame 0 and sample 0.
    origin: Pts,
    next_frame: i64,
    next_block: i64,
}

impl Stage {
    fn run(&mut self, halt: &Halt) {
        loop {
            let frame_due = self.origin + self.canvas.frame_pts(self.next_frame).0;
            let block_due = self.origin + Pts::from_ticks(self.next_block * BLOCK, SAMPLE_RATE).0;
            if halt.wait_until(frame_due.min(block_due)) {
                return;
            }
            let now = now();
            if now - frame_due > MOST_BEHIND {
                self.next_frame = Pts(now - self.origin).as_ticks(self.canvas.fps);
            } else if now >= frame_due {
                self.frame(frame_due);
                self.next_frame += 1;
            }
            if now - block_due > MOST_BEHIND {
                self.next_block = Pts(now - self.origin).as_ticks(SAMPLE_RATE) / BLOCK;
            } else if now >= block_due {
                self.block(block_due);
                self.next_block += 1;
            }
        }
    }

    fn frame(&self, at: Pts) {
        let format = picture_format(self.canvas);
        let mut buffer = self.pool.take(format.bytes());
        self.scene.draw(at - self.origin, &mut buffer.bytes);
        self.ring.push(Frame::new(format, at, false, buffer));
    }

    fn block(&self, at: Pts) {
        if !self.queue.is_closed() {
            let samples = self.voice.read(self.next_block * BLOCK, BLOCK as usize);
            self.queue.push(AudioBlock { pts: at, rate: SAMPLE_RATE, channels: 1, samples });
        }
    }
}

fn picture_format(canvas: Canvas) -> VideoFormat {
    VideoFormat { width: canvas.width, height: canvas.height, pixel: PixelFormat::I420 }
}

/// The picture of the demo.
pub(crate) struct DemoPicture {
    canvas: Canvas,
    ring: FrameRing,
    _worker: Arc<Worker>,
}

impl VideoSource for DemoPicture {
    fn ring(&self) -> FrameRing {
        self.ring.clone()
    }
    fn format(&self) -> (VideoFormat, f64) {
        (picture_format(self.canvas), f64::from(self.canvas.fps))
    }
    fn name(&self) -> String {
        NAME.to_owned()
    }
    fn is_demo(&self) -> bool {
        true
    }
    fn health(&mut self) -> Vec<Health> {
        Vec::new()
    }
}

/// The sound of the demo.
pub(crate) struct DemoSound {
    queue: SoundQueue,
    _worker: Arc<Worker>,
}

impl AudioSource for DemoSound {
    fn take(&mut self) -> Vec<AudioBlock> {
        self.queue.take()
    }
    fn name(&self) -> String {
        NAME.to_owned()
    }
    fn health(&mut self) -> Vec<Health> {
        Vec::new()
    }
}

impl Drop for DemoSound {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    const CANVAS: Canvas = Canvas { width: 720, height: 1280, fps: 30 };

    fn draw(canvas: Canvas, since: i64) -> Vec<u8> {
        let mut bytes = vec![0; picture_format(canvas).bytes()];
        Scene::new(canvas).draw(since, &mut bytes);
        bytes
    }

    #[test]
    fn every_canvas_can_be_drawn_and_moves() {
        for (width, height) in [(720, 1280), (1280, 720), (160, 160), (1920, 160), (160, 1920), (1080, 1920)] {
            let canvas = Canvas { width, height, fps: 30 };
            assert_ne!(draw(canvas, 0), draw(canvas, 33_333_333), "{width}x{height}");
        }
    }

    #[test]
    fn the_clock_reads_the_time_since_the_start() {
        assert_eq!(&picture::clock_text(0), b"00:00:00.000");
        assert_eq!(&picture::clock_text(((11 * 3600 + 22 * 60 + 33) * 1000 + 456) * 1_000_000), b"11:22:33.456");
    }

    /// Is the middle of the lamp lit?
    fn flashes(since: i64) -> bool {
        let (x, y) = Scene::new(CANVAS).lamp.0;
        let luma = draw(CANVAS, since)[y as usize * 720 + x as usize];
        assert!(!(120..220).contains(&luma), "neither lit nor dark: {luma}");
        luma >= 220
    }

    #[test]
    fn lamp_and_blip_come_at_every_full_second() {
        let voice = Voice::new();
        let loud = |at: i64| voice.read(at, 960).iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        for second in [0, 1, 7, 8, 3601] {
            assert!(flashes(second * NANOS_PER_SEC), "second {second}");
            assert!(!flashes(second * NANOS_PER_SEC - 33_000_000) && !flashes(second * NANOS_PER_SEC + picture::FLASH));
            let sample = second * i64::from(SAMPLE_RATE);
            assert!(loud(sample) > 0.1, "second {second}");
            assert!(loud(sample - 960) < 0.01, "nothing sounds just before the blip");
        }
    }

    #[test]
    fn the_voice_is_quiet_and_has_no_seam() {
        let samples = Voice::new().read(0, 2 * 8 * 48_000);
        assert!(samples.iter().all(|s| s.abs() < 0.3));
        let rms = (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt();
        assert!((0.005..0.05).contains(&rms), "{rms}");
        assert!(samples.windows(2).all(|w| (w[1] - w[0]).abs() < 0.06), "a click");
    }

    /// Drawing may cost 2 % of a core at 720x1280 and 30 fps: 0.67 ms a frame. Measured against copying the same bytes
    /// on the same machine, because shared machines differ: a copy is 0.1 to 0.2 ms.
    #[test]
    fn drawing_costs_no_more_than_a_few_copies_of_the_picture() {
        let scene = Scene::new(CANVAS);
        let from = draw(CANVAS, 0);
        let mut to = from.clone();
        let median = |work: &mut dyn FnMut(i64)| {
            let mut took: Vec<Duration> = (0..60)
                .map(|i| {
                    let began = Instant::now();
                    work(i);
                    began.elapsed()
                })
                .collect();
            took.sort();
            took[took.len() / 2]
        };
        let copy = median(&mut |i| {
            to.copy_from_slice(std::hint::black_box(&from));
            to[0] = i as u8;
        });
        let drawn = median(&mut |i| scene.draw(i * 33_333_333, std::hint::black_box(&mut to)));
        assert!(drawn < copy * 12 || drawn < Duration::from_micros(670), "copy {copy:?}, drawing {drawn:?}");
    }

    #[test]
    fn frames_and_blocks_lie_exactly_on_one_grid() {
        let (picture, mut sound) = open(Canvas { width: 320, height: 240, fps: 30 }).expect("a demo");
        let ring = picture.ring();
        let seen = ring.wait_beyond(5, Duration::from_secs(5));
        assert!(seen > 5);
        let frames = ring.frames();
        let origin =
            frames[0].1.pts + -Canvas { width: 320, height: 240, fps: 30 }.frame_pts(i64::try_from(frames[0].0).expect("small") - 1).0;
        for (number, frame) in &frames {
            assert_eq!(frame.pts - origin, Pts::from_ticks(i64::try_from(*number).expect("small") - 1, 30).0);
        }
        let blocks = sound.take();
        assert_eq!(blocks[0].pts, origin, "sample 0 sounds with frame 0");
        assert!(blocks.windows(2).all(|w| w[0].end() == w[1].pts));
        assert!(picture.is_demo());
    }
}
