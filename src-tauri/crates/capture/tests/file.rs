//! Media files made by ffmpeg, as camera and microphone.

use stallcast_capture::{FileSources, open_file};
use stallcast_clock::{Clock as _, SystemClock};
use stallcast_media::{NANOS_PER_SEC, Pts, SAMPLE_RATE, SourceError, SourceErrorKind};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// 1.6 s: a white picture during the first 100 ms of each half second, and a beep at the same time.
fn make(path: &Path, tracks: &str) {
    let video = "-f lavfi -i color=black:s=160x120:r=30:d=1.6,drawbox=c=white:t=fill:enable='lt(mod(t\\,0.5)\\,0.1)'";
    let audio = "-f lavfi -i aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t\\,0.5)\\,0.1)':s=48000:d=1.6";
    let (inputs, codecs) = match tracks {
        "both" => (format!("{video} {audio}"), "-c:v libx264 -preset ultrafast -g 15 -pix_fmt yuv420p -c:a aac"),
        "video" => (video.to_owned(), "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"),
        _ => (audio.to_owned(), "-c:a aac"),
    };
    let command = format!("ffmpeg -hide_banner -loglevel error -y {inputs} {codecs} '{}'", path.display());
    let made = Command::new("sh").args(["-c", &command]).status().expect("a shell");
    assert!(made.success(), "{command}");
}

fn opened(result: Result<FileSources, SourceError>) -> FileSources {
    match result {
        Ok(sources) => sources,
        Err(e) => panic!("{e}"),
    }
}

fn now() -> Pts {
    Pts(SystemClock.mono().0)
}

/// Everything delivered in a stretch of time: instants and brightness of pictures, and the sound.
struct Heard {
    pictures: Vec<(Pts, u8)>,
    sound: Vec<(Pts, f32)>,
    ahead: i64,
}

fn watch(mut sources: FileSources, length: Duration) -> Heard {
    let ring = sources.video.as_ref().map(|video| video.ring());
    let mut heard = Heard { pictures: vec![], sound: vec![], ahead: i64::MIN };
    let end = Instant::now() + length;
    let mut seen = 0;
    while Instant::now() < end {
        if let Some(ring) = &ring {
            let _ = ring.wait_beyond(seen, Duration::from_millis(20));
            for (number, frame) in ring.frames() {
                if number > seen {
                    seen = number;
                    heard.ahead = heard.ahead.max(frame.pts - now());
                    heard.pictures.push((frame.pts, frame.bytes()[80 * 160 + 80]));
                }
            }
        }
        for block in sources.audio.as_mut().map(|audio| audio.take()).unwrap_or_default() {
            let at = |i: usize| block.pts + Pts::from_ticks(i64::try_from(i).unwrap_or(0), block.rate).0;
            let left = block.samples.chunks(usize::from(block.channels)).enumerate();
            heard.sound.extend(left.map(|(i, frame)| (at(i), frame[0])));
        }
    }
    heard
}

#[test]
fn picture_and_sound_stay_together_over_every_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("闪光 beep.mp4");
    make(&path, "both");
    let start = now();
    let sources = opened(open_file(&path, true, true, start));
    assert_eq!(sources.video.as_ref().map(|v| (v.name(), v.is_demo())), Some(("闪光 beep.mp4".to_owned(), false)));
    let heard = watch(sources, Duration::from_secs(6));
    assert!(heard.ahead <= 0, "a picture came before its time");
    // The first bright picture after a dark one, and the first sound after silence.
    let mut flashes: Vec<i64> = heard.pictures.windows(2).filter(|w| w[0].1 < 60 && w[1].1 > 180).map(|w| w[1].0 - start).collect();
    let mut beeps = vec![];
    let mut quiet_since = Pts(0);
    for (at, level) in &heard.sound {
        if level.abs() > 0.1 {
            if *at - quiet_since > NANOS_PER_SEC / 5 {
                beeps.push(*at - start);
            }
            quiet_since = *at;
        }
    }
    beeps.remove(0);
    flashes.truncate(beeps.len());
    beeps.truncate(flashes.len());
    assert!(flashes.len() >= 8, "{flashes:?}");
    let offsets: Vec<i64> = flashes.iter().zip(&beeps).map(|(flash, beep)| (flash - beep) / 1_000_000).collect();
    assert!(offsets.iter().all(|off| off.abs() <= 10), "offsets in ms {offsets:?}");
    // Sound has no holes: sample after sample, over the turns too.
    let holes = heard.sound.windows(2).filter(|w| (w[1].0 - w[0].0 - NANOS_PER_SEC / i64::from(SAMPLE_RATE)).abs() > 100).count();
    assert_eq!(holes, 0);
    // Every turn takes the same time: 1.6 s to the nanosecond.
    let third: Vec<i64> = flashes.iter().copied().filter(|at| (*at + 1_600_000_000) / 1_600_000_000 == 2).collect();
    let fourth: Vec<i64> = flashes.iter().copied().filter(|at| (*at + 1_600_000_000) / 1_600_000_000 == 3).collect();
    let distances: Vec<i64> = third.iter().zip(&fourth).map(|(a, b)| b - a).collect();
    assert!(!distances.is_empty() && distances.iter().all(|d| *d == distances[0]), "{distances:?}");
    assert!((distances[0] - 1_600_000_000).abs() < 30_000_000, "{distances:?}");
}

#[test]
fn two_recordings_in_one_file_are_played_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("part.ts");
    make(&path, "both");
    let part = std::fs::read(&path).expect("the file");
    let joined = folder.path().join("joined.ts");
    std::fs::write(&joined, part.repeat(3)).expect("written");
    let heard = watch(opened(open_file(&joined, true, true, now())), Duration::from_secs(6));
    let steps: Vec<i64> = heard.pictures.windows(2).map(|w| (w[1].0 - w[0].0) / 1_000_000).collect();
    assert!(steps.len() > 150 && steps.iter().all(|step| (0..200).contains(step)), "{steps:?}");
    let loud = heard.sound.iter().filter(|(_, level)| level.abs() > 0.1).count();
    // A quarter of it beeps: 400 ms in each 1.6 s.
    assert!(loud > SAMPLE_RATE as usize * 3 / 4, "{loud} loud samples");
    let holes: i64 = heard.sound.windows(2).map(|w| (w[1].0 - w[0].0 - NANOS_PER_SEC / i64::from(SAMPLE_RATE)).abs()).sum();
    assert!(holes < NANOS_PER_SEC, "{} ms without sound", holes / 1_000_000);
}

#[test]
fn what_a_file_lacks_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    make(&path("silent.mp4"), "video");
    make(&path("blind.m4a"), "audio");
    std::fs::write(path("text.mp4"), "this is no media file").expect("written");
    let kind = |name: &str, video, audio| open_file(&path(name), video, audio, now()).err().map(|e| e.kind);
    assert_eq!(kind("none.mp4", true, true), Some(SourceErrorKind::Missing));
    assert_eq!(kind("text.mp4", true, true), Some(SourceErrorKind::Unusable));
    assert_eq!(kind("blind.m4a", true, true), Some(SourceErrorKind::Unusable), "no picture in it");
    assert_eq!(kind("silent.mp4", false, true), Some(SourceErrorKind::Unusable), "no sound in it");
    let silent = opened(open_file(&path("silent.mp4"), true, true, now()));
    assert!(silent.video.is_some() && silent.audio.is_none());
    let blind = opened(open_file(&path("blind.m4a"), false, true, now()));
    assert!(blind.video.is_none());
    let heard = watch(blind, Duration::from_secs(2));
    assert!(heard.sound.len() > 80_000, "{}", heard.sound.len());
}
