//! Several real shops in one studio: one list, each action to the shop whose row it is.

mod support;

use serde_json::{Value, json};
use stallcast_shop::RunningShop;
use stallcast_studio::Studio;
use stallcast_studio::view::{ActionView, BagItemView, CouponForm, CouponStateView, OrderStatusView, SealView, ShopForm, ShopStateView};
use std::path::Path;
use support::{buy, open, options, order, plenty, room, shop, shop_at, until};

fn form(shop: &RunningShop) -> ShopForm {
    ShopForm { address: shop.url().to_owned(), token: shop.token().to_owned(), name: "楼下的店".to_owned(), trust_network: false }
}

async fn code(studio: &Studio, form: ShopForm) -> String {
    studio.add_shop(form).await.expect_err("refused").code
}

fn confirmed(action: Option<&ActionView>) -> bool {
    matches!(action, Some(ActionView::Confirmed { .. }))
}

fn whole(seal: &SealView) -> bool {
    matches!(seal, SealView::Complete { .. })
}

/// The first product of a shop in the bag.
fn item_of<'a>(bag: &'a [BagItemView], connection: &str) -> &'a BagItemView {
    bag.iter().find(|item| item.connection_id == connection).expect("in the bag")
}

/// Files of a folder in which a text stands as it is.
fn holding(folder: &Path, needle: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(holding(&path, needle));
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|w| w == needle.as_bytes())) {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_shops_sell_through_one_desk_and_nothing_reaches_the_wrong_one() {
    let (dir, other) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let (ours, theirs) = (shop(dir.path()).await, shop(other.path()).await);
    let (our_sku, their_sku) = (plenty(&ours).await, plenty(&theirs).await);
    let studio = open(options(dir.path(), &ours)).await;
    let far = studio.add_shop(form(&theirs)).await.expect("added");

    let (mine, far_order) = (buy(ours.url(), &our_sku, "a").await, buy(theirs.url(), &their_sku, "a").await);
    let view = until(&studio, "both orders in one whole list", |v| {
        v.orders.rows.len() == 2 && whole(&v.orders.seal) && v.bag.iter().any(|i| i.connection_id == far)
    })
    .await;
    let names: Vec<_> = view.connections.iter().map(|c| (c.id.as_str(), c.name.as_str(), c.is_own, &c.state)).collect();
    assert_eq!(names[1], (far.as_str(), "楼下的店", false, &ShopStateView::Answers));
    assert!(names[0].0 == "local" && names[0].2);
    let row = view.orders.rows.iter().find(|r| r.id == far_order).expect("their order");
    assert_eq!((row.connection_id.as_str(), row.connection.as_str()), (far.as_str(), "楼下的店"));
    let found = studio.search_orders(String::new(), None, Some(far.clone()), None).await.expect("search");
    assert_eq!(found.rows.iter().map(|r| &r.id).collect::<Vec<_>>(), [&far_order], "the list of one shop");

    // The same sample catalogue in both: the same ids, other numbers.
    let (here, there) = (item_of(&view.bag, "local"), item_of(&view.bag, &far));
    assert_ne!(here.number, there.number);
    assert_ne!(here.picture, there.picture);
    assert!(studio.product_picture(&far, &there.product_id).await.is_some());
    assert!(studio.product_picture("none", &there.product_id).await.is_none());
    let number = there.number;
    studio.pin_product(number).await.expect("pinned");
    until(&studio, "their pin is confirmed", |v| v.bag.iter().any(|i| i.number == number && confirmed(i.pin.as_ref()))).await;
    assert!(room(theirs.url()).await["pin"].is_object());
    assert!(room(ours.url()).await["pin"].is_null(), "ours explains nothing");

    let refused = studio.ship_order("local".to_owned(), far_order.clone(), "顺丰".to_owned(), "SF1".to_owned(), Vec::new()).await;
    assert_eq!(refused.expect_err("not ours").code, "not_found");
    studio.ship_order(far.clone(), far_order.clone(), "顺丰".to_owned(), "SF1".to_owned(), Vec::new()).await.expect("shipped");
    let done = |v: &stallcast_studio::view::StudioView| {
        v.orders.rows.iter().any(|r| r.id == far_order && r.status == OrderStatusView::Shipped && confirmed(r.ship.as_ref()))
    };
    until(&studio, "their parcel is confirmed", done).await;
    assert_eq!(order(&theirs, &far_order).await["shipments"][0]["tracking"], "SF1");
    assert_eq!(order(&ours, &mine).await["shipments"].as_array().map(Vec::len), Some(0));

    // A coupon is the first shop's unless another one is named.
    let coupon = |connection_id| CouponForm { discount: "5".into(), threshold: "50".into(), quantity: 3, valid_s: 600, connection_id };
    studio.issue_coupon(coupon(None)).await.expect("issued");
    studio.issue_coupon(coupon(Some(far.clone()))).await.expect("issued");
    let view = until(&studio, "both coupons", |v| v.coupons.iter().filter(|c| c.state == CouponStateView::Active).count() == 2).await;
    let at: Vec<_> = view.coupons.iter().map(|c| c.connection_id.as_str()).collect();
    assert_eq!(at, [far.as_str(), "local"]);
    for url in [ours.url(), theirs.url()] {
        assert_eq!(room(url).await["coupons"].as_array().map(Vec::len), Some(1), "{url}");
    }

    // Their price, their comment.
    let offer = stallcast_studio::view::OfferForm { number, sku_id: None, price: Some("12.34".to_owned()), stock_by: 0 };
    studio.change_offer(offer).await.expect("asked");
    until(&studio, "their price", |v| v.bag.iter().any(|i| i.number == number && i.price.amount == "1234")).await;
    let post = |url: &str| {
        let request = reqwest::Client::new().post(format!("{url}/api/comments"));
        request.header("X-Viewer", "viewer-0001").header("Idempotency-Key", "c").json(&json!({ "text": "在吗", "name": "云" })).send()
    };
    let posted: Value = post(theirs.url()).await.expect("post").json().await.expect("json");
    let id = posted["id"].as_str().expect("id").to_owned();
    until(&studio, "their comment", |v| v.comments.rows.iter().any(|r| r.id == id && r.connection_id == far)).await;
    assert_eq!(studio.hide_comment("local".to_owned(), id.clone()).await.expect_err("not ours").code, "not_found");
    studio.hide_comment(far.clone(), id.clone()).await.expect("asked");
    until(&studio, "it is hidden", |v| v.comments.rows.iter().any(|r| r.id == id && r.is_hidden)).await;

    studio.close().await;
    assert_eq!(holding(dir.path(), theirs.token()), Vec::<std::path::PathBuf>::new(), "the token lies nowhere in clear");
    ours.stop().await;
    theirs.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_shop_that_is_away_is_named_and_the_other_goes_on() {
    let (dir, other) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let (ours, theirs) = (shop(dir.path()).await, shop(other.path()).await);
    let (our_sku, their_sku) = (plenty(&ours).await, plenty(&theirs).await);
    let studio = open(options(dir.path(), &ours)).await;
    let far = studio.add_shop(form(&theirs)).await.expect("added");
    let view = until(&studio, "both are read", |v| whole(&v.orders.seal) && v.bag.iter().any(|i| i.connection_id == far)).await;
    // Explained: the shops are watched closely, so an absence is seen soon.
    let number = item_of(&view.bag, "local").number;
    studio.pin_product(number).await.expect("pinned");
    until(&studio, "the pin is confirmed", |v| v.bag.iter().any(|i| i.number == number && confirmed(i.pin.as_ref()))).await;

    let address = theirs.address();
    theirs.stop().await;
    let view = until(&studio, "one is behind", |v| matches!(&v.orders.seal, SealView::Behind { .. })).await;
    let SealView::Behind { connections, up_to_ms } = &view.orders.seal else { panic!("{:?}", view.orders.seal) };
    assert!(connections == &["楼下的店"] && up_to_ms.is_some(), "{connections:?}");
    until(&studio, "it is told of by name", |v| {
        let told = |h: &stallcast_studio::view::HealthView| h.code == "platform_unreachable" && h.params["connection"] == "楼下的店";
        v.health.iter().any(told)
            && matches!(v.connections[1].state, ShopStateView::Silent { .. })
            && v.connections[0].state == ShopStateView::Answers
    })
    .await;
    let id = buy(ours.url(), &our_sku, "meanwhile").await;
    until(&studio, "ours goes on", |v| v.orders.rows.iter().any(|r| r.id == id)).await;

    let theirs = shop_at(other.path(), address).await;
    let late = buy(theirs.url(), &their_sku, "late").await;
    until(&studio, "whole again", |v| v.orders.rows.iter().any(|r| r.id == late) && whole(&v.orders.seal)).await;

    // Removed, it is read no more; what it sold stays, and comes back once when it is added again.
    studio.remove_shop(far.clone()).await.expect("removed");
    let view = studio.snapshot().await;
    assert_eq!((view.connections.len(), view.orders.rows.len()), (1, 2));
    assert!(!view.bag.iter().any(|i| i.connection_id == far) && whole(&view.orders.seal));
    let unseen = buy(theirs.url(), &their_sku, "unseen").await;
    let ship = studio.ship_order(far.clone(), late.clone(), "顺丰".to_owned(), "SF1".to_owned(), Vec::new()).await;
    assert_eq!(ship.expect_err("nobody would tell it").code, "unsupported");
    assert_eq!(studio.remove_shop(far.clone()).await.expect_err("once").code, "not_found");
    assert_eq!(studio.remove_shop("local".to_owned()).await.expect_err("ours").code, "own_shop");
    assert_eq!(studio.add_shop(form(&theirs)).await.expect("again"), far, "the same shop has the same id");
    until(&studio, "what came meanwhile", |v| v.orders.rows.iter().filter(|r| r.id == unseen).count() == 1 && whole(&v.orders.seal)).await;
    assert_eq!(studio.snapshot().await.orders.total, 3, "nothing twice");
    studio.close().await;

    // The next start connects to both by itself.
    let studio = open(options(dir.path(), &ours)).await;
    until(&studio, "both answer", |v| v.connections.len() == 2 && v.connections.iter().all(|c| c.state == ShopStateView::Answers)).await;
    assert_eq!(studio.snapshot().await.connections[1].name, "楼下的店");
    studio.rename_shop(far.clone(), "  三楼  ".to_owned()).await.expect("renamed");
    assert!(studio.snapshot().await.orders.rows.iter().any(|r| r.connection == "三楼"));
    studio.close().await;
    ours.stop().await;
    theirs.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_cannot_be_added_is_refused_with_its_reason() {
    let (dir, other) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let (ours, theirs) = (shop(dir.path()).await, shop(other.path()).await);
    let studio = open(options(dir.path(), &ours)).await;
    let good = form(&theirs);
    let at = |address: &str| ShopForm { address: address.to_owned(), ..good.clone() };
    assert_eq!(code(&studio, at("店铺")).await, "bad_shop_address");
    assert_eq!(code(&studio, at("192.168.255.254:9")).await, "bad_shop_address", "nobody said that the network is trusted");
    assert_eq!(code(&studio, at("8.8.8.8")).await, "bad_shop_address");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address");
    assert_eq!(code(&studio, at(&nobody.to_string())).await, "shop_not_reached");
    assert_eq!(code(&studio, ShopForm { token: "wrong".to_owned(), ..good.clone() }).await, "shop_token_refused");
    assert_eq!(code(&studio, ShopForm { token: " ".to_owned(), ..good.clone() }).await, "invalid");
    assert_eq!(code(&studio, ShopForm { token: "令牌".to_owned(), ..good.clone() }).await, "shop_token_refused");
    assert_eq!(code(&studio, ShopForm { name: "n".repeat(41), ..good.clone() }).await, "invalid");
    let own = |url: &str| ShopForm { address: url.to_owned(), token: ours.token().to_owned(), ..good.clone() };
    assert_eq!(code(&studio, own(ours.url())).await, "shop_known");
    assert_eq!(code(&studio, own(&ours.url().replace("127.0.0.1", "localhost"))).await, "shop_known", "by another name");
    studio.add_shop(good.clone()).await.expect("added");
    assert_eq!(code(&studio, at(&theirs.url().replace("127.0.0.1", "localhost"))).await, "shop_known");
    assert_eq!(studio.snapshot().await.connections.len(), 2);

    let id = studio.snapshot().await.connections[1].id.clone();
    until(&studio, "its products", |v| v.bag.iter().any(|i| i.connection_id == id)).await;
    let number = item_of(&studio.snapshot().await.bag, &id).number;
    studio.pin_product(number).await.expect("pinned");
    assert_eq!(studio.remove_shop(id.clone()).await.expect_err("explained").code, "shop_explaining");
    assert_eq!(studio.snapshot().await.connections.len(), 2, "and it goes on");
    studio.unpin_product().await.expect("unpinned");
    studio.remove_shop(id).await.expect("removed");
    studio.close().await;
    ours.stop().await;
    theirs.stop().await;
}
