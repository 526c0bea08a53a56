use crate::director::{Carried, Director, OnStuck};
use crate::error::{EngineError, failure};
use crate::guard::guarded;
use crate::hub::Hub;
use crate::port::{Answer, Port};
use crate::protocol::{Command, Failure, Reply};
use bytes::Bytes;
use stallcast_clock::spawn_thread;
use std::collections::VecDeque;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Commands that may wait, of all clients.
const WAITING: usize = 32;
const CROWD: &str = "too many commands at once";
/// Between two looks at states, times and figures.
const LOOK: Duration = Duration::from_millis(100);

struct Order {
    command: Command,
    attachment: Bytes,
    answer: oneshot::Sender<Result<Reply, Failure>>,
}

/// What the thread waits for.
enum Note {
    Order(Box<Order>),
    /// Sources are open, or refused.
    Opened,
}

/// The media side of one data folder: a thread `engine` that carries out commands one after the other, and everything
/// it starts. The same code behind the socket and in process.
#[derive(Debug)]
pub(crate) struct Runtime {
    notes: SyncSender<Note>,
    hub: Hub,
    stop: CancellationToken,
    gone: CancellationToken,
}

impl Runtime {
    /// Starts idle. `on_stuck` is called each time a part of a show has stood still for too long.
    pub(crate) fn start(data: &Path, on_stuck: OnStuck) -> Result<Self, EngineError> {
        let (notes, incoming) = sync_channel(WAITING);
        // Where this does not fit, the thread has enough to wake up for.
        let wakes = notes.clone();
        let wake = Arc::new(move || drop(wakes.try_send(Note::Opened)));
        let (hub, stop, gone) = (Hub::default(), CancellationToken::new(), CancellationToken::new());
        let mut director = Director::new(data, hub.clone(), on_stuck, wake);
        let (told, ended, news) = (stop.clone(), gone.clone().drop_guard(), hub.clone());
        spawn_thread("engine", move || {
            guarded("engine", &news, |_| direct(&mut director, &incoming, &told));
            drop(ended);
        })?;
        Ok(Self { notes, hub, stop, gone })
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Ends the show if there is one, then everything; see [`Self::gone`].
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until everything has ended.
    pub(crate) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Carries out one command.
    pub(crate) async fn order(&self, command: Command, attachment: Bytes) -> Result<Reply, Failure> {
        self.submit(command, attachment)?.await
    }

    /// Puts a command behind those before it; the future waits for its answer.
    pub(crate) fn submit(
        &self,
        command: Command,
        attachment: Bytes,
    ) -> Result<impl Future<Output = Result<Reply, Failure>> + Send + use<>, Failure> {
        let (answer, answered) = oneshot::channel();
        match self.notes.try_send(Note::Order(Box::new(Order { command, attachment, answer }))) {
            Ok(()) => Ok(async { answered.await.unwrap_or_else(|_| Err(refused("the command was interrupted"))) }),
            Err(TrySendError::Full(_)) => Err(refused(CROWD)),
            Err(TrySendError::Disconnected(_)) => Err(refused("it is ending")),
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Port for Runtime {
    fn order(&self, command: Command, attachment: Bytes) -> Answer<'_> {
        Box::pin(async move { Self::order(self, command, attachment).await.map_err(EngineError::Refused) })
    }

    fn closed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.gone())
    }
}

fn refused(detail: &str) -> Failure {
    failure("internal", &[("detail", &detail)])
}

/// A show that waits for its sources is over before it begins when somebody ends it.
fn withdraw_shows(waiting: &mut VecDeque<Box<Order>>) {
    let (shows, others): (VecDeque<_>, VecDeque<_>) =
        std::mem::take(waiting).into_iter().partition(|order| matches!(order.command, Command::GoLive(_)));
    *waiting = others;
    for show in shows {
        tracing::info!("a show was ended before its sources were open");
        let _ = show.answer.send(Err(failure("not_live", &[])));
    }
}

fn direct(director: &mut Director, incoming: &Receiver<Note>, stop: &CancellationToken) {
    let mut look = Instant::now();
    // Who is answered when sources are open, and what waits for them.
    let mut opening: Option<oneshot::Sender<Result<Reply, Failure>>> = None;
    let mut waiting: VecDeque<Box<Order>> = VecDeque::new();
    loop {
        if stop.is_cancelled() {
            return director.close();
        }
        if look <= Instant::now() {
            director.look();
            if director.is_forgotten() {
                tracing::info!("nobody is attached any more; the media process ends");
                return director.close();
            }
            // Not `+=`: a command that took seconds is not made up for.
            look = Instant::now() + LOOK;
        }
        if let Some(result) = director.opened() {
            director.tell_state();
            if let Some(answer) = opening.take() {
                let _ = answer.send(result);
            }
        }
        let next = waiting.pop_front_if(|order| !director.must_wait(&order.command)).map(Note::Order);
        let had_waited = next.is_some();
        let next = next.map_or_else(|| incoming.recv_timeout(look.saturating_duration_since(Instant::now())), Ok);
        match next {
            // A show does not overtake the sources that somebody has chosen for it.
            Ok(Note::Order(order))
                if !had_waited
                    && (director.must_wait(&order.command) || matches!(order.command, Command::GoLive(_)) && !waiting.is_empty()) =>
            {
                if waiting.len() < WAITING {
                    waiting.push_back(order);
                } else {
                    let _ = order.answer.send(Err(refused(CROWD)));
                }
            }
            Ok(Note::Order(order)) => {
                if matches!(order.command, Command::End) {
                    withdraw_shows(&mut waiting);
                }
                let Order { command, attachment, answer } = *order;
                let quit = matches!(command, Command::Quit);
                let result = if quit {
                    director.close();
                    Ok(Carried::Out(Reply::Done))
                } else {
                    director.carry_out(command, &attachment)
                };
                // Events of this command go out before its answer.
                director.tell_state();
                match result {
                    Ok(Carried::Later) => opening = Some(answer),
                    Ok(Carried::Out(reply)) => drop(answer.send(Ok(reply))),
                    Err(refused) => drop(answer.send(Err(refused))),
                }
                if quit {
                    return;
                }
            }
            Ok(Note::Opened) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return director.close(),
        }
    }
}
