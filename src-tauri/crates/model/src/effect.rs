use crate::{
    Action, AfterSaleAnswer, AfterSaleId, ChangeId, CommentId, CouponDraft, CouponId, LinePieces, OfferTerms, OrderId, ProductId, Waybill,
};
use serde::{Deserialize, Serialize};

/// What a platform is told about the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomState {
    /// Viewers can watch.
    Live,
    /// The show is over.
    Ended,
}

/// Something the seller wants to be true on a platform: the content of an intent. Saved, so words may be added but never
/// changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// This product is being explained.
    Pin {
        /// Which.
        product: ProductId,
        /// Its spoken number.
        number: u32,
        /// Where the program stood, ms since the show began; `None` outside a show.
        program_ms: Option<i64>,
    },
    /// Nothing is being explained.
    Unpin {
        /// What was.
        product: ProductId,
        /// Its spoken number.
        number: u32,
    },
    /// A coupon can be claimed.
    IssueCoupon {
        /// Chosen by the studio.
        coupon: CouponId,
        /// Terms.
        draft: CouponDraft,
    },
    /// A coupon can no longer be claimed, before its time is over.
    WithdrawCoupon {
        /// Which.
        coupon: CouponId,
    },
    /// Price or pieces of a variant change.
    ChangeOffer {
        /// Chosen by the studio.
        change: ChangeId,
        /// Whose variant.
        product: ProductId,
        /// What changes.
        terms: OfferTerms,
    },
    /// A parcel of an order was sent.
    Ship {
        /// Which.
        order: OrderId,
        /// With whom.
        shipment: Waybill,
        /// What is in it; empty = all that is left.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines: Vec<LinePieces>,
    },
    /// The seller's answer to what a buyer asked for.
    AnswerAfterSale {
        /// Of which order.
        order: OrderId,
        /// Which request.
        after_sale: AfterSaleId,
        /// Yes or no.
        answer: AfterSaleAnswer,
    },
    /// The room is live or over.
    GoLive {
        /// Which of both.
        state: RoomState,
        /// On air since, ms UTC.
        started_at_ms: i64,
        /// Instant of program time zero, ms UTC.
        program_epoch_ms: i64,
    },
    /// Viewers do not see this comment any more.
    HideComment {
        /// Which.
        comment: CommentId,
    },
}

impl Effect {
    /// The capability it needs.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self {
            Self::Pin { .. } | Self::Unpin { .. } => Action::Pin,
            Self::IssueCoupon { .. } => Action::IssueCoupon,
            Self::WithdrawCoupon { .. } => Action::WithdrawCoupon,
            Self::ChangeOffer { .. } => Action::ChangeOffer,
            Self::Ship { .. } => Action::Ship,
            Self::AnswerAfterSale { .. } => Action::AnswerAfterSale,
            Self::GoLive { .. } => Action::GoLive,
            Self::HideComment { .. } => Action::HideComment,
        }
    }

    /// Stable word for keys and logs; un-pinning has its own.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pin { .. } => "pin",
            Self::Unpin { .. } => "unpin",
            Self::IssueCoupon { .. } => "coupon",
            Self::WithdrawCoupon { .. } => "withdraw",
            Self::ChangeOffer { .. } => "offer",
            Self::Ship { .. } => "ship",
            Self::AnswerAfterSale { answer: AfterSaleAnswer::Agree, .. } => "agree",
            Self::AnswerAfterSale { answer: AfterSaleAnswer::Refuse { .. }, .. } => "refuse",
            Self::GoLive { .. } => "live",
            Self::HideComment { .. } => "hide",
        }
    }

    /// What it is about: spoken number, coupon id, id of a change, of an order, of an after-sale or of a comment, or `room`.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Pin { number, .. } | Self::Unpin { number, .. } => number.to_string(),
            Self::IssueCoupon { coupon, .. } | Self::WithdrawCoupon { coupon } => coupon.to_string(),
            Self::ChangeOffer { change, .. } => change.to_string(),
            Self::Ship { order, .. } => order.to_string(),
            Self::AnswerAfterSale { after_sale, .. } => after_sale.to_string(),
            Self::GoLive { .. } => "room".to_owned(),
            Self::HideComment { comment } => comment.to_string(),
        }
    }

    /// Effects of one lane are sent one at a time, in order. In a lane that [`Self::replaces`], only the newest counts.
    #[must_use]
    pub fn lane(&self) -> String {
        match self {
            Self::Pin { .. } | Self::Unpin { .. } => "pin".to_owned(),
            Self::IssueCoupon { coupon, .. } | Self::WithdrawCoupon { coupon } => format!("coupon:{coupon}"),
            // Whoever presses twice wants both, in that order.
            Self::ChangeOffer { terms, .. } => format!("offer:{}", terms.sku),
            // Platforms take one write of an order at a time.
            Self::Ship { order, .. } | Self::AnswerAfterSale { order, .. } => format!("order:{order}"),
            Self::GoLive { .. } => "live".to_owned(),
            Self::HideComment { comment } => format!("comment:{comment}"),
        }
    }

    /// Sets a state: a newer one of its lane makes it pointless. False for what must happen once each.
    #[must_use]
    pub const fn replaces(&self) -> bool {
        matches!(self, Self::Pin { .. } | Self::Unpin { .. } | Self::GoLive { .. })
    }
}
