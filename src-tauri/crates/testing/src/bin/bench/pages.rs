//! What a host and a viewer wait for: window and phone side by side.

use crate::table::Table;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use stallcast_testing::browser::{Browser, Display};
use stallcast_testing::clip::Clip;
use stallcast_testing::program::Desk;
use stallcast_testing::shop::Seller;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(90);
const PINS: usize = 10;
const ORDERS: usize = 6;
/// Seconds over which the viewer's delay is read.
const WATCH: Duration = Duration::from_secs(20);

/// Remembers when each button of the page was pressed, by its name.
const PRESSES: &str = "window.presses = {}; document.addEventListener('click', (e) => { \
    const name = e.target.closest && e.target.closest('[data-testid]'); \
    if (name) window.presses[name.dataset.testid] = Date.now(); }, true)";

/// Remembers when each product became the pinned one.
const PINNED: &str = "(() => { window.pinned = {}; const look = () => { const p = document.querySelector('[data-testid=pinned]'); \
    const n = p && p.dataset.number; if (n && window.last !== n) window.pinned[n] = Date.now(); window.last = n; }; \
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true }); look(); return true; })()";

/// Remembers when each order's row came.
const ROWS: &str = "(() => { window.rows = {}; const look = () => { for (const r of document.querySelectorAll('[data-testid=order-row]')) \
    if (!(r.dataset.order in window.rows)) window.rows[r.dataset.order] = Date.now(); }; \
    look(); new MutationObserver(look).observe(document.body, { subtree: true, childList: true }); return true; })()";

/// Remembers when colour came into the place of the product's picture in the video: the marker is grey, the card is not.
const CARD: &str = "(() => { window.cards = []; const c = document.createElement('canvas'); c.width = 36; c.height = 64; \
    const x = c.getContext('2d', { willReadFrequently: true }); let on = null; \
    const look = () => { const v = document.querySelector('[data-testid=video]'); if (v && v.videoWidth) { x.drawImage(v, 0, 0, 36, 64); \
      const d = x.getImageData(4, 47, 7, 7).data; let s = 0; for (let i = 0; i < d.length; i += 4) \
        s += Math.max(d[i], d[i+1], d[i+2]) - Math.min(d[i], d[i+1], d[i+2]); \
      const now = s / (d.length / 4) > 12; if (on === false && now) window.cards.push(Date.now()); on = now; } }; \
    setInterval(look, 20); return true; })()";

fn id(name: &str) -> String {
    format!("[data-testid=\"{name}\"]")
}

/// A desk whose window opens with this configuration.
pub(crate) fn desk(configuration: &Value) -> anyhow::Result<Desk> {
    let desk = Desk::new()?;
    let ran = desk.run(&["live", "--json", "--shop", "--canvas", "160x160", "--fps", "5", "--for", "1s"])?;
    ensure!(ran.status == Some(0), "{ran:?}");
    let settings = json!({ "language": "en", "configuration": configuration });
    let sql = format!("insert or replace into setting (name, value) values ('studio', '{settings}')");
    ensure!(Command::new("sqlite3").arg(desk.data().join("stallcast.db")).arg(sql).status()?.success());
    Ok(desk)
}

/// How late a picture is that is not there, ms.
const NOTHING_MS: f64 = 60_000.0;

async fn number(page: &Browser, expression: &str) -> anyhow::Result<f64> {
    page.value(expression).await?.as_f64().with_context(|| format!("{expression} is no number"))
}

/// Pins a product in the window and waits until the phone says so; ms from the press.
async fn pin(window: &Browser, phone: &Browser, n: u32) -> anyhow::Result<f64> {
    phone.value(&format!("delete window.pinned['{n}']")).await?;
    window.click(&id(&format!("explain-{n}")), LIMIT).await?;
    phone.wait_value("pin", &format!("window.pinned['{n}']"), LIMIT).await?;
    Ok(number(phone, &format!("window.pinned['{n}']")).await? - number(window, &format!("window.presses['explain-{n}']")).await?)
}

async fn order(window: &Browser, phone: &Browser, seller: &Seller) -> anyhow::Result<f64> {
    let known = seller.orders()?.len();
    phone.click(&id("buy-pinned"), LIMIT).await?;
    for (field, text) in [("name", "Ada"), ("phone", "13800000000"), ("address", "1 Longjing Road, Hangzhou")] {
        phone.fill(&id(&format!("checkout-{field}")), text, LIMIT).await?;
    }
    phone.click(&id("checkout-submit"), LIMIT).await?;
    phone.click(&id("pay"), LIMIT).await?;
    phone.click(&id("order-close"), LIMIT).await?;
    let orders = seller.orders()?;
    ensure!(orders.len() == known + 1, "{} orders", orders.len());
    let newest = orders.iter().max_by_key(|o| o["placedAtMs"].as_i64()).and_then(|o| o["id"].as_str()).context("no order")?;
    window.wait_value("row", &format!("window.rows['{newest}']"), LIMIT).await?;
    Ok(number(window, &format!("window.rows['{newest}']")).await? - number(phone, "window.presses['checkout-submit']").await?)
}

async fn measure(table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clip = folder.path().join("clip.mp4");
    Clip::new(360, 640, 15, 60).write(&clip)?;
    let source = json!({ "kind": "file", "path": clip });
    let desk = desk(&json!({
        "camera": source, "mic": source, "canvas": { "width": 360, "height": 640, "fps": 15 },
        "video_kbps": 800, "audio_kbps": 96, "low_latency": false, "language": "en",
    }))?;
    let display = Display::start(1440, 900)?;
    let window = Browser::window(&desk, &display, &[]).await?;
    window.wait_element("[data-testid=show-state][data-state=ready]", LIMIT).await?;
    window.hold(&id("go-live"), Duration::from_millis(1400), LIMIT).await?;
    window.wait_element("[data-testid=show-state][data-state=live]", LIMIT).await?;
    let status = desk.run(&["status", "--json"])?.json()?;
    let seller = Seller::new(status["shop"]["url"].as_str().context("no shop")?, &desk.data().join("shop.token"))?;
    let phone = Browser::phone("en").await?;
    phone.open(&format!("{}/", seller.url())).await?;
    phone.wait_value("picture", "document.querySelector('[data-testid=video]').currentTime > 2", LIMIT).await?;
    for (page, script) in [(&window, PRESSES), (&phone, PRESSES)] {
        page.client().execute(script, vec![]).await?;
    }
    for (page, script) in [(&phone, PINNED), (&phone, CARD), (&window, ROWS)] {
        ensure!(page.value(script).await? == Value::Bool(true));
    }

    let mut pins = vec![];
    for n in 0..PINS {
        pins.push(pin(&window, &phone, [1, 3, 4, 5][n % 4]).await?);
    }
    // The picture lags behind: a card that comes after none is timed in the pixels of the phone.
    let mut seen = vec![];
    for _ in 0..PINS / 2 {
        window.click(&id("unpin"), LIMIT).await?;
        tokio::time::sleep(Duration::from_secs(12)).await;
        phone.value("window.cards = []").await?;
        pin(&window, &phone, 3).await?;
        phone.wait_value("card", "window.cards.length", LIMIT).await?;
        seen.push(number(&phone, "window.cards[0]").await? - number(&window, "window.presses['explain-3']").await?);
    }
    let mut behind = vec![];
    let end = tokio::time::Instant::now() + WATCH;
    while tokio::time::Instant::now() < end {
        let said = phone.value("Date.now() - Number(document.querySelector('[data-testid=video]').dataset.pictureMs || NaN)").await?;
        // A page that shows nothing is as late as can be.
        behind.push(said.as_f64().unwrap_or(NOTHING_MS));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut orders = vec![];
    for _ in 0..ORDERS {
        orders.push(order(&window, &phone, &seller).await?);
    }
    window.hold(&id("end-show"), Duration::from_millis(1400), LIMIT).await?;
    window.wait_element("[data-testid=show-state][data-state=ready]", LIMIT).await?;
    phone.close().await?;
    window.close().await?;

    table.promise("pin pressed → viewer page", "ms", (100.0, 1000.0), pins);
    table.promise("buyer's click → row in the panel", "ms", (100.0, 2000.0), orders);
    table.promise("viewer delay, as the picture is dated", "ms", (95.0, 4000.0), behind);
    table.promise("pin pressed → card in the viewer's picture", "ms", (95.0, 8000.0), seen);
    table.command(
        "pages",
        "stallcast (window, WebKitWebDriver, Xvfb; 360x640 at 15 fps, settings in its database), Chromium on the viewer page",
    );
    Ok(())
}

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(table))
}
