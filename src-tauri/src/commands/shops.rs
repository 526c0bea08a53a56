//! Shops elsewhere.

use crate::open::Desk;
use stallcast_studio::view::{ShopForm, UiError};
use tauri::State;

/// Adds the shop of another studio; its id.
#[tauri::command]
#[specta::specta]
pub(crate) async fn add_shop(desk: State<'_, Desk>, form: ShopForm) -> Result<String, UiError> {
    desk.studio()?.add_shop(form).await
}

/// Gives a shop a name of the seller's own.
#[tauri::command]
#[specta::specta]
pub(crate) async fn rename_shop(desk: State<'_, Desk>, id: String, name: String) -> Result<(), UiError> {
    desk.studio()?.rename_shop(id, name).await
}

/// Removes one; what it sold stays.
#[tauri::command]
#[specta::specta]
pub(crate) async fn remove_shop(desk: State<'_, Desk>, id: String) -> Result<(), UiError> {
    desk.studio()?.remove_shop(id).await
}
