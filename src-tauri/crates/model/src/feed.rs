use crate::{ChangeId, CouponDraft, CouponId, Currency, Money, OfferTerms, Order, Product, ProductId, RoomState};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who receives an order. Personal: it is sealed before it is stored and never printed.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contact {
    /// Full name.
    pub name: String,
    /// Phone number.
    pub phone: String,
    /// Address.
    pub address: String,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(hidden)")
    }
}

/// An order as a platform just told it, with what must not be stored in clear.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedOrder {
    /// The order; its `buyer`, `raw_json` and the texts of its after-sales may be personal here.
    pub order: Order,
    /// Receiver.
    pub contact: Contact,
}

impl fmt::Debug for ReceivedOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedOrder").field("id", &self.order.id).field("version", &self.order.version).finish_non_exhaustive()
    }
}

/// A product as a platform just told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedProduct {
    /// The product.
    pub product: Product,
    /// Number that the platform speaks of, if it has one.
    pub number: Option<u32>,
    /// A higher one wins.
    pub version: i64,
}

/// A row that this version cannot read. It is kept, and the list does not count as complete while it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreadRow {
    /// The row's id if that much could be read, else a digest of its text.
    pub id: String,
    /// Its version, 0 when unreadable.
    pub version: i64,
    /// Why, for logs. Names fields, never values.
    pub reason: String,
    /// The platform's own JSON.
    pub raw_json: String,
}

impl fmt::Debug for UnreadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnreadRow").field("id", &self.id).field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// One page of a feed that is read by cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage<T> {
    /// In the order of the feed. May hold repeats.
    pub rows: Vec<T>,
    /// What could not be read.
    pub unread: Vec<UnreadRow>,
    /// Cursor behind this page; opaque to everyone but its adapter.
    pub next: String,
    /// The feed has more behind this page, even if this one is empty.
    pub more: bool,
    /// The platform's clock at this read, ms UTC. With `more == false`, every change up to here has been given out.
    pub read_at_ms: Option<i64>,
    /// Identity of the feed: a platform that was reset gives another one, and its cursors begin again.
    pub feed: Option<String>,
}

/// A coupon as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadCoupon {
    /// Which.
    pub id: CouponId,
    /// Terms as the platform has them.
    pub draft: CouponDraft,
    /// Claimed so far.
    pub claimed: u32,
    /// Can be claimed.
    pub active: bool,
    /// By the platform's clock, ms UTC.
    pub ends_at_ms: Option<i64>,
}

/// A change of price or pieces as read back, with the product as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOffer {
    /// Which.
    pub id: ChangeId,
    /// Terms as the platform has them.
    pub terms: OfferTerms,
    /// The price it replaced, if the platform remembers.
    pub price_before: Option<Money>,
    /// When it took effect, by the platform's clock, ms UTC.
    pub applied_at_ms: i64,
    /// The platform's clock at this read, ms UTC.
    pub read_at_ms: i64,
    /// As it stands now.
    pub product: ReceivedProduct,
}

/// What a platform shows as being explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadPin {
    /// Which product.
    pub product: ProductId,
    /// Since when, by the platform's clock, ms UTC.
    pub at_ms: i64,
}

/// Whether a platform shows the room as live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLive {
    /// `None` before the first show.
    pub state: Option<RoomState>,
    /// On air since, ms UTC, as it was told.
    pub started_at_ms: Option<i64>,
}

/// The shop behind a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopProfile {
    /// Its name. Hostile text: render as text only.
    pub name: String,
    /// What it sells in.
    pub currency: Currency,
}
