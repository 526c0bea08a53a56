//! The local shop as a supervised child: started, attached to, restarted at once at the same address when it dies.

use crate::error::StudioError;
use crate::private_file;
use crate::process::{self, Stranger};
use serde::{Deserialize, Serialize};
use stallcast_clock::{Backoff, Tasks};
use stallcast_shop::{ShopError, is_running};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Longest wait for a new shop to answer. Its first start writes the sample catalogue.
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(5);
const PROBE_EVERY: Duration = Duration::from_millis(200);
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// A shop that answers nothing for this many probes hangs and is replaced.
const HANGS_AFTER: u32 = 4;

/// `DIR/shop.json`, as the shop writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShopAddress {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// What it is bound to, which may be more than this machine; an older shop does not say.
    #[serde(default)]
    pub bound: Option<SocketAddr>,
    /// Process.
    pub pid: u32,
}

impl ShopAddress {
    pub(crate) fn read(data: &Path) -> Option<Self> {
        let mut address: Self = serde_json::from_slice(&std::fs::read(data.join("shop.json")).ok()?).ok()?;
        address.url.truncate(address.url.trim_end_matches('/').len());
        Some(address)
    }

    fn socket(&self) -> Option<SocketAddr> {
        self.url.strip_prefix("http://")?.parse().ok()
    }

    /// Does a shop answer there? Any HTTP answer of the shop's own address counts as alive, none or a refusal does not.
    pub(crate) async fn answers(&self) -> bool {
        let Some(socket) = self.socket() else { return false };
        let ask = async {
            let mut stream = TcpStream::connect(socket).await.ok()?;
            stream.write_all(b"GET /api/shop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.ok()?;
            let mut head = [0; 12];
            stream.read_exact(&mut head).await.ok()?;
            (&head == b"HTTP/1.1 200").then_some(())
        };
        matches!(tokio::time::timeout(PROBE_LIMIT, ask).await, Ok(Some(())))
    }

    /// The shop that runs on this folder now, and its process. A file that was left by one that was cut off names nobody.
    fn find(data: &Path) -> Option<(Self, Stranger)> {
        let address = Self::read(data)?;
        // First the process, then whether it is the shop: whatever gets its number later is not meant.
        let process = Stranger::of(address.pid)?;
        // While the lock is held, the file is its holder's.
        (is_running(data) && Self::read(data).as_ref() == Some(&address)).then_some((address, process))
    }

    /// The shop that runs on this folder now and answers.
    pub(crate) async fn running(data: &Path) -> Option<Self> {
        Self::answering(data).await.map(|(address, _)| address)
    }

    async fn answering(data: &Path) -> Option<(Self, Stranger)> {
        let found = Self::find(data)?;
        found.0.answers().await.then_some(found)
    }
}

/// The supervisor. Dropping it leaves the shop alone; [`ShopProcess::stop`] ends it.
#[derive(Debug)]
pub(crate) struct ShopProcess {
    address: watch::Receiver<ShopAddress>,
    stop: CancellationToken,
    detach: CancellationToken,
    done: watch::Receiver<bool>,
}

/// How the shop is started.
#[derive(Debug, Clone)]
pub(crate) struct ShopStart {
    pub data: PathBuf,
    pub exe: PathBuf,
    /// Asked for by a person; `None` takes this machine alone and the port of last time, else any free one.
    pub listen: Option<SocketAddr>,
}

impl ShopStart {
    /// Does this shop listen where a person asked it to?
    fn is_met_by(&self, shop: &ShopAddress) -> bool {
        let (Some(wanted), Some(bound)) = (self.listen, shop.bound.or_else(|| shop.socket())) else { return true };
        bound.ip() == wanted.ip() && (wanted.port() == 0 || bound.port() == wanted.port())
    }

    /// Where the next one listens after this shop: viewers come back to its port, and no fewer of them than it let in.
    fn after(&self, shop: &ShopAddress) -> SocketAddr {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let seen = shop.socket().or(self.listen).unwrap_or(any);
        shop.bound.unwrap_or_else(|| SocketAddr::new(self.listen.unwrap_or(seen).ip(), seen.port()))
    }
}

enum Running {
    Ours(Box<Child>),
    Found(Stranger),
}

impl ShopProcess {
    /// Attaches to the shop of this folder or starts one, and keeps it alive. One that listens elsewhere than a person asks
    /// for is replaced. Each restart is told on `restarted`.
    ///
    /// # Errors
    /// `port_in_use` and `bad_address` for an address asked for; otherwise what the shop itself says, or `shop_down`.
    pub(crate) async fn start(start: ShopStart, tasks: &Tasks, restarted: mpsc::Sender<()>) -> Result<Self, StudioError> {
        let (running, address) = match ShopAddress::answering(&start.data).await {
            Some((address, process)) if start.is_met_by(&address) => (Running::Found(process), address),
            Some((address, process)) => {
                tracing::info!(found = %address.url, wanted = ?start.listen, "the shop that runs listens elsewhere; it is replaced");
                can_listen(&start, &address).await?;
                end(&mut Running::Found(process), &start.data).await;
                begin(&start).await?
            }
            None => begin(&start).await?,
        };
        let (address_tx, address_rx) = watch::channel(address);
        let (done_tx, done_rx) = watch::channel(false);
        let (stop, detach) = (CancellationToken::new(), CancellationToken::new());
        let told = Told { stop: stop.clone(), detach: detach.clone(), closed: tasks.token() };
        tasks.spawn("shop", async move {
            supervise(start, running, address_tx, restarted, told).await;
            done_tx.send_replace(true);
        });
        Ok(Self { address: address_rx, stop, detach, done: done_rx })
    }

    /// Where it listens now.
    pub(crate) fn address(&self) -> ShopAddress {
        self.address.borrow().clone()
    }

    /// Ends the shop and waits for it.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let _ = self.done.clone().wait_for(|done| *done).await;
    }

    /// Leaves the shop running and stops looking after it.
    pub(crate) async fn detach(&self) {
        self.detach.cancel();
        let _ = self.done.clone().wait_for(|done| *done).await;
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FirstLine {
    Ready {
        url: String,
        #[serde(default)]
        bound: Option<SocketAddr>,
    },
    Error {
        code: String,
        #[serde(default)]
        params: std::collections::BTreeMap<String, String>,
    },
}

/// Before a shop that runs is ended for another address: can that one be had?
async fn can_listen(start: &ShopStart, running: &ShopAddress) -> Result<(), StudioError> {
    let Some(listen) = start.listen else { return Ok(()) };
    let error = match TcpListener::bind(listen).await {
        Ok(_) => return Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            // The shop itself may be what is in the way.
            if running.socket().is_some_and(|seen| seen.port() == listen.port()) {
                return Ok(());
            }
            ShopError::PortInUse { address: listen }
        }
        Err(source) => ShopError::AddressUnusable { address: listen, source },
    };
    Err(start_error(&error, listen, &start.data))
}

/// Where a shop is tried first. Viewers keep a page open, so last time's port is as good as any; the network is let in only
/// when it is asked for, each time.
fn first_wish(asked: Option<SocketAddr>, last: Option<SocketAddr>) -> SocketAddr {
    let wish = asked.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    match last {
        Some(last) if wish.port() == 0 => SocketAddr::new(wish.ip(), last.port()),
        _ => wish,
    }
}

async fn begin(start: &ShopStart) -> Result<(Running, ShopAddress), StudioError> {
    let last_file = start.data.join("shop.address");
    let last = std::fs::read_to_string(&last_file).ok().and_then(|text| text.trim().parse::<SocketAddr>().ok());
    let wanted = first_wish(start.listen, last);
    let started = match spawn(start, wanted).await {
        Err(e) if e.code() == "port_in_use" && start.listen.is_none_or(|l| l.port() == 0) => {
            spawn(start, SocketAddr::new(wanted.ip(), 0)).await?
        }
        other => other?,
    };
    if let Some(socket) = started.1.socket()
        && let Err(e) = private_file::replace(&last_file, socket.to_string().as_bytes())
    {
        tracing::warn!(error = %e, "the shop's address is not remembered");
    }
    Ok(started)
}

/// A shop that nobody looks after yet. Whatever ends the waiting for it (a window that is closed in its first moments) ends
/// it too.
struct Starting(Option<Box<Child>>);

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.start_kill();
        }
    }
}

async fn spawn(start: &ShopStart, listen: SocketAddr) -> Result<(Running, ShopAddress), StudioError> {
    let down = |detail: &dyn std::fmt::Display| StudioError::new("shop_down").with("detail", detail).retryable();
    let mut command = Command::new(&start.exe);
    process::hide_console(&mut command);
    let child = command
        .arg("shop")
        .arg("--data")
        .arg(&start.data)
        .arg("--listen")
        .arg(listen.to_string())
        .env(process::CHILD_MARK, "1")
        .current_dir(&start.data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(false)
        .spawn()
        .map_err(|e| down(&e))?;
    let mut starting = Starting(Some(Box::new(child)));
    let child = starting.0.as_mut().ok_or_else(|| down(&"no process"))?;
    let pid = child.id().unwrap_or_default();
    let stdout = child.stdout.take().ok_or_else(|| down(&"no output"))?;
    let mut line = String::new();
    let read = tokio::time::timeout(START_LIMIT, BufReader::new(stdout.take(64 << 10)).read_line(&mut line)).await;
    let failure = match (read, serde_json::from_str::<FirstLine>(&line)) {
        (Ok(Ok(_)), Ok(FirstLine::Ready { url, bound })) => {
            let address = ShopAddress { url: url.trim_end_matches('/').to_owned(), bound, pid };
            let child = starting.0.take().ok_or_else(|| down(&"no process"))?;
            return Ok((Running::Ours(child), address));
        }
        (Ok(Ok(_)), Ok(FirstLine::Error { code, params })) => {
            params.iter().fold(StudioError::new(code), |e, (name, value)| e.with(name, value))
        }
        (Err(_), _) => down(&"no answer"),
        (Ok(_), _) => match tokio::time::timeout(STOP_LIMIT, child.wait()).await {
            Ok(Ok(status)) => down(&status),
            _ => down(&"no answer"),
        },
    };
    let _ = child.start_kill();
    let _ = child.wait().await;
    Err(failure)
}

/// How the looking after a shop ends.
struct Told {
    stop: CancellationToken,
    detach: CancellationToken,
    /// The studio closed and neither stopped nor detached it: it was closing while this shop started, and knows of none.
    closed: CancellationToken,
}

async fn supervise(start: ShopStart, mut running: Running, address: watch::Sender<ShopAddress>, restarted: mpsc::Sender<()>, told: Told) {
    let Told { stop, detach, closed } = told;
    loop {
        let now = address.borrow().clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => return end(&mut running, &start.data).await,
            () = detach.cancelled() => return,
            () = closed.cancelled() => match &running {
                Running::Ours(_) => return end(&mut running, &start.data).await,
                Running::Found(_) => return,
            },
            why = gone(&mut running, &now, &start.data) => tracing::warn!(pid = now.pid, why, "the local shop ended; starting it again"),
        }
        // It may hang rather than be dead; the port must be free for its successor.
        match &mut running {
            Running::Ours(child) => {
                let _ = child.start_kill();
                let _ = child.wait().await;
            }
            Running::Found(process) if is_running(&start.data) => process.kill(),
            Running::Found(_) => {}
        }
        let listen = start.after(&now);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5), u64::from(now.pid));
        loop {
            // The port of a dead process can stay taken for a moment; `begin` would leave it, viewers would lose their page.
            match spawn(&start, listen).await {
                Ok((next, next_address)) => {
                    running = next;
                    address.send_replace(next_address);
                    // A full channel already holds the news.
                    let _ = restarted.try_send(());
                    break;
                }
                Err(e) => tracing::warn!(error = %e, "the local shop does not start"),
            }
            let wait = backoff.next_wait();
            tokio::select! {
                () = stop.cancelled() => return,
                () = detach.cancelled() => return,
                () = closed.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// Returns when the shop is dead or hangs, with the reason.
async fn gone(running: &mut Running, address: &ShopAddress, data: &Path) -> &'static str {
    let hangs = async {
        let mut silent = 0;
        loop {
            tokio::time::sleep(PROBE_LIMIT).await;
            silent = if address.answers().await { 0 } else { silent + 1 };
            if silent >= HANGS_AFTER {
                return "hangs";
            }
        }
    };
    let dead = async {
        match running {
            Running::Ours(child) => {
                let _ = child.wait().await;
            }
            Running::Found(_) => freed(data).await,
        }
        "dead"
    };
    tokio::select! { why = hangs => why, why = dead => why }
}

/// Returns when the lock is free. The shop is not our child: nobody tells us that it ended.
async fn freed(data: &Path) {
    while is_running(data) {
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

async fn end(running: &mut Running, data: &Path) {
    let late = match running {
        Running::Ours(child) => {
            if let Some(pid) = child.id() {
                process::terminate(pid);
            }
            tokio::time::timeout(STOP_LIMIT, child.wait()).await.is_err()
        }
        Running::Found(process) => {
            if is_running(data) {
                process.terminate();
            }
            tokio::time::timeout(STOP_LIMIT, freed(data)).await.is_err()
        }
    };
    if !late {
        return;
    }
    tracing::warn!("the local shop did not end when asked; it is killed");
    let killed = async {
        match running {
            Running::Ours(child) => drop(child.kill().await),
            Running::Found(process) => {
                process.kill();
                freed(data).await;
            }
        }
    };
    let _ = tokio::time::timeout(STOP_LIMIT, killed).await;
}

/// Ends a shop that no app looks after any more.
pub(crate) async fn end_orphan(data: &Path) -> Option<Arc<ShopAddress>> {
    let (address, process) = ShopAddress::find(data)?;
    end(&mut Running::Found(process), data).await;
    Some(Arc::new(address))
}

/// Why a shop did not start, in the words of the command line.
pub(crate) fn start_error(e: &ShopError, listen: SocketAddr, data: &Path) -> StudioError {
    let unwritable = |path: &Path, source: &std::io::Error| {
        let full = source.kind() == std::io::ErrorKind::StorageFull;
        StudioError::new(if full { "disk_full" } else { "data_unwritable" }).with("path", path.display())
    };
    match e {
        ShopError::PortInUse { address } => StudioError::new("port_in_use").with("address", address),
        ShopError::AddressUnusable { .. } => StudioError::new("bad_address").with("value", listen),
        ShopError::DataUnwritable { path, source } => unwritable(path, source),
        ShopError::AlreadyRunning { .. } => {
            let pid = ShopAddress::read(data).map_or_else(|| "?".to_owned(), |a| a.pid.to_string());
            StudioError::new("folder_busy").with("pid", pid)
        }
        ShopError::NewerDatabase { path, .. } => StudioError::new("database_newer").with("path", path.display()),
        ShopError::DatabaseBroken { path, detail } => {
            StudioError::new("database_broken").with("path", path.display()).with("detail", detail)
        }
        ShopError::Internal { detail } => StudioError::new("shop_down").with("detail", detail).retryable(),
    }
}

#[cfg(test)]
#[path = "shop_process_tests.rs"]
mod tests;
