//! Opens one source and says on standard output what it delivers, one line for each event. For the tests, which run it
//! where only imitation devices can be seen, and for looking at a real device.
//!
//! ```text
//! probe devices
//! probe camera ID|- WIDTHxHEIGHT@FPS SECONDS
//! probe mic ID|- SECONDS
//! probe demo WIDTHxHEIGHT@FPS SECONDS
//! ```

use stallcast_capture::{demo, devices, open_camera, open_mic};
use stallcast_clock::{Clock as _, SystemClock};
use stallcast_media::{Canvas, Frame, Health, PixelFormat, SourceError, VideoSource};
use std::io::Write as _;
use std::time::{Duration, Instant};

fn main() {
    run(&std::env::args().skip(1).collect::<Vec<_>>());
}

/// The whole program; the tests call it in a process of their own.
pub fn run(words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["devices"] => {
            let began = Instant::now();
            let list = devices();
            say(&serde_json::to_string(&list).unwrap_or_default());
            say(&format!("took {}", began.elapsed().as_millis()));
        }
        ["camera", id, canvas, seconds] => camera(optional(id), parse_canvas(canvas), parse_seconds(seconds)),
        ["demo", canvas, seconds] => {
            let (picture, _voice) = demo(parse_canvas(canvas)).unwrap_or_else(|e| refused(&e));
            pictures(picture, Instant::now(), parse_seconds(seconds));
        }
        ["mic", id, seconds] => mic(optional(id), parse_seconds(seconds)),
        _ => {
            say("usage: probe devices | camera ID|- WxH@FPS SECONDS | mic ID|- SECONDS | demo WxH@FPS SECONDS");
            std::process::exit(2);
        }
    }
}

/// A closed pipe ends the program: the test has seen enough.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

fn optional(id: &str) -> Option<&str> {
    (id != "-").then_some(id)
}

fn parse_canvas(text: &str) -> Canvas {
    let numbers: Vec<u32> = text.split(['x', '@']).filter_map(|n| n.parse().ok()).collect();
    let [width, height, fps] = numbers[..] else { std::process::exit(2) };
    Canvas { width, height, fps }
}

fn parse_seconds(text: &str) -> Duration {
    text.parse().map_or_else(|_| std::process::exit(2), Duration::from_secs_f64)
}

fn refused(e: &SourceError) -> ! {
    say(&format!("refused {:?} {}", e.kind, e.detail));
    std::process::exit(3)
}

fn tell(health: &[Health]) {
    for event in health {
        say(&format!("health {:?} {}", event.code, event.params.get("device").map_or("", String::as_str)));
    }
}

fn camera(id: Option<&str>, canvas: Canvas, length: Duration) {
    let began = Instant::now();
    pictures(open_camera(id, None, canvas).unwrap_or_else(|e| refused(&e)), began, length);
}

/// `frame STAMP ARRIVAL NUMBER BYTES` for each; NUMBER is what the imitation camera wrote into the picture.
fn pictures(mut source: Box<dyn VideoSource>, began: Instant, length: Duration) {
    let (format, fps) = source.format();
    say(&format!(
        "opened {:?} {}x{} {fps:.3} after {} as {}",
        format.pixel,
        format.width,
        format.height,
        began.elapsed().as_millis(),
        source.name()
    ));
    let ring = source.ring();
    let mut seen = 0;
    let end = Instant::now() + length;
    while Instant::now() < end {
        let _ = ring.wait_beyond(seen, Duration::from_millis(100));
        for (number, frame) in ring.frames() {
            if number > seen {
                seen = number;
                let now = SystemClock.mono().0;
                say(&format!("frame {} {now} {} {}", frame.pts.0, written_number(&frame), frame.bytes().len()));
            }
        }
        tell(&source.health());
    }
    let closing = Instant::now();
    drop(source);
    say(&format!("closed {}", closing.elapsed().as_millis()));
}

/// 32 blocks of 8x8 pixels from the left top, most significant first, white is 1; -1 in a JPEG.
fn written_number(frame: &Frame) -> i64 {
    let step = match frame.format.pixel {
        PixelFormat::Mjpeg => return -1,
        PixelFormat::Yuyv => 2,
        PixelFormat::Nv12 | PixelFormat::I420 => 1,
    };
    let row = 4 * frame.format.width as usize * step;
    (0..32).fold(0, |n, block| n << 1 | i64::from(frame.bytes().get(row + (block * 8 + 4) * step).is_some_and(|y| *y > 128)))
}

/// `block STAMP ARRIVAL FRAMES CHANNELS` for each, and at the end `tone HERTZ AMPLITUDE` of the last second.
fn mic(id: Option<&str>, length: Duration) {
    let began = Instant::now();
    let mut source = open_mic(id).unwrap_or_else(|e| refused(&e));
    say(&format!("opened after {} as {}", began.elapsed().as_millis(), source.name()));
    let mut heard: Vec<f32> = Vec::new();
    let end = Instant::now() + length;
    while Instant::now() < end {
        for block in source.take() {
            let now = SystemClock.mono().0;
            say(&format!("block {} {now} {} {}", block.pts.0, block.frames(), block.channels));
            heard.extend(block.samples.chunks(usize::from(block.channels.max(1))).map(|s| s[0]));
        }
        tell(&source.health());
        std::thread::sleep(Duration::from_millis(5));
    }
    let last = &heard[heard.len().saturating_sub(48_000)..];
    let (hertz, amplitude) = tone(last);
    say(&format!("tone {hertz:.2} {amplitude:.4}"));
    let closing = Instant::now();
    drop(source);
    say(&format!("closed {}", closing.elapsed().as_millis()));
}

/// The strongest frequency of 50..2000 Hz and its amplitude.
fn tone(samples: &[f32]) -> (f64, f64) {
    let strength = |hertz: f64| {
        let turn = std::f64::consts::TAU * hertz / 48_000.0;
        let (re, im) = samples.iter().enumerate().fold((0.0, 0.0), |(re, im), (i, s)| {
            let (sin, cos) = (turn * i as f64).sin_cos();
            (re + f64::from(*s) * cos, im + f64::from(*s) * sin)
        });
        (hertz, 2.0 * f64::hypot(re, im) / samples.len().max(1) as f64)
    };
    let strongest = |list: &mut dyn Iterator<Item = f64>| list.map(strength).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
    let (about, _) = strongest(&mut (50..2000).map(f64::from));
    strongest(&mut (-20..=20).map(|step| about + f64::from(step) * 0.05))
}
