//! `price`, `stock`, `coupon`, `orders` from another process, asked of the studio that holds the folder.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Output, Stdio};
use support::{LIMIT, buy, open, options, order, plenty, program, shop, until};
use tokio::process::Command;

async fn run(data: &Path, words: &[&str]) -> (Value, Output) {
    let mut command = Command::new(program());
    command.args(words).arg("--data").arg(data).arg("--json").env("STALLCAST_LANG", "en").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output()).await.expect("in time").expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    (serde_json::from_str(last).unwrap_or_else(|e| panic!("{words:?}: {e}: {output:?}")), output)
}

/// Done, and read back.
async fn confirmed(data: &Path, words: &[&str]) -> Value {
    let (told, output) = run(data, words).await;
    assert_eq!((output.status.code(), &told["state"]), (Some(0), &json!("confirmed")), "{words:?}: {told} {output:?}");
    told
}

/// Refused, with this code and exit status.
async fn refused(data: &Path, words: &[&str], code: &str, status: i32) {
    let (told, output) = run(data, words).await;
    assert_eq!((&told["code"], output.status.code()), (&json!(code), Some(status)), "{words:?}: {told}");
    assert!(!output.stderr.is_empty(), "and a sentence: {words:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prices_pieces_and_coupons_change_from_outside_once_the_shop_has_them() {
    let dir = tempfile::tempdir().expect("dir");
    let data = dir.path();
    refused(data, &["price", "1", "9.90"], "not_open", 5).await;
    let shop = shop(data).await;
    plenty(&shop).await;
    let studio = open(options(data, &shop)).await;
    let before = studio.snapshot().await.bag[0].clone();

    confirmed(data, &["price", "1", "9.90"]).await;
    confirmed(data, &["stock", "1", "-3"]).await;
    let item = studio.snapshot().await.bag[0].clone();
    assert_eq!((item.price.text.as_str(), item.stock), ("¥9.90", before.stock.map(|n| n - 3)), "told and true at once");
    refused(data, &["price", "1", "cheap"], "invalid", 2).await;
    refused(data, &["price", "99", "1"], "not_found", 5).await;
    refused(data, &["stock", "1", "3"], "bad_value", 2).await;
    // More than there is: no, and nothing changed.
    refused(data, &["stock", "1", "-5000"], "invalid", 2).await;

    let issued = confirmed(data, &["coupon", "issue", "3", "--from", "9", "--quantity", "5", "--for", "2m"]).await;
    let id = issued["id"].as_str().expect("id").to_owned();
    let (listed, _) = run(data, &["coupon"]).await;
    let of_id = |listed: &Value| listed["coupons"].as_array().expect("coupons").iter().find(|c| c["id"] == *id).expect("listed").clone();
    let coupon = of_id(&listed);
    assert_eq!((&coupon["state"], &coupon["quantity"], &coupon["discount"]["text"]), (&json!("active"), &json!(5), &json!("¥3.00")));
    refused(data, &["coupon", "issue", "0"], "invalid", 2).await;
    refused(data, &["coupon", "end", "none"], "not_found", 5).await;
    confirmed(data, &["coupon", "end", &id]).await;
    assert_eq!(of_id(&run(data, &["coupon"]).await.0)["state"], "ended");
    studio.close().await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_sent_and_answered_from_outside() {
    let dir = tempfile::tempdir().expect("dir");
    let data = dir.path();
    let shop = shop(data).await;
    let sku = plenty(&shop).await;
    let studio = open(options(data, &shop)).await;
    let (first, second) = (buy(shop.url(), &sku, "a").await, buy(shop.url(), &sku, "b").await);
    let view = until(&studio, "both orders", |v| v.orders.total == 2).await;
    let number = |id: &str| view.orders.rows.iter().find(|r| r.id == id).expect("listed").number.clone();
    let (first_number, second_number) = (number(&first), number(&second));
    let ask = |key: &'static str| {
        let request =
            reqwest::Client::new().post(format!("{}/api/orders/{second}/after-sales", shop.url())).header("X-Viewer", "viewer-1234");
        let form = json!({ "kind": "refund_only", "reason": "拍错了" });
        async move { assert!(request.header("Idempotency-Key", key).json(&form).send().await.expect("asked").status().is_success()) }
    };
    refused(data, &["orders", "agree", &second_number], "nothing_asked", 5).await;
    ask("1").await;
    until(&studio, "the request", |v| v.orders.after_sale == 1).await;

    let (listed, output) = run(data, &["orders"]).await;
    let ids: Vec<_> = listed["orders"].as_array().expect("orders").iter().map(|o| o["id"].clone()).collect();
    assert_eq!(ids, [json!(second), json!(first)], "what is asked comes first");
    assert_eq!(listed["orders"][0]["afterSales"][0]["reason"], "拍错了");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("13800138000"), "buyers are masked");

    refused(data, &["orders", "ship", &first_number], "needs_option", 2).await;
    refused(data, &["orders", "ship", "nobody", "--carrier", "SF", "--tracking", "1"], "not_found", 5).await;
    refused(data, &["orders", "ship", &first_number, "--carrier", "SF", "--tracking", "1", "--line", "1x9"], "invalid", 2).await;
    let told = confirmed(data, &["orders", "ship", &first_number, "--carrier", "顺丰", "--tracking", "SF1", "--line", "1x1"]).await;
    assert_eq!((&told["id"], &order(&shop, &first).await["shipments"][0]["tracking"]), (&json!(first), &json!("SF1")));
    refused(data, &["orders", "refuse", &second_number], "needs_option", 2).await;
    confirmed(data, &["orders", "refuse", &second_number, "--reason", "已经打包"]).await;
    assert_eq!(order(&shop, &second).await["afterSales"][0]["answer"], "已经打包");
    ask("2").await;
    until(&studio, "the second request", |v| v.orders.after_sale == 1).await;
    // By its id as well as by its number.
    confirmed(data, &["orders", "agree", &second]).await;
    assert_eq!(order(&shop, &second).await["payment"], "refunded");
    assert_eq!(run(data, &["orders"]).await.0["orders"], json!([]));
    studio.close().await;
    shop.stop().await;
}
