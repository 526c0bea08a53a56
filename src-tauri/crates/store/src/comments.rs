//! Comments as they are read: the list, the search, hiding one.

use crate::connections;
use crate::intents::{self, add_intent, last_of_lane, select_intent};
use crate::paging::{Candidates, Round, page};
use crate::shows::open_show;
use crate::text::Query;
use crate::words::{Word, small};
use crate::{IntentRow, Store, StoreError};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use stallcast_model::{Action, Comment, CommentId, CommentKind, ConnectionId, Effect, IntentId, ShowId, asks};
use std::collections::HashMap;

/// A comment that is new or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentChange {
    /// Which.
    pub id: CommentId,
    /// Never seen before.
    pub is_new: bool,
    /// Viewers do not see it any more.
    pub is_hidden: bool,
}

/// A stored comment.
#[derive(Debug, Clone, PartialEq)]
pub struct CommentRow {
    /// Its place in time; give it as `before` for those behind it.
    pub key: i64,
    /// As the platform told it last.
    pub comment: Comment,
    /// Whose room it was written in.
    pub connection: ConnectionId,
    /// The shop's name.
    pub connection_name: String,
    /// The show it was written in.
    pub show: Option<ShowId>,
    /// First seen here, ms UTC.
    pub seen_at_ms: i64,
    /// How hiding it stands, once asked for.
    pub hide: Option<IntentRow>,
}

/// Which comments somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentSearch {
    /// As typed: words that must all be in the text, or begin the masked name. Empty finds all.
    pub text: String,
    /// Only those behind the row with this [`CommentRow::key`].
    pub before: Option<i64>,
    /// At most.
    pub limit: u32,
}

/// Found comments, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CommentPage {
    /// The rows.
    pub rows: Vec<CommentRow>,
    /// Where to go on; `None` at the end.
    pub next: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Row {
    key: i64,
    connection: String,
    connection_name: String,
    id: String,
    source: String,
    author: String,
    text: String,
    kind: String,
    at_ms: i64,
    is_hidden: bool,
    version: i64,
    show: Option<String>,
    seen_at_ms: i64,
}

impl Row {
    fn read(self, hide: Option<IntentRow>) -> Result<CommentRow, StoreError> {
        let kind = CommentKind::from_word(&self.kind)?;
        Ok(CommentRow {
            key: self.key,
            comment: Comment {
                id: CommentId::new(self.id),
                source: self.source,
                author: self.author,
                // By the rule of this version, not of the one that stored it.
                is_question: kind == CommentKind::Chat && asks(&self.text),
                text: self.text,
                at_ms: self.at_ms,
                kind,
                is_hidden: self.is_hidden,
                version: self.version,
            },
            connection: ConnectionId::new(self.connection),
            connection_name: self.connection_name,
            show: self.show.map(ShowId::new),
            seen_at_ms: self.seen_at_ms,
            hide,
        })
    }
}

fn select() -> QueryBuilder<Sqlite> {
    QueryBuilder::new(
        "SELECT m.key, m.connection, c.name AS connection_name, m.id, m.source, m.author, m.text, m.kind, m.at_ms, m.is_hidden, m.version, m.show,
             m.seen_at_ms
         FROM comment AS m CROSS JOIN connection AS c ON c.id = m.connection WHERE 1",
    )
}

/// Adds how hiding stands, in one query however many rows there are.
async fn complete(tx: &mut SqliteConnection, rows: Vec<Row>) -> Result<Vec<CommentRow>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = serde_json::to_string(&rows.iter().map(|r| r.id.as_str()).collect::<Vec<_>>());
    let intents: Vec<intents::Row> = sqlx::query_as(select_intent!(
        "WHERE lane IN (SELECT 'comment:' || value FROM json_each(?)) AND state NOT IN ('superseded', 'discarded') ORDER BY seq"
    ))
    .bind(ids.map_err(|e| StoreError::broken("comment id", e))?)
    .fetch_all(tx)
    .await?;
    let mut hides: HashMap<(String, String), IntentRow> = HashMap::new();
    for row in intents {
        let target = row.target.clone();
        let intent = row.read()?;
        hides.insert((intent.connection.as_str().to_owned(), target), intent);
    }
    rows.into_iter()
        .map(|row| {
            let hide = hides.remove(&(row.connection.clone(), row.id.clone()));
            row.read(hide)
        })
        .collect()
}

/// What is fixed for all rounds of a search.
struct Plan<'a> {
    tx: sqlx::Transaction<'static, Sqlite>,
    query: &'a Query,
    /// For the text index; `None` finds all.
    expression: Option<String>,
}

impl Candidates for Plan<'_> {
    type Row = CommentRow;

    fn key(row: &CommentRow) -> i64 {
        row.key
    }

    async fn round(&mut self, before: i64, most: usize) -> Result<Round<CommentRow>, StoreError> {
        let mut rows = candidates(&mut self.tx, self.expression.as_deref(), before, most).await?;
        let more = (rows.len() == most).then(|| rows.last().map(|row| row.key)).flatten();
        rows.retain(|row| self.expression.is_none() || self.query.holds([row.text.as_str()].into_iter(), &[], &row.author, |_| false));
        Ok(Round { rows: complete(&mut self.tx, rows).await?, more })
    }
}

impl Store {
    /// Comments that match, newest first; all with an empty text.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn search_comments(&self, search: CommentSearch) -> Result<CommentPage, StoreError> {
        let query = Query::new(&search.text);
        let limit = usize::try_from(search.limit).unwrap_or(usize::MAX).max(1);
        let expression = if query.is_empty() {
            None
        } else {
            match query.expression(None, |_| None) {
                Some(expression) => Some(expression),
                // Nothing of what was typed can be in a text.
                None => return Ok(CommentPage::default()),
            }
        };
        let mut plan = Plan { tx: self.snapshot().await?, query: &query, expression };
        let (rows, next) = page(&mut plan, search.before, limit).await?;
        Ok(CommentPage { rows, next })
    }

    /// One comment of a connection.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn comment(&self, connection: &ConnectionId, id: &CommentId) -> Result<Option<CommentRow>, StoreError> {
        let mut tx = self.snapshot().await?;
        let mut sql = select();
        sql.push(" AND m.id = ").push_bind(id.as_str().to_owned());
        sql.push(" AND m.connection = ").push_bind(connection.as_str().to_owned());
        let rows: Vec<Row> = sql.build_query_as().fetch_all(&mut *tx).await?;
        Ok(complete(&mut tx, rows).await?.pop())
    }

    /// How many comments there are: in all, and in the current show.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn comment_counts(&self) -> Result<(u32, u32), StoreError> {
        let mut tx = self.snapshot().await?;
        let show = open_show(&mut tx).await?.id;
        let (all, here): (i64, i64) =
            sqlx::query_as("SELECT coalesce(sum(comments), 0), coalesce(sum(comments) FILTER (WHERE show = ?), 0) FROM comment_tally")
                .bind(show)
                .fetch_one(&mut *tx)
                .await?;
        Ok((small(all), small(here)))
    }

    /// Writes down that viewers shall not see a comment any more. Pressed twice, it is the same intent. `None` for a comment
    /// that is not there.
    ///
    /// # Errors
    /// [`StoreError::WrongState`]: `hidden` when it is hidden already, `unavailable`.
    pub async fn request_hide(&self, connection: &ConnectionId, id: &CommentId, now_ms: i64) -> Result<Option<IntentId>, StoreError> {
        let effect = Effect::HideComment { comment: id.clone() };
        let (connection, id) = (connection.as_str().to_owned(), id.as_str().to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let row: Option<bool> = sqlx::query_scalar("SELECT is_hidden FROM comment WHERE id = ? AND connection = ?")
                    .bind(&id)
                    .bind(&connection)
                    .fetch_optional(&mut *tx)
                    .await?;
                let Some(is_hidden) = row else { return Ok(None) };
                if is_hidden {
                    return Err(StoreError::wrong_state("hidden"));
                }
                if let Some(last) = last_of_lane(tx, &connection, &effect.lane()).await?
                    && last.state != "dead"
                {
                    return Ok(Some(IntentId::new(last.id())));
                }
                if !connections::is_native(tx, &connection, Action::HideComment).await? {
                    return Err(StoreError::wrong_state("unavailable"));
                }
                let show = open_show(tx).await?.id;
                add_intent(tx, &connection, Some(&show), &effect, now_ms).await.map(Some)
            })
        })
        .await
    }
}

/// Up to `most` rows behind `before` that may match, newest first.
async fn candidates(tx: &mut SqliteConnection, expression: Option<&str>, before: i64, most: usize) -> Result<Vec<Row>, StoreError> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let mut sql = select();
    match expression {
        None => {
            sql.push(" AND m.key < ").push_bind(before);
        }
        Some(expression) => {
            let keys: Vec<i64> =
                sqlx::query_scalar("SELECT rowid FROM comment_text WHERE comment_text MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?")
                    .bind(expression)
                    .bind(before)
                    .bind(limit)
                    .fetch_all(&mut *tx)
                    .await?;
            let keys = serde_json::to_string(&keys).map_err(|e| StoreError::broken("comment key", e))?;
            sql.push(" AND m.key IN (SELECT value FROM json_each(").push_bind(keys).push("))");
        }
    }
    sql.push(" ORDER BY m.key DESC LIMIT ").push_bind(limit);
    Ok(sql.build_query_as().fetch_all(tx).await?)
}
