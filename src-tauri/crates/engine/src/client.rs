use crate::error::EngineError;
use crate::port::{Answer, Port};
use crate::protocol::{Command, Event, Hello, Message, Reply, Request, VERSION};
use crate::supervisor::EngineEvent;
use crate::wire::WireError;
use crate::{socket, wire};
use bytes::Bytes;
use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Ending flushes encoders and finishes files; opening a device may take its driver's time.
const REPLY_LIMIT: Duration = Duration::from_secs(60);
/// An engine that is there answers at once.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// Requests that may wait for the socket. More are refused, not queued.
const OUTGOING: usize = 32;

type Outcome = Result<Reply, EngineError>;

/// One connection to a media process.
#[derive(Debug)]
pub(crate) struct Connection {
    outgoing: mpsc::Sender<Bytes>,
    pending: Arc<Pending>,
    next: AtomicU64,
    pid: u32,
    version: u32,
    closed: CancellationToken,
}

/// Requests without an answer yet.
#[derive(Debug, Default)]
struct Pending(Mutex<HashMap<u64, oneshot::Sender<Outcome>>>);

impl Pending {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Outcome>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the events of a connection.
pub(crate) type Sink = Box<dyn Fn(EngineEvent) + Send + Sync>;

impl Connection {
    /// Connects and greets; `None` when nobody listens.
    pub(crate) async fn open(path: &Path, sink: Sink) -> Result<Option<Self>, EngineError> {
        Self::open_as(path, sink, false).await
    }

    /// The same; who only `glances` is no company for a show.
    pub(crate) async fn open_as(path: &Path, sink: Sink, glances: bool) -> Result<Option<Self>, EngineError> {
        let Some(stream) = socket::connect(path).await? else { return Ok(None) };
        let (mut from, mut to) = tokio::io::split(stream);
        let greeting = async {
            wire::write(&mut to, &Hello { version: VERSION, pid: std::process::id(), glances }, &[]).await?;
            wire::read::<Hello>(&mut from).await
        };
        let Ok(greeting) = tokio::time::timeout(HELLO_LIMIT, greeting).await else {
            return Err(EngineError::Down { detail: "it listens but does not answer".to_owned() });
        };
        let hello = match greeting {
            Ok(Some((hello, _))) => hello,
            // Closed while greeting, properly or by its death: it is just ending.
            Ok(None) | Err(WireError::Io(_)) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let (outgoing, waiting) = mpsc::channel(OUTGOING);
        let (pending, closed) = (Arc::new(Pending::default()), CancellationToken::new());
        let connection = Self {
            outgoing,
            pending: Arc::clone(&pending),
            next: AtomicU64::new(1),
            pid: hello.pid,
            version: hello.version,
            closed: closed.clone(),
        };
        let same_version = hello.version == VERSION;
        tokio::spawn(async move {
            tokio::select! {
                () = closed.cancelled() => {}
                () = incoming(from, &pending, &sink, same_version) => {}
                () = write_out(to, waiting) => {}
            }
            closed.cancel();
            for (_, waiter) in pending.lock().drain() {
                let _ = waiter.send(Err(EngineError::Down { detail: "the connection ended".to_owned() }));
            }
        });
        Ok(Some(connection))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// True if it speaks another version: it may be watched and ended, no more.
    pub(crate) fn is_foreign(&self) -> bool {
        self.version != VERSION
    }

    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    async fn request(&self, command: Command, attachment: Bytes) -> Outcome {
        if self.is_foreign() && !matches!(command, Command::Snapshot | Command::End | Command::Quit) {
            return Err(EngineError::Version { theirs: self.version });
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let bytes = wire::encode(&Request { id, command }, &attachment)?;
        let (answer, answered) = oneshot::channel();
        self.pending.lock().insert(id, answer);
        // Closed between the two: the drain above may have passed already.
        let sent = !self.closed.is_cancelled() && self.outgoing.send(bytes).await.is_ok();
        let outcome = if sent { tokio::time::timeout(REPLY_LIMIT, answered).await } else { Ok(Ok(Err(down("the connection ended")))) };
        self.pending.lock().remove(&id);
        match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(down("the connection ended")),
            Err(_) => Err(down("no answer in a minute")),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl Port for Connection {
    fn order(&self, command: Command, attachment: Bytes) -> Answer<'_> {
        Box::pin(self.request(command, attachment))
    }

    fn closed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.closed.cancelled())
    }
}

pub(crate) fn down(detail: &str) -> EngineError {
    EngineError::Down { detail: detail.to_owned() }
}

async fn incoming(mut from: ReadHalf<socket::Stream>, pending: &Pending, sink: &Sink, same_version: bool) {
    loop {
        let (value, attachment) = match wire::read::<serde_json::Value>(&mut from).await {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(e) => {
                tracing::info!(error = %e, "the media process's connection broke");
                return;
            }
        };
        match serde_json::from_value::<Message>(value) {
            Ok(Message::Reply { id, result }) => {
                if let Some(waiter) = pending.lock().remove(&id) {
                    let _ = waiter.send(result.map_err(EngineError::Refused));
                }
            }
            Ok(Message::Event { event: Event::Preview { seq, width, height } }) => {
                sink(EngineEvent::Preview { seq, width, height, jpeg: attachment })
            }
            Ok(Message::Event { event }) => sink(EngineEvent::Event(event)),
            // An event of a later version is none of ours; in our own version it is a defect worth a line.
            Err(e) if same_version => tracing::warn!(error = %e, "a message was not understood"),
            Err(_) => {}
        }
    }
}

async fn write_out(mut to: WriteHalf<socket::Stream>, mut waiting: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = waiting.recv().await {
        if to.write_all(&bytes).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_dies_while_greeting_is_as_good_as_gone() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("engine.sock");
        let listener = tokio::net::UnixListener::bind(&path).expect("listen");
        let dying = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("accept");
            // What was written and never read makes the system reset the connection.
            stream.readable().await.expect("a greeting");
        });
        let found = Connection::open(&path, Box::new(|_| {})).await.expect("no error: another one can be started");
        assert!(found.is_none());
        dying.await.expect("ends");
    }
}
