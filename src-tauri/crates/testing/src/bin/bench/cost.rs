//! What a show costs, against the ffmpeg command line doing the same work.

use crate::table::Table;
use anyhow::{Context as _, ensure};
use stallcast_testing::analysis::{self, Made};
use stallcast_testing::clip::{Clip, Sound};
use stallcast_testing::devices::Cameras;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::processes::{self, Role, ThreadCpu};
use stallcast_testing::program::Desk;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SECONDS: u32 = 60;
/// Pairs, unless `STALLCAST_BENCH_PAIRS` says otherwise: five take a quarter of an hour.
const PAIRS: u32 = 5;
const LIMIT: Duration = Duration::from_secs(180);
/// The steady part of a show, for figures by thread.
const STEADY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(40));

/// What libx264 is given on both sides, but for the number of threads.
const X264: [&str; 18] = [
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-profile:v",
    "high",
    "-bf",
    "2",
    "-g",
    "60",
    "-keyint_min",
    "60",
    "-sc_threshold",
    "0",
    "-b:v",
    "2500k",
    "-maxrate",
    "2500k",
];

/// As many threads as the show's encoder has on this machine.
fn threads() -> String {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(1, 4)).to_string()
}

/// What x264 says in its first picture that it was told.
fn x264_options(flv: &Path) -> anyhow::Result<String> {
    const MARK: &[u8] = b"options: ";
    let bytes = std::fs::read(flv)?;
    let at = bytes.windows(MARK.len()).position(|w| w == MARK).with_context(|| format!("{} says nothing of x264", flv.display()))?;
    Ok(bytes[at + MARK.len()..].iter().take_while(|b| b.is_ascii_graphic() || **b == b' ').map(|b| char::from(*b)).collect())
}

/// CPU seconds of an ffmpeg that ends by itself.
fn ffmpeg(args: &[&str]) -> anyhow::Result<f64> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error"]).args(args);
    let mut child = command.stdin(Stdio::null()).spawn().context("ffmpeg does not start")?;
    let begun = Instant::now();
    let mut cpu = 0.0;
    loop {
        // After its end the figure is gone.
        cpu = f64::max(cpu, processes::cpu_s(child.id()));
        if child.try_wait()?.is_some() {
            return Ok(cpu);
        }
        ensure!(begun.elapsed() < LIMIT, "ffmpeg hangs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Decode, x264 with the same options, AAC, RTMP, in real time.
fn whole(clip: &str, url: &str) -> anyhow::Result<f64> {
    let (time, threads) = (SECONDS.to_string(), threads());
    let mut args = vec!["-re", "-i", clip, "-t", &time];
    args.extend(X264);
    args.extend([
        "-bufsize", "2500k", "-threads", &threads, "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2",
    ]);
    args.extend(["-f", "flv", url]);
    ffmpeg(&args)
}

/// The same line without encoders: read, decode, and push what was read, for ours push too. For the steady part of a show.
fn without_encoders(clip: &str, url: &str) -> anyhow::Result<f64> {
    let time = STEADY.1.as_secs().to_string();
    let args = ["-re", "-i", clip, "-t", &time, "-pix_fmt", "yuv420p", "-f", "null", "-", "-t", &time, "-c", "copy", "-f", "flv", url];
    Ok(ffmpeg(&args)? / STEADY.1.as_secs_f64())
}

/// One show of the clip.
struct Ran {
    /// CPU seconds of all processes from start to end: by its summary or by the system, whichever is more.
    cpu: f64,
    /// Percent of frames lagged or skipped.
    lost: f64,
    /// Memory of the media process while it ran, MB.
    engine_mb: f64,
    /// Memory of all processes, MB.
    all_mb: f64,
    /// CPU by thread in the steady part, for each second.
    threads: Vec<ThreadCpu>,
}

impl Ran {
    fn of(&self, pick: impl Fn(&str) -> bool) -> f64 {
        self.threads.iter().filter(|t| pick(&t.name)).map(|t| t.cpu_s).sum()
    }
}

fn show(clip: &str, ingest: &Ingest, key: &str, more: &[&str]) -> anyhow::Result<Ran> {
    Ok(show_beside(clip, ingest, key, more, || Ok(()))?.0)
}

/// A show, and what something that runs in its steady part says.
fn show_beside<T: Send>(
    clip: &str,
    ingest: &Ingest,
    key: &str,
    more: &[&str],
    beside: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<(Ran, T)> {
    let desk = Desk::new()?;
    let keys = desk.work("keys");
    let more_keys = if more.contains(&"--to") { format!("{key}b\n") } else { String::new() };
    std::fs::write(&keys, format!("{key}\n{more_keys}"))?;
    let (source, url, keys, time) = (format!("file:{clip}"), ingest.url(), keys.to_string_lossy().into_owned(), SECONDS.to_string());
    let mut words = vec!["--camera", &source, "--mic", &source, "--to", &url];
    words.extend(more);
    words.extend(["--key-file", &keys, "--for", &time]);
    let show = desk.live(&words)?;
    show.wait_live(LIMIT)?;
    std::thread::sleep(STEADY.0);
    let (threads, beside) = std::thread::scope(|scope| {
        let beside = scope.spawn(beside);
        (threads_over(&desk, STEADY.1), beside.join())
    });
    let beside = beside.map_err(|_| anyhow::anyhow!("what ran beside a show ended with a panic"))??;
    let engine = desk.process(Role::Engine)?.pid;
    let engine_mb = processes::peak_bytes(engine) as f64 / 1e6;
    let (mut seen, begun) = (0.0, Instant::now());
    // The sum grows until the last one is gone: each counts the children it has waited for.
    while !desk.processes().is_empty() && begun.elapsed() < LIMIT {
        seen = f64::max(seen, show.cpu_s());
        std::thread::sleep(Duration::from_millis(50));
    }
    let finished = show.finish(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    let summary = finished.summary()?;
    let number = |name: &str| summary[name].as_f64().with_context(|| format!("{name} in {summary}"));
    let lost = (number("frames_lagged")? + number("frames_skipped")?) * 100.0 / number("frames_composed")?;
    Ok((Ran { cpu: number("cpu_s")?.max(seen), lost, engine_mb, all_mb: number("peak_rss_bytes")? / 1e6, threads }, beside))
}

/// CPU for each second, by thread name, of all processes of a desk.
fn threads_over(desk: &Desk, time: Duration) -> Vec<ThreadCpu> {
    let all = || desk.processes().iter().flat_map(|p| processes::threads(p.pid)).collect::<Vec<_>>();
    let (before, begun) = (all(), Instant::now());
    std::thread::sleep(time);
    let seconds = begun.elapsed().as_secs_f64();
    let since = |t: &ThreadCpu| before.iter().find(|b| b.id == t.id).map_or(0.0, |b| b.cpu_s);
    all().into_iter().map(|t| ThreadCpu { cpu_s: (t.cpu_s - since(&t)) / seconds, ..t }).collect()
}

/// Threads in which x264 or AAC work.
fn encodes(name: &str) -> bool {
    name == "x264" || name.starts_with("enc:")
}

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip.mp4");
    let sound = Sound { voice: true, ..Sound::default() };
    Clip { sound, ..Clip::new(720, 1280, 30, SECONDS + 8) }.write(&clip)?;
    let clip = clip.to_string_lossy().into_owned();
    let ingest = Ingest::start()?;
    let (mut ratios, mut ours, mut theirs, mut lost, mut wrong) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut engine, mut all, mut rest, mut plain) = (vec![], vec![], vec![], vec![]);
    let pairs = std::env::var("STALLCAST_BENCH_PAIRS").ok().and_then(|n| n.parse().ok()).unwrap_or(PAIRS);
    for pair in 0..pairs {
        let (a, b) = (format!("ours{pair}"), format!("theirs{pair}"));
        // Who goes first changes: what a machine does slower and slower is not held against one of them.
        let theirs_first = pair % 2 == 1;
        let whole = || whole(&clip, &format!("{}/{b}", ingest.url()));
        let before = if theirs_first { Some(whole()?) } else { None };
        let ran = show(&clip, &ingest, &a, &[])?;
        let other = before.map_or_else(whole, Ok)?;
        // For each second of picture that arrived: neither may win by doing less.
        let seconds = |key: &str| anyhow::Ok(packets::read(&ingest.recording(key)?)?.video.packets.len() as f64 / 30.0);
        let (mine, its) = (seconds(&a)?, seconds(&b)?);
        // A show begins when somebody accepts it, half a second after its first picture.
        ensure!((mine - its).abs() <= 1.0, "{mine} s of pictures against {its} s");
        let (told, too) = (x264_options(&ingest.recording(&a)?)?, x264_options(&ingest.recording(&b)?)?);
        ensure!(told == too, "x264 was told\n{told}\nand by ffmpeg\n{too}");
        let (cpu, other) = (ran.cpu / mine, other / its);
        ratios.push(cpu / other);
        ours.push(cpu);
        theirs.push(other);
        lost.push(ran.lost);
        engine.push(ran.engine_mb);
        all.push(ran.all_mb);
        // In the same seconds of another show: at the pace and with the caches that x264 leaves to both.
        let plain_url = format!("{}/plain{pair}", ingest.url());
        let (stages, without) = show_beside(&clip, &ingest, &format!("stages{pair}"), &[], || without_encoders(&clip, &plain_url))?;
        rest.push(stages.of(|name| !encodes(name)));
        plain.push(without);
        wrong.push(analysis::read(&ingest.recording(&a)?, Made::at(720, 1280))?.wrong_percent());
    }
    let stages: Vec<f64> = rest.iter().zip(&plain).map(|(ours, theirs)| ours / theirs).collect();
    let url = ingest.url();
    let file = folder.path().join("more.mp4").to_string_lossy().into_owned();
    let more = show(&clip, &ingest, "more", &["--to", &url, "--record", &file])?;
    let (links, recording) = (more.of(|n| n.starts_with("rtmp:")) / 2.0, more.of(|n| n.starts_with("record")));

    table.promise("CPU of all processes / CPU of ffmpeg, same work", "ratio", (50.0, 1.0), ratios);
    table.report("CPU s a stream second, stallcast", "s/s", ours);
    table.report("CPU s a stream second, ffmpeg", "s/s", theirs);
    table.promise("all but x264 and AAC / ffmpeg without encoders", "ratio", (50.0, 1.0), stages);
    table.report("all but x264 and AAC, by thread", "s/s", rest);
    table.report("ffmpeg without encoders", "s/s", plain);
    table.promise("one more destination", "s/s", (100.0, 0.01), vec![links]);
    table.promise("a recording beside it", "s/s", (100.0, 0.01), vec![recording]);
    table.promise("lagged + skipped frames", "%", (100.0, 0.1), lost);
    table.promise("repeated + missing frames at the ingest", "%", (100.0, 0.1), wrong);
    table.promise("memory of the media process, peak", "MB", (100.0, 200.0), engine);
    table.report("memory of all processes, peak", "MB", all);
    table
        .command("cost", format!("stallcast live --camera file:CLIP --mic file:CLIP --to … --for {SECONDS} (720x1280, 30; a voice on both sides: AAC of one channel, without intensity, PNS and TNS)"));
    table.command(
        "cost",
        format!(
            "ffmpeg -re -i CLIP {} -bufsize 2500k -threads {} -c:a aac -b:a 128k -f flv rtmp://…; pairs alternate, and who goes first",
            X264.join(" "),
            threads()
        ),
    );
    table.command(
        "cost",
        "ffmpeg -re -i CLIP -pix_fmt yuv420p -f null - -c copy -f flv rtmp://… beside a show; ours: all threads but `x264` and `enc:*`, which also mix and meter the sound and copy for the encoders",
    );
    Ok(())
}

/// A process that never rests, until this is dropped.
struct Spinning(std::process::Child);

impl Spinning {
    fn start() -> anyhow::Result<Self> {
        Ok(Self(Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn()?))
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The same show beside a process that takes a core.
pub(crate) fn busy(table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip.mp4");
    Clip::new(720, 1280, 30, SECONDS + 8).write(&clip)?;
    let clip = clip.to_string_lossy().into_owned();
    let ingest = Ingest::start()?;
    let _spinning = Spinning::start()?;
    let ran = show(&clip, &ingest, "busy", &[])?;
    let found = analysis::read(&ingest.recording("busy")?, Made::at(720, 1280))?;
    table.promise("lagged + skipped frames, one core taken", "%", (100.0, 1.0), vec![ran.lost]);
    table.promise("repeated + missing frames at the ingest, one core taken", "%", (100.0, 1.0), vec![found.wrong_percent()]);
    table.command("busy", "sh -c 'while :; do :; done' & stallcast live --camera file:CLIP --mic file:CLIP --to … --for 60");
    Ok(())
}

/// A camera that gives JPEGs: decoding and converting, against ffmpeg doing the same.
pub(crate) fn mjpeg(table: &mut Table) -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    let (ingest, cameras) = (Ingest::start()?, Cameras::new()?);
    let pictures = desk.work("camera.mjpg");
    Clip::new(1280, 720, 30, 2).write_camera(&pictures, "MJPG")?;
    cameras.plug_in(0, "Imitation", &[format!("MJPG 1280 720 30 ={}", pictures.display())])?;
    cameras.show_to(&mut desk);
    let keys = desk.work("keys");
    std::fs::write(&keys, "mjpeg\n")?;
    let (url, keys) = (ingest.url(), keys.to_string_lossy().into_owned());
    let words = ["--camera", "device", "--mic", "none", "--canvas", "1280x720", "--to", &url, "--key-file", &keys, "--for", "30"];
    let show = desk.live(&words)?;
    show.wait_live(LIMIT)?;
    std::thread::sleep(Duration::from_secs(5));
    let threads = threads_over(&desk, Duration::from_secs(20));
    let finished = show.finish(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    let ours: f64 = threads.iter().filter(|t| t.name == "program" || t.name.starts_with("cam:")).map(|t| t.cpu_s).sum();
    let theirs = decode_jpegs(&pictures)?;
    table.promise("JPEG camera: decode + convert / ffmpeg", "ratio", (100.0, 0.8), vec![ours / theirs]);
    table.report("JPEG camera, threads `program` and `cam:*`", "s/s", vec![ours]);
    table.report("ffmpeg, JPEG → yuv420p", "s/s", vec![theirs]);
    table.command("mjpeg", "stallcast live --camera device --canvas 1280x720 … (imitation camera, MJPG 1280x720 at 30)");
    table.command("mjpeg", "ffmpeg -re -stream_loop 9 -f mjpeg -framerate 30 -threads 1 -i PICTURES -pix_fmt yuv420p -f null -");
    Ok(())
}

fn decode_jpegs(pictures: &Path) -> anyhow::Result<f64> {
    let pictures = pictures.to_string_lossy();
    let args = ["-re", "-stream_loop", "9", "-f", "mjpeg", "-framerate", "30", "-threads", "1", "-i", &pictures];
    let args: Vec<&str> = args.into_iter().chain(["-pix_fmt", "yuv420p", "-f", "null", "-"]).collect();
    Ok(ffmpeg(&args)? / 20.0)
}
