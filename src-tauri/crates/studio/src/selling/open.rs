//! Connecting to shops: that of this machine once it runs, the others as soon as the folder is open.

use super::{OWN, Selling, read_token};
use crate::error::StudioError;
use crate::pictures::Pictures;
use crate::rows;
use crate::studio::Studio;
use crate::view::StudioEvent;
use secrecy::{ExposeSecret, SecretString};
use stallcast_model::ConnectionId;
use stallcast_platform::Platform;
use stallcast_platform::local::{LocalShop, Reach};
use stallcast_store::{Connection, Remote};
use stallcast_sync::{ConnectionSync, Pace, SyncOptions, Timing};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// Longest wait for the first whole reading of the shop. It goes on afterwards.
const FIRST_READ: Duration = Duration::from_secs(15);

impl Studio {
    fn seller_token(&self) -> Result<SecretString, StudioError> {
        let path = self.seller_token_file();
        let down = |detail: &dyn std::fmt::Display| StudioError::new("shop_down").with("detail", detail).retryable();
        let token = read_token(&path).map_err(|e| down(&format_args!("{}: {e}", path.display())))?;
        let token = token.ok_or_else(|| down(&format_args!("{} is empty", path.display())))?;
        self.inner.options.redactor.register(token.expose_secret());
        Ok(token)
    }

    /// Connects to the running shop of this machine and starts its workers. Returns once it was read for the first time.
    pub(crate) async fn start_selling(&self) -> Result<(), StudioError> {
        let inner = &self.inner;
        let url = self.shop_url().ok_or_else(|| StudioError::internal("no shop"))?;
        let bad = |e: stallcast_platform::local::AddressError| StudioError::new("shop_down").with("detail", e);
        let shop = Arc::new(LocalShop::new(&url, self.seller_token()?, Arc::clone(&inner.options.clock)).map_err(bad)?);
        self.connect(LocalShop::KIND, Arc::clone(&shop) as Arc<dyn Platform>, Some(shop)).await
    }

    /// Connects to the platform that takes the first place and starts its workers. Returns once it was read for the first
    /// time.
    pub(crate) async fn connect(&self, kind: &str, platform: Arc<dyn Platform>, shop: Option<Arc<LocalShop>>) -> Result<(), StudioError> {
        let profile = platform.profile().await.map_err(|e| StudioError::from(e).with("connection", kind))?;
        let connection = Connection {
            id: ConnectionId::new(OWN),
            kind: kind.to_owned(),
            name: profile.name,
            capabilities: platform.capabilities(),
            currency: Some(profile.currency),
        };
        rows::put_connection(&self.inner.store, &connection).await?;
        let name = rows::connection_name(&self.inner.store, &connection.id).await?.unwrap_or(connection.name);
        let selling = self.begin_selling(connection.id, name, platform, shop).await?;
        if tokio::time::timeout(FIRST_READ, selling.sync.first_read()).await.is_err() {
            tracing::warn!("the shop was not read to its end yet; it goes on");
        }
        Ok(())
    }

    /// Begins with the shops that were added by their address. None is waited for: one that is away is told of.
    pub(crate) async fn start_remotes(&self) -> Result<(), StudioError> {
        let _turn = self.shops().turn.lock().await;
        for remote in rows::remotes(&self.inner.store).await? {
            if self.shops().of(remote.connection.id.as_str()).is_none()
                && let Err(e) = self.start_remote(&remote).await
            {
                tracing::error!(error = %e, id = %remote.connection.id, "a shop is not connected");
            }
        }
        Ok(())
    }

    pub(crate) async fn start_remote(&self, remote: &Remote) -> Result<(), StudioError> {
        let token = self.open_token(remote)?;
        let clock = Arc::clone(&self.inner.options.clock);
        // That its network is trusted was said when it was added.
        let shop = LocalShop::elsewhere(&remote.address, token, Reach::TrustedNetwork, clock).map_err(StudioError::internal)?;
        let shop = Arc::new(shop);
        let (id, name) = (remote.connection.id.clone(), remote.connection.name.clone());
        self.begin_selling(id, name, Arc::clone(&shop) as Arc<dyn Platform>, Some(shop)).await.map(drop)
    }

    /// Starts the workers and tasks of one shop and gives it its place in the list.
    async fn begin_selling(
        &self,
        connection: ConnectionId,
        name: String,
        platform: Arc<dyn Platform>,
        shop: Option<Arc<LocalShop>>,
    ) -> Result<Arc<Selling>, StudioError> {
        let inner = &self.inner;
        let (sync, events) = ConnectionSync::start(SyncOptions {
            store: inner.store.clone(),
            platform: Arc::clone(&platform),
            connection: connection.clone(),
            clock: Arc::clone(&inner.options.clock),
            pace: if self.is_on_air() { Pace::Live } else { Pace::Idle },
            timing: Timing::default(),
        });
        let selling = Arc::new(Selling {
            platform,
            shop,
            sync,
            connection,
            name: Mutex::new(name),
            pictures: Mutex::new(Pictures::default()),
            pictures_wanted: Notify::new(),
            told_ahead_ms: AtomicI64::new(0),
            token: inner.tasks.token().child_token(),
        });
        if let Err(second) = self.shops().put(Arc::clone(&selling)) {
            // Never two outbox workers.
            second.stop().await;
            return Err(StudioError::internal("two connections to one shop"));
        }
        inner.tasks.spawn("selling news", self.clone().carry_selling(Arc::clone(&selling), events));
        inner.tasks.spawn("pictures", self.clone().read_pictures(Arc::clone(&selling)));
        self.hub().send(StudioEvent::Connections(self.connections_view().await));
        self.tell_failed_intents().await;
        Ok(selling)
    }

    /// Reads pictures of the bag ahead, as long as there is room for them.
    async fn read_pictures(self, selling: Arc<Selling>) {
        let token = selling.token.clone();
        while token.run_until_cancelled(selling.pictures_wanted.notified()).await.is_some() {
            for row in self.bag_rows().await.iter().filter(|row| row.connection == selling.id().as_str()) {
                if !selling.pictures().has_room() || row.product.picture.is_none() {
                    continue;
                }
                if token.run_until_cancelled(selling.picture(&row.product)).await.is_none() {
                    return;
                }
            }
        }
    }

    /// The shop of this machine was started again: perhaps elsewhere, perhaps with another token, perhaps with news.
    pub(crate) async fn shop_restarted(&self) {
        let Some(selling) = self.shops().own() else { return };
        if let (Some(url), Ok(token), Some(shop)) = (self.shop_url(), self.seller_token(), &selling.shop)
            && let Err(e) = shop.moved(&url, token)
        {
            tracing::warn!(error = %e, "the shop's new address is not usable");
        }
        self.ask_who(&selling).await;
        selling.sync.read_now();
        selling.pictures_wanted.notify_one();
    }

    /// Asks a shop that answers (again) what it is called now, and which one it is.
    pub(crate) async fn ask_who(&self, selling: &Selling) {
        let store = &self.inner.store;
        let asked: Result<(), StudioError> = async {
            if let Some(identity) = selling.identity().await {
                rows::set_identity(store, selling.id(), &identity).await?;
            }
            if let Ok(profile) = selling.platform.profile().await
                && let Some(name) = rows::told(store, selling.id(), profile, selling.platform.capabilities()).await?
            {
                selling.set_name(name);
            }
            Ok(())
        }
        .await;
        if let Err(e) = asked {
            tracing::error!(error = %e, "what a shop is called was not written down");
        }
    }
}
