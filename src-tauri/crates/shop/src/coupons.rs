//! Coupons: limited in number and time, one per viewer, used once.

use crate::change::Change;
use crate::input::{self, invalid};
use crate::refusal::Refusal;
use crate::rooms;
use crate::wire::{Coupon, CouponForm, CouponState, Mine, Money};
use serde::Serialize;
use sqlx::SqliteConnection;
use stallcast_model::{CouponDraft, Currency};

#[derive(sqlx::FromRow)]
struct CouponRow {
    id: String,
    discount: i64,
    threshold: i64,
    quantity: i64,
    claimed: i64,
    valid_s: i64,
    ends_ms: i64,
    withdrawn: bool,
}

impl CouponRow {
    const fn can_be_claimed(&self, now_ms: i64) -> bool {
        !self.withdrawn && now_ms < self.ends_ms && self.claimed < self.quantity
    }

    fn face(self, currency: Currency, now_ms: i64) -> Coupon {
        Coupon {
            state: if self.can_be_claimed(now_ms) { CouponState::Active } else { CouponState::Ended },
            id: self.id,
            discount: Money::new(self.discount, currency),
            threshold: Money::new(self.threshold, currency),
            quantity: self.quantity,
            claimed: self.claimed,
            valid_s: self.valid_s,
            ends_at_ms: self.ends_ms,
        }
    }
}

macro_rules! coupons {
    ($tail:literal) => {
        concat!("SELECT id, discount, threshold, quantity, claimed, valid_s, ends_ms, withdrawn FROM coupon ", $tail)
    };
}

async fn row(db: &mut SqliteConnection, id: &str) -> Result<Option<CouponRow>, Refusal> {
    Ok(sqlx::query_as(coupons!("WHERE id = ?")).bind(id).fetch_optional(db).await?)
}

/// One coupon.
pub(crate) async fn one(db: &mut SqliteConnection, id: &str, currency: Currency, now_ms: i64) -> Result<Coupon, Refusal> {
    Ok(row(db, id).await?.ok_or(Refusal::NotFound("coupon"))?.face(currency, now_ms))
}

/// Those whose time is not over and that were not withdrawn.
pub(crate) async fn open(db: &mut SqliteConnection, currency: Currency, now_ms: i64) -> Result<Vec<Coupon>, Refusal> {
    let rows: Vec<CouponRow> =
        sqlx::query_as(coupons!("WHERE ends_ms > ? AND withdrawn = 0 ORDER BY ends_ms, id")).bind(now_ms).fetch_all(db).await?;
    Ok(rows.into_iter().map(|r| r.face(currency, now_ms)).collect())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CouponEvent {
    coupon: Coupon,
    program_ms: Option<i64>,
}

async fn tell(change: &mut Change<'_>, id: &str) -> Result<Coupon, Refusal> {
    let (currency, now_ms) = (change.currency, change.now_ms);
    let coupon = one(change.db(), id, currency, now_ms).await?;
    let program_ms = rooms::program_ms(change).await?;
    let seq = change.next_seq();
    change.tell(seq, "coupon", true, &CouponEvent { coupon: coupon.clone(), program_ms }).await?;
    Ok(coupon)
}

/// Issues a coupon under the id its client chose. The same again is the same coupon.
pub(crate) async fn issue(change: &mut Change<'_>, id: &str, form: &CouponForm) -> Result<Coupon, Refusal> {
    let (currency, now_ms) = (change.currency, change.now_ms);
    let id = input::id("id", id)?;
    let draft =
        CouponDraft { discount: form.discount.into(), threshold: form.threshold.into(), quantity: form.quantity, valid_s: form.valid_s };
    draft.validate().map_err(|e| invalid(if e.field == "valid_s" { "validS" } else { e.field }, e.rule))?;
    let discount = input::money("discount", draft.discount, currency, 1)?;
    let threshold = input::money("threshold", draft.threshold, currency, 0)?;
    let (quantity, valid_s) = (i64::from(form.quantity), i64::from(form.valid_s));
    if let Some(known) = row(change.db(), &id).await? {
        if (known.discount, known.threshold, known.quantity, known.valid_s) != (discount, threshold, quantity, valid_s) {
            return Err(Refusal::IdempotencyMismatch);
        }
        return Ok(known.face(currency, now_ms));
    }
    sqlx::query("INSERT INTO coupon (id, discount, threshold, quantity, valid_s, ends_ms) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(&id)
        .bind(discount)
        .bind(threshold)
        .bind(quantity)
        .bind(valid_s)
        .bind(now_ms + valid_s * 1_000)
        .execute(change.db())
        .await?;
    tell(change, &id).await
}

/// No more claims; those claimed stay usable until their time is over.
pub(crate) async fn withdraw(change: &mut Change<'_>, id: &str) -> Result<Coupon, Refusal> {
    let (currency, now_ms) = (change.currency, change.now_ms);
    let known = row(change.db(), id).await?.ok_or(Refusal::NotFound("coupon"))?;
    if known.withdrawn {
        return Ok(known.face(currency, now_ms));
    }
    sqlx::query("UPDATE coupon SET withdrawn = 1, end_told = 1 WHERE id = ?").bind(id).execute(change.db()).await?;
    tell(change, id).await
}

/// One for this viewer, if any is left.
pub(crate) async fn claim(change: &mut Change<'_>, id: &str, viewer: &str) -> Result<(), Refusal> {
    let now_ms = change.now_ms;
    row(change.db(), id).await?.ok_or(Refusal::NotFound("coupon"))?;
    let has: Option<i64> = sqlx::query_scalar("SELECT 1 FROM coupon_claim WHERE coupon = ? AND viewer = ?")
        .bind(id)
        .bind(viewer)
        .fetch_optional(change.db())
        .await?;
    if has.is_some() {
        return Err(Refusal::AlreadyClaimed);
    }
    let taken =
        sqlx::query("UPDATE coupon SET claimed = claimed + 1 WHERE id = ? AND withdrawn = 0 AND ends_ms > ? AND claimed < quantity")
            .bind(id)
            .bind(now_ms)
            .execute(change.db())
            .await?;
    if taken.rows_affected() != 1 {
        return Err(Refusal::CouponGone);
    }
    sqlx::query("INSERT INTO coupon_claim (coupon, viewer, at_ms) VALUES (?, ?, ?)")
        .bind(id)
        .bind(viewer)
        .bind(now_ms)
        .execute(change.db())
        .await?;
    tell(change, id).await?;
    Ok(())
}

/// What this viewer holds.
pub(crate) async fn mine(db: &mut SqliteConnection, viewer: &str, now_ms: i64) -> Result<Mine, Refusal> {
    let rows: Vec<(String, bool)> = sqlx::query_as(
        "SELECT c.id, l.order_id IS NOT NULL FROM coupon_claim l JOIN coupon c ON c.id = l.coupon
         WHERE l.viewer = ? AND c.ends_ms > ? ORDER BY l.at_ms, c.id",
    )
    .bind(viewer)
    .bind(now_ms)
    .fetch_all(db)
    .await?;
    let used = rows.iter().filter(|(_, used)| *used).map(|(id, _)| id.clone()).collect();
    Ok(Mine { coupons: rows.into_iter().map(|(id, _)| id).collect(), used })
}

/// What a claimed coupon takes off goods worth `goods`, never more than that.
pub(crate) async fn discount(db: &mut SqliteConnection, id: &str, viewer: &str, goods: i64, now_ms: i64) -> Result<i64, Refusal> {
    let coupon = row(db, id).await?.ok_or(Refusal::CouponNotApplicable("unknown"))?;
    let claim: Option<Option<String>> = sqlx::query_scalar("SELECT order_id FROM coupon_claim WHERE coupon = ? AND viewer = ?")
        .bind(id)
        .bind(viewer)
        .fetch_optional(db)
        .await?;
    match claim {
        None => Err(Refusal::CouponNotApplicable("not_claimed")),
        Some(Some(_)) => Err(Refusal::CouponNotApplicable("used")),
        Some(None) if now_ms >= coupon.ends_ms => Err(Refusal::CouponNotApplicable("ended")),
        Some(None) if goods < coupon.threshold => Err(Refusal::CouponNotApplicable("threshold")),
        Some(None) => Ok(coupon.discount.min(goods)),
    }
}

/// Spends the claim on an order.
pub(crate) async fn spend(change: &mut Change<'_>, id: &str, viewer: &str, order: &str) -> Result<(), Refusal> {
    let spent = sqlx::query("UPDATE coupon_claim SET order_id = ? WHERE coupon = ? AND viewer = ? AND order_id IS NULL")
        .bind(order)
        .bind(id)
        .bind(viewer)
        .execute(change.db())
        .await?;
    if spent.rows_affected() == 1 { Ok(()) } else { Err(Refusal::CouponNotApplicable("used")) }
}

/// Gives the claim back that an order had used.
pub(crate) async fn give_back(change: &mut Change<'_>, order: &str) -> Result<(), Refusal> {
    sqlx::query("UPDATE coupon_claim SET order_id = NULL WHERE order_id = ?").bind(order).execute(change.db()).await?;
    Ok(())
}

/// Coupons whose time is over and whose end nobody was told yet.
pub(crate) async fn ending(db: &mut SqliteConnection, now_ms: i64) -> Result<Vec<String>, Refusal> {
    Ok(sqlx::query_scalar("SELECT id FROM coupon WHERE end_told = 0 AND ends_ms <= ? LIMIT 100").bind(now_ms).fetch_all(db).await?)
}

/// Tells the end of a coupon's time, once.
pub(crate) async fn end(change: &mut Change<'_>, id: &str) -> Result<(), Refusal> {
    let now_ms = change.now_ms;
    let marked = sqlx::query("UPDATE coupon SET end_told = 1 WHERE id = ? AND end_told = 0 AND ends_ms <= ?")
        .bind(id)
        .bind(now_ms)
        .execute(change.db())
        .await?;
    if marked.rows_affected() == 1 {
        tell(change, id).await?;
    }
    Ok(())
}
