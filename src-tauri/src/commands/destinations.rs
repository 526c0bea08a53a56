//! Destinations.

use crate::open::Desk;
use stallcast_studio::view::{DestinationForm, DestinationView, UiError};
use tauri::State;

/// Adds or changes a destination.
#[tauri::command]
#[specta::specta]
pub(crate) async fn save_destination(desk: State<'_, Desk>, form: DestinationForm) -> Result<DestinationView, UiError> {
    desk.studio()?.save_destination(form).await
}

/// Forgets a destination and its key.
#[tauri::command]
#[specta::specta]
pub(crate) async fn remove_destination(desk: State<'_, Desk>, id: String) -> Result<(), UiError> {
    desk.studio()?.remove_destination(id).await
}

/// Chooses whether the next show goes there.
#[tauri::command]
#[specta::specta]
pub(crate) async fn enable_destination(desk: State<'_, Desk>, id: String, enabled: bool) -> Result<(), UiError> {
    desk.studio()?.enable_destination(id, enabled).await
}
