//! The local shop of this machine, over HTTP.

mod http;
mod read;
mod sse;
mod wire;

use crate::{HintStream, Picture, Platform, PlatformError};
use async_trait::async_trait;
use http::Http;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use stallcast_clock::Clock;
use stallcast_model::{
    Capabilities, Capability, CouponId, Effect, FeedPage, OrderId, Product, ReadCoupon, ReadLive, ReadPin, ReceivedOrder, ReceivedProduct,
    RoomState, ShopProfile,
};
use std::sync::Arc;
use thiserror::Error;

/// Rows asked for at a time.
const PAGE: i64 = 100;
/// Largest page, bytes: a hundred orders with all the lines an order may have stay below.
const PAGE_MOST: usize = 8 << 20;
/// Largest other answer.
const ANSWER_MOST: usize = 1 << 20;
/// Largest picture.
const PICTURE_MOST: usize = 4 << 20;
/// How many changes [`Platform::earlier`] goes back.
const EARLIER: i64 = 500;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Not `http://HOST:PORT`.
    #[error("not an address of a shop: {0}")]
    NotAnAddress(String),
    /// The token would cross a network in clear.
    #[error("{0} is not on this machine and has no TLS")]
    NotPrivate(String),
    /// The HTTP client does not start.
    #[error("no HTTP client: {0}")]
    NoClient(String),
}

/// The adapter of the local shop.
#[derive(Debug)]
pub struct LocalShop {
    http: Http,
}

impl LocalShop {
    /// The kind of this adapter's connections.
    pub const KIND: &'static str = "local";

    /// A shop at `http://127.0.0.1:PORT`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn new(url: &str, token: SecretString, clock: Arc<dyn Clock>) -> Result<Self, AddressError> {
        Ok(Self { http: Http::new(url, token, clock)? })
    }

    /// It was started again, perhaps elsewhere. Running exchanges go on with the old address.
    ///
    /// # Errors
    /// [`AddressError`]; the old address stays.
    pub fn moved(&self, url: &str, token: SecretString) -> Result<(), AddressError> {
        self.http.moved(url, token)
    }

    async fn feed(&self, resource: &str, cursor: Option<&str>) -> Result<(i64, http::Answer), PlatformError> {
        let after: i64 = match cursor {
            Some(text) => text.parse().map_err(|_| PlatformError::unread("cursor"))?,
            None => 0,
        };
        let query = [("after", after), ("limit", PAGE)];
        let request = self.http.request(Method::GET, &["api", "seller", resource]).query(&query);
        Ok((after, self.http.ask(request, PAGE_MOST).await?))
    }

    async fn room(&self) -> Result<wire::Room, PlatformError> {
        let answer = self.http.ask(self.http.request(Method::GET, &["api", "seller", "rooms", "main"]), ANSWER_MOST).await?;
        let room: wire::Room = answer.json("room")?;
        self.http.precise(&answer, room.now_ms);
        Ok(room)
    }

    async fn one<T>(
        &self,
        path: &[&str],
        read: impl FnOnce(&http::Answer) -> Result<T, PlatformError>,
    ) -> Result<Option<T>, PlatformError> {
        match self.http.ask(self.http.request(Method::GET, path), ANSWER_MOST).await {
            Ok(answer) => read(&answer).map(Some),
            Err(PlatformError::Refused { code }) if code == "not_found" => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn send(&self, method: Method, path: &[&str], key: &str, body: Option<&impl Serialize>) -> Result<(), PlatformError> {
        let mut request = self.http.request(method, path).header("Idempotency-Key", header_key(key));
        if let Some(body) = body {
            request = request.json(body);
        }
        // Whatever it answers is read back anyway.
        self.http.ask(request, ANSWER_MOST).await.map(drop)
    }
}

const NO_BODY: Option<&()> = None;

/// A key as a header holds it: as it is, or its digest where it cannot.
fn header_key(key: &str) -> String {
    if (1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) { key.to_owned() } else { digest(key.as_bytes()) }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[async_trait]
impl Platform for LocalShop {
    fn capabilities(&self) -> Capabilities {
        Capabilities { pin: Capability::Native, issue_coupon: Capability::Native, ship: Capability::Native, go_live: Capability::Native }
    }

    fn ahead_ms(&self) -> Option<i64> {
        self.http.ahead_ms()
    }

    async fn profile(&self) -> Result<ShopProfile, PlatformError> {
        let answer = self.http.ask(self.http.request(Method::GET, &["api", "shop"]), ANSWER_MOST).await?;
        answer.json::<wire::Face>("shop")?.read()
    }

    async fn orders(&self, cursor: Option<&str>) -> Result<FeedPage<ReceivedOrder>, PlatformError> {
        let (after, answer) = self.feed("orders", cursor).await?;
        let feed: wire::Feed = answer.json("orders")?;
        self.http.precise(&answer, feed.up_to_ms);
        read::page(after, feed, read::order)
    }

    fn earlier(&self, cursor: &str) -> Option<String> {
        let after: i64 = cursor.parse().ok()?;
        Some((after - EARLIER).max(0).to_string())
    }

    async fn products(&self, cursor: Option<&str>) -> Result<FeedPage<ReceivedProduct>, PlatformError> {
        let (after, answer) = self.feed("products", cursor).await?;
        let feed: wire::Feed = answer.json("products")?;
        self.http.precise(&answer, feed.up_to_ms);
        // True at some instant after it was asked for: the asking is the safe side.
        read::page(after, feed, |raw| read::product(raw, answer.sent_ms))
    }

    async fn order(&self, id: &OrderId) -> Result<Option<ReceivedOrder>, PlatformError> {
        let read = |answer: &http::Answer| {
            let raw: Box<RawValue> = answer.json("order")?;
            read::order(&raw).map_err(|unread| PlatformError::unread(unread.reason))
        };
        self.one(&["api", "seller", "orders", id.as_str()], read).await
    }

    async fn coupon(&self, id: &CouponId) -> Result<Option<ReadCoupon>, PlatformError> {
        self.one(&["api", "seller", "coupons", id.as_str()], |answer| answer.json::<wire::Coupon>("coupon")?.read()).await
    }

    async fn pin(&self) -> Result<Option<ReadPin>, PlatformError> {
        Ok(self.room().await?.pin.map(wire::Pin::read))
    }

    async fn live(&self) -> Result<ReadLive, PlatformError> {
        self.room().await?.live.read()
    }

    async fn picture(&self, product: &Product) -> Result<Option<Picture>, PlatformError> {
        let Some(address) = &product.picture else { return Ok(None) };
        let Some(request) = self.http.request_at(address) else { return Err(PlatformError::unread("picture address")) };
        match self.http.ask(request, PICTURE_MOST).await {
            Ok(answer) => {
                let mime = answer.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).filter(|m| m.starts_with("image/"));
                let mime = mime.ok_or_else(|| PlatformError::unread("picture type"))?.to_owned();
                Ok(Some(Picture { mime, bytes: answer.body }))
            }
            Err(PlatformError::Refused { code }) if code == "not_found" => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn perform(&self, effect: &Effect, key: &str) -> Result<(), PlatformError> {
        const PIN: &[&str] = &["api", "seller", "rooms", "main", "pin"];
        const LIVE: &[&str] = &["api", "seller", "rooms", "main", "live"];
        match effect {
            Effect::Pin { product, program_ms, .. } => {
                let form = wire::PinForm { product_id: product.as_str(), program_ms: *program_ms };
                self.send(Method::PUT, PIN, key, Some(&form)).await
            }
            Effect::Unpin { .. } => self.send(Method::DELETE, PIN, key, NO_BODY).await,
            Effect::IssueCoupon { coupon, draft } => {
                let form = wire::CouponForm::new(draft);
                self.send(Method::PUT, &["api", "seller", "coupons", coupon.as_str()], key, Some(&form)).await
            }
            Effect::Ship { order, shipment } => {
                let form = wire::ShipForm { carrier: &shipment.carrier, tracking: &shipment.tracking };
                self.send(Method::POST, &["api", "seller", "orders", order.as_str(), "ship"], key, Some(&form)).await
            }
            Effect::GoLive { state, started_at_ms, program_epoch_ms } => {
                let state = match state {
                    RoomState::Live => "live",
                    RoomState::Ended => "ended",
                };
                let form = wire::LiveForm { state, started_at_ms: *started_at_ms, program_epoch_ms: *program_epoch_ms };
                self.send(Method::PUT, LIVE, key, Some(&form)).await
            }
        }
    }

    async fn hints(&self, resume: Option<&str>) -> Result<HintStream, PlatformError> {
        let mut request = self.http.request(Method::GET, &["api", "seller", "events"]);
        if let Some(id) = resume.and_then(|id| HeaderValue::from_str(id).ok()) {
            request = request.header("Last-Event-ID", id);
        }
        Ok(sse::hints(self.http.open(request, "text/event-stream").await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fit_into_a_header_and_stay_apart() {
        let key = "0198-show/coupon/0198-c/1";
        assert_eq!(header_key(key), key);
        let (long, longer) = ("k".repeat(129), "k".repeat(130));
        assert_eq!(header_key(&long).len(), 64);
        assert_ne!(header_key(&long), header_key(&longer));
        assert_ne!(header_key("order 1"), header_key("order 2"));
        assert_eq!(header_key("订单"), header_key("订单"), "the same wish has the same key");
    }
}
