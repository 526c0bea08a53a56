//! A store in a folder of its own, and waiting for events.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod door;
pub mod fake;
mod plain_sealer;

use plain_sealer::PlainSealer;
use serde_json::{Value, json};
use stallcast_clock::SystemClock;
use stallcast_model::{Capabilities, ConnectionId, Currency};
use stallcast_platform::Platform;
use stallcast_store::{Connection, Store, StoreOptions};
use stallcast_sync::{ConnectionSync, Pace, SyncEvent, SyncOptions, Timing};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// A hang guard, not a promise.
pub const LIMIT: Duration = Duration::from_secs(60);

pub fn local() -> ConnectionId {
    ConnectionId::new("local")
}

pub async fn open(data: &Path) -> Store {
    let options = StoreOptions { path: data.join("stallcast.db"), sealer: Arc::new(PlainSealer), clock: Arc::new(SystemClock) };
    let store = Store::open(options).await.expect("store");
    connect(&store, &local(), "店").await;
    store
}

/// Makes a connection known to the store.
pub async fn connect(store: &Store, id: &ConnectionId, name: &str) {
    let capabilities = Capabilities::native();
    let connection =
        Connection { id: id.clone(), kind: "local".to_owned(), name: name.to_owned(), capabilities, currency: Some(Currency::Cny) };
    store.put_connection(&connection).await.expect("connection");
}

/// Times that let a test see many rounds.
pub fn quick() -> Timing {
    Timing {
        live: Duration::from_millis(10),
        idle: Duration::from_millis(10),
        reconcile: Duration::from_millis(60),
        retry_first: Duration::from_millis(2),
        retry_most: Duration::from_millis(20),
        try_first: Duration::from_millis(5),
        try_most: Duration::from_millis(50),
        lease: Duration::from_secs(30),
        finish: Duration::from_millis(500),
    }
}

pub fn start(store: &Store, platform: Arc<dyn Platform>, timing: Timing) -> (ConnectionSync, Receiver<SyncEvent>) {
    start_as(store, platform, timing, local())
}

pub fn start_as(
    store: &Store,
    platform: Arc<dyn Platform>,
    timing: Timing,
    connection: ConnectionId,
) -> (ConnectionSync, Receiver<SyncEvent>) {
    ConnectionSync::start(SyncOptions {
        store: store.clone(),
        platform,
        connection,
        clock: Arc::new(SystemClock),
        pace: Pace::Idle,
        timing,
    })
}

/// Waits until `holds`, looking again after each event.
pub async fn until<F: Future<Output = bool>>(events: &mut Receiver<SyncEvent>, what: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            match events.recv().await {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => panic!("the workers are gone, and still not: {what}"),
            }
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "never happened: {what}");
}

/// Buys one piece of something that a shop has and pays it; the order's id.
pub async fn buy_something(url: &str, key: &str) -> String {
    let products: Value = reqwest::get(format!("{url}/api/products")).await.expect("ask").json().await.expect("json");
    let skus = products["products"].as_array().expect("products").iter().map(|p| &p["skus"][0]);
    let sku = skus.filter(|s| s["stock"].as_i64() > Some(3)).find_map(|s| s["id"].as_str()).expect("something to buy");
    buy(url, sku, key).await.expect("bought")
}

/// Buys one piece and pays it; the order's id. `None` while the shop is away.
pub async fn buy(url: &str, sku: &str, key: &str) -> Option<String> {
    let http = reqwest::Client::new();
    let order = http
        .post(format!("{url}/api/orders"))
        .header("X-Viewer", "viewer-1234")
        .header("Idempotency-Key", key)
        .json(&json!({ "lines": [{ "skuId": sku, "quantity": 1 }], "buyer": { "name": "林小姐", "phone": "13800138000", "address": "杭州" } }))
        .send()
        .await
        .ok()?;
    let order: Value = order.json().await.ok()?;
    let id = order["id"].as_str()?.to_owned();
    let pay = http.post(format!("{url}/api/orders/{id}/pay")).header("X-Viewer", "viewer-1234").json(&json!({ "provider": "dummy" }));
    pay.send().await.ok()?;
    Some(id)
}
