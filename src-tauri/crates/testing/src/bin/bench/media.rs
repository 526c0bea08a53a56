//! Start, and coming back.

use crate::table::Table;
use anyhow::{Context as _, ensure};
use stallcast_testing::ingest::Ingest;
use stallcast_testing::processes::{self, Role};
use stallcast_testing::program::Desk;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
const RUNS: u32 = 10;
/// Header, metadata and codec headers are no media yet.
const HEADERS: u64 = 2_000;

fn keys(desk: &Desk, key: &str) -> anyhow::Result<String> {
    let path = desk.work("keys");
    std::fs::write(&path, format!("{key}\n"))?;
    Ok(path.to_string_lossy().into_owned())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// From the command to media in the ingest's file: that it was accepted, which a word of the product alone does not prove.
pub(crate) fn start(table: &mut Table) -> anyhow::Result<()> {
    let ingest = Ingest::start()?;
    let (mut accepted, mut arrived) = (vec![], vec![]);
    for run in 0..RUNS {
        let desk = Desk::new()?;
        let key = format!("start{run}");
        let (url, keys) = (ingest.url(), keys(&desk, &key)?);
        let show = desk.live(&["--to", &url, "--key-file", &keys])?;
        let begun = show.started();
        ingest.wait_received(&key, HEADERS, LIMIT).with_context(|| show.log())?;
        arrived.push(ms(begun.elapsed()));
        accepted.push(ms(show.wait_live(LIMIT)?.duration_since(begun)));
        let finished = show.end(LIMIT)?;
        ensure!(finished.status == Some(0), "{}", finished.log);
    }
    table.promise("command → media in the ingest's file", "ms", (95.0, 1500.0), arrived);
    table.report("command → first packet accepted, as the product says", "ms", accepted);
    table.command("start", "stallcast live --to rtmp://127.0.0.1:PORT/live --key-file keys --json (demo, 720x1280, 30), nginx-rtmp");
    Ok(())
}

/// From Ctrl-C to the summary: from a show that runs well, and from one whose encoder is caught in a call.
pub(crate) fn ended(table: &mut Table) -> anyhow::Result<()> {
    let ingest = Ingest::start()?;
    let end = |key: &str, is_caught: bool| {
        let desk = Desk::new()?;
        let (url, keys, file) = (ingest.url(), keys(&desk, key)?, desk.work("show.mp4").to_string_lossy().into_owned());
        let show = desk.live(&["--to", &url, "--key-file", &keys, "--record", &file, "--shop"])?;
        show.wait_live(LIMIT)?;
        ingest.wait_received(key, 300_000, LIMIT)?;
        if is_caught {
            processes::freeze_thread(desk.process(Role::Engine)?.pid, "enc:video")?;
        }
        let begun = Instant::now();
        show.interrupt();
        let over = show.wait("summary", LIMIT, |line| (line.value["type"] == "summary").then_some(line.at))?;
        let finished = show.finish(LIMIT)?;
        ensure!(finished.status == Some(0), "{}", finished.log);
        anyhow::Ok(ms(over.duration_since(begun)))
    };
    let ends =
        |name: &str, is_caught: bool| (0..RUNS / 2).map(|run| end(&format!("{name}{run}"), is_caught)).collect::<anyhow::Result<Vec<_>>>();
    table.promise("Ctrl-C → the show is over", "ms", (100.0, 2000.0), ends("ended", false)?);
    table.promise("the same, with the picture's encoder caught in a call", "ms", (100.0, 2000.0), ends("caught", true)?);
    table.command("ended", "stallcast live --to … --record … --shop, then Ctrl-C; a thread is caught by ptrace");
    Ok(())
}

/// From the death of the media process to media at the ingest again.
pub(crate) fn killed(table: &mut Table) -> anyhow::Result<()> {
    let ingest = Ingest::start()?;
    let desk = Desk::new()?;
    let (url, keys) = (ingest.url(), keys(&desk, "killed")?);
    let show = desk.live(&["--to", &url, "--key-file", &keys])?;
    show.wait_live(LIMIT)?;
    let mut back = vec![];
    for _ in 0..RUNS {
        let before = ingest.recordings("killed").len().max(1);
        // Its file is named by the second: the next one must have another name, and a show has run for a while.
        let received = ingest.received("killed");
        ingest.wait_received("killed", received + 600_000, LIMIT)?;
        desk.kill(Role::Engine)?;
        let killed = Instant::now();
        loop {
            let now = ingest.recordings("killed");
            let media = now.last().and_then(|p| p.metadata().ok()).is_some_and(|m| m.len() > HEADERS);
            if now.len() > before && media {
                break;
            }
            ensure!(killed.elapsed() < LIMIT, "never back: {}", show.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        back.push(ms(killed.elapsed()));
    }
    let finished = show.end(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    table.promise("engine killed → media at the ingest again", "ms", (95.0, 3000.0), back);
    table.command("killed", "kill -9 of `stallcast engine` under the same command");
    Ok(())
}
