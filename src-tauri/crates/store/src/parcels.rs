//! Parcels and after-sales of orders: written with the order, read with the order.

use crate::buyer::{AfterSaleWords, words_of};
use crate::words::{Word, small};
use crate::{Sealer, StoreError};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use stallcast_model::{AfterSale, AfterSaleId, AfterSaleKind, AfterSaleState, LinePieces, Money, Order, Shipment, Waybill};
use std::collections::HashMap;

/// Rows of one INSERT.
const ROWS: usize = 50;

/// Takes away lines, parcels and after-sales of orders that are written anew: four statements however many there are.
pub(crate) async fn clear(tx: &mut SqliteConnection, keys: &[i64]) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let keys = serde_json::to_string(keys).map_err(|e| StoreError::broken("order key", e))?;
    for statement in [
        "DELETE FROM order_line WHERE order_key IN (SELECT value FROM json_each(?))",
        "DELETE FROM shipment WHERE order_key IN (SELECT value FROM json_each(?))",
        "DELETE FROM shipment_line WHERE order_key IN (SELECT value FROM json_each(?))",
        "DELETE FROM after_sale WHERE order_key IN (SELECT value FROM json_each(?))",
    ] {
        sqlx::query(statement).bind(&keys).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Writes parcels and after-sales of orders that have none yet. Orders without them cost nothing.
pub(crate) async fn insert(tx: &mut SqliteConnection, orders: &[(i64, &Order)]) -> Result<(), StoreError> {
    let shipments: Vec<_> = orders.iter().flat_map(|(key, o)| (0_i64..).zip(&o.shipments).map(|(at, s)| (*key, at, s))).collect();
    for chunk in shipments.chunks(ROWS) {
        let mut sql: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO shipment (order_key, position, id, carrier, tracking, shipped_at_ms, delivered_at_ms) ");
        sql.push_values(chunk, |mut row, (key, at, shipment)| {
            row.push_bind(*key)
                .push_bind(*at)
                .push_bind(shipment.id.as_str())
                .push_bind(shipment.waybill.carrier.as_str())
                .push_bind(shipment.waybill.tracking.as_str())
                .push_bind(shipment.shipped_at_ms)
                .push_bind(shipment.delivered_at_ms);
        });
        sql.build().execute(&mut *tx).await?;
    }
    let lines: Vec<_> = shipments.iter().flat_map(|(key, at, s)| s.lines.iter().map(|pieces| (*key, *at, *pieces))).collect();
    for chunk in lines.chunks(ROWS) {
        // A platform that names a line twice in one parcel means the sum.
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new("INSERT INTO shipment_line (order_key, shipment, line, quantity) ");
        sql.push_values(chunk, |mut row, (key, at, pieces)| {
            row.push_bind(*key).push_bind(*at).push_bind(i64::from(pieces.line)).push_bind(i64::from(pieces.quantity));
        });
        sql.push(" ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity");
        sql.build().execute(&mut *tx).await?;
    }
    let asked: Vec<_> = orders.iter().flat_map(|(key, o)| (0_i64..).zip(&o.after_sales).map(|(at, a)| (*key, at, a))).collect();
    for chunk in asked.chunks(ROWS) {
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO after_sale (order_key, position, id, line, quantity, kind, state, raw_state, amount, deadline_ms, updated_at_ms) ",
        );
        sql.push_values(chunk, |mut row, (key, at, asked)| {
            row.push_bind(*key)
                .push_bind(*at)
                .push_bind(asked.id.as_str())
                .push_bind(asked.line.map(i64::from))
                .push_bind(i64::from(asked.quantity))
                .push_bind(asked.kind.word())
                .push_bind(asked.state.word())
                .push_bind(asked.raw_state.as_str())
                .push_bind(asked.amount.amount)
                .push_bind(asked.deadline_ms)
                .push_bind(asked.updated_at_ms);
        });
        sql.build().execute(&mut *tx).await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct ShipmentRow {
    order_key: i64,
    position: i64,
    id: String,
    carrier: String,
    tracking: String,
    shipped_at_ms: Option<i64>,
    delivered_at_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct AfterSaleRow {
    order_key: i64,
    id: String,
    line: Option<i64>,
    quantity: i64,
    kind: String,
    state: String,
    raw_state: String,
    amount: i64,
    deadline_ms: Option<i64>,
    updated_at_ms: i64,
}

impl AfterSaleRow {
    fn read(self, currency: stallcast_model::Currency, words: Option<&AfterSaleWords>) -> Result<AfterSale, StoreError> {
        let words = words.cloned().unwrap_or_default();
        Ok(AfterSale {
            id: AfterSaleId::new(self.id),
            line: self.line.map(small),
            quantity: small(self.quantity),
            kind: AfterSaleKind::from_word(&self.kind)?,
            state: AfterSaleState::from_word(&self.state)?,
            raw_state: self.raw_state,
            amount: Money::new(self.amount, currency),
            reason: words.reason,
            answer: words.answer,
            deadline_ms: self.deadline_ms,
            updated_at_ms: self.updated_at_ms,
        })
    }
}

/// Parcels and after-sales of a page of orders, by order key.
#[derive(Default)]
pub(crate) struct Parcels {
    shipments: HashMap<i64, Vec<Shipment>>,
    after_sales: HashMap<i64, Vec<AfterSaleRow>>,
    sealed: HashMap<i64, Vec<u8>>,
}

impl Parcels {
    /// Of the orders with these keys, a JSON list, in four queries however many there are.
    pub(crate) async fn of(tx: &mut SqliteConnection, keys: &str) -> Result<Self, StoreError> {
        let rows: Vec<ShipmentRow> = sqlx::query_as(
            "SELECT order_key, position, id, carrier, tracking, shipped_at_ms, delivered_at_ms FROM shipment
             WHERE order_key IN (SELECT value FROM json_each(?)) ORDER BY order_key, position",
        )
        .bind(keys)
        .fetch_all(&mut *tx)
        .await?;
        let mut lines: HashMap<(i64, i64), Vec<LinePieces>> = HashMap::new();
        if !rows.is_empty() {
            let found: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
                "SELECT order_key, shipment, line, quantity FROM shipment_line
                 WHERE order_key IN (SELECT value FROM json_each(?)) ORDER BY order_key, shipment, line",
            )
            .bind(keys)
            .fetch_all(&mut *tx)
            .await?;
            for (key, shipment, line, quantity) in found {
                lines.entry((key, shipment)).or_default().push(LinePieces { line: small(line), quantity: small(quantity) });
            }
        }
        let mut parcels = Self::default();
        for row in rows {
            parcels.shipments.entry(row.order_key).or_default().push(Shipment {
                lines: lines.remove(&(row.order_key, row.position)).unwrap_or_default(),
                id: row.id,
                waybill: Waybill { carrier: row.carrier, tracking: row.tracking },
                shipped_at_ms: row.shipped_at_ms,
                delivered_at_ms: row.delivered_at_ms,
            });
        }
        let asked: Vec<AfterSaleRow> = sqlx::query_as(
            "SELECT order_key, id, line, quantity, kind, state, raw_state, amount, deadline_ms, updated_at_ms FROM after_sale
             WHERE order_key IN (SELECT value FROM json_each(?)) ORDER BY order_key, position",
        )
        .bind(keys)
        .fetch_all(&mut *tx)
        .await?;
        if asked.is_empty() {
            return Ok(parcels);
        }
        let sealed: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT order_key, sealed FROM buyer WHERE order_key IN (SELECT value FROM json_each(?1))
             AND order_key IN (SELECT order_key FROM after_sale WHERE order_key IN (SELECT value FROM json_each(?1)))",
        )
        .bind(keys)
        .fetch_all(tx)
        .await?;
        parcels.sealed = sealed.into_iter().collect();
        for row in asked {
            parcels.after_sales.entry(row.order_key).or_default().push(row);
        }
        Ok(parcels)
    }

    /// Puts what belongs to it into an order.
    pub(crate) fn complete(&mut self, sealer: &dyn Sealer, connection: &str, key: i64, order: &mut Order) -> Result<(), StoreError> {
        order.shipments = self.shipments.remove(&key).unwrap_or_default();
        let Some(rows) = self.after_sales.remove(&key) else { return Ok(()) };
        let words = match self.sealed.remove(&key) {
            Some(sealed) => words_of(sealer, connection, order.id.as_str(), &sealed)?,
            None => HashMap::new(),
        };
        let currency = order.total.currency;
        let read = |row: AfterSaleRow| {
            let words = words.get(&row.id);
            row.read(currency, words)
        };
        order.after_sales = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(())
    }
}
