//! The one way to write: a transaction that takes the numbers of its events, tells them after the commit, and is never
//! left halfway because a client went away.

use crate::refusal::Refusal;
use crate::shop::Shop;
use futures_util::future::BoxFuture;
use serde::Serialize;
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};
use stallcast_model::Currency;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The one room of this shop.
pub(crate) const ROOM: &str = "main";

/// A row of the event table.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub seq: i64,
    pub kind: String,
    pub json: String,
    pub public: bool,
}

/// A number taken for one event, spent by [`Change::tell`].
#[derive(Debug)]
#[must_use = "a number without its event leaves a hole in the feed"]
pub(crate) struct Seq(i64);

impl Seq {
    pub(crate) const fn number(&self) -> i64 {
        self.0
    }
}

/// A running write.
pub(crate) struct Change<'c> {
    tx: Transaction<'c, Sqlite>,
    pub(crate) now_ms: i64,
    pub(crate) currency: Currency,
    last_seq: i64,
    told: Vec<Arc<Event>>,
}

impl Change<'_> {
    /// The connection inside the transaction.
    pub(crate) fn db(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

    /// Takes the next number. There is one writer, so numbers are given and become visible in the same order.
    pub(crate) fn next_seq(&mut self) -> Seq {
        self.last_seq += 1;
        Seq(self.last_seq)
    }

    /// Writes the event; it is told to the streams after the commit.
    pub(crate) async fn tell(&mut self, seq: Seq, kind: &str, public: bool, payload: &impl Serialize) -> Result<(), Refusal> {
        let json = serde_json::to_string(payload)?;
        sqlx::query("INSERT INTO event (seq, room, kind, json, public, at_ms) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(seq.0)
            .bind(ROOM)
            .bind(kind)
            .bind(&json)
            .bind(public)
            .bind(self.now_ms)
            .execute(&mut *self.tx)
            .await?;
        self.told.push(Arc::new(Event { seq: seq.0, kind: kind.to_owned(), json, public }));
        Ok(())
    }
}

impl Shop {
    /// Runs `work` in one immediate transaction, in a task of its own: a client that hangs up can stop waiting for the
    /// answer, but not the commit. Refusals roll back.
    pub(crate) async fn write<T, F>(self: &Arc<Self>, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: for<'a, 'c> FnOnce(&'a mut Change<'c>) -> BoxFuture<'a, Result<T, Refusal>> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.write_places).try_acquire_owned() else {
            self.tally.writes_refused();
            return Err(Refusal::Busy);
        };
        let shop = Arc::clone(self);
        let (answer, answered) = oneshot::channel();
        self.tasks.spawn("write", async move {
            let outcome = shop.commit(work).await;
            drop(place);
            // The client may be gone; the change stands.
            let _ = answer.send(outcome);
        });
        answered.await.map_err(|_| Refusal::internal("a write ended without an answer"))?
    }

    async fn commit<T, F>(&self, work: F) -> Result<T, Refusal>
    where
        F: for<'a, 'c> FnOnce(&'a mut Change<'c>) -> BoxFuture<'a, Result<T, Refusal>>,
    {
        // Held until the events are told: the next writer cannot overtake this one on the stream.
        let mut connection = self.store.writer.acquire().await?;
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        let last_seq: Option<i64> =
            sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetch_optional(&mut *tx).await?;
        let mut change =
            Change { tx, now_ms: self.clock.utc_ms(), currency: self.currency(), last_seq: last_seq.unwrap_or(0), told: Vec::new() };
        match work(&mut change).await {
            Ok(value) => {
                let Change { tx, told, .. } = change;
                tx.commit().await?;
                for event in told {
                    // No receiver is no failure: nobody watches.
                    let _ = self.events.send(event);
                }
                Ok(value)
            }
            Err(refusal) => {
                change.tx.rollback().await?;
                Err(refusal)
            }
        }
    }
}
