//! Other invocations on the same folder, a whole show, and children that die.

mod support;

use serde_json::{Value, json};
use stallcast_studio::view::{DestinationForm, ShowStateView};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use support::{LIMIT, buy, open, options, plenty, program, room, shop, until};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

fn command(data: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(words).arg("--data").arg(data).arg("--json").env("STALLCAST_LANG", "en").stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(data: &Path, words: &[&str]) -> (Value, Output) {
    let output = tokio::time::timeout(LIMIT, command(data, words).output()).await.expect("in time").expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    (serde_json::from_str(last).unwrap_or_else(|e| panic!("{words:?}: {e}: {output:?}")), output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_asks_the_owner_and_ends_its_show() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let sku = plenty(&shop).await;
    let studio = open(options(dir.path(), &shop)).await;
    studio.pin_product(1).await.expect("pinned");
    let (nothing, output) = run(dir.path(), &["end"]).await;
    assert_eq!((&nothing["type"], output.status.code()), (&json!("nothing"), Some(0)));

    studio.go_live().await.expect("the shop's page is an output");
    until(&studio, "it is live", |v| v.show.state == ShowStateView::Live).await;
    assert_eq!(studio.go_live().await.expect_err("one show at a time").code, "already_live");
    let id = buy(shop.url(), &sku, "a").await;
    let view =
        until(&studio, "the order counts for the show", |v| v.show.order_count == 1 && v.orders.rows.iter().any(|r| r.id == id)).await;
    assert_ne!(view.show.turnover.amount, "0");
    until_room(shop.url(), "live").await;

    let (status, output) = run(dir.path(), &["status"]).await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!((&status["held"], &status["pid"]), (&json!(true), &json!(std::process::id())));
    let app = &status["app"];
    assert_eq!(
        (&app["show"]["state"], &app["orders"]["total"], &app["failed_intents"]),
        (&json!("live"), &json!(1), &json!(0)),
        "{status}"
    );
    assert_eq!(app["seal"]["kind"], json!("complete"));
    assert!(!output.stdout.windows(11).any(|w| w == b"13800138000"), "no buyer in a status");

    let (summary, output) = run(dir.path(), &["end"]).await;
    assert_eq!((&summary["type"], output.status.code()), (&json!("summary"), Some(0)), "{output:?}");
    assert!(summary["frames_encoded"].as_u64() > Some(0), "{summary}");
    let view = until(&studio, "it is over", |v| v.show.state == ShowStateView::Ready).await;
    assert!(view.bag.iter().all(|b| b.explaining_since_ms.is_none()) && view.show.order_count == 0, "the next show begins empty");
    until_room(shop.url(), "ended").await;
    assert_eq!(room(shop.url()).await["pin"], json!(null));

    let busy = tokio::time::timeout(LIMIT, command(dir.path(), &["live", "--shop"]).output()).await.expect("in time").expect("it runs");
    assert_eq!(busy.status.code(), Some(5), "{busy:?}");
    let told: Value = serde_json::from_slice(&busy.stdout).expect("one line");
    assert_eq!((&told["code"], &told["params"]["pid"]), (&json!("folder_busy"), &json!(std::process::id().to_string())), "{told}");
    studio.close().await;
    shop.stop().await;
    let (status, _) = run(dir.path(), &["status"]).await;
    assert_eq!((&status["held"], &status["last_show"]["summary"]["frames_encoded"]), (&json!(false), &summary["frames_encoded"]));
}

/// How long each explanation of the last show lasted.
async fn explained_ms(data: &Path) -> Vec<i64> {
    let show = stallcast_store::last_ended_show(&data.join("stallcast.db")).await.expect("readable").expect("one ended").id;
    let store = support::store(data).await;
    let spans = store.spans(&show).await.expect("spans");
    store.close().await;
    spans.iter().map(|span| span.to_ms.expect("closed") - span.from_ms).collect()
}

async fn until_room(url: &str, state: &str) {
    let reached = async {
        while room(url).await["live"]["state"] != json!(state) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, reached).await.is_ok(), "the shop never showed the room as {state}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_key_is_sealed_and_comes_back_to_nobody() {
    const KEY: &str = "canary_8d41f0c2_key";
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let studio = open(options(dir.path(), &shop)).await;
    let form = DestinationForm {
        id: None,
        preset: "custom".to_owned(),
        name: "平台".to_owned(),
        url: Some("rtmp://127.0.0.1/app".to_owned()),
        key: Some(KEY.to_owned()),
        one_show: false,
        enabled: false,
    };
    let saved = studio.save_destination(form.clone()).await.expect("saved");
    assert_eq!((saved.host.as_str(), saved.key_hint.as_str()), ("127.0.0.1", "•••• _key"));
    // Renamed without the key: the stored one stays.
    let again = DestinationForm { id: Some(saved.id.clone()), name: "另一个".to_owned(), key: None, ..form.clone() };
    assert_eq!(studio.save_destination(again.clone()).await.expect("saved").key_hint, saved.key_hint);
    // The next show's address, pasted whole over the server's: its key is the new one, and is no part of the address.
    let whole = DestinationForm { url: Some("rtmp://127.0.0.1/app/canary_0001?sign=a".to_owned()), ..again.clone() };
    assert_ne!(studio.save_destination(whole).await.expect("saved").key_hint, saved.key_hint);
    assert_eq!(studio.destination_address(saved.id.clone()).await.expect("it is there"), "rtmp://127.0.0.1/app");
    // An address without a key in it, of another server, keeps the one that is stored.
    let moved = DestinationForm { url: Some("rtmp://127.0.0.2/app".to_owned()), key: Some(KEY.to_owned()), ..again.clone() };
    studio.save_destination(moved).await.expect("saved");
    assert_eq!(studio.save_destination(again).await.expect("saved").key_hint, saved.key_hint);
    assert!(!format!("{:?}", studio.snapshot().await).contains(KEY));
    studio.close().await;
    let mut files = 0;
    for entry in std::fs::read_dir(dir.path()).expect("list").map(|e| e.expect("entry").path()).filter(|p| p.is_file()) {
        let bytes = std::fs::read(&entry).expect("read");
        assert!(!bytes.windows(KEY.len()).any(|w| w == KEY.as_bytes()), "{} holds the key in clear", entry.display());
        files += 1;
    }
    assert!(files > 3);
    let studio = open(options(dir.path(), &shop)).await;
    let kept = studio.snapshot().await.destinations;
    assert_eq!(kept.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["另一个"]);
    studio.remove_destination(saved.id).await.expect("removed");
    assert!(!kept[0].one_show);
    // Whatever was chosen, the address is of a platform whose keys are good for one show.
    let short = DestinationForm { url: Some("rtmp://push-rtmp-l1.douyincdn.com/third".to_owned()), ..form.clone() };
    assert!(studio.save_destination(short).await.expect("saved").one_show);
    let plain = DestinationForm { url: Some("rtmp://live-api-s.facebook.com:80/rtmp".to_owned()), ..form };
    let refused = studio.save_destination(plain).await.expect_err("it takes nothing but TLS");
    assert_eq!((refused.code.as_str(), refused.params["rule"].as_str()), ("bad_url", "rtmps"));
    studio.close().await;
    shop.stop().await;
}

/// A show of the command line with its children. They live in sessions of their own: a test that fails ends them too.
struct Live {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    data: PathBuf,
}

impl Drop for Live {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.child.start_kill();
            let _ = std::process::Command::new(program()).args(["end", "--json", "--data"]).arg(&self.data).output();
        }
    }
}

impl Live {
    fn start(data: &Path, words: &[&str]) -> Self {
        let mut child = command(data, words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines, data: data.to_owned() }
    }

    /// The next line of this type.
    async fn line(&mut self, kind: &str) -> Value {
        let reading = async {
            loop {
                let Some(line) = self.lines.next_line().await.expect("readable") else { panic!("it ended without a line `{kind}`") };
                let value: Value = serde_json::from_str(&line).expect("only JSON on standard output");
                if value["type"] == kind {
                    return value;
                }
                assert_ne!(value["type"], "error", "{value}");
            }
        };
        tokio::time::timeout(LIMIT, reading).await.unwrap_or_else(|_| panic!("no line `{kind}`"))
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_is_killed_comes_back_at_its_address_and_no_order_is_lost() {
    let dir = tempfile::tempdir().expect("dir");
    let data = dir.path();
    let mut live = Live::start(data, &["live", "--shop", "--pin", "first", "--canvas", "180x320", "--fps", "10", "--video-kbps", "200"]);
    let ready = live.line("ready").await;
    let url = ready["shop_url"].as_str().expect("url").to_owned();
    assert!(Path::new(ready["seller_token_file"].as_str().expect("path")).is_file());
    until_room(&url, "live").await;
    let pinned = room(&url).await["pin"]["productId"].clone();
    assert!(pinned.is_string(), "the first product is explained from the start");
    let products: Value = reqwest::get(format!("{url}/api/products")).await.expect("ask").json().await.expect("json");
    let sku = products["products"][0]["skus"][0]["id"].as_str().expect("sku").to_owned();
    buy(&url, &sku, "before").await;

    let file: Value = serde_json::from_slice(&std::fs::read(data.join("shop.json")).expect("shop.json")).expect("json");
    let pid = file["pid"].as_i64().expect("pid");
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(i32::try_from(pid).expect("pid")).expect("pid"),
        rustix::process::Signal::KILL,
    )
    .expect("killed");
    assert_eq!(live.line("health").await["code"], "shop_restarted");
    buy(&url, &sku, "after").await;
    assert_eq!(room(&url).await["pin"]["productId"], pinned, "viewers still see what is explained");

    let told = async {
        loop {
            let (status, _) = run(data, &["status"]).await;
            if status["app"]["orders"]["total"] == json!(2) {
                return status;
            }
        }
    };
    let status = tokio::time::timeout(LIMIT, told).await.expect("both orders are there, once each");
    assert_eq!((&status["show"]["state"], &status["app"]["show"]["orderCount"]), (&json!("live"), &json!(2)), "{status}");
    let (summary, output) = run(data, &["end"]).await;
    assert_eq!((&summary["type"], output.status.code()), (&json!("summary"), Some(0)), "{output:?}");
    assert_eq!(live.line("summary").await["frames_encoded"], summary["frames_encoded"]);
    let status = tokio::time::timeout(LIMIT, live.child.wait()).await.expect("it ends").expect("waited");
    assert_eq!(status.code(), Some(0));
    // It took its children with it.
    let (status, _) = run(data, &["status"]).await;
    assert_eq!((&status["held"], &status["engine"], &status["shop"]), (&json!(false), &json!(null), &json!(null)), "{status}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_is_opened_to_the_network_is_so_at_once_and_after_its_death() {
    let dir = tempfile::tempdir().expect("dir");
    let data = dir.path();
    // One that an earlier show left, for this machine only.
    let mut left = Command::new(program());
    left.args(["shop", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut left = left.spawn().expect("it starts");
    let mut lines = BufReader::new(left.stdout.take().expect("piped")).lines();
    assert!(lines.next_line().await.expect("readable").expect("a line").contains("\"bound\":\"127.0.0.1:"));

    let small = ["--canvas", "180x320", "--fps", "10", "--video-kbps", "200"];
    let mut live = Live::start(data, &[&["live", "--shop", "--listen", "0.0.0.0:0"], &small[..]].concat());
    let url = live.line("ready").await["shop_url"].as_str().expect("url").to_owned();
    assert!(tokio::time::timeout(LIMIT, left.wait()).await.expect("it makes room").expect("waited").success());
    let port: u16 = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("port");
    // Every address of 127/8 is this machine; a shop bound to 127.0.0.1 answers at none of the others.
    let from_outside = || tokio::net::TcpStream::connect(("127.0.0.2", port));
    from_outside().await.expect("open to the network");

    let file: Value = serde_json::from_slice(&std::fs::read(data.join("shop.json")).expect("shop.json")).expect("json");
    let pid = file["pid"].as_i64().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)).expect("pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    assert_eq!(live.line("health").await["code"], "shop_restarted");
    from_outside().await.expect("open again");
    let (_, output) = run(data, &["end"]).await;
    assert_eq!(output.status.code(), Some(0));
    assert!(tokio::time::timeout(LIMIT, live.child.wait()).await.expect("it ends").expect("waited").success());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_is_killed_leaves_show_and_shop_running_and_the_next_one_misses_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let data = dir.path();
    let mut live = Live::start(data, &["live", "--shop", "--pin", "first", "--canvas", "180x320", "--fps", "10", "--video-kbps", "200"]);
    let url = live.line("ready").await["shop_url"].as_str().expect("url").to_owned();
    until_room(&url, "live").await;
    let products: Value = reqwest::get(format!("{url}/api/products")).await.expect("ask").json().await.expect("json");
    let sku = products["products"][0]["skus"][0]["id"].as_str().expect("sku").to_owned();
    buy(&url, &sku, "with").await;
    let explained = |bag: &Value| (bag["bag"][0]["number"].clone(), bag["bag"][0]["explainingSinceMs"].clone());
    let before = explained(&run(data, &["bag"]).await.0);
    assert!(before.1.is_number(), "{before:?}");
    live.child.kill().await.expect("killed");
    let (nobody, output) = run(data, &["explain", "next"]).await;
    assert_eq!((&nobody["code"], output.status.code()), (&json!("not_open"), Some(5)), "{nobody}");
    let (status, _) = run(data, &["status"]).await;
    assert_eq!((&status["held"], &status["show"]["state"]), (&json!(false), &json!("live")), "{status}");
    buy(&url, &sku, "without").await;
    assert_eq!(room(&url).await["live"]["state"], json!("live"));

    let refused = tokio::time::timeout(LIMIT, command(data, &["live", "--shop"]).output()).await.expect("in time").expect("it runs");
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    let mut next = Live::start(data, &["live", "--shop", "--attach"]);
    assert_eq!(next.line("ready").await["shop_url"], json!(url), "the same shop, at the same address");
    let told = async {
        loop {
            let (status, _) = run(data, &["status"]).await;
            if status["app"]["orders"]["total"] == json!(2) {
                return status;
            }
        }
    };
    let status = tokio::time::timeout(LIMIT, told).await.expect("both orders are there, once each");
    assert_eq!((&status["app"]["show"]["state"], &status["app"]["show"]["orderCount"]), (&json!("live"), &json!(2)), "{status}");
    assert_eq!(explained(&run(data, &["bag"]).await.0), before, "its card never left the picture: one explanation, not two");
    let (summary, _) = run(data, &["end"]).await;
    assert_eq!(summary["type"], json!("summary"), "{summary}");
    let ended = tokio::time::timeout(LIMIT, next.child.wait()).await.expect("it ends").expect("waited");
    assert_eq!(ended.code(), Some(0));
    let (status, _) = run(data, &["status"]).await;
    assert_eq!((&status["engine"], &status["shop"]), (&json!(null), &json!(null)), "{status}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_whose_picture_died_does_not_last_until_somebody_looks() {
    let dir = tempfile::tempdir().expect("dir");
    let data = dir.path();
    let mut live = Live::start(data, &["live", "--shop", "--pin", "first", "--canvas", "180x320", "--fps", "10", "--video-kbps", "200"]);
    let url = live.line("ready").await["shop_url"].as_str().expect("url").to_owned();
    until_room(&url, "live").await;
    let since = run(data, &["bag"]).await.0["bag"][0]["explainingSinceMs"].as_f64().expect("explained");
    let (status, _) = run(data, &["status"]).await;
    live.child.kill().await.expect("killed");
    let engine = status["engine"]["pid"].as_i64().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)).expect("pid");
    rustix::process::kill_process(engine, rustix::process::Signal::KILL).expect("killed");
    #[expect(clippy::cast_precision_loss, reason = "ms UTC")]
    let died = support::now_ms() as f64;
    // Whoever opens it next finds the shop, which lived on.
    let mut opened = stallcast_studio::StudioOptions::new(data.to_owned(), program());
    (opened.shop, opened.engine) = (stallcast_studio::ShopMode::At { url: url.clone() }, support::in_process());
    opened.configuration = Some(support::small_demo());
    let studio = open(opened).await;
    let item = studio.snapshot().await.bag.remove(0);
    assert_eq!(item.explaining_since_ms, None, "nobody sees it");
    let unpinned = async {
        while room(&url).await["pin"] != json!(null) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, unpinned).await.is_ok(), "viewers are told as well");
    studio.close().await;
    let lasted = explained_ms(data).await;
    #[expect(clippy::cast_possible_truncation, reason = "ms UTC")]
    let most = (died - since) as i64;
    assert!(lasted.len() == 1 && (0..=most).contains(&lasted[0]), "{lasted:?} of {most} ms at most");
    let (_, output) = run(data, &["end"]).await;
    assert_eq!(output.status.code(), Some(0));
}
