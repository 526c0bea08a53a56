//! Where the control socket of a folder is, and who answers on it.

use crate::control::{self, Answer, Question};
use crate::error::StudioError;
use crate::rows;
use crate::studio::Studio;
use serde_json::{Value, json};
use stallcast_engine::socket::{self, Listener, Stream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The socket's role beside the engine's.
const ROLE: &str = "studio";
/// Connections at a time; more are closed.
const CONNECTIONS: usize = 8;
/// After a failed accept, usually for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Connects to the owner of a folder; `None` when nobody listens.
pub(crate) async fn connect(data: &Path) -> Option<Stream> {
    let path = socket::path(data, ROLE).map_err(|e| tracing::warn!(error = %e, "no control socket")).ok()?;
    socket::connect(&path).await.unwrap_or_else(|e| {
        tracing::warn!(error = %e, "the control socket is not usable");
        None
    })
}

impl Studio {
    /// Begins to answer. Without a private socket the studio works all the same, only other invocations cannot ask it.
    pub(crate) async fn open_control(&self) {
        let listening = async { socket::listen(&socket::path(self.data(), ROLE)?).await };
        match listening.await {
            Ok(listener) => self.inner.tasks.spawn("control", self.clone().answer(listener)),
            Err(e) => tracing::error!(error = %e, "there is no control socket; `status` and `end` reach only the media process"),
        }
    }

    async fn answer(self, listener: Listener) {
        let token = self.inner.tasks.token();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        while let Some(accepted) = token.run_until_cancelled(listener.accept()).await {
            let stream = match accepted {
                Ok(stream) => stream,
                Err(e) => {
                    tracing::warn!(error = %e, "a control connection was not accepted");
                    token.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (studio, stop) = (self.clone(), token.clone());
            self.inner.tasks.spawn("control answer", async move {
                let answer = |question| {
                    let studio = studio.clone();
                    async move { studio.answer_one(question).await }
                };
                if let Err(e) = control::serve(stream, &stop, answer).await {
                    tracing::debug!(error = %e, "a control connection broke");
                }
                drop(place);
            });
        }
    }

    async fn answer_one(&self, question: Question) -> Answer {
        match question {
            Question::Status => Answer::Status { status: self.account().await },
            Question::End => match self.finish_show().await {
                Ok(summary) => Answer::Ended { summary },
                Err(e) => e.into(),
            },
        }
    }

    /// What only the owner of the folder knows.
    async fn account(&self) -> Value {
        let orders = self.orders_view().await;
        let failed = rows::failed_intents(&self.inner.store).await.map(|failed| failed.len());
        json!({
            "show": self.show_view().await,
            "orders": {
                "total": orders.total, "awaiting_payment": orders.awaiting_payment, "to_ship": orders.to_ship,
                "after_sale": orders.after_sale,
            },
            "seal": orders.seal,
            "failed_intents": failed.map_err(|e: StudioError| tracing::warn!(error = %e, "the outbox cannot be read")).ok(),
            "health": self.hub().picture().health.view(),
        })
    }
}
