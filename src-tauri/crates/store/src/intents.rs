use crate::words::small;
use crate::{Store, StoreError};
use sqlx::SqliteConnection;
use stallcast_model::{Action, ConnectionId, Effect, IntentId, ShowId};
use std::collections::BTreeMap;

/// How an intent stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntentState {
    /// Written down, on its way.
    Sending,
    /// The answer was lost; it is looked up before anything is sent again.
    Checking,
    /// Read back.
    Confirmed {
        /// ms UTC.
        at_ms: i64,
    },
    /// Refused for good; waits for a person.
    Failed {
        /// Stable error code.
        code: String,
        /// Values for its sentence.
        params: BTreeMap<String, String>,
    },
    /// A newer one took its place before it was sent.
    Superseded,
    /// Given up by a person.
    Discarded,
}

/// A row of the outbox: something that should become true on a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentRow {
    /// Its id.
    pub id: IntentId,
    /// Where.
    pub connection: ConnectionId,
    /// In which show it was asked for.
    pub show: Option<ShowId>,
    /// What.
    pub effect: Effect,
    /// The same for every attempt: show, action, target, revision.
    pub key: String,
    /// Counts the times that this action was asked for on this target.
    pub revision: u32,
    /// Times it was taken up.
    pub attempts: u32,
    /// How it stands.
    pub state: IntentState,
    /// ms UTC.
    pub created_at_ms: i64,
    /// ms UTC.
    pub changed_at_ms: i64,
    /// Not before, ms UTC.
    pub next_at_ms: i64,
}

impl IntentRow {
    /// The capability it needs.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.effect.action()
    }
}

/// `SELECT` of a [`Row`], with what follows `FROM outbox`.
macro_rules! select_intent {
    ($rest:literal) => {
        concat!(
            "SELECT id, connection, show, target, revision, key, body, state, in_doubt, attempts, next_at_ms, last_error_code, last_error_params, ",
            "created_at_ms, changed_at_ms FROM outbox ",
            $rest
        )
    };
}
pub(crate) use select_intent;

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    id: String,
    connection: String,
    show: Option<String>,
    pub(crate) target: String,
    revision: i64,
    key: String,
    body: String,
    pub(crate) state: String,
    pub(crate) in_doubt: bool,
    attempts: i64,
    next_at_ms: i64,
    last_error_code: Option<String>,
    last_error_params: Option<String>,
    created_at_ms: i64,
    changed_at_ms: i64,
}

impl Row {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn read(self) -> Result<IntentRow, StoreError> {
        let state = match (self.state.as_str(), self.in_doubt) {
            ("pending" | "leased", false) => IntentState::Sending,
            ("pending" | "leased" | "uncertain", _) => IntentState::Checking,
            ("confirmed", _) => IntentState::Confirmed { at_ms: self.changed_at_ms },
            ("dead", _) => IntentState::Failed {
                code: self.last_error_code.unwrap_or_else(|| "internal".to_owned()),
                params: self.last_error_params.and_then(|p| serde_json::from_str(&p).ok()).unwrap_or_default(),
            },
            ("superseded", _) => IntentState::Superseded,
            ("discarded", _) => IntentState::Discarded,
            (other, _) => return Err(StoreError::broken("intent state", other)),
        };
        Ok(IntentRow {
            id: IntentId::new(self.id),
            connection: ConnectionId::new(self.connection),
            show: self.show.map(ShowId::new),
            effect: serde_json::from_str(&self.body).map_err(|e| StoreError::broken("intent", e))?,
            key: self.key,
            revision: small(self.revision),
            attempts: small(self.attempts),
            state,
            created_at_ms: self.created_at_ms,
            changed_at_ms: self.changed_at_ms,
            next_at_ms: self.next_at_ms,
        })
    }
}

/// Writes an intent down. In a lane where only the newest counts, those before it that did not leave are set aside.
pub(crate) async fn add_intent(
    tx: &mut SqliteConnection,
    connection: &str,
    show: Option<&str>,
    effect: &Effect,
    now_ms: i64,
) -> Result<IntentId, StoreError> {
    let (lane, word, target) = (effect.lane(), effect.word(), effect.target());
    let pointless: &[&str] = if effect.replaces() { &["pending", "uncertain", "dead"] } else { &["dead"] };
    for state in pointless {
        sqlx::query("UPDATE outbox SET state = 'superseded', changed_at_ms = ? WHERE connection = ? AND lane = ? AND state = ?")
            .bind(now_ms)
            .bind(connection)
            .bind(&lane)
            .bind(*state)
            .execute(&mut *tx)
            .await?;
    }
    // Orders and comments outlive shows: their keys must not change with them.
    let scope =
        if matches!(effect, Effect::Ship { .. } | Effect::AnswerAfterSale { .. } | Effect::HideComment { .. }) { None } else { show };
    let prefix = format!("{}/{word}/{target}/", scope.unwrap_or("-"));
    let revision: i64 = sqlx::query_scalar(
        "SELECT coalesce(max(revision), 0) + 1 FROM outbox WHERE connection = ? AND lane = ? AND word = ? AND target = ? AND substr(key, 1, length(?)) = ?",
    )
    .bind(connection)
    .bind(&lane)
    .bind(word)
    .bind(&target)
    .bind(&prefix)
    .bind(&prefix)
    .fetch_one(&mut *tx)
    .await?;
    let id = Store::new_id(now_ms);
    let body = serde_json::to_string(effect).map_err(|e| StoreError::broken("intent", e))?;
    sqlx::query(
        "INSERT INTO outbox (id, connection, show, word, target, lane, revision, key, body, state, in_doubt, next_at_ms, created_at_ms, changed_at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?)",
    )
    .bind(&id)
    .bind(connection)
    .bind(show)
    .bind(word)
    .bind(&target)
    .bind(&lane)
    .bind(revision)
    .bind(format!("{prefix}{revision}"))
    .bind(body)
    // What must happen once is looked up when an earlier try may have left something behind.
    .bind(revision > 1 && !effect.replaces())
    .bind(now_ms)
    .bind(now_ms)
    .bind(now_ms)
    .execute(tx)
    .await?;
    Ok(IntentId::new(id))
}

pub(crate) async fn find(tx: &mut SqliteConnection, id: &str) -> Result<Option<Row>, StoreError> {
    Ok(sqlx::query_as(select_intent!("WHERE id = ?")).bind(id).fetch_optional(tx).await?)
}

/// The last intent of a lane that still says something.
pub(crate) async fn last_of_lane(tx: &mut SqliteConnection, connection: &str, lane: &str) -> Result<Option<Row>, StoreError> {
    Ok(sqlx::query_as(select_intent!(
        "WHERE connection = ? AND lane = ? AND state NOT IN ('superseded', 'discarded') ORDER BY seq DESC LIMIT 1"
    ))
    .bind(connection)
    .bind(lane)
    .fetch_optional(tx)
    .await?)
}

impl Store {
    /// One intent.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn intent(&self, id: &IntentId) -> Result<Option<IntentRow>, StoreError> {
        let mut conn = self.readers().acquire().await?;
        find(&mut conn, id.as_str()).await?.map(Row::read).transpose()
    }

    /// Intents that wait for a person, oldest first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn failed_intents(&self) -> Result<Vec<IntentRow>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(select_intent!("WHERE state = 'dead' ORDER BY seq")).fetch_all(self.readers()).await?;
        rows.into_iter().map(Row::read).collect()
    }

    /// Sends a failed intent again, under its old key. False for an unknown id.
    ///
    /// # Errors
    /// [`StoreError::WrongState`] unless it failed.
    pub async fn retry_intent(&self, id: &IntentId, now_ms: i64) -> Result<bool, StoreError> {
        let id = id.as_str().to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let Some(row) = find(tx, &id).await? else { return Ok(false) };
                if row.state != "dead" {
                    return Err(StoreError::wrong_state(row.state));
                }
                sqlx::query("UPDATE outbox SET state = 'pending', attempts = 0, next_at_ms = ?, changed_at_ms = ? WHERE id = ?")
                    .bind(now_ms)
                    .bind(now_ms)
                    .bind(&id)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("UPDATE coupon SET state = ?, failure = NULL WHERE intent = ?")
                    .bind(if row.in_doubt { "uncertain" } else { "sending" })
                    .bind(&id)
                    .execute(tx)
                    .await?;
                Ok(true)
            })
        })
        .await
    }

    /// Gives a failed intent up. False for an unknown id.
    ///
    /// # Errors
    /// [`StoreError::WrongState`] unless it failed.
    pub async fn discard_intent(&self, id: &IntentId, now_ms: i64) -> Result<bool, StoreError> {
        let id = id.as_str().to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let Some(row) = find(tx, &id).await? else { return Ok(false) };
                if row.state != "dead" {
                    return Err(StoreError::wrong_state(row.state));
                }
                sqlx::query("UPDATE outbox SET state = 'discarded', changed_at_ms = ? WHERE id = ?")
                    .bind(now_ms)
                    .bind(&id)
                    .execute(tx)
                    .await?;
                Ok(true)
            })
        })
        .await
    }
}
