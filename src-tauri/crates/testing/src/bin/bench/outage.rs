//! Coming back: how soon media is accepted again after a dead ingest or a cut link.

use crate::table::Table;
use anyhow::ensure;
use stallcast_testing::fault_proxy::{Fault, FaultProxy};
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::program::Desk;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
/// Each of both kinds, and one long one of each.
const RUNS: u32 = 5;
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);
/// Header, metadata and codec headers are no media yet.
const HEADERS: u64 = 2_000;
/// What must have arrived between two outages: about two seconds.
const BETWEEN: u64 = 600_000;

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    let ingest = Ingest::start()?;
    let proxy = FaultProxy::start(ingest.address())?;
    let desk = Desk::new()?;
    let (keys, file) = (desk.work("keys"), desk.work("show.mp4"));
    std::fs::write(&keys, "outage\n")?;
    let (url, keys, record) = (Ingest::url_at(proxy.address()), keys.to_string_lossy().into_owned(), file.to_string_lossy().into_owned());
    let show = desk.live(&["--to", &url, "--key-file", &keys, "--record", &record])?;
    show.wait_live(LIMIT)?;
    let back = |fault: Fault, time: Duration| {
        ingest.wait_received("outage", ingest.received("outage") + BETWEEN, LIMIT)?;
        proxy.set(fault);
        std::thread::sleep(time);
        let before = ingest.received("outage");
        proxy.set(Fault::Pass);
        let returned = Instant::now();
        while ingest.received("outage") <= before + HEADERS {
            ensure!(returned.elapsed() < LIMIT, "never back: {}", show.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        anyhow::Ok(returned.elapsed().as_secs_f64() * 1000.0)
    };
    let (mut dead, mut cut) = (vec![], vec![]);
    for _ in 0..RUNS {
        dead.push(back(Fault::Refuse, SHORT)?);
        cut.push(back(Fault::Stall, SHORT)?);
    }
    dead.push(back(Fault::Refuse, LONG)?);
    cut.push(back(Fault::Stall, LONG)?);
    let finished = show.end(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    let gap = packets::read(&file)?.video.longest_gap_s();
    table.promise("ingest dead for 5 s and 30 s → media accepted again", "ms", (95.0, 1500.0), dead);
    table.promise("link silent for 5 s and 30 s → media accepted again", "ms", (95.0, 1500.0), cut);
    table.promise("longest gap in the recording meanwhile", "ms", (100.0, 40.0), vec![gap * 1000.0]);
    table.command(
        "outage",
        "stallcast live --to rtmp://PROXY/live --key-file keys --record show.mp4 (demo), `cargo xtask faultproxy` refusing or stalling",
    );
    Ok(())
}
