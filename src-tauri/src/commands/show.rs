//! Show and transport.

use crate::open::Desk;
use stallcast_studio::view::{StudioView, UiError};
use tauri::{AppHandle, State};

type Done = Result<(), UiError>;

/// Everything, for a page that opens. A studio that did not open is opened again.
#[tauri::command]
#[specta::specta]
pub(crate) async fn snapshot(app: AppHandle, desk: State<'_, Desk>) -> Result<StudioView, UiError> {
    Ok(desk.studio_again(&app).await?.snapshot().await)
}

/// Goes live to the enabled destinations and the local shop.
#[tauri::command]
#[specta::specta]
pub(crate) async fn go_live(desk: State<'_, Desk>) -> Done {
    desk.studio()?.go_live().await
}

/// Ends the show.
#[tauri::command]
#[specta::specta]
pub(crate) async fn end_show(desk: State<'_, Desk>) -> Done {
    desk.studio()?.end_show().await
}

/// Sends silence instead of the microphone.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_muted(desk: State<'_, Desk>, muted: bool) -> Done {
    desk.studio()?.set_muted(muted).await
}

/// Records the running show.
#[tauri::command]
#[specta::specta]
pub(crate) async fn start_recording(desk: State<'_, Desk>) -> Done {
    desk.studio()?.start_recording().await
}

/// Ends the recording.
#[tauri::command]
#[specta::specta]
pub(crate) async fn stop_recording(desk: State<'_, Desk>) -> Done {
    desk.studio()?.stop_recording().await
}
