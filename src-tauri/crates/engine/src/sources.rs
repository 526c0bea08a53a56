//! Opening what a configuration names: cameras, microphones, files, the demo.

use crate::error::failure;
use crate::protocol::{CameraChoice, Configuration, Failure, MicChoice, OnAir};
use crate::sound::Source;
use crate::timing;
use stallcast_capture::{FileSources, SeenCamera, UNSEEN_CAMERA};
use stallcast_media::{Canvas, FrameRing, Health, HealthCode, PixelFormat, SourceError, SourceErrorKind, VideoFormat, VideoSource};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long sources are opened as if the show began, after a process that died: a device that it held becomes free after a moment.
const AGAIN_LIMIT: Duration = Duration::from_secs(2);
const AGAIN_PAUSE: Duration = Duration::from_millis(250);

const SIDES: RangeInclusive<u32> = 160..=1920;
const RATES: RangeInclusive<u32> = 1..=60;
const VIDEO_KBPS: RangeInclusive<u32> = 100..=20_000;
const AUDIO_KBPS: RangeInclusive<u32> = 32..=320;

/// Both sources of a configuration.
pub(crate) struct Opened {
    pub(crate) camera: Box<dyn VideoSource>,
    pub(crate) mic: Source,
    /// Human name; empty for silence.
    pub(crate) mic_name: String,
}

/// The sources that were asked for.
pub(crate) struct OpenedPart {
    pub(crate) camera: Option<Box<dyn VideoSource>>,
    pub(crate) mic: Source,
    pub(crate) mic_name: String,
}

/// Are all figures within their limits? The client has checked them too, with better words.
pub(crate) fn check(wanted: &Configuration) -> Result<(), Failure> {
    let Canvas { width, height, fps } = wanted.canvas;
    let bad = |what: &str| Err(failure("bad_value", &[("name", &what)]));
    let side = |n: u32| SIDES.contains(&n) && n.is_multiple_of(2);
    if !side(width) || !side(height) {
        return bad("canvas");
    }
    if !RATES.contains(&fps) {
        return bad("fps");
    }
    if !VIDEO_KBPS.contains(&wanted.video_kbps) {
        return bad("video-kbps");
    }
    if !AUDIO_KBPS.contains(&wanted.audio_kbps) {
        return bad("audio-kbps");
    }
    Ok(())
}

/// One opened source gives picture and sound: the same file, or the demo with its voice.
pub(crate) fn is_shared(configuration: &Configuration) -> bool {
    match (&configuration.camera, &configuration.mic) {
        (CameraChoice::File { path: a }, MicChoice::File { path: b }) => same_file(a, b),
        (CameraChoice::Demo, MicChoice::Demo) => true,
        _ => false,
    }
}

/// Which camera to open again; `None` where none was ever opened.
fn seen(on_air: Option<&OnAir>) -> Option<SeenCamera> {
    let on_air = on_air.filter(|camera| camera.name != UNSEEN_CAMERA && !camera.id.is_empty());
    on_air.map(|OnAir { id, name }| SeenCamera { id: id.clone(), name: name.clone() })
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Opens both.
pub(crate) fn open(wanted: &Configuration) -> Result<Opened, Failure> {
    both(open_part(wanted, None, true, true)?)
}

/// What was asked for as a whole.
pub(crate) fn both(part: OpenedPart) -> Result<Opened, Failure> {
    let camera = part.camera.ok_or_else(|| failure("internal", &[("detail", &"no picture source")]))?;
    Ok(Opened { camera, mic: part.mic, mic_name: part.mic_name })
}

/// Opens those asked for as a process had them that died, and never fails for want of a device: it is waited for, behind a slate and
/// silence. A file that cannot be read any more gives neither picture nor sound. May take as long as drivers do.
pub(crate) fn open_again(wanted: &Configuration, on_air: Option<&OnAir>, camera: bool, mic: bool) -> Result<OpenedPart, Failure> {
    let begun = Instant::now();
    loop {
        match open_part(wanted, on_air, camera, mic) {
            Err(refused) if begun.elapsed() < AGAIN_LIMIT => {
                tracing::warn!(code = refused.code, "the sources of the process before are not to be had yet");
            }
            Err(_) => return open_part_patiently(wanted, on_air, camera, mic),
            opened => return opened,
        }
        std::thread::sleep(AGAIN_PAUSE);
    }
}

/// Neither picture nor sound, until they are open.
pub(crate) fn none_yet() -> Opened {
    Opened { camera: paused(""), mic: None, mic_name: String::new() }
}

/// None of them: a slate and silence, and the word for it. Nameless: which camera has a name then is one that somebody chose.
pub(crate) fn spared(name: &str) -> Opened {
    let news = vec![Health::new(HealthCode::SourcesSpared).with("device", name)];
    Opened { camera: Box::new(Paused { name: String::new(), ring: FrameRing::new(), news }), mic: None, mic_name: String::new() }
}

/// The same for the sources asked for.
pub(crate) fn open_part_patiently(wanted: &Configuration, on_air: Option<&OnAir>, camera: bool, mic: bool) -> Result<OpenedPart, Failure> {
    if camera
        && mic
        && is_shared(wanted)
        && let Ok(part) = open_now(wanted, None, true, true)
    {
        return Ok(part);
    }
    let now = |camera, mic| open_now(wanted, None, camera, mic).ok();
    let camera = match &wanted.camera {
        _ if !camera => None,
        CameraChoice::Device { id } => {
            Some(stallcast_capture::wait_for_camera(id.as_deref(), seen(on_air).as_ref(), wanted.canvas).map_err(refusal)?)
        }
        CameraChoice::File { path } => {
            Some(now(true, false).and_then(|part| part.camera).unwrap_or_else(|| gone(&path.display().to_string())))
        }
        CameraChoice::Demo => Some(now(true, false).and_then(|part| part.camera).unwrap_or_else(|| gone("demo"))),
    };
    let mic = match &wanted.mic {
        _ if !mic => None,
        MicChoice::Device { id } => Some(stallcast_capture::wait_for_mic(id.as_deref()).map_err(refusal)?),
        MicChoice::File { .. } | MicChoice::Demo | MicChoice::None => now(false, true).and_then(|part| part.mic),
    };
    let mic_name = mic.as_ref().map(|mic| mic.name()).unwrap_or_default();
    Ok(OpenedPart { camera, mic, mic_name })
}

/// Is a device among those asked for? A driver gives it to one at a time: the present ones have to be let go of first.
pub(crate) const fn needs_device(wanted: &Configuration, camera: bool, mic: bool) -> bool {
    camera && matches!(wanted.camera, CameraChoice::Device { .. }) || mic && matches!(wanted.mic, MicChoice::Device { .. })
}

/// Opens the sources asked for; takes seconds where a driver does.
pub(crate) fn open_part(wanted: &Configuration, on_air: Option<&OnAir>, camera: bool, mic: bool) -> Result<OpenedPart, Failure> {
    open_now(wanted, seen(on_air).as_ref(), camera, mic).map_err(refusal)
}

fn open_now(wanted: &Configuration, seen: Option<&SeenCamera>, camera: bool, mic: bool) -> Result<OpenedPart, SourceError> {
    // Different files start at the same instant.
    let start = timing::now();
    let mut part = OpenedPart { camera: None, mic: None, mic_name: String::new() };
    if camera && mic && is_shared(wanted) {
        match &wanted.camera {
            CameraChoice::File { path } => {
                let FileSources { video, audio } = stallcast_capture::open_file(path, true, true, start)?;
                (part.camera, part.mic) = (video, audio);
            }
            _ => {
                let (picture, voice) = stallcast_capture::demo(wanted.canvas)?;
                (part.camera, part.mic) = (Some(picture), Some(voice));
            }
        }
    } else {
        if camera {
            part.camera = match &wanted.camera {
                CameraChoice::Device { id } => Some(stallcast_capture::open_camera(id.as_deref(), seen, wanted.canvas)?),
                CameraChoice::File { path } => stallcast_capture::open_file(path, true, false, start)?.video,
                CameraChoice::Demo => Some(stallcast_capture::demo(wanted.canvas)?.0),
            };
        }
        if mic {
            part.mic = match &wanted.mic {
                MicChoice::Device { id } => Some(stallcast_capture::open_mic(id.as_deref())?),
                MicChoice::File { path } => stallcast_capture::open_file(path, false, true, start)?.audio,
                MicChoice::Demo => Some(stallcast_capture::demo(wanted.canvas)?.1),
                MicChoice::None => None,
            };
        }
    }
    part.mic_name = part.mic.as_ref().map(|mic| mic.name()).unwrap_or_default();
    Ok(part)
}

fn refusal(e: SourceError) -> Failure {
    tracing::warn!(kind = ?e.kind, name = e.name, detail = e.detail, "a source does not open");
    let is_file = e.name.contains(std::path::MAIN_SEPARATOR) && Path::new(&e.name).parent().is_some_and(Path::is_dir);
    match e.kind {
        SourceErrorKind::Missing if is_file => failure("file_missing", &[("path", &e.name)]),
        SourceErrorKind::Missing => failure("device_missing", &[("name", &e.name)]),
        SourceErrorKind::Busy => failure("device_busy", &[("name", &e.name)]),
        SourceErrorKind::Denied => failure("device_denied", &[("name", &e.name)]),
        SourceErrorKind::Unusable => failure("source_unusable", &[("name", &e.name), ("detail", &e.detail)]),
    }
}

/// What stands in while one camera is let go of for the next: it delivers nothing, so the picture holds.
struct Paused {
    name: String,
    ring: FrameRing,
    news: Vec<Health>,
}

/// A source without pictures.
pub(crate) fn paused(name: &str) -> Box<dyn VideoSource> {
    Box::new(Paused { name: name.to_owned(), ring: FrameRing::new(), news: Vec::new() })
}

/// The same for one that cannot be had any more, and says so.
pub(crate) fn gone(name: &str) -> Box<dyn VideoSource> {
    let news = vec![Health::new(HealthCode::CameraLost).with("device", name)];
    Box::new(Paused { name: name.to_owned(), ring: FrameRing::new(), news })
}

impl VideoSource for Paused {
    fn ring(&self) -> FrameRing {
        self.ring.clone()
    }
    fn format(&self) -> (VideoFormat, f64) {
        (VideoFormat { width: 16, height: 16, pixel: PixelFormat::I420 }, 30.0)
    }
    fn name(&self) -> String {
        self.name.clone()
    }
    fn health(&mut self) -> Vec<Health> {
        std::mem::take(&mut self.news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::small_demo as demo;

    #[test]
    fn figures_out_of_range_are_refused_by_name() {
        assert!(check(&demo()).is_ok());
        let with = |canvas| Configuration { canvas, ..demo() };
        for (wrong, name) in [
            (with(Canvas { width: 361, height: 640, fps: 30 }), "canvas"),
            (with(Canvas { width: 158, height: 640, fps: 30 }), "canvas"),
            (with(Canvas { width: 360, height: 1922, fps: 30 }), "canvas"),
            (with(Canvas { width: 360, height: 640, fps: 0 }), "fps"),
            (Configuration { video_kbps: 0, ..demo() }, "video-kbps"),
            (Configuration { audio_kbps: 1, ..demo() }, "audio-kbps"),
        ] {
            let refused = check(&wrong).expect_err(name);
            assert_eq!((refused.code.as_str(), refused.params["name"].as_str()), ("bad_value", name));
        }
    }

    #[test]
    fn only_a_camera_that_was_opened_is_looked_for_again() {
        let on_air = |id: &str, name: &str| OnAir { id: id.to_owned(), name: name.to_owned() };
        let camera = seen(Some(&on_air("/dev/video2", "C920")));
        assert_eq!(camera.map(|camera| (camera.id, camera.name)), Some(("/dev/video2".to_owned(), "C920".to_owned())));
        assert_eq!([seen(None), seen(Some(&on_air("", UNSEEN_CAMERA))), seen(Some(&on_air("", "clip.mp4")))], [const { None }; 3]);
    }

    #[test]
    fn a_file_that_is_not_there_is_told_from_a_device() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("no.mp4");
        let wanted = Configuration { camera: CameraChoice::File { path: path.clone() }, mic: MicChoice::None, ..demo() };
        assert!(!needs_device(&wanted, true, true));
        let refused = open_part(&wanted, None, true, true).err().expect("missing");
        assert_eq!(refused.code, "file_missing");
        assert_eq!(refused.params["path"], path.display().to_string());
    }
}
