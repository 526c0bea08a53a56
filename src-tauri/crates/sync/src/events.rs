use crate::Reach;
use stallcast_store::{CommentChange, IntentRow, OrderChange, ProductChange, Resource, Seal};
use tokio::sync::broadcast;

/// Events kept for a slow reader. One that falls further behind reads the store.
const KEPT: usize = 256;

/// What changed in the store, or in how far it can be trusted. The store has it already.
#[derive(Debug, Clone, PartialEq)]
pub enum SyncEvent {
    /// Orders are new or changed.
    Orders(Vec<OrderChange>),
    /// Products are new or changed.
    Products(Vec<ProductChange>),
    /// Comments are new or were hidden.
    Comments(Vec<CommentChange>),
    /// A coupon was claimed or ended.
    Coupons,
    /// An intent moved on.
    Intent(Box<IntentRow>),
    /// A feed is known further than before, or was reset.
    Seal {
        /// Of which.
        resource: Resource,
        /// How far.
        seal: Seal,
    },
    /// Comments can be read again, or not any more.
    CommentsReach(bool),
    /// The platform stopped answering, or began to.
    Reach(Reach),
}

/// Tells events to whoever listens. Never waits.
#[derive(Debug, Clone)]
pub(crate) struct News(broadcast::Sender<SyncEvent>);

impl News {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<SyncEvent> {
        self.0.subscribe()
    }

    pub(crate) fn tell(&self, event: SyncEvent) {
        // Nobody listening is no error.
        let _ = self.0.send(event);
    }
}
