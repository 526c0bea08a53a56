//! Orders, as the use-cases need them.

use super::Intent;
use crate::error::StudioError;
use stallcast_model::{AfterSaleAnswer, AfterSaleId, ConnectionId, LinePieces, Order, OrderId, Waybill};
use stallcast_store::{OrderQuery, Store};
use std::collections::HashMap;

pub(crate) use stallcast_store::OrderSearch;

/// An order of one connection.
#[derive(Debug, Clone)]
pub(crate) struct OrderRow {
    pub order: Order,
    pub connection_id: String,
    /// Name of the connection.
    pub connection: String,
    pub seen_at_ms: i64,
    /// Name, phone and address were taken away.
    pub purged: bool,
    /// The last parcel.
    pub ship: Option<Intent>,
    /// The seller's answers.
    pub answers: HashMap<AfterSaleId, Intent>,
}

/// The newest orders and the counts of all.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrderList {
    pub rows: Vec<OrderRow>,
    /// Position behind the last row; `None` when these are all.
    pub next: Option<i64>,
    pub total: u32,
    pub awaiting_payment: u32,
    pub to_ship: u32,
    pub after_sale: u32,
}

pub(crate) async fn orders(store: &Store, most: u32) -> Result<OrderList, StudioError> {
    // One more tells whether there are more.
    let query = OrderQuery { limit: most.saturating_add(1), ..OrderQuery::default() };
    let (mut rows, counts) = store.orders_and_counts(query).await?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let next = (rows.len() > most).then(|| most.checked_sub(1).and_then(|last| rows.get(last)).map(|row| row.key)).flatten();
    rows.truncate(most);
    Ok(OrderList {
        rows: rows.into_iter().map(order_row).collect(),
        next,
        total: counts.total,
        awaiting_payment: counts.awaiting_payment,
        to_ship: counts.to_ship.saturating_add(counts.partly_shipped),
        after_sale: counts.after_sale,
    })
}

/// A page of the orders that match, and where to go on.
pub(crate) async fn search_orders(store: &Store, search: OrderSearch) -> Result<(Vec<OrderRow>, Option<i64>), StudioError> {
    let page = store.search_orders(search).await?;
    Ok((page.rows.into_iter().map(order_row).collect(), page.next))
}

fn order_row(row: stallcast_store::OrderRow) -> OrderRow {
    OrderRow {
        order: row.order,
        connection_id: row.connection.to_string(),
        connection: row.connection_name,
        seen_at_ms: row.seen_at_ms,
        purged: row.purged_at_ms.is_some(),
        ship: row.ship.and_then(Intent::of),
        answers: row.answers.into_iter().filter_map(|(id, intent)| Some((id, Intent::of(intent)?))).collect(),
    }
}

/// The order of this id at a connection.
pub(crate) async fn order(store: &Store, connection: &ConnectionId, id: &str) -> Result<Option<OrderRow>, StudioError> {
    Ok(store.order(connection, &OrderId::new(id)).await?.map(order_row))
}

/// The order of one shop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderAt<'a> {
    /// Whose order it is: two shops may give the same id.
    pub connection: &'a str,
    pub order: &'a str,
}

impl OrderAt<'_> {
    fn ids(self) -> (ConnectionId, OrderId) {
        (ConnectionId::new(self.connection), OrderId::new(self.order))
    }
}

pub(crate) async fn ship(
    store: &Store,
    at: OrderAt<'_>,
    waybill: &Waybill,
    lines: &[LinePieces],
    now_ms: i64,
) -> Result<String, StudioError> {
    let (connection, order) = at.ids();
    let intent = store.request_ship(&connection, &order, waybill, lines, now_ms).await?;
    intent.map(|intent| intent.to_string()).ok_or_else(|| StudioError::new("not_found"))
}

pub(crate) async fn answer_after_sale(
    store: &Store,
    at: OrderAt<'_>,
    after_sale: &str,
    answer: &AfterSaleAnswer,
    now_ms: i64,
) -> Result<String, StudioError> {
    let (connection, order) = at.ids();
    let intent = store.answer_after_sale(&connection, &order, &AfterSaleId::new(after_sale), answer, now_ms).await?;
    intent.map(|intent| intent.to_string()).ok_or_else(|| StudioError::new("not_found"))
}
