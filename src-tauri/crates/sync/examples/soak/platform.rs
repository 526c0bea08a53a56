//! The role `platform`: a shop in the local dialect that does everything a bad one does. It lives through all rounds and
//! knows the truth.

use crate::Outcome;
use crate::server::{Connection, Question};
use crate::world::{World, now_ms};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What goes wrong in one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The connection breaks before anything is done.
    Broken,
    /// "My own fault", and nothing is done.
    Failed,
    /// Done, and the connection breaks.
    DoneThenBroken,
    /// Done, and "my own fault".
    DoneThenFailed,
    /// The answer stops in its middle.
    Truncated,
    /// No answer, for as long as the other side waits.
    Silent,
    /// Done, and no answer.
    DoneThenSilent,
    /// Asked to wait.
    Busy,
    /// The token is over from now on.
    SignedOut,
    /// Done a while later, without an answer. Only where keys are known: nothing else could help against it.
    DoneLate,
    /// Says yes and does nothing.
    Pretends,
    /// A page without rows that says there is more.
    EmptyPage,
    /// Rows twice, and old versions after new ones.
    Repeats,
    /// An order of the page changes once it was read.
    Moves,
}

const READ: &[Fault] = &[Fault::Broken, Fault::Failed, Fault::Truncated, Fault::Silent, Fault::Busy, Fault::SignedOut];
const FEED: &[Fault] = &[
    Fault::Broken,
    Fault::Failed,
    Fault::Truncated,
    Fault::Silent,
    Fault::Busy,
    Fault::SignedOut,
    Fault::EmptyPage,
    Fault::EmptyPage,
    Fault::Repeats,
    Fault::Repeats,
    Fault::Repeats,
    Fault::Moves,
    Fault::Moves,
];
const WRITE: &[Fault] = &[
    Fault::Broken,
    Fault::Failed,
    Fault::DoneThenBroken,
    Fault::DoneThenFailed,
    Fault::DoneThenFailed,
    Fault::Truncated,
    Fault::DoneThenSilent,
    Fault::Busy,
    Fault::SignedOut,
    Fault::DoneLate,
    Fault::Pretends,
];

struct Platform {
    world: Mutex<World>,
    hostile: watch::Sender<bool>,
    /// Number of the newest change, for the event stream.
    news: watch::Sender<i64>,
    token_file: PathBuf,
}

/// Serves until it is killed. Says on standard output where.
pub async fn run(token_file: PathBuf) -> Outcome {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let platform =
        Arc::new(Platform { world: Mutex::default(), hostile: watch::Sender::new(false), news: watch::Sender::new(0), token_file });
    platform.new_token()?;
    println!("http://{}", listener.local_addr()?);
    tokio::spawn(Arc::clone(&platform).buyers());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let platform = Arc::clone(&platform);
        // A connection that ends badly is what this is about.
        tokio::spawn(async move { drop(platform.serve(Connection::new(stream)).await) });
    }
}

impl Platform {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_token(&self) -> Outcome {
        let token = {
            let mut world = self.world();
            world.token = format!("token-{}", world.dice().throw());
            world.token.clone()
        };
        // Whole or not at all: the worker reads it whenever it likes.
        let next = self.token_file.with_extension("next");
        std::fs::write(&next, token)?;
        Ok(std::fs::rename(next, &self.token_file)?)
    }

    /// Buyers come all the time, while somebody looks.
    async fn buyers(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if *self.hostile.borrow() {
                let seq = {
                    let mut world = self.world();
                    world.buy();
                    world.seq
                };
                self.news.send_replace(seq);
            }
        }
    }

    fn fault(&self, of: &[Fault]) -> Option<Fault> {
        if !*self.hostile.borrow() {
            return None;
        }
        let mut world = self.world();
        // Two of five exchanges go wrong.
        if world.dice().below(5) >= 2 {
            return None;
        }
        let knows_keys = world.knows_keys;
        let fault = *world.dice().pick(of);
        // Silence costs a whole life: one in eight of those that could be.
        let silent = matches!(fault, Fault::Silent | Fault::DoneThenSilent) && !world.dice().one_in(8);
        if silent || fault == Fault::DoneLate && !knows_keys {
            return None;
        }
        *world.faults.entry(format!("{fault:?}")).or_default() += 1;
        Some(fault)
    }

    async fn serve(&self, mut connection: Connection) -> Outcome {
        while let Some(question) = connection.question().await? {
            if question.path.starts_with("/control/") {
                let body = self.control(&question)?.to_string();
                connection.answer(200, "", body.as_bytes(), None).await?;
            } else if question.path == "/api/seller/events" {
                return self.events(&mut connection).await;
            } else if !self.take(&mut connection, &question).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Answers in the shop's dialect. False when the connection is to break.
    async fn take(&self, connection: &mut Connection, question: &Question) -> Outcome<bool> {
        if question.header("authorization") != format!("Bearer {}", self.world().token) {
            connection.answer(401, "", br#"{"code":"unauthorized"}"#, None).await?;
            return Ok(true);
        }
        let segments: Vec<&str> = question.path.trim_start_matches("/api/").split('/').collect();
        let path = segments.strip_prefix(&["seller"]).unwrap_or(&segments);
        let is_feed = matches!(path, ["orders" | "products" | "comments"]);
        let is_write = question.method != "GET";
        let fault = self.fault(if is_write {
            WRITE
        } else if is_feed {
            FEED
        } else {
            READ
        });
        match fault {
            Some(Fault::Broken) => return Ok(false),
            Some(Fault::Failed) => return connection.answer(500, "", b"{}", None).await.map(|()| true),
            Some(Fault::Silent) => {
                connection.silence().await;
                return Ok(false);
            }
            Some(Fault::Busy) => return connection.answer(429, "Retry-After: 0\r\n", b"{}", None).await.map(|()| true),
            Some(Fault::SignedOut) => {
                self.new_token()?;
                return connection.answer(401, "", br#"{"code":"unauthorized"}"#, None).await.map(|()| true);
            }
            Some(Fault::Pretends) => return connection.answer(200, "", b"{}", None).await.map(|()| true),
            _ => {}
        }
        let (status, body) = if is_write {
            let body: Value = serde_json::from_slice(&question.body).unwrap_or_default();
            let (method, key) = (question.method.clone(), question.header("idempotency-key").to_owned());
            if fault == Some(Fault::DoneLate) {
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
            let done = self.world().apply(&method, path, &key, &body);
            self.news.send_replace(self.world().seq);
            match fault {
                Some(Fault::DoneThenBroken | Fault::DoneLate) => return Ok(false),
                Some(Fault::DoneThenFailed) => (500, json!({})),
                Some(Fault::DoneThenSilent) => {
                    connection.silence().await;
                    return Ok(false);
                }
                _ => done,
            }
        } else {
            self.read(path, question, fault)
        };
        let body = body.to_string();
        let cut = (fault == Some(Fault::Truncated)).then_some(body.len() / 2);
        connection.answer(status, "Content-Type: application/json\r\n", body.as_bytes(), cut).await?;
        Ok(cut.is_none())
    }

    fn read(&self, path: &[&str], question: &Question, fault: Option<Fault>) -> (u16, Value) {
        let mut world = self.world();
        let or_404 = |found: Option<Value>| found.map_or_else(|| (404, json!({ "code": "not_found" })), |v| (200, v));
        let after = question.number("after");
        match path {
            ["shop"] => (200, json!({ "name": "店", "currency": "CNY" })),
            ["orders"] if fault == Some(Fault::EmptyPage) => {
                (200, json!({ "orders": [], "nextAfter": after, "more": true, "upToMs": now_ms(), "feed": "feed 1" }))
            }
            ["orders"] => {
                // Small pages: many seams.
                let page = world.page(after, 7, fault == Some(Fault::Repeats));
                if fault == Some(Fault::Moves) {
                    world.buy();
                }
                (200, page)
            }
            ["products"] => (200, World::products(after)),
            ["comments"] => (200, World::comments(after)),
            ["orders", id] => or_404(world.orders.get(*id).map(|sold| sold.json.clone())),
            ["coupons", id] => or_404(world.coupon(id)),
            ["rooms", "main"] => (200, world.room()),
            _ => or_404(None),
        }
    }

    /// The event stream: the newest change, whenever there is one; it breaks off again and again.
    async fn events(&self, connection: &mut Connection) -> Outcome {
        connection.write("HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: hello\n\n").await?;
        let mut news = self.news.subscribe();
        loop {
            let seq = *news.borrow_and_update();
            if seq > 0 {
                connection.write(&format!("id: {seq}\nevent: order\ndata: {{}}\n\n")).await?;
            }
            if *self.hostile.borrow() && self.world().dice().one_in(20) {
                return Ok(());
            }
            news.changed().await?;
        }
    }

    fn control(&self, question: &Question) -> Outcome<Value> {
        match question.path.as_str() {
            "/control/begin" => {
                let form: Value = serde_json::from_slice(&question.body)?;
                {
                    let mut world = self.world();
                    world.dice = form["seed"].as_u64().map(crate::words::Dice);
                    world.knows_keys = form["knowsKeys"] == true;
                }
                self.hostile.send_replace(form["hostile"] == true);
                Ok(json!({}))
            }
            "/control/truth" => {
                let world = self.world();
                let since = question.number("since");
                let from = world.changes.partition_point(|(_, _, version)| *version <= since);
                Ok(json!({
                    "changes": world.changes[from..], "wrong": world.wrong, "applied": world.applied, "faults": world.faults,
                    "coupons": world.coupons.len(), "nowMs": now_ms(),
                }))
            }
            "/control/orders" => {
                let world = self.world();
                Ok(world.orders.iter().map(|(id, sold)| (id.clone(), json!(sold.version))).collect())
            }
            other => Err(format!("no such control: {other}").into()),
        }
    }
}
