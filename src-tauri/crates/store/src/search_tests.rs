use crate::test_store::{local, open, open_with_bag, options, order, page, parcel, product};
use crate::{OrderPage, OrderSearch, Store};
use stallcast_model::{Fulfilment, OrderStatus, ProductId, ReceivedOrder};

fn sold(id: &str, version: i64, title: &str) -> ReceivedOrder {
    let mut received = order(id, version);
    received.order.lines[0].title = title.to_owned();
    received.order.placed_at_ms = 1_000_000 + version * 1_000;
    received
}

async fn search(store: &Store, text: &str, status: Option<OrderStatus>, before: Option<i64>, limit: u32) -> OrderPage {
    store.search_orders(OrderSearch { text: text.to_owned(), status, connection: None, before, limit }).await.expect("search")
}

async fn ids(store: &Store, text: &str) -> Vec<String> {
    search(store, text, None, None, 50).await.rows.into_iter().map(|r| r.order.id.as_str().to_owned()).collect()
}

#[tokio::test]
async fn orders_are_found_by_what_people_type() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let mut shipped = sold("c", 3, "Celadon Gaiwan 100 ml");
    shipped.order.fulfilment = Fulfilment::Shipped;
    shipped.order.shipments = vec![parcel("1", "京东", "JD-990011", &[]), parcel("2", "顺丰", "SF-1002 7788", &[])];
    let mut other = sold("d", 4, "茶盘");
    other.order.lines[0].product = ProductId::new("p-2");
    other.order.buyer = "欧阳娜".to_owned();
    other.contact.name = "欧阳 娜".to_owned();
    other.contact.phone = "+86 139-0013-9000".to_owned();
    let rows = vec![sold("a", 1, "青瓷盖碗三件套"), sold("b", 2, "桂花乌龙茶 １００Ｇ"), shipped, other];
    store.apply_orders(&local(), None, page(rows, "4", false, 50), 100).await.expect("page");
    for (text, found) in [
        // One, two and more characters; spaces part words that must all be there.
        ("瓷", vec!["a"]),
        ("茶", vec!["d", "b"]),
        ("盖碗", vec!["a"]),
        ("青瓷盖碗三件套", vec!["a"]),
        ("桂花 茶", vec!["b"]),
        ("花桂", vec![]),
        ("100g", vec!["b"]),
        ("GAIW", vec!["c"]),
        ("gaiwan 100", vec!["c"]),
        ("iwan", vec![]),
        // Numbers by their end.
        ("NO-a", vec!["a"]),
        ("7788", vec!["c"]),
        ("10027788", vec!["c"]),
        ("1002", vec![]),
        // The spoken number of the current show.
        ("2", vec!["d"]),
        // Buyers: the masked name's first character, or a whole name or number.
        ("欧", vec!["d"]),
        ("林**", vec!["c", "b", "a"]),
        ("林小姐", vec!["c", "b", "a"]),
        ("林小", vec![]),
        ("欧阳娜", vec!["d"]),
        ("13900139000", vec!["d"]),
        ("139 0013 9000", vec!["d"]),
        ("1390013900", vec![]),
        // Only text.
        ("\"", vec![]),
        ("%", vec![]),
        ("盖碗\" OR tokens:*", vec![]),
        ("a* OR b*", vec![]),
        ("NOT 茶", vec![]),
        ("", vec!["d", "c", "b", "a"]),
        (" \u{3000} ", vec!["d", "c", "b", "a"]),
    ] {
        assert_eq!(ids(&store, text).await, found, "{text:?}");
    }
    let to_ship = search(&store, "林小姐", Some(OrderStatus::ToShip), None, 50).await;
    assert_eq!(to_ship.rows.iter().map(|r| r.order.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    let shipped = search(&store, "100", Some(OrderStatus::Shipped), None, 50).await;
    assert_eq!(shipped.rows.len(), 1);
}

#[tokio::test]
async fn the_index_follows_the_rows() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    store.apply_orders(&local(), None, page(vec![sold("a", 1, "青瓷盖碗")], "1", false, 50), 100).await.expect("page");
    let mut changed = sold("a", 2, "建盏");
    changed.order.fulfilment = Fulfilment::Shipped;
    changed.order.shipments = vec![parcel("1", "中通", "ZT5566", &[])];
    changed.contact.phone = "13700137000".to_owned();
    // The platform corrected when it was placed, too.
    changed.order.placed_at_ms = 5_000_000;
    store.apply_orders(&local(), Some("1"), page(vec![changed, sold("b", 3, "青瓷")], "3", false, 60), 200).await.expect("page");
    assert_eq!(ids(&store, "盖碗").await, Vec::<String>::new());
    assert_eq!(ids(&store, "建盏").await, ["a"]);
    assert_eq!(ids(&store, "5566").await, ["a"]);
    assert_eq!(ids(&store, "13800138000").await, ["b"], "the old number finds it no more");
    assert_eq!(ids(&store, "13700137000").await, ["a"]);
    assert_eq!(ids(&store, "").await, ["a", "b"], "in the order of the corrected times");
    assert_eq!(search(&store, "建", Some(OrderStatus::ToShip), None, 9).await.rows.len(), 0);
    let row = store.order(&local(), &stallcast_model::OrderId::new("a")).await.expect("read").expect("there");
    assert_eq!((row.order.lines.len(), row.seen_at_ms), (1, 100));
}

#[tokio::test]
async fn pages_of_a_search_join_without_gap_or_repeat() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let rows: Vec<_> = (1..=70)
        .map(|n| {
            // All pairs of the query are in every title, the run itself in every third.
            let mut row = sold(&format!("o{n:02}"), n, if n % 3 == 0 { "老青瓷盖碗" } else { "青瓷 瓷盖 盖碗" });
            // Many at one instant.
            row.order.placed_at_ms = 1_000 + n / 10;
            row
        })
        .collect();
    store.apply_orders(&local(), None, page(rows, "70", false, 50), 100).await.expect("page");
    let (mut before, mut seen) = (None, Vec::new());
    for _ in 0..100 {
        let part = search(&store, "青瓷盖碗", None, before, 4).await;
        seen.extend(part.rows.iter().map(|r| r.order.id.as_str().to_owned()));
        before = part.next;
        if before.is_none() {
            break;
        }
    }
    let all: Vec<String> = (1..=70).rev().filter(|n| n % 3 == 0).map(|n| format!("o{n:02}")).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn products_are_found_and_follow_too() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open_with_bag(&dir).await;
    let found = |text: &'static str| {
        let store = store.clone();
        async move {
            let mut tx = store.snapshot().await.expect("read");
            let rows = crate::products::search(&mut tx, &crate::text::Query::new(text), |_, _| true, 50).await.expect("search");
            rows.into_iter().map(|(_, p)| p.id.as_str().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(found("碗").await, ["p-3", "p-2", "p-1"]);
    assert_eq!(found("盖碗 2").await, ["p-2"]);
    let mut renamed = product(2, 9, 5);
    renamed.product.title = "建盏".to_owned();
    store.apply_products(&local(), Some("3"), page(vec![renamed], "9", false, 60), 200).await.expect("page");
    assert_eq!(found("碗").await, ["p-3", "p-1"]);
    assert_eq!(found("建盏").await, ["p-2"]);
    assert_eq!(found("%").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_search_survives_reopening_and_is_not_built_anew() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    store.apply_orders(&local(), None, page(vec![sold("a", 1, "青瓷盖碗")], "1", false, 50), 100).await.expect("page");
    store.close().await;
    let store = Store::open(options(&dir)).await.expect("open");
    assert_eq!(ids(&store, "盖碗").await, ["a"]);
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "EXPLAIN QUERY PLAN SELECT rowid FROM order_text WHERE order_text MATCH 'x' AND rowid < 9 ORDER BY rowid DESC LIMIT 5",
    )
    .fetch_all(store.readers())
    .await
    .expect("plan");
    assert!(plan.iter().all(|step| !step.3.contains("TEMP B-TREE")), "matches come in order by themselves: {plan:?}");
}
