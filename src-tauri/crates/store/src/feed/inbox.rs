//! Events of a platform's stream: recognised when they come again, resumed where they ended.

use super::{CursorRow, put_cursor};
use crate::{Store, StoreError};
use stallcast_model::ConnectionId;

/// Events kept for recognising repeats, per connection.
const INBOX_KEPT: i64 = 10_000;

/// An event of a platform's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// Its id on the platform.
    pub id: String,
    /// What it is about.
    pub kind: String,
}

impl Store {
    /// Remembers events of the platform's stream and where to resume it. Returns how many were not known.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn receive_events(
        &self,
        connection: &ConnectionId,
        events: Vec<ReceivedEvent>,
        resume: Option<String>,
        now_ms: i64,
    ) -> Result<u32, StoreError> {
        let connection = connection.as_str().to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let mut new = 0;
                for event in &events {
                    let done = sqlx::query(
                        "INSERT INTO inbox (connection, event_id, kind, received_at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    )
                    .bind(&connection)
                    .bind(&event.id)
                    .bind(&event.kind)
                    .bind(now_ms)
                    .execute(&mut *tx)
                    .await?;
                    new += u32::from(done.rows_affected() > 0);
                }
                if resume.is_some() {
                    let row = CursorRow { value: resume, ..CursorRow::default() };
                    put_cursor(tx, &connection, "events", &row, now_ms).await?;
                }
                sqlx::query(
                    "DELETE FROM inbox WHERE connection = ?1 AND received_at_ms < (SELECT received_at_ms FROM inbox WHERE connection = ?1
                     ORDER BY received_at_ms DESC LIMIT 1 OFFSET ?2)",
                )
                .bind(&connection)
                .bind(INBOX_KEPT)
                .execute(tx)
                .await?;
                Ok(new)
            })
        })
        .await
    }

    /// Where the platform's event stream is resumed.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn event_cursor(&self, connection: &ConnectionId) -> Result<Option<String>, StoreError> {
        let value: Option<Option<String>> = sqlx::query_scalar("SELECT value FROM cursor WHERE connection = ? AND resource = 'events'")
            .bind(connection.as_str())
            .fetch_optional(self.readers())
            .await?;
        Ok(value.flatten())
    }
}
