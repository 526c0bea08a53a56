//! How fast a shop that is full comes in, and how soon an order that was just placed is here. Prints one line of JSON:
//! `{"orders": N, "seconds": …, "arrival_ms": […]}`. Meant for release builds: `cargo xtask bench sync`.
#![expect(clippy::print_stdout, reason = "a program whose output is read")]

#[path = "soak/server.rs"]
#[expect(dead_code, reason = "an event stream is not served here")]
mod server;

use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use secrecy::SecretString;
use serde_json::{Value, json};
use server::Connection as Wire;
use stallcast_clock::SystemClock;
use stallcast_model::{Capabilities, ConnectionId, Currency};
use stallcast_platform::local::LocalShop;
use stallcast_shop::ShopOptions;
use stallcast_store::{Connection, Resource, SealError, Sealer, Store, StoreOptions};
use stallcast_sync::{ConnectionSync, Pace, SyncEvent, SyncOptions, Timing};
use std::error::Error;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Orders of the first sync.
const ORDERS: i64 = 100_000;
/// Orders whose arrival is timed.
const ARRIVALS: usize = 200;

/// The cipher of the real one, with a key of its own.
struct RealCost(XChaCha20Poly1305);

impl std::fmt::Debug for RealCost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RealCost")
    }
}

impl Sealer for RealCost {
    fn seal(&self, row: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce = XNonce::generate();
        let body = self.0.encrypt(&nonce, Payload { msg: plain, aad: row.as_bytes() }).map_err(|_| SealError::new("seal"))?;
        Ok([nonce.as_slice(), &body].concat())
    }
    fn open(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, SealError> {
        Err(SealError::new("not needed here"))
    }

    fn mark(&self, field: &str, value: &str) -> Result<i64, SealError> {
        Ok(field.bytes().chain(value.bytes()).fold(7, |hash: i64, b| hash.wrapping_mul(31) ^ i64::from(b)))
    }
}

fn order(n: i64, out: &mut String) {
    let (total, days) = (6_800 + n % 900 * 100, n % 30);
    // Writing into a string does not fail.
    let _ = write!(
        out,
        r#"{{"id":"0198a000-0000-7000-8000-{n:012}","number":"{n:08}","version":{n},"buyer":{{"name":"林小姐","phone":"1380013{p:04}","address":"浙江省杭州市西湖区文三路 {p} 号"}},"lines":[{{"productId":"p-1","skuId":"s-1","title":"青瓷盖碗 单只装","quantity":1,"unitPrice":{{"amount":{total},"currency":"CNY"}}}},{{"productId":"p-2","skuId":"s-2","title":"公道杯","quantity":2,"unitPrice":{{"amount":3200,"currency":"CNY"}}}}],"total":{{"amount":{total},"currency":"CNY"}},"discount":{{"amount":0,"currency":"CNY"}},"payment":"paid","fulfilment":"unshipped","afterSale":"none","state":"to_ship","placedAtMs":{at}}}"#,
        p = n % 10_000,
        at = 1_795_000_000_000 + days * 86_400_000 + n,
    );
}

/// A full shop in the local dialect, on threads of its own.
async fn platform(listener: TcpListener) -> Outcome {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut wire = Wire::new(stream);
            while let Some(question) = wire.question().await? {
                let after = question.number("after");
                let body = match question.path.as_str() {
                    "/api/seller/orders" => {
                        let last = (after + question.number("limit")).min(ORDERS);
                        let mut body = String::from(r#"{"orders":["#);
                        for n in after + 1..=last {
                            if n > after + 1 {
                                body.push(',');
                            }
                            order(n, &mut body);
                        }
                        let _ = write!(
                            body,
                            r#"],"nextAfter":{},"more":{},"upToMs":1800000000000,"feed":"f"}}"#,
                            last.max(after),
                            last < ORDERS
                        );
                        body
                    }
                    "/api/seller/products" => r#"{"products":[],"nextAfter":0,"more":false,"upToMs":1800000000000,"feed":"f"}"#.to_owned(),
                    _ => {
                        wire.answer(404, "", b"{}", None).await?;
                        continue;
                    }
                };
                wire.answer(200, "Content-Type: application/json\r\n", body.as_bytes(), None).await?;
            }
            Outcome::Ok(())
        });
    }
}

fn shop_id() -> ConnectionId {
    ConnectionId::new("local")
}

async fn open(data: &Path) -> Outcome<Store> {
    let key = XChaCha20Poly1305::new(&Key::generate());
    let options = StoreOptions { path: data.join("stallcast.db"), sealer: Arc::new(RealCost(key)), clock: Arc::new(SystemClock) };
    let store = Store::open(options).await?;
    let capabilities = Capabilities::native();
    let connection =
        Connection { id: shop_id(), kind: "local".to_owned(), name: "店".to_owned(), capabilities, currency: Some(Currency::Cny) };
    store.put_connection(&connection).await?;
    Ok(store)
}

fn follow(store: &Store, url: &str, token: &str) -> Outcome<(ConnectionSync, Receiver<SyncEvent>)> {
    let adapter = LocalShop::new(url, SecretString::from(token.to_owned()), Arc::new(SystemClock))?;
    Ok(ConnectionSync::start(SyncOptions {
        store: store.clone(),
        platform: Arc::new(adapter),
        connection: shop_id(),
        clock: Arc::new(SystemClock),
        pace: Pace::Live,
        timing: Timing::default(),
    }))
}

async fn first_sync() -> Outcome<f64> {
    let dir = tempfile::tempdir()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { platform(TcpListener::from_std(listener)?).await })
    });
    let store = open(dir.path()).await?;
    let begun = Instant::now();
    let (sync, _) = follow(&store, &url, "t")?;
    sync.first_read().await;
    let took = begun.elapsed();
    let seal = store.seal(&shop_id(), Resource::Orders).await?.and_then(|s| s.complete_up_to_ms);
    let total = store.order_counts().await?.total;
    if i64::from(total) != ORDERS || seal.is_none() {
        return Err(format!("{total} orders, sealed: {seal:?}").into());
    }
    sync.stop().await;
    store.close().await;
    Ok(took.as_secs_f64())
}

/// Milliseconds from the shop's answer to the buyer until the order is a row that was told, per order.
async fn arrivals() -> Outcome<Vec<f64>> {
    let dir = tempfile::tempdir()?;
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let shop = stallcast_shop::start(ShopOptions { data: dir.path().to_owned(), listen }, Arc::new(SystemClock)).await?;
    let http = reqwest::Client::new();
    let products: Value = http.get(format!("{}/api/products", shop.url())).send().await?.json().await?;
    let (id, sku) = (products["products"][0]["id"].as_str().ok_or("no product")?, &products["products"][0]["skus"][0]["id"]);
    let plenty = http.patch(format!("{}/api/seller/products/{id}", shop.url())).bearer_auth(shop.token()).json(&json!({ "stock": 10_000 }));
    plenty.send().await?.error_for_status()?;
    let store = open(dir.path()).await?;
    let (sync, mut events) = follow(&store, shop.url(), shop.token())?;
    sync.first_read().await;
    // The stream is open once an order came quicker than a poll would bring it.
    let mut figures = Vec::new();
    for n in 0..=ARRIVALS {
        let buyer = json!({ "name": "林小姐", "phone": "13800138000", "address": "杭州" });
        let order = http.post(format!("{}/api/orders", shop.url())).header("X-Viewer", format!("viewer-{n:04}"));
        let order = order
            .header("Idempotency-Key", format!("key-{n}"))
            .json(&json!({ "lines": [{ "skuId": sku, "quantity": 1 }], "buyer": buyer }));
        let asked = Instant::now();
        let order: Value = order.send().await?.json().await?;
        let id = order["id"].as_str().ok_or_else(|| format!("no order: {order}"))?.to_owned();
        let told = async {
            loop {
                match events.recv().await {
                    Ok(SyncEvent::Orders(changes)) if changes.iter().any(|c| c.id.as_str() == id) => return Outcome::Ok(()),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Err("the workers are gone".into()),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), told).await.map_err(|_| "an order never came")??;
        if n > 0 {
            // From the buyer's press: the whole way.
            figures.push(asked.elapsed().as_secs_f64() * 1_000.0);
        }
        // Not in step with anything.
        tokio::time::sleep(Duration::from_millis(7 + (n as u64 * 13) % 40)).await;
    }
    sync.stop().await;
    store.close().await;
    shop.stop().await;
    Ok(figures)
}

fn main() -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (seconds, arrival_ms) = runtime.block_on(async { Outcome::Ok((first_sync().await?, arrivals().await?)) })?;
    println!("{}", json!({ "orders": ORDERS, "seconds": seconds, "arrival_ms": arrival_ms }));
    Ok(())
}
