//! Comments over real HTTP: written, seen by everybody, limited, hidden, brought by tools, read by the seller.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use stallcast_clock::{Clock, ManualClock};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use support::Fixture;

impl Fixture {
    async fn seller(&self, method: Method, path: &str) -> (StatusCode, Value) {
        let answer = self.ask(method, path).bearer_auth(self.shop.token()).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn post(&self, viewer: &str, key: &str, form: Value) -> (StatusCode, Value) {
        let request = self.ask(Method::POST, "/api/comments").header("X-Viewer", viewer).header("Idempotency-Key", key);
        let answer = request.json(&form).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn bring(&self, form: &Value) -> (StatusCode, Value) {
        let request = self.ask(Method::POST, "/api/tools/comments").bearer_auth(self.shop.tool_token());
        let answer = request.json(form).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn shown(&self) -> Vec<Value> {
        let body: Value = self.ask(Method::GET, "/api/comments").send().await.unwrap().json().await.unwrap();
        body["comments"].as_array().unwrap().clone()
    }

    async fn stream(&self, after: i64) -> Response {
        self.ask(Method::GET, &format!("/api/rooms/main/events?after={after}")).send().await.unwrap()
    }

    async fn seq(&self) -> i64 {
        let room: Value = self.ask(Method::GET, "/api/rooms/main").send().await.unwrap().json().await.unwrap();
        room["seq"].as_i64().unwrap()
    }
}

async fn read_until(answer: &mut Response, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let chunk = tokio::time::timeout(Duration::from_secs(20), answer.chunk()).await.expect("the stream is silent").unwrap();
        text.push_str(&String::from_utf8_lossy(&chunk.expect("the stream ended")));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_seen_by_everybody_at_once_and_read_by_the_seller() {
    let fixture = Fixture::open().await;
    let mut open = fixture.stream(fixture.seq().await).await;
    let (status, posted) = fixture.post("viewer-0001", "k-1", json!({ "text": " 1 号还有吗？<b>多少钱</b> ", "name": "云朵朵" })).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!((&posted["author"], &posted["text"]), (&json!("云**"), &json!("1 号还有吗？<b>多少钱</b>")));
    assert_eq!(posted["isQuestion"], json!(true));
    let told = read_until(&mut open, "\"isQuestion\":true}").await;
    assert!(
        told.contains("event: comment\n") && told.contains("<b>多少钱</b>") && !told.contains("云朵朵") && !told.contains("viewer-0001"),
        "{told}"
    );
    // The same press again is the same comment, at once.
    let again = fixture.post("viewer-0001", "k-1", json!({ "text": " 1 号还有吗？<b>多少钱</b> ", "name": "云朵朵" })).await;
    assert_eq!(again, (StatusCode::CREATED, posted.clone()));
    assert_eq!(fixture.post("viewer-0001", "k-1", json!({ "text": "other" })).await.0, StatusCode::CONFLICT);
    let (status, guest) = fixture.post("viewer-0002", "k-1", json!({ "text": "好看" })).await;
    assert_eq!((status, &guest["author"], &guest["isQuestion"]), (StatusCode::CREATED, &json!(""), &json!(false)));
    assert_eq!(fixture.shown().await, [posted.clone(), guest.clone()], "oldest first");

    let (_, feed) = fixture.seller(Method::GET, "/api/seller/comments?limit=1").await;
    assert_eq!((feed["comments"].as_array().unwrap().len(), &feed["more"]), (1, &json!(true)));
    let next = feed["nextAfter"].as_i64().unwrap();
    let (_, feed) = fixture.seller(Method::GET, &format!("/api/seller/comments?after={next}")).await;
    assert_eq!((&feed["more"], &feed["comments"][0]["id"], &feed["comments"][0]["kind"]), (&json!(false), &guest["id"], &json!("chat")));
    assert!(feed["upToMs"].as_i64().unwrap() >= guest["atMs"].as_i64().unwrap() && feed["feed"].is_string());
    assert_eq!(fixture.ask(Method::GET, "/api/seller/comments").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    fixture.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_comment_leaves_open_pages_and_is_told_to_nobody_later() {
    let fixture = Fixture::open().await;
    let before = fixture.seq().await;
    let mut open = fixture.stream(before).await;
    let (_, posted) = fixture.post("viewer-0001", "k", json!({ "text": "骂人的话" })).await;
    read_until(&mut open, "骂人的话").await;
    let id = posted["id"].as_str().unwrap();
    let path = format!("/api/seller/comments/{id}");
    let (status, hidden) = fixture.seller(Method::PUT, &format!("{path}/hidden")).await;
    assert_eq!((status, &hidden["hidden"]), (StatusCode::OK, &json!(true)));
    let gone = format!("event: comment_hidden\ndata: {{\"id\":\"{id}\",\"hidden\":true}}");
    read_until(&mut open, &gone).await;
    assert_eq!(fixture.seller(Method::PUT, &format!("{path}/hidden")).await.1["version"], hidden["version"], "twice is once");
    assert_eq!(fixture.seller(Method::GET, &path).await.1, hidden, "the seller still sees what it was");
    assert_eq!(fixture.shown().await, Vec::<Value>::new());
    // Somebody whose line was cut comes back to where they stood.
    let mut late = fixture.stream(before).await;
    let told = read_until(&mut late, &gone).await;
    assert!(!told.contains("骂人的话"), "{told}");
    let (_, feed) = fixture.seller(Method::GET, "/api/seller/comments").await;
    assert_eq!((feed["comments"].as_array().unwrap().len(), &feed["comments"][0]["hidden"]), (1, &json!(true)), "once, as it is now");
    for (method, path) in [(Method::PUT, "/api/seller/comments/none/hidden"), (Method::GET, "/api/seller/comments/none")] {
        assert_eq!(fixture.seller(method, path).await.0, StatusCode::NOT_FOUND);
    }
    let anybody = fixture.ask(Method::PUT, &format!("{path}/hidden")).send().await.unwrap();
    assert_eq!(anybody.status(), StatusCode::UNAUTHORIZED);
    fixture.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_fast_or_not_fit_is_refused_with_its_rule() {
    let clock = Arc::new(ManualClock::new(1_800_000_000_000));
    let fixture = Fixture::open_at(Arc::clone(&clock) as Arc<dyn Clock>).await;
    for (form, field, rule) in [
        (json!({ "text": " " }), "text", "empty"),
        (json!({ "text": "长".repeat(201) }), "text", "too_long"),
        (json!({ "text": "a\u{202e}b" }), "text", "control"),
        (json!({ "text": "x", "name": "长".repeat(25) }), "name", "too_long"),
        (json!({ "text": 7 }), "body", "json"),
    ] {
        let (status, body) = fixture.post("viewer-0001", "bad", form).await;
        assert_eq!((status, &body["params"]), (StatusCode::BAD_REQUEST, &json!({ "field": field, "rule": rule })));
    }
    let keyless = fixture.ask(Method::POST, "/api/comments").header("X-Viewer", "viewer-0001").json(&json!({ "text": "x" }));
    assert_eq!(keyless.send().await.unwrap().status(), StatusCode::BAD_REQUEST);

    assert_eq!(fixture.post("viewer-0001", "a", json!({ "text": "one" })).await.0, StatusCode::CREATED);
    let request = fixture.ask(Method::POST, "/api/comments").header("X-Viewer", "viewer-0001").header("Idempotency-Key", "b");
    let answer = request.json(&json!({ "text": "two" })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
    let body: Value = answer.json().await.unwrap();
    let wait = body["params"]["retryAfterMs"].as_i64().unwrap();
    assert_eq!((&body["code"], wait), (&json!("too_fast"), 1_500));
    assert_eq!(fixture.shop.counters().comments_refused, 1);
    assert_eq!(fixture.post("viewer-0002", "a", json!({ "text": "another viewer" })).await.0, StatusCode::CREATED);
    // What a page does that was told how long to wait. A refused one was not kept: the same key may be tried again.
    clock.advance(Duration::from_millis(1_500));
    assert_eq!(fixture.post("viewer-0001", "b", json!({ "text": "two" })).await.0, StatusCode::CREATED);
    assert_eq!(fixture.shown().await.len(), 3);

    // Ten in a minute, however slowly; the eleventh waits until the first is a minute old.
    for n in 0..8 {
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(fixture.post("viewer-0001", &format!("n-{n}"), json!({ "text": "more" })).await.0, StatusCode::CREATED, "{n}");
    }
    clock.advance(Duration::from_secs(2));
    let (status, body) = fixture.post("viewer-0001", "eleven", json!({ "text": "more" })).await;
    assert_eq!((status, &body["params"]["retryAfterMs"]), (StatusCode::TOO_MANY_REQUESTS, &json!(60_000 - 9 * 1_500 - 2_000)));
    clock.advance(Duration::from_secs(60));
    assert_eq!(fixture.post("viewer-0001", "eleven", json!({ "text": "more" })).await.0, StatusCode::CREATED);

    // Whoever makes up viewers is held by their address, and is not told to the writer.
    clock.advance(Duration::from_secs(60));
    let crowd = async |address: &str, count: usize| {
        let client = Client::builder().local_address(address.parse::<IpAddr>().unwrap()).build().unwrap();
        let posts = (0..count).map(|n| {
            let viewer = format!("crowd-{}", uuid::Uuid::new_v4());
            let request = client.post(format!("{}/api/comments", fixture.shop.url())).timeout(Duration::from_secs(20));
            let request = request.header("X-Viewer", viewer).header("Idempotency-Key", "k");
            request.json(&json!({ "text": n.to_string() })).send()
        });
        let answers = futures_util::future::join_all(posts).await;
        answers.into_iter().filter(|answer| answer.as_ref().unwrap().status() == StatusCode::CREATED).count()
    };
    assert_eq!(crowd("127.0.0.2", 40).await, 10, "ten at once from one address");
    clock.advance(Duration::from_millis(1_000));
    assert_eq!(crowd("127.0.0.2", 40).await, 5, "and five a second");
    // All together cannot write more than a page can show: five were written in this second already.
    let mut written = 5;
    for address in ["127.0.0.3", "127.0.0.4", "127.0.0.5"] {
        written += crowd(address, 12).await;
    }
    assert_eq!(written, 30, "of the whole shop in one second");
    // What was too much, for whichever reason, was counted.
    assert_eq!(fixture.shop.counters().comments_refused, 1 + 1 + 30 + 35 + (36 - 25));
    fixture.shop.stop().await;
}

/// As a tool sends it.
fn brought(id: &str, text: &str) -> Value {
    json!({ "source": "抖音", "id": id, "author": "云朵朵", "text": text })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tool_brings_goes_to_the_seller_once_and_to_no_viewer() {
    let fixture = Fixture::open().await;
    let before = fixture.seq().await;
    let (status, first) = fixture.bring(&brought("42", "3 号多少钱\n包邮吗")).await;
    assert_eq!(
        (status, &first["source"], &first["author"], &first["text"]),
        (StatusCode::CREATED, &json!("抖音"), &json!("云**"), &json!("3 号多少钱 包邮吗"))
    );
    assert_eq!(fixture.bring(&brought("42", "3 号多少钱\n包邮吗")).await, (StatusCode::OK, first.clone()), "the same again is the same");
    let (status, other) = fixture.bring(&brought("42", "别的")).await;
    assert_eq!((status, &other["code"]), (StatusCode::CONFLICT, &json!("idempotency_mismatch")));
    let elsewhere = json!({ "source": "快手", "id": "42", "text": "在吗" });
    let (status, second) = fixture.bring(&elsewhere).await;
    assert_eq!((status, &second["author"]), (StatusCode::CREATED, &json!("")), "an id belongs to its source");

    let (_, feed) = fixture.seller(Method::GET, "/api/seller/comments").await;
    assert_eq!(feed["comments"], json!([first, second]));
    assert_eq!(fixture.shown().await, Vec::<Value>::new(), "viewers see what was written on their own page");
    let (_, own) = fixture.post("viewer-0001", "k", json!({ "text": "好看" })).await;
    let mut stream = fixture.stream(before).await;
    let told = read_until(&mut stream, "好看").await;
    assert!(!told.contains("包邮") && !told.contains("抖音"), "{told}");
    assert_eq!(fixture.shown().await, [own]);
    // What was written elsewhere cannot be taken away here.
    let path = format!("/api/seller/comments/{}/hidden", first["id"].as_str().unwrap());
    let (status, refused) = fixture.seller(Method::PUT, &path).await;
    assert_eq!((status, &refused["params"]["rule"]), (StatusCode::BAD_REQUEST, &json!("elsewhere")));
    fixture.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_token_for_tools_brings_comments_and_it_does_nothing_else() {
    let fixture = Fixture::open().await;
    let (path, form) = ("/api/tools/comments", brought("1", "在吗"));
    for token in [None, Some(fixture.shop.token()), Some("0"), Some("")] {
        let request = fixture.ask(Method::POST, path).json(&form);
        let request = token.into_iter().fold(request, RequestBuilder::bearer_auth);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{token:?}");
    }
    let seller = fixture.ask(Method::GET, "/api/seller/comments").bearer_auth(fixture.shop.tool_token());
    assert_eq!(seller.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "a tool reads nothing");
    // It lies beside the seller's, for its owner only, and is another one.
    let file = fixture.shop.token_path().with_file_name("comments.token");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), fixture.shop.tool_token());
    assert_ne!(fixture.shop.tool_token(), fixture.shop.token());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A page elsewhere that somebody opens in a browser has no say, even with the token.
    let foreign =
        fixture.ask(Method::POST, path).bearer_auth(fixture.shop.tool_token()).header("Origin", "https://shop.example").json(&form);
    assert_eq!(foreign.send().await.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(fixture.bring(&form).await.0, StatusCode::CREATED);
    fixture.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tool_brings_is_made_fit_or_refused_and_comes_no_faster_than_agreed() {
    let clock = Arc::new(ManualClock::new(1_800_000_000_000));
    let fixture = Fixture::open_at(Arc::clone(&clock) as Arc<dyn Clock>).await;
    let (status, comment) = fixture.bring(&brought("bidi", "<script>a\u{202e}b\u{0}</script>")).await;
    assert_eq!((status, &comment["text"]), (StatusCode::CREATED, &json!("<script>ab</script>")), "text stays text");
    let (status, long) = fixture.bring(&brought("long", &"长".repeat(1_000))).await;
    assert_eq!((status, long["text"].as_str().unwrap().chars().count()), (StatusCode::CREATED, 200));
    let with = |name: &str, value: Value| {
        let mut form = brought("bad", "在吗");
        form[name] = value;
        form
    };
    for (form, field, rule) in [
        (with("text", json!("长".repeat(1_001))), "text", "too_long"),
        (with("text", json!("\u{202e}\u{200b}")), "text", "empty"),
        (with("text", json!(null)), "body", "json"),
        (with("source", json!(" ")), "source", "empty"),
        (with("source", json!("长".repeat(25))), "source", "too_long"),
        (with("source", json!("a\u{202e}b")), "source", "control"),
        (with("author", json!("长".repeat(201))), "author", "too_long"),
        (with("id", json!("")), "id", "empty"),
        (with("id", json!("a\nb")), "id", "format"),
        (with("id", json!("x".repeat(129))), "id", "too_long"),
        (with("more", json!("x".repeat(9_000))), "body", "too_long"),
    ] {
        let (status, body) = fixture.bring(&form).await;
        assert_eq!((status, &body["params"]), (StatusCode::BAD_REQUEST, &json!({ "field": field, "rule": rule })));
    }
    // Sixty at once; two came already. Refused ones are not lost: they come again when they may.
    let burst = futures_util::future::join_all((0..70).map(|n| {
        let fixture = &fixture;
        async move { (n, fixture.bring(&brought(&format!("b-{n}"), "在吗")).await) }
    }));
    let refused: Vec<_> = burst.await.into_iter().filter(|(_, (status, _))| *status == StatusCode::TOO_MANY_REQUESTS).collect();
    assert_eq!((refused.len(), fixture.shop.counters().tool_comments_refused), (12, 12));
    let body = &refused[0].1.1;
    assert_eq!((&body["code"], body["params"]["retryAfterMs"].as_i64()), (&json!("too_fast"), Some(33)));
    assert_eq!(fixture.bring(&brought("bidi", "<script>ab</script>")).await.0, StatusCode::OK, "a repeat takes no place");
    assert_eq!(fixture.post("viewer-0001", "k", json!({ "text": "好看" })).await.0, StatusCode::CREATED, "viewers do not wait for tools");
    clock.advance(Duration::from_secs(1));
    for (n, _) in refused {
        assert_eq!(fixture.bring(&brought(&format!("b-{n}"), "在吗")).await.0, StatusCode::CREATED);
    }
    let (_, feed) = fixture.seller(Method::GET, "/api/seller/comments?limit=500").await;
    assert_eq!(feed["comments"].as_array().unwrap().len(), 2 + 70 + 1, "all of them, once");
    fixture.shop.stop().await;
}
