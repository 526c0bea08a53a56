//! Cameras: one thread reads (`cam:<id>`), one watches it (`watch:<id>`) and sends another when it hangs or ends.

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
mod watch;

use crate::news::News;
use crate::timing::{Halt, now};
use crate::worker::{Ended, Worker};
use door::{Door, Found, Reel, Trouble};
use stallcast_media::{
    Canvas, FramePool, FrameRing, Health, HealthCode, NANOS_PER_MS, SourceError, SourceErrorKind, VideoFormat, VideoSource,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use watch::{Order, Sight, Watch};

/// How long opening may take up to the first picture.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long listing what is there may take.
pub(crate) const LIST_LIMIT: Duration = Duration::from_secs(3);
/// How long a reader waits for a picture before it looks whether it should end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often the watch looks.
const WATCH_EVERY: i64 = 50 * NANOS_PER_MS;
/// A camera that this program itself is about to let go of is waited for.
const OWN_LIMIT: i64 = 2000 * NANOS_PER_MS;
/// Idle picture buffers kept: the ring and what the program holds.
const IDLE_BUFFERS: usize = 10;

/// Opens a camera; see [`crate::open_camera`].
pub(crate) fn open(door: &'static dyn Door, id: Option<&str>, canvas: Canvas) -> Result<CameraSource, SourceError> {
    if let Some(id) = id {
        let found = list(door).into_iter().find(|found| found.id == id || found.name == id);
        return open_one(door, found.unwrap_or_else(|| Found { id: id.to_owned(), name: id.to_owned() }), canvas);
    }
    let mut first = None;
    for found in list(door) {
        match open_one(door, found, canvas) {
            Ok(source) => return Ok(source),
            Err(e) => {
                first.get_or_insert(e);
            }
        }
    }
    Err(first.unwrap_or_else(|| SourceError {
        kind: SourceErrorKind::Missing,
        name: "camera".to_owned(),
        detail: "no camera is plugged in".to_owned(),
    }))
}

/// Cameras that are there. A driver that hangs or a library that panics makes the list empty.
pub(crate) fn list(door: &'static dyn Door) -> Vec<Found> {
    bounded("camera-list", LIST_LIMIT, move || door.list()).unwrap_or_default()
}

/// What `work` gives on a thread of its own; `None` if it panics or takes too long.
pub(crate) fn bounded<T: Send + 'static>(name: &str, limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = sync_channel(1);
    let thread = stallcast_clock::spawn_thread(name, move || {
        // Nobody waits any more if this comes too late.
        if let Ok(result) = catch_unwind(AssertUnwindSafe(work)) {
            let _ = answer.send(result);
        }
    });
    thread.ok().and_then(|_| answered.recv_timeout(limit).ok())
}

fn open_one(door: &'static dyn Door, found: Found, canvas: Canvas) -> Result<CameraSource, SourceError> {
    let shared = Arc::new(Shared {
        door,
        canvas,
        found,
        ring: FrameRing::new(),
        news: News::default(),
        format: Mutex::default(),
        frames: AtomicU64::new(0),
        pool: FramePool::new(IDLE_BUFFERS),
    });
    let refuse = |trouble: Trouble| SourceError { kind: trouble.kind, name: shared.found.name.clone(), detail: trouble.detail };
    let no_thread = |e: std::io::Error| refuse(Trouble::new(SourceErrorKind::Unusable, e));
    let (reader, outcome) = Shared::read(&shared).map_err(no_thread)?;
    match outcome.recv_timeout(OPEN_LIMIT) {
        Ok(Outcome::Delivers) => {}
        Ok(Outcome::Failed(trouble)) => return Err(refuse(trouble)),
        Err(_) => {
            reader.abandon();
            return Err(refuse(Trouble::new(SourceErrorKind::Unusable, "it opens but delivers no usable picture")));
        }
    }
    let watched = Arc::clone(&shared);
    let watch = Worker::spawn(&format!("watch:{}", shared.short_name()), move |halt| keep(&watched, reader, &halt)).map_err(no_thread)?;
    Ok(CameraSource { shared, _watch: watch })
}

/// What came of a reader: its first picture, or what went wrong.
enum Outcome {
    Delivers,
    Failed(Trouble),
}

struct Shared {
    door: &'static dyn Door,
    canvas: Canvas,
    found: Found,
    ring: FrameRing,
    news: News,
    format: Mutex<Option<(VideoFormat, f64)>>,
    frames: AtomicU64,
    pool: FramePool,
}

impl Shared {
    /// End of the id: thread names are short.
    fn short_name(&self) -> String {
        self.found.id.rsplit(['/', '\\']).next().unwrap_or_default().replace('\0', "")
    }

    /// Sends a reader.
    fn read(shared: &Arc<Self>) -> std::io::Result<(Worker, Receiver<Outcome>)> {
        // Two: the first picture, and what went wrong later.
        let (outcome, outcomes) = sync_channel(2);
        let own = Arc::clone(shared);
        let worker = Worker::spawn(&format!("cam:{}", shared.short_name()), move |halt| {
            let work = || own.run(&halt, &outcome);
            let ended = catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|_| Err(Trouble::new(SourceErrorKind::Unusable, "the camera library failed")));
            if let Err(trouble) = ended {
                tracing::info!(camera = own.found.id, kind = ?trouble.kind, detail = trouble.detail, "a camera does not deliver");
                let _ = outcome.try_send(Outcome::Failed(trouble));
            }
        })?;
        Ok((worker, outcomes))
    }

    /// The reader: opens and delivers until told to end.
    fn run(&self, halt: &Halt, outcome: &SyncSender<Outcome>) -> Result<(), Trouble> {
        let held = Held::new(&self.found.id);
        let mut reel = self.open(halt, &held)?;
        let mut told = false;
        while !halt.is_set() {
            let Some(frame) = reel.next(LOOK_EVERY)? else { continue };
            // It may have come out of a long stall, when another reader is at work already.
            if halt.is_set() {
                break;
            }
            if !told {
                told = true;
                let format = reel.format();
                *self.format.lock().unwrap_or_else(PoisonError::into_inner) = Some((frame.format, format.1));
                tracing::info!(camera = self.found.id, format = ?frame.format, fps = format.1, "a camera delivers");
            }
            self.ring.push(frame);
            if self.frames.fetch_add(1, Ordering::Release) == 0 {
                // Full or gone: nobody waits for it.
                let _ = outcome.try_send(Outcome::Delivers);
            }
        }
        drop(reel);
        drop(held);
        Ok(())
    }

    fn open(&self, halt: &Halt, held: &Held) -> Result<Box<dyn Reel>, Trouble> {
        let give_up = now() + OWN_LIMIT;
        loop {
            match self.door.open(&self.present_id(), self.canvas, &self.pool) {
                Err(e) if e.kind == SourceErrorKind::Busy && held.is_shared() && now() < give_up => {
                    if halt.wait_until(now() + WATCH_EVERY) {
                        return Err(e);
                    }
                }
                result => return result,
            }
        }
    }

    /// The id under which the camera is present: plugged in again it may have another.
    fn present_id(&self) -> String {
        if self.frames.load(Ordering::Acquire) == 0 {
            return self.found.id.clone();
        }
        let there = self.door.list();
        let same = there.iter().find(|f| **f == self.found).or_else(|| there.iter().find(|f| f.name == self.found.name));
        same.unwrap_or(&self.found).id.clone()
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

/// The watch: as long as the source lives.
fn keep(shared: &Arc<Shared>, reader: Worker, halt: &Halt) {
    let mut reader = Some(reader);
    let mut stuck: Vec<Ended> = Vec::new();
    let mut watch = Watch::new(now(), shared.frames.load(Ordering::Acquire));
    while !halt.wait_until(now() + WATCH_EVERY) {
        stuck.retain(|ended| !ended.is_set());
        let sight = Sight {
            frames: shared.frames.load(Ordering::Acquire),
            reading: reader.as_ref().is_some_and(|reader| !reader.is_over()),
            stuck: stuck.len(),
        };
        for order in watch.observe(now(), sight) {
            let health = |code| Health::new(code).with("device", &shared.found.name);
            match order {
                Order::TellLost => shared.news.add(health(HealthCode::CameraLost)),
                Order::TellBack => shared.news.add(health(HealthCode::CameraBack)),
                Order::Reopen => {
                    if let Some(old) = reader.take() {
                        stuck.push(old.abandon());
                    }
                    match Shared::read(shared) {
                        Ok((new, _)) => reader = Some(new),
                        Err(e) => tracing::error!(error = %e, "no thread for a camera"),
                    }
                }
            }
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

    fn health(&mut self) -> Vec<Health> {
        self.shared.news.take()
    }
}
