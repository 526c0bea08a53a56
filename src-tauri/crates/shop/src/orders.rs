//! Orders: placed with their pieces reserved, paid, acted on.

use crate::after_sales;
use crate::carts;
use crate::catalogue::{self, Pieces};
use crate::change::Change;
use crate::coupons;
use crate::idempotency::{self, Answer, Slot};
use crate::input::{self, invalid};
use crate::orders_read::{self, OrderRow};
use crate::parcels;
use crate::refusal::Refusal;
use crate::rooms;
use crate::undo;
use crate::wire::{
    BuyerForm, CancelForm, LineForm, Money, Order, OrderForm, OrderState, Outcome, PayForm, Provider, RefundForm, RefuseForm, ShipForm,
};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use stallcast_model::mask_name;

/// How long pieces are kept for an order nobody pays.
const RESERVED_MS: i64 = 15 * 60 * 1_000;
/// How long they are kept once the buyer said the money comes another way: the seller has to see it first.
const RESERVED_MANUAL_MS: i64 = 2 * 60 * 60 * 1_000;
/// Most orders of a viewer that are listed.
const LISTED_MOST: i64 = 50;

#[derive(sqlx::FromRow)]
struct OfferRow {
    product: String,
    number: i64,
    title: String,
    sku_title: String,
    price: i64,
}

/// Where the lines of an order come from.
#[derive(Debug)]
pub(crate) enum Basket {
    Lines(Vec<LineForm>),
    Cart(String),
}

/// A checked order form.
#[derive(Debug)]
pub(crate) struct Checkout {
    viewer: String,
    basket: Basket,
    coupon: Option<String>,
    expected_total: Option<Money>,
    buyer: BuyerForm,
}

impl Checkout {
    pub(crate) fn new(viewer: String, form: &OrderForm) -> Result<Self, Refusal> {
        let basket = match (&form.lines, &form.cart_id) {
            (Some(lines), None) => Basket::Lines(input::lines(lines)?),
            (None, Some(cart)) => Basket::Cart(cart.clone()),
            (Some(_), Some(_)) => return Err(invalid("cartId", "both")),
            (None, None) => return Err(invalid("lines", "missing")),
        };
        let (coupon, expected_total) = (form.coupon_id.clone(), form.expected_total);
        Ok(Self { viewer, basket, coupon, expected_total, buyer: input::buyer(&form.buyer)? })
    }
}

/// Places an order once per key: pieces, coupon, lines, events and the answer in one transaction, or nothing.
pub(crate) async fn place(change: &mut Change<'_>, slot: Slot, checkout: Checkout) -> Result<Answer, Refusal> {
    if let Some(answer) = slot.replay(change).await? {
        return Ok(answer);
    }
    let lines = match &checkout.basket {
        Basket::Lines(lines) => lines.clone(),
        Basket::Cart(cart) => carts::lines(change.db(), cart).await?,
    };
    if lines.is_empty() {
        return Err(invalid("lines", "empty"));
    }
    let (mut offers, mut goods) = (Vec::new(), 0_i64);
    for line in &lines {
        let offer: Option<OfferRow> = sqlx::query_as(
            "SELECT p.id AS product, p.number, p.title, s.title AS sku_title, s.price FROM sku s JOIN product p ON p.id = s.product WHERE s.id = ?",
        )
        .bind(&line.sku_id)
        .fetch_optional(change.db())
        .await?;
        let offer = offer.ok_or(Refusal::NotFound("sku"))?;
        let line_total = offer.price.checked_mul(i64::from(line.quantity));
        goods = line_total.and_then(|t| goods.checked_add(t)).ok_or(invalid("lines", "range"))?;
        catalogue::reserve(change, &line.sku_id, i64::from(line.quantity)).await?;
        offers.push(offer);
    }
    let now = change.now_ms;
    let discount = match &checkout.coupon {
        Some(coupon) => coupons::discount(change.db(), coupon, &checkout.viewer, goods, now).await?,
        None => 0,
    };
    let total = Money::new(goods - discount, change.currency);
    if checkout.expected_total.is_some_and(|expected| expected != total) {
        return Err(Refusal::PriceChanged { total });
    }

    let id = uuid::Uuid::new_v4().to_string();
    let seq = change.next_seq();
    sqlx::query(
        "INSERT INTO orders (id, viewer, buyer_name, buyer_phone, buyer_address, total, discount, coupon, payment, fulfilment, after_sale,
                             placed_ms, updated_ms, reserved_until_ms, version)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'awaiting', 'unshipped', 'none', ?, ?, ?, ?)",
    )
    .bind(&id)
    .bind(&checkout.viewer)
    .bind(&checkout.buyer.name)
    .bind(&checkout.buyer.phone)
    .bind(&checkout.buyer.address)
    .bind(total.amount)
    .bind(discount)
    .bind(&checkout.coupon)
    .bind(now)
    .bind(now)
    .bind(now + RESERVED_MS)
    .bind(seq.number())
    .execute(change.db())
    .await?;
    for (position, (line, offer)) in (0_i64..).zip(lines.iter().zip(&offers)) {
        sqlx::query(
            "INSERT INTO order_line (order_id, position, product, sku, number, title, sku_title, quantity, unit_price) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&id)
        .bind(position)
        .bind(&offer.product)
        .bind(&line.sku_id)
        .bind(offer.number)
        .bind(&offer.title)
        .bind(&offer.sku_title)
        .bind(line.quantity)
        .bind(offer.price)
        .execute(change.db())
        .await?;
    }
    if let Some(coupon) = &checkout.coupon {
        coupons::spend(change, coupon, &checkout.viewer, &id).await?;
    }
    if let Basket::Cart(cart) = &checkout.basket {
        carts::empty(change, cart).await?;
    }
    let hint = OrderEvent { id: &id, version: seq.number() };
    change.tell(seq, "order", false, &hint).await?;
    let mut told: Vec<&str> = Vec::new();
    for offer in &offers {
        if !told.contains(&offer.product.as_str()) {
            told.push(&offer.product);
            catalogue::touch(change, &offer.product).await?;
        }
    }
    let currency = change.currency;
    let order = orders_read::one(change.db(), &id, currency).await?;
    let answer = Answer::new(StatusCode::CREATED, &order)?;
    slot.keep(change, &answer).await?;
    Ok(answer)
}

/// The hint on the seller's stream: what to read again. Never a buyer's field.
#[derive(Serialize)]
struct OrderEvent<'a> {
    id: &'a str,
    version: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SoldEvent {
    buyer: String,
    number: i64,
    title: String,
    quantity: i64,
    program_ms: Option<i64>,
}

/// Gives a changed order its new version and tells it.
pub(crate) async fn touch(change: &mut Change<'_>, id: &str) -> Result<(), Refusal> {
    let (seq, now) = (change.next_seq(), change.now_ms);
    sqlx::query("UPDATE orders SET version = ?, updated_ms = ? WHERE id = ?")
        .bind(seq.number())
        .bind(now)
        .bind(id)
        .execute(change.db())
        .await?;
    let hint = OrderEvent { id, version: seq.number() };
    change.tell(seq, "order", false, &hint).await
}

/// The order of this viewer; someone else's does not exist for them.
pub(crate) async fn owned(db: &mut SqliteConnection, id: &str, viewer: &str) -> Result<OrderRow, Refusal> {
    let row = orders_read::row(db, id).await?;
    if row.viewer == viewer { Ok(row) } else { Err(Refusal::NotFound("order")) }
}

/// One order, for the viewer who placed it.
pub(crate) async fn for_viewer(
    db: &mut SqliteConnection,
    id: &str,
    viewer: &str,
    currency: stallcast_model::Currency,
) -> Result<Order, Refusal> {
    owned(db, id, viewer).await?;
    orders_read::one(db, id, currency).await
}

/// Where answers to a viewer's checkouts are kept.
pub(crate) fn checkout_scope(viewer: &str) -> String {
    format!("order:{viewer}")
}

/// This viewer's orders, newest first; with a key only the one that was placed with it.
pub(crate) async fn list(
    db: &mut SqliteConnection,
    viewer: &str,
    key: Option<&str>,
    currency: stallcast_model::Currency,
) -> Result<Vec<Order>, Refusal> {
    /// All that is needed of a kept answer: the order itself may have changed since.
    #[derive(Deserialize)]
    struct Placed {
        id: String,
    }

    let Some(key) = key else { return orders_read::of_viewer(db, viewer, LISTED_MOST, currency).await };
    let Some(body) = idempotency::kept(db, &checkout_scope(viewer), key).await? else { return Ok(Vec::new()) };
    let placed: Placed = serde_json::from_str(&body)?;
    Ok(vec![for_viewer(db, &placed.id, viewer, currency).await?])
}

/// How an attempt to pay ended. A declined one is recorded, so it is no refusal here.
#[derive(Debug)]
pub(crate) enum Attempt {
    Accepted(Box<Order>),
    Declined,
}

/// A viewer pays.
pub(crate) async fn pay(change: &mut Change<'_>, id: &str, viewer: &str, form: &PayForm) -> Result<Attempt, Refusal> {
    let (row, now, currency) = (owned(change.db(), id, viewer).await?, change.now_ms, change.currency);
    match row.state() {
        OrderState::AwaitingPayment => match (form.provider, form.outcome.unwrap_or(Outcome::Ok)) {
            (Provider::Dummy, Outcome::Decline) => {
                record(change, id, Provider::Dummy, "declined", row.total).await?;
                return Ok(Attempt::Declined);
            }
            (Provider::Dummy, Outcome::Ok) => take_payment(change, &row, Provider::Dummy).await?,
            (Provider::Manual, _) => {
                let pending: Option<i64> = sqlx::query_scalar("SELECT 1 FROM payment WHERE order_id = ? AND outcome = 'pending'")
                    .bind(id)
                    .fetch_optional(change.db())
                    .await?;
                // Asking twice must not keep the pieces for ever.
                if pending.is_none() {
                    record(change, id, Provider::Manual, "pending", row.total).await?;
                    sqlx::query("UPDATE orders SET reserved_until_ms = ? WHERE id = ?")
                        .bind(now + RESERVED_MANUAL_MS)
                        .bind(id)
                        .execute(change.db())
                        .await?;
                    touch(change, id).await?;
                }
            }
        },
        state @ (OrderState::Cancelled | OrderState::Refunded) => return Err(Refusal::WrongState(state)),
        // Paid already: the same press again.
        OrderState::ToShip | OrderState::PartlyShipped | OrderState::Shipped | OrderState::Delivered | OrderState::AfterSale => {}
    }
    Ok(Attempt::Accepted(Box::new(orders_read::one(change.db(), id, currency).await?)))
}

async fn record(change: &mut Change<'_>, order: &str, provider: Provider, outcome: &str, amount: i64) -> Result<(), Refusal> {
    let now = change.now_ms;
    sqlx::query("INSERT INTO payment (order_id, provider, outcome, amount, at_ms) VALUES (?, ?, ?, ?, ?)")
        .bind(order)
        .bind(provider)
        .bind(outcome)
        .bind(amount)
        .bind(now)
        .execute(change.db())
        .await?;
    Ok(())
}

/// The money is here: the promised pieces leave the shelf, the room hears of the sale.
async fn take_payment(change: &mut Change<'_>, row: &OrderRow, provider: Provider) -> Result<(), Refusal> {
    let id = row.id.as_str();
    record(change, id, provider, "ok", row.total).await?;
    sqlx::query("UPDATE orders SET payment = 'paid', reserved_until_ms = NULL WHERE id = ?").bind(id).execute(change.db()).await?;
    touch(change, id).await?;
    catalogue::move_pieces(change, id, Pieces::Sold).await?;
    let program_ms = rooms::program_ms(change).await?;
    let (name, lines): (String, Vec<(i64, String, i64)>) = (
        sqlx::query_scalar("SELECT buyer_name FROM orders WHERE id = ?").bind(id).fetch_one(change.db()).await?,
        sqlx::query_as("SELECT number, title, quantity FROM order_line WHERE order_id = ? ORDER BY position")
            .bind(id)
            .fetch_all(change.db())
            .await?,
    );
    for (number, title, quantity) in lines {
        let seq = change.next_seq();
        change.tell(seq, "sold", true, &SoldEvent { buyer: mask_name(&name), number, title, quantity, program_ms }).await?;
    }
    Ok(())
}

/// What a seller does with an order.
#[derive(Debug)]
pub(crate) enum Action {
    Paid,
    Ship(ShipForm),
    Cancel(CancelForm),
    Refund(RefundForm),
    /// What the buyer asked for is granted.
    Agree(String),
    Refuse(String, RefuseForm),
}

/// Does it once per key.
pub(crate) async fn act(change: &mut Change<'_>, slot: Slot, id: &str, action: Action) -> Result<Answer, Refusal> {
    if let Some(answer) = slot.replay(change).await? {
        return Ok(answer);
    }
    let row = orders_read::row(change.db(), id).await?;
    match action {
        Action::Paid => mark_paid(change, &row).await?,
        Action::Ship(form) => parcels::ship(change, &row, &form).await?,
        Action::Cancel(form) => undo::cancel(change, &row, &input::text("reason", &form.reason, 200)?).await?,
        Action::Refund(form) => undo::refund(change, &row, &form).await?,
        Action::Agree(asked) => after_sales::agree(change, &row, &asked).await?,
        Action::Refuse(asked, form) => after_sales::refuse(change, &row, &asked, &form.reason).await?,
    }
    let currency = change.currency;
    let answer = Answer::new(StatusCode::OK, &orders_read::one(change.db(), id, currency).await?)?;
    slot.keep(change, &answer).await?;
    Ok(answer)
}

async fn mark_paid(change: &mut Change<'_>, row: &OrderRow) -> Result<(), Refusal> {
    match row.state() {
        OrderState::AwaitingPayment => take_payment(change, row, Provider::Manual).await,
        state @ (OrderState::Cancelled | OrderState::Refunded) => Err(Refusal::WrongState(state)),
        _ => Ok(()),
    }
}

/// Unpaid orders whose time is over.
pub(crate) async fn expiring(db: &mut SqliteConnection, now_ms: i64) -> Result<Vec<String>, Refusal> {
    Ok(sqlx::query_scalar("SELECT id FROM orders WHERE reserved_until_ms <= ? ORDER BY reserved_until_ms LIMIT 100")
        .bind(now_ms)
        .fetch_all(db)
        .await?)
}

/// Cancels one of them, unless it was paid in the meantime.
pub(crate) async fn expire(change: &mut Change<'_>, id: &str) -> Result<(), Refusal> {
    let row = orders_read::row(change.db(), id).await?;
    let due: Option<i64> = sqlx::query_scalar("SELECT 1 FROM orders WHERE id = ? AND reserved_until_ms <= ?")
        .bind(id)
        .bind(change.now_ms)
        .fetch_optional(change.db())
        .await?;
    match (due, row.state()) {
        (Some(_), OrderState::AwaitingPayment) => undo::cancel(change, &row, "expired").await,
        _ => Ok(()),
    }
}
