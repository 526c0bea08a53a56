//! A studio over a real shop, both in this process, and a buyer.

#![allow(dead_code, reason = "each test file uses its part")]

use serde_json::{Value, json};
use stallcast_clock::{Clock, SystemClock};
use stallcast_engine::Engine;
use stallcast_engine::protocol::{CameraChoice, Configuration, EncoderChoice, MicChoice};
use stallcast_media::Canvas;
use stallcast_shop::{RunningShop, ShopOptions};
use stallcast_store::{SealError, Sealer, Store, StoreOptions};
use stallcast_studio::view::StudioView;
use stallcast_studio::{EngineMode, ShopMode, Studio, StudioOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;

/// A hang guard, not a promise.
pub const LIMIT: Duration = Duration::from_secs(60);

pub fn now_ms() -> i64 {
    SystemClock.utc_ms()
}

pub async fn shop_at(data: &Path, listen: SocketAddr) -> RunningShop {
    // The port of a shop that just ended can stay taken for a moment.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match stallcast_shop::start(ShopOptions { data: data.to_owned(), listen }, Arc::new(SystemClock)).await {
            Ok(shop) => return shop,
            Err(e) if Instant::now() > deadline => panic!("no shop: {e}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

pub async fn shop(data: &Path) -> RunningShop {
    shop_at(data, SocketAddr::from(([127, 0, 0, 1], 0))).await
}

/// The command line, which cargo builds beside the tests.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let folder = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let program = folder.join("examples").join(format!("stallcast_cli{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is missing: `cargo build -p stallcast-studio --examples`", program.display());
    program
}

/// Small and slow: these tests are about selling.
pub fn small_demo() -> Configuration {
    Configuration {
        camera: CameraChoice::Demo,
        mic: MicChoice::Demo,
        canvas: Canvas { width: 180, height: 320, fps: 10 },
        video_kbps: 200,
        audio_kbps: 64,
        low_latency: false,
        encoder: EncoderChoice::Auto,
        language: "zh-CN".to_owned(),
    }
}

/// The media process's code in this one.
pub fn in_process() -> EngineMode {
    EngineMode::Given(|data| Box::pin(async move { Engine::in_process(&data).await }))
}

pub fn options(data: &Path, shop: &RunningShop) -> StudioOptions {
    let mut options = StudioOptions::new(data.to_owned(), std::env::current_exe().expect("this test has a path"));
    options.shop = ShopMode::At { url: shop.url().to_owned() };
    options.engine = in_process();
    options.configuration = Some(small_demo());
    options
}

pub async fn open(options: StudioOptions) -> Studio {
    let studio = Studio::open(options).await.expect("the folder is free");
    tokio::time::timeout(LIMIT, studio.ready()).await.expect("in time").expect("everything stands");
    studio
}

/// Waits until the studio shows what is wanted.
pub async fn until(studio: &Studio, what: &str, holds: impl Fn(&StudioView) -> bool) -> StudioView {
    let mut events = studio.events();
    let waiting = async {
        loop {
            let view = studio.snapshot().await;
            if holds(&view) {
                return view;
            }
            match events.recv().await {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => panic!("the studio is gone, and still not: {what}"),
            }
        }
    };
    let found = tokio::time::timeout(LIMIT, waiting).await;
    match found {
        Ok(view) => view,
        Err(_) => panic!("never happened: {what}\n{:#?}", studio.snapshot().await),
    }
}

async fn ask(request: reqwest::RequestBuilder) -> Value {
    request.send().await.expect("the shop answers").json().await.expect("JSON")
}

pub async fn room(url: &str) -> Value {
    ask(reqwest::Client::new().get(format!("{url}/api/rooms/main"))).await
}

/// Gives the first product many pieces; returns its SKU.
pub async fn plenty(shop: &RunningShop) -> String {
    let http = reqwest::Client::new();
    let products = ask(http.get(format!("{}/api/products", shop.url()))).await;
    let product = &products["products"][0];
    let patch = http.patch(format!("{}/api/seller/products/{}", shop.url(), product["id"].as_str().expect("id")));
    ask(patch.bearer_auth(shop.token()).json(&json!({ "stock": 1_000 }))).await;
    product["skus"][0]["id"].as_str().expect("sku").to_owned()
}

/// Orders and pays one piece; returns the order's id.
pub async fn buy(url: &str, sku: &str, key: &str) -> String {
    let http = reqwest::Client::new();
    let form = json!({ "lines": [{ "skuId": sku, "quantity": 1 }],
        "buyer": { "name": "林小姐", "phone": "13800138000", "address": "杭州市西湖区" } });
    let order = http.post(format!("{url}/api/orders")).header("X-Viewer", "viewer-1234").header("Idempotency-Key", key).json(&form);
    let order = ask(order).await;
    let id = order["id"].as_str().unwrap_or_else(|| panic!("no order: {order}")).to_owned();
    let pay = http.post(format!("{url}/api/orders/{id}/pay")).header("X-Viewer", "viewer-1234").json(&json!({ "provider": "dummy" }));
    assert_eq!(ask(pay).await["payment"], "paid");
    id
}

/// An order as the seller's side of the shop has it.
pub async fn order(shop: &RunningShop, id: &str) -> Value {
    ask(reqwest::Client::new().get(format!("{}/api/seller/orders/{id}", shop.url())).bearer_auth(shop.token())).await
}

/// What these tests read and write there needs no key.
#[derive(Debug)]
struct NoKey;

impl Sealer for NoKey {
    fn seal(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, SealError> {
        Err(SealError::new("no key"))
    }
    fn open(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, SealError> {
        Err(SealError::new("no key"))
    }
    fn mark(&self, _: &str, _: &str) -> Result<i64, SealError> {
        Err(SealError::new("no key"))
    }
}

/// The database of a folder that no studio has open.
pub async fn store(data: &Path) -> Store {
    let options = StoreOptions { path: data.join("stallcast.db"), sealer: Arc::new(NoKey), clock: Arc::new(SystemClock) };
    Store::open(options).await.expect("the database opens")
}
