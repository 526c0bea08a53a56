//! Comments: the newest, the search, the one that the host answers now, hiding one.

use crate::comment_view::{CommentKindView, CommentPageView, CommentRowView, CommentsView, ReadingView};
use crate::error::StudioError;
use crate::present;
use crate::rows::{self, CommentRow};
use crate::studio::{Studio, logged};
use crate::view::{SealView, StudioEvent, UiError};
use stallcast_model::CommentKind;
use stallcast_store::{CommentChange, Resource};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Rows in the view, newest first.
const MOST_ROWS: u32 = 200;
/// Rows of one page of a search.
const PAGE_ROWS: u32 = 100;
/// How long a comment stands before the host who does not put it away, ms: longer than most answers take.
const READING_MS: i64 = 60_000;

/// Which comment: its shop, and its id there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CommentAt {
    connection: String,
    id: String,
}

/// The comment that the host answers now. Guarded for moments only.
#[derive(Debug, Default)]
pub(crate) struct Reading(Mutex<Option<(CommentAt, i64)>>);

impl Reading {
    fn lock(&self) -> MutexGuard<'_, Option<(CommentAt, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which, and its end, ms UTC.
    fn now(&self) -> Option<(CommentAt, i64)> {
        self.lock().clone()
    }

    fn put(&self, comment: CommentAt, until_ms: i64) {
        *self.lock() = Some((comment, until_ms));
    }

    /// Puts it away where `over` says so; true if there was one.
    fn end(&self, over: impl FnOnce(&CommentAt, i64) -> bool) -> bool {
        self.lock().take_if(|(comment, until_ms)| over(comment, *until_ms)).is_some()
    }
}

impl Studio {
    pub(crate) async fn comments_view(&self) -> CommentsView {
        self.read_comments().await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "comments cannot be read");
            CommentsView { rows: Vec::new(), next: None, total: 0, in_show: 0, seal: SealView::Unknown, reading: None }
        })
    }

    async fn read_comments(&self) -> Result<CommentsView, StudioError> {
        let store = &self.inner.store;
        let (rows, next) = rows::search_comments(store, String::new(), None, MOST_ROWS).await?;
        let (total, in_show) = rows::comment_counts(store).await?;
        let reading = match self.inner.reading.now() {
            Some((CommentAt { connection, id }, until_ms)) => {
                // Purged meanwhile, or hidden.
                let row = rows::comment(store, &connection, &id).await.ok().filter(|row| !row.comment.is_hidden);
                row.map(|row| ReadingView { comment: view(&row), until_ms: present::ms(until_ms) })
            }
            None => None,
        };
        let seal = self.seal_of(Resource::Comments).await;
        Ok(CommentsView { rows: rows.iter().map(view).collect(), next: next.map(|key| key.to_string()), total, in_show, seal, reading })
    }

    pub(crate) async fn publish_comments(&self) {
        self.hub().send(StudioEvent::Comments(self.comments_view().await));
    }

    /// Comments in whose text all words of what was typed are, newest first, a page at a time; all with an empty text.
    /// `after` is the `next` of the page before.
    ///
    /// # Errors
    /// `invalid` for a position that is none, those of the database.
    pub async fn search_comments(&self, text: String, after: Option<String>) -> Result<CommentPageView, UiError> {
        self.find_comments(text, after).await.map_err(logged("search comments"))
    }

    async fn find_comments(&self, text: String, after: Option<String>) -> Result<CommentPageView, StudioError> {
        let before = after.map(|key| key.parse().map_err(|_| StudioError::invalid("after", "format"))).transpose()?;
        let (rows, next) = rows::search_comments(&self.inner.store, text, before, PAGE_ROWS).await?;
        Ok(CommentPageView { rows: rows.iter().map(view).collect(), next: next.map(|key| key.to_string()) })
    }

    /// Puts a comment before the host, big, for a minute. Another one takes its place.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn read_comment(&self, connection_id: String, comment_id: String) -> Result<(), UiError> {
        rows::comment(&self.inner.store, &connection_id, &comment_id).await.map_err(logged("read comment"))?;
        self.inner.reading.put(CommentAt { connection: connection_id, id: comment_id }, self.now_ms() + READING_MS);
        self.publish_comments().await;
        Ok(())
    }

    /// The host has answered it. Without one nothing changes.
    ///
    /// # Errors
    /// None so far; the type is that of all commands.
    pub async fn dismiss_comment(&self) -> Result<(), UiError> {
        if self.inner.reading.end(|_, _| true) {
            self.publish_comments().await;
        }
        Ok(())
    }

    /// Takes a comment off the viewers' page. Pressed twice, it is asked for once.
    ///
    /// # Errors
    /// `not_found`, `unsupported` where the platform has no call for it.
    pub async fn hide_comment(&self, connection_id: String, comment_id: String) -> Result<(), UiError> {
        let asked = rows::hide_comment(&self.inner.store, &connection_id, &comment_id, self.now_ms()).await;
        asked.map_err(logged("hide comment"))?;
        let hidden = CommentAt { connection: connection_id, id: comment_id };
        self.inner.reading.end(|comment, _| *comment == hidden);
        self.wake_outbox();
        self.publish_comments().await;
        self.tell_failed_intents().await;
        Ok(())
    }

    /// What was hidden somewhere else does not stay before the host.
    pub(crate) fn comments_changed(&self, connection: &str, changes: &[CommentChange]) {
        let is_hidden = |id: &str| changes.iter().any(|change| change.is_hidden && change.id.as_str() == id);
        self.inner.reading.end(|comment, _| comment.connection == connection && is_hidden(&comment.id));
    }

    /// Its time is over.
    pub(crate) async fn expire_reading(&self, now_ms: i64) {
        // A clock that was set back does not keep it for ever.
        if self.inner.reading.end(|_, until_ms| now_ms >= until_ms || until_ms - now_ms > READING_MS) {
            self.publish_comments().await;
        }
    }
}

const fn kind(kind: CommentKind) -> CommentKindView {
    match kind {
        CommentKind::Chat => CommentKindView::Chat,
        CommentKind::Gift => CommentKindView::Gift,
        CommentKind::Like => CommentKindView::Like,
        CommentKind::Follow => CommentKindView::Follow,
        CommentKind::System => CommentKindView::System,
        CommentKind::Other => CommentKindView::Other,
    }
}

fn view(row: &CommentRow) -> CommentRowView {
    let comment = &row.comment;
    CommentRowView {
        id: comment.id.to_string(),
        connection_id: row.connection_id.clone(),
        connection: row.connection.clone(),
        from_elsewhere: !comment.source.is_empty(),
        author: comment.author.clone(),
        text: comment.text.clone(),
        kind: kind(comment.kind),
        is_question: comment.is_question,
        is_hidden: comment.is_hidden,
        at_ms: present::ms(comment.at_ms),
        hide: row.hide.as_ref().map(|hide| hide.view_of(&[("author", &comment.author)])),
    }
}
