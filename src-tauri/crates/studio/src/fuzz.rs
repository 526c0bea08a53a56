//! What others may send or paste, for the fuzzer and its short form; not in the program.

use crate::control::{Answer, Question, ask, serve};
use crate::destinations::check_address;
use crate::studio::{ShopMode, Studio, StudioOptions};
use stallcast_clock::SystemClock;
use stallcast_shop::{RunningShop, ShopOptions};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Bytes that a connection holds while nobody reads.
const PIPE: usize = 64 << 10;

/// The owner of a folder as another invocation meets it: a studio over the local shop, both in this process, with one paid
/// order. There is no media process: what needs one is refused.
#[derive(Debug)]
pub struct Owner {
    runtime: Runtime,
    studio: Studio,
    /// Stands where `$ORDER` stands in what is asked.
    order: String,
    _shop: RunningShop,
}

impl Owner {
    /// Opens everything below `folder`, which must be empty.
    ///
    /// # Errors
    /// What did not open.
    pub fn open(folder: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        // One thread: what was asked is done within the question, not beside the next one.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (shop, studio, order) = runtime.block_on(async {
            let options = ShopOptions { data: folder.to_owned(), listen: SocketAddr::from(([127, 0, 0, 1], 0)) };
            let shop = stallcast_shop::start(options, Arc::new(SystemClock)).await?;
            let mut options = StudioOptions::new(folder.to_owned(), folder.join("no-program"));
            options.shop = ShopMode::At { url: shop.url().to_owned() };
            let studio = Studio::open(options).await?;
            let mut events = studio.events();
            // The missing media process is told once the shop was read.
            let _ = studio.ready().await;
            buy(shop.address()).await?;
            let order = loop {
                if let Some(order) = studio.waiting_orders().await?.pop() {
                    break order.id;
                }
                let _ = events.recv().await;
            };
            Ok::<_, Box<dyn std::error::Error>>((shop, studio, order))
        })?;
        Ok(Self { runtime, studio, order, _shop: shop })
    }

    /// Bytes on the control socket, as questions and as an answer. Each line is answered with one line, whatever is in it,
    /// by the code that answers other invocations.
    ///
    /// # Panics
    /// When that does not hold.
    pub fn control(&self, bytes: &[u8]) {
        // An id that nobody can guess.
        let asked = match std::str::from_utf8(bytes) {
            Ok(text) => text.replace("$ORDER", &self.order).into_bytes(),
            Err(_) => bytes.to_owned(),
        };
        self.runtime.block_on(async {
            let (served, told) = self.ask_as_others_do(&asked).await;
            if served.is_ok() {
                let lines = asked.split(|b| *b == b'\n').filter(|l| !l.is_empty()).count();
                let told = String::from_utf8(told).unwrap_or_default();
                assert!(told.lines().count() <= lines + asked.len(), "more answers than questions");
                for line in told.lines() {
                    assert!(serde_json::from_str::<Answer>(line).is_ok(), "{line}");
                }
            }
            let (mut theirs, ours) = tokio::io::duplex(PIPE);
            let question = Question::Status;
            let (outcome, ()) = tokio::join!(ask(ours, &question), async {
                let _ = theirs.write_all(bytes).await;
                let _ = theirs.shutdown().await;
            });
            drop(outcome);
        });
    }

    async fn ask_as_others_do(&self, asked: &[u8]) -> (std::io::Result<()>, Vec<u8>) {
        let (theirs, mut ours) = tokio::io::duplex(PIPE);
        let (mut answers, mut questions) = tokio::io::split(theirs);
        let stop = CancellationToken::new();
        let answer = |question| {
            let studio = self.studio.clone();
            async move { studio.answer_one(question).await }
        };
        let served = async move { serve(&mut ours, &stop, answer).await };
        let asking = async move {
            // A broken connection is an answer as well.
            let _ = questions.write_all(asked).await;
            let _ = questions.shutdown().await;
        };
        let reading = async move {
            let mut told = Vec::new();
            let _ = answers.read_to_end(&mut told).await;
            told
        };
        let (served, (), told) = tokio::join!(served, asking, reading);
        (served, told)
    }
}

/// One piece of the first product, ordered and paid.
async fn buy(shop: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    let form = serde_json::json!({ "lines": [{ "skuId": "BS-01", "quantity": 3 }],
        "buyer": { "name": "林小姐", "phone": "13800138000", "address": "杭州市西湖区" } });
    let order = post(shop, "/api/orders", &form).await?;
    let id = order["id"].as_str().ok_or_else(|| order.to_string())?;
    let paid = post(shop, &format!("/api/orders/{id}/pay"), &serde_json::json!({ "provider": "dummy" })).await?;
    if paid["payment"] == "paid" { Ok(()) } else { Err(paid.to_string().into()) }
}

/// A buyer's request. The program has no HTTP client for the viewers' side.
async fn post(shop: SocketAddr, path: &str, form: &serde_json::Value) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let body = form.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {shop}\r\nX-Viewer: viewer-0001\r\nIdempotency-Key: fuzz\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(shop).await?;
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
    Ok(serde_json::from_str(body)?)
}

/// An address and a key as they are pasted: what the form takes, the media process takes or refuses with a code.
///
/// # Panics
/// When a secret shows.
pub fn destination(text: &str) {
    let (url, key) = text.split_once('\n').unwrap_or((text, ""));
    match check_address(url, Some(key)) {
        Ok(target) => {
            let again = check_address(target.tc_url(), Some(target.key())).map(|t| t.key().to_owned());
            assert_eq!(again.ok().as_deref(), Some(target.key()), "what is stored is what was pasted");
            assert!(!format!("{target:?}").contains(target.tc_url()));
        }
        Err(e) => assert_eq!(e.code(), "bad_url"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

    /// Every question, most of them answerable.
    const QUESTIONS: &[&str] = &[
        r#"{"ask":"status"}"#,
        r#"{"ask":"end"}"#,
        r#"{"ask":"bag"}"#,
        r#"{"ask":"change_bag","change":{"change":"add","product":"p-01"}}"#,
        r#"{"ask":"change_bag","change":{"change":"add","product":"7"}}"#,
        r#"{"ask":"change_bag","change":{"change":"move","number":1,"by":-2147483648}}"#,
        r#"{"ask":"change_bag","change":{"change":"remove","number":4294967295}}"#,
        r#"{"ask":"explain","number":1}"#,
        r#"{"ask":"explain","number":null}"#,
        r#"{"ask":"end_explanation"}"#,
        r#"{"ask":"change_offer","form":{"number":1,"skuId":null,"price":"1.00","stockBy":2147483647}}"#,
        r#"{"ask":"coupons"}"#,
        r#"{"ask":"issue_coupon","form":{"discount":"30","threshold":"199","quantity":1,"validS":60}}"#,
        r#"{"ask":"end_coupon","coupon":"none"}"#,
        r#"{"ask":"orders"}"#,
        r#"{"ask":"ship","order":"$ORDER","carrier":"顺丰","tracking":"SF1234567","lines":[{"line":0,"quantity":1}]}"#,
        r#"{"ask":"ship","order":"$ORDER","carrier":"","tracking":"x","lines":[{"line":4294967295,"quantity":4294967295}]}"#,
        r#"{"ask":"answer_after_sale","order":"$ORDER","refuse":"no"}"#,
        r#"{"ask":"fly"}"#,
        r#"{"ask":"#,
        "null",
        "\u{0}",
        "",
    ];

    /// A question, with at most one character changed or lost, or anything.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let wound = prop::option::weighted(0.3, (any::<prop::sample::Index>(), prop::option::of(any::<u8>())));
        let question = (prop::sample::select(QUESTIONS), wound).prop_map(|(text, wound)| {
            let mut line = text.as_bytes().to_vec();
            line.push(b'\n');
            if let Some((at, with)) = wound {
                let at = at.index(line.len());
                line.splice(at..=at, with);
            }
            line
        });
        prop_oneof![4 => question, 1 => prop::collection::vec(any::<u8>(), 0..60)]
    }

    #[test]
    fn any_bytes_on_the_control_socket_are_answered_or_end_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let owner = Owner::open(folder.path()).expect("a studio over a shop");
        let config = Config {
            cases: 200,
            failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/fuzz.txt"))),
            ..Config::default()
        };
        TestRunner::new(config)
            .run(&prop::collection::vec(line(), 0..6), |lines| {
                owner.control(&lines.concat());
                Ok(())
            })
            .expect("answered");
        for question in QUESTIONS {
            owner.control(format!("{question}\n").as_bytes());
        }
        // They did reach what they are about.
        let status = owner.runtime.block_on(owner.studio.snapshot());
        assert!(status.coupons.iter().any(|c| c.discount.amount == "3000"), "{:?}", status.coupons);
        assert!(status.orders.rows.iter().any(|o| !o.parcels.is_empty()), "{:?}", status.orders.rows);
    }

    proptest! {
        #![proptest_config(Config {
            cases: 500,
            failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/fuzz.txt"))),
            ..Config::default()
        })]

        #[test]
        fn any_address_is_taken_or_refused(text in "(rtmps?://)?\\PC{0,40}") {
            destination(&text);
        }
    }
}
