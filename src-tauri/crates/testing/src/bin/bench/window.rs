//! What the picture in the studio's window costs: window, media process and page side by side.

use crate::pages;
use crate::table::Table;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use stallcast_testing::browser::{Browser, Display};
use stallcast_testing::processes::{self, Role};
use stallcast_testing::program::Desk;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(90);
/// Over which CPU is measured.
const MEASURED: Duration = Duration::from_secs(30);
/// Before it is: the window and its sources settle, and who no longer looks is forgotten after ten seconds.
const SETTLE: Duration = Duration::from_secs(15);
/// The promise is for so many pictures a second; a window takes as many as it can show.
const PICTURES: f64 = 15.0;

/// Counts the pictures that the page asks for, and lets it ask for none while `window.looks` is false.
const COUNT: &str = "(() => { const real = window.fetch; window.asked = 0; window.looks = true; window.fetch = (...all) => { \
    const url = String(all[0] && all[0].url || all[0]); if (!url.startsWith('preview://localhost/frame')) return real(...all); \
    if (!window.looks) return new Promise(() => {}); window.asked += 1; return real(...all); }; return true; })()";

/// CPU seconds so far.
struct Spent {
    app: f64,
    engine: f64,
    /// The processes of the page: WebKit's.
    page: f64,
}

fn spent(desk: &Desk) -> anyhow::Result<Spent> {
    let (app, engine) = (desk.process(Role::App)?.pid, desk.process(Role::Engine)?.pid);
    let shop = desk.process(Role::Shop).map_or(0, |shop| shop.pid);
    let page = desk.processes().iter().filter(|p| ![app, engine, shop].contains(&p.pid)).map(|p| processes::cpu_s(p.pid)).sum();
    Ok(Spent { app: processes::cpu_s(app), engine: processes::cpu_s(engine), page })
}

/// For each second of the next half minute, with the pictures that were asked for.
async fn over(desk: &Desk, window: &Browser) -> anyhow::Result<(Spent, f64)> {
    let asked = async || window.value("window.asked").await?.as_f64().context("no count");
    let (before, first, begun) = (spent(desk)?, asked().await?, Instant::now());
    tokio::time::sleep(MEASURED).await;
    let (after, last, seconds) = (spent(desk)?, asked().await?, begun.elapsed().as_secs_f64());
    let each = |of: fn(&Spent) -> f64| (of(&after) - of(&before)) / seconds;
    Ok((Spent { app: each(|s| s.app), engine: each(|s| s.engine), page: each(|s| s.page) }, (last - first) / seconds))
}

async fn measure(table: &mut Table) -> anyhow::Result<()> {
    let mut desk = pages::desk(&json!({
        "camera": { "kind": "demo" }, "mic": { "kind": "demo" }, "canvas": { "width": 720, "height": 1280, "fps": 30 },
        "video_kbps": 2500, "audio_kbps": 128, "low_latency": false, "language": "en",
    }))?;
    // What the program itself takes where there is no GPU (`renderer`), but not under WebDriver, for its screenshots: here are none.
    desk.set("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
    let display = Display::start(1440, 900)?;
    let window = Browser::window(&desk, &display, &[]).await?;
    window.wait_element("[data-testid=show-state][data-state=ready]", LIMIT).await?;
    ensure!(window.value(COUNT).await? == Value::Bool(true));
    window.wait_value("picture", "window.asked > 30", LIMIT).await?;
    tokio::time::sleep(SETTLE).await;
    let (looking, pictures) = over(&desk, &window).await?;
    window.client().execute("window.looks = false", vec![]).await?;
    tokio::time::sleep(SETTLE).await;
    let (not, none) = over(&desk, &window).await?;
    window.close().await?;
    ensure!(none == 0.0 && pictures > 1.0, "{pictures} pictures a second, then {none}");

    let at = |of: fn(&Spent) -> f64| vec![(of(&looking) - of(&not)) * PICTURES / pictures];
    table.promise("preview in the window, as at 15 a second: media process + app", "s/s", (100.0, 0.05), at(|s| s.engine + s.app));
    table.report("the same: the media process", "s/s", at(|s| s.engine));
    table.report("the same: the app", "s/s", at(|s| s.app));
    table.report("the same: the page's own processes (WebKit, drawn without a GPU)", "s/s", at(|s| s.page));
    table.report("previews a second that the window takes", "", vec![pictures]);
    table.command("window", "stallcast (window of 1440x900, WebKitWebDriver, Xvfb; demo, 720x1280, 30), with its picture and without");
    Ok(())
}

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(table))
}
