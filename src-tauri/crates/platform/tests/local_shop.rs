//! The adapter against the real shop over HTTP.

mod support;

use futures_util::StreamExt;
use secrecy::SecretString;
use stallcast_clock::{ManualClock, SystemClock};
use stallcast_model::{
    Capability, ChangeId, CouponDraft, CouponId, Currency, Effect, Money, NewPrice, OfferTerms, OrderId, OrderStatus, ProductId, RoomState,
    Waybill,
};
use stallcast_platform::local::{LocalShop, Reach};
use stallcast_platform::{About, Platform, PlatformError, Sent};
use std::sync::Arc;
use std::time::Duration;
use support::{adapter, buy, start, start_anywhere};

fn yuan(n: i64) -> Money {
    Money::new(n, Currency::Cny)
}

/// Code of a refusal.
fn code(answer: Result<(), PlatformError>) -> String {
    answer.expect_err("refused").code().to_owned()
}

#[tokio::test]
async fn a_shop_elsewhere_is_known_again_and_its_room_is_left_alone() {
    let (dir, other) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let (shop, second) = (start_anywhere(dir.path()).await, start_anywhere(other.path()).await);
    let elsewhere = |url: &str, token: &str| {
        LocalShop::elsewhere(url, SecretString::from(token.to_owned()), Reach::TrustedNetwork, Arc::new(SystemClock)).expect("adapter")
    };
    let platform = elsewhere(shop.url(), shop.token());
    let by_name = elsewhere(&shop.url().replace("127.0.0.1", "localhost"), shop.token());
    let identity = platform.identity().await.expect("identity");
    assert_eq!((by_name.identity().await, adapter(&shop).identity().await), (Ok(identity.clone()), Ok(identity.clone())));
    assert_eq!(platform.products(None).await.expect("products").feed, Some(identity.clone()));
    assert_ne!(elsewhere(second.url(), second.token()).identity().await.expect("identity"), identity);
    assert_eq!(elsewhere(shop.url(), second.token()).identity().await, Err(PlatformError::Unauthenticated));

    assert_ne!(platform.capabilities().go_live, Capability::Native, "another studio shows its room");
    assert_eq!(adapter(&shop).capabilities().go_live, Capability::Native);
    // Its viewers' program is not ours: a pin holds at once, not when their picture reaches our time.
    let product = platform.products(None).await.expect("products").rows[0].product.id.clone();
    let pin = Effect::Pin { product: product.clone(), number: 1, program_ms: Some(3_600_000) };
    platform.perform(&pin, "k1").await.expect("accepted");
    assert_eq!(platform.pin().await.expect("room").expect("pinned").product, product);
    let room: serde_json::Value = reqwest::get(format!("{}/api/rooms/main", shop.url())).await.expect("ask").json().await.expect("json");
    assert!(room["pin"].is_object() && room["pin"]["programMs"].is_null(), "{room}");
    shop.stop().await;
    second.stop().await;
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
    assert_eq!(code(platform.perform(&unknown, "s/pin/9/1").await), "not_found");
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
    assert_eq!(platform.perform(&other, "s/coupon/0198-c/2").await, Err(PlatformError::refused("idempotency_mismatch")));

    let order = OrderId::new(buy(shop.url(), 0, "k").await["id"].as_str().expect("id"));
    let parcel = Waybill { carrier: "顺丰".to_owned(), tracking: "SF1".to_owned() };
    let ship = Effect::Ship { order: order.clone(), shipment: parcel.clone(), lines: Vec::new() };
    let key = format!("-/ship/{order}/1");
    platform.perform(&ship, &key).await.expect("sent");
    let once = platform.order(&order).await.expect("order").expect("there");
    assert_eq!((once.order.status(), once.order.shipments.first().map(|s| &s.waybill)), (OrderStatus::Shipped, Some(&parcel)));
    platform.perform(&ship, &key).await.expect("again");
    assert_eq!(platform.order(&order).await.expect("order"), Some(once), "the same key again changes nothing");
    let elsewhere = Effect::Ship { order, shipment: Waybill { tracking: "SF2".to_owned(), ..parcel }, lines: Vec::new() };
    assert_eq!(code(platform.perform(&elsewhere, &format!("{key}-2")).await), "wrong_state");
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
    let parcel = Waybill { carrier: "SF".to_owned(), tracking: "1".to_owned() };
    platform.perform(&Effect::Ship { order: OrderId::new(order), shipment: parcel, lines: Vec::new() }, "ship").await.expect("sent");
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

#[tokio::test]
async fn a_price_and_pieces_change_once_under_their_id_whatever_buyers_do_meanwhile() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = start_anywhere(dir.path()).await;
    let platform = adapter(&shop);
    let product = platform.products(None).await.expect("products").rows.remove(0).product;
    let (sku, stock) = (&product.skus[0], product.skus[0].stock.expect("counted"));
    let change = |id: &str, price: Option<i64>, stock_by| {
        let price = price.map(|p| NewPrice::replacing(yuan(p), sku.price, sku.old_price));
        let terms = OfferTerms { sku: sku.id.clone(), price, stock_by };
        Effect::ChangeOffer { change: ChangeId::new(id), product: product.id.clone(), terms }
    };
    assert_eq!(platform.offer_change(&product.id, &ChangeId::new("c-1")).await, Ok(None));
    let cheaper = change("c-1", Some(sku.price.amount - 100), 5);
    platform.perform(&cheaper, "s/offer/c-1/1").await.expect("changed");
    let order = buy(shop.url(), 0, "a").await;
    assert_eq!(order["lines"][0]["unitPrice"]["amount"], serde_json::json!(sku.price.amount - 100));
    for _ in 0..3 {
        platform.perform(&cheaper, "another key").await.expect("it is there already");
    }
    let read = platform.offer_change(&product.id, &ChangeId::new("c-1")).await.expect("read").expect("there");
    let Effect::ChangeOffer { terms, .. } = &cheaper else { unreachable!() };
    assert_eq!((&read.terms, read.price_before), (terms, Some(sku.price)));
    assert!(read.applied_at_ms > 0 && read.read_at_ms >= read.applied_at_ms);
    let now = &read.product.product.skus[0];
    assert_eq!((now.price.amount, now.stock), (sku.price.amount - 100, Some(stock + 5 - 1)), "five came once, one was bought");
    assert!(now.old_price.is_some_and(|old| old.amount >= sku.price.amount), "what it was is struck through");

    assert_eq!(code(platform.perform(&change("c-1", Some(1), 5), "k").await), "idempotency_mismatch");
    let refused = platform.perform(&change("c-2", None, -(stock + 5)), "k").await.expect_err("one is promised or gone");
    assert_eq!(refused.code(), "invalid", "{refused:?}");
    assert_eq!(platform.offer_change(&product.id, &ChangeId::new("c-2")).await, Ok(None), "a refused one left nothing behind");
    let nowhere = Effect::ChangeOffer { change: ChangeId::new("c-3"), product: ProductId::new("none"), terms: terms.clone() };
    assert_eq!(code(platform.perform(&nowhere, "k").await), "not_found");
    shop.stop().await;
}

#[tokio::test]
async fn pieces_that_are_promised_cannot_be_taken_away_and_it_says_how_many() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = start_anywhere(dir.path()).await;
    let platform = adapter(&shop);
    let product = platform.products(None).await.expect("products").rows.remove(0).product;
    let (sku, stock) = (&product.skus[0], product.skus[0].stock.expect("counted"));
    let form = serde_json::json!({ "lines": [{ "skuId": sku.id.as_str(), "quantity": 2 }],
        "buyer": { "name": "林小姐", "phone": "13800138000", "address": "杭州市西湖区" } });
    let order = reqwest::Client::new().post(format!("{}/api/orders", shop.url())).header("X-Viewer", "viewer-1234");
    assert!(order.header("Idempotency-Key", "unpaid").json(&form).send().await.expect("order").status().is_success());
    let terms = OfferTerms { sku: sku.id.clone(), price: None, stock_by: -(stock - 1) };
    let effect = Effect::ChangeOffer { change: ChangeId::new("c"), product: product.id.clone(), terms };
    let Err(PlatformError::Refused { code, params }) = platform.perform(&effect, "k").await else { panic!("refused") };
    assert_eq!(
        (code.as_str(), params["reserved"].as_str(), params["stock"].as_str()),
        ("stock_promised", "2", (stock - 2).to_string().as_str())
    );
    let terms = OfferTerms { sku: sku.id.clone(), price: None, stock_by: -(stock - 2) };
    let effect = Effect::ChangeOffer { change: ChangeId::new("d"), product: product.id.clone(), terms };
    platform.perform(&effect, "k").await.expect("all that is not promised");
    let read = platform.offer_change(&product.id, &ChangeId::new("d")).await.expect("read").expect("there");
    assert_eq!(read.product.product.skus[0].stock, Some(0));
    shop.stop().await;
}

#[tokio::test]
async fn a_withdrawn_coupon_is_read_as_over() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = start_anywhere(dir.path()).await;
    let platform = adapter(&shop);
    let (coupon, draft) = (CouponId::new("c-1"), CouponDraft { discount: yuan(100), threshold: yuan(0), quantity: 5, valid_s: 600 });
    platform.perform(&Effect::IssueCoupon { coupon: coupon.clone(), draft }, "s/coupon/c-1/1").await.expect("issued");
    assert!(platform.coupon(&coupon).await.expect("read").expect("there").active);
    for _ in 0..2 {
        platform.perform(&Effect::WithdrawCoupon { coupon: coupon.clone() }, "s/withdraw/c-1/1").await.expect("withdrawn");
    }
    assert!(!platform.coupon(&coupon).await.expect("read").expect("there").active);
    let unknown = Effect::WithdrawCoupon { coupon: CouponId::new("none") };
    assert_eq!(code(platform.perform(&unknown, "k").await), "not_found");
    shop.stop().await;
}
