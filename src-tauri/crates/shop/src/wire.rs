//! The JSON of the API: camelCase, amounts in minor units, times in ms UTC.

use serde::{Deserialize, Serialize};
use stallcast_model as model;
use std::fmt;
use utoipa::ToSchema;

/// Has the buyer paid?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum Payment {
    Awaiting,
    Paid,
    PartlyRefunded,
    Refunded,
}

/// Has it been sent?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum Fulfilment {
    Unshipped,
    Shipped,
    Delivered,
}

/// Is anything being undone?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum AfterSale {
    None,
    Requested,
    Cancelled,
    Closed,
}

/// The three axes in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderState {
    AwaitingPayment,
    ToShip,
    Shipped,
    Delivered,
    AfterSale,
    Refunded,
    Cancelled,
}

/// Where the room's show stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum LiveState {
    Idle,
    Live,
    Ended,
}

/// Can it still be claimed?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CouponState {
    Active,
    Ended,
}

/// How a buyer pays. `dummy` takes no money; `manual` waits for the seller to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum Provider {
    Dummy,
    Manual,
}

/// What the dummy provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Ok,
    Decline,
}

/// An exact amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Money {
    /// Minor units (fen, cents).
    pub amount: i64,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "CNY")]
    pub currency: model::Currency,
}

impl Money {
    pub(crate) const fn new(amount: i64, currency: model::Currency) -> Self {
        Self { amount, currency }
    }
}

impl From<Money> for model::Money {
    fn from(money: Money) -> Self {
        Self::new(money.amount, money.currency)
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShopFace {
    pub name: String,
    #[schema(value_type = String, example = "CNY")]
    pub currency: model::Currency,
}

/// What viewers see of a product.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Product {
    pub id: String,
    /// The number the host says.
    pub number: i64,
    pub title: String,
    /// Path of its picture.
    #[schema(required)]
    pub picture: Option<String>,
    pub skus: Vec<Sku>,
    /// Number of its last change.
    pub seq: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sku {
    pub id: String,
    /// Empty when it is the only one.
    pub title: String,
    pub price: Money,
    #[schema(required)]
    pub old_price: Option<Money>,
    /// What can still be sold: on hand minus reserved.
    pub stock: i64,
}

/// What the seller sees of a product.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SellerProduct {
    pub id: String,
    pub number: i64,
    pub title: String,
    #[schema(required)]
    pub picture: Option<String>,
    pub skus: Vec<SellerSku>,
    pub seq: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SellerSku {
    pub id: String,
    pub title: String,
    pub price: Money,
    #[schema(required)]
    pub old_price: Option<Money>,
    pub stock: i64,
    /// Pieces in the shelf, reserved ones included.
    pub on_hand: i64,
    /// Promised to unpaid orders.
    pub reserved: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Products {
    pub products: Vec<Product>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductFeed {
    pub products: Vec<SellerProduct>,
    /// `after` of the next page.
    pub next_after: i64,
    pub more: bool,
    /// Everything that happened up to here is in the pages read so far, once `more` is false.
    pub up_to_ms: i64,
    /// Id of the feed. When it differs from the page before, the shop began anew and so must the reader.
    pub feed: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderFeed {
    pub orders: Vec<Order>,
    pub next_after: i64,
    pub more: bool,
    pub up_to_ms: i64,
    pub feed: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductForm {
    pub title: String,
    /// Without it the next free number.
    pub number: Option<i64>,
    pub skus: Vec<SkuForm>,
    /// Base64 of a PNG, JPEG or WebP file.
    pub picture: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SkuForm {
    #[serde(default)]
    pub title: String,
    pub price: Money,
    pub old_price: Option<Money>,
    pub stock: i64,
}

/// What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductPatch {
    pub title: Option<String>,
    pub price: Option<Money>,
    /// `null` takes the old price away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Money>)]
    pub old_price: Option<Option<Money>>,
    /// Pieces on hand.
    pub stock: Option<i64>,
    /// Needed only where there are several.
    pub sku_id: Option<String>,
}

/// Tells a field that is `null` from one that is not there.
fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Room {
    /// Number of the last event this picture of the room contains: follow the stream from here.
    pub seq: i64,
    pub live: Live,
    #[schema(required)]
    pub pin: Option<Pin>,
    pub coupons: Vec<Coupon>,
    /// Open event streams of the room.
    pub viewers: u64,
    pub now_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Live {
    pub state: LiveState,
    #[schema(required)]
    pub started_at_ms: Option<i64>,
    /// Wall clock at program time zero.
    #[schema(required)]
    pub program_epoch_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pin {
    pub product_id: String,
    pub at_ms: i64,
    /// Program time of the pin.
    #[schema(required)]
    pub program_ms: Option<i64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PinForm {
    pub product_id: String,
    pub program_ms: Option<i64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LiveForm {
    /// `live` or `ended`.
    pub state: LiveState,
    pub started_at_ms: Option<i64>,
    pub program_epoch_ms: Option<i64>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Coupon {
    pub id: String,
    pub discount: Money,
    pub threshold: Money,
    pub quantity: i64,
    pub claimed: i64,
    pub state: CouponState,
    /// How long it was issued for, seconds.
    pub valid_s: i64,
    pub ends_at_ms: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CouponForm {
    pub discount: Money,
    pub threshold: Money,
    pub quantity: u32,
    pub valid_s: u32,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Claimed {
    pub claimed: bool,
}

/// Coupons of one viewer whose time is not over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Mine {
    pub coupons: Vec<String>,
    /// Those of them that an order used up.
    pub used: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LineForm {
    pub sku_id: String,
    pub quantity: u32,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CartForm {
    pub lines: Vec<LineForm>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cart {
    pub id: String,
    pub lines: Vec<OrderLine>,
    pub total: Money,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderLine {
    pub product_id: String,
    pub sku_id: String,
    pub title: String,
    pub sku_title: String,
    pub quantity: i64,
    pub unit_price: Money,
}

/// Who gets the parcel. Its `Debug` shows nothing of it: no log may hold a buyer's fields.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct BuyerForm {
    pub name: String,
    pub phone: String,
    pub address: String,
}

impl fmt::Debug for BuyerForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BuyerForm(…)")
    }
}

/// Either `lines` or `cartId`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderForm {
    pub lines: Option<Vec<LineForm>>,
    pub cart_id: Option<String>,
    pub coupon_id: Option<String>,
    /// What the buyer was shown, discount taken off. Another total is refused as `price_changed` instead of charged.
    pub expected_total: Option<Money>,
    pub buyer: BuyerForm,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    pub id: String,
    /// Number the buyer sees.
    pub number: String,
    /// Number of its last change: a higher one is newer.
    pub version: i64,
    pub buyer: BuyerForm,
    pub lines: Vec<OrderLine>,
    /// What the buyer pays, discount taken off.
    pub total: Money,
    pub discount: Money,
    #[schema(required)]
    pub coupon_id: Option<String>,
    pub payment: Payment,
    pub fulfilment: Fulfilment,
    pub after_sale: AfterSale,
    pub state: OrderState,
    pub refunded: Money,
    pub placed_at_ms: i64,
    pub updated_at_ms: i64,
    /// Until when the pieces are kept for an unpaid order.
    #[schema(required)]
    pub reserved_until_ms: Option<i64>,
    #[schema(required)]
    pub cancel_reason: Option<String>,
    #[schema(required)]
    pub shipment: Option<Shipment>,
}

/// Orders of one viewer, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Orders {
    pub orders: Vec<Order>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shipment {
    pub carrier: String,
    pub tracking: String,
    pub at_ms: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PayForm {
    pub provider: Provider,
    pub outcome: Option<Outcome>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ShipForm {
    pub carrier: String,
    pub tracking: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CancelForm {
    pub reason: String,
}

#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct RefundForm {
    /// Without it all that is left.
    pub amount: Option<Money>,
}
