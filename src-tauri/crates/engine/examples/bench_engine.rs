//! The media process by itself, measured here and now: `cargo xtask bench preview clean`. Linux: CPU is read from `/proc`.
//!
//! `bench_engine [preview] [clean]`, both without any. Started as `bench_engine engine --data DIR` it is the media process.
#![expect(clippy::print_stdout, reason = "a measuring program talks on standard output")]

use bytes::Bytes;
use stallcast_engine::protocol::{
    CameraChoice, Command, Configuration, EncoderChoice, EncoderLimits, EngineState, Event, GoLive, MicChoice, Recording, Reply,
};
use stallcast_engine::{Engine, EngineEvent, EngineOptions, run};
use stallcast_media::Canvas;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

const CANVAS: Canvas = Canvas { width: 720, height: 1280, fps: 30 };
const RUNS: u32 = 10;
/// Seconds over which CPU is measured.
const SECONDS: u64 = 30;
/// Before it is: sources settle, files open.
const SETTLE: Duration = Duration::from_secs(4);
/// The picture in a window of 1440x900 is 622 pixels high; a page asks for what it shows.
const SIDE: u32 = 640;
const PREVIEW: Command = Command::Preview { fps: 15, max_side: SIDE };
/// A hang guard.
const LIMIT: Duration = Duration::from_secs(30);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if let [engine, flag, data] = words.as_slice()
        && engine == "engine"
        && flag == "--data"
    {
        runtime.block_on(run(EngineOptions { data: data.into() }, CancellationToken::new()))?;
        return Ok(());
    }
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let mut missed = Vec::new();
    if wanted("preview") {
        runtime.block_on(preview(&mut missed))?;
    }
    if wanted("clean") {
        runtime.block_on(clean(&mut missed))?;
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("not kept: {}", missed.join("; ")).into()) }
}

fn row(missed: &mut Vec<String>, what: &str, unit: &str, bar: Option<f64>, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let at = |p: usize| values.get(values.len().saturating_sub(1) * p / 100).copied().unwrap_or(f64::NAN);
    let kept = bar.map(|bar| at(100) <= bar);
    let digits = if unit == "ms" { 0 } else { 3 };
    let bar = bar.map_or_else(|| "–".to_owned(), |bar| format!("≤ {bar} {unit}"));
    let word = kept.map_or("–", |kept| if kept { "yes" } else { "**no**" });
    println!("| {what} | {bar} | {} | {:.digits$} | {:.digits$} | {word} |", values.len(), at(50), at(100));
    if kept == Some(false) {
        missed.push(format!("{what} ({bar})"));
    }
}

fn head(command: &str) {
    println!("\n{command}\n\n| promise | bar | runs | p50 | most | kept |\n|---|---|---|---|---|---|");
}

fn demo() -> Configuration {
    Configuration {
        camera: CameraChoice::Demo,
        mic: MicChoice::Demo,
        canvas: CANVAS,
        video_kbps: 2500,
        audio_kbps: 128,
        low_latency: false,
        encoder: EncoderChoice::Software,
        language: "zh-CN".to_owned(),
    }
}

fn go(file: &Path, clean_feed: Option<&Path>) -> Command {
    let recording = |path: &Path| Recording { path: path.to_owned(), overwrite: true };
    Command::GoLive(GoLive {
        destinations: vec![],
        hls_dir: None,
        recording: Some(recording(file)),
        clean_feed: clean_feed.map(recording),
        for_s: None,
        limits: EncoderLimits::default(),
        live_since_ms: None,
    })
}

async fn start(data: &Path) -> Outcome<Engine> {
    Ok(Engine::attach_or_start(data, &std::env::current_exe()?).await?)
}

async fn give(engine: &Engine, command: Command) -> Outcome<Reply> {
    Ok(engine.command(command, Bytes::new()).await?)
}

async fn wait(events: &mut Receiver<EngineEvent>, is_it: impl Fn(&EngineEvent) -> bool) -> Outcome<()> {
    let found = async {
        loop {
            match events.recv().await {
                Ok(event) if is_it(&event) => return Ok(()),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err("the media process is gone".into()),
            }
        }
    };
    tokio::time::timeout(LIMIT, found).await?
}

fn is_state(wanted: EngineState) -> impl Fn(&EngineEvent) -> bool {
    move |event| matches!(event, EngineEvent::Event(Event::State(state)) if state.engine == wanted)
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}

async fn preview(missed: &mut Vec<String>) -> Outcome<()> {
    let (mut first, mut live, mut end, mut cut_short, mut quit) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..RUNS {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("show.mp4");
        let begun = Instant::now();
        let engine = start(folder.path()).await?;
        let mut events = engine.events();
        give(&engine, Command::Configure(demo())).await?;
        give(&engine, PREVIEW).await?;
        wait(&mut events, |event| matches!(event, EngineEvent::Preview { .. })).await?;
        first.push(ms(begun));

        let begun = Instant::now();
        give(&engine, go(&file, None)).await?;
        wait(&mut events, is_state(EngineState::Live)).await?;
        live.push(ms(begun));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        give(&engine, Command::End).await?;
        end.push(ms(begun));
        // Told to end before anybody has accepted.
        give(&engine, go(&file, None)).await?;
        let begun = Instant::now();
        give(&engine, Command::End).await?;
        cut_short.push(ms(begun));
        // On air, the whole process.
        give(&engine, go(&file, None)).await?;
        wait(&mut events, is_state(EngineState::Live)).await?;
        let begun = Instant::now();
        engine.quit().await;
        quit.push(ms(begun));
    }
    let cost = preview_cost().await?;
    head(
        "preview: the media process with the demo picture (720x1280, 30); a reader of 15 previews a second, as large as a window of 1440x900 shows them; it records a show",
    );
    row(missed, "media process starts → first preview at the reader", "ms", Some(1000.0), &mut first);
    row(missed, "go live → live (first fragment of the recording)", "ms", Some(2000.0), &mut live);
    row(missed, "end from live → file finished", "ms", Some(2000.0), &mut end);
    row(missed, "end from starting", "ms", Some(2000.0), &mut cut_short);
    row(missed, "quit from live → process gone", "ms", Some(2000.0), &mut quit);
    row(missed, "preview, 15 a second: media process + reader", "CPU s/s", Some(0.05), &mut [cost]);
    Ok(())
}

/// CPU seconds for each second: with previews minus without, and what the reader takes.
async fn preview_cost() -> Outcome<f64> {
    let folder = tempfile::tempdir()?;
    let engine = start(folder.path()).await?;
    let mut events = engine.events();
    give(&engine, Command::Configure(demo())).await?;
    let own = std::process::id();
    let mut spent = [0.0; 2];
    for (spent, command) in spent.iter_mut().zip([Command::Preview { fps: 0, max_side: SIDE }, PREVIEW]) {
        give(&engine, command).await?;
        tokio::time::sleep(SETTLE).await;
        let (before, begun) = (cpu(engine.pid())? + cpu(own)?, Instant::now());
        let mut bytes = 0;
        while begun.elapsed() < Duration::from_secs(SECONDS) {
            if let Ok(Ok(EngineEvent::Preview { jpeg, .. })) = tokio::time::timeout(Duration::from_millis(100), events.recv()).await {
                bytes += jpeg.len();
            }
        }
        *spent = (cpu(engine.pid())? + cpu(own)? - before) / begun.elapsed().as_secs_f64();
        eprintln!("{spent:.3} CPU s/s, {bytes} bytes of previews");
    }
    engine.quit().await;
    Ok(spent[1] - spent[0])
}

async fn clean(missed: &mut Vec<String>) -> Outcome<()> {
    let (mut whole, mut encoder, mut skipped) = ([0.0; 2], 0.0, 0);
    for (with_clean, whole) in whole.iter_mut().enumerate() {
        let folder = tempfile::tempdir()?;
        let (file, clean) = (folder.path().join("show.mp4"), folder.path().join("show.clean.mp4"));
        let engine = start(folder.path()).await?;
        let mut events = engine.events();
        give(&engine, Command::Configure(demo())).await?;
        give(&engine, go(&file, (with_clean == 1).then_some(&*clean))).await?;
        wait(&mut events, is_state(EngineState::Live)).await?;
        tokio::time::sleep(SETTLE).await;
        let (pid, begun) = (engine.pid(), Instant::now());
        let before = (cpu(pid)?, thread_cpu(pid, "enc:clean")?);
        tokio::time::sleep(Duration::from_secs(SECONDS)).await;
        let seconds = begun.elapsed().as_secs_f64();
        *whole = (cpu(pid)? - before.0) / seconds;
        encoder = (thread_cpu(pid, "enc:clean")? - before.1) / seconds;
        if let Reply::Ended(summary) = give(&engine, Command::End).await? {
            skipped = summary.clean_skipped;
            eprintln!("{whole:.3} CPU s/s, lost {:?}, clean feed skipped {skipped}", summary.loss);
        }
        engine.quit().await;
    }
    head("clean: a recorded show of the demo picture (720x1280, 30, 2500 kbit/s), with a clean feed and without");
    row(missed, "clean feed: thread enc:clean", "CPU s/s", None, &mut [encoder]);
    row(missed, "clean feed: the whole media process, with minus without", "CPU s/s", None, &mut [whole[1] - whole[0]]);
    row(missed, "clean feed: pictures skipped", "frames", None, &mut [skipped as f64]);
    Ok(())
}

/// CPU seconds of a process so far.
fn cpu(pid: u32) -> Outcome<f64> {
    stat(&std::fs::read_to_string(format!("/proc/{pid}/stat"))?)
}

/// CPU seconds so far of a process's threads of this name.
fn thread_cpu(pid: u32, name: &str) -> Outcome<f64> {
    let mut sum = 0.0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        // One that ended meanwhile costs nothing more.
        let (Ok(comm), Ok(text)) = (std::fs::read_to_string(task.join("comm")), std::fs::read_to_string(task.join("stat"))) else {
            continue;
        };
        if comm.trim() == name {
            sum += stat(&text)?;
        }
    }
    Ok(sum)
}

/// User and system time of a line of `/proc`, seconds.
fn stat(text: &str) -> Outcome<f64> {
    let (_, after) = text.rsplit_once(')').ok_or("no such line")?;
    let mut fields = after.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (fields.next().ok_or("too short")??, fields.next().ok_or("too short")??);
    #[cfg(unix)]
    let hertz = rustix::param::clock_ticks_per_second().max(1);
    #[cfg(not(unix))]
    let hertz = 100;
    Ok((user + system) as f64 / hertz as f64)
}
