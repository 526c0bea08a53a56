//! The shops, where each is, whether it answers, and what it can do.

use serde::{Deserialize, Serialize};
use specta::Type;

/// How far an action reaches on one shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum CapabilityView {
    /// It has a call for it and confirms it.
    Native,
    /// Only our picture changes.
    OverlayOnly {
        /// What the host must press where: `press.<code>` in the UI's texts.
        press: String,
    },
    /// Not possible.
    Unavailable {
        /// Why: `reason.<code>` in the UI's texts.
        reason: String,
    },
}

/// Does a shop answer?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ShopStateView {
    /// Not running, or nobody is connected to it: the shop of this machine while it is off.
    Off,
    /// Asked for the first time.
    Connecting,
    /// Orders and products are being read.
    Answers,
    /// Not any more; it is tried again by itself.
    Silent {
        /// What is in the way: `unreachable`, `unauthorized` and the like.
        code: String,
    },
}

/// A shop, and what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    /// Id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it is asked; `None` where that is not known.
    pub address: Option<String>,
    /// The shop of this machine: it is not added or removed.
    pub is_own: bool,
    /// Does it answer?
    pub state: ShopStateView,
    /// 讲解.
    pub pin: CapabilityView,
    /// Issuing coupons.
    pub issue_coupon: CapabilityView,
    /// Ending a coupon early.
    pub withdraw_coupon: CapabilityView,
    /// Changing price and pieces.
    pub change_offer: CapabilityView,
    /// Shipping.
    pub ship: CapabilityView,
    /// Answering after-sales.
    pub answer_after_sale: CapabilityView,
    /// Reading comments.
    pub comments: CapabilityView,
    /// Taking a comment off the viewers' page.
    pub hide_comment: CapabilityView,
}

/// What the form of a shop elsewhere sends.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ShopForm {
    /// `http://192.168.1.20:8080`, also without its beginning.
    pub address: String,
    /// The seller's token of that shop: the content of its `shop.token`. It never comes back to a window.
    pub token: String,
    /// A name of the seller's own, 1..=40 characters; empty takes the shop's.
    pub name: String,
    /// Token and orders may go through this network without encryption.
    pub trust_network: bool,
}

impl std::fmt::Debug for ShopForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShopForm").field("address", &self.address).field("name", &self.name).finish_non_exhaustive()
    }
}
