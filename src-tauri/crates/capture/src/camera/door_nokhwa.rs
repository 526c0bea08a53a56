//! Cameras of Windows and macOS, through nokhwa. Not tried on either; on Linux its tests run it against an imitation
//! camera.
//!
//! nokhwa panics here and there, blocks without a limit and stamps by the wall clock: the reader's thread catches the
//! panics and can be left behind, and pictures are stamped with their arrival.

use super::door::{Door, Found, Reel};
use super::mode::{Mode, ranked};
use super::{jpeg, pack};
use crate::keeper::Trouble;
use crate::timing::now;
use nokhwa::Camera;
use nokhwa::error::NokhwaError;
use nokhwa::utils::{ApiBackend, CameraFormat, CameraIndex, CameraInfo, FrameFormat, RequestedFormat, RequestedFormatType};
use stallcast_media::{Canvas, Frame, FramePool, PixelFormat, SourceErrorKind, VideoFormat};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const LAYOUTS: [FrameFormat; 3] = [FrameFormat::NV12, FrameFormat::YUYV, FrameFormat::MJPEG];
/// How long the system may take to say whether cameras may be used.
const PERMISSION_LIMIT: Duration = Duration::from_secs(3);

/// nokhwa.
pub(crate) struct Nokhwa;

impl Door for Nokhwa {
    fn list(&self) -> Vec<Found> {
        query().unwrap_or_default().iter().map(|info| Found { id: id_of(info), name: info.human_name() }).collect()
    }

    fn modes(&self, id: &str) -> Result<Vec<Mode>, Trouble> {
        let mut camera = Guarded::new(index_of(id)?)?;
        camera.modes()
    }

    fn open(&self, id: &str, canvas: Canvas, pool: &FramePool) -> Result<Box<dyn Reel>, Trouble> {
        let mut camera = Guarded::new(index_of(id)?)?;
        let modes = camera.modes()?;
        let mode = *ranked(&modes, canvas)
            .first()
            .ok_or_else(|| Trouble::new(SourceErrorKind::Unusable, "it offers no layout that can be used"))?;
        camera.start(mode)?;
        Ok(Box::new(Running { camera, mode, pool: pool.clone() }))
    }
}

fn query() -> Result<Vec<CameraInfo>, Trouble> {
    allowed()?;
    catch_unwind(|| nokhwa::query(ApiBackend::Auto))
        .map_err(|_| Trouble::new(SourceErrorKind::Unusable, "the camera library failed"))?
        .map_err(trouble)
}

/// macOS asks the user once; everywhere else the answer is yes.
fn allowed() -> Result<(), Trouble> {
    if !nokhwa::nokhwa_check() {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        nokhwa::nokhwa_initialize(move |granted| {
            // The channel is full if the system answers twice.
            let _ = answer.try_send(granted);
        });
        if answered.recv_timeout(PERMISSION_LIMIT) != Ok(true) {
            return Err(Trouble::new(SourceErrorKind::Denied, "the system does not allow cameras"));
        }
    }
    Ok(())
}

/// What stays the same when the camera is plugged in again: the system's own name for it, where nokhwa has one.
fn id_of(info: &CameraInfo) -> String {
    let own = info.misc();
    if own.is_empty() || cfg!(target_os = "linux") { info.index().as_string() } else { own }
}

fn index_of(id: &str) -> Result<CameraIndex, Trouble> {
    query()?
        .iter()
        .find(|info| id_of(info) == id || info.index().as_string() == id || info.human_name() == id)
        .map(|info| info.index().clone())
        .ok_or_else(|| Trouble::new(SourceErrorKind::Missing, "no such camera"))
}

/// nokhwa has words only.
fn trouble(e: NokhwaError) -> Trouble {
    let words = e.to_string().to_lowercase();
    let has = |any: &[&str]| any.iter().any(|part| words.contains(part));
    let kind = if has(&["busy", "in use", "0xc00d3ea2", "0x80070020", "0xc00d3704"]) {
        SourceErrorKind::Busy
    } else if has(&["denied", "permission", "not authorized", "0x80070005"]) {
        SourceErrorKind::Denied
    } else if has(&["no such", "not found", "0xc00d3ea3"]) {
        SourceErrorKind::Missing
    } else {
        SourceErrorKind::Unusable
    };
    Trouble::new(kind, e)
}

/// A camera whose panics stay here.
struct Guarded(Option<Camera>);

impl Guarded {
    fn new(index: CameraIndex) -> Result<Self, Trouble> {
        let camera = catch_unwind(|| Camera::new(index, RequestedFormat::with_formats(RequestedFormatType::None, &LAYOUTS)));
        Ok(Self(Some(flat(camera)?)))
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut Camera) -> Result<T, NokhwaError>) -> Result<T, Trouble> {
        let Some(camera) = self.0.as_mut() else { return Err(Trouble::new(SourceErrorKind::Missing, "closed")) };
        flat(catch_unwind(AssertUnwindSafe(|| work(camera))))
    }

    fn modes(&mut self) -> Result<Vec<Mode>, Trouble> {
        let formats = self.with(Camera::compatible_camera_formats)?;
        let mode = |f: &CameraFormat| {
            let pixel = layout(f.format())?;
            Some(Mode { width: f.width(), height: f.height(), interval: (1, f.frame_rate()), pixel })
        };
        // nokhwa takes the denominator of a fractional rate for a rate; nothing delivers thousands of frames a second.
        Ok(formats.iter().filter_map(mode).filter(|m| m.interval.1 <= 480).collect())
    }

    fn start(&mut self, mode: Mode) -> Result<(), Trouble> {
        let layout = match mode.pixel {
            PixelFormat::Nv12 => FrameFormat::NV12,
            PixelFormat::Yuyv => FrameFormat::YUYV,
            PixelFormat::I420 | PixelFormat::Mjpeg => FrameFormat::MJPEG,
        };
        let format = CameraFormat::new_from(mode.width, mode.height, layout, mode.interval.1);
        self.with(|camera| camera.set_camera_requset(RequestedFormat::with_formats(RequestedFormatType::Exact(format), &LAYOUTS)))?;
        self.with(Camera::open_stream)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Its own drop unwraps.
        if let Some(camera) = self.0.take()
            && catch_unwind(AssertUnwindSafe(|| drop(camera))).is_err()
        {
            tracing::warn!("the camera library failed while closing a camera");
        }
    }
}

fn flat<T>(caught: std::thread::Result<Result<T, NokhwaError>>) -> Result<T, Trouble> {
    match caught {
        Ok(result) => result.map_err(trouble),
        Err(_) => Err(Trouble::new(SourceErrorKind::Unusable, "the camera library failed")),
    }
}

fn layout(format: FrameFormat) -> Option<PixelFormat> {
    match format {
        FrameFormat::NV12 => Some(PixelFormat::Nv12),
        FrameFormat::YUYV => Some(PixelFormat::Yuyv),
        FrameFormat::MJPEG => Some(PixelFormat::Mjpeg),
        FrameFormat::GRAY | FrameFormat::RAWRGB | FrameFormat::RAWBGR => None,
    }
}

struct Running {
    camera: Guarded,
    mode: Mode,
    pool: FramePool,
}

impl Reel for Running {
    fn format(&self) -> (VideoFormat, f64) {
        (VideoFormat { width: self.mode.width, height: self.mode.height, pixel: self.mode.pixel }, self.mode.fps())
    }

    fn next(&mut self, _limit: Duration) -> Result<Option<Frame>, Trouble> {
        let frame = self.camera.with(Camera::frame)?;
        let arrival = now();
        let resolution = frame.resolution();
        let Some(pixel) = layout(frame.source_frame_format()) else { return Ok(None) };
        let format = VideoFormat { width: resolution.width(), height: resolution.height(), pixel };
        let buffer = if pixel == PixelFormat::Mjpeg {
            let Some(jpeg) = jpeg::cut(frame.buffer()) else { return Ok(None) };
            let mut buffer = self.pool.take(jpeg.len());
            buffer.bytes.copy_from_slice(jpeg);
            buffer
        } else {
            let mut buffer = self.pool.take(format.bytes());
            if !pack::rows(frame.buffer(), 0, format, &mut buffer.bytes) {
                return Ok(None);
            }
            buffer
        };
        Ok(Some(Frame::new(format, arrival, pixel == PixelFormat::Mjpeg, buffer)))
    }
}
