//! Starting, running and ending the shop.

use crate::error::ShopError;
use crate::files;
use crate::live;
use crate::routes;
use crate::sample;
use crate::serve;
use crate::shop::{self, Counters, Shop, Tokens};
use crate::store::Store;
use crate::sweep;
use serde::Serialize;
use stallcast_clock::{Clock, SystemClock};
use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for running requests at the end. The whole end takes at most twice this.
const END_LIMIT: Duration = Duration::from_millis(800);
const LOCK: &str = "shop.lock";
const ADDRESS: &str = "shop.json";
/// Who looks whether a shop runs ([`is_running`]) holds the lock for an instant: it is tried so often, so far apart.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Where the shop lives and listens.
#[derive(Debug, Clone)]
pub struct ShopOptions {
    /// The data folder; made if it is not there.
    pub data: PathBuf,
    /// Port 0 takes any free one.
    pub listen: SocketAddr,
}

/// What a parent needs to know once the shop listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub url: String,
    /// The address it is bound to: whoever starts it again lets the same people in.
    pub bound: SocketAddr,
    /// The file with the seller's token.
    pub token_path: PathBuf,
}

/// `DIR/shop.json`: how others on this machine find the shop.
#[derive(Serialize)]
struct Address<'a> {
    url: &'a str,
    bound: SocketAddr,
    pid: u32,
}

/// Does a shop run on this folder now? Asks the lock, which the system frees however its holder ends: `shop.json` may have
/// been left by one that was cut off.
#[must_use]
pub fn is_running(data: &Path) -> bool {
    // Shared: two that look at the same time do not take each other for a shop.
    File::open(data.join(LOCK)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Runs the shop until `cancel`, SIGTERM or SIGINT. Calls `ready` once when it listens. Needs a tokio runtime.
///
/// # Errors
/// [`ShopError`] when it cannot start or stops by itself.
pub async fn run(options: ShopOptions, cancel: CancellationToken, ready: impl FnOnce(&Ready) + Send) -> Result<(), ShopError> {
    // Before the start, so that a signal during it is not lost.
    let mut signals = Signals::listen().map_err(ShopError::internal)?;
    let running = start(options, Arc::new(SystemClock)).await?;
    ready(&running.ready);
    tokio::select! {
        () = cancel.cancelled() => {}
        () = signals.recv() => {}
    }
    running.stop().await;
    Ok(())
}

/// Starts the shop on the current tokio runtime and returns once it listens.
///
/// # Errors
/// [`ShopError`] naming what is in the way.
pub async fn start(options: ShopOptions, clock: Arc<dyn Clock>) -> Result<RunningShop, ShopError> {
    let ShopOptions { data, listen } = options;
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |source| ShopError::DataUnwritable { path, source }
    };
    files::create_folder(&data).map_err(unwritable(&data))?;
    let lock = lock(&data).await?;
    let address_path = data.join(ADDRESS);
    // While the lock is held, this file is its holder's: one that was cut off may have left its own.
    match std::fs::remove_file(&address_path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(unwritable(&address_path)(e)),
        _ => {}
    }
    let listener = TcpListener::bind(listen).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => ShopError::PortInUse { address: listen },
        _ => ShopError::AddressUnusable { address: listen, source },
    })?;
    let address = listener.local_addr().map_err(ShopError::internal)?;
    let token_path = data.join("shop.token");
    let token = files::token(&token_path).map_err(unwritable(&token_path))?;
    let tool_path = data.join("comments.token");
    let tool_token = files::token(&tool_path).map_err(unwritable(&tool_path))?;

    let store = Store::open(&data).await?;
    let known = shop::identity(&store).await.map_err(ShopError::internal)?;
    let is_new = known.is_none();
    let identity = match known {
        Some(identity) => identity,
        None => sample::identity().map_err(ShopError::internal)?,
    };
    let tokens = Tokens { seller: &token, tool: &tool_token };
    let shop = Arc::new(Shop::new(store, clock, data.join("live"), address.ip(), identity, &tokens));
    if is_new {
        shop.write(|change| Box::pin(sample::fill(change))).await.map_err(ShopError::internal)?;
    }

    let cancel = shop.tasks.token();
    shop.tasks.spawn("sweep", sweep::run(Arc::clone(&shop), cancel.clone()));
    live::look(&shop.live).await;
    shop.tasks.spawn("live", live::follow(Arc::clone(&shop.live), cancel.clone()));
    let server = tokio::spawn(serve::serve(listener, routes::router(&shop), Arc::clone(&shop), cancel.clone(), END_LIMIT));
    let url = format!("http://{}", reachable(address));
    let json = serde_json::to_vec(&Address { url: &url, bound: address, pid: std::process::id() }).map_err(ShopError::internal)?;
    files::replace(&address_path, &json).map_err(unwritable(&address_path))?;
    tracing::info!(%address, "the shop listens");
    Ok(RunningShop {
        ready: Ready { url, bound: address, token_path },
        token,
        tool_token,
        shop,
        server: Some(server),
        address_path,
        _stop_on_drop: cancel.drop_guard(),
        _lock: lock,
    })
}

/// A wildcard address is no place to go to.
fn reachable(bound: SocketAddr) -> SocketAddr {
    match bound {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], v6.port())),
        other => other,
    }
}

async fn lock(data: &Path) -> Result<File, ShopError> {
    let path = data.join(LOCK);
    let file = files::create_private(&path).map_err(|source| ShopError::DataUnwritable { path: path.clone(), source })?;
    let mut tries = 1;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => tokio::time::sleep(LOCK_PAUSE).await,
            Err(TryLockError::WouldBlock) => return Err(ShopError::AlreadyRunning { path: data.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(ShopError::DataUnwritable { path, source }),
        }
        tries += 1;
    }
}

/// A shop that runs in this process. Dropping it ends it without waiting.
#[derive(Debug)]
pub struct RunningShop {
    ready: Ready,
    token: String,
    tool_token: String,
    shop: Arc<Shop>,
    server: Option<JoinHandle<()>>,
    address_path: PathBuf,
    _stop_on_drop: tokio_util::sync::DropGuard,
    /// Freed last: until then the database may still be open.
    _lock: File,
}

impl RunningShop {
    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.ready.url
    }

    /// The address it is bound to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.ready.bound
    }

    /// The file with the seller's token.
    #[must_use]
    pub fn token_path(&self) -> &Path {
        &self.ready.token_path
    }

    /// The seller's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The token of tools that bring comments: the content of `comments.token` in the data folder.
    #[must_use]
    pub fn tool_token(&self) -> &str {
        &self.tool_token
    }

    /// What was refused since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shop.tally.read()
    }

    /// Ends it: no new requests, streams closed, running ones finished, within two seconds.
    pub async fn stop(mut self) {
        // Told before the address file goes, so that nobody is sent to a dead address for longer than needed.
        if let Err(error) = std::fs::remove_file(&self.address_path) {
            tracing::warn!(%error, "shop.json could not be removed");
        }
        if !self.shop.tasks.stop(END_LIMIT).await {
            tracing::warn!("a write did not end in time");
        }
        if let Some(server) = self.server.take()
            && let Err(error) = server.await
        {
            tracing::error!(%error, "the server ended badly");
        }
        self.shop.store.close().await;
        tracing::info!(counters = ?self.counters(), "the shop ended");
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals {
    close: tokio::signal::windows::CtrlBreak,
    interrupt: tokio::signal::windows::CtrlC,
}

#[cfg(windows)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { close: tokio::signal::windows::ctrl_break()?, interrupt: tokio::signal::windows::ctrl_c()? })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.close.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
