//! Orders, and what was pressed and failed.

use crate::open::Desk;
use stallcast_studio::view::UiError;
use tauri::State;

type Done = Result<(), UiError>;

/// Tells the platform that an order was sent.
#[tauri::command]
#[specta::specta]
pub(crate) async fn ship_order(desk: State<'_, Desk>, order_id: String, carrier: String, tracking: String) -> Done {
    desk.studio()?.ship_order(order_id, carrier, tracking).await
}

/// Sends a failed intent again, with the same key.
#[tauri::command]
#[specta::specta]
pub(crate) async fn retry_intent(desk: State<'_, Desk>, intent_id: String) -> Done {
    desk.studio()?.retry_intent(intent_id).await
}

/// Gives a failed intent up.
#[tauri::command]
#[specta::specta]
pub(crate) async fn discard_intent(desk: State<'_, Desk>, intent_id: String) -> Done {
    desk.studio()?.discard_intent(intent_id).await
}
