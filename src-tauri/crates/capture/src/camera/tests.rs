//! The life of a camera, against doors in memory, and the door of other systems against the imitation camera.

use super::door::{Door, Found, Reel};
use super::door_nokhwa::Nokhwa;
use super::mode::Mode;
use super::{CameraSource, LIST_LIMIT, SeenCamera, open, wait};
use crate::keeper::Trouble;
use stallcast_media::{Canvas, Frame, FramePool, HealthCode, PixelFormat, SourceError, SourceErrorKind, VideoFormat, VideoSource as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests that run the probe")]
mod support;

const CANVAS: Canvas = Canvas { width: 320, height: 240, fps: 30 };
const FORMAT: VideoFormat = VideoFormat { width: 16, height: 16, pixel: PixelFormat::Yuyv };

/// What a driver does at its n-th opening.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Refuse(SourceErrorKind),
    Panic,
    /// Delivers so many pictures and then hangs in the driver.
    Hang(usize),
    /// Delivers so many pictures and then panics.
    Break(usize),
    Deliver,
}

/// A driver in memory with a camera for each script.
struct Driver {
    cameras: Vec<(&'static [Deed], AtomicUsize)>,
    /// Whoever lists them from now on hangs.
    listing_hangs: AtomicBool,
    /// They are of one model and have one name; one that would be missing is not listed.
    one_model: bool,
}

impl Driver {
    fn of(scripts: &[&'static [Deed]]) -> &'static Self {
        Self::made(scripts, false)
    }

    fn of_one_model(scripts: &[&'static [Deed]]) -> &'static Self {
        Self::made(scripts, true)
    }

    fn made(scripts: &[&'static [Deed]], one_model: bool) -> &'static Self {
        let cameras = scripts.iter().map(|script| (*script, AtomicUsize::new(0))).collect();
        Box::leak(Box::new(Self { cameras, listing_hangs: AtomicBool::new(false), one_model }))
    }

    fn name(&self, id: &str) -> String {
        if self.one_model { "camera".to_owned() } else { format!("camera {id}") }
    }

    fn opened(&self, camera: usize) -> usize {
        self.cameras[camera].1.load(Ordering::SeqCst)
    }

    fn is_missing(&self, camera: usize) -> bool {
        let script = self.cameras[camera].0;
        matches!(script[self.opened(camera).min(script.len() - 1)], Deed::Refuse(SourceErrorKind::Missing))
    }
}

impl Door for Driver {
    fn list(&self) -> Vec<Found> {
        while self.listing_hangs.load(Ordering::SeqCst) {
            std::thread::park();
        }
        let there = (0..self.cameras.len()).filter(|i| !self.one_model || !self.is_missing(*i)).map(|i| i.to_string());
        there.map(|id| Found { name: self.name(&id), id }).collect()
    }

    fn name_of(&self, id: &str) -> Option<String> {
        id.parse::<usize>().is_ok_and(|camera| camera < self.cameras.len()).then(|| self.name(id))
    }

    fn modes(&self, _id: &str) -> Result<Vec<Mode>, Trouble> {
        Ok(vec![])
    }

    fn open(&self, id: &str, _canvas: Canvas, pool: &FramePool) -> Result<Box<dyn Reel>, Trouble> {
        let (script, opened) = &self.cameras[id.parse::<usize>().map_err(|e| Trouble::new(SourceErrorKind::Missing, e))?];
        let deed = script[opened.fetch_add(1, Ordering::SeqCst).min(script.len() - 1)];
        match deed {
            Deed::Refuse(kind) => Err(Trouble::new(kind, "refused")),
            Deed::Panic => panic!("a driver's library fails"),
            _ => Ok(Box::new(Film { deed, shown: 0, pool: pool.clone() })),
        }
    }
}

struct Film {
    deed: Deed,
    shown: usize,
    pool: FramePool,
}

impl Reel for Film {
    fn format(&self) -> (VideoFormat, f64) {
        (FORMAT, 30.0)
    }

    fn next(&mut self, _limit: Duration) -> Result<Option<Frame>, Trouble> {
        self.shown += 1;
        match self.deed {
            Deed::Hang(after) if self.shown > after => loop {
                std::thread::park();
            },
            Deed::Break(after) if self.shown > after => panic!("a driver's library fails"),
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(10));
        Ok(Some(Frame::new(FORMAT, crate::timing::now(), false, self.pool.take(FORMAT.bytes()))))
    }
}

fn opened(result: Result<CameraSource, SourceError>) -> CameraSource {
    match result {
        Ok(source) => source,
        Err(e) => panic!("{e}"),
    }
}

fn codes_until(source: &mut CameraSource, wanted: HealthCode) -> Vec<HealthCode> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut codes = vec![];
    while !codes.contains(&wanted) {
        assert!(Instant::now() < deadline, "no {wanted:?}, only {codes:?}");
        let _ = source.ring().wait_beyond(u64::MAX - 1, Duration::from_millis(20));
        codes.extend(source.health().into_iter().map(|h| h.code));
    }
    codes
}

#[test]
fn the_first_camera_that_works_is_taken() {
    let driver = Driver::of(&[&[Deed::Refuse(SourceErrorKind::Busy)], &[Deed::Panic], &[Deed::Deliver]]);
    let source = opened(open(driver, None, None, CANVAS));
    assert_eq!((source.name().as_str(), source.format()), ("camera 2", (FORMAT, 30.0)));
}

#[test]
fn why_none_works_is_said_of_the_first() {
    let refused = |scripts: &[&'static [Deed]], id| open(Driver::of(scripts), id, None, CANVAS).err().expect("none works").kind;
    assert_eq!(refused(&[&[Deed::Refuse(SourceErrorKind::Busy)], &[Deed::Panic]], None), SourceErrorKind::Busy);
    assert_eq!(refused(&[&[Deed::Panic]], None), SourceErrorKind::Unusable);
    assert_eq!(refused(&[], None), SourceErrorKind::Missing);
    assert_eq!(refused(&[&[Deed::Deliver]], Some("no such")), SourceErrorKind::Missing);
}

#[test]
fn a_thread_that_hangs_in_the_driver_is_left_behind() {
    let mut source = opened(open(Driver::of(&[&[Deed::Hang(20), Deed::Deliver]]), None, None, CANVAS));
    assert_eq!(codes_until(&mut source, HealthCode::CameraBack), [HealthCode::CameraLost, HealthCode::CameraBack]);
    let closing = Instant::now();
    drop(source);
    assert!(closing.elapsed() < Duration::from_secs(2), "{:?}", closing.elapsed());
}

#[test]
fn a_library_that_panics_costs_the_picture_for_a_moment_only() {
    let script: &[Deed] = &[Deed::Break(20), Deed::Panic, Deed::Refuse(SourceErrorKind::Missing), Deed::Deliver];
    let mut source = opened(open(Driver::of(&[script]), None, None, CANVAS));
    assert_eq!(codes_until(&mut source, HealthCode::CameraBack), [HealthCode::CameraLost, HealthCode::CameraBack]);
}

#[test]
fn a_camera_that_is_waited_for_is_lost_until_it_delivers() {
    let script: &[Deed] = &[Deed::Refuse(SourceErrorKind::Busy), Deed::Panic, Deed::Deliver];
    for id in [None, Some("0"), Some("camera 0")] {
        let mut source = opened(wait(Driver::of(&[script]), id, None, CANVAS));
        assert_eq!(codes_until(&mut source, HealthCode::CameraBack), [HealthCode::CameraLost, HealthCode::CameraBack]);
        assert_eq!(source.format(), (FORMAT, 30.0));
    }
    let mut source = opened(wait(Driver::of(&[&[Deed::Deliver]]), Some("0"), None, CANVAS));
    assert!(source.ring().wait_beyond(0, Duration::from_secs(20)) > 0, "one that is there delivers at once");
    assert!(source.health().is_empty());
    let mut none = opened(wait(Driver::of(&[]), None, None, CANVAS));
    assert_eq!(codes_until(&mut none, HealthCode::CameraLost), [HealthCode::CameraLost], "none is there at all");
}

#[test]
fn another_camera_that_hangs_does_not_keep_one_from_coming_back() {
    let driver = Driver::of(&[&[Deed::Break(20), Deed::Deliver]]);
    let source = opened(open(driver, None, None, CANVAS));
    driver.listing_hangs.store(true, Ordering::SeqCst);
    let lost = Instant::now();
    assert!(source.ring().wait_beyond(25, Duration::from_secs(20)) > 25, "it is opened without a list");
    assert!(lost.elapsed() < LIST_LIMIT, "{:?}", lost.elapsed());
}

#[test]
fn another_camera_of_the_same_model_never_comes_in_its_place() {
    let gone: &[Deed] = &[
        Deed::Break(20),
        Deed::Refuse(SourceErrorKind::Missing),
        Deed::Refuse(SourceErrorKind::Missing),
        Deed::Refuse(SourceErrorKind::Missing),
        Deed::Deliver,
    ];
    for id in [Some("0"), None] {
        let driver = Driver::of_one_model(&[gone, &[Deed::Deliver]]);
        let mut source = opened(open(driver, id, None, CANVAS));
        assert_eq!(codes_until(&mut source, HealthCode::CameraBack), [HealthCode::CameraLost, HealthCode::CameraBack]);
        assert_eq!(driver.opened(1), 0, "what it shows was not asked for");
    }
}

#[test]
fn the_camera_that_was_on_air_is_known_by_its_id_and_its_name() {
    let seen = |id: &str, name: &str| SeenCamera { id: id.to_owned(), name: name.to_owned() };
    let works: &[Deed] = &[Deed::Deliver];
    // The second of a model, where any would have done.
    let twins = Driver::of_one_model(&[works, works]);
    let source = opened(open(twins, None, Some(&seen("1", "camera")), CANVAS));
    assert_eq!((source.id().get().as_str(), twins.opened(0)), ("1", 0));
    // Under another id since, and the only one of its name: also where it was chosen by that id.
    let models = Driver::of(&[works, works]);
    let source = opened(open(models, Some("0"), Some(&seen("0", "camera 1")), CANVAS));
    assert_eq!((source.id().get().as_str(), models.opened(0)), ("1", 0));
    // It may be either of two, and what has its id may be another: neither goes on air.
    for (driver, gone) in [(twins, seen("7", "camera")), (models, seen("0", "camera 7"))] {
        let before = [driver.opened(0), driver.opened(1)];
        assert_eq!(open(driver, None, Some(&gone), CANVAS).err().map(|e| e.kind), Some(SourceErrorKind::Missing));
        let mut waiting = opened(wait(driver, Some("0"), Some(&gone), CANVAS));
        assert_eq!(codes_until(&mut waiting, HealthCode::CameraLost), [HealthCode::CameraLost]);
        assert_eq!([driver.opened(0), driver.opened(1)], before, "{gone:?}");
    }
}

const CHILD: &str = "STALLCAST_TEST_NOKHWA";

/// Not a test of its own: runs where only the imitation camera can be seen.
#[test]
fn nokhwa_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let found = Nokhwa.list();
    assert_eq!(found.len(), 1, "{found:?}");
    let modes = Nokhwa.modes(&found[0].id).expect("modes");
    assert!(modes.iter().any(|m| (m.width, m.height, m.pixel) == (320, 240, PixelFormat::Nv12)), "{modes:?}");
    let mut source = opened(open(&Nokhwa, None, None, CANVAS));
    assert_eq!(source.format().0, VideoFormat { width: 320, height: 240, pixel: PixelFormat::Nv12 });
    let ring = source.ring();
    assert!(ring.wait_beyond(30, Duration::from_secs(10)) > 30);
    support::say("stall");
    codes_until(&mut source, HealthCode::CameraLost);
    support::say("go on");
    codes_until(&mut source, HealthCode::CameraBack);
    support::say("well");
}

#[test]
fn the_door_of_other_systems_delivers_and_survives_a_stall() {
    let cameras = support::Cameras::new("Fake", "mode=NV12 320 240 30 pattern\nmode=YUYV 640 480 30 pattern\n");
    let mut command = cameras.command(&std::env::current_exe().expect("this test"));
    command.args(["--exact", "camera::tests::nokhwa_child", "--nocapture"]).env(CHILD, "1");
    let mut run = support::Running::start(command);
    run.wait_until("stall", |line| line.ends_with("stall"));
    cameras.fault("stall");
    run.wait_for("go on");
    cameras.fault("");
    run.wait_for("well");
    assert_eq!(run.end(), 0);
}
