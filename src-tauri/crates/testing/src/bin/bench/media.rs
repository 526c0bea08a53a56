//! Start, and coming back.

use crate::table::Table;
use anyhow::{Context as _, ensure};
use stallcast_testing::ingest::Ingest;
use stallcast_testing::processes::Role;
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
