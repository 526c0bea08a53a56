use std::path::Path;
use std::process::Command;

/// What ffprobe and ffmpeg see in a file or playlist.
#[derive(Debug)]
pub struct Look {
    /// Seconds each picture is shown at, in order of showing.
    pub pictures: Vec<f64>,
    /// Seconds each AAC frame begins at.
    pub sounds: Vec<f64>,
    /// Decoding times of all video packets.
    pub video_dts: Vec<f64>,
    /// Beginning of each flash.
    pub flashes: Vec<f64>,
    /// Beginning of each tone.
    pub tones: Vec<f64>,
    /// Everything ffmpeg complained about while decoding.
    pub complaints: String,
}

fn run(program: &str, args: &[&str], input: &str) -> (Vec<u8>, String) {
    let args: Vec<&str> = args.iter().map(|a| if *a == "INPUT" { input } else { a }).collect();
    let out = Command::new(program).args(&args).output().unwrap();
    (out.stdout, String::from_utf8_lossy(&out.stderr).into_owned())
}

fn numbers(args: &[&str], input: &str) -> Vec<f64> {
    let (out, _) = run("ffprobe", args, input);
    String::from_utf8_lossy(&out).lines().filter_map(|l| l.trim_end_matches(',').parse().ok()).collect()
}

/// Decodes all of `input`.
pub fn look(input: &Path) -> Look {
    let input = input.to_str().unwrap();
    let frames = |stream: &str| {
        numbers(&["-v", "error", "-select_streams", stream, "-show_entries", "frame=pts_time", "-of", "csv=p=0", "INPUT"], input)
    };
    let (pictures, sounds) = (frames("v:0"), frames("a:0"));
    let video_dts =
        numbers(&["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=dts_time", "-of", "csv=p=0", "INPUT"], input);
    let (light, complaints) = run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-i",
            "INPUT",
            "-map",
            "0:v",
            "-vf",
            "scale=1:1,setsar=1,format=gray",
            "-fps_mode",
            "passthrough",
            "-f",
            "rawvideo",
            "-",
        ],
        input,
    );
    assert_eq!(light.len(), pictures.len(), "one grey value for each picture: {complaints}");
    let flashes = (0..light.len()).filter(|i| light[*i] > 150 && (*i == 0 || light[i - 1] <= 150)).map(|i| pictures[i]).collect();

    let (sound, more) = run("ffmpeg", &["-v", "error", "-i", "INPUT", "-map", "0:a", "-ac", "1", "-f", "f32le", "-"], input);
    let samples: Vec<f32> = sound.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let first = sounds.first().copied().unwrap_or(0.0);
    let mut tones = vec![];
    let mut quiet = usize::MAX / 2;
    for (i, s) in samples.iter().enumerate() {
        if s.abs() > 0.2 {
            if quiet > 4800 {
                tones.push(first + i as f64 / 48_000.0);
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    Look { pictures, sounds, video_dts, flashes, tones, complaints: complaints + &more }
}

impl Look {
    /// Sound minus picture for each flash, seconds.
    pub fn offsets(&self) -> Vec<f64> {
        self.flashes.iter().filter_map(|f| self.tones.iter().map(|t| t - f).min_by(|a, b| a.abs().total_cmp(&b.abs()))).collect()
    }

    /// Nothing repeated or missing. Packets end in the order of decoding, so the last pictures may lack the B-frames
    /// before them; the first sound may be cut by an edit list.
    pub fn assert_even(&self) {
        let pictures = &self.pictures[..self.pictures.len() - 3];
        for (what, times, step) in [("pictures", pictures, 1.0 / 30.0), ("sounds", &self.sounds[1..], 1024.0 / 48_000.0)] {
            let uneven: Vec<_> = times.windows(2).filter(|w| (w[1] - w[0] - step).abs() > 0.002).collect();
            assert!(uneven.is_empty(), "{what} not even: {uneven:?} of {:?}..{:?}", times.first(), times.last());
        }
    }

    /// All that holds for every good output: nothing repeated, missing or backwards, and sound with its picture.
    pub fn assert_sound(&self, seconds: f64) {
        assert!(self.complaints.is_empty(), "{}", self.complaints);
        self.assert_even();
        assert!(self.video_dts.windows(2).all(|w| w[1] > w[0]), "dts not rising");
        let long = self.pictures.len() as f64 / 30.0;
        assert!((long - seconds).abs() < 0.05, "{long} s of pictures instead of {seconds}");
        assert!(self.flashes.len() as f64 > seconds - 1.5, "{:?}", self.flashes);
        for offset in self.offsets() {
            assert!(offset.abs() < 0.004, "sound {offset} s off its picture: {:?} {:?}", self.flashes, self.tones);
        }
    }
}
