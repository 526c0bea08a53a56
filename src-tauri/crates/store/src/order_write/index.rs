//! The text index and the buyers' marks: with each write, and for rows of an older schema.

use super::{ROWS, Winner};
use crate::text::Tokens;
use crate::{Sealer, Store, StoreError, buyer};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use std::collections::HashMap;

/// Orders indexed in one transaction after an upgrade.
const INDEXED_AT_ONCE: i64 = 500;

/// Brings the text index in step with rows whose tokens changed.
pub(super) async fn index(tx: &mut SqliteConnection, mut winners: Vec<&Winner>) -> Result<(), StoreError> {
    winners.retain(|w| w.stored.as_ref().is_none_or(|s| s.key != w.key || s.tokens != Some(w.tokens.1)));
    winners.sort_unstable_by_key(|w| w.key);
    for winner in winners.iter().filter(|w| w.stored.is_some()) {
        set_tokens(tx, winner.key, &winner.tokens.0, winner.tokens.1).await?;
    }
    let new: Vec<_> = winners.into_iter().filter(|w| w.stored.is_none()).collect();
    for chunk in new.chunks(ROWS) {
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new("INSERT INTO order_text (rowid, tokens) ");
        sql.push_values(chunk, |mut row, winner| {
            row.push_bind(winner.key).push_bind(winner.tokens.0.as_str());
        });
        sql.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// Replaces what the text index holds of one order.
async fn set_tokens(tx: &mut SqliteConnection, key: i64, tokens: &str, digest: i64) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO order_text (rowid, tokens) VALUES (?, ?)").bind(key).bind(tokens).execute(&mut *tx).await?;
    sqlx::query("UPDATE orders SET tokens = ? WHERE key = ?").bind(digest).bind(key).execute(tx).await?;
    Ok(())
}

/// An order as the text index sees it.
#[derive(sqlx::FromRow)]
struct Plain {
    key: i64,
    connection: String,
    id: String,
    number: String,
    buyer: String,
    status: String,
    sealed: Option<Vec<u8>>,
}

/// Cuts up stored rows anew: `keys` is a JSON list.
pub(crate) async fn index_keys(tx: &mut SqliteConnection, keys: &str) -> Result<(), StoreError> {
    index_rows(tx, keys, None).await.map(drop)
}

/// Cuts up stored rows anew: `keys` is a JSON list. With a sealer, their buyers get marks.
async fn index_rows(tx: &mut SqliteConnection, keys: &str, sealer: Option<&dyn Sealer>) -> Result<usize, StoreError> {
    let rows: Vec<Plain> = sqlx::query_as(
        "SELECT o.key, o.connection, o.id, o.number, o.buyer, o.status, b.sealed
         FROM json_each(?) AS j CROSS JOIN orders AS o ON o.key = j.value LEFT JOIN buyer AS b ON b.order_key = o.key ORDER BY o.key",
    )
    .bind(keys)
    .fetch_all(&mut *tx)
    .await?;
    let lines: Vec<(i64, String, String)> =
        sqlx::query_as("SELECT order_key, product, title FROM order_line WHERE order_key IN (SELECT value FROM json_each(?))")
            .bind(keys)
            .fetch_all(&mut *tx)
            .await?;
    let mut lines_of: HashMap<i64, Vec<(String, String)>> = HashMap::new();
    for (key, product, title) in lines {
        lines_of.entry(key).or_default().push((product, title));
    }
    let numbers: Vec<(i64, String)> = sqlx::query_as(
        "SELECT order_key, tracking FROM shipment WHERE order_key IN (SELECT value FROM json_each(?)) ORDER BY order_key, position",
    )
    .bind(keys)
    .fetch_all(&mut *tx)
    .await?;
    let mut numbers_of: HashMap<i64, Vec<String>> = HashMap::new();
    for (key, tracking) in numbers {
        numbers_of.entry(key).or_default().push(tracking);
    }
    let count = rows.len();
    for row in rows {
        let mut tokens = Tokens::default();
        for (product, title) in lines_of.remove(&row.key).unwrap_or_default() {
            tokens.product(&row.connection, &product);
            tokens.title(&title);
        }
        tokens.number(&row.number);
        for tracking in numbers_of.remove(&row.key).unwrap_or_default() {
            tokens.number(&tracking);
        }
        tokens.status(&row.status);
        tokens.masked(&row.buyer);
        let (text, digest) = tokens.finish();
        set_tokens(tx, row.key, &text, digest).await?;
        let Some((sealer, sealed)) = sealer.zip(row.sealed) else { continue };
        match buyer::marks_of(sealer, &row.connection, &row.id, &sealed) {
            Ok((name, phone)) => {
                sqlx::query("UPDATE buyer SET name_mark = ?, phone_mark = ? WHERE order_key = ?")
                    .bind(name)
                    .bind(phone)
                    .bind(row.key)
                    .execute(&mut *tx)
                    .await?;
            }
            // It stays as it is; only the search by name does not find it.
            Err(e) => tracing::warn!(error = %e, "a sealed buyer does not open"),
        }
    }
    Ok(count)
}

impl Store {
    /// Rows of an older schema come into the text index and get their marks.
    pub(crate) async fn index_missing(&self) -> Result<(), StoreError> {
        let mut all = 0;
        loop {
            let sealer = std::sync::Arc::clone(&self.inner.sealer);
            let done = self.write(move |tx| {
                Box::pin(async move {
                    let keys: Vec<i64> = sqlx::query_scalar("SELECT key FROM orders WHERE tokens IS NULL ORDER BY key LIMIT ?")
                        .bind(INDEXED_AT_ONCE)
                        .fetch_all(&mut *tx)
                        .await?;
                    let keys = serde_json::to_string(&keys).map_err(|e| StoreError::broken("order key", e))?;
                    index_rows(tx, &keys, Some(&*sealer)).await
                })
            });
            match done.await? {
                0 => break,
                done => all += done,
            }
        }
        if all > 0 {
            tracing::info!(orders = all, "older orders came into the search");
        }
        self.index_missing_products().await
    }
}
