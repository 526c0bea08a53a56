//! What the tests of this crate share.

use crate::{Connection, SealError, Sealer, Store, StoreOptions};
use stallcast_clock::ManualClock;
use stallcast_model::{
    AfterState, Capabilities, ConnectionId, Contact, Currency, FeedPage, Fulfilment, Money, Order, OrderId, OrderLine, Payment, Product,
    ProductId, ReceivedOrder, ReceivedProduct, Sku, SkuId,
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
    fn mark(&self, field: &str, value: &str) -> Result<i64, SealError> {
        Ok(field.bytes().chain(value.bytes()).fold(7, |hash: i64, b| hash.wrapping_mul(0x0100_0000_01b3) ^ i64::from(b)))
    }
}

pub(crate) fn options(dir: &tempfile::TempDir) -> StoreOptions {
    StoreOptions { path: dir.path().join("stallcast.db"), sealer: Arc::new(TestSealer), clock: Arc::new(ManualClock::new(1_000_000)) }
}

pub(crate) fn local() -> ConnectionId {
    ConnectionId::new("local")
}

pub(crate) fn native() -> Capabilities {
    Capabilities::native()
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
            after_sale: AfterState::None,
            shipments: Vec::new(),
            after_sales: Vec::new(),
            placed_at_ms: 1_000_000,
            version,
            raw_status: "paid".to_owned(),
            raw_json: r#"{"phone":"13800138000"}"#.to_owned(),
        },
        contact: Contact { name: "林小姐".to_owned(), phone: "13800138000".to_owned(), address: "杭州市西湖区".to_owned() },
    }
}

/// A store with a connection and three products in the bag.
pub(crate) async fn open_with_bag(dir: &tempfile::TempDir) -> Store {
    let store = open(dir).await;
    let rows = vec![product(1, 1, 5), product(2, 2, 5), product(3, 3, 5)];
    store.apply_products(&local(), None, page(rows, "3", false, 1_000_000), 1_000_000).await.expect("products");
    store
}

/// A parcel of order lines, by place and pieces.
pub(crate) fn parcel(id: &str, carrier: &str, tracking: &str, lines: &[(u32, u32)]) -> stallcast_model::Shipment {
    stallcast_model::Shipment {
        id: id.to_owned(),
        waybill: waybill(carrier, tracking),
        lines: lines.iter().map(|(line, quantity)| stallcast_model::LinePieces { line: *line, quantity: *quantity }).collect(),
        shipped_at_ms: Some(1_500),
        delivered_at_ms: None,
    }
}

pub(crate) fn waybill(carrier: &str, tracking: &str) -> stallcast_model::Waybill {
    stallcast_model::Waybill { carrier: carrier.to_owned(), tracking: tracking.to_owned() }
}
