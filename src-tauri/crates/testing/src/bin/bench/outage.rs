//! Coming back: how soon media is accepted again after a dead ingest, a silent link or a cut cable. What counts as that: `comeback`.

use crate::table::Table;
use anyhow::{Context as _, ensure};
use stallcast_testing::comeback::Before;
use stallcast_testing::fault_proxy::{Fault, FaultProxy};
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::program::{Desk, Line, Show};
use stallcast_testing::slow_link::SlowLink;
use stallcast_testing::slow_show;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
/// Of each kind, and one long one.
const RUNS: u32 = 9;
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);
/// What must have arrived between two outages: about two seconds.
const BETWEEN: u64 = 600_000;
/// Keys of the destination that is cut off, and of the one that is not.
const KEY: &str = "outage";
const BESIDE: &str = "beside";

/// What an outage showed, ms.
#[derive(Default)]
struct Seen {
    /// From its end until media is accepted.
    back: Vec<f64>,
    /// From its beginning until the show says that the destination is lost.
    noticed: Vec<f64>,
}

fn suffer(
    seen: &mut Seen,
    ingest: &Ingest,
    show: &Show,
    time: Duration,
    begin: impl FnOnce() -> anyhow::Result<()>,
    end: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    ingest.wait_received(KEY, ingest.received(KEY) + BETWEEN, LIMIT)?;
    let before = Before::outage(ingest, KEY, LIMIT)?;
    let (mark, begun) = (show.mark(), Instant::now());
    begin()?;
    std::thread::sleep(time);
    let mut after = before.over(ingest)?;
    end()?;
    let took = after.wait(ingest, LIMIT).with_context(|| show.log())?;
    seen.back.push(took.as_secs_f64() * 1000.0);
    let lost = |line: &Line| (line.value["type"] == "health" && line.value["code"] == "destination_lost").then_some(line.at);
    // Where it was not noticed until now it never will be: the session goes on.
    let noticed = show.wait_from(mark, "a word about it", Duration::from_secs(1), lost);
    seen.noticed.push(noticed.map_or(f64::INFINITY, |at| at.saturating_duration_since(begun).as_secs_f64() * 1000.0));
    Ok(())
}

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    dead_or_silent(table)?;
    cut(table)
}

fn dead_or_silent(table: &mut Table) -> anyhow::Result<()> {
    let ingest = Ingest::start()?;
    let proxy = FaultProxy::start(ingest.address())?;
    let desk = Desk::new()?;
    let (keys, file, clip) = (desk.work("keys"), desk.work("show.mp4"), desk.work("clip.mp4"));
    std::fs::write(&keys, format!("{KEY}\n"))?;
    // As a camera: it fills its rate, and so the buffers of a peer that no longer reads.
    slow_show::write_noise(&clip)?;
    let (url, keys, record) = (Ingest::url_at(proxy.address()), keys.to_string_lossy().into_owned(), file.to_string_lossy().into_owned());
    let source = format!("file:{}", clip.display());
    let words = ["--camera", &source, "--mic", &source, "--canvas", "360x640", "--to", &url, "--key-file", &keys, "--record", &record];
    let show = desk.live(&words)?;
    show.wait_live(LIMIT)?;
    let set = |fault: Fault| {
        proxy.set(fault);
        anyhow::Ok(())
    };
    let outage = |seen: &mut Seen, fault: Fault, time: Duration| suffer(seen, &ingest, &show, time, || set(fault), || set(Fault::Pass));
    let (mut dead, mut silent) = (Seen::default(), Seen::default());
    for time in [SHORT; RUNS as usize].into_iter().chain([LONG]) {
        outage(&mut dead, Fault::Refuse, time)?;
        outage(&mut silent, Fault::Stall, time)?;
    }
    let finished = show.end(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    let gap = packets::read(&file)?.video.longest_gap_s();
    table.report("of these, after 30 s: dead, silent", "ms", dead.back.last().into_iter().chain(silent.back.last()).copied().collect());
    table.promise("ingest dead for 5 s and 30 s → media accepted again", "ms", (95.0, 1500.0), dead.back);
    table.promise("link silent for 5 s and 30 s → media accepted again", "ms", (95.0, 1500.0), silent.back);
    table.promise("peer no longer reads → noticed", "ms", (100.0, 5000.0), silent.noticed);
    table.promise("longest gap in the recording meanwhile", "ms", (100.0, 40.0), vec![gap * 1000.0]);
    table.command(
        "outage",
        "stallcast live --camera file:NOISE --mic file:NOISE --canvas 360x640 --to rtmp://PROXY/live --key-file keys --record show.mp4, `cargo xtask faultproxy` refusing or stalling",
    );
    Ok(())
}

/// A cable that is cut, beside a destination without fault. The proxy above takes connections in every outage; here nothing
/// passes, not even the first packet of a new connection.
fn cut(table: &mut Table) -> anyhow::Result<()> {
    let link = SlowLink::lay()?.context("a cable that is cut: this user may not make network namespaces (root may)")?;
    let (far, near) = (Ingest::start_behind(&link)?, Ingest::start()?);
    let desk = Desk::new()?;
    let (keys, file) = (desk.work("keys"), desk.work("show.mp4"));
    std::fs::write(&keys, format!("{KEY}\n{BESIDE}\n"))?;
    let (there, here) = (far.url(), near.url());
    let (keys, record) = (keys.to_string_lossy().into_owned(), file.to_string_lossy().into_owned());
    let show = desk.live(&["--to", &there, "--to", &here, "--key-file", &keys, "--record", &record])?;
    show.wait_live(LIMIT)?;
    near.wait_received(BESIDE, BETWEEN, LIMIT)?;
    let mut seen = Seen::default();
    for time in [SHORT; RUNS as usize].into_iter().chain([LONG]) {
        suffer(&mut seen, &far, &show, time, || link.cut(), || link.mend())?;
    }
    let finished = show.end(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    // More than one would be a gap, too: it says how many.
    let beside = packets::read(&near.recording(BESIDE)?)?;
    let beside_gap = beside.video.longest_gap_s().max(beside.audio.longest_gap_s());
    let gap = packets::read(&file)?.video.longest_gap_s();
    table.report("of these, after 30 s", "ms", seen.back.last().into_iter().copied().collect());
    table.promise("cable cut for 5 s and 30 s → media accepted again", "ms", (95.0, 1500.0), seen.back);
    table.promise("nothing is acknowledged → noticed", "ms", (100.0, 5000.0), seen.noticed);
    table.promise("longest gap at the other destination meanwhile", "ms", (100.0, 40.0), vec![beside_gap * 1000.0]);
    table.promise("longest gap in the recording, cable cut", "ms", (100.0, 40.0), vec![gap * 1000.0]);
    table.command(
        "outage",
        "ip -n NAMESPACE link set CABLE down, then up; stallcast live --to rtmp://FAR/live --to rtmp://HERE/live --key-file keys …",
    );
    Ok(())
}
