//! The connected shops: adapters and synchronisation workers, and what the rest of the façade asks of them.

mod changed;
mod connections;
mod news;
mod open;
mod token;

pub(crate) use connections::Connections;
pub(crate) use token::read_token;

use crate::pictures::{Pictures, TypedPicture};
use crate::rows;
use crate::studio::Studio;
use crate::view::{SealView, ShopStateView};
use connections::{OneSeal, together};
use stallcast_model::{Capability, ConnectionId, Product};
use stallcast_platform::Platform;
use stallcast_platform::local::LocalShop;
use stallcast_store::{Resource, Store};
use stallcast_sync::{ConnectionSync, Pace};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Id of the connection of this machine's shop.
pub(crate) const OWN: &str = "local";
/// A poll may be this late before the list counts as behind.
const LATE: Duration = Duration::from_secs(5);
/// A countdown may be this wrong before it is told anew.
const CLOCK_SLACK_MS: i64 = 250;

/// One connected shop.
#[derive(Debug)]
pub(crate) struct Selling {
    platform: Arc<dyn Platform>,
    /// The same, where it is a Stallcast shop: that of this machine may move, and each has an identity.
    shop: Option<Arc<LocalShop>>,
    sync: ConnectionSync,
    connection: ConnectionId,
    name: Mutex<String>,
    pictures: Mutex<Pictures>,
    /// Products are new or changed: their pictures are read before somebody asks for them.
    pictures_wanted: Notify,
    /// Its clock minus ours when coupons were told last, ms.
    told_ahead_ms: AtomicI64,
    /// Ends the tasks of this shop alone.
    token: CancellationToken,
}

impl Selling {
    /// Ends its workers and tasks, and waits for the workers.
    pub(crate) async fn stop(&self) {
        self.token.cancel();
        self.sync.stop().await;
    }

    pub(crate) const fn id(&self) -> &ConnectionId {
        &self.connection
    }

    pub(crate) fn is_own(&self) -> bool {
        self.connection.as_str() == OWN
    }

    pub(crate) fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_name(&self, name: String) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    /// What the shop calls its data; `None` where it does not say, or not now.
    pub(crate) async fn identity(&self) -> Option<String> {
        self.shop.as_ref()?.identity().await.ok()
    }

    /// Does it answer?
    pub(crate) fn state(&self) -> ShopStateView {
        let reach = self.sync.reach();
        match reach.code {
            _ if reach.reachable => ShopStateView::Answers,
            Some(code) => ShopStateView::Silent { code },
            None => ShopStateView::Connecting,
        }
    }

    /// How far the shop's clock is ahead of ours.
    fn ahead_ms(&self) -> i64 {
        self.platform.ahead_ms().unwrap_or(0)
    }

    /// Is the list of this feed whole? Only the cursor proves it, and a proof gets old.
    async fn seal(&self, store: &Store, resource: Resource, now_ms: i64) -> OneSeal {
        let name = self.name();
        let seal = store.seal(&self.connection, resource).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "the seal cannot be read");
            None
        });
        let Some((up_to_ms, read_at_ms)) = seal.and_then(|s| s.complete_up_to_ms.zip(s.read_at_ms)) else {
            return OneSeal { up_to_ms: None, is_whole: false, name };
        };
        let ours = (up_to_ms - self.ahead_ms()).min(now_ms);
        let allowed = i64::try_from((self.sync.interval() * 2 + LATE).as_millis()).unwrap_or(i64::MAX);
        // A wall clock that was set back makes every proof look young; the workers' own state does not.
        let is_read = match resource {
            Resource::Orders | Resource::Products => self.sync.reach().reachable,
            Resource::Comments => self.sync.reads(resource),
        };
        OneSeal { up_to_ms: Some(ours), is_whole: is_read && now_ms - read_at_ms <= allowed, name }
    }

    fn pictures(&self) -> MutexGuard<'_, Pictures> {
        self.pictures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The picture of a product, with its type; `None` when there is none or the shop does not answer.
    pub(crate) async fn picture(&self, product: &Product) -> Option<TypedPicture> {
        if let Some(kept) = self.pictures().get(product) {
            return Some(kept);
        }
        match self.platform.picture(product).await {
            Ok(picture) => {
                let picture = picture.map(|p| (p.mime, p.bytes))?;
                self.pictures().put(product, picture.clone());
                Some(picture)
            }
            Err(e) => {
                tracing::info!(error = %e, id = %product.id, "a picture was not read");
                None
            }
        }
    }
}

impl Studio {
    pub(crate) fn shops(&self) -> &Connections {
        &self.inner.shops
    }

    /// How far the orders or comments of all shops are known. A shop that has no such feed does not count.
    pub(crate) async fn seal_of(&self, resource: Resource) -> SealView {
        let mut seals = Vec::new();
        for shop in self.shops().all() {
            if resource != Resource::Comments || shop.platform.capabilities().comments == Capability::Native {
                seals.push(shop.seal(&self.inner.store, resource, self.now_ms()).await);
            }
        }
        together(&seals)
    }

    /// Something was written into the outbox.
    pub(crate) fn wake_outbox(&self) {
        self.shops().all().iter().for_each(|shop| shop.sync.wake_outbox());
    }

    /// On air or explaining, the shops are watched closely: the picture shows only figures that were confirmed lately.
    pub(crate) fn follow_pace(&self, explaining: bool) {
        let pace = if explaining || self.is_on_air() { Pace::Live } else { Pace::Idle };
        self.shops().all().iter().for_each(|shop| shop.sync.set_pace(pace));
    }

    /// How far the clock of a shop is ahead of ours.
    pub(crate) fn ahead_ms(&self, connection: &str) -> i64 {
        self.shops().of(connection).map_or(0, |shop| shop.ahead_ms())
    }

    /// A computer whose clock is wrong counts down wrongly elsewhere, and signed requests are refused.
    pub(crate) fn tell_clocks(&self, now_ms: i64) {
        for shop in self.shops().all() {
            if let Some(ahead) = shop.platform.ahead_ms() {
                let name = shop.name();
                self.hub().change_health(|board| board.clock(shop.id().as_str(), &name, ahead, now_ms));
            }
        }
    }

    /// A countdown is the platform's; told in our clock it is right until one of both is set.
    pub(crate) async fn follow_clock(&self) {
        let mut moved = false;
        for shop in self.shops().all() {
            let ahead = shop.ahead_ms();
            if (shop.told_ahead_ms.load(Ordering::Relaxed) - ahead).abs() > CLOCK_SLACK_MS {
                shop.told_ahead_ms.store(ahead, Ordering::Relaxed);
                moved = true;
            }
        }
        if moved {
            self.publish_coupons().await;
        }
    }

    /// When everything known of a shop's products was confirmed last, by our clock.
    pub(crate) fn confirmed_ms(&self, connection: &str) -> Option<i64> {
        self.shops().of(connection)?.sync.read_at_ms(Resource::Products)
    }

    /// Of the first shop; empty before one has answered.
    pub(crate) fn shop_name(&self) -> String {
        self.shops().first().map(|shop| shop.name()).unwrap_or_default()
    }

    /// What failed waits for a person, who must hear of it.
    pub(crate) async fn tell_failed_intents(&self) {
        match rows::failed_intents(&self.inner.store).await {
            Ok(failed) => {
                let now = self.now_ms();
                self.hub().change_health(|board| board.failed_intents(failed.len(), now));
            }
            Err(e) => tracing::error!(error = %e, "the outbox cannot be read"),
        }
    }
}
