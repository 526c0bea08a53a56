//! Databases of every earlier schema, as their programs wrote them, come up to date with every row.

use crate::test_store::{local, options};
use crate::{CommentSearch, OrderQuery, OrderSearch, Resource, Store};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use stallcast_model::{Comment, CommentId, CommentKind, CouponState, FeedPage, LinePieces, OrderStatus};
use std::path::{Path, PathBuf};

/// Written by the program of the first schema.
const FIRST: &str = "schema_20261124000001.db";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).immutable(path.starts_with(fixture("")));
    SqliteConnection::connect_with(&options).await.expect("connect")
}

/// All rows of a table as text, in the columns that the first schema had.
async fn dump(path: &Path, table: &'static str) -> Vec<String> {
    let mut first = connect(&fixture(FIRST)).await;
    let columns: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_table_info(?)").bind(table).fetch_all(&mut first).await.expect("columns");
    let mut conn = connect(path).await;
    let list: Vec<String> = columns.iter().map(|c| format!("quote(\"{c}\")")).collect();
    let mut sql: sqlx::QueryBuilder<sqlx::Sqlite> =
        sqlx::QueryBuilder::new(format!("SELECT {} FROM \"{table}\"", list.join(" || '|' || ")));
    let mut rows: Vec<String> =
        sql.build().fetch_all(&mut conn).await.expect("rows").into_iter().map(|row| row.get::<String, _>(0)).collect();
    conn.close().await.expect("close");
    rows.sort();
    rows
}

#[tokio::test]
async fn the_first_schema_comes_up_to_date_with_every_row() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("stallcast.db");
    std::fs::copy(fixture(FIRST), &path).expect("copy");
    let store = Store::open(options(&dir)).await.expect("upgraded");

    // What did not change its shape is there to the letter.
    let kept = ["connection", "product", "sku", "show", "bag_item", "explain_span", "coupon", "unread", "inbox", "cursor", "timeline"];
    let same = ["destination", "setting", "outbox", "order_tally"];
    for table in kept.into_iter().chain(same) {
        let before = dump(&fixture(FIRST), table).await;
        assert!(!before.is_empty(), "{table} is not proven by an empty table");
        assert_eq!(dump(&path, table).await, before, "{table}");
    }
    let orders = store.orders(OrderQuery::default()).await.expect("orders");
    assert_eq!(orders.len(), 12);
    assert!(orders.is_sorted_by(|a, b| a.key > b.key && a.order.placed_at_ms >= b.order.placed_at_ms));
    for row in &orders {
        let n: i64 = row.order.id.as_str().trim_start_matches("o-").parse().expect("a number");
        assert_eq!((row.order.version, row.order.lines.len(), row.order.lines[0].quantity), (n, 1, 2));
        assert_eq!(row.order.number, format!("20261124{:06}", n * 7919));
        assert!(row.show.is_some() && row.order.total.amount == 26_800 && row.seen_at_ms == 1_011_000 && row.purged_at_ms.is_none());
        let shipped = n % 4 == 0;
        assert_eq!((row.order.status() == OrderStatus::Shipped, row.order.shipments.len()), (shipped, usize::from(shipped)));
        // The one carrier and number became the first parcel, with all that was ordered in it.
        for parcel in &row.order.shipments {
            assert_eq!(parcel.lines, [LinePieces { line: 0, quantity: 2 }]);
            assert!(!parcel.waybill.carrier.is_empty() && parcel.waybill.tracking.contains(&format!("{n}")), "{:?}", parcel.waybill);
        }
        let contact = store.contact(&local(), &row.order.id).await.expect("opens").expect("kept");
        assert_eq!(contact.phone, format!("138001380{n:02}"));
        assert!(store.raw_order(&local(), &row.order.id).await.expect("opens").expect("kept").contains("phone"));
    }
    assert_eq!(orders.iter().filter(|r| r.ship.is_some()).count(), 1, "an intent finds its order");
    assert_eq!(store.order_counts().await.expect("counts").total, 12);
    assert_eq!(store.coupons().await.expect("coupons")[0].coupon.state, CouponState::Sending);
    let seal = store.seal(&local(), Resource::Orders).await.expect("seal").expect("row");
    assert_eq!((seal.cursor.as_deref(), seal.complete_up_to_ms), (Some("12"), None));

    // What is new works for what is old.
    for (text, count) in
        [("盖碗", 4), ("乌", 4), ("071271", 1), ("1000000008", 1), ("13800138007", 1), ("欧阳娜", 4), ("Martin", 4), ("建盏", 0)]
    {
        let found = store
            .search_orders(OrderSearch { text: text.to_owned(), status: None, connection: None, before: None, limit: 50 })
            .await
            .expect("search");
        assert_eq!(found.rows.len(), count, "{text}");
    }
    let mut tx = store.snapshot().await.expect("read");
    let found = crate::products::search(&mut tx, &crate::text::Query::new("盖碗"), |_, _| true, 9).await.expect("search");
    assert_eq!(found.len(), 3);
    drop(tx);
    let comment = Comment::told(CommentId::new("c"), "云朵", "盖碗烫手吗", 1_000, CommentKind::Chat, 1).expect("fit");
    let page = FeedPage { rows: vec![comment], unread: vec![], next: "1".to_owned(), more: false, read_at_ms: Some(1), feed: None };
    store.apply_comments(&local(), None, page, 2_000).await.expect("comments have their place");
    let search = CommentSearch { text: "烫手".to_owned(), before: None, limit: 9 };
    assert_eq!(store.search_comments(search).await.expect("search").rows.len(), 1);
    let first = store.connections().await.expect("list").remove(0);
    assert_eq!((first.id.clone(), store.remotes().await.expect("list").len()), (local(), 0), "what was there is the shop of this machine");
    store.set_identity(&first.id, "home").await.expect("set");
    let far = crate::Remote {
        connection: crate::Connection { id: stallcast_model::ConnectionId::new("far"), ..first },
        address: "http://10.0.0.2:80".to_owned(),
        sealed: vec![1],
        identity: Some("far".to_owned()),
    };
    store.add_remote(&far).await.expect("another shop has its place");
    assert_eq!(store.remotes().await.expect("list"), [far]);
    let broken: Vec<(String, i64)> =
        sqlx::query_as("SELECT \"table\", rowid FROM pragma_foreign_key_check").fetch_all(store.readers()).await.expect("check");
    assert!(broken.is_empty(), "{broken:?}");
    store.close().await;

    // The old file lies beside it, whole.
    let copies: Vec<PathBuf> = std::fs::read_dir(dir.path())
        .expect("folder")
        .map(|entry| entry.expect("entry").path())
        .filter(|p| p.to_string_lossy().contains(".before-"))
        .collect();
    assert_eq!(copies.len(), 1, "{copies:?}");
    for table in ["orders", "order_line", "outbox"] {
        assert_eq!(dump(&copies[0], table).await, dump(&fixture(FIRST), table).await, "{table}");
    }
    // Opened again, nothing is done twice.
    let store = Store::open(options(&dir)).await.expect("again");
    assert_eq!(store.orders(OrderQuery::default()).await.expect("orders"), orders);
    store.close().await;
}

#[tokio::test]
async fn what_was_sent_in_part_gets_its_word_and_its_first_parcel() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("stallcast.db");
    std::fs::copy(fixture(FIRST), &path).expect("copy");
    let mut conn = connect(&path).await;
    let sql =
        "UPDATE orders SET fulfilment = 'partly_shipped', status = 'to_ship', carrier = '中通', tracking = 'ZT 7788' WHERE id = 'o-1'";
    assert_eq!(sqlx::query(sql).execute(&mut conn).await.expect("as it was").rows_affected(), 1);
    conn.close().await.expect("close");
    let store = Store::open(options(&dir)).await.expect("upgraded");
    let row = store.order(&local(), &stallcast_model::OrderId::new("o-1")).await.expect("read").expect("there");
    assert_eq!((row.order.status(), row.order.shipments.len()), (OrderStatus::PartlyShipped, 1));
    assert_eq!(row.order.shipments[0].lines, [], "nobody knows what was in it");
    assert_eq!(row.order.left_to_ship(), None);
    for (text, status) in [("7788", None), ("7788", Some(OrderStatus::ToShip)), ("7788", Some(OrderStatus::PartlyShipped))] {
        let search = OrderSearch { text: text.to_owned(), status, connection: None, before: None, limit: 9 };
        assert_eq!(store.search_orders(search).await.expect("search").rows.len(), 1, "{status:?}");
    }
    let counts = store.order_counts().await.expect("counts");
    let listed = store.orders(OrderQuery::default()).await.expect("orders");
    let of = |status| u32::try_from(listed.iter().filter(|r| r.order.status() == status).count()).expect("few");
    assert_eq!((counts.partly_shipped, counts.to_ship), (1, of(OrderStatus::ToShip)), "the tally moved with it");
    store.close().await;
}

#[tokio::test]
async fn a_comment_of_before_was_written_on_the_platform_itself() {
    let dir = tempfile::tempdir().expect("dir");
    let before = sqlx::migrate::Migrator::with_migrations(
        crate::open::MIGRATOR.iter().filter(|migration| migration.version <= 20_261_128_000_200).cloned().collect(),
    );
    let store = Store::open_with(options(&dir), &before).await.expect("as it was");
    for sql in [
        "INSERT INTO connection (id, kind, name, capabilities, currency) VALUES ('local', 'local', '半山茶器', '{}', 'CNY')",
        "INSERT INTO comment (key, connection, id, author, text, kind, at_ms, is_hidden, version, seen_at_ms)
         VALUES (1, 'local', 'c', '云**', '盖碗烫手吗', 'chat', 1, 0, 1, 1)",
    ] {
        sqlx::query(sql).execute(store.writer()).await.expect("as it was written");
    }
    store.close().await;
    let store = Store::open(options(&dir)).await.expect("upgraded");
    let row = store.comment(&local(), &CommentId::new("c")).await.expect("read").expect("kept");
    assert_eq!((row.comment.source.as_str(), row.comment.author.as_str(), row.comment.text.as_str()), ("", "云**", "盖碗烫手吗"));
    store.close().await;
}
