//! The room: its show, what is explained, coupons.

use super::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where the room's show stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum LiveState {
    Idle,
    Live,
    Ended,
}

/// Can it still be claimed?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CouponState {
    Active,
    Ended,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Room {
    /// Number of the last event this picture of the room contains: follow the stream from here.
    pub seq: i64,
    pub live: Live,
    #[schema(required)]
    pub pin: Option<Pin>,
    pub coupons: Vec<Coupon>,
    /// Open event streams of the room.
    pub viewers: u64,
    pub now_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Live {
    pub state: LiveState,
    #[schema(required)]
    pub started_at_ms: Option<i64>,
    /// Wall clock at program time zero.
    #[schema(required)]
    pub program_epoch_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pin {
    pub product_id: String,
    pub at_ms: i64,
    /// Program time of the pin.
    #[schema(required)]
    pub program_ms: Option<i64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PinForm {
    pub product_id: String,
    pub program_ms: Option<i64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LiveForm {
    /// `live` or `ended`.
    pub state: LiveState,
    pub started_at_ms: Option<i64>,
    pub program_epoch_ms: Option<i64>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Coupon {
    pub id: String,
    pub discount: Money,
    pub threshold: Money,
    pub quantity: i64,
    pub claimed: i64,
    pub state: CouponState,
    /// How long it was issued for, seconds.
    pub valid_s: i64,
    pub ends_at_ms: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CouponForm {
    pub discount: Money,
    pub threshold: Money,
    pub quantity: u32,
    pub valid_s: u32,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Claimed {
    pub claimed: bool,
}

/// Coupons of one viewer whose time is not over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Mine {
    pub coupons: Vec<String>,
    /// Those of them that an order used up.
    pub used: Vec<String>,
}
