//! The studio's window under Xvfb, driven the way a host's hand does it, with a viewer's phone beside it.

use anyhow::{Context as _, ensure};
use fantoccini::Locator;
use rustix::process::Signal;
use stallcast_testing::analysis::{self, Made};
use stallcast_testing::browser::{Browser, Display};
use stallcast_testing::clip::Clip;
use stallcast_testing::ingest::Ingest;
use stallcast_testing::packets;
use stallcast_testing::processes::{self, Role};
use stallcast_testing::program::Desk;
use stallcast_testing::shop::Seller;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Hang guard: WebKit without a GPU, a browser, x264 and two cores.
const LIMIT: Duration = Duration::from_secs(90);
/// A button that is held must be held a little longer than it asks for.
const HOLD: Duration = Duration::from_millis(1400);

fn id(name: &str) -> String {
    format!("[data-testid=\"{name}\"]")
}

fn is(name: &str, attribute: &str, value: &str) -> String {
    format!("[data-testid=\"{name}\"][data-{attribute}=\"{value}\"]")
}

/// A desk whose saved settings make a small show: WebKit needs the rest of the machine.
fn small_desk(camera: Option<&Path>) -> anyhow::Result<Desk> {
    let mut desk = Desk::new()?;
    desk.set("STALLCAST_LANG", "zh-CN");
    // The first show makes the database.
    let ran = desk.run(&["live", "--json", "--shop", "--canvas", "160x160", "--fps", "5", "--for", "1s"])?;
    ensure!(ran.status == Some(0), "{ran:?}");
    let source = |path: Option<&Path>| match path {
        Some(path) => serde_json::json!({ "kind": "file", "path": path }),
        None => serde_json::json!({ "kind": "demo" }),
    };
    let settings = serde_json::json!({
        "language": "zh-CN",
        "configuration": {
            "camera": source(camera), "mic": source(camera), "canvas": { "width": 360, "height": 640, "fps": 15 },
            "video_kbps": 800, "audio_kbps": 96, "low_latency": false, "language": "zh-CN",
        },
    });
    let sql = format!("insert or replace into setting (name, value) values ('studio', '{settings}')");
    let saved = Command::new("sqlite3").arg(desk.data().join("stallcast.db")).arg(sql).status()?;
    ensure!(saved.success());
    Ok(desk)
}

fn seller(desk: &Desk) -> anyhow::Result<Seller> {
    let status = desk.run(&["status", "--json"])?.json()?;
    let url = status["shop"]["url"].as_str().with_context(|| format!("no shop: {status}"))?;
    Seller::new(url, &desk.data().join("shop.token"))
}

async fn rows(window: &Browser, order: &str) -> anyhow::Result<usize> {
    let found = window.client().find_all(Locator::Css(&is("order-row", "order", order))).await?;
    Ok(found.len())
}

async fn plays(phone: &Browser) -> anyhow::Result<()> {
    phone.wait_value("video", "document.querySelector('[data-testid=video]').videoWidth", LIMIT).await?;
    let time = "document.querySelector('[data-testid=video]').currentTime";
    let from = phone.value(time).await?.as_f64().unwrap_or(0.0);
    phone.wait_value("moving picture", &format!("{time} > {from} + 1.5"), LIMIT).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_sells_to_a_viewer() -> anyhow::Result<()> {
    let desk = small_desk(None)?;
    let ingest = Ingest::start()?;
    let display = Display::start(1440, 900)?;
    let window = Browser::window(&desk, &display, &[]).await?;
    window.wait_element(&is("show-state", "state", "ready"), LIMIT).await?;
    window.wait_element(&is("preview", "state", "running"), LIMIT).await?;
    window.wait_element(&id("demo-label"), LIMIT).await?;
    let seller = seller(&desk)?;

    // A destination with a key, which never comes back into the page.
    window.click(&id("preflight-open"), LIMIT).await?;
    window.click(&id("destination-add"), LIMIT).await?;
    window.click(&id("platform-custom"), LIMIT).await?;
    window.fill(&id("destination-name"), "测试平台", LIMIT).await?;
    window.fill(&id("destination-url"), &ingest.url(), LIMIT).await?;
    window.fill(&id("destination-key"), "window-key-1234", LIMIT).await?;
    window.click(&id("destination-save"), LIMIT).await?;
    window.wait_element(&id("destination-row"), LIMIT).await?;
    let page = window.value("document.documentElement.outerHTML").await?;
    ensure!(!page.as_str().unwrap_or_default().contains("window-key-1234"), "the key stands in the page");
    // A click is not a hold.
    window.client().find(Locator::Css(&id("preflight-go-live"))).await?.click().await?;
    ensure!(!ingest.is_publishing("window-key-1234"));
    window.hold(&id("preflight-go-live"), HOLD, LIMIT).await?;
    window.wait_element(&is("show-state", "state", "live"), LIMIT).await?;
    ingest.wait_received("window-key-1234", 50_000, LIMIT)?;

    let phone = Browser::phone("zh-CN").await?;
    phone.open(&format!("{}/", seller.url())).await?;
    plays(&phone).await?;

    // 讲解: in the bag, on the platform, on the phone.
    window.click(&id("explain-3"), LIMIT).await?;
    window.wait_element(&is("strip-now", "number", "3"), LIMIT).await?;
    window.wait_element(&is("bag-row-3", "pin", "confirmed"), LIMIT).await?;
    phone.wait_element("[data-testid=pinned][data-number=\"3\"]", LIMIT).await?;

    window.click(&id("tab-coupons"), LIMIT).await?;
    window.click(&id("coupon-open"), LIMIT).await?;
    window.fill(&id("coupon-discount"), "30", LIMIT).await?;
    window.fill(&id("coupon-threshold"), "199", LIMIT).await?;
    window.click(&id("coupon-submit"), LIMIT).await?;
    window.wait_element(&is("coupon-row", "state", "active"), LIMIT).await?;
    window.click(&id("tab-orders"), LIMIT).await?;
    phone.click("[data-testid=claim-coupon]", LIMIT).await?;
    phone.wait_element("[data-testid=claim-coupon][data-state=claimed]", LIMIT).await?;

    phone.click("[data-testid=buy-pinned]", LIMIT).await?;
    phone.fill("[data-testid=checkout-name]", "林小满", LIMIT).await?;
    phone.fill("[data-testid=checkout-phone]", "13800000000", LIMIT).await?;
    phone.fill("[data-testid=checkout-address]", "杭州市西湖区龙井路 1 号", LIMIT).await?;
    phone.click("[data-testid=checkout-submit]", LIMIT).await?;
    phone.click("[data-testid=pay]", LIMIT).await?;
    phone.wait_element("[data-testid=order-close]", LIMIT).await?;

    // The order is in the host's list, in the database once, and in the staff's window.
    let order = seller.orders()?.into_iter().next().context("no order")?;
    let order_id = order["id"].as_str().context("no id")?.to_owned();
    window.wait_element(&is("order-row", "order", &order_id), LIMIT).await?;
    window.wait_element(&format!("{}[data-status=\"toShip\"]", is("order-row", "order", &order_id)), LIMIT).await?;
    window.wait_element(&is("seal", "seal", "complete"), LIMIT).await?;
    assert_eq!(rows(&window, &order_id).await?, 1);
    assert_eq!(desk.query("select id, count(*) n from orders group by id")?, [serde_json::json!({ "id": order_id, "n": 1 })]);
    let text = window.wait_text(&id("order-list"), LIMIT).await?;
    ensure!(!text.contains("林小满"), "the buyer's name is shown in full: {text}");

    window.click(&id("open-orders"), LIMIT).await?;
    let main = window.client().window().await?;
    let begun = Instant::now();
    let side = loop {
        let all = window.client().windows().await?;
        if let Some(side) = all.into_iter().find(|w| *w != main) {
            break side;
        }
        ensure!(begun.elapsed() < LIMIT, "the side panel does not open");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    window.client().switch_to_window(side).await?;
    window.wait_element(&is("order-row", "order", &order_id), LIMIT).await?;
    let second = seller.buyer("赵雷").buy(&seller.product(1)?)?;
    let second_id = second["id"].as_str().context("no id")?.to_owned();
    window.wait_element(&is("order-row", "order", &second_id), LIMIT).await?;
    window.client().switch_to_window(main).await?;
    window.wait_value("second order", &format!("!!document.querySelector('{}')", is("order-row", "order", &second_id)), LIMIT).await?;

    // Both languages, in words of the same buttons.
    let chinese = window.wait_text(&id("end-show"), LIMIT).await?;
    window.click(&id("lang-switch"), LIMIT).await?;
    window
        .wait_value("English", &format!("/^[\\x20-\\x7e]+$/.test(document.querySelector('{}').innerText.trim())", id("end-show")), LIMIT)
        .await?;
    ensure!(!chinese.is_ascii(), "{chinese}");
    window.screenshot(&desk.work("window.png")).await?;
    window.click(&id("lang-switch"), LIMIT).await?;

    window.click(&id("unpin"), LIMIT).await?;
    window.wait_element(&is("strip-now", "number", ""), LIMIT).await?;
    phone.wait_value("no pin", "!document.querySelector('[data-testid=pinned][data-number]')", LIMIT).await?;
    window.hold(&id("end-show"), HOLD, LIMIT).await?;
    window.wait_element(&is("show-state", "state", "ready"), LIMIT).await?;
    ingest.wait_publishing("window-key-1234", false, LIMIT)?;
    packets::read(&ingest.recording("window-key-1234")?)?.check_live(360, 640, 15)?;
    phone.wait_element("[data-testid=face]", LIMIT).await?;
    phone.close().await?;
    window.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_did_not_open_opens_when_nothing_is_in_its_way_any_more() -> anyhow::Result<()> {
    let desk = small_desk(None)?;
    let holder = desk.live(&["--camera", "demo", "--canvas", "160x160", "--fps", "5", "--shop"])?;
    holder.wait_live(LIMIT)?;
    let display = Display::start(1440, 900)?;
    let window = Browser::window(&desk, &display, &[]).await?;
    window.wait_element(&is("open-failed", "code", "folder_busy"), LIMIT).await?;
    window.click(&id("open-again"), LIMIT).await?;
    window.wait_element(&is("open-failed", "code", "folder_busy"), LIMIT).await?;
    ensure!(holder.end(LIMIT)?.status == Some(0));
    window.click(&id("open-again"), LIMIT).await?;
    window.wait_element(&is("show-state", "state", "ready"), LIMIT).await?;
    // Its news come too.
    window.click(&id("mic-mute"), LIMIT).await?;
    window.wait_element("[data-testid=mic-mute][aria-pressed=true]", LIMIT).await?;
    window.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_window_is_not_missed_and_the_next_one_attaches() -> anyhow::Result<()> {
    let clips = tempfile::tempdir()?;
    let clip = clips.path().join("clip.mp4");
    Clip::new(360, 640, 15, 240).write(&clip)?;
    let desk = small_desk(Some(&clip))?;
    let ingest = Ingest::start()?;
    let display = Display::start(1440, 900)?;
    let window = Browser::window(&desk, &display, &[]).await?;
    window.wait_element(&is("show-state", "state", "ready"), LIMIT).await?;
    window.click(&id("preflight-open"), LIMIT).await?;
    window.click(&id("destination-add"), LIMIT).await?;
    window.click(&id("platform-custom"), LIMIT).await?;
    window.fill(&id("destination-name"), "测试平台", LIMIT).await?;
    window.fill(&id("destination-url"), &ingest.url(), LIMIT).await?;
    window.fill(&id("destination-key"), "killed", LIMIT).await?;
    window.click(&id("destination-save"), LIMIT).await?;
    window.wait_element(&id("destination-row"), LIMIT).await?;
    window.hold(&id("preflight-go-live"), HOLD, LIMIT).await?;
    window.wait_element(&is("show-state", "state", "live"), LIMIT).await?;
    let seller = seller(&desk)?;
    let phone = Browser::phone("zh-CN").await?;
    phone.open(&format!("{}/", seller.url())).await?;
    plays(&phone).await?;
    window.click(&id("explain-1"), LIMIT).await?;
    phone.wait_element("[data-testid=pinned][data-number=\"1\"]", LIMIT).await?;

    let engine = desk.process(Role::Engine)?.pid;
    let shop = desk.process(Role::Shop)?.pid;
    desk.kill(Role::App)?;
    drop(window);
    // Push, viewer page and checkout go on without a gap.
    plays(&phone).await?;
    phone.click("[data-testid=buy-pinned]", LIMIT).await?;
    phone.fill("[data-testid=checkout-name]", "林小满", LIMIT).await?;
    phone.fill("[data-testid=checkout-phone]", "13800000000", LIMIT).await?;
    phone.fill("[data-testid=checkout-address]", "杭州市西湖区龙井路 1 号", LIMIT).await?;
    phone.click("[data-testid=checkout-submit]", LIMIT).await?;
    phone.click("[data-testid=pay]", LIMIT).await?;
    phone.wait_element("[data-testid=order-close]", LIMIT).await?;
    let order = seller.orders()?.into_iter().next().context("no order")?;
    let order_id = order["id"].as_str().context("no id")?.to_owned();
    ensure!(processes::is_alive(engine) && processes::is_alive(shop), "engine and shop live on");
    ensure!(processes::of_role(&desk.data(), Role::App).is_none());

    let again = Browser::window(&desk, &display, &[]).await?;
    again.wait_element(&is("show-state", "state", "live"), LIMIT).await?;
    again.wait_element(&is("order-row", "order", &order_id), LIMIT).await?;
    again.wait_element(&is("strip-now", "number", "1"), LIMIT).await?;
    assert_eq!(desk.process(Role::Engine)?.pid, engine, "the same media process");
    assert_eq!(desk.process(Role::Shop)?.pid, shop, "the same shop");
    assert_eq!(rows(&again, &order_id).await?, 1);
    assert_eq!(desk.query("select id, count(*) n from orders group by id")?, [serde_json::json!({ "id": order_id, "n": 1 })]);
    again.hold(&id("end-show"), HOLD, LIMIT).await?;
    again.wait_element(&is("show-state", "state", "ready"), LIMIT).await?;
    phone.close().await?;
    // Without a show nothing outlives the window. SIGTERM closes it the orderly way; the driver would kill it.
    processes::signal(desk.process(Role::App)?.pid, Signal::TERM);
    let begun = Instant::now();
    while !desk.processes().is_empty() {
        ensure!(begun.elapsed() < LIMIT, "left behind: {:?}", desk.processes());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(again);

    // One connection from beginning to end. Two browsers on two cores cost frames; the frame-exact tests have no window.
    let arrived = ingest.recording("killed")?;
    let tracks = packets::read(&arrived)?;
    tracks.check_live(360, 640, 15)?;
    ensure!(tracks.video.longest_gap_s() < 0.3, "{} s without a picture", tracks.video.longest_gap_s());
    let found = analysis::read(&arrived, Made::at(360, 640).looped(3600))?;
    ensure!(found.unreadable == 0 && found.backwards == 0 && found.wrong_percent() < 10.0 && found.holes.is_empty(), "{found}");
    Ok(())
}
