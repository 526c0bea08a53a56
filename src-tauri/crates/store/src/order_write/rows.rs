//! The rows of orders, lines and buyers.

use super::{ROWS, Winner};
use crate::StoreError;
use crate::words::Word;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

/// Shows that may hold the orders of a page, newest first.
pub(super) struct Shows(Vec<(String, i64, Option<i64>)>);

impl Shows {
    pub(super) async fn around(tx: &mut SqliteConnection, new: &[Winner]) -> Result<Self, StoreError> {
        let times = || new.iter().map(|w| w.new.order.placed_at_ms);
        Ok(Self(
            sqlx::query_as(
                "SELECT id, begun_at_ms, ended_at_ms FROM show WHERE begun_at_ms <= ? AND (ended_at_ms IS NULL OR ended_at_ms > ?)
                 ORDER BY begun_at_ms DESC",
            )
            .bind(times().max())
            .bind(times().min())
            .fetch_all(tx)
            .await?,
        ))
    }

    fn at(&self, placed_at_ms: i64) -> Option<&str> {
        let holds =
            |(_, begun, ended): &&(String, i64, Option<i64>)| *begun <= placed_at_ms && ended.is_none_or(|ended| ended > placed_at_ms);
        self.0.iter().find(holds).map(|(id, ..)| id.as_str())
    }
}

pub(super) async fn insert_orders(
    tx: &mut SqliteConnection,
    connection: &str,
    shows: &Shows,
    new: &[Winner],
    now_ms: i64,
) -> Result<(), StoreError> {
    for chunk in new.chunks(ROWS) {
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO orders (key, connection, id, number, buyer, total, discount, currency, payment, fulfilment, after_sale, status,
                 placed_at_ms, version, raw_status, show, seen_at_ms, changed_at_ms, tokens, body) ",
        );
        sql.push_values(chunk, |mut row, winner| {
            let order = &winner.new.order;
            row.push_bind(winner.key)
                .push_bind(connection)
                .push_bind(order.id.as_str())
                .push_bind(order.number.as_str())
                .push_bind(order.buyer.as_str())
                .push_bind(order.total.amount)
                .push_bind(order.discount.amount)
                .push_bind(order.total.currency.word())
                .push_bind(order.payment.word())
                .push_bind(order.fulfilment.word())
                .push_bind(order.after_sale.word())
                .push_bind(winner.new.status.word())
                .push_bind(order.placed_at_ms)
                .push_bind(order.version)
                .push_bind(order.raw_status.as_str())
                .push_bind(shows.at(order.placed_at_ms))
                .push_bind(now_ms)
                .push_bind(now_ms)
                .push_bind(winner.tokens.1)
                .push_bind(winner.new.body);
        });
        sql.build().execute(&mut *tx).await?;
    }
    Ok(())
}

pub(super) async fn update_order(tx: &mut SqliteConnection, winner: &Winner, now_ms: i64) -> Result<(), StoreError> {
    let order = &winner.new.order;
    sqlx::query(
        "UPDATE orders SET number = ?, buyer = ?, total = ?, discount = ?, currency = ?, payment = ?, fulfilment = ?, after_sale = ?,
             status = ?, placed_at_ms = ?, version = ?, raw_status = ?, changed_at_ms = ?, purged_at_ms = ?,
             body = ?
         WHERE key = ?",
    )
    .bind(&order.number)
    .bind(&order.buyer)
    .bind(order.total.amount)
    .bind(order.discount.amount)
    .bind(order.total.currency.word())
    .bind(order.payment.word())
    .bind(order.fulfilment.word())
    .bind(order.after_sale.word())
    .bind(winner.new.status.word())
    .bind(order.placed_at_ms)
    .bind(order.version)
    .bind(&order.raw_status)
    .bind(now_ms)
    .bind(winner.purged_at_ms)
    .bind(winner.new.body)
    .bind(winner.key)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn insert_lines(tx: &mut SqliteConnection, winners: &[&Winner]) -> Result<(), StoreError> {
    let lines: Vec<_> = winners.iter().flat_map(|w| (0_i64..).zip(&w.new.order.lines).map(|(at, line)| (w.key, at, line))).collect();
    for chunk in lines.chunks(ROWS) {
        let mut sql: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO order_line (order_key, position, product, sku, title, quantity, unit_price) ");
        sql.push_values(chunk, |mut row, (key, at, line)| {
            row.push_bind(*key)
                .push_bind(*at)
                .push_bind(line.product.as_str())
                .push_bind(line.sku.as_str())
                .push_bind(line.title.as_str())
                .push_bind(i64::from(line.quantity))
                .push_bind(line.unit_price.amount);
        });
        sql.build().execute(&mut *tx).await?;
    }
    Ok(())
}

pub(super) async fn insert_buyers(tx: &mut SqliteConnection, winners: &[&Winner]) -> Result<(), StoreError> {
    let kept: Vec<_> = winners.iter().filter(|w| w.purged_at_ms.is_none()).collect();
    for chunk in kept.chunks(ROWS) {
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new("INSERT OR REPLACE INTO buyer (order_key, sealed, name_mark, phone_mark) ");
        sql.push_values(chunk, |mut row, winner| {
            let buyer = &winner.new.buyer;
            row.push_bind(winner.key).push_bind(buyer.sealed.as_slice()).push_bind(buyer.name_mark).push_bind(buyer.phone_mark);
        });
        sql.build().execute(&mut *tx).await?;
    }
    Ok(())
}
