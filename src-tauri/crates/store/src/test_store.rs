//! What the tests of this crate share.

use crate::{Connection, SealError, Sealer, Store, StoreOptions};
use stallcast_clock::ManualClock;
use stallcast_model::{
    AfterSale, Capabilities, Capability, ConnectionId, Contact, Currency, FeedPage, Fulfilment, Money, Order, OrderId, OrderLine, Payment,
    Product, ProductId, ReceivedOrder, ReceivedProduct, Sku, SkuId,
};
use std::sync::Arc;

/// Turns bytes around and binds them to their row: enough to see what is in clear and what is not.
#[derive(Debug)]
pub(crate) struct TestSealer;

impl Sealer for TestSealer {
    fn seal(&self, row: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(row.bytes().chain([0]).chain(plain.iter().map(|b| !b)).collect())
    }
    fn open(&self, row: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let rest = sealed.strip_prefix(row.as_bytes()).and_then(|r| r.strip_prefix(&[0])).ok_or_else(|| SealError::new("another row"))?;
        Ok(rest.iter().map(|b| !b).collect())
    }
}

pub(crate) fn options(dir: &tempfile::TempDir) -> StoreOptions {
    StoreOptions { path: dir.path().join("stallcast.db"), sealer: Arc::new(TestSealer), clock: Arc::new(ManualClock::new(1_000_000)) }
}

pub(crate) fn local() -> ConnectionId {
    ConnectionId::new("local")
}

pub(crate) fn native() -> Capabilities {
    Capabilities { pin: Capability::Native, issue_coupon: Capability::Native, ship: Capability::Native, go_live: Capability::Native }
}

pub(crate) async fn open(dir: &tempfile::TempDir) -> Store {
    let store = Store::open(options(dir)).await.expect("open");
    let connection = Connection {
        id: local(),
        kind: "local".to_owned(),
        name: "半山茶器".to_owned(),
        capabilities: native(),
        currency: Some(Currency::Cny),
    };
    store.put_connection(&connection).await.expect("connection");
    store
}

pub(crate) fn page<T>(rows: Vec<T>, next: &str, more: bool, read_at_ms: i64) -> FeedPage<T> {
    FeedPage { rows, unread: Vec::new(), next: next.to_owned(), more, read_at_ms: Some(read_at_ms), feed: Some("feed 1".to_owned()) }
}

pub(crate) fn product(n: u32, version: i64, stock: i64) -> ReceivedProduct {
    let sku = Sku {
        id: SkuId::new(format!("sku-{n}")),
        title: String::new(),
        price: Money::new(26_800, Currency::Cny),
        old_price: Some(Money::new(32_800, Currency::Cny)),
        stock: Some(stock),
    };
    let product = Product {
        id: ProductId::new(format!("p-{n}")),
        title: format!("盖碗 {n}"),
        picture: Some(format!("/p/{n}")),
        skus: vec![sku],
        confirmed_at_ms: 1_000,
    };
    ReceivedProduct { product, number: Some(n), version }
}

pub(crate) fn order(id: &str, version: i64) -> ReceivedOrder {
    let yuan = |n| Money::new(n, Currency::Cny);
    ReceivedOrder {
        order: Order {
            id: OrderId::new(id),
            number: format!("NO-{id}"),
            buyer: "林小姐".to_owned(),
            lines: vec![OrderLine {
                product: ProductId::new("p-1"),
                sku: SkuId::new("sku-1"),
                title: "盖碗 1".to_owned(),
                quantity: 2,
                unit_price: yuan(13_400),
            }],
            total: yuan(26_800),
            discount: yuan(0),
            payment: Payment::Paid,
            fulfilment: Fulfilment::Unshipped,
            after_sale: AfterSale::None,
            placed_at_ms: 1_000_000,
            version,
            raw_status: "paid".to_owned(),
            raw_json: r#"{"phone":"13800138000"}"#.to_owned(),
        },
        contact: Contact { name: "林小姐".to_owned(), phone: "13800138000".to_owned(), address: "杭州市西湖区".to_owned() },
        shipment: None,
    }
}

/// A store with a connection and three products in the bag.
pub(crate) async fn open_with_bag(dir: &tempfile::TempDir) -> Store {
    let store = open(dir).await;
    let rows = vec![product(1, 1, 5), product(2, 2, 5), product(3, 3, 5)];
    store.apply_products(&local(), None, page(rows, "3", false, 1_000_000), 1_000_000).await.expect("products");
    store
}
