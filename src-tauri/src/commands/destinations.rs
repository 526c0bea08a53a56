//! Destinations.

use crate::open::Desk;
use stallcast_studio::view::{DestinationForm, DestinationView, PresetView, UiError};
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

/// The platforms that the form offers.
#[tauri::command]
#[specta::specta]
pub(crate) async fn destination_presets(desk: State<'_, Desk>) -> Result<Vec<PresetView>, UiError> {
    Ok(desk.studio()?.destination_presets())
}

/// The address of a destination without its key.
#[tauri::command]
#[specta::specta]
pub(crate) async fn destination_address(desk: State<'_, Desk>, id: String) -> Result<String, UiError> {
    desk.studio()?.destination_address(id).await
}

/// The host has pressed what had to be pressed on the platform.
#[tauri::command]
#[specta::specta]
pub(crate) async fn confirm_last_step(desk: State<'_, Desk>, id: String) -> Result<(), UiError> {
    desk.studio()?.confirm_last_step(id).await
}
