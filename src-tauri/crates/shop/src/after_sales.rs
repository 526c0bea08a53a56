//! After-sales: a buyer asks for money back, the seller agrees or refuses.

use crate::change::Change;
use crate::idempotency::{Answer, Slot};
use crate::input::{self, invalid};
use crate::orders;
use crate::orders_read::{self, OrderRow};
use crate::refusal::Refusal;
use crate::undo;
use crate::wire::{AfterSaleForm, AfterSaleKind, OrderState};
use axum::http::StatusCode;

/// Longest reason or answer, characters.
const WORDS_MOST: usize = 200;
/// Most requests about one order.
const REQUESTS_MOST: i64 = 20;

#[derive(sqlx::FromRow)]
struct LineRow {
    quantity: i64,
    unit_price: i64,
    sent: i64,
}

/// A buyer asks, once per key: for the whole order, or for pieces of one line.
pub(crate) async fn ask(change: &mut Change<'_>, slot: Slot, order: &str, viewer: &str, form: &AfterSaleForm) -> Result<Answer, Refusal> {
    if let Some(answer) = slot.replay(change).await? {
        return Ok(answer);
    }
    let row = orders::owned(change.db(), order, viewer).await?;
    let reason = input::text("reason", &form.reason, WORDS_MOST)?;
    match row.state() {
        OrderState::ToShip | OrderState::PartlyShipped | OrderState::Shipped | OrderState::Delivered => {}
        state => return Err(Refusal::WrongState(state)),
    }
    let asked: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM after_sale WHERE order_id = ?").bind(order).fetch_one(change.db()).await?;
    if asked >= REQUESTS_MOST {
        return Err(invalid("reason", "too_many"));
    }
    let wish = Wish::of(change, &row, form).await?;
    if form.kind == AfterSaleKind::ReturnRefund && !wish.was_sent {
        // Nothing has left the house that could come back.
        return Err(invalid("kind", "range"));
    }
    let (id, now) = (uuid::Uuid::new_v4().to_string(), change.now_ms);
    sqlx::query(
        "INSERT INTO after_sale (id, order_id, line, quantity, kind, state, amount, reason, asked_ms, updated_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, 'requested', ?6, ?7, ?8, ?8)",
    )
    .bind(&id)
    .bind(order)
    .bind(form.line.map(i64::from))
    .bind(wish.quantity)
    .bind(form.kind)
    .bind(wish.amount)
    .bind(reason)
    .bind(now)
    .execute(change.db())
    .await?;
    sqlx::query("UPDATE orders SET after_sale = 'requested' WHERE id = ?").bind(order).execute(change.db()).await?;
    orders::touch(change, order).await?;
    let currency = change.currency;
    let answer = Answer::new(StatusCode::CREATED, &orders_read::one(change.db(), order, currency).await?)?;
    slot.keep(change, &answer).await?;
    Ok(answer)
}

/// What a form comes to.
struct Wish {
    quantity: i64,
    amount: i64,
    was_sent: bool,
}

impl Wish {
    async fn of(change: &mut Change<'_>, row: &OrderRow, form: &AfterSaleForm) -> Result<Self, Refusal> {
        let rest = row.total - row.refunded;
        let lines: Vec<LineRow> = sqlx::query_as("SELECT quantity, unit_price, sent FROM order_line WHERE order_id = ? ORDER BY position")
            .bind(&row.id)
            .fetch_all(change.db())
            .await?;
        let Some(at) = form.line else {
            return Ok(Self { quantity: 0, amount: rest, was_sent: lines.iter().any(|l| l.sent > 0) });
        };
        let line = usize::try_from(at).ok().and_then(|at| lines.get(at)).ok_or(invalid("line", "range"))?;
        let refunded: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT line, SUM(quantity) FROM after_sale WHERE order_id = ? AND line IS NOT NULL AND state = 'refunded' GROUP BY line",
        )
        .bind(&row.id)
        .fetch_all(change.db())
        .await?;
        let refunded_of = |at: i64| refunded.iter().find(|(line, _)| *line == at).map_or(0, |(_, pieces)| *pieces);
        let open = line.quantity - refunded_of(i64::from(at));
        let quantity = form.quantity.map_or(open, i64::from);
        if !(1..=open).contains(&quantity) {
            return Err(invalid("quantity", "range"));
        }
        let all_open: i64 = (0_i64..).zip(&lines).map(|(at, line)| line.quantity - refunded_of(at)).sum();
        // The last pieces take what is left, so that no fen is lost in rounding.
        let amount = if quantity == all_open { rest } else { share(row, line.unit_price * quantity).min(rest) };
        Ok(Self { quantity, amount, was_sent: line.sent > 0 })
    }
}

/// What was paid for goods of this price: the discount is spread over all goods.
fn share(row: &OrderRow, price: i64) -> i64 {
    let goods = i128::from(row.total) + i128::from(row.discount);
    if goods == 0 {
        return 0;
    }
    i64::try_from(i128::from(price) * i128::from(row.total) / goods).unwrap_or(0)
}

#[derive(sqlx::FromRow)]
struct Asked {
    line: Option<i64>,
    quantity: i64,
    state: String,
    amount: i64,
}

async fn asked(change: &mut Change<'_>, order: &str, id: &str) -> Result<Asked, Refusal> {
    sqlx::query_as("SELECT line, quantity, state, amount FROM after_sale WHERE id = ? AND order_id = ?")
        .bind(id)
        .bind(order)
        .fetch_optional(change.db())
        .await?
        .ok_or(Refusal::NotFound("after_sale"))
}

/// The seller agrees: the money goes back, and what has not left the house is for sale again.
pub(crate) async fn agree(change: &mut Change<'_>, row: &OrderRow, id: &str) -> Result<(), Refusal> {
    let asked = asked(change, &row.id, id).await?;
    match asked.state.as_str() {
        "requested" => {}
        "refunded" => return Ok(()),
        _ => return Err(Refusal::WrongState(row.state())),
    }
    settle(change, &row.id, id, "refunded", None).await?;
    let amount = asked.amount.min(row.total - row.refunded);
    undo::give_back(change, row, amount, asked.line.map(|line| (line, asked.quantity))).await?;
    orders::touch(change, &row.id).await
}

/// The seller refuses and says why.
pub(crate) async fn refuse(change: &mut Change<'_>, row: &OrderRow, id: &str, reason: &str) -> Result<(), Refusal> {
    let reason = input::text("reason", reason, WORDS_MOST)?;
    match asked(change, &row.id, id).await?.state.as_str() {
        "requested" => {}
        "rejected" => return Ok(()),
        _ => return Err(Refusal::WrongState(row.state())),
    }
    settle(change, &row.id, id, "rejected", Some(&reason)).await?;
    orders::touch(change, &row.id).await
}

async fn settle(change: &mut Change<'_>, order: &str, id: &str, state: &str, answer: Option<&str>) -> Result<(), Refusal> {
    let now = change.now_ms;
    sqlx::query("UPDATE after_sale SET state = ?, answer = ?, updated_ms = ? WHERE id = ?")
        .bind(state)
        .bind(answer)
        .bind(now)
        .bind(id)
        .execute(change.db())
        .await?;
    sqlx::query("UPDATE orders SET after_sale = 'closed' WHERE id = ?").bind(order).execute(change.db()).await?;
    Ok(())
}
