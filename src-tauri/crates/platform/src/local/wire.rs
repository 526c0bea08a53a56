//! The shop's JSON. Words of enums are plain text here: a newer shop may know more of them.

use crate::PlatformError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stallcast_model as model;
use stallcast_model::{CouponDraft, CouponId, ProductId, RoomState};

/// What is wrong with some JSON, without its values: they may be a buyer's.
pub(super) fn fault(e: &serde_json::Error) -> String {
    format!("{:?} fault at line {} column {}", e.classify(), e.line(), e.column())
}

#[derive(Deserialize)]
pub(super) struct Refusal {
    pub code: String,
    #[serde(default)]
    pub params: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
pub(super) struct Face {
    name: String,
    currency: String,
}

impl Face {
    pub(super) fn read(self) -> Result<model::ShopProfile, PlatformError> {
        let currency = model::Currency::parse(&self.currency).map_err(|_| PlatformError::unread("currency"))?;
        Ok(model::ShopProfile { name: self.name, currency })
    }
}

/// A page of a feed. Its rows are read one by one, so that a bad one does not hide the others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Feed {
    #[serde(alias = "orders", alias = "products", alias = "comments")]
    pub rows: Vec<Box<RawValue>>,
    pub next_after: i64,
    pub more: bool,
    pub up_to_ms: i64,
    #[serde(default)]
    pub feed: Option<String>,
}

/// Of a page only what its feed is called.
#[derive(Deserialize)]
pub(super) struct FeedName {
    pub feed: String,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Money {
    amount: i64,
    currency: String,
}

impl Money {
    pub(super) fn read(&self) -> Result<model::Money, &'static str> {
        let currency = model::Currency::parse(&self.currency).map_err(|_| "currency")?;
        if self.amount < 0 { Err("negative amount") } else { Ok(model::Money::new(self.amount, currency)) }
    }
}

impl From<model::Money> for Money {
    fn from(money: model::Money) -> Self {
        Self { amount: money.amount, currency: money.currency.code().to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub id: String,
    pub number: String,
    pub version: i64,
    pub buyer: Buyer,
    pub lines: Vec<OrderLine>,
    pub total: Money,
    pub discount: Money,
    pub payment: String,
    pub fulfilment: String,
    pub after_sale: String,
    pub placed_at_ms: i64,
    /// Of a shop that knew one parcel an order.
    #[serde(default)]
    pub shipment: Option<OneShipment>,
    #[serde(default)]
    pub shipments: Vec<Shipment>,
    #[serde(default)]
    pub after_sales: Vec<AfterSale>,
}

#[derive(Deserialize)]
pub(super) struct Buyer {
    pub name: String,
    pub phone: String,
    pub address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderLine {
    pub product_id: String,
    pub sku_id: String,
    pub title: String,
    pub quantity: u32,
    pub unit_price: Money,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneShipment {
    pub carrier: String,
    pub tracking: String,
    #[serde(default)]
    pub at_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shipment {
    pub id: String,
    pub carrier: String,
    pub tracking: String,
    #[serde(default)]
    pub lines: Vec<LinePieces>,
    #[serde(default)]
    pub at_ms: Option<i64>,
    #[serde(default)]
    pub delivered_at_ms: Option<i64>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct LinePieces {
    pub line: u32,
    pub quantity: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AfterSale {
    pub id: String,
    #[serde(default)]
    pub line: Option<u32>,
    #[serde(default)]
    pub quantity: u32,
    pub kind: String,
    pub state: String,
    pub amount: Money,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub answer: Option<String>,
    #[serde(default)]
    pub deadline_ms: Option<i64>,
    pub updated_at_ms: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Product {
    pub id: String,
    #[serde(default)]
    pub number: Option<u32>,
    pub title: String,
    #[serde(default)]
    pub picture: Option<String>,
    pub skus: Vec<Sku>,
    pub seq: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sku {
    pub id: String,
    #[serde(default)]
    pub title: String,
    pub price: Money,
    #[serde(default)]
    pub old_price: Option<Money>,
    #[serde(default)]
    pub stock: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Coupon {
    id: String,
    discount: Money,
    threshold: Money,
    quantity: u32,
    claimed: u32,
    state: String,
    valid_s: u32,
    ends_at_ms: i64,
}

impl Coupon {
    pub(super) fn read(self) -> Result<model::ReadCoupon, PlatformError> {
        let money = |m: &Money| m.read().map_err(PlatformError::unread);
        Ok(model::ReadCoupon {
            draft: CouponDraft {
                discount: money(&self.discount)?,
                threshold: money(&self.threshold)?,
                quantity: self.quantity,
                valid_s: self.valid_s,
            },
            id: CouponId::new(self.id),
            claimed: self.claimed,
            // Any other word, known or not, is not "can be claimed".
            active: self.state == "active",
            ends_at_ms: Some(self.ends_at_ms),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Room {
    pub live: Live,
    #[serde(default)]
    pub pin: Option<Pin>,
    pub now_ms: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Live {
    state: String,
    #[serde(default)]
    started_at_ms: Option<i64>,
}

impl Live {
    pub(super) fn read(self) -> Result<model::ReadLive, PlatformError> {
        let state = match self.state.as_str() {
            "idle" => None,
            "live" => Some(RoomState::Live),
            "ended" => Some(RoomState::Ended),
            _ => return Err(PlatformError::unread("live state")),
        };
        Ok(model::ReadLive { state, started_at_ms: self.started_at_ms })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pin {
    product_id: String,
    at_ms: i64,
}

impl Pin {
    pub(super) fn read(self) -> model::ReadPin {
        model::ReadPin { product: ProductId::new(self.product_id), at_ms: self.at_ms }
    }
}

/// A change of price or pieces.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Offer {
    pub id: String,
    pub sku_id: String,
    #[serde(default)]
    pub price: Option<Money>,
    #[serde(default)]
    pub old_price: Option<Money>,
    pub stock_by: i64,
    pub price_before: Money,
    pub at_ms: i64,
    pub now_ms: i64,
    pub product: Box<RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfferForm<'a> {
    sku_id: &'a str,
    price: Option<Money>,
    old_price: Option<Money>,
    stock_by: i64,
}

impl<'a> OfferForm<'a> {
    pub(super) fn new(terms: &'a model::OfferTerms) -> Self {
        let price = terms.price.as_ref();
        Self {
            sku_id: terms.sku.as_str(),
            price: price.map(|p| p.price.into()),
            old_price: price.and_then(|p| p.old_price).map(Into::into),
            stock_by: terms.stock_by,
        }
    }
}

/// An event of the stream about a coupon.
#[derive(Deserialize)]
pub(super) struct CouponEvent {
    pub coupon: Named,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PinForm<'a> {
    pub product_id: &'a str,
    pub program_ms: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LiveForm {
    pub state: &'static str,
    pub started_at_ms: i64,
    pub program_epoch_ms: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CouponForm {
    discount: Money,
    threshold: Money,
    quantity: u32,
    valid_s: u32,
}

impl CouponForm {
    pub(super) fn new(draft: &CouponDraft) -> Self {
        Self { discount: draft.discount.into(), threshold: draft.threshold.into(), quantity: draft.quantity, valid_s: draft.valid_s }
    }
}

#[derive(Serialize)]
pub(super) struct ShipForm<'a> {
    pub carrier: &'a str,
    pub tracking: &'a str,
    /// Left out: all that is left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LinePieces>,
}

#[derive(Serialize)]
pub(super) struct RefuseForm<'a> {
    pub reason: &'a str,
}
