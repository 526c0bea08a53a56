//! Answers that were given are given again to the same key, and only to the same request.

use crate::change::Change;
use crate::input::invalid;
use crate::refusal::Refusal;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

const HEADER: &str = "idempotency-key";

/// Where the answer to one request is kept.
#[derive(Debug)]
pub(crate) struct Slot {
    scope: String,
    key: String,
    hash: [u8; 32],
}

/// JSON as it was or will be answered.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    body: String,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        (status, [(header::CONTENT_TYPE, "application/json")], Body::from(self.body)).into_response()
    }
}

impl Slot {
    /// The slot of a request whose key may be missing.
    pub(crate) fn optional(headers: &HeaderMap, scope: String, request: &impl Serialize) -> Result<Option<Self>, Refusal> {
        let Some(value) = headers.get(HEADER) else { return Ok(None) };
        let key = value.to_str().ok().filter(|k| (1..=128).contains(&k.len()) && k.bytes().all(|b| b.is_ascii_graphic()));
        let key = key.ok_or(invalid("Idempotency-Key", "format"))?.to_owned();
        Ok(Some(Self { scope, key, hash: Sha256::digest(serde_json::to_vec(request)?).into() }))
    }

    /// The slot of a request that must have a key.
    pub(crate) fn required(headers: &HeaderMap, scope: String, request: &impl Serialize) -> Result<Self, Refusal> {
        Self::optional(headers, scope, request)?.ok_or(invalid("Idempotency-Key", "missing"))
    }

    /// The answer given before; a refusal if the key was used for another request.
    pub(crate) async fn replay(&self, change: &mut Change<'_>) -> Result<Option<Answer>, Refusal> {
        let row: Option<(Vec<u8>, i64, String)> = sqlx::query_as("SELECT hash, status, body FROM idem WHERE scope = ? AND key = ?")
            .bind(&self.scope)
            .bind(&self.key)
            .fetch_optional(change.db())
            .await?;
        match row {
            None => Ok(None),
            Some((hash, ..)) if hash != self.hash => Err(Refusal::IdempotencyMismatch),
            Some((_, status, body)) => Ok(Some(Answer { status: u16::try_from(status).map_err(Refusal::internal)?, body })),
        }
    }

    /// Keeps the answer in the transaction that earned it. Refusals are not kept: they changed nothing, and may be tried
    /// again with the same key.
    pub(crate) async fn keep(&self, change: &mut Change<'_>, answer: &Answer) -> Result<(), Refusal> {
        let now = change.now_ms;
        sqlx::query("INSERT INTO idem (scope, key, hash, status, body, at_ms) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(&self.scope)
            .bind(&self.key)
            .bind(self.hash.as_slice())
            .bind(i64::from(answer.status))
            .bind(&answer.body)
            .bind(now)
            .execute(change.db())
            .await?;
        Ok(())
    }
}

/// The body that was answered under a key, if one was.
pub(crate) async fn kept(db: &mut SqliteConnection, scope: &str, key: &str) -> Result<Option<String>, Refusal> {
    Ok(sqlx::query_scalar("SELECT body FROM idem WHERE scope = ? AND key = ?").bind(scope).bind(key).fetch_optional(db).await?)
}

impl Answer {
    pub(crate) fn new(status: StatusCode, body: &impl Serialize) -> Result<Self, Refusal> {
        Ok(Self { status: status.as_u16(), body: serde_json::to_string(body)? })
    }
}
