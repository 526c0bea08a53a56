//! Camera and microphone.

use crate::open::Desk;
use stallcast_studio::view::{DevicesView, SourceForm, UiError};
use tauri::State;

/// What is plugged in. Asks the drivers, which may take seconds.
#[tauri::command]
#[specta::specta]
pub(crate) async fn list_devices(desk: State<'_, Desk>) -> Result<DevicesView, UiError> {
    desk.studio()?.list_devices().await
}

/// Changes the picture source, also while live.
#[tauri::command]
#[specta::specta]
pub(crate) async fn choose_camera(desk: State<'_, Desk>, source: SourceForm) -> Result<(), UiError> {
    desk.studio()?.choose_camera(source).await
}

/// Changes the sound source, also while live.
#[tauri::command]
#[specta::specta]
pub(crate) async fn choose_mic(desk: State<'_, Desk>, source: SourceForm) -> Result<(), UiError> {
    desk.studio()?.choose_mic(source).await
}
