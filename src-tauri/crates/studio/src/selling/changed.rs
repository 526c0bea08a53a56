//! Which sections changed since they were last told.

use stallcast_model::Effect;
use stallcast_store::Resource;
use stallcast_sync::SyncEvent;

/// Sections that changed since they were last told. What shops do is gathered here and told together: a rush of orders is
/// told once, not row by row.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub orders: bool,
    pub bag: bool,
    pub comments: bool,
    pub coupons: bool,
    pub show: bool,
    pub overlay: bool,
    pub intents: bool,
    pub shops: bool,
}

impl Changed {
    /// Events were missed.
    pub(crate) const ALL: Self =
        Self { orders: true, bag: true, comments: true, coupons: true, show: true, overlay: true, intents: true, shops: true };

    pub(crate) fn take(&mut self, event: &SyncEvent) {
        match event {
            // An order may have fallen into a change of price.
            SyncEvent::Orders(_) => (self.orders, self.show, self.bag) = (true, true, true),
            SyncEvent::Products(_) => (self.bag, self.overlay) = (true, true),
            SyncEvent::Comments(_) | SyncEvent::CommentsReach(_) => self.comments = true,
            SyncEvent::Coupons => (self.coupons, self.overlay) = (true, true),
            SyncEvent::Intent(intent) => {
                self.intents = true;
                match &intent.effect {
                    Effect::Pin { .. } | Effect::Unpin { .. } => self.bag = true,
                    Effect::IssueCoupon { .. } | Effect::WithdrawCoupon { .. } => (self.coupons, self.overlay) = (true, true),
                    Effect::ChangeOffer { .. } => (self.bag, self.overlay) = (true, true),
                    Effect::Ship { .. } | Effect::AnswerAfterSale { .. } => (self.orders, self.show) = (true, true),
                    Effect::HideComment { .. } => self.comments = true,
                    Effect::GoLive { .. } => {}
                }
            }
            SyncEvent::Reach(_) => (self.orders, self.shops) = (true, true),
            SyncEvent::Seal { resource: Resource::Orders, .. } => self.orders = true,
            SyncEvent::Seal { resource: Resource::Comments, .. } => self.comments = true,
            // The figures were confirmed anew.
            SyncEvent::Seal { resource: Resource::Products, .. } => self.overlay = true,
        }
    }
}
