//! What the workers did, carried to windows and picture.

use super::Selling;
use super::changed::Changed;
use crate::studio::Studio;
use crate::view::StudioEvent;
use stallcast_sync::SyncEvent;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

impl Studio {
    /// Gathers what the workers of one shop did until it is removed or the studio closes.
    pub(crate) async fn carry_selling(self, selling: Arc<Selling>, mut events: Receiver<SyncEvent>) {
        while let Some(event) = selling.token.run_until_cancelled(events.recv()).await {
            match event {
                Ok(event) => self.take_selling(&selling, &event).await,
                Err(RecvError::Lagged(_)) => {
                    selling.pictures_wanted.notify_one();
                    self.shops().change(|changed| *changed = Changed::ALL);
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn take_selling(&self, selling: &Selling, event: &SyncEvent) {
        match event {
            SyncEvent::Comments(changes) => self.comments_changed(selling.id().as_str(), changes),
            SyncEvent::Products(_) => selling.pictures_wanted.notify_one(),
            SyncEvent::Reach(reach) => {
                if reach.reachable {
                    self.ask_who(selling).await;
                }
                let (name, now) = (selling.name(), self.now_ms());
                let code = (!reach.reachable).then(|| reach.code.as_deref().unwrap_or("unreachable"));
                self.hub().change_health(|board| board.platform(selling.id().as_str(), &name, code, now));
            }
            _ => {}
        }
        self.shops().change(|changed| changed.take(event));
    }

    /// Tells windows and picture what changed, until the studio closes. The only one that does so for all shops: an older
    /// section never comes after a newer one.
    pub(crate) async fn tell_selling(self) {
        let token = self.inner.tasks.token();
        while let Some(changed) = token.run_until_cancelled(self.shops().changed()).await {
            self.tell(&changed).await;
        }
    }

    async fn tell(&self, changed: &Changed) {
        if changed.overlay {
            self.refresh_overlay().await;
        }
        if changed.intents {
            self.tell_failed_intents().await;
        }
        if changed.orders {
            self.publish_orders().await;
        }
        if changed.bag {
            self.publish_bag().await;
        }
        if changed.comments {
            self.publish_comments().await;
        }
        if changed.coupons {
            self.publish_coupons().await;
        }
        if changed.show {
            self.publish_show().await;
        }
        if changed.shops {
            self.hub().send(StudioEvent::Connections(self.connections_view().await));
        }
    }
}
