use crate::error::{EngineError, failure};
use crate::hub::{Mailbox, News};
use crate::protocol::{Command, EngineState, Event, Hello, Message, Reply, Request, VERSION};
use crate::runtime::Runtime;
use crate::socket::{Listener, Stream};
use crate::wire;
use stallcast_clock::Tasks;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A peer that says nothing for so long after connecting is none.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// One message that a client does not take for so long means that it hangs.
const WRITE_LIMIT: Duration = Duration::from_secs(20);
/// Time for the last answer to be put into a mailbox.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Time for the last replies and events to reach the clients when the process ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves clients until `stop`. Each has its own tasks: none can hold up another or the show.
pub(crate) async fn serve(listener: Listener, runtime: Arc<Runtime>, stop: CancellationToken) {
    let clients = Tasks::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(stream) => stream,
                Err(e) => {
                    // Out of descriptors: the show goes on, and so will this.
                    tracing::warn!(error = %e, "no more connections for now");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            },
        };
        let (runtime, token) = (Arc::clone(&runtime), clients.token());
        clients.spawn("client", async move {
            if let Err(e) = client(stream, &runtime, token).await {
                tracing::info!(error = %e, "a client left");
            }
        });
    }
    drop(listener);
    if !clients.stop(FAREWELL).await {
        tracing::info!("a client did not take its last events");
    }
}

async fn client(stream: Stream, runtime: &Arc<Runtime>, stop: CancellationToken) -> Result<(), EngineError> {
    let (mut from, mut to) = tokio::io::split(stream);
    wire::write(&mut to, &Hello { version: VERSION, pid: std::process::id(), glances: false }, &[]).await?;
    let hello = tokio::time::timeout(HELLO_LIMIT, wire::read::<Hello>(&mut from)).await;
    let Ok(Some((hello, _))) = hello.unwrap_or(Ok(None)) else { return Ok(()) };
    tracing::info!(pid = hello.pid, version = hello.version, "a client attached");
    let same_version = hello.version == VERSION;
    let mailbox = Arc::new(runtime.hub().attach(same_version && !hello.glances));
    let result = tokio::select! {
        result = requests(&mut from, runtime, &mailbox, same_version) => result,
        result = news(&mut to, &mailbox, stop) => result,
    };
    tracing::info!(pid = hello.pid, "a client left");
    result
}

/// Hands requests on in their order, as many as the runtime takes: the end of a show is not to wait behind a camera that is
/// being opened.
async fn requests(from: &mut ReadHalf<Stream>, runtime: &Runtime, mailbox: &Arc<Mailbox>, same_version: bool) -> Result<(), EngineError> {
    let mut answers = JoinSet::new();
    while let Some((request, attachment)) = next_request(from, mailbox).await? {
        let Some(command) = request.command else { continue };
        let may = same_version || matches!(command, Command::Snapshot | Command::End) || is_quit_without_show(&command, runtime).await;
        while answers.try_join_next().is_some() {}
        let submitted = if may { runtime.submit(command, attachment) } else { Err(failure("version", &[("theirs", &VERSION)])) };
        match submitted {
            Ok(answer) => {
                let mailbox = Arc::clone(mailbox);
                answers.spawn(async move { mailbox.reply(request.id, answer.await) });
            }
            Err(refused) => mailbox.reply(request.id, Err(refused)),
        }
    }
    Ok(())
}

/// An app of another version may make room for its own media process, but not by ending a show unasked.
async fn is_quit_without_show(command: &Command, runtime: &Runtime) -> bool {
    if !matches!(command, Command::Quit) {
        return false;
    }
    let now = runtime.order(Command::Snapshot, bytes::Bytes::new()).await;
    matches!(now, Ok(Reply::Snapshot(snapshot)) if matches!(snapshot.state.engine, EngineState::Idle | EngineState::Ready))
}

struct Understood {
    id: u64,
    command: Option<Command>,
}

/// The next request. A command of another version that is not understood is answered, not fatal.
async fn next_request(from: &mut ReadHalf<Stream>, mailbox: &Mailbox) -> Result<Option<(Understood, bytes::Bytes)>, EngineError> {
    let Some((value, attachment)) = wire::read::<serde_json::Value>(from).await? else { return Ok(None) };
    let id = value.get("id").and_then(serde_json::Value::as_u64).unwrap_or_default();
    match serde_json::from_value::<Request>(value) {
        Ok(request) => Ok(Some((Understood { id, command: Some(request.command) }, attachment))),
        Err(_) => {
            // Its words may hold a key: only the fact is told.
            mailbox.reply(id, Err(failure("version", &[("theirs", &VERSION)])));
            Ok(Some((Understood { id, command: None }, attachment)))
        }
    }
}

async fn news(to: &mut WriteHalf<Stream>, mailbox: &Mailbox, stop: CancellationToken) -> Result<(), EngineError> {
    loop {
        let news = tokio::select! {
            biased;
            news = mailbox.next() => news,
            () = stop.cancelled() => {
                // The answer to the command that ended the process is on its way into the mailbox.
                tokio::time::sleep(LAST_WORDS).await;
                mailbox.close();
                mailbox.next().await
            }
        };
        let Some(news) = news else { break };
        let (message, attachment) = match news {
            News::Event(event) => (Message::Event { event }, bytes::Bytes::new()),
            News::Preview { seq, width, height, jpeg } => (Message::Event { event: Event::Preview { seq, width, height } }, jpeg),
            News::Reply { id, result } => (Message::Reply { id, result }, bytes::Bytes::new()),
        };
        match tokio::time::timeout(WRITE_LIMIT, wire::write(to, &message, &attachment)).await {
            Ok(written) => written?,
            Err(_) => return Err(EngineError::Down { detail: "it does not read".to_owned() }),
        }
    }
    to.shutdown().await?;
    Ok(())
}
