//! Orders as they are read: one, or the feed.

use crate::refusal::Refusal;
use crate::wire::{
    AfterSale, AfterSaleKind, AfterSaleState, AfterState, BuyerForm, Fulfilment, LinePieces, Money, Order, OrderLine, OrderState, Payment,
    Shipment,
};
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
    pub(crate) discount: i64,
    coupon: Option<String>,
    pub(crate) payment: Payment,
    pub(crate) fulfilment: Fulfilment,
    pub(crate) after_sale: AfterState,
    cancel_reason: Option<String>,
    placed_ms: i64,
    updated_ms: i64,
    reserved_until_ms: Option<i64>,
    version: i64,
    pub(crate) refunded: i64,
}

#[derive(sqlx::FromRow)]
struct ParcelRow {
    id: String,
    order_id: String,
    carrier: String,
    tracking: String,
    at_ms: i64,
}

#[derive(sqlx::FromRow)]
struct AskedRow {
    id: String,
    order_id: String,
    line: Option<i64>,
    quantity: i64,
    kind: AfterSaleKind,
    state: AfterSaleState,
    amount: i64,
    reason: String,
    answer: Option<String>,
    asked_ms: i64,
    updated_ms: i64,
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
                    CASE WHEN o.fulfilment = 'unshipped' AND EXISTS (SELECT 1 FROM parcel WHERE parcel.order_id = o.id)
                        THEN 'partly_shipped' ELSE o.fulfilment END AS fulfilment,
                    o.after_sale, o.cancel_reason, o.placed_ms, o.updated_ms, o.reserved_until_ms, o.version,
                    (SELECT COALESCE(SUM(amount), 0) FROM refund WHERE refund.order_id = o.id) AS refunded
             FROM orders o ",
            $tail
        )
    };
}

impl OrderRow {
    /// The one word: what is being undone beats payment beats fulfilment, because that is what the seller must act on first.
    pub(crate) const fn state(&self) -> OrderState {
        match (self.after_sale, self.payment, self.fulfilment) {
            (AfterState::Cancelled, ..) => OrderState::Cancelled,
            (AfterState::Requested, ..) => OrderState::AfterSale,
            (_, Payment::Refunded, _) => OrderState::Refunded,
            (_, Payment::Awaiting, _) => OrderState::AwaitingPayment,
            (_, _, Fulfilment::Delivered) => OrderState::Delivered,
            (_, _, Fulfilment::Shipped) => OrderState::Shipped,
            (_, _, Fulfilment::PartlyShipped) => OrderState::PartlyShipped,
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
    assemble(db, vec![row], currency).await?.pop().ok_or(Refusal::NotFound("order"))
}

/// Up to `limit` orders changed after `after`, each once at its latest version, in the order of that version.
pub(crate) async fn changed(db: &mut SqliteConnection, after: i64, limit: i64, currency: Currency) -> Result<Vec<Order>, Refusal> {
    let rows =
        sqlx::query_as(orders!("WHERE o.version > ? ORDER BY o.version LIMIT ?")).bind(after).bind(limit).fetch_all(&mut *db).await?;
    assemble(db, rows, currency).await
}

/// The newest `limit` orders of a viewer.
pub(crate) async fn of_viewer(db: &mut SqliteConnection, viewer: &str, limit: i64, currency: Currency) -> Result<Vec<Order>, Refusal> {
    let rows =
        sqlx::query_as(orders!("WHERE o.viewer = ? ORDER BY o.no DESC LIMIT ?")).bind(viewer).bind(limit).fetch_all(&mut *db).await?;
    assemble(db, rows, currency).await
}

/// Numbers that a column keeps small by its check.
fn small(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// Orders with all that belongs to them, in four queries however many there are.
async fn assemble(db: &mut SqliteConnection, rows: Vec<OrderRow>, currency: Currency) -> Result<Vec<Order>, Refusal> {
    let ids = serde_json::to_string(&rows.iter().map(|r| r.id.as_str()).collect::<Vec<_>>())?;
    let money = |amount| Money::new(amount, currency);
    let lines: Vec<LineRow> = sqlx::query_as(
        "SELECT order_id, product, sku, title, sku_title, quantity, unit_price FROM order_line
         WHERE order_id IN (SELECT value FROM json_each(?)) ORDER BY order_id, position",
    )
    .bind(&ids)
    .fetch_all(&mut *db)
    .await?;
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
    let parcels: Vec<ParcelRow> = sqlx::query_as(
        "SELECT id, order_id, carrier, tracking, at_ms FROM parcel
         WHERE order_id IN (SELECT value FROM json_each(?)) ORDER BY order_id, position",
    )
    .bind(&ids)
    .fetch_all(&mut *db)
    .await?;
    let content: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT l.parcel, l.line, l.quantity FROM parcel p JOIN parcel_line l ON l.parcel = p.id
         WHERE p.order_id IN (SELECT value FROM json_each(?)) ORDER BY l.parcel, l.line",
    )
    .bind(&ids)
    .fetch_all(&mut *db)
    .await?;
    let mut pieces: HashMap<String, Vec<LinePieces>> = HashMap::new();
    for (parcel, line, quantity) in content {
        pieces.entry(parcel).or_default().push(LinePieces { line: small(line), quantity: small(quantity) });
    }
    let mut shipments: HashMap<String, Vec<Shipment>> = HashMap::new();
    for p in parcels {
        let lines = pieces.remove(&p.id).unwrap_or_default();
        shipments.entry(p.order_id).or_default().push(Shipment {
            id: p.id,
            carrier: p.carrier,
            tracking: p.tracking,
            lines,
            at_ms: p.at_ms,
        });
    }
    let asked: Vec<AskedRow> = sqlx::query_as(
        "SELECT id, order_id, line, quantity, kind, state, amount, reason, answer, asked_ms, updated_ms FROM after_sale
         WHERE order_id IN (SELECT value FROM json_each(?)) ORDER BY order_id, asked_ms, id",
    )
    .bind(&ids)
    .fetch_all(db)
    .await?;
    let mut after_sales: HashMap<String, Vec<AfterSale>> = HashMap::new();
    for a in asked {
        after_sales.entry(a.order_id).or_default().push(AfterSale {
            id: a.id,
            line: a.line.map(small),
            quantity: small(a.quantity),
            kind: a.kind,
            state: a.state,
            amount: money(a.amount),
            reason: a.reason,
            answer: a.answer,
            asked_at_ms: a.asked_ms,
            updated_at_ms: a.updated_ms,
        });
    }
    let order = |row: OrderRow| Order {
        state: row.state(),
        lines: by_order.remove(&row.id).unwrap_or_default(),
        shipments: shipments.remove(&row.id).unwrap_or_default(),
        after_sales: after_sales.remove(&row.id).unwrap_or_default(),
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
    };
    Ok(rows.into_iter().map(order).collect())
}
