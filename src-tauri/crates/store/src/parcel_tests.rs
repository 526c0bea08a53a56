use crate::test_store::{local, open, order, page, parcel, waybill};
use crate::{IntentState, OrderQuery, OrderSearch, ReadBack, Store};
use stallcast_model::{
    AfterSale, AfterSaleAnswer, AfterSaleId, AfterSaleKind, AfterSaleState, AfterState, Currency, Fulfilment, LinePieces, Money, OrderId,
    OrderStatus, ReceivedOrder,
};
use std::path::Path;
use std::time::Duration;

const REASON: &str = "杯口有裂纹，请退款";

fn asked(id: &str, state: AfterSaleState) -> AfterSale {
    AfterSale {
        id: AfterSaleId::new(id),
        line: Some(0),
        quantity: 1,
        kind: AfterSaleKind::RefundOnly,
        state,
        raw_state: "MERCHANT_PROCESSING".to_owned(),
        amount: Money::new(13_400, Currency::Cny),
        reason: REASON.to_owned(),
        answer: String::new(),
        deadline_ms: Some(9_000),
        updated_at_ms: 2_000,
    }
}

fn with_request(id: &str, version: i64) -> ReceivedOrder {
    let mut received = order(id, version);
    received.order.after_sale = AfterState::Requested;
    received.order.after_sales = vec![asked("as-1", AfterSaleState::Requested)];
    received
}

async fn one(store: &Store, id: &str) -> crate::OrderRow {
    store.order(&local(), &OrderId::new(id)).await.expect("read").expect("there")
}

/// Files of a folder that hold this text.
fn holding(dir: &Path, needle: &str) -> usize {
    let files = std::fs::read_dir(dir).expect("list").filter_map(Result::ok);
    files.filter(|e| std::fs::read(e.path()).is_ok_and(|b| b.windows(needle.len()).any(|w| w == needle.as_bytes()))).count()
}

#[tokio::test]
async fn parcels_come_with_the_order_and_go_with_it() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let mut sent = order("a", 1);
    sent.order.fulfilment = Fulfilment::PartlyShipped;
    sent.order.shipments = vec![parcel("1", "顺丰", "SF100200", &[(0, 1)])];
    store.apply_orders(&local(), None, page(vec![sent.clone(), order("b", 2)], "2", false, 50), 100).await.expect("page");
    let row = one(&store, "a").await;
    assert_eq!((row.order.status(), &row.order.shipments), (OrderStatus::PartlyShipped, &sent.order.shipments));
    assert_eq!(row.order.left_to_ship(), Some(vec![1]));
    let counts = store.order_counts().await.expect("counts");
    assert_eq!((counts.partly_shipped, counts.to_ship, counts.total), (1, 1, 2));

    // Whoever packs sees what is left as well, in the list and in a search.
    let to_ship = OrderQuery { status: Some(OrderStatus::ToShip), ..OrderQuery::default() };
    assert_eq!(store.orders(to_ship).await.expect("list").len(), 2);
    for (text, status, count) in [
        ("盖碗", Some(OrderStatus::ToShip), 2),
        ("盖碗", Some(OrderStatus::PartlyShipped), 1),
        ("林小姐", Some(OrderStatus::ToShip), 2),
        ("林小姐", Some(OrderStatus::Shipped), 0),
        ("100200", None, 1),
    ] {
        let search = OrderSearch { text: text.to_owned(), status, connection: None, before: None, limit: 9 };
        assert_eq!(store.search_orders(search).await.expect("search").rows.len(), count, "{text} {status:?}");
    }

    sent.order.version = 3;
    sent.order.fulfilment = Fulfilment::Shipped;
    // A line that a platform names twice is the sum.
    sent.order.shipments.push(parcel("2", "中通", "ZT7", &[(0, 1), (0, 0)]));
    store.apply_read_order(&local(), sent.clone(), 200).await.expect("read").expect("news");
    let row = one(&store, "a").await;
    assert_eq!((row.order.shipments.len(), row.order.left_to_ship()), (2, Some(vec![0])));
    assert_eq!(row.order.shipments[1].lines, [LinePieces { line: 0, quantity: 1 }]);
    // A waybill is voided.
    (sent.order.version, sent.order.fulfilment) = (4, Fulfilment::Unshipped);
    sent.order.shipments.clear();
    store.apply_read_order(&local(), sent, 300).await.expect("read").expect("news");
    assert_eq!(one(&store, "a").await.order.shipments, []);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM shipment_line").fetch_one(store.readers()).await.expect("count");
    assert_eq!(left, 0, "nothing of a parcel stays without it");
}

#[tokio::test]
async fn what_a_buyer_wrote_is_sealed_and_goes_with_the_buyer() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    let mut done = with_request("a", 1);
    (done.order.fulfilment, done.order.after_sale) = (Fulfilment::Shipped, AfterState::Closed);
    done.order.after_sales = vec![asked("as-1", AfterSaleState::Rejected)];
    done.order.after_sales[0].answer = "已经签收".to_owned();
    assert!(!format!("{:?}", done.order).contains(REASON), "a log line holds none of it");
    store.apply_orders(&local(), None, page(vec![done.clone(), with_request("b", 2)], "2", false, 50), 100).await.expect("page");
    assert_eq!(one(&store, "a").await.order.after_sales, done.order.after_sales);
    assert!(holding(dir.path(), "MERCHANT_PROCESSING") > 0, "the search itself works");
    assert_eq!((holding(dir.path(), REASON), holding(dir.path(), "已经签收")), (0, 0));

    assert_eq!(store.purge_buyers(5_000, 10_000).await.expect("purge"), 1);
    let row = one(&store, "a").await;
    assert_eq!((row.order.after_sales[0].reason.as_str(), row.order.after_sales[0].answer.as_str()), ("", ""));
    assert_eq!((row.order.after_sales[0].state, row.order.after_sales[0].amount.amount), (AfterSaleState::Rejected, 13_400));
    assert_eq!(one(&store, "b").await.order.after_sales[0].reason, REASON, "what is not answered stays");
}

#[tokio::test]
async fn an_answer_is_one_intent_and_shares_the_lane_of_its_order() {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir).await;
    store.apply_orders(&local(), None, page(vec![order("a", 1), order("b", 2)], "2", false, 50), 100).await.expect("page");
    let (id, asked_id) = (OrderId::new("a"), AfterSaleId::new("as-1"));
    let refuse = AfterSaleAnswer::Refuse { reason: "已经签收".to_owned() };
    let answer = |answer: AfterSaleAnswer| {
        let (store, id, asked_id) = (store.clone(), id.clone(), asked_id.clone());
        async move { store.answer_after_sale(&local(), &id, &asked_id, &answer, 2_000).await }
    };
    assert_eq!(answer(AfterSaleAnswer::Agree).await.expect("none"), None, "nobody asked");
    // A parcel is on its way when the buyer asks.
    store.request_ship(&local(), &id, &waybill("SF", "1"), &[], 1_000).await.expect("ship").expect("there");
    store.apply_read_order(&local(), with_request("a", 3), 1_500).await.expect("read").expect("news");
    assert_eq!(answer(AfterSaleAnswer::Agree).await.expect_err("one at a time").state(), Some("shipping"));
    let leased = store.lease_intent(&local(), Duration::from_secs(9)).await.expect("lease").expect("due");
    store.intent_failed(&leased.intent.id, "wrong_state").await.expect("failed");

    let first = answer(AfterSaleAnswer::Agree).await.expect("asked").expect("there");
    assert_eq!(answer(AfterSaleAnswer::Agree).await.expect("again"), Some(first.clone()), "pressed twice is pressed once");
    assert_eq!(answer(refuse.clone()).await.expect_err("other").state(), Some("shipping"));
    let leased = store.lease_intent(&local(), Duration::from_secs(9)).await.expect("lease").expect("due");
    assert_eq!((leased.intent.key.as_str(), leased.look_up), ("-/agree/as-1/1", false));
    assert_eq!(one(&store, "a").await.answers[&asked_id].state, IntentState::Sending);
    store.intent_failed(&leased.intent.id, "invalid").await.expect("failed");
    assert_eq!(answer(AfterSaleAnswer::Agree).await.expect("retried"), Some(first), "under its old key");
    let leased = store.lease_intent(&local(), Duration::from_secs(9)).await.expect("lease").expect("due");
    assert_eq!(leased.intent.key, "-/agree/as-1/1");
    let mut back = with_request("a", 4);
    back.order.after_sale = AfterState::Closed;
    back.order.after_sales = vec![asked("as-1", AfterSaleState::Refunded)];
    store.intent_confirmed(&leased.intent.id, ReadBack::Order(Box::new(back))).await.expect("confirmed").expect("ours");
    let row = one(&store, "a").await;
    assert_eq!(row.order.after_sales[0].state, AfterSaleState::Refunded);
    assert!(matches!(row.answers[&asked_id].state, IntentState::Confirmed { .. }));
    assert_eq!(answer(refuse).await.expect_err("over").state(), Some("refunded"));
}
