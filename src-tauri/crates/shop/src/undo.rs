//! Money and pieces on their way back: cancelling and refunding an order.

use crate::catalogue::{self, Pieces};
use crate::change::Change;
use crate::coupons;
use crate::input::{self, invalid};
use crate::orders;
use crate::orders_read::OrderRow;
use crate::parcels;
use crate::refusal::Refusal;
use crate::wire::{OrderState, Payment, RefundForm};

/// Undoes an order that was not sent: pieces, coupon and money go back, its totals stay as placed.
pub(crate) async fn cancel(change: &mut Change<'_>, row: &OrderRow, reason: &str) -> Result<(), Refusal> {
    let state = row.state();
    let payment = match state {
        OrderState::Cancelled => return Ok(()),
        OrderState::AwaitingPayment => Payment::Awaiting,
        OrderState::ToShip => Payment::Refunded,
        OrderState::PartlyShipped | OrderState::Shipped | OrderState::Delivered | OrderState::AfterSale | OrderState::Refunded => {
            return Err(Refusal::WrongState(state));
        }
    };
    if payment == Payment::Refunded && row.refunded < row.total {
        give_money_back(change, &row.id, row.total - row.refunded).await?;
    }
    sqlx::query("UPDATE orders SET payment = ?, after_sale = 'cancelled', cancel_reason = ?, reserved_until_ms = NULL WHERE id = ?")
        .bind(payment)
        .bind(reason)
        .bind(&row.id)
        .execute(change.db())
        .await?;
    coupons::give_back(change, &row.id).await?;
    orders::touch(change, &row.id).await?;
    match payment {
        Payment::Awaiting => catalogue::move_pieces(change, &row.id, Pieces::Released).await,
        _ => take_back(change, &row.id, None).await,
    }
}

/// Gives back what the form names, all that is left if it names nothing.
pub(crate) async fn refund(change: &mut Change<'_>, row: &OrderRow, form: &RefundForm) -> Result<(), Refusal> {
    if !matches!(row.payment, Payment::Paid | Payment::PartlyRefunded) {
        return Err(Refusal::WrongState(row.state()));
    }
    let rest = row.total - row.refunded;
    let amount = match form.amount {
        Some(money) => input::money("amount", money.into(), change.currency, 1)?,
        None => rest,
    };
    if amount > rest {
        return Err(invalid("amount", "range"));
    }
    give_back(change, row, amount, None).await?;
    orders::touch(change, &row.id).await
}

/// Gives money back; with all of it, or with pieces of a line, what has not left the house can be sold again. The order gets
/// its new version from the caller.
pub(crate) async fn give_back(change: &mut Change<'_>, row: &OrderRow, amount: i64, line: Option<(i64, i64)>) -> Result<(), Refusal> {
    give_money_back(change, &row.id, amount).await?;
    if amount < row.total - row.refunded {
        sqlx::query("UPDATE orders SET payment = 'partly_refunded' WHERE id = ?").bind(&row.id).execute(change.db()).await?;
        if line.is_some() {
            take_back(change, &row.id, line).await?;
            parcels::close_when_sent(change, &row.id).await?;
        }
        return Ok(());
    }
    sqlx::query("UPDATE orders SET payment = 'refunded', after_sale = 'closed' WHERE id = ?").bind(&row.id).execute(change.db()).await?;
    // Nothing is left to ask for.
    let now = change.now_ms;
    sqlx::query("UPDATE after_sale SET state = 'closed', updated_ms = ? WHERE order_id = ? AND state = 'requested'")
        .bind(now)
        .bind(&row.id)
        .execute(change.db())
        .await?;
    take_back(change, &row.id, None).await
}

/// Puts pieces that were sold and have not left the house back onto the shelf: of one line so many at most, or of all lines.
async fn take_back(change: &mut Change<'_>, order: &str, line: Option<(i64, i64)>) -> Result<(), Refusal> {
    let rows: Vec<(i64, String, String, i64)> = sqlx::query_as(
        "SELECT position, product, sku, quantity - sent - returned FROM order_line WHERE order_id = ? AND sent + returned < quantity",
    )
    .bind(order)
    .fetch_all(change.db())
    .await?;
    let mut products: Vec<String> = Vec::new();
    for (position, product, sku, here) in rows {
        let pieces = match line {
            None => here,
            Some((line, most)) if line == position => here.min(most),
            Some(_) => continue,
        };
        sqlx::query("UPDATE order_line SET returned = returned + ? WHERE order_id = ? AND position = ?")
            .bind(pieces)
            .bind(order)
            .bind(position)
            .execute(change.db())
            .await?;
        sqlx::query("UPDATE sku SET on_hand = on_hand + ? WHERE id = ?").bind(pieces).bind(sku).execute(change.db()).await?;
        if !products.contains(&product) {
            products.push(product);
        }
    }
    for product in products {
        catalogue::touch(change, &product).await?;
    }
    Ok(())
}

async fn give_money_back(change: &mut Change<'_>, order: &str, amount: i64) -> Result<(), Refusal> {
    let now = change.now_ms;
    sqlx::query("INSERT INTO refund (order_id, amount, at_ms) VALUES (?, ?, ?)")
        .bind(order)
        .bind(amount)
        .bind(now)
        .execute(change.db())
        .await?;
    Ok(())
}
