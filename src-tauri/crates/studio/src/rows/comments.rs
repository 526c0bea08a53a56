//! Comments, as the use-cases need them.

use super::{Intent, found};
use crate::error::StudioError;
use stallcast_model::{Comment, CommentId, ConnectionId};
use stallcast_store::{CommentSearch, Store, StoreError};

/// A comment of one connection.
#[derive(Debug, Clone)]
pub(crate) struct CommentRow {
    pub comment: Comment,
    pub connection_id: String,
    /// Where it was written: what a tool called the place, else the name of the connection.
    pub connection: String,
    pub hide: Option<Intent>,
}

impl From<stallcast_store::CommentRow> for CommentRow {
    fn from(row: stallcast_store::CommentRow) -> Self {
        let source = row.comment.source.clone();
        Self {
            comment: row.comment,
            connection_id: row.connection.to_string(),
            connection: if source.is_empty() { row.connection_name } else { source },
            hide: row.hide.and_then(Intent::of),
        }
    }
}

/// A page of the comments that match, newest first, and where to go on; all with an empty text.
pub(crate) async fn search_comments(
    store: &Store,
    text: String,
    before: Option<i64>,
    limit: u32,
) -> Result<(Vec<CommentRow>, Option<i64>), StudioError> {
    let page = store.search_comments(CommentSearch { text, before, limit }).await?;
    Ok((page.rows.into_iter().map(CommentRow::from).collect(), page.next))
}

pub(crate) async fn comment(store: &Store, connection: &str, id: &str) -> Result<CommentRow, StudioError> {
    let row = store.comment(&ConnectionId::new(connection), &CommentId::new(id)).await?;
    row.map(CommentRow::from).ok_or_else(|| StudioError::new("not_found"))
}

/// In all, and in the current show.
pub(crate) async fn comment_counts(store: &Store) -> Result<(u32, u32), StudioError> {
    Ok(store.comment_counts().await?)
}

/// Asked for something that is so already, nothing is to be done.
pub(crate) async fn hide_comment(store: &Store, connection: &str, id: &str, now_ms: i64) -> Result<(), StudioError> {
    match store.request_hide(&ConnectionId::new(connection), &CommentId::new(id), now_ms).await {
        Err(StoreError::WrongState { state }) if state == "hidden" => Ok(()),
        asked => found(asked?.is_some()),
    }
}
