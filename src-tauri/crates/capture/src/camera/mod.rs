//! Cameras. The thread of one is `cam:<id>`.

pub(crate) mod door;
#[cfg(target_os = "linux")]
mod door_linux;
#[cfg(any(test, not(target_os = "linux")))]
mod door_nokhwa;
mod jpeg;
pub(crate) mod mode;
mod pack;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use crate::keeper::{Device, Opened, Trouble, bounded, keep, keep_trying};
use crate::news::News;
use crate::timing::{Halt, now};
use crate::watch::START_LIMIT;
use crate::worker::Worker;
use door::{Door, Found, Reel};
use stallcast_media::{
    Canvas, FramePool, FrameRing, Health, HealthCode, NANOS_PER_MS, SourceError, SourceErrorKind, SourceId, VideoFormat, VideoSource,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Name of a camera that is waited for, where any would do and none was seen.
pub const UNSEEN: &str = "camera";

/// How long opening may take up to the first picture.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long listing what is there may take.
pub(crate) const LIST_LIMIT: Duration = Duration::from_secs(3);
/// How long a reader waits for a picture before it looks whether it should end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Without a picture for so long a camera's thread hangs.
const HANGS_AFTER: i64 = 1000 * NANOS_PER_MS;
/// A camera that this program itself is about to let go of is waited for, looking so often.
const OWN_LIMIT: i64 = 2000 * NANOS_PER_MS;
const OWN_EVERY: i64 = 50 * NANOS_PER_MS;
const _: () = assert!(OPEN_LIMIT.as_nanos() as i64 + OWN_LIMIT <= START_LIMIT, "it opens again as slowly as the first time");
/// Idle picture buffers kept: the ring and what the program holds.
const IDLE_BUFFERS: usize = 10;

/// A camera that was on air.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCamera {
    /// Its id then. Plugged in again, or after the computer started anew, it may have another one, and its own be another's.
    pub id: String,
    /// Its name, which others of the same model have too.
    pub name: String,
}

impl SeenCamera {
    /// It, among those that are there: under its id, else the only one of its name. `None` if that is nobody, or may be another.
    fn among(&self, there: &[Found]) -> Option<Found> {
        let mut of_name = there.iter().filter(|found| found.name == self.name);
        let same = of_name.clone().find(|found| found.id == self.id);
        let only = of_name.next().filter(|_| of_name.next().is_none());
        same.or(only).cloned()
    }

    /// It, or what will be looked for by its name.
    fn found(&self, there: &[Found]) -> Found {
        self.among(there).unwrap_or_else(|| Found { id: self.id.clone(), name: self.name.clone() })
    }
}

/// Opens a camera; see [`crate::open_camera`].
pub(crate) fn open(
    door: &'static dyn Door,
    id: Option<&str>,
    seen: Option<&SeenCamera>,
    canvas: Canvas,
) -> Result<CameraSource, SourceError> {
    let there = list(door);
    if let Some(seen) = seen {
        return keep_open(share(door, seen.found(&there), &there, canvas, true));
    }
    if let Some(id) = id {
        let found = there.iter().find(|found| is_meant(found, id)).cloned();
        return open_one(door, found.unwrap_or_else(|| Found { id: id.to_owned(), name: id.to_owned() }), &there, canvas);
    }
    let mut first = None;
    for found in &there {
        match open_one(door, found.clone(), &there, canvas) {
            Ok(source) => return Ok(source),
            Err(e) => {
                first.get_or_insert(e);
            }
        }
    }
    Err(first.unwrap_or_else(|| SourceError {
        kind: SourceErrorKind::Missing,
        name: UNSEEN.to_owned(),
        detail: "no camera is plugged in".to_owned(),
    }))
}

/// Opens a camera that may not be there yet; see [`crate::wait_for_camera`].
pub(crate) fn wait(
    door: &'static dyn Door,
    id: Option<&str>,
    seen: Option<&SeenCamera>,
    canvas: Canvas,
) -> Result<CameraSource, SourceError> {
    let there = list(door);
    if let Some(seen) = seen {
        return keep_waiting(share(door, seen.found(&there), &there, canvas, true));
    }
    let id = id.unwrap_or_default();
    let found = there.iter().find(|found| id.is_empty() || is_meant(found, id)).cloned();
    let name = if id.is_empty() { UNSEEN } else { id };
    keep_waiting(share(door, found.unwrap_or_else(|| Found { id: id.to_owned(), name: name.to_owned() }), &there, canvas, false))
}

fn keep_waiting(shared: Arc<Shared>) -> Result<CameraSource, SourceError> {
    let watch = keep_trying(&shared, HANGS_AFTER).map_err(|trouble| refusal(&shared, trouble))?;
    Ok(CameraSource { shared, _watch: watch })
}

/// `/dev/video0` may be called `video0` or `0`, and every camera by its name.
fn is_meant(found: &Found, id: &str) -> bool {
    let short = |start| found.id.strip_prefix(start) == Some(id);
    found.id == id || found.name == id || short("/dev/") || short("/dev/video")
}

/// Cameras that are there. A driver that hangs or a library that panics makes the list empty.
pub(crate) fn list(door: &'static dyn Door) -> Vec<Found> {
    bounded("camera-list", LIST_LIMIT, move || door.list()).unwrap_or_default()
}

fn open_one(door: &'static dyn Door, found: Found, there: &[Found], canvas: Canvas) -> Result<CameraSource, SourceError> {
    keep_open(share(door, found, there, canvas, false))
}

fn keep_open(shared: Arc<Shared>) -> Result<CameraSource, SourceError> {
    let watch = keep(&shared, OPEN_LIMIT, HANGS_AFTER).map_err(|trouble| refusal(&shared, trouble))?;
    Ok(CameraSource { shared, _watch: watch })
}

/// `known`: it was on air before, and what has its id now may be another.
fn share(door: &'static dyn Door, found: Found, there: &[Found], canvas: Canvas, known: bool) -> Arc<Shared> {
    let twins = there.iter().filter(|other| other.name == found.name && other.id != found.id).map(|twin| twin.id.clone()).collect();
    Arc::new(Shared {
        door,
        canvas,
        at: SourceId::new(&found.id),
        found,
        twins,
        known,
        ring: FrameRing::new(),
        news: News::default(),
        format: Mutex::default(),
        frames: AtomicU64::new(0),
        pool: FramePool::new(IDLE_BUFFERS),
    })
}

fn refusal(shared: &Shared, trouble: Trouble) -> SourceError {
    SourceError { kind: trouble.kind, name: shared.found.name.clone(), detail: trouble.detail }
}

struct Shared {
    door: &'static dyn Door,
    canvas: Canvas,
    found: Found,
    /// Ids of others of the same name when it was chosen: what they show was not asked for.
    twins: Vec<String>,
    /// It was on air before.
    known: bool,
    /// Id under which it was opened last.
    at: SourceId,
    ring: FrameRing,
    news: News,
    format: Mutex<Option<(VideoFormat, f64)>>,
    frames: AtomicU64,
    pool: FramePool,
}

impl Device for Shared {
    fn thread_name(&self) -> String {
        // End of the id: thread names are short.
        format!("cam:{}", self.found.id.rsplit(['/', '\\']).next().unwrap_or_default()).replace('\0', "")
    }

    fn work(&self, halt: &Halt, opened: &Opened) -> Result<(), Trouble> {
        let held = Held::new(&self.found.id);
        let mut reel = self.open(halt, &held)?;
        let mut told = false;
        while !halt.is_set() {
            let Some(frame) = reel.next(LOOK_EVERY)? else { continue };
            // It may have come out of a long stall, when another thread is at work already.
            if halt.is_set() {
                break;
            }
            if !told {
                told = true;
                let (_, fps) = reel.format();
                *self.format.lock().unwrap_or_else(PoisonError::into_inner) = Some((frame.format, fps));
                tracing::info!(camera = self.found.id, format = ?frame.format, fps, "a camera delivers");
            }
            self.ring.push(frame);
            if self.frames.fetch_add(1, Ordering::Release) == 0 {
                opened.tell();
            }
        }
        // In this order: who waits for the camera must find it free.
        drop(reel);
        drop(held);
        Ok(())
    }

    fn delivered(&self) -> u64 {
        self.frames.load(Ordering::Acquire)
    }

    fn tell(&self, lost: bool) {
        let code = if lost { HealthCode::CameraLost } else { HealthCode::CameraBack };
        self.news.add(Health::new(code).with("device", &self.found.name));
    }
}

impl Shared {
    fn open(&self, halt: &Halt, held: &Held) -> Result<Box<dyn Reel>, Trouble> {
        let give_up = now() + OWN_LIMIT;
        loop {
            match self.open_present() {
                Err(e) if e.kind == SourceErrorKind::Busy && held.is_shared() && now() < give_up => {
                    if halt.wait_until(now() + OWN_EVERY) {
                        return Err(e);
                    }
                }
                result => return result,
            }
        }
    }

    /// Opens the camera where it is: plugged in again it may have another id.
    fn open_present(&self) -> Result<Box<dyn Reel>, Trouble> {
        let open = |id: &str| self.door.open(id, self.canvas, &self.pool).inspect(|_| self.at.set(id));
        if self.found.name == self.found.id || self.found.id.is_empty() {
            // Never seen: any camera that may be meant.
            let mut there = list(self.door).into_iter();
            let meant = there.find(|found| self.found.id.is_empty() || is_meant(found, &self.found.id));
            return open(meant.as_ref().map_or(&self.found.id, |found| &found.id));
        }
        let first = self.frames.load(Ordering::Acquire) == 0 && !self.known;
        // To list them opens each that is there, and another one may be slow or hang.
        if first || self.door.name_of(&self.found.id).as_ref() == Some(&self.found.name) {
            match open(&self.found.id) {
                Err(e) if e.kind == SourceErrorKind::Missing && !first => {}
                result => return result,
            }
        }
        let there = list(self.door);
        let elsewhere = |f: &&Found| f.name == self.found.name && !self.twins.contains(&f.id);
        let same = there.iter().find(|f| **f == self.found).or_else(|| there.iter().find(elsewhere));
        match same {
            Some(same) => open(&same.id),
            // Nobody says what is there.
            None if there.is_empty() && self.door.name_of(&self.found.id).is_none_or(|name| name == self.found.name) => {
                open(&self.found.id)
            }
            None => Err(Trouble::new(SourceErrorKind::Missing, "what is plugged in is another camera")),
        }
    }
}

/// Notes which cameras this process holds, because a driver gives one to a single user, even of the same process.
struct Held(String);

static HELD: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Held {
    fn new(id: &str) -> Self {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
        Self(id.to_owned())
    }

    fn is_shared(&self) -> bool {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|id| **id == self.0).count() > 1
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = held.iter().position(|id| *id == self.0) {
            held.swap_remove(at);
        }
    }
}

/// An opened camera.
pub(crate) struct CameraSource {
    shared: Arc<Shared>,
    _watch: Worker,
}

impl VideoSource for CameraSource {
    fn ring(&self) -> FrameRing {
        self.shared.ring.clone()
    }

    fn format(&self) -> (VideoFormat, f64) {
        let format = *self.shared.format.lock().unwrap_or_else(PoisonError::into_inner);
        let canvas = self.shared.canvas;
        let unknown = VideoFormat { width: canvas.width, height: canvas.height, pixel: stallcast_media::PixelFormat::I420 };
        format.unwrap_or((unknown, f64::from(canvas.fps)))
    }

    fn name(&self) -> String {
        self.shared.found.name.clone()
    }

    fn id(&self) -> SourceId {
        self.shared.at.clone()
    }

    fn health(&mut self) -> Vec<Health> {
        self.shared.news.take()
    }
}
