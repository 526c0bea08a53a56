use crate::test_store::{local, open_with_bag, options, order, page, waybill};
use crate::{IntentState, Leased, ReadBack, Store};
use proptest::prelude::*;
use stallcast_model::{
    CouponDraft, CouponId, CouponState, Currency, Effect, Fulfilment, IntentId, Money, OrderId, OrderStatus, ReadCoupon,
};
use std::collections::BTreeMap;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);
const NOW: i64 = 1_000_000;

fn draft() -> CouponDraft {
    let yuan = |n| Money::new(n, Currency::Cny);
    CouponDraft { discount: yuan(3_000), threshold: yuan(19_900), quantity: 50, valid_s: 180 }
}

fn read(coupon: &CouponId) -> ReadBack {
    ReadBack::Coupon(ReadCoupon { id: coupon.clone(), draft: draft(), claimed: 0, active: true, ends_at_ms: Some(NOW + 180_000) })
}

async fn lease(store: &Store) -> Option<Leased> {
    store.lease_intent(&local(), LEASE).await.expect("lease")
}

async fn state(store: &Store, id: &IntentId) -> IntentState {
    store.intent(id).await.expect("read").expect("row").state
}

/// The process died: nothing was closed or released.
async fn killed_and_opened_again(store: Store, dir: &tempfile::TempDir) -> Store {
    std::mem::forget(store);
    Store::open(options(dir)).await.expect("open again")
}

#[tokio::test]
async fn a_coupon_goes_from_draft_to_active_and_is_never_announced_before() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let coupon = store.issue_coupon(&local(), &draft(), NOW).await.expect("issue");
    let stands = |store: &Store| {
        let store = store.clone();
        async move { store.coupons().await.expect("list").remove(0).coupon.state }
    };
    assert_eq!(stands(&store).await, CouponState::Sending);
    let leased = lease(&store).await.expect("due");
    assert!(!leased.look_up, "a first send needs no look");
    assert!(lease(&store).await.is_none(), "taken");
    assert!(store.intent_sent(&leased.intent.id).await.expect("sent"));
    assert_eq!(stands(&store).await, CouponState::Sending, "an answer is not a read-back");
    let done = store.intent_confirmed(&leased.intent.id, read(&coupon)).await.expect("confirm").expect("mine");
    assert_eq!(done.state, IntentState::Confirmed { at_ms: NOW });
    let row = store.coupons().await.expect("list").remove(0);
    assert_eq!((row.coupon.state, row.coupon.ends_at_ms), (CouponState::Active, Some(NOW + 180_000)));
    assert_eq!(store.open_coupons(&local()).await.expect("open"), std::slice::from_ref(&coupon));
    assert!(store.intent_confirmed(&leased.intent.id, read(&coupon)).await.expect("again").is_none(), "a lease is used up once");
    let over = ReadCoupon { id: coupon, draft: draft(), claimed: 50, active: false, ends_at_ms: Some(NOW + 1) };
    assert!(store.coupon_read(&local(), &over).await.expect("read"));
    assert!(!store.coupon_read(&local(), &over).await.expect("read"), "the same again is no change");
    assert_eq!(stands(&store).await, CouponState::Ended);
}

#[tokio::test]
async fn killed_between_lease_and_answer_it_is_looked_up_and_keeps_its_key() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let coupon = store.issue_coupon(&local(), &draft(), NOW).await.expect("issue");
    let first = lease(&store).await.expect("due");
    let store = killed_and_opened_again(store, &dir).await;
    assert_eq!(state(&store, &first.intent.id).await, IntentState::Checking);
    assert_eq!(store.coupons().await.expect("list").remove(0).coupon.state, CouponState::Uncertain);
    let second = lease(&store).await.expect("due");
    assert!(second.look_up, "it may have been sent");
    assert_eq!((second.intent.key.clone(), second.intent.id.clone()), (first.intent.key, first.intent.id));
    // The look showed nothing: now it may be sent; killed again after the answer.
    assert!(store.intent_not_applied(&second.intent.id).await.expect("mark"));
    assert!(store.intent_sent(&second.intent.id).await.expect("sent"));
    let store = killed_and_opened_again(store, &dir).await;
    let third = lease(&store).await.expect("due");
    assert!(third.look_up);
    store.intent_confirmed(&third.intent.id, read(&coupon)).await.expect("confirm").expect("mine");
    assert_eq!(store.coupons().await.expect("list").len(), 1);
    assert_eq!(store.coupons().await.expect("list").remove(0).coupon.state, CouponState::Active);
}

#[tokio::test]
async fn a_lease_that_ran_out_is_in_doubt_and_its_owner_has_no_say() {
    let dir = tempfile::tempdir().expect("dir");
    let clock = stallcast_clock::ManualClock::new(NOW);
    let store = open_with_bag(&dir).await;
    store.close().await;
    let store = Store::open(crate::StoreOptions { clock: std::sync::Arc::new(clock.clone()), ..options(&dir) }).await.expect("open");
    store.issue_coupon(&local(), &draft(), NOW).await.expect("issue");
    let slow = lease(&store).await.expect("due");
    clock.advance(LEASE - Duration::from_secs(1));
    assert!(lease(&store).await.is_none());
    clock.advance(Duration::from_secs(1));
    let next = lease(&store).await.expect("ran out");
    assert!(next.look_up);
    // Both hold a lease of one process; the row belongs to the second until it lets go.
    store.intent_later(&next.intent.id, "unreachable", Duration::from_secs(5)).await.expect("later").expect("mine");
    assert!(!store.intent_sent(&slow.intent.id).await.expect("slow"), "the slow one lost it");
    assert!(lease(&store).await.is_none(), "not due yet");
    clock.advance(Duration::from_secs(5));
    assert!(lease(&store).await.expect("due").look_up, "doubt stays until it is cleared");
}

#[tokio::test]
async fn only_the_last_wish_for_the_pin_is_sent() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let pin = |n: u32, at: i64| {
        let store = store.clone();
        async move { store.pin(n, at, None).await.expect("pin").expect("in the bag").intent.expect("native") }
    };
    let one = pin(1, NOW).await;
    let two = pin(2, NOW).await;
    assert_eq!(state(&store, &one).await, IntentState::Superseded);
    let sent = lease(&store).await.expect("due");
    assert_eq!(sent.intent.id, two);
    // Pressed while 2 is on the wire: 3 waits for it, 1 never left.
    let three = pin(3, NOW).await;
    assert!(lease(&store).await.is_none(), "one in flight per lane");
    // 2 comes to nothing: it is not tried again, because 3 is wanted.
    store.intent_uncertain(&two, "uncertain", Duration::ZERO).await.expect("end").expect("mine");
    assert_eq!(state(&store, &two).await, IntentState::Superseded);
    let last = lease(&store).await.expect("due");
    assert_eq!(last.intent.id, three);
    assert!(matches!(last.intent.effect, Effect::Pin { number: 3, .. }));
    store.intent_confirmed(&three, ReadBack::Room).await.expect("confirm").expect("mine");
    let bag = store.bag().await.expect("bag");
    let pins: Vec<_> = bag.iter().map(|b| b.pin.as_ref().map(|p| p.state.clone())).collect();
    assert_eq!(pins, [None, None, Some(IntentState::Confirmed { at_ms: NOW })]);
}

#[tokio::test]
async fn pressing_again_changes_nothing_unless_it_failed() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let first = store.pin(1, NOW, Some(5)).await.expect("pin").expect("there");
    let again = store.pin(1, NOW + 9, Some(14)).await.expect("pin").expect("there");
    assert_eq!((again.changed, again.intent.as_ref()), (false, first.intent.as_ref()));
    let leased = lease(&store).await.expect("due");
    store.intent_failed(&leased.intent.id, "not_found").await.expect("fail").expect("mine");
    assert_eq!(state(&store, &leased.intent.id).await, IntentState::Failed { code: "not_found".to_owned(), params: BTreeMap::new() });
    let anew = store.pin(1, NOW + 20, Some(25)).await.expect("pin").expect("there");
    assert!(anew.changed && anew.intent != first.intent);
    assert_eq!(store.bag().await.expect("bag")[0].item.explaining_since_ms, Some(NOW), "the explanation itself went on");
    assert_eq!(store.pin(77, NOW, None).await.expect("pin"), None);
}

#[tokio::test]
async fn dead_letters_wait_for_a_person() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    store.issue_coupon(&local(), &draft(), NOW).await.expect("issue");
    let leased = lease(&store).await.expect("due");
    let id = leased.intent.id.clone();
    assert_eq!(store.retry_intent(&id, NOW).await.expect_err("in flight").state(), Some("leased"));
    store.intent_failed(&id, "invalid").await.expect("fail").expect("mine");
    let row = store.coupons().await.expect("list").remove(0);
    assert_eq!((row.coupon.state, row.coupon.failure.as_deref()), (CouponState::Failed, Some("invalid")));
    assert_eq!(store.failed_intents().await.expect("list").len(), 1);
    assert!(lease(&store).await.is_none(), "never by itself");
    assert!(store.retry_intent(&id, NOW).await.expect("retry"));
    assert_eq!(store.coupons().await.expect("list").remove(0).coupon.state, CouponState::Sending);
    let again = lease(&store).await.expect("due");
    assert_eq!((again.intent.key, again.intent.attempts), (leased.intent.key, 1));
    store.intent_failed(&id, "invalid").await.expect("fail").expect("mine");
    assert!(store.discard_intent(&id, NOW).await.expect("discard"));
    assert_eq!(state(&store, &id).await, IntentState::Discarded);
    assert!(store.failed_intents().await.expect("list").is_empty());
    assert!(!store.retry_intent(&IntentId::new("none"), NOW).await.expect("retry"));
}

#[tokio::test]
async fn an_order_is_shipped_once_however_often_it_is_pressed() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    store.apply_orders(&local(), None, page(vec![order("a", 1)], "1", false, 1), NOW).await.expect("page");
    let id = OrderId::new("a");
    let parcel = |tracking: &str| waybill("SF", tracking);
    let first = store.request_ship(&local(), &id, &parcel("1"), &[], NOW).await.expect("ship").expect("there");
    assert_eq!(store.request_ship(&local(), &id, &parcel("1"), &[], NOW).await.expect("ship"), Some(first.clone()));
    assert_eq!(store.request_ship(&local(), &id, &parcel("2"), &[], NOW).await.expect_err("other").state(), Some("shipping"));
    assert_eq!(store.request_ship(&local(), &OrderId::new("x"), &parcel("1"), &[], NOW).await.expect("ship"), None);
    lease(&store).await.expect("due");
    store.intent_failed(&first, "invalid").await.expect("fail").expect("mine");
    // Another number after a failure: another intent, which looks before it sends.
    let second = store.request_ship(&local(), &id, &parcel("2"), &[], NOW).await.expect("ship").expect("there");
    assert_ne!(first, second);
    assert_eq!(state(&store, &first).await, IntentState::Superseded);
    let leased = lease(&store).await.expect("due");
    assert!(leased.look_up && leased.intent.id == second);
    let mut sent = order("a", 2);
    sent.order.fulfilment = Fulfilment::Shipped;
    sent.order.shipments = vec![crate::test_store::parcel("1", "SF", "2", &[(0, 2)])];
    store.intent_confirmed(&second, ReadBack::Order(Box::new(sent))).await.expect("confirm").expect("mine");
    let row = store.order(&local(), &id).await.expect("read").expect("row");
    assert_eq!((row.order.status(), &row.order.shipments[0].waybill), (OrderStatus::Shipped, &parcel("2")));
    assert_eq!(row.ship.expect("intent").id, second);
    assert_eq!(store.request_ship(&local(), &id, &parcel("3"), &[], NOW).await.expect_err("sent").state(), Some("shipped"));
}

#[tokio::test]
async fn a_wall_clock_set_back_does_not_hold_an_intent_for_hours() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    // Written while the clock was a day ahead.
    store.issue_coupon(&local(), &draft(), NOW + 86_400_000).await.expect("issue");
    assert!(lease(&store).await.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any sequence of presses, answers and kills: keys never repeat for different wishes, one intent per lane is in
    /// flight, and in the end the platform was last told what the host last wanted.
    #[test]
    fn pins_end_where_the_host_wants_them(steps in proptest::collection::vec((0_u8..7, 1_u32..4), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("dir");
            let mut store = open_with_bag(&dir).await;
            let (mut flying, mut wanted, mut told): (Option<Leased>, Option<u32>, Option<u32>) = (None, None, None);
            let of = |effect: &Effect| if let Effect::Pin { number, .. } = effect { Some(*number) } else { None };
            let mut keys = std::collections::HashMap::new();
            for (step, number) in steps {
                match step {
                    0 | 1 => {
                        store.pin(number, NOW, None).await.expect("pin").expect("there");
                        wanted = Some(number);
                    }
                    2 => {
                        store.unpin(NOW, None).await.expect("unpin");
                        wanted = None;
                    }
                    3 if flying.is_none() => {
                        flying = lease(&store).await;
                        if let Some(l) = &flying {
                            let old = keys.insert(l.intent.key.clone(), l.intent.id.clone());
                            assert!(old.is_none_or(|id| id == l.intent.id), "one key, one intent");
                            assert!(lease(&store).await.is_none(), "one in flight");
                        }
                    }
                    4 => if let Some(l) = flying.take() {
                        told = of(&l.intent.effect);
                        store.intent_confirmed(&l.intent.id, ReadBack::Room).await.expect("confirm").expect("mine");
                    },
                    5 => if let Some(l) = flying.take() {
                        // Applied, but the answer was lost.
                        told = of(&l.intent.effect);
                        store.intent_uncertain(&l.intent.id, "uncertain", Duration::ZERO).await.expect("end").expect("mine");
                    },
                    6 => {
                        store = killed_and_opened_again(store, &dir).await;
                        flying = None;
                    }
                    _ => {}
                }
            }
            if let Some(l) = flying.take() {
                told = of(&l.intent.effect);
                store.intent_confirmed(&l.intent.id, ReadBack::Room).await.expect("confirm").expect("mine");
            }
            while let Some(l) = lease(&store).await {
                told = of(&l.intent.effect);
                store.intent_confirmed(&l.intent.id, ReadBack::Room).await.expect("confirm").expect("mine");
            }
            assert_eq!(told, wanted);
            assert_eq!(store.bag().await.expect("bag").iter().find(|b| b.item.explaining_since_ms.is_some()).map(|b| b.item.number), wanted);
            store.close().await;
        });
    }
}
