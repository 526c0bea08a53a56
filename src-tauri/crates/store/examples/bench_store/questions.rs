//! What a seller asks of the list of orders, one kind a column.

use super::shop::{Shop, spread};
use stallcast_model::OrderStatus;
use stallcast_store::{OrderPage, OrderSearch, Store};

/// Rows of a page, as the panel asks for them.
const ROWS: u32 = 100;

/// One kind of question.
pub struct Question {
    /// Heading of its column.
    pub kind: &'static str,
    /// What is asked in turn `n`.
    wish: Box<dyn Fn(u64) -> OrderSearch>,
}

/// All kinds, for a database of `orders` orders that is asked `asked` times.
pub fn all(orders: u64, asked: u64) -> [Question; 8] {
    let question = |kind, wish| Question { kind, wish };
    let find = |text: String, status: Option<OrderStatus>, before: Option<i64>| OrderSearch {
        text,
        status,
        connection: None,
        before,
        limit: ROWS,
    };
    // A place in the middle of the list.
    let middle = Shop.key_near(orders / 2, orders);
    let nth = move |n: u64| n * (orders / asked.max(1));
    [
        question("newest", Box::new(move |_| find(String::new(), None, None))),
        question("older", Box::new(move |n| find(String::new(), None, Some(middle - spread(n, 1 << 30))))),
        question(
            "filter",
            Box::new(move |n| {
                let status = if n % 3 == 0 { OrderStatus::ToShip } else { OrderStatus::AfterSale };
                find(String::new(), Some(status), (n % 3 == 2).then_some(middle))
            }),
        ),
        question("few", Box::new(move |_| find(String::new(), Some(OrderStatus::AwaitingPayment), None))),
        question(
            "word",
            Box::new(move |n| {
                let words = ["茶", "盖碗", "青瓷", "gaiwan 100", "桂花乌龙 茶"];
                find(words[(n % 5) as usize].to_owned(), (n % 3 == 0).then_some(OrderStatus::AfterSale), None)
            }),
        ),
        question("rare", Box::new(move |_| find("限量孤品".to_owned(), None, None))),
        question("number", Box::new(move |n| find(Shop::number(nth(n))[10..].to_owned(), None, None))),
        question("buyer", Box::new(move |n| find(if n % 2 == 0 { Shop::phone(nth(n)) } else { Shop::name(nth(n)) }, None, None))),
    ]
}

/// Asks one of a kind in turn `n`. There is something to be found.
///
/// # Errors
/// Those of the database, and that nothing was found.
pub async fn ask(store: &Store, question: &Question, n: u64) -> Result<OrderPage, Box<dyn std::error::Error>> {
    let search = (question.wish)(n);
    let page = store.search_orders(search.clone()).await?;
    if page.rows.is_empty() { Err(format!("nothing found: {search:?}").into()) } else { Ok(page) }
}
