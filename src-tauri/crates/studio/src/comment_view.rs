//! Comments as windows see them. Texts are whatever somebody typed; authors are already masked.

use crate::view::{ActionView, SealView};
use serde::{Deserialize, Serialize};
use specta::Type;

/// What a comment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum CommentKindView {
    /// Somebody wrote it.
    Chat,
    /// A present.
    Gift,
    /// A like.
    Like,
    /// Somebody follows the shop now.
    Follow,
    /// The platform says something.
    System,
    /// A word this version does not know.
    Other,
}

/// One comment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CommentRowView {
    /// Platform's id.
    pub id: String,
    /// Whose room it was written in.
    pub connection_id: String,
    /// Connection name, for the platform word; what a tool calls the place, if it was written elsewhere.
    pub connection: String,
    /// Another tool brought it from somewhere else: nobody sees it here, so it cannot be taken off.
    pub from_elsewhere: bool,
    /// Masked; empty for a guest.
    pub author: String,
    /// One line.
    pub text: String,
    /// What it is.
    pub kind: CommentKindView,
    /// Somebody wants to know something.
    pub is_question: bool,
    /// Viewers do not see it any more.
    pub is_hidden: bool,
    /// ms UTC.
    pub at_ms: f64,
    /// How hiding it stands, once pressed.
    pub hide: Option<ActionView>,
}

/// What the host answers now: big beside the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ReadingView {
    /// The comment.
    pub comment: CommentRowView,
    /// Leaves by itself then, ms UTC.
    pub until_ms: f64,
}

/// The newest comments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CommentsView {
    /// Newest first, at most 200.
    pub rows: Vec<CommentRowView>,
    /// Give this to `search_comments` for older ones; `None` when these are all.
    pub next: Option<String>,
    /// All comments in the database.
    pub total: u32,
    /// Those of this show.
    pub in_show: u32,
    /// Are these all, and since when not? `Unknown` also where no shop gives comments.
    pub seal: SealView,
    /// What the host answers now.
    pub reading: Option<ReadingView>,
}

/// A page of found comments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CommentPageView {
    /// Newest first.
    pub rows: Vec<CommentRowView>,
    /// Give this for the next page; `None` at the end.
    pub next: Option<String>,
}
