use crate::test_store::{local, native, open_with_bag, options, order, page, product};
use crate::{Connection, Destination, IntentState, OrderQuery, Store, last_ended_show};
use stallcast_model::{AfterState, Capability, Effect, RoomState, ShowState};
use std::time::Duration;

async fn next(store: &Store) -> Option<Effect> {
    let leased = store.lease_intent(&local(), Duration::from_secs(9)).await.expect("lease")?;
    store.intent_confirmed(&leased.intent.id, crate::ReadBack::Room).await.expect("confirm").expect("mine");
    Some(leased.intent.effect)
}

#[tokio::test]
async fn a_show_from_bag_to_summary() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    store.set_show_title(Some("新茶上市")).await.expect("title");
    let show = store.begin_show(2_000).await.expect("begin");
    assert_eq!(store.current_show().await.expect("show").state, ShowState::Starting);
    assert!(store.show_live(2_500).await.expect("live") && !store.show_live(2_600).await.expect("again"));
    store.pin(2, 3_000, Some(500)).await.expect("pin").expect("there");
    store.pin(3, 5_000, Some(2_500)).await.expect("pin").expect("there");
    let live = Effect::GoLive { state: RoomState::Live, started_at_ms: 2_500, program_epoch_ms: 2_500 };
    assert_eq!(next(&store).await, Some(live));
    assert!(matches!(next(&store).await, Some(Effect::Pin { number: 3, program_ms: Some(2_500), .. })), "2 was never sent");

    // Placed before, during and after; one is cancelled.
    let at = |id: &str, version, ms, after_sale| {
        let mut o = order(id, version);
        o.order.placed_at_ms = ms;
        o.order.after_sale = after_sale;
        o
    };
    let rows = vec![
        at("before", 1, 1_999, AfterState::None),
        at("in 1", 2, 2_000, AfterState::None),
        at("in 2", 3, 6_000, AfterState::None),
        at("gone", 4, 6_001, AfterState::Cancelled),
    ];
    store.apply_orders(&local(), None, page(rows, "4", false, 1), 6_500).await.expect("page");
    let now = store.current_show().await.expect("show");
    assert_eq!((now.orders, now.turnover.iter().map(|m| m.amount).collect::<Vec<_>>()), (3, vec![53_600]));
    // Paid back later: the sum follows.
    store
        .apply_orders(&local(), Some("4"), page(vec![at("in 2", 5, 6_000, AfterState::Cancelled)], "5", false, 1), 6_600)
        .await
        .expect("page");
    assert_eq!(store.current_show().await.expect("show").turnover[0].amount, 26_800);

    assert!(store.end_show(7_000, Some(&serde_json::json!({ "frames": 9 }))).await.expect("end"));
    assert!(!store.end_show(7_001, None).await.expect("twice"));
    assert!(matches!(next(&store).await, Some(Effect::Unpin { number: 3, .. })));
    assert!(matches!(next(&store).await, Some(Effect::GoLive { state: RoomState::Ended, .. })));
    assert_eq!(next(&store).await, None);
    let spans: Vec<_> =
        store.spans(&show).await.expect("spans").iter().map(|s| (s.number, s.from_ms, s.to_ms, s.from_program_ms)).collect();
    assert_eq!(spans, [(2, 3_000, Some(5_000), Some(500)), (3, 5_000, Some(7_000), Some(2_500))]);
    let kinds: Vec<_> = store.timeline(&show).await.expect("timeline").into_iter().map(|t| t.kind).collect();
    assert_eq!(kinds, ["begun", "live", "pin", "pin", "unpin", "ended"]);

    // The next one is being prepared, with the same numbers.
    let now = store.current_show().await.expect("show");
    assert_eq!((now.state, now.orders, now.title.as_deref()), (ShowState::Ready, 0, Some("新茶上市")));
    let bag = store.bag().await.expect("bag");
    assert_eq!(bag.iter().map(|b| (b.item.number, b.item.explained_ms)).collect::<Vec<_>>(), [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(store.orders(OrderQuery { show: Some(show.clone()), ..OrderQuery::default() }).await.expect("list").len(), 3);
    let ended = last_ended_show(&dir.path().join("stallcast.db")).await.expect("peek").expect("one");
    assert_eq!((ended.id, ended.ended_at_ms, ended.summary), (show, 7_000, Some(serde_json::json!({ "frames": 9 }))));
    assert_eq!(last_ended_show(&dir.path().join("none.db")).await.expect("peek"), None);
}

#[tokio::test]
async fn a_show_that_died_with_the_app_is_ended_by_the_next_one() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let lost = store.begin_show(2_000).await.expect("begin");
    store.show_live(2_100).await.expect("live");
    store.pin(1, 2_200, None).await.expect("pin");
    std::mem::forget(store);
    let store = Store::open(options(&dir)).await.expect("open");
    let now = store.current_show().await.expect("show");
    assert_eq!((now.id.clone(), now.state), (lost.clone(), ShowState::Live), "it may still be on air");
    assert_eq!(store.bag().await.expect("bag")[0].item.explaining_since_ms, Some(2_200), "and so is its explanation");
    let fresh = store.begin_show(9_000).await.expect("begin");
    assert_ne!(fresh, lost);
    assert_eq!(store.spans(&lost).await.expect("spans")[0].to_ms, Some(9_000));
}

#[tokio::test]
async fn a_show_that_nobody_accepted_is_none() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let show = store.begin_show(2_000).await.expect("begin");
    assert!(store.drop_show().await.expect("drop"));
    assert!(!store.end_show(3_000, None).await.expect("end"));
    assert_eq!(store.begin_show(4_000).await.expect("begin"), show);
    assert_eq!(next(&store).await, None, "no platform was told");
}

#[tokio::test]
async fn without_the_capability_only_our_picture_changes() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let mut capabilities = native();
    capabilities.pin = Capability::OverlayOnly { press: "press_there".to_owned() };
    capabilities.issue_coupon = Capability::Unavailable { reason: "no_api".to_owned() };
    let connection = Connection { id: local(), kind: "local".to_owned(), name: "n".to_owned(), capabilities, currency: None };
    store.put_connection(&connection).await.expect("put");
    let pinned = store.pin(1, 2_000, None).await.expect("pin").expect("there");
    assert_eq!((pinned.changed, pinned.intent), (true, None));
    assert!(store.unpin(3_000, None).await.expect("unpin").is_some());
    assert!(store.unpin(3_001, None).await.expect("unpin").is_none());
    assert_eq!(store.bag().await.expect("bag")[0].item.explained_ms, 1_000);
    assert_eq!(next(&store).await, None);
    let draft = stallcast_model::CouponDraft {
        discount: stallcast_model::Money::new(1, stallcast_model::Currency::Cny),
        threshold: stallcast_model::Money::new(0, stallcast_model::Currency::Cny),
        quantity: 1,
        valid_s: 60,
    };
    assert_eq!(store.issue_coupon(&local(), &draft, 1).await.expect_err("no").state(), Some("unavailable"));
    let stored = store.connections().await.expect("list");
    assert_eq!(stored[0].currency, Some(stallcast_model::Currency::Cny), "what is known is not forgotten");
}

#[tokio::test]
async fn two_connections_share_one_bag_and_one_explanation() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let other = stallcast_model::ConnectionId::new("other");
    let connection =
        Connection { id: other.clone(), kind: "fake".to_owned(), name: "Zweig".to_owned(), capabilities: native(), currency: None };
    store.put_connection(&connection).await.expect("put");
    // The same ids as in the first shop.
    store.apply_products(&other, None, page(vec![product(1, 1, 7)], "1", false, 1), 1).await.expect("page");
    let mut theirs = order("a", 1);
    theirs.order.placed_at_ms += 1;
    store.apply_orders(&local(), None, page(vec![order("a", 1)], "1", false, 1), 1).await.expect("page");
    store.apply_orders(&other, None, page(vec![theirs], "1", false, 1), 1).await.expect("page");
    let names: Vec<_> =
        store.orders(OrderQuery::default()).await.expect("list").into_iter().map(|o| (o.connection_name, o.order.lines.len())).collect();
    assert_eq!(names, [("Zweig".to_owned(), 1), ("半山茶器".to_owned(), 1)]);
    store.pin(1, 1_000, None).await.expect("pin");
    assert!(matches!(next(&store).await, Some(Effect::Pin { number: 1, .. })));
    let pinned = store.pin(4, 2_000, None).await.expect("pin").expect("their product is number 4");
    assert_eq!(store.intent(&pinned.intent.expect("native")).await.expect("read").expect("row").connection, other);
    assert!(matches!(next(&store).await, Some(Effect::Unpin { number: 1, .. })), "the first shop lets go");
    assert_eq!(store.bag().await.expect("bag")[3].pin.as_ref().map(|p| p.state.clone()), Some(IntentState::Sending));
}

#[tokio::test]
async fn destinations_keep_their_order_and_their_bytes() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let of = |id: &str| Destination {
        id: id.to_owned(),
        name: format!("to {id}"),
        host: "live.example".to_owned(),
        key_hint: "•••• 3f9a".to_owned(),
        enabled: true,
        sealed: vec![0, 255, 7],
        preset: "custom".to_owned(),
        one_show: true,
        key_state: "there".to_owned(),
    };
    store.save_destination(&of("b")).await.expect("save");
    store.save_destination(&of("a")).await.expect("save");
    store.save_destination(&Destination { enabled: false, ..of("b") }).await.expect("change");
    assert_eq!(store.destinations().await.expect("list"), [Destination { enabled: false, ..of("b") }, of("a")]);
    assert!(store.remove_destination("b").await.expect("remove") && !store.remove_destination("b").await.expect("remove"));
}
