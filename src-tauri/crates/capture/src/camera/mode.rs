//! What cameras offer, and which of it fits a canvas best.

use stallcast_media::{Canvas, PixelFormat};
use std::cmp::Ordering;

/// A camera this much slower than the canvas still reaches it: 29.97 for 30.
const REACHES: f64 = 0.995;

/// One size, rate and layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Seconds of one frame as numerator and denominator: 1001/30000.
    pub(crate) interval: (u32, u32),
    pub(crate) pixel: PixelFormat,
}

impl Mode {
    /// Frames a second.
    pub(crate) fn fps(&self) -> f64 {
        f64::from(self.interval.1) / f64::from(self.interval.0.max(1))
    }

    /// How people and tools call the layout.
    pub(crate) const fn layout(&self) -> &'static str {
        match self.pixel {
            PixelFormat::I420 => "I420",
            PixelFormat::Nv12 => "NV12",
            PixelFormat::Yuyv => "YUYV",
            PixelFormat::Mjpeg => "MJPG",
        }
    }
}

/// The modes that can be used, best first: those that reach the canvas's rate, then the least scaling to cover it, then
/// raw pixels before JPEG (decoding costs more than everything else), then the rate nearest to the canvas's.
pub(crate) fn ranked(modes: &[Mode], canvas: Canvas) -> Vec<Mode> {
    let mut usable: Vec<Mode> =
        modes.iter().filter(|m| m.width >= 16 && m.height >= 16 && m.interval.0 > 0 && m.fps() >= 1.0).copied().collect();
    usable.sort_by(|a, b| compare(a, b, canvas));
    usable.dedup();
    usable
}

fn compare(a: &Mode, b: &Mode, canvas: Canvas) -> Ordering {
    let wanted = f64::from(canvas.fps);
    let reaches = |m: &Mode| m.fps() >= wanted * REACHES;
    // Nobody sees a difference of half a frame a second; below the canvas's rate more is better.
    let speed = |m: &Mode| if reaches(m) { i64::MAX } else { (m.fps() * 2.0) as i64 };
    let jpeg = |m: &Mode| m.pixel == PixelFormat::Mjpeg;
    let order = |m: &Mode| match m.pixel {
        PixelFormat::Nv12 => 0,
        // Its colours are brought together for each picture.
        PixelFormat::I420 => 1,
        PixelFormat::Yuyv => 2,
        PixelFormat::Mjpeg => 3,
    };
    speed(b)
        .cmp(&speed(a))
        .then(scaling(a, canvas).cmp(&scaling(b, canvas)))
        .then(jpeg(a).cmp(&jpeg(b)))
        .then((a.fps() - wanted).abs().total_cmp(&(b.fps() - wanted).abs()))
        .then(order(a).cmp(&order(b)))
}

/// How much a picture must be scaled to cover the canvas, in thousandths of a doubling. Enlarging counts twice: it
/// costs sharpness, shrinking only time.
fn scaling(mode: &Mode, canvas: Canvas) -> i64 {
    let scale = (f64::from(canvas.width) / f64::from(mode.width)).max(f64::from(canvas.height) / f64::from(mode.height));
    let doublings = scale.log2() * 1000.0;
    if doublings > 0.0 { (doublings * 2.0) as i64 } else { -doublings as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PixelFormat::{Mjpeg, Nv12, Yuyv};

    const PHONE: Canvas = Canvas { width: 720, height: 1280, fps: 30 };
    const WIDE: Canvas = Canvas { width: 1280, height: 720, fps: 30 };

    const fn mode(width: u32, height: u32, num: u32, den: u32, pixel: PixelFormat) -> Mode {
        Mode { width, height, interval: (num, den), pixel }
    }

    /// The table of a common UVC camera.
    const UVC: [Mode; 10] = [
        mode(640, 480, 1, 30, Yuyv),
        mode(640, 480, 1, 15, Yuyv),
        mode(1280, 720, 1, 10, Yuyv),
        mode(1920, 1080, 1, 5, Yuyv),
        mode(640, 480, 1, 30, Mjpeg),
        mode(1280, 720, 1, 30, Mjpeg),
        mode(1280, 720, 1, 60, Mjpeg),
        mode(1920, 1080, 1, 30, Mjpeg),
        mode(3840, 2160, 1, 30, Mjpeg),
        mode(1920, 1080, 1, 15, Mjpeg),
    ];

    fn best(modes: &[Mode], canvas: Canvas) -> Mode {
        ranked(modes, canvas)[0]
    }

    #[test]
    fn the_rate_comes_first_then_the_size_then_the_layout() {
        assert_eq!(best(&UVC, WIDE), mode(1280, 720, 1, 30, Mjpeg), "no scaling, and 30 rather than 60");
        assert_eq!(best(&UVC, PHONE), mode(1920, 1080, 1, 30, Mjpeg), "1.19 times larger beats half of 2160");
        assert_eq!(best(&UVC, Canvas { fps: 60, ..WIDE }), mode(1280, 720, 1, 60, Mjpeg));
        assert_eq!(best(&UVC, Canvas { width: 640, height: 480, fps: 30 }), mode(640, 480, 1, 30, Yuyv));
        assert_eq!(best(&UVC, Canvas { width: 640, height: 360, fps: 15 }), mode(640, 480, 1, 15, Yuyv));
        let both = [mode(1280, 720, 1, 30, Mjpeg), mode(1280, 720, 1, 30, Yuyv), mode(1280, 720, 1, 30, Nv12)];
        assert_eq!(best(&both, WIDE).pixel, Nv12);
    }

    #[test]
    fn fractional_rates_reach_their_whole_neighbours() {
        let ntsc = [mode(1280, 720, 1001, 30_000, Nv12), mode(640, 480, 1, 30, Yuyv)];
        assert_eq!(best(&ntsc, WIDE), ntsc[0], "29.97 is as good as 30");
        assert!((ntsc[0].fps() - 29.97).abs() < 0.001);
        let slow = [mode(1280, 720, 2, 25, Yuyv), mode(640, 480, 1, 25, Yuyv)];
        assert_eq!(best(&slow, WIDE), slow[1], "12.5 is not");
        assert_eq!(best(&[mode(640, 480, 1001, 60_000, Yuyv), mode(640, 480, 1001, 30_000, Yuyv)], WIDE).interval, (1001, 30_000));
    }

    #[test]
    fn where_none_reaches_the_fastest_is_taken() {
        let dark = [mode(1920, 1080, 1, 5, Yuyv), mode(1280, 720, 1, 24, Yuyv), mode(640, 480, 1, 20, Yuyv)];
        assert_eq!(best(&dark, WIDE), dark[1]);
    }

    #[test]
    fn modes_that_cannot_be_are_left_out() {
        assert!(ranked(&[mode(0, 0, 1, 30, Yuyv), mode(640, 480, 0, 0, Yuyv), mode(640, 480, 30, 1, Yuyv)], WIDE).is_empty());
    }

    #[test]
    fn shrinking_is_preferred_to_enlarging() {
        let two = [mode(960, 540, 1, 30, Yuyv), mode(1920, 1080, 1, 30, Mjpeg)];
        assert_eq!(best(&two, WIDE), two[1]);
    }
}
