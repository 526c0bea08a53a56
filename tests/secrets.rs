//! No stream key in any log, argument, environment, or in clear in the database.

use anyhow::ensure;
use stallcast_testing::canary::Canary;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::processes::Role;
use stallcast_testing::program::Desk;
use std::time::Duration;

/// Hang guard.
const LIMIT: Duration = Duration::from_secs(90);

fn search(desk: &Desk, canary: &Canary) -> anyhow::Result<()> {
    let processes = desk.processes();
    let found = canary.in_processes(&processes);
    ensure!(found.is_empty(), "{found:?}");
    // Everything the program can write to; the test's own key file is elsewhere.
    for name in ["data", "home", "run"] {
        let files = canary.in_folder(&desk.folder().join(name));
        ensure!(files.is_empty(), "the key stands in {files:?}");
    }
    Ok(())
}

#[test]
fn a_key_is_nowhere_to_be_found_during_and_after_a_show() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    // The most talkative logs there are.
    desk.set("STALLCAST_LOG", "trace");
    desk.set("RUST_LOG", "trace");
    desk.set("RUST_BACKTRACE", "1");
    let mut ingest = Ingest::start()?;
    let (in_file, in_url, refused) = (Canary::new()?, Canary::new()?, Canary::new()?);
    let _taken = ingest.occupy(refused.word())?;
    let keys = desk.work("keys");
    std::fs::write(&keys, format!("{}\n\n{}\n", in_file.word(), refused.word()))?;
    let (plain, whole, keys) =
        (ingest.url(), format!("{}/{}?sign={}", ingest.url(), in_url.word(), in_url.word()), keys.to_string_lossy().into_owned());
    // A complete address in an argument is the person's own choice: only the children and what is written are searched for it.
    let words =
        ["--to", &plain, "--to", &whole, "--to", &plain, "--key-file", &keys, "--canvas", "360x640", "--fps", "15", "--shop", "--json"];
    let show = desk.live(&words[..words.len() - 1])?;
    show.wait_live(LIMIT)?;
    ingest.wait_received(in_file.word(), 20_000, LIMIT)?;
    ingest.wait_received(in_url.word(), 20_000, LIMIT)?;
    show.wait_health(0, "destination_refused", LIMIT)?;
    for canary in [&in_file, &refused] {
        search(&desk, canary)?;
    }
    // Also where something goes wrong: a lost connection and a dead media process talk the most.
    let mark = show.mark();
    ingest.kill();
    show.wait_health(mark, "destination_lost", LIMIT)?;
    ingest.restart()?;
    show.wait_health(mark, "destination_back", LIMIT)?;
    let mark = show.mark();
    desk.kill(Role::Engine)?;
    show.wait_health(mark, "engine_restarted", LIMIT)?;
    for canary in [&in_file, &refused] {
        search(&desk, canary)?;
    }
    let children: Vec<_> = desk.processes().into_iter().filter(|p| p.role() != Role::App).collect();
    ensure!(children.len() >= 2 && in_url.in_processes(&children).is_empty(), "{:?}", in_url.in_processes(&children));
    let finished = show.end(LIMIT)?;
    assert_eq!(finished.status, Some(0), "{}", finished.log);
    for canary in [&in_file, &in_url, &refused] {
        search(&desk, canary)?;
        ensure!(!canary.is_in(finished.log.as_bytes()), "the key stands in standard error");
        let lines: Vec<String> = finished.lines.iter().map(|l| l.value.to_string()).collect();
        ensure!(!canary.is_in(lines.join("\n").as_bytes()), "the key stands in standard output");
    }
    // The search can find something: the folder does hold logs of this show.
    ensure!(!Canary::in_folder(&in_file, &desk.work("")).is_empty(), "the test's own key file must be found");
    let logs = desk.logs();
    ensure!(logs.contains("127.0.0.1"), "nothing was logged about the destination:\n{logs}");
    Ok(())
}
