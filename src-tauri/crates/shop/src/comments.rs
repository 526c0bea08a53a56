//! Comments: what viewers write, read by everybody at once, taken away by the seller.

use crate::change::Change;
use crate::idempotency::{Answer, Slot};
use crate::input;
use crate::pace::Pace;
use crate::refusal::Refusal;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use stallcast_model as model;
use utoipa::ToSchema;

/// Between two comments of one viewer.
const BETWEEN_MS: i64 = 1_500;
/// Most comments of one viewer in [`BURST_MS`].
const BURST_MOST: i64 = 10;
const BURST_MS: i64 = 60_000;
/// Of one remote address, whatever ids it makes up: ten at once, five a second. Behind a tunnel or a carrier's network many
/// viewers share one.
pub(crate) const ADDRESS_PACE: Pace = Pace { every_ms: 200, burst: 10 };
/// Most comments of the whole shop in a second: a page cannot show more, and viewers' ids are their own choice.
const SHOP_MOST: i64 = 30;
const SECOND_MS: i64 = 1_000;
/// What a page that opens gets.
pub(crate) const SHOWN_MOST: i64 = 50;
/// Kept for so long, and so many.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
const KEPT_MOST: i64 = 100_000;

/// What a viewer writes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CommentForm {
    /// One line, 1..=200 characters.
    pub text: String,
    /// How they want to be called, at most 24 characters; it is shown masked. Without it they are a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A comment as viewers see it. Its text is whatever somebody typed: render it as text only.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comment {
    pub id: String,
    /// Masked; empty for a guest.
    pub author: String,
    pub text: String,
    pub at_ms: i64,
    /// Somebody wants to know something.
    pub is_question: bool,
}

/// The newest comments that are not hidden, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Comments {
    pub comments: Vec<Comment>,
}

/// A comment as the seller reads it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SellerComment {
    pub id: String,
    /// Number of its last change: a higher one is newer.
    pub version: i64,
    /// Where another tool read it; empty for one that was written on this shop's page.
    pub source: String,
    /// Masked; empty for a guest.
    pub author: String,
    pub text: String,
    pub at_ms: i64,
    /// `chat`.
    pub kind: &'static str,
    /// Taken off the viewers' page.
    pub hidden: bool,
}

/// A page of the feed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CommentFeed {
    pub comments: Vec<SellerComment>,
    /// Where the next page begins.
    pub next_after: i64,
    pub more: bool,
    /// With `more` false, everything until then is in the pages read so far.
    pub up_to_ms: i64,
    /// Another one after the shop began anew.
    pub feed: String,
}

/// The event that a comment is gone.
#[derive(Serialize)]
struct Hidden<'a> {
    id: &'a str,
    hidden: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    source: String,
    author: String,
    text: String,
    at_ms: i64,
    hidden: bool,
    version: i64,
}

macro_rules! comments {
    ($tail:literal) => {
        concat!("SELECT id, source, author, text, at_ms, hidden, version FROM comment ", $tail)
    };
}

impl From<Row> for SellerComment {
    fn from(row: Row) -> Self {
        let Row { id, source, author, text, at_ms, hidden, version } = row;
        Self { id, version, source, author, text, at_ms, kind: "chat", hidden }
    }
}

/// A checked comment.
#[derive(Debug)]
pub(crate) struct Draft {
    viewer: String,
    author: String,
    text: String,
}

impl Draft {
    pub(crate) fn new(viewer: String, form: &CommentForm) -> Result<Self, Refusal> {
        let refused = |e: model::Invalid| input::invalid(e.field, e.rule);
        let text = model::Comment::typed_text(&form.text).map_err(refused)?;
        let author = model::Comment::typed_author(form.name.as_deref().unwrap_or_default()).map_err(refused)?;
        Ok(Self { viewer, author, text })
    }
}

/// Where answers to a viewer's comments are kept.
pub(crate) fn scope(viewer: &str) -> String {
    format!("comment:{viewer}")
}

/// Posts it once per key.
pub(crate) async fn post(change: &mut Change<'_>, slot: Slot, draft: Draft) -> Result<Answer, Refusal> {
    if let Some(answer) = slot.replay(change).await? {
        return Ok(answer);
    }
    let Draft { viewer, author, text } = draft;
    let at_ms = change.now_ms;
    if let Some(retry_after_ms) = too_fast(change.db(), &viewer, at_ms).await? {
        return Err(Refusal::TooFast { retry_after_ms });
    }
    let (id, seq) = (uuid::Uuid::new_v4().to_string(), change.next_seq());
    sqlx::query("INSERT INTO comment (id, viewer, author, text, at_ms, told, version) VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(&id)
        .bind(&viewer)
        .bind(&author)
        .bind(&text)
        .bind(at_ms)
        .bind(seq.number())
        .bind(seq.number())
        .execute(change.db())
        .await?;
    let comment = Comment { is_question: model::asks(&text), id, author, text, at_ms };
    change.tell(seq, "comment", true, &comment).await?;
    let answer = Answer::new(StatusCode::CREATED, &comment)?;
    slot.keep(change, &answer).await?;
    Ok(answer)
}

/// How long this viewer has to wait, if they have to. What stands ahead of a clock that was set back does not count.
async fn too_fast(db: &mut SqliteConnection, viewer: &str, now_ms: i64) -> Result<Option<i64>, Refusal> {
    let (written, first, last): (i64, Option<i64>, Option<i64>) =
        sqlx::query_as("SELECT count(*), min(at_ms), max(at_ms) FROM comment WHERE viewer = ? AND at_ms > ? AND at_ms <= ?")
            .bind(viewer)
            .bind(now_ms - BURST_MS)
            .bind(now_ms)
            .fetch_one(&mut *db)
            .await?;
    if let Some(last) = last.filter(|last| now_ms - last < BETWEEN_MS) {
        return Ok(Some(last + BETWEEN_MS - now_ms));
    }
    if let Some(first) = first.filter(|_| written >= BURST_MOST) {
        return Ok(Some(first + BURST_MS - now_ms));
    }
    let in_this_second: i64 = sqlx::query_scalar("SELECT count(*) FROM comment WHERE at_ms > ? AND at_ms <= ? AND source = ''")
        .bind(now_ms - SECOND_MS)
        .bind(now_ms)
        .fetch_one(db)
        .await?;
    Ok((in_this_second >= SHOP_MOST).then_some(SECOND_MS))
}

/// What a page that opens shows.
pub(crate) async fn shown(db: &mut SqliteConnection) -> Result<Vec<Comment>, Refusal> {
    let rows: Vec<Row> =
        sqlx::query_as(comments!("WHERE hidden = 0 AND source = '' ORDER BY no DESC LIMIT ?")).bind(SHOWN_MOST).fetch_all(db).await?;
    let comment =
        |row: Row| Comment { is_question: model::asks(&row.text), id: row.id, author: row.author, text: row.text, at_ms: row.at_ms };
    Ok(rows.into_iter().rev().map(comment).collect())
}

/// Up to `limit` comments changed after `after`, each once at its latest version, in the order of that version.
pub(crate) async fn changed(db: &mut SqliteConnection, after: i64, limit: i64) -> Result<Vec<SellerComment>, Refusal> {
    let rows: Vec<Row> =
        sqlx::query_as(comments!("WHERE version > ? ORDER BY version LIMIT ?")).bind(after).bind(limit).fetch_all(db).await?;
    Ok(rows.into_iter().map(SellerComment::from).collect())
}

/// One comment.
pub(crate) async fn one(db: &mut SqliteConnection, id: &str) -> Result<SellerComment, Refusal> {
    let row: Option<Row> = sqlx::query_as(comments!("WHERE id = ?")).bind(id).fetch_optional(db).await?;
    row.map(SellerComment::from).ok_or(Refusal::NotFound("comment"))
}

/// Takes it off the viewers' pages. The same again changes nothing. What was written elsewhere stays where it is.
pub(crate) async fn hide(change: &mut Change<'_>, id: &str) -> Result<SellerComment, Refusal> {
    let comment = one(change.db(), id).await?;
    if !comment.source.is_empty() {
        return Err(input::invalid("id", "elsewhere"));
    }
    if comment.hidden {
        return Ok(comment);
    }
    let seq = change.next_seq();
    let gone = Hidden { id, hidden: true };
    // A stream that comes back later reads the table: it must not get the text from there.
    sqlx::query("UPDATE event SET json = ? WHERE seq = (SELECT told FROM comment WHERE id = ?) AND kind = 'comment'")
        .bind(serde_json::to_string(&gone)?)
        .bind(id)
        .execute(change.db())
        .await?;
    sqlx::query("UPDATE comment SET hidden = 1, version = ? WHERE id = ?").bind(seq.number()).bind(id).execute(change.db()).await?;
    let version = seq.number();
    change.tell(seq, "comment_hidden", true, &gone).await?;
    Ok(SellerComment { hidden: true, version, ..comment })
}

/// Old ones go.
pub(crate) async fn prune(change: &mut Change<'_>) -> Result<(), Refusal> {
    let now = change.now_ms;
    sqlx::query("DELETE FROM comment WHERE at_ms < ?").bind(now - KEPT_MS).execute(change.db()).await?;
    sqlx::query("DELETE FROM comment WHERE no <= (SELECT no FROM comment ORDER BY no DESC LIMIT 1 OFFSET ?)")
        .bind(KEPT_MOST)
        .execute(change.db())
        .await?;
    Ok(())
}
