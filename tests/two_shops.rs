//! The shop of a second desk in the list of the first: real processes, over HTTP.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use stallcast_testing::processes;
use stallcast_testing::program::{Desk, Ran};
use stallcast_testing::shop::Seller;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Hang guard.
const LIMIT: Duration = Duration::from_secs(90);
/// What the second shop is called in the first desk.
const NAME: &str = "楼下的店";

/// `stallcast shop` of a desk, and where it listens.
struct Shop {
    child: Child,
    url: String,
}

impl Shop {
    fn start(desk: &Desk, listen: &str) -> anyhow::Result<Self> {
        let mut child = desk.command(&["shop", "--listen", listen])?.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        let url = ready["url"].as_str().with_context(|| line.clone())?.trim_end_matches('/').to_owned();
        Ok(Self { child, url })
    }

    fn listen(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// kill -9.
    fn kill(&mut self) -> anyhow::Result<()> {
        processes::kill(self.child.id());
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.kill();
    }
}

fn done(ran: &Ran) -> anyhow::Result<Value> {
    ensure!(ran.status == Some(0), "{ran:?}");
    ran.json()
}

/// What the studio says of itself, once it is so.
fn wait_status(desk: &Desk, what: &str, mut holds: impl FnMut(&Value) -> bool) -> anyhow::Result<Value> {
    let begun = Instant::now();
    loop {
        let app = desk.run(&["status", "--json"])?.json()?["app"].clone();
        if holds(&app) {
            return Ok(app);
        }
        ensure!(begun.elapsed() < LIMIT, "never happened: {what}\n{app:#}\n{}", desk.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn orders(app: &Value, total: u64) -> bool {
    app["orders"]["total"] == total && app["seal"]["kind"] == "complete"
}

#[test]
fn a_second_desks_shop_sells_in_the_same_list_and_each_action_finds_its_own() -> anyhow::Result<()> {
    let (desk, other) = (Desk::new()?, Desk::new()?);
    let mut far = Shop::start(&other, "127.0.0.1:0")?;
    let token_file = other.data().join("shop.token");
    let token = std::fs::read_to_string(&token_file)?.trim().to_owned();
    let file = token_file.to_string_lossy().into_owned();
    let add = |url: &str, file: &str| desk.run(&["shops", "add", url, "--token-file", file, "--name", NAME, "--json"]);

    // Nobody has the folder: the command holds it for as long as this takes.
    let wrong = desk.work("wrong");
    std::fs::write(&wrong, "not the token")?;
    for (url, file, code, status) in [
        (far.url.as_str(), wrong.to_string_lossy().as_ref(), "shop_token_refused", 6),
        ("127.0.0.1:1", &file, "shop_not_reached", 5),
        ("rtmp://x/y", &file, "bad_shop_address", 2),
        ("192.168.255.254:80", &file, "bad_shop_address", 2),
        (far.url.as_str(), "/nowhere", "token_file_unreadable", 3),
    ] {
        let refused = add(url, file)?;
        ensure!(refused.status == Some(status) && refused.json()?["code"] == code, "{code}: {refused:?}");
    }
    let added = done(&add(&far.url, &file)?)?;
    ensure!(added["shops"][0]["name"] == NAME && added["shops"][0]["state"]["kind"] == "off", "{added}");
    let id = added["shops"][0]["id"].as_str().context("no id")?.to_owned();
    ensure!(add(&far.url, &file)?.json()?["code"] == "shop_known");

    let show = desk.live(&["--shop", "--canvas", "180x320", "--fps", "10", "--video-kbps", "200"])?;
    show.wait_live(LIMIT)?;
    let (ours, theirs) = (show.shop()?, Seller::new(&far.url, &token_file)?);
    let (mine, sold) = (ours.buyer("林小姐").buy(&ours.product(1)?)?, theirs.buyer("陈先生").buy(&theirs.product(3)?)?);
    let app = wait_status(&desk, "both orders in one whole list", |app| orders(app, 2))?;
    let states: Vec<_> = app["shops"].as_array().context("no shops")?.iter().map(|s| (&s["isOwn"], &s["state"]["kind"])).collect();
    ensure!(states.iter().all(|(_, kind)| *kind == "answers") && states.len() == 2 && *states[0].0 == true, "{states:?}");

    // A pin goes where the product is, and nowhere else.
    let bag = done(&desk.run(&["bag", "--json"])?)?;
    let number = bag["bag"].as_array().context("no bag")?.iter().find(|item| item["connectionId"] == id.as_str());
    let number = number.context("their products are not in the bag")?["number"].to_string();
    done(&desk.run(&["explain", &number, "--json"])?)?;
    let begun = Instant::now();
    while theirs.room()?["pin"].is_null() {
        ensure!(begun.elapsed() < LIMIT, "never pinned: {}", desk.logs());
        std::thread::sleep(Duration::from_millis(20));
    }
    ensure!(ours.room()?["pin"].is_null() && ours.room()?["live"]["state"] == "live", "{}", ours.room()?);
    ensure!(theirs.room()?["live"]["state"] != "live", "their room is their own studio's: {}", theirs.room()?);

    // So does a parcel. The command ends once the shop was read back.
    let listed = done(&desk.run(&["orders", "--json"])?)?;
    let row = listed["orders"].as_array().context("no orders")?.iter().find(|o| o["id"] == sold["id"]).context("not listed")?;
    ensure!(row["connection"] == NAME && row["connectionId"] == id.as_str(), "{row}");
    let order = sold["id"].as_str().context("no id")?;
    let at_ours = desk.run(&["orders", "ship", order, "--shop", "local", "--carrier", "SF", "--tracking", "SF1", "--json"])?;
    ensure!(at_ours.json()?["code"] == "not_found", "{at_ours:?}");
    done(&desk.run(&["orders", "ship", order, "--carrier", "SF", "--tracking", "SF1", "--json"])?)?;
    let shipped = |seller: &Seller, id: &Value| -> anyhow::Result<usize> {
        let all = seller.orders()?;
        Ok(all.iter().find(|o| o["id"] == *id).and_then(|o| o["shipments"].as_array().map(Vec::len)).unwrap_or_default())
    };
    ensure!(shipped(&theirs, &sold["id"])? == 1 && shipped(&ours, &mine["id"])? == 0);

    // One shop dies: the list says which is behind, and the other goes on.
    far.kill()?;
    let named = |app: &Value| app["seal"]["kind"] == "behind" && app["seal"]["connections"] == serde_json::json!([NAME]);
    wait_status(&desk, "one is behind", |app| {
        let told = app["health"]
            .as_array()
            .is_some_and(|h| h.iter().any(|h| h["code"] == "platform_unreachable" && h["params"]["connection"] == NAME));
        named(app) && told
    })?;
    ours.buyer("王小姐").buy(&ours.product(1)?)?;
    wait_status(&desk, "ours goes on", |app| app["orders"]["total"] == 3 && named(app))?;
    let listen = far.listen().to_owned();
    let _back = Shop::start(&other, &listen)?;
    theirs.buyer("赵先生").buy(&theirs.product(3)?)?;
    wait_status(&desk, "whole again", |app| orders(app, 4))?;

    // Removed, it keeps what it sold.
    done(&desk.run(&["explain", "end", "--json"])?)?;
    let left = done(&desk.run(&["shops", "remove", &id, "--json"])?)?;
    ensure!(left["shops"].as_array().map(Vec::len) == Some(1), "{left}");
    wait_status(&desk, "one shop, all orders", |app| orders(app, 4) && app["shops"].as_array().map(Vec::len) == Some(1))?;

    let finished = show.end(LIMIT)?;
    ensure!(finished.status == Some(0), "{}", finished.log);
    for process in processes::of_folder(&desk.data()) {
        ensure!(!String::from_utf8_lossy(&process.environ()).contains(&token));
    }
    ensure!(!finished.log.contains(&token) && !desk.logs().contains(&token), "the token is in a log");
    let database = std::fs::read(desk.data().join("stallcast.db"))?;
    ensure!(!database.windows(token.len()).any(|w| w == token.as_bytes()), "the token is in the database in clear");
    Ok(())
}
