//! Orders as they are read: one, or the feed.

use crate::refusal::Refusal;
use crate::wire::{AfterSale, BuyerForm, Fulfilment, Money, Order, OrderLine, OrderState, Payment, Shipment};
use sqlx::SqliteConnection;
use stallcast_model::Currency;
use std::collections::HashMap;

#[derive(sqlx::FromRow)]
pub(crate) struct OrderRow {
    no: i64,
    pub(crate) id: String,
    pub(crate) viewer: String,
    buyer_name: String,
    buyer_phone: String,
    buyer_address: String,
    pub(crate) total: i64,
    discount: i64,
    coupon: Option<String>,
    pub(crate) payment: Payment,
    pub(crate) fulfilment: Fulfilment,
    pub(crate) after_sale: AfterSale,
    cancel_reason: Option<String>,
    placed_ms: i64,
    updated_ms: i64,
    reserved_until_ms: Option<i64>,
    version: i64,
    pub(crate) refunded: i64,
    pub(crate) carrier: Option<String>,
    pub(crate) tracking: Option<String>,
    shipped_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct LineRow {
    order_id: String,
    product: String,
    sku: String,
    title: String,
    sku_title: String,
    quantity: i64,
    unit_price: i64,
}

macro_rules! orders {
    ($tail:literal) => {
        concat!(
            "SELECT o.no, o.id, o.viewer, o.buyer_name, o.buyer_phone, o.buyer_address, o.total, o.discount, o.coupon, o.payment,
                    o.fulfilment, o.after_sale, o.cancel_reason, o.placed_ms, o.updated_ms, o.reserved_until_ms, o.version,
                    (SELECT COALESCE(SUM(amount), 0) FROM refund WHERE refund.order_id = o.id) AS refunded,
                    s.carrier, s.tracking, s.at_ms AS shipped_ms
             FROM orders o LEFT JOIN shipment s ON s.order_id = o.id ",
            $tail
        )
    };
}
macro_rules! lines {
    ($tail:literal) => {
        concat!("SELECT order_id, product, sku, title, sku_title, quantity, unit_price FROM order_line ", $tail)
    };
}

impl OrderRow {
    /// The one word: what is being undone beats payment beats fulfilment, because that is what the seller must act on first.
    pub(crate) const fn state(&self) -> OrderState {
        match (self.after_sale, self.payment, self.fulfilment) {
            (AfterSale::Cancelled, ..) => OrderState::Cancelled,
            (AfterSale::Requested, ..) => OrderState::AfterSale,
            (_, Payment::Refunded, _) => OrderState::Refunded,
            (_, Payment::Awaiting, _) => OrderState::AwaitingPayment,
            (_, _, Fulfilment::Delivered) => OrderState::Delivered,
            (_, _, Fulfilment::Shipped) => OrderState::Shipped,
            (_, _, Fulfilment::Unshipped) => OrderState::ToShip,
        }
    }
}

/// The row of an order.
pub(crate) async fn row(db: &mut SqliteConnection, id: &str) -> Result<OrderRow, Refusal> {
    sqlx::query_as(orders!("WHERE o.id = ?")).bind(id).fetch_optional(db).await?.ok_or(Refusal::NotFound("order"))
}

/// One order.
pub(crate) async fn one(db: &mut SqliteConnection, id: &str, currency: Currency) -> Result<Order, Refusal> {
    let row = row(db, id).await?;
    let lines = sqlx::query_as(lines!("WHERE order_id = ? ORDER BY position")).bind(id).fetch_all(db).await?;
    assemble(vec![row], lines, currency).pop().ok_or(Refusal::NotFound("order"))
}

/// Up to `limit` orders changed after `after`, each once at its latest version, in the order of that version.
pub(crate) async fn changed(db: &mut SqliteConnection, after: i64, limit: i64, currency: Currency) -> Result<Vec<Order>, Refusal> {
    let rows =
        sqlx::query_as(orders!("WHERE o.version > ? ORDER BY o.version LIMIT ?")).bind(after).bind(limit).fetch_all(&mut *db).await?;
    let lines = sqlx::query_as(lines!(
        "WHERE order_id IN (SELECT id FROM orders WHERE version > ? ORDER BY version LIMIT ?) ORDER BY order_id, position"
    ))
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(assemble(rows, lines, currency))
}

/// The newest `limit` orders of a viewer.
pub(crate) async fn of_viewer(db: &mut SqliteConnection, viewer: &str, limit: i64, currency: Currency) -> Result<Vec<Order>, Refusal> {
    let rows =
        sqlx::query_as(orders!("WHERE o.viewer = ? ORDER BY o.no DESC LIMIT ?")).bind(viewer).bind(limit).fetch_all(&mut *db).await?;
    let lines = sqlx::query_as(lines!(
        "WHERE order_id IN (SELECT id FROM orders WHERE viewer = ? ORDER BY no DESC LIMIT ?) ORDER BY order_id, position"
    ))
    .bind(viewer)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(assemble(rows, lines, currency))
}

fn assemble(rows: Vec<OrderRow>, lines: Vec<LineRow>, currency: Currency) -> Vec<Order> {
    let money = |amount| Money::new(amount, currency);
    let mut by_order: HashMap<String, Vec<OrderLine>> = HashMap::new();
    for l in lines {
        by_order.entry(l.order_id).or_default().push(OrderLine {
            product_id: l.product,
            sku_id: l.sku,
            title: l.title,
            sku_title: l.sku_title,
            quantity: l.quantity,
            unit_price: money(l.unit_price),
        });
    }
    let order = |row: OrderRow| Order {
        state: row.state(),
        lines: by_order.remove(&row.id).unwrap_or_default(),
        number: (1_000_000 + row.no).to_string(),
        id: row.id,
        version: row.version,
        buyer: BuyerForm { name: row.buyer_name, phone: row.buyer_phone, address: row.buyer_address },
        total: money(row.total),
        discount: money(row.discount),
        coupon_id: row.coupon,
        payment: row.payment,
        fulfilment: row.fulfilment,
        after_sale: row.after_sale,
        refunded: money(row.refunded),
        placed_at_ms: row.placed_ms,
        updated_at_ms: row.updated_ms,
        reserved_until_ms: row.reserved_until_ms,
        cancel_reason: row.cancel_reason,
        shipment: match (row.carrier, row.tracking, row.shipped_ms) {
            (Some(carrier), Some(tracking), Some(at_ms)) => Some(Shipment { carrier, tracking, at_ms }),
            _ => None,
        },
    };
    rows.into_iter().map(order).collect()
}
