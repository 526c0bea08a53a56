//! Orders, and what was pressed and failed.

use crate::open::Desk;
use stallcast_studio::view::{LinePiecesView, OrderPageView, OrderStatusView, UiError};
use tauri::State;

type Done = Result<(), UiError>;

/// Orders that match what was typed, of one shop or of all, a page at a time.
#[tauri::command]
#[specta::specta]
pub(crate) async fn search_orders(
    desk: State<'_, Desk>,
    text: String,
    status: Option<OrderStatusView>,
    connection_id: Option<String>,
    after: Option<String>,
) -> Result<OrderPageView, UiError> {
    desk.studio()?.search_orders(text, status, connection_id, after).await
}

/// Tells the platform that a parcel of an order was sent; without lines all that is left.
#[tauri::command]
#[specta::specta]
pub(crate) async fn ship_order(
    desk: State<'_, Desk>,
    connection_id: String,
    order_id: String,
    carrier: String,
    tracking: String,
    lines: Vec<LinePiecesView>,
) -> Done {
    desk.studio()?.ship_order(connection_id, order_id, carrier, tracking, lines).await
}

/// Grants what a buyer asked for.
#[tauri::command]
#[specta::specta]
pub(crate) async fn agree_after_sale(desk: State<'_, Desk>, connection_id: String, order_id: String, after_sale_id: String) -> Done {
    desk.studio()?.agree_after_sale(connection_id, order_id, after_sale_id).await
}

/// Refuses it, with a reason for the buyer.
#[tauri::command]
#[specta::specta]
pub(crate) async fn refuse_after_sale(
    desk: State<'_, Desk>,
    connection_id: String,
    order_id: String,
    after_sale_id: String,
    reason: String,
) -> Done {
    desk.studio()?.refuse_after_sale(connection_id, order_id, after_sale_id, reason).await
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
