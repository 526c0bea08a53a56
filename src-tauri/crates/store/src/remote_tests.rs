//! Shops that were added by their address: the order of the list, what removing keeps, what coming back finds.

use crate::test_store::{local, native, open, order, page, product};
use crate::{Connection, IntentState, OrderSearch, Remote, Store, StoreError};
use stallcast_model::{ConnectionId, CouponState, Currency, LinePieces, OrderId, ProductId, Waybill};
use std::time::Duration;

fn far(id: &str, identity: &str) -> Remote {
    Remote {
        connection: Connection {
            id: ConnectionId::new(id),
            kind: "shop".to_owned(),
            name: format!("远店 {id}"),
            capabilities: native(),
            currency: Some(Currency::Cny),
        },
        address: format!("http://192.168.1.{}:8080", id.len()),
        sealed: b"sealed".to_vec(),
        identity: Some(identity.to_owned()),
    }
}

async fn ids(store: &Store) -> Vec<String> {
    store.connections().await.expect("list").into_iter().map(|c| c.id.to_string()).collect()
}

async fn listed(store: &Store, connection: Option<ConnectionId>) -> usize {
    let search = OrderSearch { text: String::new(), status: None, connection, before: None, limit: 50 };
    store.search_orders(search).await.expect("orders").rows.len()
}

#[tokio::test]
async fn the_shop_of_this_machine_comes_first_whenever_it_was_added() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    for (id, identity) in [("zz", "1"), ("aa", "2")] {
        store.add_remote(&far(id, identity)).await.expect("added");
    }
    assert_eq!(ids(&store).await, ["local", "zz", "aa"]);
    assert_eq!(store.remotes().await.expect("list"), [far("zz", "1"), far("aa", "2")]);
    store.set_identity(&local(), "home").await.expect("set");
    let known = store.shop_of_identity("home").await.expect("read").expect("known");
    assert_eq!((known.id, known.is_removed), (local(), false));
    assert!(store.add_remote(&far("again", "1")).await.is_err(), "one shop, one connection");
    // What is at an address may have been set up anew.
    store.set_identity(&local(), "2").await.expect("set");
    assert_eq!(store.shop_of_identity("2").await.expect("read").map(|k| k.id), Some(local()));
    store.close().await;
}

#[tokio::test]
async fn a_name_of_the_sellers_own_outlives_what_the_shop_calls_itself() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let remote = far("b", "1");
    store.add_remote(&remote).await.expect("added");
    assert!(store.rename_connection(&remote.connection.id, "楼下的店").await.expect("renamed"));
    store.put_connection(&remote.connection).await.expect("told again");
    assert_eq!(store.connections().await.expect("list")[1].name, "楼下的店");
    assert!(!store.rename_connection(&ConnectionId::new("none"), "x").await.expect("read"));
    store.close().await;
}

#[tokio::test]
async fn a_removed_shop_keeps_what_it_sold_and_comes_back_under_its_id() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let remote = far("b", "1");
    let id = remote.connection.id.clone();
    store.add_remote(&remote).await.expect("added");
    // The same ids as in the first shop.
    store.apply_products(&local(), None, page(vec![product(1, 1, 7)], "1", false, 1), 1).await.expect("page");
    store.apply_products(&id, None, page(vec![product(1, 1, 7)], "1", false, 1), 1).await.expect("page");
    store.apply_orders(&local(), None, page(vec![order("a", 1)], "1", false, 1), 1).await.expect("page");
    store.apply_orders(&id, None, page(vec![order("a", 1)], "1", false, 1), 1).await.expect("page");
    assert_eq!((listed(&store, None).await, listed(&store, Some(id.clone())).await, listed(&store, Some(local())).await), (2, 1, 1));

    // What is on its way at the shop of this machine goes on; what is on its way there is given up.
    let bag = store.bag().await.expect("bag");
    let theirs = bag.iter().find(|row| row.connection == id).expect("in the bag").item.number;
    store.pin(theirs, 2, None).await.expect("pinned");
    let waybill = Waybill { carrier: "顺丰".to_owned(), tracking: "1".to_owned() };
    let lines: &[LinePieces] = &[];
    let ours = store.request_ship(&local(), &OrderId::new("a"), &waybill, lines, 3).await.expect("asked").expect("there");
    let there = store.request_ship(&id, &OrderId::new("a"), &waybill, lines, 3).await.expect("asked").expect("there");
    let draft = stallcast_model::CouponDraft {
        discount: stallcast_model::Money::new(100, Currency::Cny),
        threshold: stallcast_model::Money::new(0, Currency::Cny),
        quantity: 1,
        valid_s: 60,
    };
    store.issue_coupon(&id, &draft, 3).await.expect("issued");
    // A worker of the first shop is in the middle of something while the other one's are stopped.
    let leased = store.lease_intent(&local(), Duration::from_secs(30)).await.expect("lease").expect("due");
    assert_eq!(leased.intent.id, ours);
    assert_eq!(store.release_leases(Some(&id)).await.expect("released"), 0, "not ours to release");

    let refused = store.remove_connection(&id, 4).await;
    assert!(matches!(&refused, Err(StoreError::WrongState { state }) if state == "explaining"), "{refused:?}");
    store.unpin(5, None).await.expect("unpinned");
    assert!(store.remove_connection(&id, 6).await.expect("removed"));
    assert!(!store.remove_connection(&id, 7).await.expect("read"), "once");
    let own = store.remove_connection(&local(), 7).await;
    assert!(matches!(&own, Err(StoreError::WrongState { state }) if state == "own_shop"), "{own:?}");

    assert_eq!((ids(&store).await, store.remotes().await.expect("list").len()), (vec!["local".to_owned()], 0));
    assert_eq!(listed(&store, None).await, 2, "its orders stay");
    assert!(!store.bag().await.expect("bag").iter().any(|row| row.connection == id));
    assert!(!store.bag_candidates("", 9).await.expect("list").rows.iter().any(|c| c.connection == id), "nothing of it can be sold");
    assert_eq!(store.add_to_bag(&id, &ProductId::new("p-1"), 8).await.expect("read"), None);
    let state = |intent| {
        let store = &store;
        async move { store.intent(&intent).await.expect("read").expect("kept").state }
    };
    assert_eq!((state(there).await, state(ours).await), (IntentState::Discarded, IntentState::Sending));
    assert_eq!(store.coupons().await.expect("coupons")[0].coupon.state, CouponState::Failed);
    let refused = store.request_ship(&id, &OrderId::new("a"), &waybill, lines, 9).await;
    assert!(matches!(&refused, Err(StoreError::WrongState { state }) if state == "unavailable"), "{refused:?}");
    let known = store.shop_of_identity("1").await.expect("read").expect("known");
    assert!(known.is_removed && known.id == id);

    store.add_remote(&Remote { address: "http://10.0.0.7:80".to_owned(), ..remote.clone() }).await.expect("back");
    assert_eq!((ids(&store).await.len(), listed(&store, None).await), (2, 2), "nothing is doubled");
    let seal = store.seal(&id, crate::Resource::Orders).await.expect("read").expect("row");
    assert_eq!(seal.cursor.as_deref(), Some("1"), "its feed goes on where it was read to");
    assert_eq!(store.add_to_bag(&id, &ProductId::new("p-1"), 10).await.expect("added"), Some(theirs), "under its frozen number");
    store.close().await;
}

#[tokio::test]
async fn what_a_removed_shop_told_of_buyers_leaves_after_its_time_too() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let remote = far("b", "1");
    let id = remote.connection.id.clone();
    store.add_remote(&remote).await.expect("added");
    // To ship: nothing is settled here, and nobody will ever say that it is.
    for connection in [&local(), &id] {
        store.apply_orders(connection, None, page(vec![order("a", 1)], "1", false, 1), 1).await.expect("page");
    }
    assert_eq!(store.purge_buyers(i64::MAX, 2).await.expect("purged"), 0);
    let removed_at_ms = 5_000_000;
    assert!(store.remove_connection(&id, removed_at_ms).await.expect("removed"));
    assert_eq!(store.purge_buyers(removed_at_ms, removed_at_ms).await.expect("purged"), 0, "its time is not over");
    assert_eq!(store.purge_buyers(removed_at_ms + 1, removed_at_ms + 1).await.expect("purged"), 1);
    let purged = |connection: ConnectionId| {
        let store = &store;
        async move { store.order(&connection, &OrderId::new("a")).await.expect("read").expect("stays").purged_at_ms.is_some() }
    };
    assert_eq!((purged(id).await, purged(local()).await), (true, false));
    store.close().await;
}
