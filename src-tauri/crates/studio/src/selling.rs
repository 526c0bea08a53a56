//! The connection to the shop: adapter and synchronisation workers, and what the rest of the façade asks of them.

use crate::error::StudioError;
use crate::pictures::{Pictures, TypedPicture};
use crate::rows;
use crate::studio::Studio;
use crate::view::SealView;
use secrecy::{ExposeSecret, SecretString};
use stallcast_engine::protocol::Summary;
use stallcast_model::{ConnectionId, Effect, Product};
use stallcast_platform::Platform;
use stallcast_platform::local::LocalShop;
use stallcast_store::{Connection, Resource, Store};
use stallcast_sync::{ConnectionSync, Pace, SyncEvent, SyncOptions, Timing};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// Id of the local shop's connection.
const LOCAL: &str = "local";
/// Longest wait for the first whole reading of the shop. It goes on afterwards.
const FIRST_READ: Duration = Duration::from_secs(15);
/// A poll may be this late before the list counts as behind.
const LATE: Duration = Duration::from_secs(5);
/// Longest token file, bytes.
const MOST_TOKEN: u64 = 4096;

/// The connected shop.
#[derive(Debug)]
pub(crate) struct Selling {
    platform: Arc<LocalShop>,
    sync: ConnectionSync,
    connection: ConnectionId,
    name: Mutex<String>,
    pictures: Mutex<Pictures>,
    /// Products are new or changed: their pictures are read before somebody asks for them.
    pictures_wanted: Notify,
}

impl Selling {
    pub(crate) async fn stop(&self) {
        self.sync.stop().await;
    }

    fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Is the list of orders whole? Only the cursor proves it, and a proof gets old.
    pub(crate) async fn seal(&self, store: &Store, now_ms: i64) -> SealView {
        let seal = store.seal(&self.connection, Resource::Orders).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "the seal cannot be read");
            None
        });
        let Some((up_to_ms, read_at_ms)) = seal.and_then(|s| s.complete_up_to_ms.zip(s.read_at_ms)) else { return SealView::Unknown };
        let ours = (up_to_ms - self.platform.ahead_ms().unwrap_or(0)).min(now_ms);
        let allowed = i64::try_from((self.sync.interval() * 2 + LATE).as_millis()).unwrap_or(i64::MAX);
        // A wall clock that was set back makes every proof look young; the workers' own state does not.
        let fresh = self.sync.reach().reachable && now_ms - read_at_ms <= allowed;
        let up_to_ms = crate::present::ms(ours);
        if fresh { SealView::Complete { up_to_ms } } else { SealView::Behind { up_to_ms, connection: self.name() } }
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

/// The seller's token as the shop wrote it.
fn read_token(path: &Path) -> Result<SecretString, StudioError> {
    use std::io::Read;
    let down = |detail: &dyn std::fmt::Display| StudioError::new("shop_down").with("detail", detail).retryable();
    let mut text = zeroize::Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(|e| down(&format_args!("{}: {e}", path.display())))?;
    file.take(MOST_TOKEN).read_to_string(&mut text).map_err(|e| down(&e))?;
    let token = text.trim();
    if token.is_empty() { Err(down(&format_args!("{} is empty", path.display()))) } else { Ok(SecretString::from(token.to_owned())) }
}

/// Sections that changed since they were last told.
#[derive(Debug, Default)]
struct Changed {
    orders: bool,
    bag: bool,
    coupons: bool,
    show: bool,
    overlay: bool,
    intents: bool,
}

impl Changed {
    const ALL: Self = Self { orders: true, bag: true, coupons: true, show: true, overlay: true, intents: true };

    fn take(&mut self, event: &SyncEvent) {
        match event {
            SyncEvent::Orders(_) => (self.orders, self.show) = (true, true),
            SyncEvent::Products(_) => (self.bag, self.overlay) = (true, true),
            SyncEvent::Coupons => (self.coupons, self.overlay) = (true, true),
            SyncEvent::Intent(intent) => {
                self.intents = true;
                match &intent.effect {
                    Effect::Pin { .. } | Effect::Unpin { .. } => self.bag = true,
                    Effect::IssueCoupon { .. } => (self.coupons, self.overlay) = (true, true),
                    Effect::Ship { .. } => (self.orders, self.show) = (true, true),
                    Effect::GoLive { .. } => {}
                }
            }
            SyncEvent::Seal { resource: Resource::Orders, .. } | SyncEvent::Reach(_) => self.orders = true,
            // The figures were confirmed anew.
            SyncEvent::Seal { resource: Resource::Products, .. } => self.overlay = true,
        }
    }
}

impl Studio {
    fn seller_token(&self) -> Result<SecretString, StudioError> {
        let token = read_token(&self.seller_token_file())?;
        self.inner.options.redactor.register(token.expose_secret());
        Ok(token)
    }

    /// Connects to the running shop and starts the workers. Returns once the shop was read for the first time.
    pub(crate) async fn start_selling(&self) -> Result<(), StudioError> {
        let inner = &self.inner;
        let url = self.shop_url().ok_or_else(|| StudioError::internal("no shop"))?;
        let bad = |e: stallcast_platform::local::AddressError| StudioError::new("shop_down").with("detail", e);
        let platform = Arc::new(LocalShop::new(&url, self.seller_token()?, Arc::clone(&inner.options.clock)).map_err(bad)?);
        let profile = platform.profile().await.map_err(|e| StudioError::from(e).with("connection", &url))?;
        let connection = Connection {
            id: ConnectionId::new(LOCAL),
            kind: LocalShop::KIND.to_owned(),
            name: profile.name.clone(),
            capabilities: platform.capabilities(),
            currency: Some(profile.currency),
        };
        rows::put_connection(&inner.store, &connection).await?;
        let (sync, events) = ConnectionSync::start(SyncOptions {
            store: inner.store.clone(),
            platform: Arc::clone(&platform) as Arc<dyn Platform>,
            connection: connection.id.clone(),
            clock: Arc::clone(&inner.options.clock),
            pace: if self.is_on_air() { Pace::Live } else { Pace::Idle },
            timing: Timing::default(),
        });
        let selling = Selling {
            platform,
            sync,
            connection: connection.id,
            name: Mutex::new(profile.name),
            pictures: Mutex::default(),
            pictures_wanted: Notify::new(),
        };
        if let Err(second) = inner.selling.set(selling) {
            // Never two outbox workers.
            second.stop().await;
            return Err(StudioError::internal("two connections to one shop"));
        }
        inner.tasks.spawn("selling news", self.clone().carry_selling(events));
        inner.tasks.spawn("pictures", self.clone().read_pictures());
        self.tell_failed_intents().await;
        if let Some(selling) = inner.selling.get()
            && tokio::time::timeout(FIRST_READ, selling.sync.first_read()).await.is_err()
        {
            tracing::warn!("the shop was not read to its end yet; it goes on");
        }
        Ok(())
    }

    /// What failed waits for a person, who must hear of it.
    pub(crate) async fn tell_failed_intents(&self) {
        match rows::failed_intents(&self.inner.store).await {
            Ok(failed) => {
                let now = self.now_ms();
                self.hub().change_health(|board| board.failed_intents(failed.iter().map(|i| (i.id.as_str(), i.effect.word())), now));
            }
            Err(e) => tracing::error!(error = %e, "the outbox cannot be read"),
        }
    }

    /// Reads pictures of the bag ahead, as long as there is room for them.
    async fn read_pictures(self) {
        let token = self.inner.tasks.token();
        let Some(selling) = self.inner.selling.get() else { return };
        while token.run_until_cancelled(selling.pictures_wanted.notified()).await.is_some() {
            for row in self.bag_rows().await {
                if !selling.pictures().has_room() || row.product.picture.is_none() {
                    continue;
                }
                if token.run_until_cancelled(selling.picture(&row.product)).await.is_none() {
                    return;
                }
            }
        }
    }

    /// Carries what the workers did to windows and picture until the studio closes.
    async fn carry_selling(self, mut events: Receiver<SyncEvent>) {
        let token = self.inner.tasks.token();
        loop {
            let mut changed = Changed::default();
            match token.run_until_cancelled(events.recv()).await {
                None | Some(Err(RecvError::Closed)) => return,
                Some(Ok(event)) => self.take_selling(&event, &mut changed),
                Some(Err(RecvError::Lagged(_))) => changed = Changed::ALL,
            }
            // A rush of orders is told once, not row by row.
            loop {
                match events.try_recv() {
                    Ok(event) => self.take_selling(&event, &mut changed),
                    Err(TryRecvError::Lagged(_)) => changed = Changed::ALL,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            self.tell(&changed).await;
        }
    }

    fn take_selling(&self, event: &SyncEvent, changed: &mut Changed) {
        changed.take(event);
        if let SyncEvent::Reach(reach) = event {
            let (name, now) = (self.shop_name(), self.now_ms());
            self.hub().change_health(|board| board.platform(&name, reach.reachable, now));
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
            if let Some(selling) = self.inner.selling.get() {
                selling.pictures_wanted.notify_one();
            }
        }
        if changed.coupons {
            self.publish_coupons().await;
        }
        if changed.show {
            self.publish_show().await;
        }
    }

    /// The shop was started again: perhaps elsewhere, perhaps with another token, perhaps with news.
    pub(crate) async fn shop_restarted(&self) {
        let Some(selling) = self.inner.selling.get() else { return };
        if let (Some(url), Ok(token)) = (self.shop_url(), self.seller_token())
            && let Err(e) = selling.platform.moved(&url, token)
        {
            tracing::warn!(error = %e, "the shop's new address is not usable");
        }
        if let Ok(profile) = selling.platform.profile().await {
            *selling.name.lock().unwrap_or_else(PoisonError::into_inner) = profile.name;
        }
        selling.sync.read_now();
        selling.pictures_wanted.notify_one();
    }

    /// Something was written into the outbox.
    pub(crate) fn wake_outbox(&self) {
        if let Some(selling) = self.inner.selling.get() {
            selling.sync.wake_outbox();
        }
    }

    /// On air or explaining, the shop is watched closely: the picture shows only figures that were confirmed lately.
    pub(crate) fn follow_pace(&self, explaining: bool) {
        if let Some(selling) = self.inner.selling.get() {
            selling.sync.set_pace(if explaining || self.is_on_air() { Pace::Live } else { Pace::Idle });
        }
    }

    /// How far the shop's clock is ahead of ours.
    pub(crate) fn platform_ahead_ms(&self) -> i64 {
        self.inner.selling.get().and_then(|s| s.platform.ahead_ms()).unwrap_or(0)
    }

    /// When everything known of the products was confirmed last, by our clock.
    pub(crate) fn confirmed_ms(&self) -> Option<i64> {
        self.inner.selling.get()?.sync.read_at_ms(Resource::Products)
    }

    /// Empty before the shop has answered.
    pub(crate) fn shop_name(&self) -> String {
        self.inner.selling.get().map(Selling::name).unwrap_or_default()
    }

    pub(crate) async fn begin_show_row(&self) -> Result<(), StudioError> {
        rows::begin_show(&self.inner.store, self.now_ms()).await
    }

    /// It never came on air.
    pub(crate) async fn drop_show_row(&self) {
        if let Err(e) = rows::drop_show(&self.inner.store).await {
            tracing::error!(error = %e, "the show that did not start is not forgotten");
        }
    }

    /// The first output accepted: the show is live, here and on the platforms.
    pub(crate) async fn show_accepted(&self, since_ms: i64) {
        match rows::show_live(&self.inner.store, since_ms).await {
            Ok(true) => {
                self.wake_outbox();
                self.publish_show().await;
            }
            // Known already: this process found a running show.
            Ok(false) => {}
            Err(e) => tracing::error!(error = %e, "the show is not written down as live"),
        }
    }

    pub(crate) async fn end_show_row(&self, summary: &Summary) {
        self.close_show_row(Some(summary)).await;
    }

    /// The show ended while no app looked.
    pub(crate) async fn end_left_over_row(&self) {
        self.close_show_row(None).await;
    }

    async fn close_show_row(&self, summary: Option<&Summary>) {
        match rows::end_show(&self.inner.store, self.now_ms(), summary).await {
            Ok(true) => self.wake_outbox(),
            Ok(false) => {}
            Err(e) => tracing::error!(error = %e, "the end of the show is not written down"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_of_its_file() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("shop.token");
        assert_eq!(read_token(&path).map_err(|e| e.code().to_owned()).err().as_deref(), Some("shop_down"));
        std::fs::write(&path, "abc\n").expect("write");
        assert_eq!(read_token(&path).expect("token").expose_secret(), "abc");
        std::fs::write(&path, " \n").expect("write");
        assert!(read_token(&path).is_err(), "an empty token would be sent as none");
    }
}
