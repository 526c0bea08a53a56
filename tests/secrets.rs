//! No stream key and nothing of a buyer in any log, argument, environment, crash output, or in clear in the studio's database,
//! its log and its copies.

use anyhow::{Context as _, ensure};
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
    // And where a library takes the process with it, the system would write all of its memory into a file.
    for process in desk.processes() {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid))?;
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).context("no such limit")?;
        ensure!(core.split_whitespace().skip(4).take(2).eq(["0", "0"]), "{:?}: {core}", process.role());
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

/// What a buyer wrote, each word found nowhere else.
struct Marks {
    name: Canary,
    phone: Canary,
    address: Canary,
    reason: Canary,
}

impl Marks {
    fn new() -> anyhow::Result<Self> {
        let of = |what: &str| Canary::new().map(|word| Canary::of(&format!("{what}{}", word.word())));
        Ok(Self { name: of("林")?, phone: Canary::phone()?, address: of("龙井路")?, reason: of("裂了")? })
    }

    fn all(&self) -> [&Canary; 4] {
        [&self.name, &self.phone, &self.address, &self.reason]
    }
}

/// Everything but the local shop's own database, which is a platform's and holds its buyers in clear.
fn search_buyer(desk: &Desk, marks: &Marks) -> anyhow::Result<()> {
    let processes = desk.processes();
    for mark in marks.all() {
        let found = mark.in_processes(&processes);
        ensure!(found.is_empty(), "{found:?}");
        for name in ["data", "home", "run"] {
            let mut files = mark.in_folder(&desk.folder().join(name));
            files.retain(|f| !f.file_name().is_some_and(|n| n.to_string_lossy().starts_with("shop.db")));
            ensure!(files.is_empty(), "what a buyer wrote stands in {files:?}");
        }
    }
    Ok(())
}

fn wait_for(desk: &Desk, sql: &str) -> anyhow::Result<()> {
    let end = std::time::Instant::now() + LIMIT;
    while desk.query(sql)?.is_empty() {
        ensure!(std::time::Instant::now() < end, "never true: {sql}\n{}", desk.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn a_buyer_is_nowhere_to_be_found_but_in_the_shop() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    desk.set("STALLCAST_LOG", "trace");
    desk.set("RUST_LOG", "trace");
    desk.set("RUST_BACKTRACE", "1");
    let marks = Marks::new()?;
    let words = ["--shop", "--canvas", "360x640", "--fps", "15"];
    let show = desk.live(&words)?;
    show.wait_live(LIMIT)?;
    let seller = show.shop()?;
    let buyer = seller.buyer_at(marks.name.word(), marks.phone.word(), marks.address.word());
    let product = seller.product(1)?;
    let (kept, back) = (buyer.buy(&product)?, buyer.buy(&product)?);
    wait_for(&desk, "SELECT 1 FROM orders GROUP BY 1 HAVING count(*) = 2")?;
    // What a buyer writes afterwards, and what the seller does with it from outside.
    buyer.ask_back(&back, marks.reason.word())?;
    wait_for(&desk, "SELECT 1 FROM after_sale WHERE state = 'requested'")?;
    let number = |order: &serde_json::Value| order["number"].as_str().map(str::to_owned).context("no number");
    let listed = desk.run(&["orders", "--json"])?;
    ensure!(listed.status == Some(0), "{}", listed.stderr);
    ensure!(marks.reason.is_in(listed.json()?.to_string().as_bytes()), "the seller reads what is asked: {}", listed.json()?);
    for mark in [&marks.name, &marks.phone, &marks.address] {
        ensure!(!mark.is_in(listed.json()?.to_string().as_bytes()), "the list shows more than a masked name");
    }
    let shipped = desk.run(&["orders", "ship", &number(&kept)?, "--carrier", "SF", "--tracking", "SF1", "--json"])?;
    ensure!(shipped.status == Some(0) && shipped.json()?["state"] == "confirmed", "{:?} {}", shipped.json(), shipped.stderr);
    let agreed = desk.run(&["orders", "agree", &number(&back)?, "--json"])?;
    ensure!(agreed.status == Some(0) && agreed.json()?["state"] == "confirmed", "{:?} {}", agreed.json(), agreed.stderr);
    let status = desk.run(&["status", "--json"])?;
    search_buyer(&desk, &marks)?;
    // Deaths talk the most: the shop and the media process, then the studio itself in the middle of a sale.
    for role in [Role::Shop, Role::Engine] {
        desk.kill(role)?;
    }
    seller.wait_answers(LIMIT)?;
    let mark = show.mark();
    show.wait_from(mark, "figures after the restart", LIMIT, |line| (line.value["type"] == "stats").then_some(()))?;
    let app = desk.kill(Role::App)?;
    let dead = show.finish(LIMIT)?;
    ensure!(dead.status != Some(0), "{app} was killed");
    search_buyer(&desk, &marks)?;
    // The next show takes a copy of the database as soon as it is on air: now with buyers in it.
    let show = desk.live(&[&words[..], &["--attach"]].concat())?;
    let end = std::time::Instant::now() + LIMIT;
    let backups = desk.data().join("backups");
    let holds_orders = || {
        std::fs::read_dir(&backups).into_iter().flatten().flatten().any(|copy| {
            let found = stallcast_testing::program::query(&copy.path(), "SELECT 1 FROM orders");
            found.is_ok_and(|rows| rows.len() == 2)
        })
    };
    while !holds_orders() {
        ensure!(std::time::Instant::now() < end, "no copy with the orders in {}:\n{}", backups.display(), desk.logs());
        std::thread::sleep(Duration::from_millis(200));
    }
    let finished = show.end(LIMIT)?;
    search_buyer(&desk, &marks)?;
    for mark in marks.all() {
        for (what, text) in [("standard error", &finished.log), ("the dead one's", &dead.log), ("a status", &status.stderr)] {
            ensure!(!mark.is_in(text.as_bytes()), "what a buyer wrote stands in {what}");
        }
        let lines: Vec<String> = finished.lines.iter().chain(&dead.lines).map(|l| l.value.to_string()).collect();
        ensure!(!mark.is_in(lines.join("\n").as_bytes()), "what a buyer wrote stands in standard output");
        ensure!(!mark.is_in(status.json()?.to_string().as_bytes()), "a status tells of a buyer");
        // The search can find something: the shop's own database holds it.
        ensure!(!mark.in_folder(&desk.data()).is_empty(), "{} must be in shop.db", mark.word());
    }
    Ok(())
}
