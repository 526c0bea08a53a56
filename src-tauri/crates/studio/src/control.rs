//! The control socket: how another invocation on the same data folder asks the one that owns it.
//!
//! One line of JSON each way per question. The socket is as private as the engine's: owner-only folder, peer's user
//! checked by the same helper.

use crate::error::StudioError;
use crate::view::{
    ActionView, BagItemView, CandidateView, ConnectionView, CouponForm, CouponView, LinePiecesView, OfferForm, OrderRowView, ShopForm,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stallcast_engine::protocol::Summary;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

/// Longest question, bytes.
const MOST_QUESTION: u64 = 1 << 20;
/// Longest answer, bytes. The owner is trusted: this keeps a fault of it within bounds, not a list of some ten thousand products.
const MOST_ANSWER: usize = 64 << 20;
/// Longest wait for an answer. Ending flushes encoders and finishes files.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(crate) enum Question {
    /// What runs?
    Status,
    /// End the show.
    End,
    /// What is in the bag, and what could be?
    Bag,
    /// Change the bag.
    ChangeBag {
        /// How.
        change: BagChange,
    },
    /// Explain a number; the next one with `None`.
    Explain {
        /// Spoken number.
        number: Option<u32>,
    },
    /// End the explanation.
    EndExplanation,
    /// Change price or pieces of a number.
    ChangeOffer {
        /// As the panel's form.
        form: OfferForm,
    },
    /// Which coupons are there?
    Coupons,
    /// Issue one.
    IssueCoupon {
        /// As the panel's form.
        form: CouponForm,
    },
    /// End one early.
    EndCoupon {
        /// Its id.
        coupon: String,
    },
    /// Which orders wait for the seller?
    Orders,
    /// Send a parcel.
    Ship {
        /// Number or id.
        order: String,
        /// As typed.
        carrier: String,
        /// As typed.
        tracking: String,
        /// What is in it; empty = all that is left.
        #[serde(default)]
        lines: Vec<LinePiecesView>,
        /// Id of its shop, where that is not clear.
        #[serde(default)]
        shop: Option<String>,
    },
    /// Answer what the buyer of an order asked for.
    AnswerAfterSale {
        /// Number or id.
        order: String,
        /// Why not; `None` agrees.
        refuse: Option<String>,
        /// Id of its shop, where that is not clear.
        #[serde(default)]
        shop: Option<String>,
    },
    /// Which shops are there?
    Shops,
    /// Add the shop of another studio. The token travels over this private socket only.
    AddShop {
        /// As the page's form.
        form: ShopForm,
    },
    /// Give a shop a name of the seller's own.
    RenameShop {
        /// Its id.
        shop: String,
        /// As typed.
        name: String,
    },
    /// Remove one; what it sold stays.
    RemoveShop {
        /// Its id.
        shop: String,
    },
}

/// A change of the bag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(crate) enum BagChange {
    /// Put a product in.
    Add {
        /// Its id, or the number it had.
        product: String,
    },
    /// Take a number out.
    Remove {
        /// Spoken number.
        number: u32,
    },
    /// Move a number in the queue.
    Move {
        /// Spoken number.
        number: u32,
        /// Places, towards the end if positive.
        by: i32,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// For [`Question::Status`].
    Status {
        /// The owner's account of itself, as `status --json` prints it.
        status: Value,
    },
    /// For [`Question::End`].
    Ended {
        /// Of the show that was ended.
        summary: Summary,
    },
    /// For [`Question::Bag`].
    Bag {
        /// In the order of the queue.
        bag: Vec<BagItemView>,
        /// What is not in it.
        outside: Vec<CandidateView>,
    },
    /// Done, to this number if it is about one.
    Done {
        /// Spoken number.
        number: Option<u32>,
    },
    /// For [`Question::Coupons`].
    Coupons {
        /// Newest first.
        coupons: Vec<CouponView>,
    },
    /// For [`Question::Orders`].
    Orders {
        /// Those with a request first.
        orders: Vec<OrderRowView>,
    },
    /// For every question about shops: as they are now.
    Shops {
        /// That of this machine first.
        shops: Vec<ConnectionView>,
    },
    /// What was asked for was written down, and stands like this.
    Settled {
        /// What it is about: a coupon, an order, an after-sale, an intent.
        id: String,
        /// Confirmed, failed, or still on its way.
        action: ActionView,
    },
    /// It did not work.
    Failed {
        /// Stable code.
        code: String,
        /// Values for the sentence.
        params: BTreeMap<String, String>,
    },
}

impl From<StudioError> for Answer {
    fn from(e: StudioError) -> Self {
        Self::Failed { code: e.code().to_owned(), params: e.params().clone() }
    }
}

/// Answers the questions of one connection until it closes. `stop` ends it between two questions: an answer under way is
/// still given, because the answer to [`Question::End`] comes while the owner closes.
pub(crate) async fn serve<S, F>(stream: S, stop: &CancellationToken, answer: impl Fn(Question) -> F) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Answer>,
{
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        // A line that is longer than any question ends the connection.
        let Some(read) = stop.run_until_cancelled((&mut stream).take(MOST_QUESTION).read_line(&mut line)).await else { return Ok(()) };
        if read? == 0 {
            return Ok(());
        }
        let reply = match serde_json::from_str(&line) {
            Ok(question) => answer(question).await,
            Err(_) => StudioError::new("version").into(),
        };
        let mut text = serde_json::to_string(&reply)?;
        // Half an answer cannot be read: rather none, and why.
        if text.len() >= MOST_ANSWER {
            text = serde_json::to_string(&Answer::from(StudioError::new("answer_too_long")))?;
        }
        text.push('\n');
        stream.get_mut().write_all(text.as_bytes()).await?;
        stream.get_mut().flush().await?;
    }
}

/// Asks one question over a fresh connection.
pub(crate) async fn ask<S>(stream: S, question: &Question) -> Result<Answer, StudioError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let exchange = async {
        let mut stream = BufReader::new(stream);
        let mut text = serde_json::to_string(question)?;
        text.push('\n');
        stream.get_mut().write_all(text.as_bytes()).await?;
        stream.get_mut().flush().await?;
        let mut line = String::new();
        (&mut stream).take(MOST_ANSWER as u64).read_line(&mut line).await?;
        std::io::Result::Ok(serde_json::from_str(&line)?)
    };
    match tokio::time::timeout(ANSWER_LIMIT, exchange).await {
        Ok(Ok(Answer::Failed { code, params })) => Err(params.iter().fold(StudioError::new(code), |e, (k, v)| e.with(k, v))),
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(e)) => Err(StudioError::internal(e).retryable()),
        Err(_) => Err(StudioError::new("not_complete").retryable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn questions_get_answers_and_nonsense_a_refusal() {
        let (ours, theirs) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move {
            let stop = CancellationToken::new();
            let answer = |question| async move {
                match question {
                    Question::Status => Answer::Status { status: serde_json::json!({"show": "live"}) },
                    _ => StudioError::new("no_show").into(),
                }
            };
            serve(theirs, &stop, answer).await
        });
        let mut ours = ours;
        let status = ask(&mut ours, &Question::Status).await.expect("status");
        assert_eq!(status, Answer::Status { status: serde_json::json!({"show": "live"}) });
        assert_eq!(ask(&mut ours, &Question::End).await.map_err(|e| e.code().to_owned()), Err("no_show".to_owned()));
        ours.write_all(b"{\"ask\":\"sell\"}\n").await.expect("write");
        let mut line = String::new();
        BufReader::new(&mut ours).read_line(&mut line).await.expect("read");
        assert!(line.contains("\"version\""), "a question of a newer version is refused, not guessed at: {line}");
        drop(ours);
        server.await.expect("join").expect("closed cleanly");
    }

    /// Asks an owner that answers like this.
    async fn answered(answer: Answer) -> Result<Answer, StudioError> {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let owner = tokio::spawn(async move { serve(theirs, &CancellationToken::new(), |_| std::future::ready(answer.clone())).await });
        let told = ask(ours, &Question::Bag).await;
        owner.await.expect("join").expect("closed cleanly");
        told
    }

    #[tokio::test]
    async fn a_large_catalogue_comes_whole_or_says_that_it_cannot() {
        let candidate = |n: u32| CandidateView {
            connection_id: "local".to_owned(),
            product_id: format!("p-{n}"),
            number: None,
            title: "手作陶瓷盖碗，三件一套，送茶巾".repeat(4),
            picture: Some(format!("http://127.0.0.1:8080/api/products/p-{n}/picture")),
            price: crate::present::money(stallcast_model::Money::new(9_900, stallcast_model::Currency::Cny)),
            stock: Some(5),
        };
        let bag = Answer::Bag { bag: vec![], outside: (0..6_000).map(candidate).collect() };
        assert!(serde_json::to_string(&bag).expect("json").len() > 2 << 20, "longer than any question");
        assert_eq!(answered(bag.clone()).await, Ok(bag));
        let endless = Answer::Status { status: Value::String("x".repeat(MOST_ANSWER)) };
        assert_eq!(answered(endless).await.map_err(|e| e.code().to_owned()), Err("answer_too_long".to_owned()));
    }
}
