use crate::test_store::{local, open, open_with_bag, order, page, product};
use crate::{OrderQuery, ReceivedEvent, Resource};
use proptest::prelude::*;
use stallcast_model::{Currency, Fulfilment, Money, OrderId, OrderStatus, Payment, ReceivedOrder, UnreadRow};
use std::collections::HashMap;

fn with(id: &str, version: i64, change: impl FnOnce(&mut ReceivedOrder)) -> ReceivedOrder {
    let mut received = order(id, version);
    change(&mut received);
    received
}

#[tokio::test]
async fn every_order_is_stored_once_at_its_highest_version() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let awaiting = |r: &mut ReceivedOrder| r.order.payment = Payment::Awaiting;
    let rows = vec![with("a", 1, awaiting), order("b", 2), order("b", 2), order("a", 3)];
    let step = store.apply_orders(&local(), None, page(rows, "3", true, 50), 100).await.expect("page");
    let seen: Vec<_> = step.changes.iter().map(|c| (c.id.as_str(), c.is_new, c.now)).collect();
    assert_eq!(seen, [("a", true, OrderStatus::ToShip), ("b", true, OrderStatus::ToShip)], "a repeat is no change, two versions are one");
    assert_eq!(step.seal.complete_up_to_ms, None, "more is to come: nothing is proven");

    // Late, out of order, and repeated.
    let rows = vec![with("a", 1, awaiting), order("a", 3), with("b", 4, |r| r.order.fulfilment = Fulfilment::Shipped)];
    let step = store.apply_orders(&local(), Some("3"), page(rows, "4", false, 60), 200).await.expect("page");
    assert_eq!(step.changes.len(), 1);
    assert_eq!((step.changes[0].before, step.changes[0].now), (Some(OrderStatus::ToShip), OrderStatus::Shipped));
    assert_eq!((step.seal.complete_up_to_ms, step.seal_moved), (Some(60), true));
    let list = store.orders(OrderQuery::default()).await.expect("list");
    assert_eq!(list.iter().map(|r| (r.order.id.as_str(), r.order.version)).collect::<Vec<_>>(), [("b", 4), ("a", 3)]);
    assert_eq!(list[1].seen_at_ms, 100);
    assert_eq!(list[1].order.lines, order("a", 3).order.lines);
    let counts = store.order_counts().await.expect("counts");
    assert_eq!((counts.total, counts.to_ship, counts.shipped, counts.awaiting_payment), (2, 1, 1, 0));
}

/// Rows that the writer has changed since the database was opened.
async fn written(store: &crate::Store) -> i64 {
    let mut conn = store.acquire_writer().await.expect("writer");
    sqlx::query_scalar("SELECT total_changes()").fetch_one(&mut *conn).await.expect("count")
}

#[tokio::test]
async fn an_equal_version_with_another_body_is_taken_and_a_repeat_writes_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    store.apply_orders(&local(), None, page(vec![order("a", 5)], "5", false, 50), 100).await.expect("page");
    let before = written(&store).await;
    assert_eq!(store.apply_read_order(&local(), order("a", 5), 200).await.expect("read"), None);
    let mut restless = order("a", 5);
    restless.order.raw_json = r#"{"servedAt":200,"phone":"13800138000"}"#.to_owned();
    assert_eq!(store.apply_read_order(&local(), restless, 200).await.expect("read"), None, "what nobody maps is no change");
    assert_eq!(written(&store).await, before, "a repeat writes nothing");

    let moved = with("a", 5, |r| r.contact.address = "杭州市上城区".to_owned());
    let change = store.apply_read_order(&local(), moved, 300).await.expect("read").expect("another body");
    assert_eq!((change.is_new, change.before), (false, Some(OrderStatus::ToShip)));
    let id = OrderId::new("a");
    assert_eq!(store.contact(&local(), &id).await.expect("read").expect("kept").address, "杭州市上城区");
    assert_eq!(store.apply_read_order(&local(), with("a", 4, |r| r.order.payment = Payment::Refunded), 400).await.expect("read"), None);
    // The same twice in one page, and back to what is stored: the last word of a page counts.
    let there = with("a", 5, |r| r.contact.address = "杭州市上城区".to_owned());
    let rows = vec![order("a", 5), with("a", 5, |r| r.order.payment = Payment::Refunded), there];
    let step = store.apply_orders(&local(), Some("5"), page(rows, "6", false, 60), 500).await.expect("page");
    assert_eq!(step.changes, [], "nothing came of it");
    assert_eq!(store.order(&local(), &id).await.expect("read").expect("there").changed_at_ms, 300);

    // A row of an older schema has no digest: read again it is taken once, then never.
    store
        .write(|tx| {
            Box::pin(async move {
                sqlx::query("UPDATE orders SET body = NULL").execute(tx).await?;
                Ok(())
            })
        })
        .await
        .expect("as before");
    assert!(store.apply_read_order(&local(), order("a", 5), 600).await.expect("read").is_some());
    assert_eq!(store.apply_read_order(&local(), order("a", 5), 700).await.expect("read"), None);
    store.close().await;
    // Another process makes the same digest.
    let store = open(&dir).await;
    let before = written(&store).await;
    assert_eq!(store.apply_read_order(&local(), order("a", 5), 800).await.expect("read"), None);
    assert_eq!(written(&store).await, before);
}

#[tokio::test]
async fn a_product_of_an_equal_version_is_written_only_with_another_body() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let read = |rows, next: &'static str| {
        let store = store.clone();
        async move { store.apply_products(&local(), Some(next), page(rows, next, false, 60), 200).await.expect("page").changes }
    };
    let repeat = |confirmed_at_ms| {
        let mut repeat = product(1, 1, 5);
        repeat.product.confirmed_at_ms = confirmed_at_ms;
        repeat
    };
    let before = written(&store).await;
    assert_eq!(read(vec![repeat(9_000)], "3").await, []);
    assert_eq!(written(&store).await - before, 1, "only the cursor");
    // Money that cannot be compared is not stored, and is no difference either.
    let mut dollars = repeat(9_000);
    dollars.product.skus[0].old_price = Some(Money::new(1, Currency::Usd));
    assert_eq!(read(vec![dollars.clone()], "3").await.len(), 1, "the old price is gone");
    let before = written(&store).await;
    assert_eq!(read(vec![dollars], "3").await, [], "and stays gone");
    assert_eq!(written(&store).await - before, 1);
    assert_eq!(read(vec![product(1, 1, 4)], "3").await.len(), 1);
    assert_eq!(store.bag().await.expect("bag")[0].product.stock(), Some(4));
}

#[tokio::test]
async fn a_page_that_does_not_continue_the_cursor_changes_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    store.apply_orders(&local(), None, page(vec![order("a", 1)], "1", false, 50), 100).await.expect("page");
    let late = store.apply_orders(&local(), None, page(vec![order("b", 2)], "2", false, 60), 100).await;
    assert_eq!(late.expect_err("stale").code(), "cursor_moved");
    assert_eq!(store.order_counts().await.expect("counts").total, 1);
    assert_eq!(store.seal(&local(), Resource::Orders).await.expect("seal").expect("row").cursor.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_platform_that_was_reset_is_read_from_its_start() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    store.apply_orders(&local(), None, page(vec![order("a", 900)], "900", false, 50), 100).await.expect("page");
    let mut reset = page(vec![], "900", false, 60);
    reset.feed = Some("feed 2".to_owned());
    let step = store.apply_orders(&local(), Some("900"), reset, 200).await.expect("page");
    assert!(step.restarted && step.seal.cursor.is_none() && step.seal.complete_up_to_ms.is_none(), "an old seal would lie");
    let mut again = page(vec![order("b", 1), with("a", 2, |r| r.order.fulfilment = Fulfilment::Shipped)], "2", false, 70);
    again.feed = Some("feed 2".to_owned());
    let step = store.apply_orders(&local(), None, again, 300).await.expect("page");
    assert_eq!((step.changes.len(), step.seal.complete_up_to_ms), (2, Some(70)), "numbers of the old feed do not hide the new one");
}

#[tokio::test]
async fn the_seal_stands_still_while_a_row_cannot_be_read() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let mut first = page(vec![order("a", 1)], "2", false, 50);
    first.unread.push(UnreadRow { id: "b".to_owned(), version: 2, reason: "total".to_owned(), raw_json: "13800138000".to_owned() });
    let step = store.apply_orders(&local(), None, first, 100).await.expect("page");
    assert_eq!(
        (step.unread, step.seal.complete_up_to_ms, step.seal.cursor.as_deref()),
        (1, None, Some("2")),
        "the feed goes on, the seal does not"
    );
    let dollars = |r: &mut ReceivedOrder| r.order.discount = Money::new(1, Currency::Usd);
    let step = store.apply_orders(&local(), Some("2"), page(vec![with("c", 3, dollars)], "3", false, 60), 110).await.expect("page");
    assert_eq!(step.unread, 2);
    let step = store.apply_orders(&local(), Some("3"), page(vec![order("b", 4), order("c", 5)], "5", false, 70), 120).await.expect("page");
    assert_eq!((step.unread, step.seal.complete_up_to_ms), (0, Some(70)), "readable again: proven");
}

#[tokio::test]
async fn nothing_personal_is_in_the_files() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let mut rows = page(vec![order("a", 1)], "1", false, 50);
    rows.unread.push(UnreadRow { id: "x".to_owned(), version: 1, reason: "r".to_owned(), raw_json: "13800138000".to_owned() });
    store.apply_orders(&local(), None, rows, 100).await.expect("page");
    let row = store.order(&local(), &OrderId::new("a")).await.expect("read").expect("row");
    assert_eq!((row.order.buyer.as_str(), row.order.raw_json.as_str()), ("林**", ""));
    assert!(!format!("{row:?} {:?}", order("a", 1)).contains("13800138000"));
    let contact = store.contact(&local(), &OrderId::new("a")).await.expect("open").expect("contact");
    assert_eq!((contact.name.as_str(), contact.phone.as_str(), contact.address.as_str()), ("林小姐", "13800138000", "杭州市西湖区"));
    assert!(store.raw_order(&local(), &OrderId::new("a")).await.expect("open").expect("raw").contains("13800138000"));
    let search = |needle: &str| {
        std::fs::read_dir(dir.path())
            .expect("list")
            .filter_map(Result::ok)
            .filter(|e| std::fs::read(e.path()).expect("read").windows(needle.len()).any(|w| w == needle.as_bytes()))
            .count()
    };
    assert!(search("NO-a") > 0, "the search itself works");
    for needle in ["13800138000", "林小姐", "杭州市西湖区"] {
        assert_eq!(search(needle), 0, "{needle} is in the database or its log");
    }
}

#[tokio::test]
async fn lists_filter_and_page_without_gap_or_repeat() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    // Many at one instant: the id decides.
    let rows: Vec<_> =
        (0..25_u32).map(|n| with(&format!("o{n:02}"), i64::from(n) + 1, |r| r.order.placed_at_ms = 1_000 + i64::from(n / 10))).collect();
    store.apply_orders(&local(), None, page(rows, "25", false, 50), 100).await.expect("page");
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let query = OrderQuery { before, limit: 4, status: Some(OrderStatus::ToShip), connection: Some(local()), ..OrderQuery::default() };
        let part = store.orders(query).await.expect("list");
        let Some(last) = part.last() else { break };
        before = Some(last.key);
        seen.extend(part.iter().map(|r| r.order.id.as_str().to_owned()));
    }
    let all: Vec<String> = (0..25).rev().map(|n| format!("o{n:02}")).collect();
    assert_eq!(seen, all);
    let none = store.orders(OrderQuery { status: Some(OrderStatus::Shipped), ..OrderQuery::default() }).await.expect("list");
    assert!(none.is_empty());
}

#[tokio::test]
async fn products_fill_the_bag_and_keep_their_numbers() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    // A new product that claims a number that is taken, and one without.
    let mut thief = product(9, 4, 1);
    thief.number = Some(2);
    let mut plain = product(8, 5, 1);
    plain.number = None;
    let step =
        store.apply_products(&local(), Some("3"), page(vec![thief, plain, product(1, 6, 2)], "6", false, 60), 200).await.expect("page");
    assert_eq!(step.changes.iter().map(|c| (c.id.as_str(), c.is_new)).collect::<Vec<_>>(), [("p-9", true), ("p-8", true), ("p-1", false)]);
    let bag = store.bag().await.expect("bag");
    let numbers: Vec<_> = bag.iter().map(|b| (b.item.number, b.product.id.as_str())).collect();
    assert_eq!(numbers, [(1, "p-1"), (2, "p-2"), (3, "p-3"), (4, "p-9"), (5, "p-8")], "a spoken number never changes its product");
    assert_eq!((bag[0].product.stock(), bag[0].stock_of), (Some(2), Some(5)));
    // An older version comes late.
    let step = store.apply_products(&local(), Some("6"), page(vec![product(1, 5, 99)], "6", false, 61), 201).await.expect("page");
    assert!(step.changes.is_empty());
    assert_eq!(store.bag().await.expect("bag")[0].product.stock(), Some(2));
}

#[tokio::test]
async fn events_are_known_again_and_the_stream_resumes() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let event = |id: &str| ReceivedEvent { id: id.to_owned(), kind: "order".to_owned() };
    assert_eq!(store.event_cursor(&local()).await.expect("cursor"), None);
    assert_eq!(store.receive_events(&local(), vec![event("1"), event("2"), event("1")], Some("2".to_owned()), 10).await.expect("new"), 2);
    assert_eq!(store.receive_events(&local(), vec![event("2"), event("3")], None, 11).await.expect("new"), 1);
    assert_eq!(store.event_cursor(&local()).await.expect("cursor").as_deref(), Some("2"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever order, repeats and page cuts a platform comes up with, and bodies that change under one version: each order
    /// is there once, as it was last read at its highest version, and the counters agree with the rows.
    #[test]
    fn upserts_converge(rows in proptest::collection::vec((0_u8..6, 1_i64..9, 0_u8..4), 1..40), cut in 1_usize..7) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("dir");
            let store = open(&dir).await;
            let mut newest: HashMap<String, (i64, Payment, i64)> = HashMap::new();
            let mut cursor: Option<String> = None;
            let payments = [Payment::Awaiting, Payment::Paid, Payment::Refunded, Payment::Unknown];
            for (n, part) in rows.chunks(cut).enumerate() {
                let received = part.iter().map(|(id, version, payment)| {
                    let payment = payments[usize::from(*payment)];
                    let amount = version * 100;
                    let id = format!("o{id}");
                    let known = newest.get(&id).map_or(0, |(v, ..)| *v);
                    if *version >= known {
                        newest.insert(id.clone(), (*version, payment, amount));
                    }
                    with(&id, *version, |r| {
                        r.order.payment = payment;
                        r.order.total = Money::new(amount, Currency::Cny);
                    })
                }).collect();
                let next = n.to_string();
                store.apply_orders(&local(), cursor.as_deref(), page(received, &next, true, 1), 1).await.expect("page");
                cursor = Some(next);
            }
            let list = store.orders(OrderQuery::default()).await.expect("list");
            let got: HashMap<_, _> = list.iter().map(|r| (r.order.id.as_str().to_owned(), (r.order.version, r.order.payment, r.order.total.amount))).collect();
            assert_eq!(list.len(), got.len(), "no order twice");
            assert_eq!(got, newest);
            let counts = store.order_counts().await.expect("counts");
            let of = |status| u32::try_from(list.iter().filter(|r| r.order.status() == status).count()).expect("few");
            assert_eq!(counts.total as usize, list.len());
            assert_eq!(counts.awaiting_payment, of(OrderStatus::AwaitingPayment));
            assert_eq!(counts.to_ship, of(OrderStatus::ToShip));
            assert_eq!(counts.refunded, of(OrderStatus::Refunded));
            assert_eq!(counts.unknown, of(OrderStatus::Unknown));
        });
    }
}
