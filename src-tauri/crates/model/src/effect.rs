use crate::{Action, CouponDraft, CouponId, OrderId, ProductId};
use serde::{Deserialize, Serialize};

/// Who carries a parcel and under which number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// Name or code of the carrier, as typed.
    pub carrier: String,
    /// Tracking number, as typed.
    pub tracking: String,
}

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
    /// An order was sent.
    Ship {
        /// Which.
        order: OrderId,
        /// With whom.
        shipment: Shipment,
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
}

impl Effect {
    /// The capability it needs.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self {
            Self::Pin { .. } | Self::Unpin { .. } => Action::Pin,
            Self::IssueCoupon { .. } => Action::IssueCoupon,
            Self::Ship { .. } => Action::Ship,
            Self::GoLive { .. } => Action::GoLive,
        }
    }

    /// Stable word for keys and logs; un-pinning has its own.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pin { .. } => "pin",
            Self::Unpin { .. } => "unpin",
            Self::IssueCoupon { .. } => "coupon",
            Self::Ship { .. } => "ship",
            Self::GoLive { .. } => "live",
        }
    }

    /// What it is about: spoken number, coupon id, order id, or `room`.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Pin { number, .. } | Self::Unpin { number, .. } => number.to_string(),
            Self::IssueCoupon { coupon, .. } => coupon.to_string(),
            Self::Ship { order, .. } => order.to_string(),
            Self::GoLive { .. } => "room".to_owned(),
        }
    }

    /// Effects of one lane are sent one at a time, in order. In a lane that [`Self::replaces`], only the newest counts.
    #[must_use]
    pub fn lane(&self) -> String {
        match self {
            Self::Pin { .. } | Self::Unpin { .. } => "pin".to_owned(),
            Self::IssueCoupon { coupon, .. } => format!("coupon:{coupon}"),
            Self::Ship { order, .. } => format!("order:{order}"),
            Self::GoLive { .. } => "live".to_owned(),
        }
    }

    /// Sets a state: a newer one of its lane makes it pointless. False for what must happen once each.
    #[must_use]
    pub const fn replaces(&self) -> bool {
        matches!(self, Self::Pin { .. } | Self::Unpin { .. } | Self::GoLive { .. })
    }
}
