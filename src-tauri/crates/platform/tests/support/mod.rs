//! A real shop in this process, and a buyer.

use secrecy::SecretString;
use serde_json::{Value, json};
use stallcast_clock::{Clock, SystemClock};
use stallcast_platform::local::LocalShop;
use stallcast_shop::{RunningShop, ShopOptions};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

pub async fn start(data: &Path, listen: SocketAddr, clock: Arc<dyn Clock>) -> RunningShop {
    stallcast_shop::start(ShopOptions { data: data.to_owned(), listen }, clock).await.expect("shop")
}

pub async fn start_anywhere(data: &Path) -> RunningShop {
    start(data, SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(SystemClock)).await
}

pub fn adapter(shop: &RunningShop) -> LocalShop {
    LocalShop::new(shop.url(), SecretString::from(shop.token().to_owned()), Arc::new(SystemClock)).expect("adapter")
}

/// Buys one piece of the `n`-th product that is not sold out and pays it. Returns the order.
pub async fn buy(url: &str, n: usize, key: &str) -> Value {
    let http = reqwest::Client::new();
    let products: Value = http.get(format!("{url}/api/products")).send().await.expect("ask").json().await.expect("json");
    let skus = products["products"].as_array().expect("products").iter().map(|p| &p["skus"][0]);
    let sku = skus.filter(|s| s["stock"].as_i64() > Some(0)).nth(n).expect("something to buy")["id"].as_str().expect("sku");
    let order: Value = http
        .post(format!("{url}/api/orders"))
        .header("X-Viewer", "viewer-1234")
        .header("Idempotency-Key", key)
        .json(&json!({ "lines": [{ "skuId": sku, "quantity": 1 }],
            "buyer": { "name": "林小姐", "phone": "13800138000", "address": "杭州市西湖区 1 号" } }))
        .send()
        .await
        .expect("ask")
        .json()
        .await
        .expect("json");
    let id = order["id"].as_str().unwrap_or_else(|| panic!("no order: {order}"));
    let paid = http.post(format!("{url}/api/orders/{id}/pay")).header("X-Viewer", "viewer-1234").json(&json!({ "provider": "dummy" }));
    paid.send().await.expect("ask").json().await.expect("json")
}
