use crate::client::{Connection, down};
use crate::ended;
use crate::error::EngineError;
use crate::hub::News;
use crate::port::Port;
use crate::process::{Child, Exit};
use crate::protocol::{Command, Event, Failure, Reply};
use crate::remembered::Remembered;
use crate::runtime::Runtime;
use crate::socket;
use crate::takeover::{Taken, take_over};
use bytes::Bytes;
use stallcast_clock::{Backoff, Tasks};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// A process that was started listens after a few hundred milliseconds; a cold disk takes longer.
const START_LIMIT: Duration = Duration::from_secs(15);
/// Between two looks whether it listens yet.
const LOOK: Duration = Duration::from_millis(15);
/// How long a command waits for a process that is being started again.
const COMMAND_WAITS: Duration = Duration::from_secs(8);
/// How long [`Engine::quit`] waits for the process to be gone.
const QUIT_LIMIT: Duration = Duration::from_secs(20);
/// How long it takes to learn how a process ended that is gone.
const REAP_LIMIT: Duration = Duration::from_secs(1);
/// A process that answers nothing for so long hangs, and is killed.
const HANG_LIMIT: Duration = Duration::from_secs(45);
const HANG_LOOK: Duration = Duration::from_secs(10);
/// Events a reader may be behind before it is told that it lags.
const EVENTS: usize = 256;

/// What happens in the media process, and to it.
#[derive(Debug, Clone)]
pub enum EngineEvent {
    /// It said so.
    Event(Event),
    /// A preview picture.
    Preview {
        /// Rising; begins anew after a restart.
        seq: u64,
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
        /// The picture.
        jpeg: Bytes,
    },
    /// It died. It is being started again.
    Down,
    /// It runs again as it did before.
    Restarted {
        /// Milliseconds from its death until everything was given to the new one.
        gap_ms: u64,
        /// Why the new one did not take up the show that the old one had. `None` if it did, or there was none.
        lost: Option<Failure>,
        /// The show had ended in order before the old one was gone, and nobody heard of it.
        ended: bool,
    },
    /// Only the connection to it broke, and stands again: whatever it told meanwhile was not heard.
    Reconnected {
        /// The show ended meanwhile.
        ended: bool,
    },
}

/// The media process as the studio sees it: starts it, talks to it, starts it again when it dies. Cheap to clone; the
/// process outlives all clones unless [`Self::quit`] is called.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    link: watch::Sender<Link>,
    events: Mutex<Option<broadcast::Sender<EngineEvent>>>,
    remembered: Mutex<Remembered>,
    /// What the process says of itself is about the show that is remembered. One that was only just started in the place of
    /// another says that no show runs, and means its own.
    settled: AtomicBool,
    pid: AtomicU32,
    /// Cancelled by `detach` and `quit`: nothing is started again.
    over: CancellationToken,
    child: Mutex<Option<Child>>,
    local: Option<Arc<Runtime>>,
}

#[derive(Clone)]
enum Link {
    Up(Arc<dyn Port>),
    /// Being started again.
    Down,
    /// For good.
    Gone,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("pid", &self.pid()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn new(local: Option<Arc<Runtime>>) -> Arc<Self> {
        Arc::new(Self {
            link: watch::Sender::new(Link::Down),
            events: Mutex::new(Some(broadcast::Sender::new(EVENTS))),
            remembered: Mutex::default(),
            settled: AtomicBool::new(true),
            pid: AtomicU32::new(std::process::id()),
            over: CancellationToken::new(),
            child: Mutex::new(None),
            local,
        })
    }

    fn tell(&self, event: EngineEvent) {
        match &event {
            EngineEvent::Event(Event::State(state)) if self.settled.load(Ordering::Acquire) => lock(&self.remembered).heard_state(state),
            EngineEvent::Event(Event::State(state)) => lock(&self.remembered).heard_show(state),
            EngineEvent::Event(Event::Stats(stats)) => lock(&self.remembered).heard_links(&stats.links),
            EngineEvent::Event(Event::Health(health)) => lock(&self.remembered).heard(health),
            EngineEvent::Event(Event::Ended(_)) => lock(&self.remembered).over(),
            _ => {}
        }
        if let Some(events) = &*lock(&self.events) {
            // Nobody listening is no error.
            let _ = events.send(event);
        }
    }

    fn close(&self) {
        self.over.cancel();
        self.link.send_replace(Link::Gone);
        lock(&self.events).take();
    }
}

/// Events of a connection go to whoever still holds the engine.
fn sink(inner: &Arc<Inner>) -> crate::client::Sink {
    let inner: Weak<Inner> = Arc::downgrade(inner);
    Box::new(move |event| {
        if let Some(inner) = inner.upgrade() {
            inner.tell(event);
        }
    })
}

impl Engine {
    /// The engine of a data folder: the running one, else a new process `exe engine --data DIR`, which is started again
    /// whenever it dies. Inside a tokio runtime.
    ///
    /// # Errors
    /// It does not start, or the running one speaks another version.
    pub async fn attach_or_start(data: &Path, exe: &Path) -> Result<Self, EngineError> {
        let inner = Inner::new(None);
        let (data, exe) = (data.to_owned(), exe.to_owned());
        let path = socket::path(&data, "engine")?;
        let running = Connection::open(&path, sink(&inner)).await?;
        let connection = match running {
            Some(connection) => connection,
            None => start(&inner, &path, &data, &exe).await?,
        };
        if connection.is_foreign() {
            return Err(EngineError::Version { theirs: connection.version() });
        }
        let connection = Arc::new(connection);
        inner.pid.store(connection.pid(), Ordering::Relaxed);
        inner.link.send_replace(Link::Up(Arc::clone(&connection) as Arc<dyn Port>));
        // A running show must survive its next death too: what it was told by an earlier client is learnt from it.
        if let Ok(Reply::Snapshot(snapshot)) = connection.order(Command::Snapshot, Bytes::new()).await {
            lock(&inner.remembered).learn(&snapshot);
            if let Ok(handover) = connection.order(Command::Handover, Bytes::new()).await {
                let mut remembered = lock(&inner.remembered);
                remembered.note(&Command::Handover, &Bytes::new(), &handover);
                remembered.heard_show(&snapshot.state);
            }
        }
        let watched = Arc::clone(&inner);
        // After a crash of its own it looks for the process that is there now, and starts one if there is none.
        Tasks::new().spawn_again(
            "supervisor",
            || {},
            move || {
                let (inner, data, exe, path) = (Arc::clone(&watched), data.clone(), exe.clone(), path.clone());
                Supervisor { inner, data, exe, path, crashes: 0, ended: false, owed: None }.watch(Arc::clone(&connection))
            },
        );
        Ok(Self { inner })
    }

    /// The engine that runs for a data folder, to watch or to end. It is not started again by this client.
    ///
    /// # Errors
    /// The socket is not usable.
    pub async fn attach(data: &Path) -> Result<Option<Self>, EngineError> {
        Self::attach_as(data, false).await
    }

    /// The same for one look: it does not count as somebody who looks after the show.
    ///
    /// # Errors
    /// As [`Self::attach`].
    pub async fn glance(data: &Path) -> Result<Option<Self>, EngineError> {
        Self::attach_as(data, true).await
    }

    async fn attach_as(data: &Path, glances: bool) -> Result<Option<Self>, EngineError> {
        let inner = Inner::new(None);
        let path = socket::path(data, "engine")?;
        let Some(connection) = Connection::open_as(&path, sink(&inner), glances).await? else { return Ok(None) };
        let connection = Arc::new(connection);
        inner.pid.store(connection.pid(), Ordering::Relaxed);
        inner.link.send_replace(Link::Up(Arc::clone(&connection) as Arc<dyn Port>));
        let watched = Arc::clone(&inner);
        tokio::spawn(async move {
            let mut link = watched.link.subscribe();
            tokio::select! {
                () = connection.closed() => {}
                // Not when it is over: the last command is still to be sent then.
                _ = link.wait_for(|link| matches!(link, Link::Gone)) => connection.close(),
            }
            watched.close();
        });
        Ok(Some(Self { inner }))
    }

    /// The same code in this process, for tests: no socket, no child.
    ///
    /// # Errors
    /// The OS gives no thread.
    pub async fn in_process(data: &Path) -> Result<Self, EngineError> {
        let runtime = Arc::new(Runtime::start(data, Box::new(|part| tracing::error!(part, "the show stands still")))?);
        let inner = Inner::new(Some(Arc::clone(&runtime)));
        inner.link.send_replace(Link::Up(Arc::clone(&runtime) as Arc<dyn Port>));
        let mailbox = runtime.hub().attach(true);
        let watched = Arc::clone(&inner);
        tokio::spawn(async move {
            loop {
                let news = tokio::select! {
                    biased;
                    news = mailbox.next() => news,
                    () = runtime.gone() => None,
                    () = watched.over.cancelled() => None,
                };
                match news {
                    Some(News::Event(event)) => watched.tell(EngineEvent::Event(event)),
                    Some(News::Preview { seq, width, height, jpeg }) => watched.tell(EngineEvent::Preview { seq, width, height, jpeg }),
                    Some(News::Reply { .. }) => {}
                    None => break,
                }
            }
            watched.close();
        });
        Ok(Self { inner })
    }

    /// Carries out one command. While the process is being started again, waits up to 8 s for it.
    ///
    /// # Errors
    /// The engine refused, or is down. A command whose connection broke may or may not have been carried out; all
    /// commands may be given again.
    pub async fn command(&self, command: Command, attachment: Bytes) -> Result<Reply, EngineError> {
        if matches!(command, Command::End | Command::Quit) {
            // At once: whatever becomes of the process that is told, no other may go on with the show.
            lock(&self.inner.remembered).over();
        }
        let port = self.port().await?;
        let reply = port.order(command.clone(), attachment.clone()).await?;
        lock(&self.inner.remembered).note(&command, &attachment, &reply);
        Ok(reply)
    }

    async fn port(&self) -> Result<Arc<dyn Port>, EngineError> {
        let mut link = self.inner.link.subscribe();
        match tokio::time::timeout(COMMAND_WAITS, link.wait_for(|link| !matches!(link, Link::Down))).await {
            Ok(Ok(link)) => match &*link {
                Link::Up(port) => Ok(Arc::clone(port)),
                Link::Down | Link::Gone => Err(down("detached")),
            },
            _ => Err(down("it is being started again")),
        }
    }

    /// Events from now on. A reader that lags takes a [`Command::Snapshot`]. Closed after [`Self::detach`].
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<EngineEvent> {
        lock(&self.inner.events).as_ref().map_or_else(|| broadcast::channel(1).1, broadcast::Sender::subscribe)
    }

    /// Lets go: a running engine goes on without this process. In process: the show ends.
    pub fn detach(&self) {
        if let Some(runtime) = &self.inner.local {
            runtime.stop();
        }
        self.inner.close();
    }

    /// Ends the show if there is one, then the process, and waits for it.
    pub async fn quit(&self) {
        self.inner.over.cancel();
        lock(&self.inner.remembered).over();
        let up = match &*self.inner.link.borrow() {
            Link::Up(port) => Some(Arc::clone(port)),
            Link::Down | Link::Gone => None,
        };
        let child = lock(&self.inner.child).take();
        let Some(port) = up else {
            // The one that is just being started in its place is not wanted any more.
            if let Some(child) = child {
                child.kill();
                child.wait(QUIT_LIMIT).await;
            }
            return self.inner.close();
        };
        // It may be gone before its answer is.
        let _ = port.order(Command::Quit, Bytes::new()).await;
        if let Some(child) = child
            && !child.wait(QUIT_LIMIT).await
        {
            tracing::warn!(pid = child.pid(), "the media process does not end; it is killed");
            child.kill();
            child.wait(QUIT_LIMIT).await;
        }
        let _ = tokio::time::timeout(QUIT_LIMIT, port.closed()).await;
        drop(port);
        self.inner.close();
    }

    /// Its process id now.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.inner.pid.load(Ordering::Relaxed)
    }
}

/// Starts a process and waits until it listens. Another process may have been quicker: then that one it is.
async fn start(inner: &Arc<Inner>, path: &Path, data: &Path, exe: &Path) -> Result<Connection, EngineError> {
    let child = Child::start(exe, data)?;
    lock(&inner.child).replace(child.clone());
    let mut unwanted = Unwanted(Some(child.clone()));
    let begun = Instant::now();
    loop {
        let exit = child.exited();
        if let Some(connection) = Connection::open(path, sink(inner)).await? {
            unwanted.0 = None;
            return Ok(connection);
        }
        if let Some(Exit { text, .. }) = exit {
            return Err(EngineError::Start { detail: text });
        }
        if begun.elapsed() > START_LIMIT {
            return Err(EngineError::Start { detail: "it does not listen".to_owned() });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A process that nobody is connected to yet. Who started it may be gone before.
struct Unwanted(Option<Child>);

impl Drop for Unwanted {
    fn drop(&mut self) {
        if let Some(child) = &self.0 {
            child.kill();
        }
    }
}

/// Crashes in a row, each soon after its process began, after which the next process does not open the sources.
const CRASHES: u32 = 3;
/// So soon.
const SOON: Duration = Duration::from_secs(30);
/// And before each further one that long is waited, up to the limit: no platform likes a publisher that comes and goes.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_LIMIT: Duration = Duration::from_secs(10);

struct Supervisor {
    /// In a row, each soon after its process began.
    crashes: u32,
    /// The show had ended in order, which nobody was told yet.
    ended: bool,
    /// A process that has not been told everything of the show, because its connection broke meanwhile: it is told again.
    owed: Option<u32>,
    inner: Arc<Inner>,
    data: PathBuf,
    exe: PathBuf,
    path: PathBuf,
}

impl Supervisor {
    async fn watch(mut self, mut connection: Arc<Connection>) {
        loop {
            let begun = Instant::now();
            tokio::select! {
                biased;
                () = self.inner.over.cancelled() => return,
                () = connection.closed() => {}
                () = self.hangs(&connection) => {
                    tracing::error!(pid = connection.pid(), "the media process hangs; it is killed");
                    crate::process::kill(connection.pid());
                    connection.close();
                }
            }
            if self.inner.over.is_cancelled() {
                return;
            }
            let died = Instant::now();
            self.inner.settled.store(false, Ordering::Release);
            self.inner.link.send_replace(Link::Down);
            let before = connection.pid();
            let old = lock(&self.inner.child).clone().filter(|child| child.pid() == before);
            let crashed = died - begun < SOON && self.crashed(old.as_ref()).await;
            self.crashes = if crashed { self.crashes.saturating_add(1) } else { 0 };
            if self.crashes > CRASHES {
                let pause = (PAUSE * (self.crashes - CRASHES)).min(PAUSE_LIMIT);
                tracing::error!(crashes = self.crashes, ?pause, "the media process crashes again and again");
                tokio::select! {
                    () = self.inner.over.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
            let Some(next) = self.back(died, before, old.as_ref()).await else { return };
            connection = next;
        }
    }

    /// Ends when the process has answered nothing for too long.
    async fn hangs(&self, connection: &Connection) {
        loop {
            tokio::time::sleep(HANG_LOOK).await;
            // Killed, and the system cannot end it: it answers nothing, and closes nothing either.
            if crate::process::is_dying(connection.pid()) {
                return;
            }
            // An attached process may be busy opening a device or finishing files: that takes seconds, not a minute.
            if tokio::time::timeout(HANG_LIMIT, connection.order(Command::Snapshot, Bytes::new())).await.is_err() {
                return;
            }
        }
    }

    /// Did it die of something inside it? Nobody knows of one that another app had started.
    async fn crashed(&self, child: Option<&Child>) -> bool {
        let Some(child) = child else { return false };
        child.wait(REAP_LIMIT).await && child.exited().is_some_and(|exit| exit.crashed)
    }

    /// Has a process again, told what the old one knew. `None`: detached meanwhile.
    async fn back(&mut self, died: Instant, before: u32, old: Option<&Child>) -> Option<Arc<Connection>> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5), u64::from(before));
        let mut told = false;
        loop {
            match self.once(&mut told).await {
                Ok(connection) => {
                    if self.inner.over.is_cancelled() {
                        return None;
                    }
                    let again = self.owed.take() == Some(connection.pid());
                    let same = connection.pid() == before && !again;
                    let connection = Arc::new(connection);
                    let had_show = || lock(&self.inner.remembered).has_show();
                    let had = had_show();
                    let (taken, ended) = if same {
                        self.look_again(&connection).await;
                        (Taken::Over, had && !had_show())
                    } else {
                        let in_order = !again && self.ended_in_order(before, old).await;
                        if in_order {
                            tracing::info!(pid = before, "the media process had ended in order, and its show with it");
                            lock(&self.inner.remembered).over();
                        }
                        let spared = self.crashes >= CRASHES;
                        let taken = take_over(&connection, &self.inner.remembered, spared, |event| self.inner.tell(event)).await;
                        (taken, had && in_order)
                    };
                    let lost = match taken {
                        Taken::Over => None,
                        Taken::Lost(refused) => Some(refused),
                        // Nothing is told of it: the next one is. One that lives all the same is found by the same way.
                        Taken::Died => {
                            self.ended |= ended;
                            self.owed = Some(connection.pid());
                            connection.close();
                            return Some(connection);
                        }
                    };
                    let ended = std::mem::take(&mut self.ended) || ended;
                    self.inner.settled.store(true, Ordering::Release);
                    self.inner.pid.store(connection.pid(), Ordering::Relaxed);
                    self.inner.link.send_replace(Link::Up(Arc::clone(&connection) as Arc<dyn Port>));
                    let gap_ms = u64::try_from(died.elapsed().as_millis()).unwrap_or(u64::MAX);
                    if same {
                        self.inner.tell(EngineEvent::Reconnected { ended });
                    } else {
                        tracing::warn!(
                            gap_ms,
                            pid = connection.pid(),
                            lost = lost.as_ref().map(|f| &f.code),
                            "the media process runs again"
                        );
                        self.inner.tell(EngineEvent::Restarted { gap_ms, lost, ended });
                    }
                    return Some(connection);
                }
                Err(e) => {
                    tracing::error!(error = %e, "the media process does not come back yet");
                    tokio::select! {
                        () = self.inner.over.cancelled() => return None,
                        () = tokio::time::sleep(backoff.next_wait()) => {}
                    }
                }
            }
            if self.inner.over.is_cancelled() {
                return None;
            }
        }
    }

    /// The same process: what became of the show while nobody listened. An app that was frozen is cut off, and may come back
    /// when the show has ended for want of it, or when the sources were let go of: those are opened again, nobody else would.
    async fn look_again(&self, connection: &Connection) {
        // First, so that nothing falls between what is asked for and what is told.
        self.inner.settled.store(true, Ordering::Release);
        let asked = connection.order(Command::Snapshot, Bytes::new());
        if let Ok(Ok(Reply::Snapshot(snapshot))) = tokio::time::timeout(COMMAND_WAITS, asked).await {
            let again = {
                let mut remembered = lock(&self.inner.remembered);
                remembered.heard_state(&snapshot.state);
                remembered.sources(false).filter(|_| snapshot.configuration.is_none())
            };
            if let Some(sources) = again {
                tracing::info!("the media process has let go of its sources; they are opened again");
                let asked = connection.order(Command::Restore(sources), Bytes::new());
                if !matches!(tokio::time::timeout(COMMAND_WAITS, asked).await, Ok(Ok(_))) {
                    tracing::warn!("the sources do not open again");
                }
            }
        }
    }

    /// Did the process that is gone end by itself? Then no show goes on, whether anybody heard of its end or not: its time was
    /// over, nobody looked after it, or somebody wanted it so.
    async fn ended_in_order(&self, pid: u32, child: Option<&Child>) -> bool {
        if ended::says(&self.data, pid) {
            return true;
        }
        // The mark may not have been written: the disk is full.
        let Some(child) = child.filter(|child| child.pid() == pid) else { return false };
        child.wait(REAP_LIMIT).await && child.exited().is_some_and(|exit| exit.in_order)
    }

    /// The process that still runs (only the connection broke), else a new one.
    async fn once(&self, told: &mut bool) -> Result<Connection, EngineError> {
        if let Some(connection) = Connection::open(&self.path, sink(&self.inner)).await? {
            return Ok(connection);
        }
        if !std::mem::replace(told, true) {
            tracing::error!(pid = self.inner.pid.load(Ordering::Relaxed), "the media process died");
            self.inner.tell(EngineEvent::Down);
        }
        let dead = lock(&self.inner.child).take();
        if let Some(child) = dead {
            // Reaped by its own task; its last words are for the log.
            if let Some(exit) = child.exited() {
                tracing::error!(exit = exit.text, "how it ended");
            }
        }
        start(&self.inner, &self.path, &self.data, &self.exe).await
    }
}
