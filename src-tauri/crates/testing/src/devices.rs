//! A camera and a microphone without hardware: `tests/devices` put to use.

use crate::program::Desk;
use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// `tests/devices` of the repository.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/devices")
}

/// Imitated cameras. The programs that are to see them get two variables; they then see no others.
#[derive(Debug)]
pub struct Cameras {
    folder: TempDir,
    library: PathBuf,
}

impl Cameras {
    /// No camera yet. Compiles the imitation.
    ///
    /// # Errors
    /// There is no C compiler.
    pub fn new() -> anyhow::Result<Self> {
        let into = tempfile::tempdir()?;
        let library = into.path().join("libfakecam.so");
        let source = std::fs::canonicalize(folder())?.join("fakecam.c");
        let compiled = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-pthread", "-Wno-attribute-alias", "-o"])
            .arg(&library)
            .arg(&source)
            .arg("-ldl")
            .status()
            .context("cc does not start")?;
        ensure!(compiled.success(), "{} does not compile", source.display());
        for name in ["dev", "sys/class/video4linux"] {
            std::fs::create_dir_all(into.path().join("root").join(name))?;
        }
        Ok(Self { folder: into, library })
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn steer(&self, words: &[&str], configuration: &str) -> anyhow::Result<()> {
        let mut script = Command::new("sh");
        script.arg(folder().join("fakecam.sh")).arg(self.root()).args(words).stdin(Stdio::piped());
        let mut running = script.spawn()?;
        if let Some(mut input) = running.stdin.take() {
            // A script that does not read may be gone already.
            let _ = std::io::Write::write_all(&mut input, configuration.as_bytes());
        }
        ensure!(running.wait()?.success(), "fakecam.sh {words:?}");
        Ok(())
    }

    /// Plugs in camera `n` with these modes, each `FOURCC WIDTH HEIGHT FPS SOURCE`.
    ///
    /// # Errors
    /// The script fails.
    pub fn plug_in(&self, n: u32, name: &str, modes: &[String]) -> anyhow::Result<()> {
        let configuration: String = modes.iter().map(|m| format!("mode={m}\n")).collect();
        self.steer(&["new", &n.to_string(), name], &configuration)
    }

    /// Sets the faults of camera `n`; none means healthy.
    ///
    /// # Errors
    /// The script fails.
    pub fn fault(&self, n: u32, words: &[&str]) -> anyhow::Result<()> {
        let n = n.to_string();
        let mut all = vec!["ctl", n.as_str()];
        all.extend(words);
        self.steer(&all, "")
    }

    /// What camera `n` noted of itself: opened, exposing since when, faults.
    ///
    /// # Errors
    /// There is no such camera.
    pub fn log(&self, n: u32) -> anyhow::Result<String> {
        let path = self.root().join(format!("video{n}.log"));
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// Everything started from this desk sees these cameras.
    pub fn show_to(&self, desk: &mut Desk) {
        desk.set("FAKECAM_ROOT", &self.root().to_string_lossy());
        desk.set("LD_PRELOAD", &self.library.to_string_lossy());
    }
}

/// An imitated microphone that hears what is played to it. It ends when dropped.
#[derive(Debug)]
pub struct Microphone {
    folder: TempDir,
}

impl Microphone {
    /// Starts a sound server of its own.
    ///
    /// # Errors
    /// PulseAudio is missing or does not start.
    pub fn start() -> anyhow::Result<Self> {
        let microphone = Self { folder: tempfile::tempdir()? };
        let mut script = Command::new("sh");
        script.arg(folder().join("start-mic.sh")).arg(microphone.folder.path()).stdin(Stdio::null());
        ensure!(script.status()?.success(), "the imitation microphone does not start");
        Ok(microphone)
    }

    fn environment(&self) -> [(&'static str, String); 2] {
        let path = |name: &str| self.folder.path().join(name).to_string_lossy().into_owned();
        [("PULSE_SERVER", format!("unix:{}", path("run/native"))), ("ALSA_CONFIG_PATH", path("asoundrc"))]
    }

    /// Everything started from this desk hears this microphone.
    pub fn show_to(&self, desk: &mut Desk) {
        for (name, value) in self.environment() {
            desk.set(name, &value);
        }
    }

    /// Plays a sound file to it until the player is dropped.
    ///
    /// # Errors
    /// `paplay` is missing.
    pub fn play(&self, file: &Path) -> anyhow::Result<Player> {
        let mut player = Command::new("paplay");
        // Half a second ahead: a player that is not run in time would leave holes of its own, and be late ever after.
        player.args(["--latency-msec=500", "--device=speaker"]).arg(file).envs(self.environment()).stdin(Stdio::null());
        Ok(Player(player.spawn().context("paplay does not start")?))
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        let _ = Command::new("sh").arg(folder().join("stop-mic.sh")).arg(self.folder.path()).status();
    }
}

/// A sound being played.
#[derive(Debug)]
pub struct Player(Child);

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{self, Made};
    use crate::clip::{Clip, Sound};

    #[test]
    fn the_marker_comes_through_camera_and_microphone() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (pictures, sound, shot) = (folder.path().join("c.yuyv"), folder.path().join("s.wav"), folder.path().join("out.mkv"));
        Clip::new(320, 240, 30, 2).write_camera(&pictures, "YUYV")?;
        Sound::default().write_wav(&sound, 60)?;
        let cameras = Cameras::new()?;
        cameras.plug_in(0, "Imitation", &[format!("YUYV 320 240 30 ={}", pictures.display())])?;
        let microphone = Microphone::start()?;
        let mut desk = Desk::new()?;
        cameras.show_to(&mut desk);
        microphone.show_to(&mut desk);
        let _player = microphone.play(&sound)?;
        // What a program sees of both, recorded by ffmpeg: the imitation is right before anything is measured with it.
        let mut ffmpeg = Command::new("ffmpeg");
        desk.furnish(&mut ffmpeg);
        ffmpeg.args([
            "-hide_banner",
            "-loglevel",
            "error",
            "-f",
            "v4l2",
            "-video_size",
            "320x240",
            "-framerate",
            "30",
            "-i",
            "/dev/video0",
        ]);
        ffmpeg.args(["-f", "pulse", "-i", "mic", "-t", "20", "-c:v", "ffv1", "-c:a", "pcm_s16le"]).arg(&shot);
        ensure!(ffmpeg.stdin(Stdio::null()).status()?.success(), "ffmpeg");
        let found = analysis::read(&shot, Made::at(320, 240).looped(60))?;
        assert!(found.frames > 150 && found.unreadable == 0 && found.backwards == 0, "{found}");
        assert!(found.flashes >= 2 && found.beeps >= 2, "{found}");
        eprintln!("{found}{:?}", found.offsets);
        Ok(())
    }
}
