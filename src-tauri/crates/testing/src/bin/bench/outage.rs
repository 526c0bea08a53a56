//! Coming back: how soon media is accepted again after a dead ingest, a silent link or a cut cable. What counts as that: `comeback`.

use crate::table::Table;
use anyhow::{Context as _, ensure};
use stallcast_testing::comeback::Before;
use stallcast_testing::fault_proxy::{Fault, FaultProxy};
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::program::{Desk, Show};
use stallcast_testing::slow_link::SlowLink;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
/// Of each kind, and one long one.
const RUNS: u32 = 5;
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);
/// What must have arrived between two outages: about two seconds.
const BETWEEN: u64 = 600_000;
/// Keys of the destination that is cut off, and of the one that is not.
const KEY: &str = "outage";
const BESIDE: &str = "beside";

/// Milliseconds from an outage's end until media is accepted.
fn back(
    ingest: &Ingest,
    show: &Show,
    time: Duration,
    begin: impl FnOnce() -> anyhow::Result<()>,
    end: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    ingest.wait_received(KEY, ingest.received(KEY) + BETWEEN, LIMIT)?;
    let before = Before::outage(ingest, KEY, LIMIT)?;
    begin()?;
    std::thread::sleep(time);
    let mut after = before.over(ingest)?;
    end()?;
    let took = after.wait(ingest, LIMIT).with_context(|| show.log())?;
    Ok(took.as_secs_f64() * 1000.0)
}

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    dead_or_silent(table)?;
    cut(table)
}

fn dead_or_silent(table: &mut Table) -> anyhow::Result<()> {
    let ingest = Ingest::start()?;
    let proxy = FaultProxy::start(ingest.address())?;
    let desk = Desk::new()?;
    let (keys, file) = (desk.work("keys"), desk.work("show.mp4"));
    std::fs::write(&keys, format!("{KEY}\n"))?;
    let (url, keys, record) = (Ingest::url_at(proxy.address()), keys.to_string_lossy().into_owned(), file.to_string_lossy().into_owned());
    let show = desk.live(&["--to", &url, "--key-file", &keys, "--record", &record])?;
    show.wait_live(LIMIT)?;
    let set = |fault: Fault| {
        proxy.set(fault);
        anyhow::Ok(())
    };
    let suffer = |fault: Fault, time: Duration| back(&ingest, &show, time, || set(fault), || set(Fault::Pass));
    let (mut dead, mut silent) = (vec![], vec![]);
    for _ in 0..RUNS {
        dead.push(suffer(Fault::Refuse, SHORT)?);
        silent.push(suffer(Fault::Stall, SHORT)?);
    }
    dead.push(suffer(Fault::Refuse, LONG)?);
    silent.push(suffer(Fault::Stall, LONG)?);
    let finished = show.end(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    let gap = packets::read(&file)?.video.longest_gap_s();
    table.promise("ingest dead for 5 s and 30 s → media accepted again", "ms", (95.0, 1500.0), dead);
    table.promise("link silent for 5 s and 30 s → media accepted again", "ms", (95.0, 1500.0), silent);
    table.promise("longest gap in the recording meanwhile", "ms", (100.0, 40.0), vec![gap * 1000.0]);
    table.command(
        "outage",
        "stallcast live --to rtmp://PROXY/live --key-file keys --record show.mp4 (demo), `cargo xtask faultproxy` refusing or stalling",
    );
    Ok(())
}

/// A cable that is cut, beside a destination without fault. The proxy above takes connections in every outage; here nothing
/// passes, not even the first packet of a new connection.
fn cut(table: &mut Table) -> anyhow::Result<()> {
    let Some(link) = SlowLink::lay()? else {
        eprintln!("outage: left out: a cable that is cut, because this user may not make network namespaces (root may)");
        return Ok(());
    };
    let (far, near) = (Ingest::start_behind(&link)?, Ingest::start()?);
    let desk = Desk::new()?;
    let (keys, file) = (desk.work("keys"), desk.work("show.mp4"));
    std::fs::write(&keys, format!("{KEY}\n{BESIDE}\n"))?;
    let (there, here) = (far.url(), near.url());
    let (keys, record) = (keys.to_string_lossy().into_owned(), file.to_string_lossy().into_owned());
    let show = desk.live(&["--to", &there, "--to", &here, "--key-file", &keys, "--record", &record])?;
    show.wait_live(LIMIT)?;
    near.wait_received(BESIDE, BETWEEN, LIMIT)?;
    let mut took = vec![];
    for time in [SHORT; RUNS as usize].into_iter().chain([LONG]) {
        took.push(back(&far, &show, time, || link.cut(), || link.mend())?);
    }
    let finished = show.end(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    // More than one would be a gap, too: it says how many.
    let beside = packets::read(&near.recording(BESIDE)?)?;
    let beside_gap = beside.video.longest_gap_s().max(beside.audio.longest_gap_s());
    let gap = packets::read(&file)?.video.longest_gap_s();
    table.promise("cable cut for 5 s and 30 s → media accepted again", "ms", (95.0, 1500.0), took);
    table.promise("longest gap at the other destination meanwhile", "ms", (100.0, 40.0), vec![beside_gap * 1000.0]);
    table.promise("longest gap in the recording, cable cut", "ms", (100.0, 40.0), vec![gap * 1000.0]);
    table.command(
        "outage",
        "ip -n NAMESPACE link set CABLE down, then up; stallcast live --to rtmp://FAR/live --to rtmp://HERE/live --key-file keys …",
    );
    Ok(())
}
