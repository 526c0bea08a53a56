//! Which encoder a show begins with: hardware that has proved itself in a process of its own, else x264.

use crate::error::EngineError;
use crate::hub::Hub;
use crate::protocol::{Configuration, EncoderChoice};
use crate::relay::{EncodeError, Open, PictureEncoder, Which};
use crate::thread_priority;
use crate::watched::Watched;
use stallcast_clock::spawn_thread;
use stallcast_libav::{H264Encoder, VideoEncoder, VideoSettings, X264, encoder, hardware_encoders, probe};
use stallcast_media::{Canvas, Health, HealthCode};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// In the environment of a process that probes: `NAME WIDTH HEIGHT FPS KBPS LOW_LATENCY`.
const TASK: &str = "STALLCAST_PROBE";
/// A probe takes a second or two; a driver that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two looks whether a probing process has ended.
const LOOK: Duration = Duration::from_millis(50);
/// Threads that hang in a driver and were left behind, at most: then this process encodes with x264 only.
const MOST_ABANDONED: u32 = 2;

/// What is known of this machine's encoders. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Encoders(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The settings that were probed last, and the best that passed; `None` inside while it is looked for.
    best: Option<(VideoSettings, Option<&'static H264Encoder>)>,
    /// Failed during a show: not taken again by this process.
    distrusted: Vec<&'static str>,
    /// Threads left behind in a call that never came back.
    abandoned: u32,
}

pub(crate) const fn settings(configuration: &Configuration) -> VideoSettings {
    VideoSettings {
        canvas: configuration.canvas,
        kbps: configuration.video_kbps,
        low_latency: configuration.low_latency,
        keyframe_s: 2,
        b_frames: 2,
    }
}

impl Encoders {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to look for hardware that can do this, on the thread `enc:probe`. Nothing happens where there is none, or
    /// where it is known already.
    pub(crate) fn look_for(&self, configuration: &Configuration, data: &Path) {
        let wanted = settings(configuration);
        if configuration.encoder == EncoderChoice::Software || self.lock().best.as_ref().is_some_and(|(known, _)| *known == wanted) {
            return;
        }
        let candidates = hardware_encoders();
        self.lock().best = Some((wanted, None));
        if candidates.is_empty() {
            return;
        }
        let (known, data) = (self.clone(), data.to_owned());
        let search = move || {
            thread_priority::lower();
            let exe = std::env::current_exe().unwrap_or_default();
            let passed = candidates.into_iter().find(|candidate| passes(&exe, &data, candidate, &wanted, LIMIT));
            if let Some((settings, best)) = &mut known.lock().best
                && *settings == wanted
            {
                *best = passed;
            }
        };
        if let Err(e) = spawn_thread("enc:probe", search) {
            tracing::warn!(error = %e, "hardware encoders are not looked for");
        }
    }

    /// The encoder for a show that begins now.
    pub(crate) fn choose(&self, configuration: &Configuration) -> &'static H264Encoder {
        let wanted = settings(configuration);
        let known = self.lock();
        match &known.best {
            Some((settings, Some(best)))
                if configuration.encoder == EncoderChoice::Auto
                    && *settings == wanted
                    && !known.distrusted.contains(&best.name)
                    && known.abandoned < MOST_ABANDONED =>
            {
                best
            }
            _ => &X264,
        }
    }

    /// Opens the encoder of a show, the base if the chosen one does not open, and gives what opens another later. The base
    /// is called directly, any other on a thread that can be left behind.
    ///
    /// # Errors
    /// Not even the base opens.
    pub(crate) fn open(
        &self,
        chosen: &'static H264Encoder,
        settings: VideoSettings,
        hub: &Hub,
    ) -> Result<(Box<dyn PictureEncoder>, Open), EncodeError> {
        let encoders = self.clone();
        let plain = move |encoder| Ok(Box::new(VideoEncoder::open_with(encoder, &settings)?) as Box<dyn PictureEncoder>);
        let mut open: Open = Box::new(move |which| match which {
            Which::Chosen if *chosen != X264 => {
                let encoders = encoders.clone();
                let watched = Watched::open(Box::new(move || plain(chosen)), move || encoders.abandoned(chosen.name))?;
                Ok(Box::new(watched) as Box<dyn PictureEncoder>)
            }
            Which::Chosen | Which::Base => plain(&X264),
        });
        let first = open(Which::Chosen).or_else(|e| {
            tracing::warn!(error = %e, encoder = chosen.name, "it does not open; the base does it");
            if matches!(e, EncodeError::Hangs) {
                hub.health(Health::new(HealthCode::EncoderHung).with("from", chosen.name).with("to", X264.name));
            }
            open(Which::Base)
        })?;
        Ok((first, open))
    }

    /// It hangs: its thread was left behind, and it is not taken again.
    pub(crate) fn abandoned(&self, name: &'static str) {
        let mut known = self.lock();
        known.distrusted.push(name);
        known.abandoned += 1;
        tracing::error!(encoder = name, abandoned = known.abandoned, "threads left behind in encoders that hang");
    }

    /// It failed in a show.
    pub(crate) fn distrust(&self, name: &'static str) {
        self.lock().distrusted.push(name);
    }
}

/// Probes in a process of its own: a driver may crash or hang in it.
fn passes(exe: &Path, data: &Path, candidate: &'static H264Encoder, s: &VideoSettings, limit: Duration) -> bool {
    let Canvas { width, height, fps } = s.canvas;
    let task = format!("{} {width} {height} {fps} {} {}", candidate.name, s.kbps, u8::from(s.low_latency));
    let mut command = Command::new(exe);
    command.arg("engine").arg("--data").arg(data).env(TASK, task);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => {
            tracing::warn!(error = %e, encoder = candidate.name, "an encoder cannot be probed");
            return false;
        }
    };
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                tracing::info!(encoder = candidate.name, passed = status.success(), ms = begun.elapsed().as_millis(), "encoder probed");
                return status.success();
            }
            Ok(None) if begun.elapsed() < limit => std::thread::sleep(LOOK),
            Ok(None) | Err(_) => {
                tracing::warn!(encoder = candidate.name, "the encoder hangs");
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

/// In a process that was started to probe: does that. `None` in any other.
pub(crate) fn probe_if_told() -> Option<Result<(), EngineError>> {
    std::env::var_os(TASK).map(|task| carry_out(&task).map_err(|detail| EngineError::Probe { detail }))
}

fn carry_out(task: &OsString) -> Result<(), String> {
    let task = task.to_string_lossy();
    let words: Vec<&str> = task.split(' ').collect();
    let [name, width, height, fps, kbps, low_latency] = words[..] else { return Err(format!("no task: {task}")) };
    let number = |word: &str| word.parse::<u32>().map_err(|e| e.to_string());
    let settings = VideoSettings {
        canvas: Canvas { width: number(width)?, height: number(height)?, fps: number(fps)? },
        kbps: number(kbps)?,
        low_latency: low_latency == "1",
        keyframe_s: 2,
        b_frames: 2,
    };
    let candidate = encoder(name).ok_or_else(|| format!("no such encoder: {name}"))?;
    probe(candidate, &settings).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(kbps: u32, encoder: EncoderChoice) -> Configuration {
        Configuration {
            camera: crate::protocol::CameraChoice::Demo,
            mic: crate::protocol::MicChoice::None,
            canvas: Canvas { width: 160, height: 128, fps: 30 },
            video_kbps: kbps,
            audio_kbps: 96,
            low_latency: false,
            encoder,
            language: "en".to_owned(),
        }
    }

    #[test]
    fn hardware_is_taken_only_after_it_has_passed_and_until_it_fails() {
        let (encoders, wanted) = (Encoders::default(), configuration(800, EncoderChoice::Auto));
        assert_eq!(encoders.choose(&wanted), &X264, "nothing is known yet");
        let hardware = encoder("h264_nvenc").expect("known");
        encoders.lock().best = Some((settings(&wanted), Some(hardware)));
        assert_eq!(encoders.choose(&wanted), hardware);
        assert_eq!(encoders.choose(&configuration(900, EncoderChoice::Auto)), &X264, "probed with other settings");
        assert_eq!(encoders.choose(&configuration(800, EncoderChoice::Software)), &X264, "not wanted");
        encoders.distrust(hardware.name);
        assert_eq!(encoders.choose(&wanted), &X264);
        let encoders = Encoders::default();
        encoders.lock().best = Some((settings(&wanted), Some(hardware)));
        (0..MOST_ABANDONED).for_each(|_| encoders.abandoned("another"));
        assert_eq!(encoders.choose(&wanted), &X264, "no more threads are risked");
    }

    #[test]
    fn a_show_begins_with_the_base_where_the_chosen_one_does_not_open() {
        let (encoders, hub) = (Encoders::default(), Hub::default());
        // On a machine with such hardware it opens and is called through its own thread.
        let hardware = encoder("h264_nvenc").expect("known");
        let (mut first, mut again) = encoders.open(hardware, settings(&configuration(800, EncoderChoice::Auto)), &hub).expect("opens");
        let format = stallcast_media::VideoFormat { width: 160, height: 128, pixel: stallcast_media::PixelFormat::I420 };
        let frame = stallcast_media::Frame::new(format, stallcast_media::Pts(0), false, vec![90; format.bytes()].into());
        first.encode(&frame, true).expect("encodes");
        assert!(!first.finish().expect("finishes").is_empty());
        assert_eq!(again(Which::Base).expect("opens").name(), X264.name);
        assert!(encoders.lock().distrusted.is_empty(), "not opening is no hang");
    }

    /// Stands for a driver that never comes back: the process sleeps.
    #[cfg(unix)]
    #[test]
    fn a_probe_that_hangs_is_killed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let exe = folder.path().join("hangs");
        std::fs::write(&exe, "#!/bin/sh\nexec sleep 60\n").expect("written");
        std::fs::set_permissions(&exe, std::fs::Permissions::from_mode(0o755)).expect("executable");
        let settings = settings(&configuration(800, EncoderChoice::Auto));
        let begun = Instant::now();
        assert!(!passes(&exe, folder.path(), &X264, &settings, Duration::from_millis(300)));
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(!passes(Path::new("/nowhere/at/all"), folder.path(), &X264, &settings, LIMIT), "no such program");
    }

    #[test]
    fn a_task_is_carried_out_or_refused() {
        assert_eq!(carry_out(&"libx264 160 128 30 400 0".into()), Ok(()));
        for wrong in ["", "libx264", "libx264 160 128 30 400", "h265 160 128 30 400 0", "libx264 160 x 30 400 0"] {
            assert!(carry_out(&wrong.into()).is_err(), "{wrong}");
        }
    }
}
