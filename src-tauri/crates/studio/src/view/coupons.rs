//! Coupons.

use super::{ActionView, MoneyView};
use serde::{Deserialize, Serialize};
use specta::Type;
use std::collections::BTreeMap;

/// Where a coupon stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum CouponStateView {
    /// On its way.
    Sending,
    /// Being looked up.
    Checking,
    /// Claimable: read back.
    Active,
    /// Over.
    Ended,
    /// Refused.
    Failed,
}

/// One coupon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CouponView {
    /// Id.
    pub id: String,
    /// Taken off.
    pub discount: MoneyView,
    /// From; zero means any.
    pub threshold: MoneyView,
    /// Where it stands.
    pub state: CouponStateView,
    /// Claimed, as read back.
    pub claimed: u32,
    /// Claimable in all.
    pub quantity: u32,
    /// Ends, ms UTC.
    pub ends_at_ms: Option<f64>,
    /// Error code when failed.
    pub failure: Option<String>,
    /// Values for its sentence.
    pub failure_params: BTreeMap<String, String>,
    /// Give this to `retry_intent` when failed.
    pub intent_id: Option<String>,
    /// Where it was issued.
    pub connection_id: String,
    /// How ending it early stands, once asked for: out of the picture from then on.
    pub withdraw: Option<ActionView>,
}

/// What the coupon form sends. Amounts as typed, in major units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CouponForm {
    /// For example `30`.
    pub discount: String,
    /// For example `199`; empty for any.
    pub threshold: String,
    /// Buyers.
    pub quantity: u32,
    /// Seconds.
    pub valid_s: u32,
    /// On which shop; `None` for the first that can.
    #[serde(default)]
    pub connection_id: Option<String>,
}
