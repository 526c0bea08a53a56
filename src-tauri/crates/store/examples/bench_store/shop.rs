//! A shop with any number of orders that look like real ones: for measuring, and for the short form of it that is a test.

use stallcast_clock::SystemClock;
use stallcast_model::{
    AfterState, Capabilities, ConnectionId, Contact, Currency, FeedPage, Fulfilment, Money, Order, OrderId, OrderLine, Payment, ProductId,
    ReceivedOrder, SkuId,
};
use stallcast_store::{Connection, SealError, Sealer, Store, StoreError, StoreOptions};
use std::path::Path;
use std::sync::Arc;

/// Orders of one page, as the local shop gives them.
pub const PAGE: u64 = 500;
/// When the first order was placed, ms UTC.
const EPOCH_MS: i64 = 1_700_000_000_000;
/// The time that all orders together take, ms: two years.
const SPAN_MS: i64 = 63_072_000_000;

/// Kinds of goods: as many as a small seller has.
const GOODS: [&str; 12] = [
    "桂花乌龙 100 g 手工采摘",
    "青瓷盖碗三件套",
    "手捏粗陶主人杯",
    "老铁壶 0.8 L",
    "竹节香插",
    "胡桃木茶盘 大号",
    "白瓷公道杯",
    "亚麻茶席 雾灰",
    "桑蚕丝茶染方巾",
    "Celadon Gaiwan 100 ml",
    "建盏 油滴 天目",
    "武夷岩茶 大红袍 礼盒装",
];

/// Costs what sealing costs: every byte is turned by a keyed stream and a tag is made. Not a cipher.
#[derive(Debug)]
struct BenchSealer;

impl Sealer for BenchSealer {
    fn seal(&self, row: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ row.len() as u64;
        let mut out = Vec::with_capacity(plain.len() + 41);
        out.resize(41, 1);
        for byte in plain {
            state = spin(state);
            out.push(byte ^ state.to_le_bytes()[0]);
        }
        Ok(out)
    }
    fn open(&self, row: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let plain = sealed.get(41..).ok_or_else(|| SealError::new("short"))?;
        Ok(self.seal(row, plain)?.split_off(41))
    }
    fn mark(&self, field: &str, value: &str) -> Result<i64, SealError> {
        Ok(field.bytes().chain(value.bytes()).fold(7, |state: u64, b| spin(state ^ u64::from(b))).cast_signed())
    }
}

fn spin(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB).wrapping_add(0x9E37_79B9_7F4A_7C15)
}

/// A number below `most` that looks random and is not.
pub fn spread(n: u64, most: i64) -> i64 {
    i64::try_from(spin(n.wrapping_mul(31).wrapping_add(17)) >> 2).unwrap_or(0) % most.max(1)
}

/// Makes the orders.
#[derive(Debug, Default, Clone, Copy)]
pub struct Shop;

impl Shop {
    pub fn number(n: u64) -> String {
        format!("2026{:014}", u64::try_from(spread(n, 99_999_999_999_999)).unwrap_or(0))
    }

    pub fn phone(n: u64) -> String {
        format!("13{:09}", n)
    }

    pub fn name(n: u64) -> String {
        let family = ["林", "陈", "周", "吴", "赵", "欧阳"][usize::try_from(n % 6).unwrap_or(0)];
        format!("{family}氏{n}号")
    }

    fn placed_at_ms(n: u64, all: u64) -> i64 {
        EPOCH_MS + SPAN_MS / i64::try_from(all.max(1)).unwrap_or(1) * i64::try_from(n).unwrap_or(0)
    }

    /// The position in lists of order `n` of `all`.
    pub fn key_near(self, n: u64, all: u64) -> i64 {
        Self::placed_at_ms(n, all) << 20
    }

    pub fn order(self, n: u64, all: u64) -> ReceivedOrder {
        let pick = usize::try_from(spread(n, 12)).unwrap_or(0);
        let yuan = |fen| Money::new(fen, Currency::Cny);
        // One in twenty thousand has something special.
        let title = if n % 20_000 == 7 { "限量孤品 柴烧壶".to_owned() } else { GOODS[pick].to_owned() };
        let line = |title: String, at: usize| OrderLine {
            product: ProductId::new(format!("p-{at}")),
            sku: SkuId::new(format!("sku-{at}")),
            title,
            quantity: 1,
            unit_price: yuan(13_400),
        };
        let mut lines = vec![line(title, pick)];
        if n.is_multiple_of(3) {
            lines.push(line(GOODS[(pick + 5) % 12].to_owned(), (pick + 5) % 12));
        }
        let age = all - n;
        // And its buyer has not paid yet.
        let payment = if n % 20_000 == 7 { Payment::Awaiting } else { Payment::Paid };
        let (fulfilment, after_sale) = match n % 50 {
            _ if payment == Payment::Awaiting => (Fulfilment::Unshipped, AfterState::None),
            1 => (Fulfilment::Shipped, AfterState::Requested),
            2 => (Fulfilment::Unshipped, AfterState::Cancelled),
            _ if age < 300 => (Fulfilment::Unshipped, AfterState::None),
            _ => (Fulfilment::Delivered, AfterState::None),
        };
        let contact =
            Contact {
                name: Self::name(n), phone: Self::phone(n), address: format!("浙江省杭州市西湖区龙井路 {n} 号 3 幢 201 室")
            };
        let raw_json = format!(
            r#"{{"id":"o-{n:08}","number":"{}","version":{n},"buyer":{{"name":"{}","phone":"{}","address":"{}"}},"lines":[{{"productId":"p-{pick}","skuId":"sku-{pick}","title":"{}","quantity":1,"unitPrice":{{"amount":13400,"currency":"CNY"}}}}],"total":{{"amount":26800,"currency":"CNY"}},"payment":"paid","fulfilment":"unshipped","afterSale":"none"}}"#,
            Self::number(n),
            contact.name,
            contact.phone,
            contact.address,
            GOODS[pick],
        );
        ReceivedOrder {
            order: Order {
                id: OrderId::new(format!("o-{n:08}")),
                number: Self::number(n),
                buyer: contact.name.clone(),
                lines,
                total: yuan(26_800),
                discount: yuan(0),
                payment,
                fulfilment,
                after_sale,
                shipments: Vec::new(),
                after_sales: Vec::new(),
                placed_at_ms: Self::placed_at_ms(n, all),
                version: i64::try_from(n).unwrap_or(0) + 1,
                raw_status: "paid/unshipped/none".to_owned(),
                raw_json,
            },
            contact,
        }
    }

    pub fn page(self, number: u64, all: u64) -> FeedPage<ReceivedOrder> {
        let rows = (number * PAGE..(number + 1) * PAGE).map(|n| self.order(n, all)).collect();
        let next = (number + 1).to_string();
        FeedPage { rows, unread: Vec::new(), next, more: (number + 1) * PAGE < all, read_at_ms: Some(EPOCH_MS), feed: None }
    }
}

pub fn connection() -> ConnectionId {
    ConnectionId::new("bench")
}

pub async fn open(path: &Path) -> Result<Store, StoreError> {
    let options = StoreOptions { path: path.to_owned(), sealer: Arc::new(BenchSealer), clock: Arc::new(SystemClock) };
    let store = Store::open(options).await?;
    store
        .put_connection(&Connection {
            id: connection(),
            kind: "local".to_owned(),
            name: "半山茶器".to_owned(),
            capabilities: Capabilities::native(),
            currency: Some(Currency::Cny),
        })
        .await?;
    Ok(store)
}

/// Applies one page as a pull worker does. Returns where the next one begins.
pub async fn apply(store: &Store, cursor: Option<&str>, page: FeedPage<ReceivedOrder>) -> Result<String, StoreError> {
    let next = page.next.clone();
    store.apply_orders(&connection(), cursor, page, EPOCH_MS).await?;
    Ok(next)
}
