//! Parcels: an order leaves the house at once or in parts.

use crate::change::Change;
use crate::input::{self, invalid};
use crate::orders;
use crate::orders_read::OrderRow;
use crate::refusal::Refusal;
use crate::wire::{AfterState, Fulfilment, LinePieces, Payment, ShipForm};
use std::collections::BTreeMap;

/// Most parcels of an order.
const PARCELS_MOST: i64 = 50;

/// Sends what the form names, all that is left if it names nothing.
pub(crate) async fn ship(change: &mut Change<'_>, row: &OrderRow, form: &ShipForm) -> Result<(), Refusal> {
    let (carrier, tracking) = (input::text("carrier", &form.carrier, 64)?, input::text("tracking", &form.tracking, 64)?);
    let known: Option<String> = sqlx::query_scalar("SELECT id FROM parcel WHERE order_id = ? AND carrier = ? AND tracking = ?")
        .bind(&row.id)
        .bind(&carrier)
        .bind(&tracking)
        .fetch_optional(change.db())
        .await?;
    if let Some(parcel) = known {
        return if form.lines.is_empty() || pieces_in(change, &parcel).await? == wanted(&form.lines)? {
            // Somebody repeats it with a new key.
            Ok(())
        } else {
            Err(Refusal::WrongState(row.state()))
        };
    }
    match (row.payment, row.fulfilment, row.after_sale) {
        (
            Payment::Paid | Payment::PartlyRefunded,
            Fulfilment::Unshipped | Fulfilment::PartlyShipped,
            AfterState::None | AfterState::Closed,
        ) => {}
        _ => return Err(Refusal::WrongState(row.state())),
    }
    let left = left(change, &row.id).await?;
    let content = if form.lines.is_empty() { left.clone() } else { wanted(&form.lines)? };
    if content.is_empty() || content.iter().any(|(line, quantity)| left.get(line).is_none_or(|left| quantity > left)) {
        return Err(invalid("lines", "range"));
    }
    let position: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM parcel WHERE order_id = ?").bind(&row.id).fetch_one(change.db()).await?;
    if position >= PARCELS_MOST {
        return Err(invalid("lines", "too_long"));
    }
    let (id, now) = (uuid::Uuid::new_v4().to_string(), change.now_ms);
    sqlx::query("INSERT INTO parcel (id, order_id, position, carrier, tracking, at_ms) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(&id)
        .bind(&row.id)
        .bind(position)
        .bind(carrier)
        .bind(tracking)
        .bind(now)
        .execute(change.db())
        .await?;
    for (line, quantity) in &content {
        sqlx::query("INSERT INTO parcel_line (parcel, line, quantity) VALUES (?, ?, ?)")
            .bind(&id)
            .bind(line)
            .bind(quantity)
            .execute(change.db())
            .await?;
        sqlx::query("UPDATE order_line SET sent = sent + ? WHERE order_id = ? AND position = ?")
            .bind(quantity)
            .bind(&row.id)
            .bind(line)
            .execute(change.db())
            .await?;
    }
    close_when_sent(change, &row.id).await?;
    orders::touch(change, &row.id).await
}

/// Nothing is left to send and something was sent: the order is on its way whole.
pub(crate) async fn close_when_sent(change: &mut Change<'_>, order: &str) -> Result<(), Refusal> {
    sqlx::query(
        "UPDATE orders SET fulfilment = 'shipped' WHERE id = ?1 AND fulfilment = 'unshipped'
             AND EXISTS (SELECT 1 FROM parcel WHERE order_id = ?1)
             AND NOT EXISTS (SELECT 1 FROM order_line WHERE order_id = ?1 AND sent + returned < quantity)",
    )
    .bind(order)
    .execute(change.db())
    .await?;
    Ok(())
}

/// Pieces that are neither sent nor taken back, by line; lines without any are not among them.
async fn left(change: &mut Change<'_>, order: &str) -> Result<BTreeMap<i64, i64>, Refusal> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT position, quantity - sent - returned FROM order_line WHERE order_id = ? AND sent + returned < quantity")
            .bind(order)
            .fetch_all(change.db())
            .await?;
    Ok(rows.into_iter().collect())
}

async fn pieces_in(change: &mut Change<'_>, parcel: &str) -> Result<BTreeMap<i64, i64>, Refusal> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("SELECT line, quantity FROM parcel_line WHERE parcel = ?").bind(parcel).fetch_all(change.db()).await?;
    Ok(rows.into_iter().collect())
}

/// What a form names: a line that it names twice is the sum.
fn wanted(lines: &[LinePieces]) -> Result<BTreeMap<i64, i64>, Refusal> {
    if lines.len() > input::LINES_MOST {
        return Err(invalid("lines", "too_long"));
    }
    let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
    for pieces in lines {
        if pieces.quantity == 0 || pieces.quantity > input::QUANTITY_MOST {
            return Err(invalid("quantity", "range"));
        }
        *sums.entry(i64::from(pieces.line)).or_default() += i64::from(pieces.quantity);
    }
    Ok(sums)
}
