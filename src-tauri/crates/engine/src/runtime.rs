use crate::director::{Director, OnStuck};
use crate::error::{EngineError, failure};
use crate::guard::guarded;
use crate::hub::Hub;
use crate::port::{Answer, Port};
use crate::protocol::{Command, Failure, Reply};
use bytes::Bytes;
use stallcast_clock::spawn_thread;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Commands that may wait. Clients wait for each answer, so this is the number of clients.
const WAITING: usize = 32;
/// Between two looks at states, times and figures.
const LOOK: Duration = Duration::from_millis(100);

struct Order {
    command: Command,
    attachment: Bytes,
    answer: oneshot::Sender<Result<Reply, Failure>>,
}

/// The media side of one data folder: a thread `engine` that carries out commands one after the other, and everything
/// it starts. The same code behind the socket and in process.
#[derive(Debug)]
pub(crate) struct Runtime {
    orders: SyncSender<Order>,
    hub: Hub,
    stop: CancellationToken,
    gone: CancellationToken,
}

impl Runtime {
    /// Starts idle. `on_stuck` is called each time a part of a show has stood still for too long.
    pub(crate) fn start(data: &Path, on_stuck: OnStuck) -> Result<Self, EngineError> {
        let (orders, incoming) = sync_channel(WAITING);
        let (hub, stop, gone) = (Hub::default(), CancellationToken::new(), CancellationToken::new());
        let mut director = Director::new(data, hub.clone(), on_stuck);
        let (told, ended, news) = (stop.clone(), gone.clone().drop_guard(), hub.clone());
        spawn_thread("engine", move || {
            guarded("engine", &news, |_| direct(&mut director, &incoming, &told));
            drop(ended);
        })?;
        Ok(Self { orders, hub, stop, gone })
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
        let (answer, answered) = oneshot::channel();
        let refused = |detail: &str| failure("internal", &[("detail", &detail)]);
        match self.orders.try_send(Order { command, attachment, answer }) {
            Ok(()) => answered.await.unwrap_or_else(|_| Err(refused("the command was interrupted"))),
            Err(TrySendError::Full(_)) => Err(refused("too many commands at once")),
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

fn direct(director: &mut Director, incoming: &Receiver<Order>, stop: &CancellationToken) {
    let mut look = Instant::now();
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
        match incoming.recv_timeout(look.saturating_duration_since(Instant::now())) {
            Ok(Order { command, attachment, answer }) => {
                let quit = matches!(command, Command::Quit);
                let result = if quit {
                    director.close();
                    Ok(Reply::Done)
                } else {
                    director.carry_out(command, &attachment)
                };
                // Events of this command go out before its answer.
                director.tell_state();
                let _ = answer.send(result);
                if quit {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return director.close(),
        }
    }
}
