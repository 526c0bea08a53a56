//! Coupons.

use crate::open::Desk;
use stallcast_studio::view::{CouponForm, UiError};
use tauri::State;

/// Issues a coupon; it is drawn once the shop says that it can be claimed.
#[tauri::command]
#[specta::specta]
pub(crate) async fn issue_coupon(desk: State<'_, Desk>, form: CouponForm) -> Result<(), UiError> {
    desk.studio()?.issue_coupon(form).await
}

/// Ends a coupon before its time.
#[tauri::command]
#[specta::specta]
pub(crate) async fn withdraw_coupon(desk: State<'_, Desk>, coupon_id: String) -> Result<(), UiError> {
    desk.studio()?.withdraw_coupon(coupon_id).await
}
