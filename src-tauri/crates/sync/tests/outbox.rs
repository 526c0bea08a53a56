//! An effect happens once, however the platform and this process fail.

mod support;

use stallcast_model::{
    AfterSaleAnswer, AfterSaleId, AfterSaleState, CouponState, Effect, LinePieces, OrderId, OrderStatus, ProductId, Shipment, Waybill,
};
use stallcast_store::{IntentState, OfferWish, Store};
use stallcast_sync::SyncEvent;
use std::collections::BTreeMap;
use std::sync::Arc;
use support::fake::{Call, Fake, Fault, draft};
use support::{local, open, quick, start, until};
use tokio::sync::broadcast::Receiver;

fn now_ms() -> i64 {
    stallcast_clock::Clock::utc_ms(&stallcast_clock::SystemClock)
}

fn parcel(n: usize) -> Waybill {
    Waybill { carrier: "SF".to_owned(), tracking: format!("T{n}") }
}

/// A parcel with the one piece of the one line that an order of the fake has.
fn sent(id: &str, waybill: Waybill) -> Shipment {
    let lines = vec![LinePieces { line: 0, quantity: 1 }];
    Shipment { id: id.to_owned(), waybill, lines, shipped_at_ms: None, delivered_at_ms: None }
}

/// A store with products in the bag and orders to ship, read from the fake.
async fn filled(dir: &tempfile::TempDir, fake: &Fake, orders: usize) -> Store {
    let store = open(dir.path()).await;
    for n in 0..orders {
        fake.world().change(&format!("o-{n}"));
    }
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    sync.first_read().await;
    until(&mut events, "orders are there", || async { store.order_counts().await.expect("counts").total as usize == orders }).await;
    sync.stop().await;
    store
}

async fn all_settled(events: &mut Receiver<SyncEvent>, store: &Store) {
    until(events, "nothing is under way any more", || async { store.next_due_ms(&local()).await.expect("due").is_none() }).await;
}

async fn wished_through(seed: u64, faults: &[(Call, Fault)], keys: bool) {
    const ORDERS: usize = 4;
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    if keys {
        fake.knows_keys();
    }
    let store = filled(&dir, &fake, ORDERS).await;
    fake.random(seed, faults);
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    let mut wished = Vec::new();
    for n in 0..ORDERS {
        let order = OrderId::new(format!("o-{n}"));
        wished.push(store.request_ship(&local(), &order, &parcel(n), &[], now_ms()).await.expect("ship").expect("there"));
        let coupon = store.issue_coupon(&local(), &draft(n as u32 + 1), now_ms()).await.expect("coupon");
        let row = store.coupons().await.expect("coupons").into_iter().find(|c| c.coupon.id == coupon).expect("row");
        wished.push(row.intent.expect("intent").id);
        store.pin(n as u32 % 3 + 1, now_ms(), None).await.expect("pin").expect("there");
        wished.push(changed(&store, n as u32 % 2 + 1, 200 + n as i64).await);
        sync.wake_outbox();
        // Let some of it happen in between.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(5 * seed), events.recv()).await;
    }
    all_settled(&mut events, &store).await;
    // Those that can be claimed end early.
    for row in store.coupons().await.expect("coupons").into_iter().filter(|row| row.coupon.state == CouponState::Active) {
        assert!(store.withdraw_coupon(&row.coupon.id, now_ms()).await.expect("withdraw"));
    }
    for row in store.coupons().await.expect("coupons") {
        wished.extend(row.withdraw.map(|w| w.id));
    }
    sync.wake_outbox();
    all_settled(&mut events, &store).await;
    sync.stop().await;
    fake.behave();
    let mut pieces = 0;
    for id in wished {
        let intent = store.intent(&id).await.expect("read").expect("there");
        let times = fake.applied(&intent.key);
        match &intent.state {
            IntentState::Confirmed { .. } => {
                assert_eq!(times, 1, "seed {seed}: {} happened {times} times", intent.key);
                pieces += i64::from(matches!(intent.effect, Effect::ChangeOffer { .. }));
            }
            // Given up after many tries: it says so, and it did not happen twice.
            IntentState::Failed { .. } => {
                assert!(times <= 1, "seed {seed}: {} happened {times} times", intent.key);
                pieces += if matches!(intent.effect, Effect::ChangeOffer { .. }) { times as i64 } else { 0 };
            }
            other => panic!("seed {seed}: {} is {other:?}", intent.key),
        }
    }
    let there: i64 = fake.world().products.iter().filter_map(|p| p.product.stock()).sum();
    assert_eq!(there, 5 * 9 + pieces, "seed {seed}: every piece came once");
    for row in store.bag().await.expect("bag") {
        let Some(change) = row.change.filter(|c| matches!(c.intent.state, IntentState::Confirmed { .. })) else { continue };
        let there = fake.world().products.iter().find(|p| p.product.id == row.product.id).map(|p| p.product.skus[0].price);
        assert_eq!((change.price, Some(row.product.skus[0].price)), (there, there), "seed {seed}: what is shown is what holds");
    }
    for coupon in store.coupons().await.expect("coupons") {
        let there = fake.world().coupons.contains_key(coupon.coupon.id.as_str());
        assert!(coupon.coupon.state != CouponState::Active || there, "seed {seed}: shown as active, and not there");
    }
    let last = store.bag().await.expect("bag").into_iter().find(|b| b.item.explaining_since_ms.is_some()).expect("pinned");
    if matches!(last.pin.as_ref().map(|p| &p.state), Some(IntentState::Confirmed { .. })) {
        assert_eq!(fake.world().pin, Some(last.product.id), "seed {seed}: the platform shows something else than it confirmed");
    }
    store.close().await;
}

/// A new price and one more piece; its intent.
async fn changed(store: &Store, number: u32, price: i64) -> stallcast_model::IntentId {
    let price = Some(stallcast_model::Money::new(price, stallcast_model::Currency::Cny));
    let wish = OfferWish { number, sku: None, price, stock_by: 1 };
    store.change_offer(&wish, 0, now_ms()).await.expect("change").expect("in the bag");
    let row = store.bag().await.expect("bag").into_iter().find(|row| row.item.number == number).expect("row");
    row.change.expect("change").intent.id
}

/// Ways in which an answer gets lost. Nothing here knows keys: only looking before sending keeps it at one.
const LOSSES: &[(Call, Fault)] = &[
    (Call::Perform, Fault::NotSent),
    (Call::Perform, Fault::Lost),
    (Call::Perform, Fault::DoneThenLost),
    (Call::Perform, Fault::Busy),
    (Call::Look, Fault::NotSent),
    (Call::Look, Fault::Lost),
    (Call::Look, Fault::Busy),
    (Call::Look, Fault::Nonsense),
];

#[tokio::test]
async fn without_keys_an_effect_is_looked_up_and_happens_once() {
    for seed in 1..=4 {
        wished_through(seed, LOSSES, false).await;
    }
}

#[tokio::test]
async fn with_keys_even_a_late_effect_happens_once() {
    let late: Vec<_> = LOSSES.iter().copied().chain([(Call::Perform, Fault::DoneLate)]).collect();
    for seed in 1..=3 {
        wished_through(seed, &late, true).await;
    }
}

/// A coupon that can be claimed, and the intent that ends it.
async fn withdrawing(store: &Store, fake: &Fake) -> stallcast_model::IntentId {
    store.issue_coupon(&local(), &draft(5), now_ms()).await.expect("coupon");
    let (sync, mut events) = start(store, Arc::new(fake.clone()), quick());
    all_settled(&mut events, store).await;
    sync.stop().await;
    let id = store.coupons().await.expect("coupons").remove(0).coupon.id;
    assert!(store.withdraw_coupon(&id, now_ms()).await.expect("withdraw"));
    store.coupons().await.expect("coupons").remove(0).withdraw.expect("asked").id
}

#[tokio::test]
async fn a_process_that_dies_at_any_step_does_it_once() {
    let steps: &[&[(Call, Fault)]] = &[
        &[(Call::Perform, Fault::HangsBefore)],
        &[(Call::Perform, Fault::HangsAfter)],
        &[(Call::Look, Fault::HangsBefore)],
        &[(Call::Look, Fault::HangsAfter)],
        // And again while it is looking up what the first life left.
        &[(Call::Perform, Fault::HangsAfter), (Call::Look, Fault::HangsBefore)],
        &[(Call::Perform, Fault::HangsBefore), (Call::Look, Fault::HangsAfter)],
        &[(Call::Perform, Fault::DoneThenLost), (Call::Look, Fault::HangsAfter)],
        &[(Call::Perform, Fault::HangsBefore), (Call::Perform, Fault::HangsAfter)],
    ];
    for what in ["ship", "coupon", "pin", "offer", "withdraw"] {
        for step in steps {
            let dir = tempfile::tempdir().expect("dir");
            let fake = Fake::new();
            let mut store = filled(&dir, &fake, 1).await;
            let id = match what {
                "ship" => {
                    store.request_ship(&local(), &OrderId::new("o-0"), &parcel(0), &[], now_ms()).await.expect("ship").expect("there")
                }
                "offer" => changed(&store, 1, 250).await,
                "withdraw" => withdrawing(&store, &fake).await,
                "pin" => store.pin(2, now_ms(), None).await.expect("pin").expect("there").intent.expect("intent"),
                _ => {
                    store.issue_coupon(&local(), &draft(5), now_ms()).await.expect("coupon");
                    store.coupons().await.expect("coupons").remove(0).intent.expect("intent").id
                }
            };
            fake.script(step);
            for life in 0..=step.len() {
                let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
                let mut hung = fake.hung();
                let confirmed = tokio::select! {
                    // Both at once: what was confirmed needs no further life.
                    biased;
                    () = until(&mut events, "confirmed or hanging", || async {
                        matches!(store.intent(&id).await.expect("read").expect("there").state, IntentState::Confirmed { .. })
                    }) => true,
                    hangs = hung.changed() => hangs.is_err(),
                };
                // No goodbye: dropped as it is, the database closed and opened like after a crash.
                drop(sync);
                store.close().await;
                store = open(dir.path()).await;
                if confirmed {
                    break;
                }
                assert!(life < step.len(), "{what} {step:?}: still not confirmed in the last life");
            }
            let intent = store.intent(&id).await.expect("read").expect("there");
            assert!(matches!(intent.state, IntentState::Confirmed { .. }), "{what} {step:?}: {:?}", intent.state);
            assert_eq!(fake.applied(&intent.key), 1, "{what} {step:?}");
            store.close().await;
        }
    }
}

#[tokio::test]
async fn what_is_refused_waits_for_a_person_and_goes_out_again_under_its_key() {
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    let store = filled(&dir, &fake, 0).await;
    fake.world().refuse = Some("not_found");
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    let id = store.pin(1, now_ms(), None).await.expect("pin").expect("there").intent.expect("intent");
    sync.wake_outbox();
    let failed = || async { matches!(store.intent(&id).await.expect("read").expect("there").state, IntentState::Failed { .. }) };
    until(&mut events, "it failed", failed).await;
    let first = store.intent(&id).await.expect("read").expect("there");
    assert_eq!(
        (first.state, first.attempts),
        (IntentState::Failed { code: "not_found".to_owned(), params: BTreeMap::new() }, 1),
        "not tried again by itself"
    );
    fake.world().refuse = None;
    assert!(store.retry_intent(&id, now_ms()).await.expect("retry"));
    sync.wake_outbox();
    all_settled(&mut events, &store).await;
    assert_eq!(fake.world().applied.iter().map(|(k, _)| k.clone()).collect::<Vec<_>>(), [first.key]);
    assert_eq!(fake.world().pin, Some(ProductId::new("p-1")));
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn a_platform_that_says_yes_and_does_nothing_is_not_believed() {
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    let store = filled(&dir, &fake, 0).await;
    fake.script(&[(Call::Perform, Fault::Pretends); 8]);
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    store.issue_coupon(&local(), &draft(3), now_ms()).await.expect("coupon");
    sync.wake_outbox();
    let coupon = || async { store.coupons().await.expect("coupons").remove(0) };
    until(&mut events, "a person is asked", || async {
        let coupon = coupon().await.coupon;
        assert_ne!(coupon.state, CouponState::Active, "it was never there");
        coupon.state == CouponState::Failed
    })
    .await;
    assert_eq!(coupon().await.coupon.failure.as_deref(), Some("not_confirmed"));
    let intent = coupon().await.intent.expect("intent");
    assert!(store.retry_intent(&intent.id, now_ms()).await.expect("retry"));
    sync.wake_outbox();
    until(&mut events, "now it is there", || async { coupon().await.coupon.state == CouponState::Active }).await;
    assert_eq!(fake.applied(&intent.key), 1);
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn a_platform_that_asks_for_a_pause_gets_it_in_every_lane() {
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    let store = filled(&dir, &fake, 0).await;
    fake.world().busy_for = std::time::Duration::from_millis(300);
    fake.script(&[(Call::Perform, Fault::Busy)]);
    store.pin(1, now_ms(), None).await.expect("pin").expect("there");
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    until(&mut events, "it was asked", || async {
        fake.calls(Call::Perform) == 1 && store.next_due_ms(&local()).await.expect("due").is_some()
    })
    .await;
    for n in 1..4 {
        store.issue_coupon(&local(), &draft(n), now_ms()).await.expect("coupon");
        sync.wake_outbox();
    }
    all_settled(&mut events, &store).await;
    let asked = fake.world().performed_at.clone();
    assert_eq!(asked.len(), 5);
    assert!(asked[1] - asked[0] >= std::time::Duration::from_millis(295), "{:?}", asked[1] - asked[0]);
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn somebody_else_did_it_already_counts_as_done() {
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    let store = filled(&dir, &fake, 1).await;
    let order = OrderId::new("o-0");
    let id = store.request_ship(&local(), &order, &parcel(0), &[], now_ms()).await.expect("ship").expect("there");
    {
        // From the seller's phone, with the same parcel; the platform then refuses to do it again.
        let mut world = fake.world();
        world.refuse = Some("wrong_state");
        let there = world.orders.get_mut("o-0").expect("order");
        there.order.shipments = vec![sent("1", parcel(0))];
        there.order.fulfilment = stallcast_model::Fulfilment::Shipped;
    }
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    all_settled(&mut events, &store).await;
    assert!(matches!(store.intent(&id).await.expect("read").expect("there").state, IntentState::Confirmed { .. }));
    sync.stop().await;
    store.close().await;
}

/// Lets the buyer of `o-0` ask, and reads it.
async fn asked(dir: &tempfile::TempDir, fake: &Fake) -> (Store, OrderId, AfterSaleId) {
    let store = filled(dir, fake, 1).await;
    assert!(fake.world().ask("o-0"));
    let order = OrderId::new("o-0");
    let received = fake.world().orders["o-0"].clone();
    let id = received.order.after_sales[0].id.clone();
    store.apply_read_order(&local(), received, now_ms()).await.expect("read").expect("news");
    (store, order, id)
}

#[tokio::test]
async fn an_answer_whose_outcome_is_unknown_is_looked_up_and_given_once() {
    for fault in [Fault::DoneThenLost, Fault::DoneThenNonsense, Fault::Lost, Fault::Pretends] {
        for answer in [AfterSaleAnswer::Agree, AfterSaleAnswer::Refuse { reason: "已经签收".to_owned() }] {
            let dir = tempfile::tempdir().expect("dir");
            let fake = Fake::new();
            let (store, order, asked) = asked(&dir, &fake).await;
            fake.script(&[(Call::Perform, fault), (Call::Look, Fault::Lost)]);
            let id = store.answer_after_sale(&local(), &order, &asked, &answer, now_ms()).await.expect("asked").expect("there");
            let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
            all_settled(&mut events, &store).await;
            let intent = store.intent(&id).await.expect("read").expect("there");
            assert!(matches!(intent.state, IntentState::Confirmed { .. }), "{fault:?}: {intent:?}");
            assert_eq!(fake.applied(&intent.key), 1, "{fault:?}");
            let row = store.order(&local(), &order).await.expect("read").expect("there");
            let over = if answer == AfterSaleAnswer::Agree { AfterSaleState::Refunded } else { AfterSaleState::Rejected };
            assert_eq!(row.order.after_sales[0].state, over);
            sync.stop().await;
            store.close().await;
        }
    }
}

#[tokio::test]
async fn an_answer_to_what_was_answered_otherwise_is_told_as_such() {
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    let (store, order, asked) = asked(&dir, &fake).await;
    let id = store.answer_after_sale(&local(), &order, &asked, &AfterSaleAnswer::Agree, now_ms()).await.expect("asked").expect("there");
    {
        // From the seller's phone; the platform then takes no other word.
        let mut world = fake.world();
        world.refuse = Some("wrong_state");
        let there = world.orders.get_mut("o-0").expect("order");
        there.order.after_sales[0].state = AfterSaleState::Rejected;
    }
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    all_settled(&mut events, &store).await;
    let state = store.intent(&id).await.expect("read").expect("there").state;
    assert!(matches!(&state, IntentState::Failed { code, .. } if code == "wrong_state"), "{state:?}");
    assert!(fake.world().applied.is_empty());
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn a_second_parcel_is_sent_and_the_first_is_no_excuse() {
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    let store = filled(&dir, &fake, 1).await;
    fake.world().orders.get_mut("o-0").expect("order").order.lines[0].quantity = 3;
    let order = OrderId::new("o-0");
    let two = [LinePieces { line: 0, quantity: 2 }];
    store.request_ship(&local(), &order, &parcel(1), &two, now_ms()).await.expect("ship").expect("there");
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    all_settled(&mut events, &store).await;
    let row = store.order(&local(), &order).await.expect("read").expect("there");
    assert_eq!((row.order.status(), row.order.left_to_ship()), (OrderStatus::PartlyShipped, Some(vec![1])));
    // The answer to the second is lost: looked up, the first parcel does not count for it.
    fake.script(&[(Call::Perform, Fault::Lost)]);
    let second = store.request_ship(&local(), &order, &parcel(2), &[], now_ms()).await.expect("ship").expect("there");
    sync.wake_outbox();
    all_settled(&mut events, &store).await;
    assert!(matches!(store.intent(&second).await.expect("read").expect("there").state, IntentState::Confirmed { .. }));
    let row = store.order(&local(), &order).await.expect("read").expect("there");
    assert_eq!((row.order.status(), row.order.shipments.len()), (OrderStatus::Shipped, 2));
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn a_host_in_a_hurry_ends_where_she_pressed_last() {
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    let store = filled(&dir, &fake, 0).await;
    fake.random(3, LOSSES);
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    for n in 0..30 {
        store.pin(n % 5 + 1, now_ms(), None).await.expect("pin").expect("there");
        sync.wake_outbox();
    }
    let last = store.pin(4, now_ms(), None).await.expect("pin").expect("there").intent.expect("intent");
    sync.wake_outbox();
    fake.behave();
    all_settled(&mut events, &store).await;
    assert!(matches!(store.intent(&last).await.expect("read").expect("there").state, IntentState::Confirmed { .. }));
    {
        let world = fake.world();
        assert_eq!(world.pin, Some(ProductId::new("p-4")));
        assert!(world.applied.len() < 31, "those in between need not all be sent");
        assert!(matches!(world.applied.last(), Some((_, Effect::Pin { number: 4, .. }))));
    }
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn a_platform_that_is_away_keeps_wishes_waiting_but_no_old_coupon() {
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    let store = filled(&dir, &fake, 0).await;
    fake.set_away(true);
    // Pressed five minutes ago, the platform was away ever since.
    let old = store.issue_coupon(&local(), &draft(1), now_ms() - 300_000).await.expect("coupon");
    let fresh = store.issue_coupon(&local(), &draft(2), now_ms()).await.expect("coupon");
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    let state = |id: stallcast_model::CouponId| {
        let store = store.clone();
        async move { store.coupons().await.expect("coupons").into_iter().find(|c| c.coupon.id == id).expect("row").coupon }
    };
    until(&mut events, "the old one is given up", || async { state(old.clone()).await.state == CouponState::Failed }).await;
    assert_eq!(state(old.clone()).await.failure.as_deref(), Some("unreachable"));
    until(&mut events, "the new one was tried", || async { fake.calls(Call::Perform) >= 2 }).await;
    assert_eq!(state(fresh.clone()).await.state, CouponState::Sending);
    fake.set_away(false);
    sync.wake_outbox();
    until(&mut events, "the new one is there", || async { state(fresh.clone()).await.state == CouponState::Active }).await;
    assert_eq!(fake.world().coupons.len(), 1, "nobody is surprised by a coupon of five minutes ago");
    // A person who wants it still gets it.
    let intent = store.coupons().await.expect("coupons").into_iter().find(|c| c.coupon.id == old).expect("row").intent.expect("intent");
    assert!(store.retry_intent(&intent.id, now_ms()).await.expect("retry"));
    sync.wake_outbox();
    until(&mut events, "the old one is there", || async { state(old.clone()).await.state == CouponState::Active }).await;
    // And its claims are read.
    fake.world().coupons.get_mut(fresh.as_str()).expect("there").claimed = 1;
    until(&mut events, "a claim is seen", || async { state(fresh.clone()).await.claimed == 1 }).await;
    fake.world().coupons.get_mut(fresh.as_str()).expect("there").active = false;
    until(&mut events, "its end is seen", || async { state(fresh.clone()).await.state == CouponState::Ended }).await;
    sync.stop().await;
    store.close().await;
}

#[tokio::test]
async fn what_the_host_must_press_elsewhere_or_cannot_have_is_never_sent() {
    use stallcast_model::{Capabilities, Capability};
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    let store = filled(&dir, &fake, 0).await;
    let mut can = Capabilities::native();
    can.pin = Capability::OverlayOnly { press: "explain".to_owned() };
    can.issue_coupon = Capability::Unavailable { reason: "no_call".to_owned() };
    can.change_offer = Capability::Unavailable { reason: "no_call".to_owned() };
    let kept = store.connections().await.expect("list").remove(0);
    store.put_connection(&stallcast_store::Connection { capabilities: can, ..kept }).await.expect("put");
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    let pinned = store.pin(1, now_ms(), None).await.expect("pin").expect("there");
    assert!(pinned.changed && pinned.intent.is_none(), "our picture shows it; nothing goes out");
    assert_eq!(store.issue_coupon(&local(), &draft(1), now_ms()).await.expect_err("no coupons").state(), Some("unavailable"));
    let wish = OfferWish { number: 1, sku: None, price: None, stock_by: 1 };
    assert_eq!(store.change_offer(&wish, 0, now_ms()).await.expect_err("no changes").state(), Some("unavailable"));
    sync.wake_outbox();
    all_settled(&mut events, &store).await;
    sync.stop().await;
    assert_eq!((fake.calls(Call::Perform), store.failed_intents().await.expect("list").len()), (0, 0));
    store.close().await;
}

#[tokio::test]
async fn a_price_pressed_while_the_platform_was_away_does_not_come_behind_the_hosts_back() {
    let dir = tempfile::tempdir().expect("dir");
    let fake = Fake::new();
    let store = filled(&dir, &fake, 0).await;
    let price = Some(stallcast_model::Money::new(250, stallcast_model::Currency::Cny));
    let wish = OfferWish { number: 1, sku: None, price, stock_by: 0 };
    store.change_offer(&wish, 0, now_ms() - 300_000).await.expect("change").expect("there");
    let (sync, mut events) = start(&store, Arc::new(fake.clone()), quick());
    all_settled(&mut events, &store).await;
    let change = || async { store.bag().await.expect("bag").remove(0).change.expect("change").intent };
    let given_up = change().await;
    assert!(matches!(&given_up.state, IntentState::Failed { code, .. } if code == "unreachable"), "{:?}", given_up.state);
    assert_eq!(fake.calls(Call::Perform), 0);
    // A person who still wants it gets it, once, under the old key.
    assert!(store.retry_intent(&given_up.id, now_ms()).await.expect("retry"));
    sync.wake_outbox();
    all_settled(&mut events, &store).await;
    assert!(matches!(change().await.state, IntentState::Confirmed { .. }));
    assert_eq!(fake.applied(&given_up.key), 1);
    assert_eq!(store.bag().await.expect("bag")[0].product.skus[0].price.amount, 250);
    sync.stop().await;
    store.close().await;
}
