//! What the workers do with intents. Each step is one transaction, so that a process may die between any two.

use crate::intents::{Row, find, select_intent};
use crate::words::Word;
use crate::{IntentRow, Store, StoreError, comment_write, coupons, offers, order_write, timeline};
use sqlx::SqliteConnection;
use stallcast_clock::Mono;
use stallcast_model::{Comment, ConnectionId, CouponState, Effect, IntentId, ReadCoupon, ReadOffer, ReceivedOrder};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest wait that a worker asks for, doubled: a later time means that the wall clock was set back.
const CLOCK_SET_BACK_MS: i64 = 120_000;

/// An intent that one worker may work on until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// What to do.
    pub intent: IntentRow,
    /// It may have taken effect already: look first.
    pub look_up: bool,
}

/// What the platform showed when it was asked whether an effect holds.
#[derive(Debug, Clone)]
pub enum ReadBack {
    /// The pin or the live state is as wanted.
    Room,
    /// The coupon is there.
    Coupon(ReadCoupon),
    /// The order was sent; this is how it looks now.
    Order(Box<ReceivedOrder>),
    /// The comment is hidden; this is how it looks now.
    Comment(Comment),
    /// The change holds; this is how the product looks now.
    Offer(Box<ReadOffer>),
}

/// How a lease ends without success.
enum Ending {
    Later,
    Uncertain,
    Failed(BTreeMap<String, String>),
}

impl Store {
    /// Takes the next intent that is due: the oldest of its lane, while nothing else of that lane is being sent. `None`
    /// when there is none.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn lease_intent(&self, connection: &ConnectionId, lease: Duration) -> Result<Option<Leased>, StoreError> {
        let (now_ms, now) = (self.inner.clock.utc_ms(), self.inner.clock.mono());
        let until = Mono(now.0.saturating_add(i64::try_from(lease.as_nanos()).unwrap_or(i64::MAX)));
        let (connection, owner) = (connection.as_str().to_owned(), self.inner.owner.clone());
        self.write(move |tx| {
            Box::pin(async move {
                // A worker that let its lease run out may have sent it.
                sqlx::query(
                    "UPDATE outbox SET state = 'uncertain', in_doubt = 1, lease_owner = NULL, changed_at_ms = ?
                     WHERE connection = ? AND state = 'leased' AND (lease_owner IS NOT ? OR lease_until_ns <= ?)",
                )
                .bind(now_ms)
                .bind(&connection)
                .bind(&owner)
                .bind(now.0)
                .execute(&mut *tx)
                .await?;
                let row: Option<Row> = sqlx::query_as(select_intent!(
                    "AS o WHERE connection = ?1 AND state IN ('pending', 'uncertain') AND (next_at_ms <= ?2 OR next_at_ms > ?2 + ?3)
                     AND NOT EXISTS (SELECT 1 FROM outbox AS p WHERE p.lane = o.lane AND p.connection = o.connection AND p.seq <> o.seq
                         AND (p.state = 'leased' OR (p.seq < o.seq AND p.state IN ('pending', 'uncertain'))))
                     ORDER BY seq LIMIT 1"
                ))
                .bind(&connection)
                .bind(now_ms)
                .bind(CLOCK_SET_BACK_MS)
                .fetch_optional(&mut *tx)
                .await?;
                let Some(row) = row else { return Ok(None) };
                let look_up = row.in_doubt;
                let mut intent = row.read()?;
                intent.attempts += 1;
                sqlx::query(
                    "UPDATE outbox SET state = 'leased', lease_owner = ?, lease_until_ns = ?, attempts = attempts + 1 WHERE id = ?",
                )
                .bind(&owner)
                .bind(until.0)
                .bind(intent.id.as_str())
                .execute(tx)
                .await?;
                Ok(Some(Leased { intent, look_up }))
            })
        })
        .await
    }

    /// The platform answered that it took it: from now on it is only looked up, never sent again. False when the lease is
    /// lost.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn intent_sent(&self, id: &IntentId) -> Result<bool, StoreError> {
        let (id, owner, now_ms) = (id.as_str().to_owned(), self.inner.owner.clone(), self.inner.clock.utc_ms());
        self.write(move |tx| {
            Box::pin(async move {
                let done =
                    sqlx::query("UPDATE outbox SET in_doubt = 1, sent_at_ms = ? WHERE id = ? AND state = 'leased' AND lease_owner = ?")
                        .bind(now_ms)
                        .bind(id)
                        .bind(owner)
                        .execute(tx)
                        .await?;
                Ok(done.rows_affected() == 1)
            })
        })
        .await
    }

    /// Looked up: it did not take effect, so that it may be sent. False when the lease is lost.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn intent_not_applied(&self, id: &IntentId) -> Result<bool, StoreError> {
        let (id, owner) = (id.as_str().to_owned(), self.inner.owner.clone());
        self.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("UPDATE outbox SET in_doubt = 0 WHERE id = ? AND state = 'leased' AND lease_owner = ?")
                    .bind(&id)
                    .bind(owner)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("UPDATE coupon SET state = 'sending' WHERE intent = ? AND state = 'uncertain'").bind(&id).execute(tx).await?;
                Ok(done.rows_affected() == 1)
            })
        })
        .await
    }

    /// Read back: the effect holds, and what was read is stored with it. `None` when the lease is lost.
    ///
    /// # Errors
    /// Only those of the database and of sealing.
    pub async fn intent_confirmed(&self, id: &IntentId, read: ReadBack) -> Result<Option<IntentRow>, StoreError> {
        let (id, owner, now_ms) = (id.as_str().to_owned(), self.inner.owner.clone(), self.inner.clock.utc_ms());
        let sealer = self.inner.sealer.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE outbox SET state = 'confirmed', in_doubt = 0, lease_owner = NULL, last_error_code = NULL, changed_at_ms = ?
                     WHERE id = ? AND state = 'leased' AND lease_owner = ?",
                )
                .bind(now_ms)
                .bind(&id)
                .bind(&owner)
                .execute(&mut *tx)
                .await?;
                let Some(row) = find(tx, &id).await?.filter(|_| done.rows_affected() == 1) else { return Ok(None) };
                let intent = row.read()?;
                match read {
                    ReadBack::Room => {}
                    ReadBack::Coupon(read) => {
                        coupons::take_read(tx, intent.connection.as_str(), &read).await?;
                        if let Some(show) = &intent.show {
                            let detail = serde_json::json!({ "ends_at_ms": read.ends_at_ms, "claimed": read.claimed });
                            let withdrawn = matches!(intent.effect, Effect::WithdrawCoupon { .. });
                            let kind = if withdrawn { "coupon_withdrawn" } else { "coupon_active" };
                            timeline::note(tx, show.as_str(), now_ms, kind, read.id.as_str(), detail).await?;
                        }
                    }
                    ReadBack::Order(order) => {
                        let sealed = order_write::Prepared::new(&*sealer, intent.connection.as_str(), *order)?;
                        order_write::put_all(tx, intent.connection.as_str(), vec![sealed], now_ms).await?;
                    }
                    ReadBack::Comment(comment) => {
                        comment_write::put_all(tx, intent.connection.as_str(), vec![comment], now_ms).await?;
                    }
                    ReadBack::Offer(read) => {
                        let show = intent.show.as_ref().map(|s| s.as_str());
                        offers::take_read(tx, intent.connection.as_str(), show, &read, now_ms).await?;
                    }
                }
                Ok(Some(intent))
            })
        })
        .await
    }

    /// Not applied, to be tried again. `None` when the lease is lost.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn intent_later(&self, id: &IntentId, code: &str, wait: Duration) -> Result<Option<IntentRow>, StoreError> {
        self.end_lease(id, code, wait, Ending::Later).await
    }

    /// The answer was lost: it is looked up after `wait`. `None` when the lease is lost.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn intent_uncertain(&self, id: &IntentId, code: &str, wait: Duration) -> Result<Option<IntentRow>, StoreError> {
        self.end_lease(id, code, wait, Ending::Uncertain).await
    }

    /// Refused for good: a dead letter that a person sees. `None` when the lease is lost.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn intent_failed(&self, id: &IntentId, code: &str) -> Result<Option<IntentRow>, StoreError> {
        self.intent_refused(id, code, BTreeMap::new()).await
    }

    /// As [`Self::intent_failed`], with values for the sentence.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn intent_refused(
        &self,
        id: &IntentId,
        code: &str,
        params: BTreeMap<String, String>,
    ) -> Result<Option<IntentRow>, StoreError> {
        self.end_lease(id, code, Duration::ZERO, Ending::Failed(params)).await
    }

    async fn end_lease(&self, id: &IntentId, code: &str, wait: Duration, ending: Ending) -> Result<Option<IntentRow>, StoreError> {
        let (id, code, owner, now_ms) = (id.as_str().to_owned(), code.to_owned(), self.inner.owner.clone(), self.inner.clock.utc_ms());
        let next_at_ms = now_ms + i64::try_from(wait.as_millis()).unwrap_or(CLOCK_SET_BACK_MS).min(CLOCK_SET_BACK_MS);
        self.write(move |tx| {
            Box::pin(async move {
                let Some(row) = find(tx, &id).await? else { return Ok(None) };
                let (state, in_doubt) = match &ending {
                    // The host wants something else by now: the newer one alone is sent.
                    _ if is_replaced(tx, &row).await? => ("superseded", false),
                    Ending::Later => ("pending", row.in_doubt),
                    Ending::Uncertain => ("uncertain", true),
                    Ending::Failed(_) => ("dead", row.in_doubt),
                };
                let params = match &ending {
                    Ending::Failed(params) if !params.is_empty() => Some(serde_json::json!(params).to_string()),
                    _ => None,
                };
                let done = sqlx::query(
                    "UPDATE outbox SET state = ?, in_doubt = ?, lease_owner = NULL, last_error_code = ?, last_error_params = ?, next_at_ms = ?,
                         changed_at_ms = ?
                     WHERE id = ? AND state = 'leased' AND lease_owner = ?",
                )
                .bind(state)
                .bind(in_doubt)
                .bind(&code)
                .bind(params)
                .bind(next_at_ms)
                .bind(now_ms)
                .bind(&id)
                .bind(&owner)
                .execute(&mut *tx)
                .await?;
                let Some(row) = find(tx, &id).await?.filter(|_| done.rows_affected() == 1) else { return Ok(None) };
                let intent = row.read()?;
                let coupon = match ending {
                    Ending::Later => None,
                    Ending::Uncertain => Some((CouponState::Uncertain, None)),
                    Ending::Failed(_) => Some((CouponState::Failed, Some(code.as_str()))),
                };
                if let (Effect::IssueCoupon { .. }, Some((state, failure))) = (&intent.effect, coupon) {
                    sqlx::query("UPDATE coupon SET state = ?, failure = ? WHERE intent = ?")
                        .bind(state.word())
                        .bind(failure)
                        .bind(&id)
                        .execute(&mut *tx)
                        .await?;
                }
                if let ("dead", Some(show)) = (state, &intent.show) {
                    let detail = serde_json::json!({ "action": intent.effect.word(), "code": code });
                    timeline::note(tx, show.as_str(), now_ms, "failed", &intent.effect.target(), detail).await?;
                }
                Ok(Some(intent))
            })
        })
        .await
    }

    /// Leases of workers that are gone become doubts: of one connection, of all with `None`. Called at opening and whenever
    /// those workers were stopped; never while they run.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn release_leases(&self, connection: Option<&ConnectionId>) -> Result<u32, StoreError> {
        let now_ms = self.inner.clock.utc_ms();
        let connection = connection.map(|id| id.as_str().to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query(
                    "UPDATE outbox SET state = 'uncertain', in_doubt = 1, lease_owner = NULL, next_at_ms = min(next_at_ms, ?), changed_at_ms = ?
                     WHERE state = 'leased' AND (?3 IS NULL OR connection = ?3)",
                )
                .bind(now_ms)
                .bind(now_ms)
                .bind(connection)
                .execute(&mut *tx)
                .await?;
                if done.rows_affected() > 0 {
                    sqlx::query(
                        "UPDATE coupon SET state = 'uncertain' WHERE state = 'sending'
                         AND intent IN (SELECT id FROM outbox WHERE state = 'uncertain')",
                    )
                    .execute(tx)
                    .await?;
                }
                Ok(u32::try_from(done.rows_affected()).unwrap_or(u32::MAX))
            })
        })
        .await
    }

    /// When the next intent of a connection is due, ms UTC (it may be past); `None` when nothing waits.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn next_due_ms(&self, connection: &ConnectionId) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar("SELECT min(next_at_ms) FROM outbox WHERE connection = ? AND state IN ('pending', 'uncertain', 'leased')")
            .bind(connection.as_str())
            .fetch_one(self.readers())
            .await?)
    }
}

async fn is_replaced(tx: &mut SqliteConnection, row: &Row) -> Result<bool, StoreError> {
    let id = row.id();
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM outbox AS o JOIN outbox AS n ON n.connection = o.connection AND n.lane = o.lane AND n.seq > o.seq
         WHERE o.id = ? AND o.lane IN ('pin', 'live') AND n.state NOT IN ('superseded', 'discarded'))",
    )
    .bind(id)
    .fetch_one(tx)
    .await?)
}
