//! What buyers ask for afterwards.

use super::Money;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What a buyer can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum AfterSaleKind {
    RefundOnly,
    ReturnRefund,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub(crate) enum AfterSaleState {
    Requested,
    Refunded,
    Rejected,
    Closed,
}

/// A request about an order. Its `Debug` shows none of its words.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AfterSale {
    pub id: String,
    /// About which line, from 0; `null` = the whole order.
    #[schema(required)]
    pub line: Option<u32>,
    /// Pieces of that line; 0 for the whole order.
    pub quantity: u32,
    pub kind: AfterSaleKind,
    pub state: AfterSaleState,
    /// What goes back if the seller agrees.
    pub amount: Money,
    pub reason: String,
    /// Why the seller refused.
    #[schema(required)]
    pub answer: Option<String>,
    pub asked_at_ms: i64,
    pub updated_at_ms: i64,
}

impl fmt::Debug for AfterSale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterSale").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

/// What a buyer asks for. Its `Debug` shows none of their words.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct AfterSaleForm {
    pub kind: AfterSaleKind,
    pub reason: String,
    /// About which line, from 0; without it the whole order.
    pub line: Option<u32>,
    /// Pieces of that line; without it all of them.
    pub quantity: Option<u32>,
}

impl fmt::Debug for AfterSaleForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterSaleForm").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RefuseForm {
    /// Told to the buyer.
    pub reason: String,
}
