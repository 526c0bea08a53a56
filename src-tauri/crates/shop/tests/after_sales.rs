//! Parcels and after-sales over real HTTP: an order leaves in parts, its buyer asks, the seller answers once.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::Fixture;

const VIEWER: &str = "viewer-1234";

impl Fixture {
    /// What the seller does to an order, with a key; status and body.
    async fn act(&self, order: &str, deed: &str, key: &str, body: Value) -> (StatusCode, Value) {
        let request = self.ask(Method::POST, &format!("/api/seller/orders/{order}/{deed}")).bearer_auth(self.shop.token());
        let answer = request.header("Idempotency-Key", key).json(&body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// What the buyer asks for.
    async fn request(&self, viewer: &str, order: &str, key: &str, form: Value) -> (StatusCode, Value) {
        let request = self.ask(Method::POST, &format!("/api/orders/{order}/after-sales")).header("X-Viewer", viewer);
        let answer = request.header("Idempotency-Key", key).json(&form).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// A product of its own at this price, with so many pieces; its sku.
    async fn product(&self, title: &str, price: i64, stock: i64) -> String {
        let form = json!({ "title": title, "skus": [{ "price": { "amount": price, "currency": "CNY" }, "stock": stock }] });
        let made = self.ask(Method::POST, "/api/seller/products").bearer_auth(self.shop.token()).json(&form).send().await.unwrap();
        let made: Value = made.json().await.unwrap();
        made["skus"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Two products, three pieces of the first and one of the second, paid; the order's id and both skus.
    async fn paid(&self) -> (String, String, String) {
        let (a, b) = (self.product("盖碗", 10_000, 10).await, self.product("茶席", 5_001, 10).await);
        let lines = json!([{ "skuId": a, "quantity": 3 }, { "skuId": b, "quantity": 1 }]);
        let form = json!({ "lines": lines, "buyer": { "name": "林小姐", "phone": "13800138000", "address": "杭州" } });
        let request = self.ask(Method::POST, "/api/orders").header("X-Viewer", VIEWER).header("Idempotency-Key", "k");
        let order: Value = request.json(&form).send().await.unwrap().json().await.unwrap();
        let id = order["id"].as_str().unwrap().to_owned();
        let pay = self.ask(Method::POST, &format!("/api/orders/{id}/pay")).header("X-Viewer", VIEWER);
        assert!(pay.json(&json!({ "provider": "dummy" })).send().await.unwrap().status().is_success());
        (id, a, b)
    }
}

fn parcel(tracking: &str, lines: &[(u32, u32)]) -> Value {
    let lines: Vec<Value> = lines.iter().map(|(line, quantity)| json!({ "line": line, "quantity": quantity })).collect();
    json!({ "carrier": "顺丰", "tracking": tracking, "lines": lines })
}

fn words(order: &Value) -> (&str, &str, &str) {
    (order["state"].as_str().unwrap(), order["fulfilment"].as_str().unwrap(), order["payment"].as_str().unwrap())
}

#[tokio::test]
async fn an_order_leaves_in_parts() {
    let f = Fixture::open().await;
    let (id, ..) = f.paid().await;
    let (status, first) = f.act(&id, "ship", "1", parcel("SF1", &[(0, 2)])).await;
    assert_eq!((status, words(&first)), (StatusCode::OK, ("partly_shipped", "partly_shipped", "paid")));
    assert_eq!(first["shipments"][0]["lines"], json!([{ "line": 0, "quantity": 2 }]));
    // Repeated under another key: the same parcel is the same parcel, other pieces under its number are not.
    assert_eq!(f.act(&id, "ship", "2", parcel("SF1", &[(0, 2)])).await, (StatusCode::OK, first.clone()));
    let (status, body) = f.act(&id, "ship", "3", parcel("SF1", &[(0, 1)])).await;
    assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("wrong_state")));
    for too_much in [parcel("SF2", &[(0, 2)]), parcel("SF2", &[(2, 1)]), parcel("SF2", &[(0, 1), (0, 1)])] {
        let (status, body) = f.act(&id, "ship", "4", too_much).await;
        assert_eq!((status, &body["code"]), (StatusCode::BAD_REQUEST, &json!("invalid")), "{body}");
    }
    let (status, body) = f.act(&id, "cancel", "c", json!({ "reason": "x" })).await;
    assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("wrong_state")), "what has left cannot be undone");
    // The rest, without naming it.
    let (_, rest) = f.act(&id, "ship", "5", json!({ "carrier": "中通", "tracking": "ZT1" })).await;
    assert_eq!(words(&rest), ("shipped", "shipped", "paid"));
    assert_eq!(rest["shipments"][1]["lines"], json!([{ "line": 0, "quantity": 1 }, { "line": 1, "quantity": 1 }]));
    assert!(rest["version"].as_i64() > first["version"].as_i64());
    let (status, _) = f.act(&id, "ship", "6", parcel("SF9", &[])).await;
    assert_eq!(status, StatusCode::CONFLICT);
    f.shop.stop().await;
}

#[tokio::test]
async fn a_line_is_refunded_and_what_has_not_left_is_for_sale_again() {
    let f = Fixture::open().await;
    let (id, a, b) = f.paid().await;
    f.act(&id, "ship", "1", parcel("SF1", &[(0, 1)])).await;
    assert_eq!((f.stock(&a).await, f.stock(&b).await), (7, 9));
    let form = json!({ "kind": "refund_only", "reason": "多拍了两个", "line": 0, "quantity": 2 });
    let (status, asked) = f.request(VIEWER, &id, "q", form.clone()).await;
    assert_eq!((status, &asked["state"]), (StatusCode::CREATED, &json!("after_sale")), "{asked}");
    let request = asked["afterSales"][0].clone();
    assert_eq!(
        (&request["amount"]["amount"], &request["reason"], &request["state"]),
        (&json!(20_000), &json!("多拍了两个"), &json!("requested"))
    );
    // Asked again with the same key it is the same request; a second one has to wait; nothing leaves meanwhile.
    assert_eq!(f.request(VIEWER, &id, "q", form.clone()).await, (StatusCode::CREATED, asked.clone()));
    assert_eq!(f.request(VIEWER, &id, "q2", form.clone()).await.0, StatusCode::CONFLICT);
    assert_eq!(f.request("viewer-other", &id, "q", form).await.0, StatusCode::NOT_FOUND, "it is nobody else's order");
    assert_eq!(f.act(&id, "ship", "2", parcel("SF2", &[])).await.0, StatusCode::CONFLICT);

    let agree = format!("after-sales/{}/agree", request["id"].as_str().unwrap());
    let (status, done) = f.act(&id, &agree, "a1", json!({})).await;
    assert_eq!((status, words(&done)), (StatusCode::OK, ("partly_shipped", "partly_shipped", "partly_refunded")));
    assert_eq!((&done["refunded"]["amount"], &done["afterSales"][0]["state"]), (&json!(20_000), &json!("refunded")));
    assert_eq!(f.stock(&a).await, 9, "both had not left");
    // The same press under another key pays nothing again, and no is no answer any more.
    let (status, again) = f.act(&id, &agree, "a2", json!({})).await;
    assert_eq!((status, &again["refunded"]["amount"], f.stock(&a).await), (StatusCode::OK, &json!(20_000), 9));
    let refuse = agree.replace("agree", "refuse");
    assert_eq!(f.act(&id, &refuse, "r", json!({ "reason": "不" })).await.0, StatusCode::CONFLICT);
    // The rest is what is left, and no more than that can be asked for.
    let (_, rest) = f.act(&id, "ship", "3", parcel("SF3", &[])).await;
    assert_eq!((words(&rest).1, &rest["shipments"][1]["lines"]), ("shipped", &json!([{ "line": 1, "quantity": 1 }])));
    let more = json!({ "kind": "return_refund", "reason": "x", "line": 0, "quantity": 2 });
    assert_eq!(f.request(VIEWER, &id, "q3", more).await.0, StatusCode::BAD_REQUEST);
    // The last pieces bring the last fen.
    let (_, whole) = f.request(VIEWER, &id, "q4", json!({ "kind": "return_refund", "reason": "都退" })).await;
    assert_eq!(whole["afterSales"][1]["amount"]["amount"], 15_001);
    let agree = format!("after-sales/{}/agree", whole["afterSales"][1]["id"].as_str().unwrap());
    let (_, done) = f.act(&id, &agree, "a3", json!({})).await;
    assert_eq!((words(&done), &done["refunded"]["amount"]), (("refunded", "shipped", "refunded"), &json!(35_001)));
    assert_eq!((f.stock(&a).await, f.stock(&b).await), (9, 9), "what has left comes back by hand");
    f.shop.stop().await;
}

#[tokio::test]
async fn a_refusal_says_why_and_the_order_goes_on() {
    let f = Fixture::open().await;
    let (id, a, _) = f.paid().await;
    let goods_back = json!({ "kind": "return_refund", "reason": "不想要了" });
    assert_eq!(f.request(VIEWER, &id, "q0", goods_back).await.0, StatusCode::BAD_REQUEST, "nothing could come back");
    for reason in ["", " ", "a\u{202E}b"] {
        assert_eq!(f.request(VIEWER, &id, "q1", json!({ "kind": "refund_only", "reason": reason })).await.0, StatusCode::BAD_REQUEST);
    }
    let (_, asked) = f.request(VIEWER, &id, "q2", json!({ "kind": "refund_only", "reason": "<b>不想要了</b>" })).await;
    assert_eq!(asked["afterSales"][0]["amount"]["amount"], 35_001);
    let refuse = format!("after-sales/{}/refuse", asked["afterSales"][0]["id"].as_str().unwrap());
    let (status, refused) = f.act(&id, &refuse, "r1", json!({ "reason": "已经打包" })).await;
    assert_eq!((status, words(&refused)), (StatusCode::OK, ("to_ship", "unshipped", "paid")));
    assert_eq!((&refused["afterSales"][0]["state"], &refused["afterSales"][0]["answer"]), (&json!("rejected"), &json!("已经打包")));
    assert_eq!(f.act(&id, &refuse, "r2", json!({ "reason": "已经打包" })).await, (StatusCode::OK, refused));
    assert_eq!(f.act(&id, &refuse.replace("refuse", "agree"), "a", json!({})).await.0, StatusCode::CONFLICT);
    assert_eq!(f.act(&id, "after-sales/none/agree", "a", json!({})).await.0, StatusCode::NOT_FOUND);
    // Asked once more, the seller gives all back by another way: the request is over with it.
    f.request(VIEWER, &id, "q3", json!({ "kind": "refund_only", "reason": "求求了" })).await;
    let (_, done) = f.act(&id, "refund", "m", json!({})).await;
    assert_eq!((words(&done), &done["afterSales"][1]["state"]), (("refunded", "unshipped", "refunded"), &json!("closed")));
    assert_eq!(f.stock(&a).await, 10);
    assert_eq!(f.request(VIEWER, &id, "q4", json!({ "kind": "refund_only", "reason": "再来" })).await.0, StatusCode::CONFLICT);
    f.shop.stop().await;
}
