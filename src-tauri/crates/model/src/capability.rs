use serde::{Deserialize, Serialize};

/// Something a platform may or may not let the studio do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// 讲解: mark a product as being explained in the platform's own room.
    Pin,
    /// Issue a coupon.
    IssueCoupon,
    /// End a coupon before its time is over.
    WithdrawCoupon,
    /// Change price or pieces of what is being sold.
    ChangeOffer,
    /// Mark an order as shipped.
    Ship,
    /// Agree to what a buyer asked for, or refuse it.
    AnswerAfterSale,
    /// Tell the platform that the show is live or over.
    GoLive,
    /// Read what viewers write. Not an effect: a feed that is there or not.
    ReadComments,
    /// Take a comment off the viewers' page.
    HideComment,
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
    /// Ending a coupon early.
    #[serde(default = "untold")]
    pub withdraw_coupon: Capability,
    /// Price and pieces.
    #[serde(default = "untold")]
    pub change_offer: Capability,
    /// Shipping.
    pub ship: Capability,
    /// Answering after-sales.
    #[serde(default = "untold")]
    pub answer_after_sale: Capability,
    /// Live state.
    pub go_live: Capability,
    /// Reading comments: native or unavailable.
    #[serde(default = "untold")]
    pub comments: Capability,
    /// Taking one away.
    #[serde(default = "untold")]
    pub hide_comment: Capability,
}

/// Written down before this action was known.
fn untold() -> Capability {
    Capability::Unavailable { reason: "untold".to_owned() }
}

impl Capabilities {
    /// Everything, by itself.
    #[must_use]
    pub const fn native() -> Self {
        use Capability::Native as N;
        Self {
            pin: N,
            issue_coupon: N,
            withdraw_coupon: N,
            change_offer: N,
            ship: N,
            answer_after_sale: N,
            go_live: N,
            comments: N,
            hide_comment: N,
        }
    }

    /// The entry for one action.
    #[must_use]
    pub const fn of(&self, action: Action) -> &Capability {
        match action {
            Action::Pin => &self.pin,
            Action::IssueCoupon => &self.issue_coupon,
            Action::WithdrawCoupon => &self.withdraw_coupon,
            Action::ChangeOffer => &self.change_offer,
            Action::Ship => &self.ship,
            Action::AnswerAfterSale => &self.answer_after_sale,
            Action::GoLive => &self.go_live,
            Action::ReadComments => &self.comments,
            Action::HideComment => &self.hide_comment,
        }
    }
}
