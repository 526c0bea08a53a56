use crate::intents::{self, add_intent};
use crate::shows::open_show;
use crate::words::{Word, small};
use crate::{IntentRow, IntentState, Store, StoreError, connections, timeline};
use sqlx::SqliteConnection;
use stallcast_model::{Action, ConnectionId, Coupon, CouponDraft, CouponId, CouponState, Currency, Effect, Money, ReadCoupon};

/// Coupons that a list shows.
const MOST: i64 = 100;

/// A coupon and the intent that issues it.
#[derive(Debug, Clone, PartialEq)]
pub struct CouponRow {
    /// The coupon.
    pub coupon: Coupon,
    /// Where.
    pub connection: ConnectionId,
    /// How issuing it stands.
    pub intent: Option<IntentRow>,
    /// How ending it early stands, once that was asked for. Not drawn from then on.
    pub withdraw: Option<IntentRow>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    connection: String,
    intent: String,
    withdraw_intent: Option<String>,
    discount: i64,
    threshold: i64,
    currency: String,
    quantity: i64,
    valid_s: i64,
    state: String,
    claimed: i64,
    ends_at_ms: Option<i64>,
    failure: Option<String>,
}

impl Row {
    fn read(self) -> Result<Coupon, StoreError> {
        let currency = Currency::from_word(&self.currency)?;
        Ok(Coupon {
            id: CouponId::new(self.id),
            draft: CouponDraft {
                discount: Money::new(self.discount, currency),
                threshold: Money::new(self.threshold, currency),
                quantity: small(self.quantity),
                valid_s: small(self.valid_s),
            },
            state: CouponState::from_word(&self.state)?,
            claimed: small(self.claimed),
            ends_at_ms: self.ends_at_ms,
            failure: self.failure,
        })
    }
}

/// Stores what was read back. True when something changed.
pub(crate) async fn take_read(tx: &mut SqliteConnection, connection: &str, read: &ReadCoupon) -> Result<bool, StoreError> {
    let state = if read.active { CouponState::Active } else { CouponState::Ended };
    let done = sqlx::query(
        "UPDATE coupon SET state = ?1, claimed = ?2, ends_at_ms = ?3, failure = NULL
         WHERE connection = ?4 AND id = ?5 AND (state <> ?1 OR claimed <> ?2 OR ends_at_ms IS NOT ?3)",
    )
    .bind(state.word())
    .bind(i64::from(read.claimed))
    .bind(read.ends_at_ms)
    .bind(connection)
    .bind(read.id.as_str())
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

impl Store {
    /// Writes a coupon of the current show down and the intent that issues it.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], [`StoreError::WrongState`] (`unavailable`) when the connection cannot issue coupons.
    pub async fn issue_coupon(&self, connection: &ConnectionId, draft: &CouponDraft, now_ms: i64) -> Result<CouponId, StoreError> {
        draft.validate()?;
        let (connection, draft) = (connection.as_str().to_owned(), draft.clone());
        self.write(move |tx| {
            Box::pin(async move {
                if !connections::is_native(tx, &connection, Action::IssueCoupon).await? {
                    return Err(StoreError::wrong_state("unavailable"));
                }
                let show = open_show(tx).await?.id;
                let coupon = CouponId::new(Store::new_id(now_ms));
                let effect = Effect::IssueCoupon { coupon: coupon.clone(), draft: draft.clone() };
                let intent = add_intent(tx, &connection, Some(&show), &effect, now_ms).await?;
                sqlx::query(
                    "INSERT INTO coupon (id, connection, show, intent, discount, threshold, currency, quantity, valid_s, state, created_at_ms)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'sending', ?)",
                )
                .bind(coupon.as_str())
                .bind(&connection)
                .bind(&show)
                .bind(intent.as_str())
                .bind(draft.discount.amount)
                .bind(draft.threshold.amount)
                .bind(draft.discount.currency.word())
                .bind(i64::from(draft.quantity))
                .bind(i64::from(draft.valid_s))
                .bind(now_ms)
                .execute(&mut *tx)
                .await?;
                timeline::note(tx, &show, now_ms, "coupon", coupon.as_str(), serde_json::json!({})).await?;
                Ok(coupon)
            })
        })
        .await
    }

    /// Ends a coupon before its time. It is not drawn from now on; that nobody can claim it any more is known once it was
    /// read back. Asked again while that is under way or done, it changes nothing. False for an unknown coupon.
    ///
    /// # Errors
    /// [`StoreError::WrongState`]: its state unless it can be claimed, or `unavailable`.
    pub async fn withdraw_coupon(&self, id: &CouponId, now_ms: i64) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let row: Option<(String, String, Option<String>)> =
                    sqlx::query_as("SELECT connection, state, withdraw_intent FROM coupon WHERE id = ?")
                        .bind(id.as_str())
                        .fetch_optional(&mut *tx)
                        .await?;
                let Some((connection, state, last)) = row else { return Ok(false) };
                let last = match last {
                    Some(last) => intents::find(tx, &last).await?,
                    None => None,
                };
                if last.is_some_and(|last| !matches!(last.state.as_str(), "dead" | "discarded")) {
                    return Ok(true);
                }
                if state != CouponState::Active.word() {
                    return Err(StoreError::wrong_state(state));
                }
                if !connections::is_native(tx, &connection, Action::WithdrawCoupon).await? {
                    return Err(StoreError::wrong_state("unavailable"));
                }
                let show = open_show(tx).await?.id;
                let effect = Effect::WithdrawCoupon { coupon: id.clone() };
                let intent = add_intent(tx, &connection, Some(&show), &effect, now_ms).await?;
                sqlx::query("UPDATE coupon SET withdraw_intent = ? WHERE id = ?")
                    .bind(intent.as_str())
                    .bind(id.as_str())
                    .execute(&mut *tx)
                    .await?;
                timeline::note(tx, &show, now_ms, "coupon_withdraw", id.as_str(), serde_json::json!({})).await?;
                Ok(true)
            })
        })
        .await
    }

    /// The last 100 coupons, newest first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn coupons(&self) -> Result<Vec<CouponRow>, StoreError> {
        let mut tx = self.snapshot().await?;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, connection, intent, withdraw_intent, discount, threshold, currency, quantity, valid_s, state, claimed, ends_at_ms, failure
             FROM coupon ORDER BY created_at_ms DESC, id DESC LIMIT ?",
        )
        .bind(MOST)
        .fetch_all(&mut *tx)
        .await?;
        let mut coupons = Vec::with_capacity(rows.len());
        for row in rows {
            let intent = intents::find(&mut tx, &row.intent).await?.map(intents::Row::read).transpose()?;
            let withdraw = match &row.withdraw_intent {
                Some(id) => intents::find(&mut tx, id).await?.map(intents::Row::read).transpose()?,
                None => None,
            };
            // Given up: the coupon goes on.
            let withdraw = withdraw.filter(|w| w.state != IntentState::Discarded);
            coupons.push(CouponRow { connection: ConnectionId::new(row.connection.clone()), coupon: row.read()?, intent, withdraw });
        }
        Ok(coupons)
    }

    /// Stores a coupon as it was read. It can only confirm what was issued from here; true when something changed.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn coupon_read(&self, connection: &ConnectionId, read: &ReadCoupon) -> Result<bool, StoreError> {
        let (connection, read) = (connection.as_str().to_owned(), read.clone());
        self.write(move |tx| {
            Box::pin(async move {
                // Before its intent is confirmed, a coupon belongs to the outbox.
                let mine: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM coupon WHERE id = ? AND state IN ('active', 'ended'))")
                    .bind(read.id.as_str())
                    .fetch_one(&mut *tx)
                    .await?;
                if mine { take_read(tx, &connection, &read).await } else { Ok(false) }
            })
        })
        .await
    }

    /// Coupons of a connection that can be claimed, as far as known.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn open_coupons(&self, connection: &ConnectionId) -> Result<Vec<CouponId>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM coupon WHERE connection = ? AND state = 'active' ORDER BY created_at_ms")
            .bind(connection.as_str())
            .fetch_all(self.readers())
            .await?;
        Ok(ids.into_iter().map(CouponId::new).collect())
    }
}
