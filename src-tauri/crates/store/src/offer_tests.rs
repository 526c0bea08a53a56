use crate::test_store::{local, native, open_with_bag, order, page, product};
use crate::{Connection, IntentState, Leased, OfferWish, ReadBack, Store};
use stallcast_model::{Capability, ChangeId, CouponDraft, CouponState, Currency, Effect, Money, ReadCoupon, ReadOffer, ReceivedOrder};
use std::collections::BTreeMap;
use std::time::Duration;

/// The platform's clock minus ours.
const AHEAD: i64 = 60_000;

fn yuan(n: i64) -> Money {
    Money::new(n, Currency::Cny)
}

fn wish(number: u32, price: Option<i64>, stock_by: i64) -> OfferWish {
    OfferWish { number, sku: None, price: price.map(yuan), stock_by }
}

async fn lease(store: &Store) -> Leased {
    store.lease_intent(&local(), Duration::from_secs(9)).await.expect("lease").expect("due")
}

/// As the platform shows it after the change took effect at `applied_at_ms` and was read at `read_at_ms`.
fn read(effect: &Effect, version: i64, applied_at_ms: i64, read_at_ms: i64) -> ReadBack {
    let Effect::ChangeOffer { change, terms, .. } = effect else { panic!("{effect:?}") };
    let mut now = product(1, version, 5 + terms.stock_by);
    if let Some(new) = &terms.price {
        (now.product.skus[0].price, now.product.skus[0].old_price) = (new.price, new.old_price);
    }
    let price_before = Some(yuan(26_800));
    let read = ReadOffer { id: change.clone(), terms: terms.clone(), price_before, applied_at_ms, read_at_ms, product: now };
    ReadBack::Offer(Box::new(read))
}

/// One piece of the first product at a price, placed by the platform's clock.
fn bought(id: &str, version: i64, placed_at_ms: i64, unit_price: i64) -> ReceivedOrder {
    let mut order = order(id, version);
    (order.order.placed_at_ms, order.order.lines[0].unit_price) = (placed_at_ms, yuan(unit_price));
    order
}

async fn told(store: &Store, from: Option<&str>, next: &str, rows: Vec<ReceivedOrder>) {
    store.apply_orders(&local(), from, page(rows, next, false, 1), 9_000).await.expect("page");
}

async fn affected(store: &Store, change: &ChangeId) -> Vec<(String, i64)> {
    store.affected_orders(change).await.expect("list").into_iter().map(|(id, price)| (id.as_str().to_owned(), price)).collect()
}

#[tokio::test]
async fn a_new_price_holds_once_it_was_read_back_and_names_the_orders_in_between() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let show = store.begin_show(2_000).await.expect("begin");
    let change = store.change_offer(&wish(1, Some(23_800), 2), AHEAD, 10_000).await.expect("wish").expect("in the bag");
    // Asked at 70 000 by the platform's clock, took effect at 71 000, read at 72 000.
    let before = store.bag().await.expect("bag").remove(0);
    assert_eq!(before.product.skus[0].price, yuan(26_800), "nothing is shown before it was read back");
    let pending = before.change.expect("change");
    assert_eq!((pending.price, pending.price_before, pending.stock_by), (Some(yuan(23_800)), yuan(26_800), 2));
    assert_eq!(pending.intent.state, IntentState::Sending);
    told(&store, None, "1", vec![bought("before", 1, 69_999, 26_800), bought("meanwhile", 2, 70_500, 26_800)]).await;
    assert!(affected(&store, &change).await.is_empty(), "nobody knows yet");

    let leased = lease(&store).await;
    store.intent_confirmed(&leased.intent.id, read(&leased.intent.effect, 10, 71_000, 72_000)).await.expect("confirm").expect("mine");
    let now = store.bag().await.expect("bag").remove(0);
    let sku = &now.product.skus[0];
    assert_eq!((sku.price, sku.old_price, sku.stock), (yuan(23_800), Some(yuan(32_800)), Some(7)));
    assert_eq!(affected(&store, &change).await, [("meanwhile".to_owned(), 26_800)]);

    // Told later, and again; another product; long after.
    let mut other = bought("other", 5, 71_500, 26_800);
    other.order.lines[0].sku = stallcast_model::SkuId::new("sku-2");
    let late = vec![bought("late", 3, 70_900, 26_800), bought("new price", 4, 71_800, 23_800), other, bought("after", 6, 99_000, 23_800)];
    told(&store, Some("1"), "2", late.clone()).await;
    told(&store, Some("2"), "3", late).await;
    let mut odd = bought("odd", 7, 99_500, 11_100);
    odd.order.version = 7;
    store.apply_read_order(&local(), odd, 9_100).await.expect("read");
    let list = affected(&store, &change).await;
    let expected = [("late", 26_800), ("meanwhile", 26_800), ("new price", 23_800), ("odd", 11_100)];
    assert_eq!(list.iter().map(|(id, price)| (id.as_str(), *price)).collect::<Vec<_>>(), expected);
    let row = store.bag().await.expect("bag").remove(0).change.expect("change");
    assert_eq!((row.at_other_price, row.at_new_price), (3, 1));
    let timeline = store.timeline(&show).await.expect("timeline");
    let kinds: Vec<_> = timeline.iter().filter(|t| t.kind.starts_with("offer")).map(|t| t.kind.as_str()).collect();
    assert_eq!(kinds, ["offer", "offer_active", "offer_order", "offer_order", "offer_order", "offer_order"]);
    assert_eq!(timeline.iter().find(|t| t.kind == "offer").expect("row").detail["before"], 26_800);
}

#[tokio::test]
async fn a_refused_change_leaves_everything_as_it_was_and_says_why() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    store.change_offer(&wish(1, None, -4), 0, 10_000).await.expect("wish").expect("there");
    let leased = lease(&store).await;
    let params = BTreeMap::from([("reserved".to_owned(), "3".to_owned())]);
    store.intent_refused(&leased.intent.id, "stock_promised", params.clone()).await.expect("refused").expect("mine");
    let row = store.bag().await.expect("bag").remove(0);
    assert_eq!(row.product.skus[0].stock, Some(5));
    let failed = IntentState::Failed { code: "stock_promised".to_owned(), params };
    assert_eq!(row.change.map(|c| c.intent.state), Some(failed.clone()));
    assert_eq!(store.failed_intents().await.expect("list")[0].state, failed);
    // A newer wish for the same variant takes its place; the first can no longer come back behind the host's back.
    store.change_offer(&wish(1, Some(20_000), 0), 0, 11_000).await.expect("wish").expect("there");
    assert!(store.retry_intent(&leased.intent.id, 12_000).await.is_err());
    assert!(store.failed_intents().await.expect("list").is_empty());

    for (bad, field) in [(wish(1, Some(26_800), 0), "price"), (wish(1, Some(0), 0), "price"), (wish(1, None, i64::MAX), "stock")] {
        let refused = store.change_offer(&bad, 0, 13_000).await.expect_err("refused");
        assert!(matches!(&refused, crate::StoreError::Invalid(invalid) if invalid.field == field), "{refused:?}");
    }
    assert_eq!(store.change_offer(&wish(99, Some(1), 0), 0, 13_000).await.expect("no such number"), None);
    let mut capabilities = native();
    capabilities.change_offer = Capability::Unavailable { reason: "no_call".to_owned() };
    let connection = Connection { id: local(), kind: "local".to_owned(), name: "n".to_owned(), capabilities, currency: None };
    store.put_connection(&connection).await.expect("put");
    assert_eq!(store.change_offer(&wish(1, Some(1), 0), 0, 14_000).await.expect_err("no call").state(), Some("unavailable"));
}

#[tokio::test]
async fn a_coupon_ends_early_once_it_was_read_back() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let draft = CouponDraft { discount: yuan(100), threshold: yuan(0), quantity: 5, valid_s: 600 };
    let id = store.issue_coupon(&local(), &draft, 1_000_000).await.expect("issued");
    assert_eq!(store.withdraw_coupon(&id, 1_000_000).await.expect_err("not there yet").state(), Some("sending"));
    let answer =
        |active| ReadBack::Coupon(ReadCoupon { id: id.clone(), draft: draft.clone(), claimed: 2, active, ends_at_ms: Some(9_000_000) });
    let issue = lease(&store).await;
    store.intent_confirmed(&issue.intent.id, answer(true)).await.expect("confirm");
    let coupon = || async { store.coupons().await.expect("list").remove(0) };
    assert_eq!((coupon().await.coupon.state, coupon().await.withdraw), (CouponState::Active, None));

    assert!(
        store.withdraw_coupon(&id, 1_000_000).await.expect("wish") && store.withdraw_coupon(&id, 1_000_000).await.expect("pressed twice")
    );
    let asked = coupon().await;
    assert_eq!((asked.coupon.state, asked.withdraw.map(|w| w.state)), (CouponState::Active, Some(IntentState::Sending)));
    let end = lease(&store).await;
    assert_eq!(end.intent.effect, Effect::WithdrawCoupon { coupon: id.clone() });
    store.intent_failed(&end.intent.id, "unauthorized").await.expect("failed");
    assert_eq!(coupon().await.coupon.state, CouponState::Active, "it goes on until it is proven not to");
    assert!(store.discard_intent(&end.intent.id, 1_000_000).await.expect("given up"));
    assert_eq!(coupon().await.withdraw, None);

    assert!(store.withdraw_coupon(&id, 1_000_000).await.expect("asked anew"));
    let end = lease(&store).await;
    assert!(end.look_up, "an earlier try may have arrived");
    store.intent_confirmed(&end.intent.id, answer(false)).await.expect("confirm");
    let over = coupon().await;
    assert_eq!((over.coupon.state, over.coupon.claimed), (CouponState::Ended, 2));
    assert!(matches!(over.withdraw.map(|w| w.state), Some(IntentState::Confirmed { .. })));
    assert!(!store.withdraw_coupon(&stallcast_model::CouponId::new("none"), 1).await.expect("no such"));
    let show = store.current_show().await.expect("show").id;
    let kinds: Vec<_> = store.timeline(&show).await.expect("timeline").into_iter().map(|t| t.kind).collect();
    assert_eq!(kinds, ["coupon", "coupon_active", "coupon_withdraw", "failed", "coupon_withdraw", "coupon_withdrawn"]);
}
