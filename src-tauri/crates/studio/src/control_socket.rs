//! Where the control socket of a folder is, and who answers on it.

use crate::control::{self, Answer, BagChange, Question};
use crate::error::StudioError;
use crate::rows;
use crate::studio::Studio;
use crate::view::{ActionView, CandidateView};
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

/// A command line asks for all of a list.
const EVERY: u32 = u32::MAX;

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

    pub(crate) async fn answer_one(&self, question: Question) -> Answer {
        match question {
            Question::Status => Answer::Status { status: self.account().await },
            Question::End => match self.finish_show().await {
                Ok(mut summary) => {
                    self.count_all_processes(&mut summary, self.shop_cost());
                    Answer::Ended { summary }
                }
                Err(e) => e.into(),
            },
            Question::Bag => match self.candidates("", EVERY).await {
                Ok(outside) => Answer::Bag { bag: self.bag_view().await, outside: outside.rows },
                Err(e) => e.into(),
            },
            Question::ChangeBag { change } => done(self.change_bag(change).await.map(Some)),
            Question::Explain { number: Some(number) } => done(self.pin(number).await.map(|()| Some(number))),
            Question::Explain { number: None } => done(self.pin_next().await.map(Some)),
            Question::EndExplanation => done(self.unpin().await.map(|()| None)),
            Question::ChangeOffer { form } => settled(self.change_and_wait(&form).await),
            Question::Coupons => Answer::Coupons { coupons: self.coupons_view().await },
            Question::IssueCoupon { form } => settled(self.issue_and_wait(&form).await),
            Question::EndCoupon { coupon } => settled(self.withdraw_and_wait(&coupon).await),
            Question::Orders => self.waiting_orders().await.map_or_else(Answer::from, |orders| Answer::Orders { orders }),
            Question::Ship { order, carrier, tracking, lines, shop } => {
                settled(self.ship_and_wait(&order, shop.as_deref(), &carrier, &tracking, &lines).await)
            }
            Question::AnswerAfterSale { order, refuse, shop } => {
                settled(self.answer_and_wait(&order, shop.as_deref(), refuse.as_deref()).await)
            }
            question @ (Question::Shops | Question::AddShop { .. } | Question::RenameShop { .. } | Question::RemoveShop { .. }) => {
                self.answer_shops(question).await
            }
        }
    }

    /// What is asked about shops, of the owner of the folder or of a command that holds it for a moment.
    pub(crate) async fn answer_shops(&self, question: Question) -> Answer {
        let done = match question {
            Question::AddShop { form } => self.take_shop(&form).await.map(drop),
            Question::RenameShop { shop, name } => self.name_shop(&shop, &name).await,
            Question::RemoveShop { shop } => self.drop_shop(&shop).await,
            _ => Ok(()),
        };
        match done {
            Ok(()) => Answer::Shops { shops: self.connections_view().await },
            Err(e) => e.into(),
        }
    }

    async fn change_bag(&self, change: BagChange) -> Result<u32, StudioError> {
        match change {
            BagChange::Add { product } => {
                let outside = self.candidates("", EVERY).await?.rows;
                let named = |c: &&CandidateView| c.product_id == product || c.number.is_some_and(|n| n.to_string() == product);
                let found = outside.iter().find(named).ok_or_else(|| StudioError::new("not_found"))?;
                self.take_into_bag(&found.connection_id, &found.product_id).await
            }
            BagChange::Remove { number } => self.take_out_of_bag(number).await.map(|()| number),
            BagChange::Move { number, by } => self.shift_in_bag(number, by).await.map(|()| number),
        }
    }

    /// What only the owner of the folder knows.
    async fn account(&self) -> Value {
        let orders = self.orders_view().await;
        let comments = rows::comment_counts(&self.inner.store).await;
        let failed = rows::failed_intents(&self.inner.store).await.map(|failed| failed.len());
        json!({
            "show": self.show_view().await,
            "orders": {
                "total": orders.total, "awaiting_payment": orders.awaiting_payment, "to_ship": orders.to_ship,
                "after_sale": orders.after_sale,
            },
            "seal": orders.seal,
            "shops": self.connections_view().await,
            "comments": comments.map(|(total, in_show)| json!({ "total": total, "in_show": in_show })).ok(),
            "failed_intents": failed.map_err(|e: StudioError| tracing::warn!(error = %e, "the outbox cannot be read")).ok(),
            "health": self.hub().picture().health.view(),
        })
    }
}

fn done(outcome: Result<Option<u32>, StudioError>) -> Answer {
    outcome.map_or_else(Answer::from, |number| Answer::Done { number })
}

fn settled(outcome: Result<(String, ActionView), StudioError>) -> Answer {
    outcome.map_or_else(Answer::from, |(id, action)| Answer::Settled { id, action })
}
