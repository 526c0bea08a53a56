//! A sound server of our own whose microphone hears what is played to its speaker.

use super::scripts;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub struct Microphone {
    folder: TempDir,
    players: Vec<Child>,
}

impl Microphone {
    pub fn new() -> Self {
        let microphone = Self::absent();
        microphone.start();
        microphone
    }

    /// Everything but the server.
    pub fn absent() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), players: vec![] }
    }

    /// Starts the server, or starts it again.
    pub fn start(&self) {
        let done = Command::new(scripts().join("start-mic.sh"))
            .arg(self.folder.path())
            // Its children outlive the script and must not keep a pipe of ours open.
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("the script");
        assert!(done.success(), "no sound server");
    }

    /// Ends it without a word.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid")).expect("a server");
        let done = Command::new("kill").args(["-9", pid.trim()]).status().expect("kill");
        assert!(done.success());
    }

    /// Makes a program use this server.
    pub fn env(&self, command: &mut Command) {
        let run = self.folder.path().join("run");
        command
            .env("PULSE_SERVER", format!("unix:{}", run.join("native").display()))
            .env("ALSA_CONFIG_PATH", self.folder.path().join("asoundrc"))
            .env("XDG_RUNTIME_DIR", run)
            .env_remove("PIPEWIRE_REMOTE");
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.env(&mut command);
        command
    }

    /// Plays a sine to the speaker until the end.
    pub fn play(&mut self, hertz: u32, gain_db: i32) {
        let wav = self.folder.path().join("tone.wav");
        let made = Command::new("sox")
            .args("-q -n -r 48000 -c 1 -b 16".split(' '))
            .arg(&wav)
            .args(format!("synth 60 sine {hertz} gain {gain_db}").split(' '))
            .status()
            .expect("sox");
        assert!(made.success());
        let mut player = self.command(Path::new("paplay"));
        player.args(["--latency-msec=20", "--device=speaker"]).arg(wav);
        self.players.push(player.spawn().expect("paplay"));
    }

    pub fn pactl(&self, words: &str) {
        let done = self.command(Path::new("pactl")).args(words.split(' ')).stdout(Stdio::null()).status().expect("pactl");
        assert!(done.success(), "pactl {words}");
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        for player in &mut self.players {
            // It may have ended with the server.
            let _ = player.kill();
            let _ = player.wait();
        }
        let _ = Command::new(scripts().join("stop-mic.sh")).arg(self.folder.path()).stderr(Stdio::null()).status();
    }
}
