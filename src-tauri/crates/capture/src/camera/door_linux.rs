//! Cameras of Linux, straight through V4L2.
//!
//! nokhwa cannot be used here: it does not open a camera that another program left at 29.97 fps or in a layout it does
//! not know, blocks for ever in a stall, never recovers from one failed dequeue, and hides error flags, lengths and
//! stamps. All of that is within reach of the v4l crate underneath it.

use super::door::{Door, Found, Reel};
use super::mode::{Mode, ranked};
use super::{jpeg, pack};
use crate::keeper::Trouble;
use crate::timing::now;
use stallcast_media::{Canvas, Frame, FramePool, NANOS_PER_MS, NANOS_PER_SEC, PixelFormat, Pts, SourceErrorKind, VideoFormat};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use v4l::buffer::{Flags, Metadata, Type};
use v4l::capability::Flags as Capability;
use v4l::format::{Colorspace, Quantization};
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::{FrameSizeEnum, Stepwise as SizeSteps};
use v4l::io::mmap::Stream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::Capture as _;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC, Fraction};

// Numbers of <errno.h> and <poll.h> that std has no name for.
const EPERM: i32 = 1;
const ENXIO: i32 = 6;
const EAGAIN: i32 = 11;
const EACCES: i32 = 13;
const EBUSY: i32 = 16;
const ENODEV: i32 = 19;
const ENOSPC: i32 = 28;
const POLLIN: i16 = 1;

/// Buffers given to the driver. One is being copied from, so three are waiting.
const BUFFERS: u32 = 4;
/// Modes of one camera that are looked at.
const MOST_MODES: usize = 512;
/// Modes tried when the USB bus has no room for the better ones.
const MOST_TRIES: usize = 8;
/// Restarts of a stream without a picture in between after which the camera is given up.
const MOST_RESTARTS: u32 = 3;
/// Sizes and rates tried where a driver names a range.
const SIZES: [(u32, u32); 7] = [(1920, 1080), (1280, 720), (1280, 960), (960, 540), (800, 600), (640, 480), (640, 360)];
const RATES: [u32; 6] = [60, 50, 30, 25, 24, 15];

/// V4L2.
pub(crate) struct V4l;

impl Door for V4l {
    fn list(&self) -> Vec<Found> {
        let mut numbers: Vec<u32> = std::fs::read_dir("/dev")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("video")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers
            .into_iter()
            .map(|n| Found { id: format!("/dev/video{n}"), name: name_of(n) })
            // A camera's node for metadata, a codec, a radio: nothing to look at. What does not open may be a camera.
            .filter(|found| Device::with_path(&found.id).map_or_else(|e| !is_gone(&e), |device| is_camera(&device)))
            .collect()
    }

    fn name_of(&self, id: &str) -> Option<String> {
        id.strip_prefix("/dev/video")?.parse().ok().map(name_of)
    }

    fn modes(&self, id: &str) -> Result<Vec<Mode>, Trouble> {
        let device = Device::with_path(path_of(id)?).map_err(trouble)?;
        Ok(modes_of(&device, None).into_iter().map(|(mode, _)| mode).collect())
    }

    fn open(&self, id: &str, canvas: Canvas, pool: &FramePool) -> Result<Box<dyn Reel>, Trouble> {
        let device = Device::with_path(path_of(id)?).map_err(trouble)?;
        let offered = modes_of(&device, Some(canvas));
        let modes: Vec<Mode> = offered.iter().map(|(mode, _)| *mode).collect();
        let mut refused = Trouble::new(SourceErrorKind::Unusable, "it offers no layout that can be used");
        for mode in ranked(&modes, canvas).into_iter().take(MOST_TRIES) {
            let Some((_, fourcc)) = offered.iter().find(|(m, _)| *m == mode) else { continue };
            match Running::start(&device, mode, *fourcc, pool) {
                Ok(running) => return Ok(Box::new(running)),
                Err(e) if matches!(e.kind, SourceErrorKind::Unusable) => refused = e,
                Err(e) => return Err(e),
            }
        }
        Err(refused)
    }
}

/// `/dev/video0`, `video0`, `0`, or the human name of one that is there.
fn path_of(id: &str) -> Result<PathBuf, Trouble> {
    let bare = id.strip_prefix("/dev/").unwrap_or(id);
    let number = bare.strip_prefix("video").unwrap_or(bare);
    if number.parse::<u32>().is_ok() {
        return Ok(PathBuf::from(format!("/dev/video{number}")));
    }
    if id.starts_with("/dev/v4l/") && !id.contains("..") {
        return Ok(PathBuf::from(id));
    }
    let named = V4l.list().into_iter().find(|found| found.name == id);
    named.map(|found| PathBuf::from(found.id)).ok_or_else(|| Trouble::new(SourceErrorKind::Missing, "no such camera"))
}

fn name_of(number: u32) -> String {
    let name = std::fs::read_to_string(Path::new("/sys/class/video4linux").join(format!("video{number}")).join("name"));
    let name = name.map(|name| name.trim().to_owned()).unwrap_or_default();
    if name.is_empty() { format!("video{number}") } else { name }
}

fn is_gone(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(ENODEV | ENXIO)) || e.kind() == io::ErrorKind::NotFound
}

fn is_camera(device: &Device) -> bool {
    device.query_caps().is_ok_and(|caps| caps.capabilities.contains(Capability::VIDEO_CAPTURE | Capability::STREAMING))
        && device.enum_formats().is_ok_and(|formats| !formats.is_empty())
}

fn trouble(e: io::Error) -> Trouble {
    let kind = match e.raw_os_error() {
        Some(EBUSY) => SourceErrorKind::Busy,
        Some(EACCES | EPERM) => SourceErrorKind::Denied,
        Some(ENODEV | ENXIO) => SourceErrorKind::Missing,
        _ if e.kind() == io::ErrorKind::NotFound => SourceErrorKind::Missing,
        _ => SourceErrorKind::Unusable,
    };
    Trouble::new(kind, e)
}

fn layout(fourcc: FourCC) -> Option<PixelFormat> {
    match &fourcc.repr {
        b"NV12" => Some(PixelFormat::Nv12),
        b"YUYV" => Some(PixelFormat::Yuyv),
        b"YU12" => Some(PixelFormat::I420),
        b"MJPG" | b"JPEG" => Some(PixelFormat::Mjpeg),
        _ => None,
    }
}

/// What a camera's layout becomes. I420 means BT.709 here, and what cameras give is BT.601 in every layout.
fn delivered(layout: PixelFormat) -> PixelFormat {
    if layout == PixelFormat::I420 { PixelFormat::Nv12 } else { layout }
}

/// By the rules of V4L2, which has its own default for each colour space.
fn is_full_range(format: &Format) -> bool {
    match format.quantization {
        Quantization::FullRange => true,
        Quantization::LimitedRange => false,
        Quantization::Default => matches!(format.colorspace, Colorspace::JPEG),
    }
}

/// Everything usable that the driver names. Where it names ranges: usual sizes and rates in them, and the canvas's own.
fn modes_of(device: &Device, canvas: Option<Canvas>) -> Vec<(Mode, FourCC)> {
    let mut modes = Vec::new();
    for description in device.enum_formats().unwrap_or_default() {
        let fourcc = description.fourcc;
        let Some(pixel) = layout(fourcc) else { continue };
        let mut sizes = Vec::new();
        for size in device.enum_framesizes(fourcc).unwrap_or_default() {
            match size.size {
                FrameSizeEnum::Discrete(size) => sizes.push((size.width, size.height)),
                FrameSizeEnum::Stepwise(steps) => {
                    let own = canvas.map(|c| (c.width, c.height));
                    sizes.extend(own.into_iter().chain(SIZES).filter(|size| fits(&steps, *size)));
                }
            }
        }
        if sizes.is_empty() {
            // The driver does not tell; it says what it took when it is asked for something.
            sizes.extend(SIZES);
        }
        for (width, height) in sizes {
            for interval in intervals(device, fourcc, width, height, canvas) {
                if modes.len() < MOST_MODES {
                    modes.push((Mode { width, height, interval, pixel }, fourcc));
                }
            }
        }
    }
    modes
}

fn fits(steps: &SizeSteps, (width, height): (u32, u32)) -> bool {
    let inside = |range: RangeInclusive<u32>, step: u32, n: u32| range.contains(&n) && (n - range.start()).is_multiple_of(step.max(1));
    inside(steps.min_width..=steps.max_width, steps.step_width, width)
        && inside(steps.min_height..=steps.max_height, steps.step_height, height)
}

fn intervals(device: &Device, fourcc: FourCC, width: u32, height: u32, canvas: Option<Canvas>) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    for interval in device.enum_frameintervals(fourcc, width, height).unwrap_or_default() {
        match interval.interval {
            FrameIntervalEnum::Discrete(f) => out.push((f.numerator, f.denominator)),
            FrameIntervalEnum::Stepwise(steps) => {
                let seconds = |f: &Fraction| f64::from(f.numerator) / f64::from(f.denominator.max(1));
                let range = seconds(&steps.min)..=seconds(&steps.max);
                out.push((steps.min.numerator, steps.min.denominator));
                let rates = canvas.map(|c| c.fps).into_iter().chain(RATES);
                out.extend(rates.filter(|fps| range.contains(&(1.0 / f64::from(*fps)))).map(|fps| (1, fps)));
            }
        }
    }
    if out.is_empty() {
        out.push((1, canvas.map_or(30, |c| c.fps)));
    }
    out
}

/// A camera that runs.
struct Running {
    stream: Stream<'static>,
    poll: std::sync::Arc<v4l::device::Handle>,
    format: VideoFormat,
    fps: f64,
    /// How the driver lays its pixels out.
    layout: PixelFormat,
    stride: usize,
    full_range: bool,
    pool: FramePool,
    /// Buffers are all with the driver: the next one is taken without giving one back.
    fresh: bool,
    restarts: u32,
    last: Pts,
    damaged: u64,
    missed: u64,
    sequence: Option<u32>,
}

impl Running {
    fn start(device: &Device, mode: Mode, fourcc: FourCC, pool: &FramePool) -> Result<Self, Trouble> {
        let taken = device.set_format(&Format::new(mode.width, mode.height, fourcc)).map_err(trouble)?;
        let Some(layout) = layout(taken.fourcc) else {
            return Err(Trouble::new(SourceErrorKind::Unusable, format!("the driver insists on {}", taken.fourcc)));
        };
        // Always set: whatever rate another program left behind must not stay.
        let wanted = Parameters::new(Fraction::new(mode.interval.0, mode.interval.1));
        let fps = match device.set_params(&wanted) {
            Ok(got) if got.interval.numerator > 0 && got.interval.denominator > 0 => {
                f64::from(got.interval.denominator) / f64::from(got.interval.numerator)
            }
            _ => mode.fps(),
        };
        let stream = Stream::with_buffers(device, Type::VideoCapture, BUFFERS).map_err(trouble)?;
        let mut running = Self {
            poll: stream.handle(),
            stream,
            format: VideoFormat { width: taken.width, height: taken.height, pixel: delivered(layout) },
            fps,
            layout,
            stride: taken.stride as usize,
            full_range: layout == PixelFormat::Mjpeg || is_full_range(&taken),
            pool: pool.clone(),
            fresh: false,
            restarts: 0,
            last: Pts(0),
            damaged: 0,
            missed: 0,
            sequence: None,
        };
        running.begin().map_err(|e| match e.raw_os_error() {
            Some(ENOSPC) => Trouble::new(SourceErrorKind::Unusable, "no room on the USB bus"),
            _ => trouble(e),
        })?;
        Ok(running)
    }

    /// Gives all buffers to the driver and starts it, without waiting for a picture.
    fn begin(&mut self) -> io::Result<()> {
        self.stream.set_timeout(Duration::ZERO);
        self.fresh = true;
        match self.stream.next() {
            Ok(_) => self.fresh = false,
            Err(e) if e.kind() == io::ErrorKind::TimedOut || e.raw_os_error() == Some(EAGAIN) => {}
            Err(e) => return Err(e),
        }
        self.sequence = None;
        Ok(())
    }

    /// After a failed dequeue the crate would queue a buffer twice and never recover: the stream is stopped, which takes
    /// all buffers back, and begun again.
    fn restart(&mut self, why: &io::Error) -> Result<(), Trouble> {
        self.restarts += 1;
        if is_gone(why) || self.restarts > MOST_RESTARTS {
            return Err(trouble(io::Error::new(why.kind(), why.to_string())));
        }
        tracing::info!(error = %why, "a camera's stream is started again");
        self.stream.stop().and_then(|()| self.begin()).map_err(trouble)
    }

    fn dequeue(&mut self) -> io::Result<Option<Frame>> {
        if std::mem::take(&mut self.fresh) {
            // The first buffer cannot be looked at through the crate without giving it back: it is passed over.
            return match CaptureStream::dequeue(&mut self.stream) {
                Ok(_) => Ok(None),
                Err(e) if e.kind() == io::ErrorKind::TimedOut || e.raw_os_error() == Some(EAGAIN) => {
                    self.fresh = true;
                    Ok(None)
                }
                Err(e) => Err(e),
            };
        }
        // A buffer is ready, so this does not wait; the limit is for drivers that say so too early.
        self.stream.set_timeout(Duration::from_millis(500));
        let (bytes, meta) = self.stream.next()?;
        let arrival = now();
        let lost = self.sequence.map_or(0, |last| meta.sequence.wrapping_sub(last).wrapping_sub(1));
        self.sequence = Some(meta.sequence);
        if lost < u32::MAX / 2 {
            self.missed += u64::from(lost);
        }
        let Some(buffer) = picture(bytes, meta, self.format, self.layout, self.stride, &self.pool) else {
            self.damaged += 1;
            return Ok(None);
        };
        let stamp = stamp(meta, arrival).max(self.last + 1);
        self.last = stamp;
        self.restarts = 0;
        Ok(Some(Frame::new(self.format, stamp, self.full_range, buffer)))
    }
}

impl Reel for Running {
    fn format(&self) -> (VideoFormat, f64) {
        (self.format, self.fps)
    }

    fn next(&mut self, limit: Duration) -> Result<Option<Frame>, Trouble> {
        let ready = self.poll.poll(POLLIN, i32::try_from(limit.as_millis()).unwrap_or(i32::MAX));
        match ready.and_then(|ready| if ready == 0 { Ok(None) } else { self.dequeue() }) {
            Ok(frame) => Ok(frame),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(e) => self.restart(&e).map(|()| None),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.damaged + self.missed > 0 {
            tracing::info!(damaged = self.damaged, missed = self.missed, "pictures that a camera's driver lost");
        }
    }
}

/// The picture in a buffer; `None` if the driver says it is damaged or it cannot be whole.
fn picture(
    bytes: &[u8],
    meta: &Metadata,
    format: VideoFormat,
    layout: PixelFormat,
    stride: usize,
    pool: &FramePool,
) -> Option<stallcast_media::Buffer> {
    if meta.flags.contains(Flags::ERROR) {
        return None;
    }
    // Some drivers of raw pixels leave it 0.
    let used = if meta.bytesused == 0 && format.pixel != PixelFormat::Mjpeg { bytes.len() } else { meta.bytesused as usize };
    let bytes = bytes.get(..used)?;
    if format.pixel == PixelFormat::Mjpeg {
        let jpeg = jpeg::cut(bytes)?;
        let mut buffer = pool.take(jpeg.len());
        buffer.bytes.copy_from_slice(jpeg);
        return Some(buffer);
    }
    let mut buffer = pool.take(format.bytes());
    let pack = if layout == PixelFormat::I420 { pack::interleaved } else { pack::rows };
    pack(bytes, stride, format, &mut buffer.bytes).then_some(buffer)
}

/// The driver's stamp if it is on the monotonic clock and can be true, else the arrival.
fn stamp(meta: &Metadata, arrival: Pts) -> Pts {
    let monotonic = meta.flags & Flags::TIMESTAMP_MASK == Flags::TIMESTAMP_MONOTONIC;
    let stamp = Pts(meta.timestamp.sec * NANOS_PER_SEC + meta.timestamp.usec * 1000);
    let age = arrival - stamp;
    // A stamp a little ahead is rounding or an end-of-frame stamp of a fast driver.
    if monotonic && stamp.0 > 0 && (-5 * NANOS_PER_MS..NANOS_PER_SEC).contains(&age) { stamp.min(arrival) } else { arrival }
}

#[cfg(test)]
mod tests {
    use super::super::jpeg::tests::sample;
    use super::*;
    use v4l::timestamp::Timestamp;

    fn meta(bytesused: u32, flags: Flags, sec: i64, usec: i64) -> Metadata {
        Metadata { bytesused, flags, field: 0, timestamp: Timestamp::new(sec, usec), sequence: 0 }
    }

    #[test]
    fn a_stamp_is_believed_only_if_it_can_be_true() {
        let arrival = Pts(100 * NANOS_PER_SEC);
        let good = Flags::TIMESTAMP_MONOTONIC;
        assert_eq!(stamp(&meta(0, good, 99, 967_000), arrival), Pts(99_967_000_000));
        assert_eq!(stamp(&meta(0, good, 100, 2_000), arrival), arrival, "not from the future");
        for (flags, sec, why) in [
            (good, 0, "zero"),
            (good, 98, "too old"),
            (good, 101, "far ahead"),
            (Flags::TIMESTAMP_UNKNOWN, 99, "unknown clock"),
            (Flags::TIMESTAMP_COPY, 99, "somebody else's clock"),
        ] {
            assert_eq!(stamp(&meta(0, flags, sec, 900_000 * i64::from(sec == 99)), arrival), arrival, "{why}");
        }
    }

    #[test]
    fn damaged_buffers_are_no_pictures() {
        let pool = FramePool::new(1);
        let raw = VideoFormat { width: 16, height: 16, pixel: PixelFormat::Yuyv };
        let full = vec![1; 512];
        assert!(picture(&full, &meta(512, Flags::empty(), 0, 0), raw, raw.pixel, 32, &pool).is_some());
        assert!(picture(&full, &meta(0, Flags::empty(), 0, 0), raw, raw.pixel, 32, &pool).is_some(), "a driver that does not tell");
        assert!(picture(&full, &meta(256, Flags::empty(), 0, 0), raw, raw.pixel, 32, &pool).is_none(), "half of it");
        assert!(picture(&full, &meta(512, Flags::ERROR, 0, 0), raw, raw.pixel, 32, &pool).is_none());
        assert!(picture(&full, &meta(9999, Flags::empty(), 0, 0), raw, raw.pixel, 32, &pool).is_none(), "more than there is");
        let jpeg = VideoFormat { pixel: PixelFormat::Mjpeg, ..raw };
        let mut stale = sample();
        let length = stale.len();
        stale.extend([7; 300]);
        let cut = picture(&stale, &meta(stale.len() as u32, Flags::empty(), 0, 0), jpeg, jpeg.pixel, 0, &pool).expect("a JPEG");
        assert_eq!(cut.bytes.len(), length);
        assert!(picture(&stale, &meta(20, Flags::empty(), 0, 0), jpeg, jpeg.pixel, 0, &pool).is_none());
    }

    #[test]
    fn three_planes_are_delivered_in_a_layout_that_means_the_colours_of_cameras() {
        let format = VideoFormat { width: 16, height: 16, pixel: delivered(PixelFormat::I420) };
        let planes = [vec![100; 256], vec![7; 64], vec![9; 64]].concat();
        let got = picture(&planes, &meta(384, Flags::empty(), 0, 0), format, PixelFormat::I420, 16, &FramePool::new(1)).expect("whole");
        assert_eq!((format.pixel, got.bytes), (PixelFormat::Nv12, [vec![100; 256], [7, 9].repeat(64)].concat()));
    }

    #[test]
    fn the_range_is_that_of_the_colour_space_where_the_driver_does_not_tell() {
        let mut format = Format::new(16, 16, FourCC::new(b"YUYV"));
        for (space, quantization, full) in [
            (Colorspace::SRGB, Quantization::Default, false),
            (Colorspace::JPEG, Quantization::Default, true),
            (Colorspace::JPEG, Quantization::LimitedRange, false),
            (Colorspace::SRGB, Quantization::FullRange, true),
        ] {
            (format.colorspace, format.quantization) = (space, quantization);
            assert_eq!(is_full_range(&format), full, "{format}");
        }
    }

    #[test]
    fn ids_lead_to_camera_nodes_only() {
        for id in ["/dev/video3", "video3", "3"] {
            assert_eq!(path_of(id).expect("a node"), Path::new("/dev/video3"));
        }
        for id in ["/dev/sda", "../etc/passwd", "/dev/v4l/../sda", "video", ""] {
            assert!(path_of(id).is_err(), "{id}");
        }
    }
}
