//! Settings.

use crate::open::Desk;
use stallcast_studio::view::UiError;
use tauri::State;

type Done = Result<(), UiError>;

/// `zh-CN` or `en`.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_language(desk: State<'_, Desk>, language: String) -> Done {
    desk.studio()?.set_language(language).await
}

/// `dark` or `light`.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_theme(desk: State<'_, Desk>, theme: String) -> Done {
    desk.studio()?.set_theme(theme).await
}

/// Record each show from its start.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_recording(desk: State<'_, Desk>, record: bool) -> Done {
    desk.studio()?.set_recording(record).await
}
