use serde::{Deserialize, Serialize};

/// Something a platform may or may not let the studio do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// 讲解: mark a product as being explained in the platform's own room.
    Pin,
    /// Issue a coupon.
    IssueCoupon,
    /// Mark an order as shipped.
    Ship,
    /// Tell the platform that the show is live or over.
    GoLive,
}

/// How far an action reaches on one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Capability {
    /// The platform has a call for it and confirms it.
    Native,
    /// Only our picture changes; `press` is the message code of what the host must press elsewhere.
    OverlayOnly {
        /// Message code, translated by the UI.
        press: String,
    },
    /// Not possible; `reason` is a message code.
    Unavailable {
        /// Message code, translated by the UI.
        reason: String,
    },
}

/// What one connection can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// 讲解.
    pub pin: Capability,
    /// Coupons.
    pub issue_coupon: Capability,
    /// Shipping.
    pub ship: Capability,
    /// Live state.
    pub go_live: Capability,
}

impl Capabilities {
    /// The entry for one action.
    #[must_use]
    pub const fn of(&self, action: Action) -> &Capability {
        match action {
            Action::Pin => &self.pin,
            Action::IssueCoupon => &self.issue_coupon,
            Action::Ship => &self.ship,
            Action::GoLive => &self.go_live,
        }
    }
}
