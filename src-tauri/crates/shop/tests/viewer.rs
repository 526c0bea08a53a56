//! What viewers do, over real HTTP: buy at once, twice, at a changed price; claim; come back to the stream.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::Fixture;

impl Fixture {
    async fn seller(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.ask(method, path).bearer_auth(self.shop.token()).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    async fn order(&self, viewer: &str, key: &str, form: Value) -> (StatusCode, Value) {
        let request = self.ask(Method::POST, "/api/orders").header("X-Viewer", viewer).header("Idempotency-Key", key);
        let answer = request.json(&form).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn orders(&self, viewer: &str, query: &str) -> Vec<Value> {
        let answer = self.ask(Method::GET, &format!("/api/orders{query}")).header("X-Viewer", viewer).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        body["orders"].as_array().unwrap().clone()
    }

    async fn issue(&self, id: &str, quantity: u32) {
        let money = |amount: i64| json!({ "amount": amount, "currency": "CNY" });
        let form = json!({ "discount": money(3_000), "threshold": money(19_900), "quantity": quantity, "validS": 300 });
        self.seller(Method::PUT, &format!("/api/seller/coupons/{id}"), form).await;
    }

    async fn claim(&self, id: &str, viewer: &str) -> StatusCode {
        self.ask(Method::POST, &format!("/api/coupons/{id}/claim")).header("X-Viewer", viewer).send().await.unwrap().status()
    }
}

fn form(sku: &str, more: &Value) -> Value {
    let mut form = json!({
        "lines": [{ "skuId": sku, "quantity": 1 }],
        "buyer": { "name": "林小姐", "phone": "13800138000", "address": "杭州市西湖区 1 号" },
    });
    for (name, value) in more.as_object().unwrap() {
        form[name] = value.clone();
    }
    form
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_buyers_at_once_get_the_five_pieces_there_are() {
    let fixture = Arc::new(Fixture::open().await);
    fixture.seller(Method::PATCH, "/api/seller/products/p-03", json!({ "stock": 5 })).await;
    let buyers: Vec<_> = (0..20)
        .map(|n| {
            let fixture = Arc::clone(&fixture);
            tokio::spawn(async move { fixture.order(&format!("viewer-{n:02}"), "once", form("BS-03", &json!({}))).await })
        })
        .collect();
    let (mut placed, mut refused) = (0, 0);
    for buyer in buyers {
        match buyer.await.unwrap() {
            (StatusCode::CREATED, _) => placed += 1,
            (StatusCode::CONFLICT, body) if body["code"] == "sold_out" => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((placed, refused, fixture.stock("BS-03").await), (5, 15, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_is_sent_twice_is_one_order_and_can_be_looked_up() {
    let fixture = Fixture::open().await;
    let before = fixture.stock("BS-03").await;
    assert!(fixture.orders("viewer-a", "?key=k-1").await.is_empty(), "nothing was sent yet");
    let (first, second) = tokio::join!(
        fixture.order("viewer-a", "k-1", form("BS-03", &json!({}))),
        fixture.order("viewer-a", "k-1", form("BS-03", &json!({})))
    );
    assert_eq!((first.0, second.0), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.1, second.1);
    assert_eq!(fixture.stock("BS-03").await, before - 1);

    let found = fixture.orders("viewer-a", "?key=k-1").await;
    assert_eq!(found.iter().map(|o| &o["id"]).collect::<Vec<_>>(), [&first.1["id"]]);
    assert!(fixture.orders("viewer-b", "?key=k-1").await.is_empty(), "a key is this viewer's own");
    assert!(fixture.orders("viewer-b", "").await.is_empty());

    let (status, body) = fixture.order("viewer-a", "k-1", form("BS-01", &json!({}))).await;
    assert_eq!((status, body["code"].as_str()), (StatusCode::CONFLICT, Some("idempotency_mismatch")));
    fixture.order("viewer-a", "k-2", form("BS-01", &json!({}))).await;
    let numbers: Vec<_> = fixture.orders("viewer-a", "").await.iter().map(|o| o["number"].as_str().unwrap().to_owned()).collect();
    assert_eq!(numbers, ["1000002", "1000001"], "newest first");

    // What is looked up is the order of now, not the answer of then.
    let pay = format!("/api/orders/{}/pay", first.1["id"].as_str().unwrap());
    let paid = fixture.ask(Method::POST, &pay).header("X-Viewer", "viewer-a").json(&json!({ "provider": "dummy" })).send().await.unwrap();
    assert_eq!(paid.status(), StatusCode::OK);
    assert_eq!(fixture.orders("viewer-a", "?key=k-1").await[0]["state"], "to_ship");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_charged_another_total_than_the_one_they_saw() {
    let fixture = Fixture::open().await;
    let seen = json!({ "expectedTotal": { "amount": 26_800, "currency": "CNY" } });
    fixture.seller(Method::PATCH, "/api/seller/products/p-03", json!({ "price": { "amount": 29_900, "currency": "CNY" } })).await;
    let before = fixture.stock("BS-03").await;
    let (status, body) = fixture.order("viewer-a", "k-1", form("BS-03", &seen)).await;
    assert_eq!((status, body["code"].as_str()), (StatusCode::CONFLICT, Some("price_changed")));
    assert_eq!(body["params"]["total"], json!({ "amount": 29_900, "currency": "CNY" }));
    assert_eq!(fixture.stock("BS-03").await, before, "a refusal reserves nothing");
    // The buyer agreed to the new one: the same key is still free.
    let agreed = json!({ "expectedTotal": { "amount": 29_900, "currency": "CNY" } });
    assert_eq!(fixture.order("viewer-a", "k-1", form("BS-03", &agreed)).await.0, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_is_claimed_once_by_a_viewer_and_never_more_often_than_there_are() {
    let fixture = Fixture::open().await;
    fixture.issue("c-1", 2).await;
    assert_eq!(fixture.claim("c-1", "viewer-a").await, StatusCode::OK);
    assert_eq!(fixture.claim("c-1", "viewer-a").await, StatusCode::CONFLICT);
    assert_eq!(fixture.claim("c-1", "viewer-b").await, StatusCode::OK);
    assert_eq!(fixture.claim("c-1", "viewer-c").await, StatusCode::GONE);
    let spent = json!({ "couponId": "c-1", "expectedTotal": { "amount": 23_800, "currency": "CNY" } });
    assert_eq!(fixture.order("viewer-a", "k-1", form("BS-03", &spent)).await.0, StatusCode::CREATED);
    let (status, body) = fixture.order("viewer-a", "k-2", form("BS-03", &spent)).await;
    assert_eq!((status, body["params"]["rule"].as_str()), (StatusCode::CONFLICT, Some("used")));
}

/// Reads a stream until `wanted` is in it.
async fn read_until(mut answer: reqwest::Response, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let chunk = tokio::time::timeout(Duration::from_secs(10), answer.chunk()).await.expect("an event in time").unwrap();
        text.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_who_comes_back_is_told_what_was_missed() {
    let fixture = Fixture::open().await;
    let room: Value = fixture.ask(Method::GET, "/api/rooms/main").send().await.unwrap().json().await.unwrap();
    let seq = room["seq"].as_i64().unwrap();
    fixture.seller(Method::PUT, "/api/seller/rooms/main/pin", json!({ "productId": "p-03", "programMs": 1_500 })).await;
    fixture.seller(Method::PUT, "/api/seller/rooms/main/pin", json!({ "productId": "p-01", "programMs": 2_500 })).await;
    let stream = fixture.ask(Method::GET, "/api/rooms/main/events").header("Last-Event-ID", seq.to_string()).send().await.unwrap();
    let text = read_until(stream, "\"p-01\"").await;
    assert!(text.contains("\"productId\":\"p-03\"") && text.contains("\"programMs\":1500"), "{text}");

    let stream = fixture.ask(Method::GET, "/api/rooms/main/events?after=999999").send().await.unwrap();
    assert!(read_until(stream, "event: reset").await.contains("event: reset"), "an unknown place is told as such");
}
