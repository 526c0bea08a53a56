//! The local shop of this machine, over HTTP.

mod comments;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
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
    AfterSaleAnswer, Capabilities, Capability, ChangeId, Comment, CommentId, CouponId, Effect, FeedPage, OrderId, Product, ProductId,
    ReadCoupon, ReadLive, ReadOffer, ReadPin, ReceivedOrder, ReceivedProduct, RoomState, ShopProfile,
};
use std::sync::Arc;
use thiserror::Error;

/// Rows asked for at a time, the most that the shop gives: each page is one transaction, and a full shop has thousands.
const PAGE: i64 = 500;
/// Largest page, bytes: five hundred orders with all the lines an order may have stay below.
const PAGE_MOST: usize = 40 << 20;
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
    /// The token would cross a network in clear that others use too.
    #[error("{0} is not on this machine and has no TLS")]
    NotPrivate(String),
    /// It is in the same network, and nobody has said yet that this network is trusted.
    #[error("{0} is in the same network, which is not trusted")]
    NotTrusted(String),
    /// The token has characters that no header holds, or none at all.
    #[error("not a token")]
    NotAToken,
    /// The HTTP client does not start.
    #[error("no HTTP client: {0}")]
    NoClient(String),
}

/// How far a token may travel without TLS, which the shop has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Within this machine.
    ThisMachine,
    /// Also through the private network that this machine is in: its owner has said that it is trusted.
    TrustedNetwork,
}

/// The adapter of a Stallcast shop: that of this machine, or of another one in the same network.
#[derive(Debug)]
pub struct LocalShop {
    http: Http,
    /// Its own studio shows its room; this one only sells in it.
    is_elsewhere: bool,
}

impl LocalShop {
    /// The kind of this adapter's connections.
    pub const KIND: &'static str = "local";
    /// The kind of a shop that another studio runs.
    pub const ELSEWHERE: &'static str = "stallcast";

    /// A shop at `http://127.0.0.1:PORT`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn new(url: &str, token: SecretString, clock: Arc<dyn Clock>) -> Result<Self, AddressError> {
        Ok(Self { http: Http::new(url, token, Reach::ThisMachine, clock)?, is_elsewhere: false })
    }

    /// A shop that another studio runs. Its room is that studio's: it is never told that it is live, and a pin is not lined
    /// up with a program that it does not show. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn elsewhere(url: &str, token: SecretString, reach: Reach, clock: Arc<dyn Clock>) -> Result<Self, AddressError> {
        Ok(Self { http: Http::new(url, token, reach, clock)?, is_elsewhere: true })
    }

    /// What the shop calls its data: the same behind every address, another one once it was set up anew. Needs the token.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn identity(&self) -> Result<String, PlatformError> {
        // Behind every change there is: an empty page.
        let query = [("after", i64::MAX), ("limit", 1)];
        let request = self.http.request(Method::GET, &["api", "seller", "orders"]).query(&query);
        Ok(self.http.ask(request, ANSWER_MOST).await?.json::<wire::FeedName>("feed")?.feed)
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
            Err(PlatformError::Refused { code, .. }) if code == "not_found" => Ok(None),
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
        let native = Capabilities::native();
        if self.is_elsewhere {
            let go_live = Capability::Unavailable { reason: "own_room".to_owned() };
            return Capabilities { go_live, ..native };
        }
        native
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

    async fn comments(&self, cursor: Option<&str>) -> Result<FeedPage<Comment>, PlatformError> {
        let (after, answer) = self.feed("comments", cursor).await?;
        let feed: wire::Feed = answer.json("comments")?;
        self.http.precise(&answer, feed.up_to_ms);
        read::page(after, feed, comments::read)
    }

    async fn comment(&self, id: &CommentId) -> Result<Option<Comment>, PlatformError> {
        let read = |answer: &http::Answer| {
            let raw: Box<RawValue> = answer.json("comment")?;
            comments::read(&raw).map_err(|unread| PlatformError::unread(unread.reason))
        };
        self.one(&["api", "seller", "comments", id.as_str()], read).await
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

    async fn offer_change(&self, product: &ProductId, id: &ChangeId) -> Result<Option<ReadOffer>, PlatformError> {
        let read = |answer: &http::Answer| read::offer(answer.json("change")?, answer.sent_ms);
        let found = self.one(&["api", "seller", "products", product.as_str(), "changes", id.as_str()], read).await?;
        Ok(found.filter(|read| read.product.product.id == *product))
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
            Err(PlatformError::Refused { code, .. }) if code == "not_found" => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn perform(&self, effect: &Effect, key: &str) -> Result<(), PlatformError> {
        const PIN: &[&str] = &["api", "seller", "rooms", "main", "pin"];
        const LIVE: &[&str] = &["api", "seller", "rooms", "main", "live"];
        match effect {
            Effect::Pin { product, program_ms, .. } => {
                let form = wire::PinForm { product_id: product.as_str(), program_ms: program_ms.filter(|_| !self.is_elsewhere) };
                self.send(Method::PUT, PIN, key, Some(&form)).await
            }
            Effect::Unpin { .. } => self.send(Method::DELETE, PIN, key, NO_BODY).await,
            Effect::IssueCoupon { coupon, draft } => {
                let form = wire::CouponForm::new(draft);
                self.send(Method::PUT, &["api", "seller", "coupons", coupon.as_str()], key, Some(&form)).await
            }
            Effect::WithdrawCoupon { coupon } => {
                self.send(Method::DELETE, &["api", "seller", "coupons", coupon.as_str()], key, NO_BODY).await
            }
            Effect::ChangeOffer { change, product, terms } => {
                let path = ["api", "seller", "products", product.as_str(), "changes", change.as_str()];
                self.send(Method::PUT, &path, key, Some(&wire::OfferForm::new(terms))).await
            }
            Effect::Ship { order, shipment, lines } => {
                let lines = lines.iter().map(|p| wire::LinePieces { line: p.line, quantity: p.quantity }).collect();
                let form = wire::ShipForm { carrier: &shipment.carrier, tracking: &shipment.tracking, lines };
                self.send(Method::POST, &["api", "seller", "orders", order.as_str(), "ship"], key, Some(&form)).await
            }
            Effect::AnswerAfterSale { order, after_sale, answer } => {
                let path = |deed| ["api", "seller", "orders", order.as_str(), "after-sales", after_sale.as_str(), deed];
                match answer {
                    AfterSaleAnswer::Agree => self.send(Method::POST, &path("agree"), key, NO_BODY).await,
                    AfterSaleAnswer::Refuse { reason } => {
                        self.send(Method::POST, &path("refuse"), key, Some(&wire::RefuseForm { reason })).await
                    }
                }
            }
            Effect::GoLive { state, started_at_ms, program_epoch_ms } => {
                let state = match state {
                    RoomState::Live => "live",
                    RoomState::Ended => "ended",
                };
                let form = wire::LiveForm { state, started_at_ms: *started_at_ms, program_epoch_ms: *program_epoch_ms };
                self.send(Method::PUT, LIVE, key, Some(&form)).await
            }
            Effect::HideComment { comment } => {
                self.send(Method::PUT, &["api", "seller", "comments", comment.as_str(), "hidden"], key, NO_BODY).await
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
