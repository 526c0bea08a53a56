//! Windows.

use crate::open::Desk;
use crate::window;
use stallcast_studio::StudioError;
use stallcast_studio::view::UiError;
use tauri::{AppHandle, State};

/// Opens the staff's side panel, or brings it to the front.
#[tauri::command]
#[specta::specta]
pub(crate) async fn open_orders_window(app: AppHandle, desk: State<'_, Desk>) -> Result<(), UiError> {
    window::orders(&app, desk.studio()?.data()).map(drop).map_err(|e| StudioError::internal(e).into())
}

/// Closes the host's window. A running show goes on: media process and shop stay, and the next start attaches.
#[tauri::command]
#[specta::specta]
pub(crate) async fn close_window(app: AppHandle) -> Result<(), UiError> {
    window::close(&app).map_err(|e| StudioError::internal(e).into())
}
