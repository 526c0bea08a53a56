//! Carts: what a viewer wants, without any promise.

use crate::change::Change;
use crate::refusal::Refusal;
use crate::wire::{Cart, LineForm, Money, OrderLine};
use sqlx::SqliteConnection;
use stallcast_model::Currency;

/// Most carts kept; the oldest go first.
const CARTS_MOST: i64 = 10_000;
/// Carts nobody touched for this long are forgotten.
pub(crate) const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// An empty cart.
pub(crate) async fn create(change: &mut Change<'_>) -> Result<Cart, Refusal> {
    let (id, now) = (uuid::Uuid::new_v4().to_string(), change.now_ms);
    sqlx::query("DELETE FROM cart WHERE id IN (SELECT id FROM cart ORDER BY touched_ms DESC LIMIT -1 OFFSET ?)")
        .bind(CARTS_MOST - 1)
        .execute(change.db())
        .await?;
    sqlx::query("INSERT INTO cart (id, touched_ms) VALUES (?, ?)").bind(&id).bind(now).execute(change.db()).await?;
    Ok(Cart { id, lines: Vec::new(), total: Money::new(0, change.currency) })
}

/// Replaces the lines.
pub(crate) async fn put_lines(change: &mut Change<'_>, id: &str, lines: &[LineForm]) -> Result<Cart, Refusal> {
    empty(change, id).await?;
    for (position, line) in (0_i64..).zip(lines) {
        let known: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM sku WHERE id = ?").bind(&line.sku_id).fetch_optional(change.db()).await?;
        known.ok_or(Refusal::NotFound("sku"))?;
        sqlx::query("INSERT INTO cart_line (cart, position, sku, quantity) VALUES (?, ?, ?, ?)")
            .bind(id)
            .bind(position)
            .bind(&line.sku_id)
            .bind(line.quantity)
            .execute(change.db())
            .await?;
    }
    let currency = change.currency;
    show(change.db(), id, currency).await
}

/// Takes all lines out.
pub(crate) async fn empty(change: &mut Change<'_>, id: &str) -> Result<(), Refusal> {
    let now = change.now_ms;
    let found = sqlx::query("UPDATE cart SET touched_ms = ? WHERE id = ?").bind(now).bind(id).execute(change.db()).await?;
    if found.rows_affected() != 1 {
        return Err(Refusal::NotFound("cart"));
    }
    sqlx::query("DELETE FROM cart_line WHERE cart = ?").bind(id).execute(change.db()).await?;
    Ok(())
}

/// SKUs and quantities.
pub(crate) async fn lines(db: &mut SqliteConnection, id: &str) -> Result<Vec<LineForm>, Refusal> {
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM cart WHERE id = ?").bind(id).fetch_optional(&mut *db).await?;
    known.ok_or(Refusal::NotFound("cart"))?;
    let rows: Vec<(String, u32)> =
        sqlx::query_as("SELECT sku, quantity FROM cart_line WHERE cart = ? ORDER BY position").bind(id).fetch_all(db).await?;
    Ok(rows.into_iter().map(|(sku_id, quantity)| LineForm { sku_id, quantity }).collect())
}

#[derive(sqlx::FromRow)]
struct CartRow {
    product: String,
    sku: String,
    title: String,
    sku_title: String,
    quantity: i64,
    price: i64,
}

async fn show(db: &mut SqliteConnection, id: &str, currency: Currency) -> Result<Cart, Refusal> {
    let rows: Vec<CartRow> = sqlx::query_as(
        "SELECT p.id AS product, s.id AS sku, p.title, s.title AS sku_title, l.quantity, s.price
         FROM cart_line l JOIN sku s ON s.id = l.sku JOIN product p ON p.id = s.product WHERE l.cart = ? ORDER BY l.position",
    )
    .bind(id)
    .fetch_all(db)
    .await?;
    let total = rows.iter().try_fold(0_i64, |sum, r| r.price.checked_mul(r.quantity).and_then(|line| sum.checked_add(line)));
    let total = total.ok_or(crate::input::invalid("lines", "range"))?;
    let line = |r: CartRow| OrderLine {
        product_id: r.product,
        sku_id: r.sku,
        title: r.title,
        sku_title: r.sku_title,
        quantity: r.quantity,
        unit_price: Money::new(r.price, currency),
    };
    Ok(Cart { id: id.to_owned(), lines: rows.into_iter().map(line).collect(), total: Money::new(total, currency) })
}
