use crate::{AfterSaleId, Money};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a buyer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterSaleKind {
    /// 仅退款: money, the goods stay or were never sent.
    RefundOnly,
    /// 退货退款: goods go back, then money.
    ReturnRefund,
    /// 换货: other goods.
    Exchange,
    /// Something else, or a word this version does not know; see the platform's own JSON.
    Other,
}

/// Where an after-sale stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterSaleState {
    /// The seller must answer.
    Requested,
    /// Agreed: the buyer sends goods back.
    WaitBuyerReturn,
    /// The goods are on their way back, or back.
    WaitSellerReceive,
    /// Money is on its way.
    Refunding,
    /// Money is back.
    Refunded,
    /// The seller refused.
    Rejected,
    /// Withdrawn, or overtaken by something else.
    Closed,
    /// The platform decides.
    Disputed,
    /// A word this version does not know; see the raw state.
    Unknown,
}

impl AfterSaleState {
    /// Nothing more comes of it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Refunded | Self::Rejected | Self::Closed)
    }
}

/// A buyer's request about an order that was paid. It belongs to the order in whose list it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterSale {
    /// The platform's id of it.
    pub id: AfterSaleId,
    /// About which line: place in [`crate::Order::lines`], from 0; `None` = the whole order.
    pub line: Option<u32>,
    /// Pieces of that line; 0 = not told, or the whole order.
    pub quantity: u32,
    /// What is wanted.
    pub kind: AfterSaleKind,
    /// Where it stands.
    pub state: AfterSaleState,
    /// The platform's own word for the state, kept unread.
    pub raw_state: String,
    /// Money that goes back if the seller agrees.
    pub amount: Money,
    /// The buyer's words. Personal: sealed before it is stored, gone with the buyer, never printed. Hostile text.
    pub reason: String,
    /// The seller's words of a refusal. Kept like the reason.
    pub answer: String,
    /// When the platform decides by itself, ms UTC.
    pub deadline_ms: Option<i64>,
    /// Last changed, by the platform, ms UTC.
    pub updated_at_ms: i64,
}

impl fmt::Debug for AfterSale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterSale")
            .field("id", &self.id)
            .field("line", &self.line)
            .field("quantity", &self.quantity)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .field("raw_state", &self.raw_state)
            .field("amount", &self.amount)
            .finish_non_exhaustive()
    }
}

/// What the seller says to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AfterSaleAnswer {
    /// Yes: the money goes back.
    Agree,
    /// No.
    Refuse {
        /// Told to the buyer.
        reason: String,
    },
}
