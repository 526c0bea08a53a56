//! The bag.

use crate::open::Desk;
use stallcast_studio::view::{CandidatesView, OfferForm, UiError};
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

/// Explains what comes next in the queue; says which number.
#[tauri::command]
#[specta::specta]
pub(crate) async fn explain_next(desk: State<'_, Desk>) -> Result<u32, UiError> {
    desk.studio()?.explain_next().await
}

/// Products that are not in the bag and match.
#[tauri::command]
#[specta::specta]
pub(crate) async fn bag_candidates(desk: State<'_, Desk>, text: String) -> Result<CandidatesView, UiError> {
    desk.studio()?.bag_candidates(text).await
}

/// Puts a product at the end of the queue; says its number.
#[tauri::command]
#[specta::specta]
pub(crate) async fn add_to_bag(desk: State<'_, Desk>, connection_id: String, product_id: String) -> Result<u32, UiError> {
    desk.studio()?.add_to_bag(connection_id, product_id).await
}

/// Takes a number out of the bag.
#[tauri::command]
#[specta::specta]
pub(crate) async fn remove_from_bag(desk: State<'_, Desk>, number: u32) -> Done {
    desk.studio()?.remove_from_bag(number).await
}

/// Moves a number in the queue.
#[tauri::command]
#[specta::specta]
pub(crate) async fn move_in_bag(desk: State<'_, Desk>, number: u32, by: i32) -> Done {
    desk.studio()?.move_in_bag(number, by).await
}

/// Changes price or pieces; shown once the shop says that it holds.
#[tauri::command]
#[specta::specta]
pub(crate) async fn change_offer(desk: State<'_, Desk>, form: OfferForm) -> Done {
    desk.studio()?.change_offer(form).await
}
