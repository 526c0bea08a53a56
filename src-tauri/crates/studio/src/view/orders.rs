//! The order list.

use super::{ActionView, AfterSaleView, MoneyView, ParcelView, SealView};
use serde::{Deserialize, Serialize};
use specta::Type;

/// The order list and its seal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OrdersView {
    /// Newest first.
    pub rows: Vec<OrderRowView>,
    /// Give this to `search_orders` for older ones; `None` when these are all.
    pub next: Option<String>,
    /// All orders in the database.
    pub total: u32,
    /// Awaiting payment.
    pub awaiting_payment: u32,
    /// To ship, also in part.
    pub to_ship: u32,
    /// After-sale requests.
    pub after_sale: u32,
    /// Is the list whole?
    pub seal: SealView,
}

/// Derived order status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum OrderStatusView {
    /// 待付款
    AwaitingPayment,
    /// 待发货
    ToShip,
    /// 部分发货
    PartlyShipped,
    /// 已发货
    Shipped,
    /// 已完成
    Delivered,
    /// 售后
    AfterSale,
    /// 已退款
    Refunded,
    /// 已取消
    Cancelled,
    /// A word this version does not know.
    Unknown,
}

/// One order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OrderRowView {
    /// Platform's id.
    pub id: String,
    /// Number the buyer sees.
    pub number: String,
    /// Whose order it is.
    pub connection_id: String,
    /// Connection name, for the platform word.
    pub connection: String,
    /// Masked; empty once purged.
    pub buyer: String,
    /// Name, phone and address were taken away after their time.
    pub purged: bool,
    /// Lines.
    pub lines: Vec<OrderLineView>,
    /// To pay.
    pub total: MoneyView,
    /// Taken off; `None` when zero.
    pub discount: Option<MoneyView>,
    /// Derived word.
    pub status: OrderStatusView,
    /// ms UTC.
    pub placed_at_ms: f64,
    /// First seen here, ms UTC: rows younger than 20 s carry the new bar.
    pub seen_at_ms: f64,
    /// How the last parcel stands, once pressed.
    pub ship: Option<ActionView>,
    /// Parcels, oldest first.
    pub parcels: Vec<ParcelView>,
    /// What the buyer asked for, oldest first.
    pub after_sales: Vec<AfterSaleView>,
}

/// A page of found orders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OrderPageView {
    /// Newest first.
    pub rows: Vec<OrderRowView>,
    /// Give this for the next page; `None` at the end.
    pub next: Option<String>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OrderLineView {
    /// Spoken number in the bag, if it is there.
    pub bag_number: Option<u32>,
    /// Title as ordered.
    pub title: String,
    /// Variant, may be empty.
    pub sku_title: String,
    /// Pieces.
    pub quantity: u32,
    /// Pieces that are in no parcel yet; `None` where the platform does not say.
    pub left: Option<u32>,
    /// Picture address.
    pub picture: Option<String>,
}
