//! Pages in a real browser: headless Chromium for the viewer page, WebKitGTK under Xvfb for the studio's window. Both
//! are driven over WebDriver.

use crate::ports;
use crate::processes;
use crate::program::{self, Desk};
use anyhow::{Context as _, bail, ensure};
use fantoccini::actions::{InputSource as _, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Hang guard of the start of a browser.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often a page is asked whether it got there.
const ASK: Duration = Duration::from_millis(25);

/// An X display of its own. It ends when dropped.
#[derive(Debug)]
pub struct Display {
    xvfb: Child,
    name: String,
}

impl Display {
    /// Starts Xvfb on any free number.
    ///
    /// # Errors
    /// Xvfb is missing or does not start.
    pub fn start(width: u32, height: u32) -> anyhow::Result<Self> {
        let mut xvfb = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", &format!("{width}x{height}x24"), "-nolisten", "tcp"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("Xvfb does not start: is it installed?")?;
        let mut number = String::new();
        BufReader::new(xvfb.stdout.take().context("no output")?).read_line(&mut number)?;
        if number.trim().is_empty() {
            let _ = xvfb.kill();
            bail!("Xvfb ended with {}", xvfb.wait()?);
        }
        Ok(Self { xvfb, name: format!(":{}", number.trim()) })
    }

    /// `:N`
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.xvfb.kill();
        let _ = self.xvfb.wait();
    }
}

/// A WebDriver server; what it started ends with it.
#[derive(Debug)]
struct Driver(Child);

impl Driver {
    fn start(command: &mut Command, port: u16) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut driver = Self(command.spawn().with_context(|| format!("{command:?}"))?);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = driver.0.try_wait()? {
                bail!("{command:?} ended with {status}");
            }
            ensure!(begun.elapsed() < START_LIMIT, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(driver)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Its wrapper and its browser are children: found before it is gone.
        let mut tree = vec![self.0.id()];
        let all = processes::all();
        loop {
            let more: Vec<u32> = all.iter().filter(|p| tree.contains(&p.parent) && !tree.contains(&p.pid)).map(|p| p.pid).collect();
            if more.is_empty() {
                break;
            }
            tree.extend(more);
        }
        for pid in tree {
            processes::kill(pid);
        }
        let _ = self.0.wait();
    }
}

/// A page under control.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    _driver: Driver,
    _profile: Option<TempDir>,
}

impl Browser {
    /// Headless Chromium with an empty profile, the size of a phone.
    ///
    /// # Errors
    /// Browser or driver is missing or does not start.
    pub async fn phone(language: &str) -> anyhow::Result<Self> {
        let profile = tempfile::tempdir()?;
        let port = ports::free();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).env("HOME", profile.path());
        let driver = Driver::start(&mut command, port)?;
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--mute-audio",
            "--autoplay-policy=no-user-gesture-required",
            "--window-size=412,915",
        ];
        let mut all: Vec<String> = args.map(str::to_owned).to_vec();
        all.push(format!("--lang={language}"));
        all.push(format!("--user-data-dir={}", profile.path().join("profile").display()));
        let mut options = json!({ "args": all, "prefs": { "intl.accept_languages": language } });
        if let Some(binary) = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].into_iter().find(|b| Path::new(b).exists()) {
            options["binary"] = json!(binary);
        }
        let client = connect(port, json!({ "browserName": "chrome", "goog:chromeOptions": options })).await?;
        Ok(Self { client, _driver: driver, _profile: Some(profile) })
    }

    /// The studio's window on this desk and display.
    ///
    /// # Errors
    /// WebKitWebDriver is missing, or the window does not open.
    pub async fn window(desk: &Desk, display: &Display, words: &[&str]) -> anyhow::Result<Self> {
        let port = ports::free();
        let mut command = Command::new("dbus-run-session");
        command.args(["--", "WebKitWebDriver", &format!("--port={port}")]);
        desk.furnish(&mut command);
        // What wry looks for before it lets itself be driven.
        command.env("TAURI_AUTOMATION", "true").env("TAURI_WEBVIEW_AUTOMATION", "true");
        command.env("DISPLAY", display.name()).env("NO_AT_BRIDGE", "1").env("LIBGL_ALWAYS_SOFTWARE", "1").env("GDK_BACKEND", "x11");
        command.env_remove("DBUS_SESSION_BUS_ADDRESS");
        let driver = Driver::start(&mut command, port)?;
        let mut args: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        args.extend(["--data".to_owned(), desk.data().to_string_lossy().into_owned()]);
        let client = connect(port, json!({ "webkitgtk:browserOptions": { "binary": program::binary()?, "args": args } })).await?;
        Ok(Self { client, _driver: driver, _profile: None })
    }

    /// For what has no shorter word here.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Opens an address.
    ///
    /// # Errors
    /// It does not load.
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        Ok(self.client.goto(url).await?)
    }

    /// The value of an expression in the page.
    ///
    /// # Errors
    /// It throws.
    pub async fn value(&self, expression: &str) -> anyhow::Result<Value> {
        self.client.execute(&format!("return ({expression});"), vec![]).await.with_context(|| expression.to_owned())
    }

    /// Waits until an expression is true (in the sense of the language), and its value.
    ///
    /// # Errors
    /// The limit is over.
    pub async fn wait_value(&self, what: &str, expression: &str, limit: Duration) -> anyhow::Result<Value> {
        let begun = Instant::now();
        loop {
            let value = self.value(expression).await;
            let is_true = value.as_ref().is_ok_and(|v| !matches!(v, Value::Null | Value::Bool(false)) && *v != json!(0) && *v != json!(""));
            if is_true {
                return value;
            }
            if begun.elapsed() > limit {
                let text = self.value("document.body ? document.body.innerText.slice(0, 2000) : ''").await.unwrap_or_default();
                bail!("no {what} after {limit:?}: {expression} is {value:?}\nthe page says: {}", text.as_str().unwrap_or_default());
            }
            tokio::time::sleep(ASK).await;
        }
    }

    /// Waits until elements that match this selector are there, and what the first says.
    ///
    /// # Errors
    /// The limit is over.
    pub async fn wait_text(&self, selector: &str, limit: Duration) -> anyhow::Result<String> {
        let found = format!("document.querySelector({0}) && (document.querySelector({0}).innerText || ' ')", json!(selector));
        let text = self.wait_value(selector, &found, limit).await?;
        Ok(text.as_str().unwrap_or_default().trim().to_owned())
    }

    /// Waits for an element that can be seen.
    ///
    /// # Errors
    /// The limit is over.
    pub async fn wait_element(&self, selector: &str, limit: Duration) -> anyhow::Result<Element> {
        let seen = format!("!!(document.querySelector({0}) && document.querySelector({0}).getClientRects().length)", json!(selector));
        self.wait_value(selector, &seen, limit).await?;
        Ok(self.client.find(Locator::Css(selector)).await?)
    }

    /// Clicks an element once it can be seen and is not disabled.
    ///
    /// # Errors
    /// The limit is over, or something covers it.
    pub async fn click(&self, selector: &str, limit: Duration) -> anyhow::Result<()> {
        let enabled = format!("!!(document.querySelector({0}) && !document.querySelector({0}).disabled)", json!(selector));
        self.wait_value(&format!("enabled {selector}"), &enabled, limit).await?;
        self.wait_element(selector, limit).await?.click().await.with_context(|| selector.to_owned())
    }

    /// Types into a field, replacing what is there.
    ///
    /// # Errors
    /// There is no such field.
    pub async fn fill(&self, selector: &str, text: &str, limit: Duration) -> anyhow::Result<()> {
        let field = self.wait_element(selector, limit).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// Presses the mouse on an element and holds it for this long.
    ///
    /// # Errors
    /// There is no such element.
    pub async fn hold(&self, selector: &str, time: Duration, limit: Duration) -> anyhow::Result<()> {
        let element = self.wait_element(selector, limit).await?;
        let move_there = PointerAction::MoveToElement { element, duration: Some(Duration::from_millis(20)), x: 0.0, y: 0.0 };
        let actions = MouseActions::new("mouse".to_owned())
            .then(move_there)
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(PointerAction::Pause { duration: time })
            .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        Ok(self.client.perform_actions(actions).await?)
    }

    /// A picture of the page, painted to the end.
    ///
    /// # Errors
    /// The driver gives none.
    pub async fn screenshot(&self, to: &Path) -> anyhow::Result<PathBuf> {
        // What is asked for right after a change may show the state before it.
        let painted = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(true)));";
        self.client.execute_async(painted, vec![]).await?;
        std::fs::write(to, self.client.screenshot().await?)?;
        Ok(to.to_owned())
    }

    /// Closes the page the orderly way.
    ///
    /// # Errors
    /// The driver refuses.
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.client.clone().close().await?)
    }
}

async fn connect(port: u16, capabilities: Value) -> anyhow::Result<Client> {
    let capabilities: Capabilities = capabilities.as_object().cloned().context("capabilities")?;
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    let url = format!("http://127.0.0.1:{port}");
    match tokio::time::timeout(START_LIMIT, builder.connect(&url)).await {
        Ok(client) => Ok(client?),
        Err(_) => bail!("the browser does not start"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_is_filled_clicked_held_and_photographed() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let page = folder.path().join("page.html");
        let html = "<!doctype html><meta charset=utf-8><input id=a value=old><button id=b disabled>Go</button><p id=out></p><script>\
                    let down = 0; a.oninput = () => { b.disabled = false }; b.onclick = () => { out.innerText = a.value };\
                    b.onpointerdown = () => { down = performance.now() }; b.onpointerup = () => { b.dataset.held = performance.now() - down };\
                    </script>";
        std::fs::write(&page, html)?;
        let limit = Duration::from_secs(20);
        let phone = Browser::phone("zh-CN").await?;
        phone.open(&format!("file://{}", page.display())).await?;
        assert!(phone.click("#b", Duration::from_millis(200)).await.is_err(), "a disabled button is no button");
        phone.fill("#a", "盖碗", limit).await?;
        phone.click("#b", limit).await?;
        assert_eq!(phone.wait_text("#out", limit).await?, "盖碗");
        phone.hold("#b", Duration::from_millis(400), limit).await?;
        let held = phone.wait_value("hold", "Number(b.dataset.held)", limit).await?;
        assert!(held.as_f64().is_some_and(|ms| ms > 350.0), "{held}");
        assert_eq!(phone.value("navigator.language").await?, "zh-CN");
        let late = phone.wait_value("never", "window.never", Duration::from_millis(200)).await;
        assert!(late.expect_err("it never comes").to_string().contains("盖碗"), "the failure shows the page");
        let picture = std::fs::read(phone.screenshot(&folder.path().join("a.png")).await?)?;
        assert!(picture.starts_with(b"\x89PNG"));
        let h264 = phone.value("MediaSource.isTypeSupported('video/mp4; codecs=\"avc1.640020,mp4a.40.2\"')").await?;
        assert_eq!(h264, true, "without H.264 the viewer page cannot be tested");
        phone.close().await
    }

    #[test]
    fn a_display_has_a_number_and_ends() -> anyhow::Result<()> {
        let display = Display::start(640, 480)?;
        let socket = PathBuf::from(format!("/tmp/.X11-unix/X{}", display.name().trim_start_matches(':')));
        assert!(socket.exists(), "{}", socket.display());
        drop(display);
        assert!(std::os::unix::net::UnixStream::connect(&socket).is_err());
        Ok(())
    }
}
