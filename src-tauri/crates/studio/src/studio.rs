//! The façade itself: opening and closing a data folder, and what all use-cases share.

use crate::error::StudioError;
use crate::hub::Hub;
use crate::keychain::Keychain;
use crate::lock::FolderLock;
use crate::preview::{PreviewBoard, PreviewPicture};
use crate::redact::Redactor;
use crate::secrets::{MasterKey, Protector};
use crate::selling::Connections;
use crate::settings::Settings;
use crate::shop_process::ShopProcess;
use crate::usage::{self, Usage};
use crate::view::{StudioEvent, StudioView, UiError};
use secrecy::ExposeSecret;
use stallcast_clock::{Clock, SystemClock, Tasks};
use stallcast_engine::protocol::{Configuration, Destination, Event};
use stallcast_engine::{Engine, EngineError};
use stallcast_store::Store;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// Where the local shop comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShopMode {
    /// No shop: pictures only.
    Off,
    /// A supervised child of this process, or the one that already runs on the folder.
    On {
        /// `None` takes this machine alone and the port of last time, else any free one.
        listen: Option<SocketAddr>,
    },
    /// One that somebody else runs (tests run it in-process).
    At {
        /// `http://127.0.0.1:PORT`
        url: String,
    },
}

/// Starts the engine of a data folder some other way.
pub type StartEngine = fn(PathBuf) -> Pin<Box<dyn Future<Output = Result<Engine, EngineError>> + Send>>;

/// Where the media process comes from.
#[derive(Debug, Clone, Copy)]
pub enum EngineMode {
    /// A supervised child, or the one that already runs on the folder.
    Child,
    /// What this gives (tests run the same code in-process). The program never calls it: named here, the engine's inside
    /// and with it every codec would be loaded into the app.
    Given(StartEngine),
}

/// How a studio is opened.
#[derive(Debug, Clone)]
pub struct StudioOptions {
    /// The data folder, absolute.
    pub data: PathBuf,
    /// This program, for its children: the shop is started with it, the media process with the one beside it.
    pub exe: PathBuf,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where the passphrase is, if the folder uses one.
    pub passphrase_file: Option<PathBuf>,
    /// The keychain that may keep the master key; `None` for none.
    pub keychain: Option<Arc<dyn Keychain>>,
    /// The local shop.
    pub shop: ShopMode,
    /// The media process.
    pub engine: EngineMode,
    /// Learns the live secrets, so that logs mask them.
    pub redactor: Redactor,
    /// Sources and encoders given by a person; they open or opening fails. `None` takes the saved ones and falls back to
    /// the demo.
    pub configuration: Option<Configuration>,
    /// A show that already runs on the folder is an error and not taken over.
    pub refuse_running: bool,
}

impl StudioOptions {
    /// What the window uses: shop and media process as children, saved settings, a running show is taken over.
    #[must_use]
    pub fn new(data: PathBuf, exe: PathBuf) -> Self {
        Self {
            data,
            exe,
            clock: Arc::new(SystemClock),
            passphrase_file: None,
            keychain: None,
            shop: ShopMode::On { listen: None },
            engine: EngineMode::Child,
            redactor: Redactor::default(),
            configuration: None,
            refuse_running: false,
        }
    }
}

/// The studio of one data folder. Clones are the same studio. Every method is safe from any task.
#[derive(Debug, Clone)]
pub struct Studio {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: StudioOptions,
    pub(crate) key: Arc<MasterKey>,
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) preview: PreviewBoard,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) engine: OnceLock<Engine>,
    pub(crate) shop: OnceLock<ShopProcess>,
    pub(crate) shops: Connections,
    /// The comment that the host answers now.
    pub(crate) reading: crate::comments::Reading,
    /// One at a time: an older overlay must never overwrite a newer one.
    pub(crate) overlay_turn: tokio::sync::Mutex<()>,
    /// One choice of sources at a time: each is made of what was chosen before it, not of what it was while that was opening.
    pub(crate) sources_turn: tokio::sync::Mutex<()>,
    /// The media process did not take the newest one.
    pub(crate) overlay_owed: AtomicBool,
    /// The time that buyers' fields are kept was changed.
    pub(crate) retention_changed: tokio::sync::Notify,
    pub(crate) tasks: Tasks,
    /// Cancelled when the studio begins to close: no child is started any more.
    pub(crate) closing: CancellationToken,
    /// Held while the children are opened.
    pub(crate) opening: tokio::sync::Mutex<()>,
    /// The explanation that a dead process left open was looked after.
    pub(crate) span_settled: AtomicBool,
    pub(crate) cores: u32,
    /// It does more than hold its folder: shops that are added are connected to.
    is_open: AtomicBool,
    opened: watch::Sender<Option<Result<(), StudioError>>>,
    lock: Mutex<Option<FolderLock>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("data", &self.options.data).finish_non_exhaustive()
    }
}

impl Studio {
    /// Takes the folder: lock, master key, database, settings. Media process and shop open in the background; their
    /// progress comes as events, and [`Self::ready`] waits for them.
    ///
    /// # Errors
    /// `folder_busy`, `show_running`, `data_unwritable`, everything about secrets and the database.
    pub async fn open(options: StudioOptions) -> Result<Self, StudioError> {
        let studio = Self::take(options).await?;
        studio.inner.is_open.store(true, Ordering::Relaxed);
        studio.open_control().await;
        let checking = studio.clone();
        studio.inner.tasks.spawn("database check", async move {
            let token = checking.inner.tasks.token();
            if token.run_until_cancelled(crate::rows::is_damaged(&checking.inner.store)).await == Some(true) {
                let now = checking.now_ms();
                checking.hub().change_health(|board| board.database_suspect(now));
            }
        });
        studio.inner.tasks.spawn("retention", studio.clone().keep_retention());
        studio.inner.tasks.spawn("shops", studio.clone().tell_selling());
        let opening = studio.clone();
        studio.inner.tasks.spawn("open", async move { opening.open_children().await });
        Ok(studio)
    }

    /// Takes the folder and opens nothing else: no media process, no shop, no workers. For a command that changes the folder
    /// while nobody else has it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) async fn take(options: StudioOptions) -> Result<Self, StudioError> {
        let lock = FolderLock::take(&options.data)?;
        if options.refuse_running
            && let Some((snapshot, pid)) = crate::report::engine_snapshot(&options.data).await
            && crate::hub::on_air(snapshot.state.engine)
        {
            return Err(StudioError::new("show_running").with("pid", pid));
        }
        let (data, passphrase, keychain) = (options.data.clone(), options.passphrase_file.clone(), options.keychain.clone());
        let key = tokio::task::spawn_blocking(move || MasterKey::open(&data, passphrase.as_deref(), keychain.as_deref())).await;
        let key = Arc::new(key.map_err(StudioError::internal)??);
        let (store, restored) = crate::rows::open_store(&options.data, &key, &options.clock).await?;
        let settings = Settings::load(&store).await?;
        let configuration = options.configuration.clone().unwrap_or_else(|| settings.configuration.clone());
        let studio = Self {
            inner: Arc::new(Inner {
                hub: Hub::new(configuration),
                key,
                store,
                preview: PreviewBoard::default(),
                settings: Mutex::new(settings),
                engine: OnceLock::new(),
                shop: OnceLock::new(),
                shops: Connections::default(),
                reading: crate::comments::Reading::default(),
                overlay_turn: tokio::sync::Mutex::new(()),
                sources_turn: tokio::sync::Mutex::new(()),
                overlay_owed: AtomicBool::new(false),
                retention_changed: tokio::sync::Notify::new(),
                tasks: Tasks::new(),
                closing: CancellationToken::new(),
                opening: tokio::sync::Mutex::new(()),
                span_settled: AtomicBool::new(false),
                cores: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
                is_open: AtomicBool::new(false),
                opened: watch::Sender::new(None),
                lock: Mutex::new(Some(lock)),
                options,
            }),
        };
        if let Some(restored) = restored {
            let now = studio.now_ms();
            studio.hub().change_health(|board| board.database_restored(restored.copied_at_ms, now));
        }
        studio.guard_saved_secrets().await;
        Ok(studio)
    }

    /// Waits until media process, sources, shop and its first synchronisation stand.
    ///
    /// # Errors
    /// The first thing that did not open. A window goes on: it shows what is missing and tries again.
    pub async fn ready(&self) -> Result<(), StudioError> {
        let mut opened = self.inner.opened.subscribe();
        let result = opened.wait_for(Option::is_some).await.map_err(StudioError::internal)?.clone();
        result.unwrap_or(Ok(()))
    }

    pub(crate) fn tell_opened(&self, result: Result<(), StudioError>) {
        self.inner.opened.send_replace(Some(result));
    }

    /// Lets go of the folder. A running show goes on without this process: media process and shop stay, and the next
    /// start attaches. Otherwise both end.
    pub async fn close(&self) {
        let inner = &self.inner;
        // A child that is just being started is either known from here on or not there.
        inner.closing.cancel();
        drop(inner.opening.lock().await);
        // A show that is ending, or whose media process is being started again: what becomes of it is waited for.
        if self.is_on_air()
            && let Err(e) = self.take_snapshot().await
        {
            tracing::warn!(error = %e, "the media process gives no snapshot");
        }
        let live = self.is_on_air();
        self.stop_selling().await;
        if let Some(engine) = inner.engine.get() {
            if live {
                engine.detach();
            } else {
                engine.quit().await;
            }
        }
        if let Some(shop) = inner.shop.get() {
            if live { shop.detach().await } else { shop.stop().await }
        }
        if !inner.tasks.stop(Duration::from_secs(5)).await {
            tracing::warn!("a task of the studio did not end in time");
        }
        // A shop may have been connected while this was closing.
        self.stop_selling().await;
        crate::rows::close_store(&inner.store).await;
        inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// All shops at the same time: each may take some seconds.
    async fn stop_selling(&self) {
        let mut stopping = tokio::task::JoinSet::new();
        for shop in self.shops().all() {
            stopping.spawn(async move { shop.stop().await });
        }
        stopping.join_all().await;
    }

    /// Sections as they change. A reader that lags takes a [`Self::snapshot`].
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<StudioEvent> {
        self.hub().events()
    }

    /// Raw events of the machinery, for the command line.
    pub(crate) fn news(&self) -> broadcast::Receiver<Event> {
        self.hub().news()
    }

    /// Everything, for a window that opens.
    pub async fn snapshot(&self) -> StudioView {
        StudioView {
            show: self.show_view().await,
            bag: self.bag_view().await,
            orders: self.orders_view().await,
            comments: self.comments_view().await,
            coupons: self.coupons_view().await,
            connections: self.connections_view().await,
            stats: self.stats_view(),
            destinations: self.destinations_view().await,
            settings: self.settings_view(),
            health: self.hub().picture().health.view(),
        }
    }

    /// The newest picture of the program other than number `after`, waiting up to `wait` for one; `None` when none came.
    /// `shown`: pixels of the longest side on the screen, 0 where that is not known; a picture is seldom much larger.
    pub async fn preview(&self, after: u64, shown: u32, wait: Duration) -> Option<Arc<PreviewPicture>> {
        self.want_preview(shown).await;
        self.inner.preview.next(after, wait).await
    }

    pub(crate) fn is_open(&self) -> bool {
        self.inner.is_open.load(Ordering::Relaxed)
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.inner.options.data
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.inner.options.clock.utc_ms()
    }

    pub(crate) fn engine(&self) -> Result<&Engine, StudioError> {
        self.inner.engine.get().ok_or_else(|| StudioError::new("engine_down").with("detail", "…").retryable())
    }

    /// Address of the local shop, without a slash at its end.
    #[must_use]
    pub fn shop_url(&self) -> Option<String> {
        match &self.inner.options.shop {
            ShopMode::Off => None,
            ShopMode::At { url } => Some(url.trim_end_matches('/').to_owned()),
            ShopMode::On { .. } => self.inner.shop.get().map(|s| s.address().url),
        }
    }

    pub(crate) fn seller_token_file(&self) -> PathBuf {
        self.data().join("shop.token")
    }

    pub(crate) fn shop_cost(&self) -> Usage {
        self.inner.shop.get().and_then(|s| usage::of_process(s.address().pid)).unwrap_or_default()
    }

    /// The master key lies in a file of the folder: one line of warning is due.
    #[must_use]
    pub fn key_is_in_a_file(&self) -> bool {
        self.inner.key.protector() == Protector::File
    }

    /// The secrets of a destination are masked in every log from now on.
    pub(crate) fn guard_secrets(&self, destination: &Destination) {
        let redactor = &self.inner.options.redactor;
        if let Some(key) = &destination.key {
            redactor.register(key.expose_secret());
        } else if let Some(last) = destination.url.expose_secret().rsplit('/').next().filter(|last| last.len() >= 8) {
            // The URL is complete: its last part is the key. Short ones are words like `live`; paths are masked anyway.
            redactor.register(last);
        }
    }
}

/// A use-case failed: once in the log, with its chain, and once for the window.
pub(crate) fn logged(what: &'static str) -> impl Fn(StudioError) -> UiError {
    move |e| {
        tracing::info!(what, error = %e, "refused");
        e.into()
    }
}
