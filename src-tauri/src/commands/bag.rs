//! The bag.

use crate::open::Desk;
use stallcast_studio::view::UiError;
use tauri::State;

type Done = Result<(), UiError>;

/// 讲解.
#[tauri::command]
#[specta::specta]
pub(crate) async fn pin_product(desk: State<'_, Desk>, number: u32) -> Done {
    desk.studio()?.pin_product(number).await
}

/// Ends the explanation.
#[tauri::command]
#[specta::specta]
pub(crate) async fn unpin_product(desk: State<'_, Desk>) -> Done {
    desk.studio()?.unpin_product().await
}
