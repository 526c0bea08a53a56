//! The adapter against a server that answers whatever the test wants.

use secrecy::SecretString;
use stallcast_clock::SystemClock;
use stallcast_model::{Effect, Product, ProductId};
use stallcast_platform::local::LocalShop;
use stallcast_platform::{Platform, PlatformError, Sent};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every request with these bytes and closes.
async fn answering(bytes: Vec<u8>) -> LocalShop {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                let mut buffer = [0; 4096];
                while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(n) if n > 0 => head.extend_from_slice(&buffer[..n]),
                        _ => return,
                    }
                }
                // The client may have gone first.
                let _ = stream.write_all(&bytes).await;
            });
        }
    });
    LocalShop::new(&url, SecretString::from("t"), Arc::new(SystemClock)).expect("adapter")
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

const ENDED: Effect = Effect::GoLive { state: stallcast_model::RoomState::Ended, started_at_ms: 1, program_epoch_ms: 1 };

#[tokio::test]
async fn half_an_answer_leaves_the_outcome_open() {
    let mut cut = http("200 OK", "", r#"{"orders":[],"nextAfter":0,"more":false,"upToMs":1}"#);
    cut.truncate(cut.len() - 10);
    let shop = answering(cut).await;
    assert!(matches!(shop.orders(None).await, Err(PlatformError::Unreachable { sent: Sent::Maybe, .. })));
    assert!(shop.perform(&ENDED, "k").await.is_err_and(|e| e.may_have_happened()));
    let silent = answering(Vec::new()).await;
    assert!(silent.perform(&ENDED, "k").await.is_err_and(|e| e.may_have_happened()), "closed without a word");
}

#[tokio::test]
async fn failures_mean_what_they_say() {
    let shop = answering(http("500 Internal Server Error", "", r#"{"code":"internal"}"#)).await;
    assert!(shop.perform(&ENDED, "k").await.is_err_and(|e| e.may_have_happened() && e.code() == "unreachable"));
    let shop = answering(http("429 Too Many Requests", "Retry-After: 3\r\n", "")).await;
    assert_eq!(shop.perform(&ENDED, "k").await, Err(PlatformError::RateLimited { retry_after: Duration::from_secs(3) }));
    // And everybody else on this connection is held back without a question.
    assert!(matches!(shop.orders(None).await, Err(PlatformError::RateLimited { retry_after }) if retry_after > Duration::from_secs(2)));
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:57 GMT\r\n";
    let shop = answering(http("429 Too Many Requests", date, "")).await;
    assert_eq!(shop.perform(&ENDED, "k").await, Err(PlatformError::RateLimited { retry_after: Duration::from_secs(20) }));
    let shop = answering(http("503 Service Unavailable", "Retry-After: 40\r\n", "")).await;
    assert!(shop.perform(&ENDED, "k").await.is_err_and(|e| e.may_have_happened()), "it may have been done");
    assert!(matches!(shop.live().await, Err(PlatformError::RateLimited { .. })), "and the pause holds all the same");
    let shop = answering(http("409 Conflict", "", r#"{"code":"wrong_state","params":{"state":"shipped"}}"#)).await;
    let params = std::collections::BTreeMap::from([("state".to_owned(), "shipped".to_owned())]);
    assert_eq!(shop.perform(&ENDED, "k").await, Err(PlatformError::Refused { code: "wrong_state".to_owned(), params }));
    let shop = answering(http("404 Not Found", "", "<html>nginx</html>")).await;
    assert!(shop.coupon(&stallcast_model::CouponId::new("c")).await.is_err(), "somebody else's 404 does not prove that there is none");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let trap = listener.local_addr().expect("address");
    let shop = answering(http("302 Found", &format!("Location: http://{trap}/\r\n"), "")).await;
    assert!(matches!(shop.orders(None).await, Err(PlatformError::NotUnderstood { .. })));
    let nobody = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(nobody.is_err(), "the token was carried elsewhere");
}

#[tokio::test]
async fn answers_without_end_are_cut() {
    let endless = {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n".to_vec();
        bytes.resize(bytes.len() + (9 << 20), b' ');
        bytes
    };
    let shop = answering(endless.clone()).await;
    assert!(matches!(shop.orders(None).await, Err(PlatformError::NotUnderstood { .. })));
    let product = Product {
        id: ProductId::new("p"),
        title: "t".to_owned(),
        picture: Some("/api/products/p/picture".to_owned()),
        skus: Vec::new(),
        confirmed_at_ms: 0,
    };
    assert!(shop.picture(&product).await.is_err());
}

#[tokio::test]
async fn pages_that_make_no_sense_are_refused_whole() {
    for body in
        ["", "[]", "null", "{}", r#"{"orders":{},"nextAfter":1,"more":false,"upToMs":1}"#, r#"{"orders":[],"nextAfter":"1","more":false}"#]
    {
        let shop = answering(http("200 OK", "", body)).await;
        let refused = shop.orders(None).await.expect_err(body);
        assert_eq!(refused.code(), "not_understood", "{body}");
    }
    let shop = answering(http("200 OK", "", r#"{"orders":[{"id":"o"}],"nextAfter":3,"more":true,"upToMs":1,"later":[1]}"#)).await;
    let page = shop.orders(None).await.expect("page");
    assert_eq!((page.rows.len(), page.unread.len(), page.more), (0, 1, true));
    assert!(shop.orders(Some("no number")).await.is_err());
}
