//! A shop in this process and whoever asks it over real HTTP.

#![allow(dead_code, reason = "each test file uses its part")]

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use stallcast_clock::{Clock, SystemClock};
use stallcast_shop::{RunningShop, ShopOptions};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The shop and its folder.
pub struct Fixture {
    pub shop: RunningShop,
    client: Client,
    _data: TempDir,
}

impl Fixture {
    pub async fn open() -> Self {
        Self::open_at(Arc::new(SystemClock)).await
    }

    pub async fn open_at(clock: Arc<dyn Clock>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let options = ShopOptions { data: data.path().to_owned(), listen: "127.0.0.1:0".parse().unwrap() };
        let shop = stallcast_shop::start(options, clock).await.unwrap();
        Self { shop, client: Client::new(), _data: data }
    }

    pub fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.shop.url())).timeout(Duration::from_secs(20))
    }

    /// Pieces of a SKU that viewers may buy.
    pub async fn stock(&self, sku: &str) -> i64 {
        let body: Value = self.ask(Method::GET, "/api/products").send().await.unwrap().json().await.unwrap();
        let products = body["products"].as_array().unwrap();
        let sku = products.iter().flat_map(|p| p["skus"].as_array().unwrap()).find(|s| s["id"] == sku).unwrap();
        sku["stock"].as_i64().unwrap()
    }
}
