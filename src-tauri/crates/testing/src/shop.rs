//! Seller and buyers of the local shop, over its HTTP API.

use crate::http::{self, Answer};
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// The seller.
#[derive(Debug, Clone)]
pub struct Seller {
    url: String,
    token: String,
}

impl Seller {
    /// Reads the token from its file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(url: &str, token_file: &Path) -> anyhow::Result<Self> {
        let token = std::fs::read_to_string(token_file).with_context(|| token_file.display().to_string())?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), token: token.trim().to_owned() })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A request with the token.
    ///
    /// # Errors
    /// No answer.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let key = unique("seller");
        http::request(method, &format!("{}{path}", self.url), &[("Authorization", &bearer), ("Idempotency-Key", &key)], body)
    }

    /// The products, as viewers see them.
    ///
    /// # Errors
    /// No answer.
    pub fn products(&self) -> anyhow::Result<Vec<Value>> {
        let products = http::get(&format!("{}/api/products", self.url))?.ok()?;
        products["products"].as_array().cloned().context("no products")
    }

    /// One product by its spoken number.
    ///
    /// # Errors
    /// There is none.
    pub fn product(&self, number: u64) -> anyhow::Result<Value> {
        self.products()?.into_iter().find(|p| p["number"] == number).with_context(|| format!("no product {number}"))
    }

    /// Pieces left of the first SKU of a product.
    ///
    /// # Errors
    /// No answer.
    pub fn stock(&self, number: u64) -> anyhow::Result<i64> {
        self.product(number)?["skus"][0]["stock"].as_i64().context("no stock")
    }

    /// Sets the pieces on hand of a product.
    ///
    /// # Errors
    /// Refused.
    pub fn set_stock(&self, number: u64, pieces: i64) -> anyhow::Result<()> {
        let product = self.product(number)?;
        let id = product["id"].as_str().context("no id")?;
        self.ask("PATCH", &format!("/api/seller/products/{id}"), Some(&json!({ "stock": pieces })))?.ok()?;
        Ok(())
    }

    /// The room: live, pin, coupons.
    ///
    /// # Errors
    /// No answer.
    pub fn room(&self) -> anyhow::Result<Value> {
        http::get(&format!("{}/api/rooms/main", self.url))?.ok()
    }

    /// All orders, as the feed gives them.
    ///
    /// # Errors
    /// No answer.
    pub fn orders(&self) -> anyhow::Result<Vec<Value>> {
        let feed = self.ask("GET", "/api/seller/orders?limit=500", None)?.ok()?;
        feed["orders"].as_array().cloned().context("no orders")
    }

    /// Waits until the shop answers again.
    ///
    /// # Errors
    /// The limit is over.
    pub fn wait_answers(&self, limit: Duration) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        while http::get(&format!("{}/api/shop", self.url)).and_then(Answer::ok).is_err() {
            ensure!(begun.elapsed() < limit, "the shop does not answer after {limit:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(begun.elapsed())
    }

    /// A buyer with this name.
    #[must_use]
    pub fn buyer(&self, name: &str) -> Buyer {
        self.buyer_at(name, "13800000000", "杭州市西湖区龙井路 1 号")
    }

    /// A buyer with this name, phone number and address.
    #[must_use]
    pub fn buyer_at(&self, name: &str, phone: &str, address: &str) -> Buyer {
        let (name, phone, address) = (name.to_owned(), phone.to_owned(), address.to_owned());
        Buyer { url: self.url.clone(), name, phone, address, viewer: unique("viewer") }
    }
}

/// One viewer who buys.
#[derive(Debug, Clone)]
pub struct Buyer {
    url: String,
    name: String,
    phone: String,
    address: String,
    viewer: String,
}

impl Buyer {
    /// Sends the order for one piece of a product under this idempotency key; does not pay.
    ///
    /// # Errors
    /// No answer.
    pub fn order(&self, product: &Value, key: &str) -> anyhow::Result<Answer> {
        let sku = product["skus"][0]["id"].as_str().context("no SKU")?;
        let form = json!({
            "lines": [{ "skuId": sku, "quantity": 1 }],
            "buyer": { "name": self.name, "phone": self.phone, "address": self.address },
        });
        let headers = [("X-Viewer", self.viewer.as_str()), ("Idempotency-Key", key)];
        http::request("POST", &format!("{}/api/orders", self.url), &headers, Some(&form))
    }

    /// Pays with the provider that takes no money.
    ///
    /// # Errors
    /// Refused.
    pub fn pay(&self, order: &Value) -> anyhow::Result<Value> {
        let id = order["id"].as_str().context("no order")?;
        let headers = [("X-Viewer", self.viewer.as_str())];
        http::request("POST", &format!("{}/api/orders/{id}/pay", self.url), &headers, Some(&json!({ "provider": "dummy" })))?.ok()
    }

    /// Orders one piece and pays it: the order.
    ///
    /// # Errors
    /// Refused.
    pub fn buy(&self, product: &Value) -> anyhow::Result<Value> {
        let order = self.order(product, &unique("key"))?.ok()?;
        self.pay(&order)
    }

    /// Asks for the money of a whole order back, with these words: the order.
    ///
    /// # Errors
    /// Refused.
    pub fn ask_back(&self, order: &Value, reason: &str) -> anyhow::Result<Value> {
        let id = order["id"].as_str().context("no order")?;
        let key = unique("ask");
        let headers = [("X-Viewer", self.viewer.as_str()), ("Idempotency-Key", key.as_str())];
        let form = json!({ "kind": "refund_only", "reason": reason });
        http::request("POST", &format!("{}/api/orders/{id}/after-sales", self.url), &headers, Some(&form))?.ok()
    }

    /// Claims a coupon.
    ///
    /// # Errors
    /// No answer.
    pub fn claim(&self, coupon: &str) -> anyhow::Result<Answer> {
        let headers = [("X-Viewer", self.viewer.as_str())];
        http::request("POST", &format!("{}/api/coupons/{coupon}/claim", self.url), &headers, Some(&json!({})))
    }
}

/// A word that was never used before on this machine.
#[must_use]
pub fn unique(what: &str) -> String {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{what}-{}-{now}-{count}", std::process::id())
}
