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

/// Days after which a settled order loses its buyer's name, phone and address.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_retention(desk: State<'_, Desk>, days: u32) -> Done {
    desk.studio()?.set_retention(days).await
}

/// With each recording, record the picture without overlays too.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_clean_feed(desk: State<'_, Desk>, clean_feed: bool) -> Done {
    desk.studio()?.set_clean_feed(clean_feed).await
}

/// Record each show from its start.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_recording(desk: State<'_, Desk>, record: bool) -> Done {
    desk.studio()?.set_recording(record).await
}
