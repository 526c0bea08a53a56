//! Hours of a show whose links, ingest and media process fail again and again: `soak --hours H`.
//!
//! The first three fifths leave the media process alone, so that its memory can be followed; in the fourth it is killed
//! and stopped too, in the last it is killed again and again. Nothing here is asked of the product's own words: what counts stands in the ingest's and its own files.
#![expect(clippy::print_stdout, reason = "a command line tool talks on standard output")]

#[path = "../bench/table.rs"]
mod table;

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use stallcast_testing::comeback::{After, Before};
use stallcast_testing::fault_proxy::{Fault, FaultProxy};
use stallcast_testing::figures::slope;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::processes::{self, Role};
use stallcast_testing::program::Desk;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use table::Table;

const LIMIT: Duration = Duration::from_secs(120);
/// Quiet between two troubles.
const BETWEEN: Duration = Duration::from_secs(20);
/// Quiet between two deaths of the last part: a part of the recording has begun.
const BETWEEN_KILLS: Duration = Duration::from_secs(6);
/// Memory is followed from here on: caches and pools are filled.
const WARM: Duration = Duration::from_secs(600);
/// Stream key.
const KEY: &str = "soak";
/// A show with so many deaths has shown what it can.
const MOST_KILLS: usize = 50;
/// From here on a soak has to have all of them, and enough points for the slopes of memory.
const WHOLE: Duration = Duration::from_secs(3600);
const POINTS: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Dead(u64),
    Silent(u64),
    Killed,
    Stopped(u64),
}

/// How the media process is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Harmless,
    Mixed,
    Kills,
}

/// What comes next: `n` counts the troubles of this part of the show.
const fn next(n: usize, stage: Stage) -> Trouble {
    let harmless = match stage {
        Stage::Kills => return Trouble::Killed,
        Stage::Harmless => true,
        Stage::Mixed => false,
    };
    match (n % 8, harmless) {
        (0 | 4, _) => Trouble::Dead(5),
        (1 | 5, _) => Trouble::Silent(5),
        (2, _) => Trouble::Dead(30),
        (6, _) => Trouble::Silent(30),
        (3, true) => Trouble::Dead(300),
        (7, true) => Trouble::Silent(300),
        (3, false) => Trouble::Stopped(30),
        (_, _) => Trouble::Killed,
    }
}

#[derive(Default)]
struct Seen {
    dead: Vec<f64>,
    silent: Vec<f64>,
    killed: Vec<f64>,
    stopped: Vec<f64>,
    /// Hours since the start, MB.
    engine: Vec<(f64, f64)>,
    app: Vec<(f64, f64)>,
    shop: Vec<(f64, f64)>,
    engine_peak: f64,
}

struct Show {
    desk: Desk,
    ingest: Ingest,
    proxy: FaultProxy,
    begun: Instant,
    seen: Seen,
}

impl Show {
    /// Waits, following the memory of all three.
    fn pass(&mut self, time: Duration, harmless: bool) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            std::thread::sleep(Duration::from_secs(5).min(until.saturating_duration_since(Instant::now())));
            let hours = self.begun.elapsed().as_secs_f64() / 3600.0;
            let mb = |role| self.desk.process(role).map(|p| processes::resident_bytes(p.pid) as f64 / 1e6);
            if self.begun.elapsed() < WARM {
                continue;
            }
            if let (true, Ok(mb)) = (harmless, mb(Role::Engine)) {
                self.seen.engine.push((hours, mb));
            }
            self.seen.app.extend(mb(Role::App).map(|mb| (hours, mb)));
            self.seen.shop.extend(mb(Role::Shop).map(|mb| (hours, mb)));
        }
        if let Ok(engine) = self.desk.process(Role::Engine) {
            self.seen.engine_peak = self.seen.engine_peak.max(processes::peak_bytes(engine.pid) as f64 / 1e6);
        }
    }

    /// Milliseconds from the end of a trouble until media is accepted, as `comeback` counts it.
    fn suffer(&mut self, trouble: Trouble, harmless: bool) -> anyhow::Result<()> {
        let back = |show: &Self, mut after: After| {
            let took = after.wait(&show.ingest, LIMIT).with_context(|| format!("not back after {trouble:?}\n{}", show.desk.logs()))?;
            anyhow::Ok(took.as_secs_f64() * 1000.0)
        };
        match trouble {
            Trouble::Dead(seconds) | Trouble::Silent(seconds) => {
                let dead = matches!(trouble, Trouble::Dead(_));
                let before = Before::outage(&self.ingest, KEY, LIMIT)?;
                self.proxy.set(if dead { Fault::Refuse } else { Fault::Stall });
                self.pass(Duration::from_secs(seconds), harmless);
                let after = before.over(&self.ingest)?;
                self.proxy.set(Fault::Pass);
                let ms = back(self, after)?;
                if dead { &mut self.seen.dead } else { &mut self.seen.silent }.push(ms);
            }
            Trouble::Killed => {
                self.desk.kill(Role::Engine)?;
                let ms = back(self, After::death(&self.ingest, KEY))?;
                self.seen.killed.push(ms);
            }
            Trouble::Stopped(seconds) => {
                let before = Before::outage(&self.ingest, KEY, LIMIT)?;
                let engine = self.desk.process(Role::Engine)?.pid;
                processes::signal(engine, Signal::STOP);
                std::thread::sleep(Duration::from_secs(seconds));
                let after = before.over(&self.ingest)?;
                processes::signal(engine, Signal::CONT);
                let ms = back(self, after)?;
                self.seen.stopped.push(ms);
            }
        }
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [flag, hours] = args.as_slice() else { anyhow::bail!("soak --hours H") };
    ensure!(flag == "--hours", "soak --hours H");
    let time = Duration::try_from_secs_f64(hours.parse::<f64>().context("hours, for example 0.5")? * 3600.0)?;

    let (desk, ingest) = (Desk::new()?, Ingest::start()?);
    let proxy = FaultProxy::start(ingest.address())?;
    let (keys, file) = (desk.work("keys"), desk.work("soak.mp4"));
    std::fs::write(&keys, format!("{KEY}\n"))?;
    let (url, keys, record) = (Ingest::url_at(proxy.address()), keys.to_string_lossy().into_owned(), file.to_string_lossy().into_owned());
    let running = desk.live(&["--to", &url, "--key-file", &keys, "--record", &record, "--shop", "--pin", "first"])?;
    running.wait_live(LIMIT)?;
    let begun = Instant::now();
    let mut show = Show { desk, ingest, proxy, begun, seen: Seen::default() };
    for (stage, end) in [(Stage::Harmless, 0.6), (Stage::Mixed, 0.8), (Stage::Kills, 1.0)] {
        let harmless = stage == Stage::Harmless;
        let mut n = 0;
        while begun.elapsed() < time.mul_f64(end) && show.seen.killed.len() < MOST_KILLS {
            show.pass(if stage == Stage::Kills { BETWEEN_KILLS } else { BETWEEN }, harmless);
            let trouble = next(n, stage);
            eprintln!("{:>7.1} min {trouble:?}", begun.elapsed().as_secs_f64() / 60.0);
            show.suffer(trouble, harmless)?;
            n += 1;
        }
    }
    show.pass(BETWEEN, false);
    let lasted = begun.elapsed().as_secs_f64();
    let finished = running.end(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);

    let folder = file.parent().context("a folder")?;
    let mut parts: Vec<PathBuf> =
        std::fs::read_dir(folder)?.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "mp4")).collect();
    parts.sort();
    let mut recorded = 0.0;
    for part in &parts {
        // Unreadable is an error: every part has to play.
        recorded += packets::read(part)?.video.span_s();
    }
    let Seen { dead, silent, killed, stopped, engine, app, shop, engine_peak } = show.seen;
    if time >= WHOLE {
        ensure!(killed.len() >= MOST_KILLS, "only {} deaths", killed.len());
    } else {
        eprintln!("short of an hour: {} deaths of {MOST_KILLS}, and no slope of memory that says much", killed.len());
    }
    ensure!(parts.len() == killed.len() + 1, "{} parts of the recording after {} deaths", parts.len(), killed.len());
    // A stopped process records nothing, and what it missed is filled or left as a hole of its own file's time line.
    let lost = (lasted - recorded).max(0.0) / killed.len().max(1) as f64;
    let mut table = Table::default();
    table.promise("ingest dead → media accepted again", "ms", (95.0, 1500.0), dead);
    table.promise("link silent → media accepted again", "ms", (95.0, 1500.0), silent);
    table.promise("media process killed → media accepted again", "ms", (95.0, 3000.0), killed);
    table.report("media process stopped for 30 s → media accepted again", "ms", stopped);
    table.promise("not recorded, for each death, in the mean", "s", (100.0, 1.0), vec![lost]);
    table.promise("memory of the media process, peak", "MB", (100.0, 200.0), vec![engine_peak]);
    for (name, points) in [("media process", engine), ("app", app), ("local shop", shop)] {
        ensure!(time < WHOLE || points.len() > POINTS, "{name}: {} points of its memory", points.len());
        if points.len() > POINTS {
            table.promise(memory(name), "MB/h", (100.0, 5.0), vec![slope(&points)]);
        }
    }
    table.command(
        "soak",
        format!("stallcast live --to rtmp://PROXY/live --key-file keys --record soak.mp4 --shop --pin first (demo), {lasted:.0} s"),
    );
    println!("{table}");
    let missed = table.missed();
    ensure!(missed.is_empty(), "not kept: {}", missed.join("; "));
    Ok(())
}

const fn memory(name: &str) -> &'static str {
    match name.as_bytes() {
        b"app" => "growth of memory, app",
        b"local shop" => "growth of memory, local shop",
        _ => "growth of memory, media process",
    }
}
