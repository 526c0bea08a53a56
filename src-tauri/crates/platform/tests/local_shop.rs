//! The adapter against the real shop over HTTP.

mod support;

use futures_util::StreamExt;
use secrecy::SecretString;
use stallcast_clock::{ManualClock, SystemClock};
use stallcast_model::{CouponDraft, CouponId, Currency, Effect, Money, OrderId, OrderStatus, ProductId, RoomState, Shipment};
use stallcast_platform::local::LocalShop;
use stallcast_platform::{About, Platform, PlatformError, Sent};
use std::sync::Arc;
use std::time::Duration;
use support::{adapter, buy, start, start_anywhere};

fn yuan(n: i64) -> Money {
    Money::new(n, Currency::Cny)
}

#[tokio::test]
async fn feeds_are_read_to_their_end_and_go_on_from_there() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = start_anywhere(dir.path()).await;
    let platform = adapter(&shop);
    let profile = platform.profile().await.expect("profile");
    assert!(!profile.name.is_empty());
    assert_eq!(profile.currency, Currency::Cny);

    let products = platform.products(None).await.expect("products");
    assert!(products.rows.len() >= 3 && products.unread.is_empty() && !products.more);
    let numbers: Vec<_> = products.rows.iter().map(|p| p.number).collect();
    assert!(numbers.contains(&Some(1)), "{numbers:?}");
    let empty = platform.orders(None).await.expect("orders");
    assert!(empty.rows.is_empty() && !empty.more);
    assert_eq!(empty.feed, products.feed, "one life of the shop, one id");

    let (a, b) = (buy(shop.url(), 0, "a").await, buy(shop.url(), 1, "b").await);
    let page = platform.orders(Some(&empty.next)).await.expect("orders");
    let ids: Vec<_> = page.rows.iter().map(|r| r.order.id.as_str().to_owned()).collect();
    assert_eq!(ids, [a["id"].as_str().expect("id"), b["id"].as_str().expect("id")]);
    let first = &page.rows[0];
    assert_eq!((first.order.status(), first.contact.phone.as_str()), (OrderStatus::ToShip, "13800138000"));
    assert_eq!(first.order.version, a["version"].as_i64().expect("version"));
    assert!(platform.orders(Some(&page.next)).await.expect("orders").rows.is_empty());
    let earlier = platform.earlier(&page.next).expect("an earlier place");
    assert_eq!(platform.orders(Some(&earlier)).await.expect("orders").rows.len(), 2);
    let sold = platform.products(Some(&products.next)).await.expect("products");
    assert_eq!(sold.rows.len(), 2, "their stock changed");

    let read = platform.order(&first.order.id).await.expect("order").expect("there");
    assert_eq!(&read, first);
    assert_eq!(platform.order(&OrderId::new("none")).await, Ok(None));
    assert_eq!(platform.order(&OrderId::new("../coupons/x?y")).await, Ok(None), "an id is one segment, whatever is in it");

    let product = &products.rows[0].product;
    let picture = platform.picture(product).await.expect("picture").expect("there");
    assert!(picture.mime.starts_with("image/") && picture.bytes.starts_with(b"\x89PNG"));
    let elsewhere = stallcast_model::Product { picture: Some("http://127.0.0.2:1/x".to_owned()), ..product.clone() };
    assert!(platform.picture(&elsewhere).await.is_err(), "the token must not leave the shop");
    shop.stop().await;
}

#[tokio::test]
async fn a_shop_that_began_anew_says_so() {
    let (old, new) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let shop = start_anywhere(old.path()).await;
    let before = adapter(&shop).orders(None).await.expect("orders").feed;
    shop.stop().await;
    let shop = start_anywhere(old.path()).await;
    assert_eq!(adapter(&shop).orders(None).await.expect("orders").feed, before, "a restart is the same life");
    shop.stop().await;
    let shop = start_anywhere(new.path()).await;
    let after = adapter(&shop).orders(Some("400")).await.expect("orders").feed;
    assert!(before.is_some() && after.is_some() && before != after);
    shop.stop().await;
}

#[tokio::test]
async fn effects_hold_once_and_are_read_back() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = start_anywhere(dir.path()).await;
    let platform = adapter(&shop);
    let products = platform.products(None).await.expect("products").rows;
    let product = products[0].product.id.clone();

    assert_eq!(platform.pin().await, Ok(None));
    let pin = Effect::Pin { product: product.clone(), number: 1, program_ms: Some(1_500) };
    platform.perform(&pin, "s/pin/1/1").await.expect("pinned");
    let first = platform.pin().await.expect("room").expect("pinned");
    assert_eq!(first.product, product);
    platform.perform(&pin, "s/pin/1/1").await.expect("again");
    assert_eq!(platform.pin().await, Ok(Some(first)), "the same pin again changes nothing");
    let unknown = Effect::Pin { product: ProductId::new("none"), number: 9, program_ms: None };
    assert_eq!(platform.perform(&unknown, "s/pin/9/1").await, Err(PlatformError::Refused { code: "not_found".to_owned() }));
    platform.perform(&Effect::Unpin { product, number: 1 }, "s/unpin/1/1").await.expect("unpinned");
    assert_eq!(platform.pin().await, Ok(None));

    assert_eq!(platform.live().await.expect("room").state, None);
    for state in [RoomState::Live, RoomState::Ended] {
        platform.perform(&Effect::GoLive { state, started_at_ms: 5_000, program_epoch_ms: 5_000 }, "s/live/room/1").await.expect("told");
        let live = platform.live().await.expect("room");
        assert_eq!((live.state, live.started_at_ms), (Some(state), Some(5_000)));
    }

    let draft = CouponDraft { discount: yuan(3_000), threshold: yuan(19_900), quantity: 50, valid_s: 180 };
    let coupon = CouponId::new("0198-c");
    assert_eq!(platform.coupon(&coupon).await, Ok(None));
    let issue = Effect::IssueCoupon { coupon: coupon.clone(), draft: draft.clone() };
    platform.perform(&issue, "s/coupon/0198-c/1").await.expect("issued");
    platform.perform(&issue, "s/coupon/0198-c/1").await.expect("again");
    let read = platform.coupon(&coupon).await.expect("coupon").expect("there");
    assert_eq!((read.active, read.claimed, &read.draft), (true, 0, &draft));
    let other = Effect::IssueCoupon { coupon, draft: CouponDraft { quantity: 51, ..draft } };
    assert_eq!(
        platform.perform(&other, "s/coupon/0198-c/2").await,
        Err(PlatformError::Refused { code: "idempotency_mismatch".to_owned() })
    );

    let order = OrderId::new(buy(shop.url(), 0, "k").await["id"].as_str().expect("id"));
    let parcel = Shipment { carrier: "顺丰".to_owned(), tracking: "SF1".to_owned() };
    let ship = Effect::Ship { order: order.clone(), shipment: parcel.clone() };
    let key = format!("-/ship/{order}/1");
    platform.perform(&ship, &key).await.expect("sent");
    let once = platform.order(&order).await.expect("order").expect("there");
    assert_eq!((once.order.status(), once.shipment.as_ref()), (OrderStatus::Shipped, Some(&parcel)));
    platform.perform(&ship, &key).await.expect("again");
    assert_eq!(platform.order(&order).await.expect("order"), Some(once), "the same key again changes nothing");
    let elsewhere = Effect::Ship { order, shipment: Shipment { tracking: "SF2".to_owned(), ..parcel } };
    assert_eq!(platform.perform(&elsewhere, &format!("{key}-2")).await, Err(PlatformError::Refused { code: "wrong_state".to_owned() }));
    shop.stop().await;
}

#[tokio::test]
async fn a_wrong_token_and_a_dead_shop_are_told_apart() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = start_anywhere(dir.path()).await;
    let stranger = LocalShop::new(shop.url(), SecretString::from("canary"), Arc::new(SystemClock)).expect("adapter");
    assert_eq!(stranger.orders(None).await.expect_err("stranger"), PlatformError::Unauthenticated);
    assert!(stranger.hints(None).await.is_err_and(|e| e == PlatformError::Unauthenticated));
    assert!(!format!("{stranger:?}").contains("canary"));
    stranger.moved(shop.url(), SecretString::from(shop.token().to_owned())).expect("moved");
    assert!(stranger.orders(None).await.is_ok());
    let address = shop.url().to_owned();
    shop.stop().await;
    let gone = stranger.perform(&Effect::Unpin { product: ProductId::new("p"), number: 1 }, "k").await.expect_err("gone");
    assert!(matches!(gone, PlatformError::Unreachable { sent: Sent::No, .. }), "{gone}");
    assert!(!gone.may_have_happened());
    assert!(stranger.moved("http://192.168.0.1:80", SecretString::from("x")).is_err());
    assert!(stranger.moved(&address, SecretString::from("x\ny")).is_err());
}

#[tokio::test]
async fn hints_come_at_once_and_none_is_lost_between_two_connections() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = start_anywhere(dir.path()).await;
    let platform = adapter(&shop);
    let limit = Duration::from_secs(20);
    let mut hints = platform.hints(None).await.expect("stream");
    let order = buy(shop.url(), 0, "k").await["id"].as_str().expect("id").to_owned();
    let mut seen = Vec::new();
    let resume = loop {
        let hint = tokio::time::timeout(limit, hints.next()).await.expect("in time").expect("open").expect("hint");
        seen.push(hint.about.clone());
        if seen.contains(&About::Orders) && seen.contains(&About::Products) && hint.id.is_some() {
            break hint.id;
        }
    };
    drop(hints);
    let parcel = Shipment { carrier: "SF".to_owned(), tracking: "1".to_owned() };
    platform.perform(&Effect::Ship { order: OrderId::new(order), shipment: parcel }, "ship").await.expect("sent");
    let mut hints = platform.hints(resume.as_deref()).await.expect("stream");
    loop {
        let hint = tokio::time::timeout(limit, hints.next()).await.expect("in time").expect("open").expect("hint");
        if hint.about == About::Orders && hint.id > resume {
            break;
        }
    }
    let mut lost = platform.hints(Some("999999")).await.expect("stream");
    loop {
        let hint = tokio::time::timeout(limit, lost.next()).await.expect("in time").expect("open").expect("hint");
        if hint.about == About::Everything {
            break;
        }
    }
    shop.stop().await;
    let end = async { while let Some(Ok(_)) = hints.next().await {} };
    tokio::time::timeout(limit, end).await.expect("a stream of a shop that ended ends");
    assert!(hints.next().await.is_none(), "the error is the last item");
}

#[tokio::test]
async fn the_shops_clock_is_known_after_one_answer() {
    let dir = tempfile::tempdir().expect("dir");
    let here = SystemClock;
    let there = ManualClock::new(stallcast_clock::Clock::utc_ms(&here) + 3_600_000);
    let shop = start(dir.path(), std::net::SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(there)).await;
    let platform = adapter(&shop);
    assert_eq!(platform.ahead_ms(), None);
    platform.profile().await.expect("profile");
    assert!(platform.ahead_ms().expect("by the date of the answer").abs() < 5_000);
    platform.orders(None).await.expect("orders");
    let ahead = platform.ahead_ms().expect("known");
    assert!((ahead - 3_600_000).abs() < 60_000, "{ahead}");
    shop.stop().await;
}
