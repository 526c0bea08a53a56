//! Carts, orders and parcels, and what can be done to them.

use super::{AfterSale, Money};
use serde::{Deserialize, Serialize};
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
    /// Never stored: unshipped with a parcel.
    PartlyShipped,
    Shipped,
    Delivered,
}

/// Is anything being undone?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum AfterState {
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
    PartlyShipped,
    Shipped,
    Delivered,
    AfterSale,
    Refunded,
    Cancelled,
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

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderFeed {
    pub orders: Vec<Order>,
    pub next_after: i64,
    pub more: bool,
    pub up_to_ms: i64,
    pub feed: String,
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
    pub after_sale: AfterState,
    pub state: OrderState,
    pub refunded: Money,
    pub placed_at_ms: i64,
    pub updated_at_ms: i64,
    /// Until when the pieces are kept for an unpaid order.
    #[schema(required)]
    pub reserved_until_ms: Option<i64>,
    #[schema(required)]
    pub cancel_reason: Option<String>,
    /// Parcels, oldest first.
    pub shipments: Vec<Shipment>,
    /// What the buyer asked for, oldest first.
    pub after_sales: Vec<AfterSale>,
}

/// Orders of one viewer, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Orders {
    pub orders: Vec<Order>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shipment {
    pub id: String,
    pub carrier: String,
    pub tracking: String,
    pub lines: Vec<LinePieces>,
    pub at_ms: i64,
}

/// Pieces of one line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct LinePieces {
    /// Place in the order's lines, from 0.
    pub line: u32,
    pub quantity: u32,
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
    /// What is in the parcel; without it all that is left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LinePieces>,
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
