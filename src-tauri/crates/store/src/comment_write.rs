//! Comments on their way into the database, and out of it.

use crate::order_write::{KEYS_PER_MS, first_key};
use crate::text::Tokens;
use crate::words::Word;
use crate::{CommentChange, Store, StoreError};
use sqlx::SqliteConnection;
use stallcast_model::Comment;

/// Comments purged in one transaction: the writer is free for others in between.
const AT_ONCE: i64 = 500;

/// Stores each comment once, at its highest version; of an equal one what was told last, as with orders. Repeats, older ones
/// and those that were purged are no changes.
pub(crate) async fn put_all(
    tx: &mut SqliteConnection,
    connection: &str,
    comments: Vec<Comment>,
    now_ms: i64,
) -> Result<Vec<CommentChange>, StoreError> {
    let gone_before: Option<i64> = sqlx::query_scalar("SELECT before_ms FROM comment_purge").fetch_optional(&mut *tx).await?;
    let mut changes: Vec<CommentChange> = Vec::new();
    for comment in comments {
        let known: Option<(i64, bool)> = sqlx::query_as(
            "SELECT key, version > ?3 OR (version, author, text, kind, is_hidden, source) = (?3, ?4, ?5, ?6, ?7, ?8)
             FROM comment WHERE id = ?1 AND connection = ?2",
        )
        .bind(comment.id.as_str())
        .bind(connection)
        .bind(comment.version)
        .bind(&comment.author)
        .bind(&comment.text)
        .bind(comment.kind.word())
        .bind(comment.is_hidden)
        .bind(&comment.source)
        .fetch_optional(&mut *tx)
        .await?;
        let is_new = match known {
            Some((_, true)) => continue,
            Some((key, false)) => {
                update(tx, key, &comment).await?;
                false
            }
            None if gone_before.is_some_and(|before| comment.at_ms < before) => continue,
            None => {
                insert(tx, connection, &comment, now_ms).await?;
                true
            }
        };
        // Twice in one page is one change.
        match changes.iter_mut().find(|change| change.id == comment.id) {
            Some(change) => change.is_hidden = comment.is_hidden,
            None => changes.push(CommentChange { id: comment.id, is_new, is_hidden: comment.is_hidden }),
        }
    }
    Ok(changes)
}

/// When it was written and where it stands stay as they were first told: the list must not move under a reader.
async fn update(tx: &mut SqliteConnection, key: i64, comment: &Comment) -> Result<(), StoreError> {
    sqlx::query("UPDATE comment SET source = ?, author = ?, text = ?, kind = ?, is_hidden = ?, version = ? WHERE key = ?")
        .bind(&comment.source)
        .bind(&comment.author)
        .bind(&comment.text)
        .bind(comment.kind.word())
        .bind(comment.is_hidden)
        .bind(comment.version)
        .bind(key)
        .execute(&mut *tx)
        .await?;
    index(tx, key, comment).await
}

async fn insert(tx: &mut SqliteConnection, connection: &str, comment: &Comment, now_ms: i64) -> Result<(), StoreError> {
    let first = first_key(comment.at_ms);
    // Handed out without gaps from the start of a millisecond, also past its end.
    let last: Option<i64> = sqlx::query_scalar("SELECT max(key) FROM comment WHERE key >= ? AND key < ?")
        .bind(first)
        .bind(first + KEYS_PER_MS)
        .fetch_one(&mut *tx)
        .await?;
    let key = last.map_or(first, |last| last + 1);
    sqlx::query(
        "INSERT INTO comment (key, connection, id, author, text, kind, at_ms, is_hidden, version, show, seen_at_ms, source)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
             (SELECT id FROM show WHERE begun_at_ms <= ?7 AND (ended_at_ms IS NULL OR ended_at_ms > ?7) ORDER BY begun_at_ms DESC LIMIT 1), ?10, ?11)",
    )
    .bind(key)
    .bind(connection)
    .bind(comment.id.as_str())
    .bind(&comment.author)
    .bind(&comment.text)
    .bind(comment.kind.word())
    .bind(comment.at_ms)
    .bind(comment.is_hidden)
    .bind(comment.version)
    .bind(now_ms)
    .bind(&comment.source)
    .execute(&mut *tx)
    .await?;
    index(tx, key, comment).await
}

async fn index(tx: &mut SqliteConnection, key: i64, comment: &Comment) -> Result<(), StoreError> {
    let mut tokens = Tokens::default();
    tokens.title(&comment.text);
    tokens.masked(&comment.author);
    sqlx::query("INSERT OR REPLACE INTO comment_text (rowid, tokens) VALUES (?, ?)").bind(key).bind(tokens.finish().0).execute(tx).await?;
    Ok(())
}

impl Store {
    /// Takes away comments written before `before_ms`, with all that the search knows of them. They do not come back when a
    /// feed is read again. Returns how many. Their bytes leave the files with the next [`Store::sweep`].
    ///
    /// # Errors
    /// Those of the database; what was done until then stays done.
    pub async fn purge_comments(&self, before_ms: i64) -> Result<u32, StoreError> {
        let mut purged = 0;
        loop {
            let done = self.write(move |tx| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO comment_purge (id, before_ms) VALUES (1, ?)
                         ON CONFLICT DO UPDATE SET before_ms = max(before_ms, excluded.before_ms)",
                    )
                    .bind(before_ms)
                    .execute(&mut *tx)
                    .await?;
                    let keys: Vec<i64> = sqlx::query_scalar("SELECT key FROM comment WHERE key < ? ORDER BY key LIMIT ?")
                        .bind(first_key(before_ms))
                        .bind(AT_ONCE)
                        .fetch_all(&mut *tx)
                        .await?;
                    for key in &keys {
                        sqlx::query("DELETE FROM comment_text WHERE rowid = ?").bind(key).execute(&mut *tx).await?;
                        sqlx::query("DELETE FROM comment WHERE key = ?").bind(key).execute(&mut *tx).await?;
                    }
                    Ok(u32::try_from(keys.len()).unwrap_or(u32::MAX))
                })
            });
            match done.await? {
                0 => break,
                done => purged += done,
            }
        }
        if purged > 0 {
            // A deleted row only gets a tombstone: its words are in the index until the parts of it are written anew.
            self.write(|tx| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO comment_text (comment_text) VALUES ('optimize')").execute(tx).await?;
                    Ok(())
                })
            })
            .await?;
        }
        Ok(purged)
    }
}
