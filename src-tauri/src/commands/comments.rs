//! What viewers write.

use crate::open::Desk;
use stallcast_studio::view::{CommentPageView, UiError};
use tauri::State;

type Done = Result<(), UiError>;

/// Comments that match what was typed, a page at a time.
#[tauri::command]
#[specta::specta]
pub(crate) async fn search_comments(desk: State<'_, Desk>, text: String, after: Option<String>) -> Result<CommentPageView, UiError> {
    desk.studio()?.search_comments(text, after).await
}

/// Puts a comment before the host, big.
#[tauri::command]
#[specta::specta]
pub(crate) async fn read_comment(desk: State<'_, Desk>, connection_id: String, comment_id: String) -> Done {
    desk.studio()?.read_comment(connection_id, comment_id).await
}

/// The host has answered it.
#[tauri::command]
#[specta::specta]
pub(crate) async fn dismiss_comment(desk: State<'_, Desk>) -> Done {
    desk.studio()?.dismiss_comment().await
}

/// Takes a comment off the viewers' page.
#[tauri::command]
#[specta::specta]
pub(crate) async fn hide_comment(desk: State<'_, Desk>, connection_id: String, comment_id: String) -> Done {
    desk.studio()?.hide_comment(connection_id, comment_id).await
}
