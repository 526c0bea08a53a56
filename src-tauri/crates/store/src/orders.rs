use crate::intents::{self, select_intent};
use crate::parcels::Parcels;
use crate::words::{Word, small};
use crate::{IntentRow, Sealer, Store, StoreError};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use stallcast_model::{
    AfterSaleId, AfterState, ConnectionId, Currency, Effect, Fulfilment, Money, Order, OrderId, OrderLine, OrderStatus, Payment, ProductId,
    ShowId, SkuId,
};
use std::collections::HashMap;

/// An order of one connection. The buyer is masked and `raw_json` is empty: see [`Store::contact`].
#[derive(Debug, Clone, PartialEq)]
pub struct OrderRow {
    /// Its place in lists, higher for newer ones: the position of a page.
    pub key: i64,
    /// The order.
    pub order: Order,
    /// Where it was placed.
    pub connection: ConnectionId,
    /// That shop's name.
    pub connection_name: String,
    /// The show it was placed in.
    pub show: Option<ShowId>,
    /// First seen here, ms UTC.
    pub seen_at_ms: i64,
    /// Last changed here, ms UTC.
    pub changed_at_ms: i64,
    /// The buyer's name, phone and address were taken away then, ms UTC.
    pub purged_at_ms: Option<i64>,
    /// How the last parcel stands, once asked for.
    pub ship: Option<IntentRow>,
    /// How the seller's answer to each after-sale stands, once given.
    pub answers: HashMap<AfterSaleId, IntentRow>,
}

/// Which orders, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Only of this connection.
    pub connection: Option<ConnectionId>,
    /// Only with this word; what is to ship includes what was shipped in part.
    pub status: Option<OrderStatus>,
    /// Only of this show.
    pub show: Option<ShowId>,
    /// Only those behind the row with this [`OrderRow::key`].
    pub before: Option<i64>,
    /// At most.
    pub limit: u32,
}

impl Default for OrderQuery {
    fn default() -> Self {
        Self { connection: None, status: None, show: None, before: None, limit: 200 }
    }
}

/// Orders by status. Kept by the database itself: reading them costs nothing, however many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrderCounts {
    /// All.
    pub total: u32,
    /// 待付款
    pub awaiting_payment: u32,
    /// 待发货
    pub to_ship: u32,
    /// 部分发货
    pub partly_shipped: u32,
    /// 已发货
    pub shipped: u32,
    /// 已完成
    pub delivered: u32,
    /// 售后
    pub after_sale: u32,
    /// 已退款
    pub refunded: u32,
    /// 已取消
    pub cancelled: u32,
    /// A word this version does not know.
    pub unknown: u32,
}

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    key: i64,
    connection: String,
    connection_name: String,
    id: String,
    number: String,
    buyer: String,
    total: i64,
    discount: i64,
    currency: String,
    payment: String,
    fulfilment: String,
    after_sale: String,
    placed_at_ms: i64,
    version: i64,
    raw_status: String,
    show: Option<String>,
    seen_at_ms: i64,
    changed_at_ms: i64,
    purged_at_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct LineRow {
    order_key: i64,
    product: String,
    sku: String,
    title: String,
    quantity: i64,
    unit_price: i64,
}

impl Row {
    fn read(self, lines: Vec<LineRow>) -> Result<OrderRow, StoreError> {
        let currency = Currency::from_word(&self.currency)?;
        let money = |amount| Money::new(amount, currency);
        let lines = lines
            .into_iter()
            .map(|l| OrderLine {
                product: ProductId::new(l.product),
                sku: SkuId::new(l.sku),
                title: l.title,
                quantity: small(l.quantity),
                unit_price: money(l.unit_price),
            })
            .collect();
        Ok(OrderRow {
            key: self.key,
            order: Order {
                id: OrderId::new(self.id),
                number: self.number,
                buyer: self.buyer,
                lines,
                total: money(self.total),
                discount: money(self.discount),
                payment: Payment::from_word(&self.payment)?,
                fulfilment: Fulfilment::from_word(&self.fulfilment)?,
                after_sale: AfterState::from_word(&self.after_sale)?,
                shipments: Vec::new(),
                after_sales: Vec::new(),
                placed_at_ms: self.placed_at_ms,
                version: self.version,
                raw_status: self.raw_status,
                raw_json: String::new(),
            },
            connection: ConnectionId::new(self.connection),
            connection_name: self.connection_name,
            show: self.show.map(ShowId::new),
            seen_at_ms: self.seen_at_ms,
            changed_at_ms: self.changed_at_ms,
            purged_at_ms: self.purged_at_ms,
            ship: None,
            answers: HashMap::new(),
        })
    }
}

pub(crate) fn select() -> QueryBuilder<Sqlite> {
    QueryBuilder::new(
        "SELECT o.key, o.connection, c.name AS connection_name, o.id, o.number, o.buyer, o.total, o.discount, o.currency, o.payment, o.fulfilment,
             o.after_sale, o.placed_at_ms, o.version, o.raw_status, o.show, o.seen_at_ms, o.changed_at_ms, o.purged_at_ms
         FROM orders AS o CROSS JOIN connection AS c ON c.id = o.connection WHERE 1",
    )
}

/// Statuses that a filter lets through: whoever packs wants to see what is left of an order as well.
pub(crate) const fn of_filter(status: OrderStatus) -> &'static [OrderStatus] {
    match status {
        OrderStatus::ToShip => &[OrderStatus::ToShip, OrderStatus::PartlyShipped],
        OrderStatus::AwaitingPayment => &[OrderStatus::AwaitingPayment],
        OrderStatus::PartlyShipped => &[OrderStatus::PartlyShipped],
        OrderStatus::Shipped => &[OrderStatus::Shipped],
        OrderStatus::Delivered => &[OrderStatus::Delivered],
        OrderStatus::AfterSale => &[OrderStatus::AfterSale],
        OrderStatus::Refunded => &[OrderStatus::Refunded],
        OrderStatus::Cancelled => &[OrderStatus::Cancelled],
        OrderStatus::Unknown => &[OrderStatus::Unknown],
    }
}

/// Adds lines, parcels, after-sales and intents to rows, in a few queries however many there are.
pub(crate) async fn complete(tx: &mut SqliteConnection, sealer: &dyn Sealer, rows: Vec<Row>) -> Result<Vec<OrderRow>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let json = |list: Result<String, serde_json::Error>| list.map_err(|e| StoreError::broken("order id", e));
    let keys = json(serde_json::to_string(&rows.iter().map(|r| r.key).collect::<Vec<_>>()))?;
    let ids = json(serde_json::to_string(&rows.iter().map(|r| r.id.as_str()).collect::<Vec<_>>()))?;
    let line_rows: Vec<LineRow> = sqlx::query_as(
        "SELECT order_key, product, sku, title, quantity, unit_price FROM order_line
         WHERE order_key IN (SELECT value FROM json_each(?)) ORDER BY order_key, position",
    )
    .bind(&keys)
    .fetch_all(&mut *tx)
    .await?;
    let mut lines: HashMap<i64, Vec<LineRow>> = HashMap::new();
    for line in line_rows {
        lines.entry(line.order_key).or_default().push(line);
    }
    let mut parcels = Parcels::of(tx, &keys).await?;
    let intent_rows: Vec<intents::Row> = sqlx::query_as(select_intent!(
        "WHERE lane IN (SELECT 'order:' || value FROM json_each(?)) AND state NOT IN ('superseded', 'discarded') ORDER BY seq"
    ))
    .bind(ids)
    .fetch_all(tx)
    .await?;
    // The last of each: of parcels by order, of answers by after-sale.
    let mut ships: HashMap<(String, OrderId), IntentRow> = HashMap::new();
    let mut answers: HashMap<(String, OrderId), HashMap<AfterSaleId, IntentRow>> = HashMap::new();
    for row in intent_rows {
        let intent = row.read()?;
        let connection = intent.connection.as_str().to_owned();
        match &intent.effect {
            Effect::Ship { order, .. } => {
                ships.insert((connection, order.clone()), intent);
            }
            Effect::AnswerAfterSale { order, after_sale, .. } => {
                answers.entry((connection, order.clone())).or_default().insert(after_sale.clone(), intent);
            }
            _ => {}
        }
    }
    rows.into_iter()
        .map(|row| {
            let (key, at) = (row.key, (row.connection.clone(), OrderId::new(row.id.as_str())));
            let mut row = row.read(lines.remove(&key).unwrap_or_default())?;
            parcels.complete(sealer, &at.0, key, &mut row.order)?;
            row.ship = ships.remove(&at);
            row.answers = answers.remove(&at).unwrap_or_default();
            Ok(row)
        })
        .collect()
}

impl Store {
    /// A page of orders, newest first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn orders(&self, query: OrderQuery) -> Result<Vec<OrderRow>, StoreError> {
        let mut tx = self.snapshot().await?;
        self.orders_as_of(&mut tx, query).await
    }

    /// The same and the counts of all orders, as of one instant: a list never shows fewer than it counts.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn orders_and_counts(&self, query: OrderQuery) -> Result<(Vec<OrderRow>, OrderCounts), StoreError> {
        let mut tx = self.snapshot().await?;
        let orders = self.orders_as_of(&mut tx, query).await?;
        Ok((orders, counts_as_of(&mut tx).await?))
    }

    async fn orders_as_of(&self, tx: &mut SqliteConnection, query: OrderQuery) -> Result<Vec<OrderRow>, StoreError> {
        let mut sql = select();
        if let Some(connection) = &query.connection {
            sql.push(" AND o.connection = ").push_bind(connection.as_str().to_owned());
        }
        if let Some(status) = query.status {
            sql.push(" AND o.status IN (");
            let mut words = sql.separated(", ");
            for status in of_filter(status) {
                words.push_bind(status.word());
            }
            sql.push(")");
        }
        if let Some(show) = &query.show {
            sql.push(" AND o.show = ").push_bind(show.as_str().to_owned());
        }
        if let Some(before) = query.before {
            sql.push(" AND o.key < ").push_bind(before);
        }
        sql.push(" ORDER BY o.key DESC LIMIT ").push_bind(i64::from(query.limit));
        let rows: Vec<Row> = sql.build_query_as().fetch_all(&mut *tx).await?;
        complete(tx, &*self.inner.sealer, rows).await
    }

    /// One order.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn order(&self, connection: &ConnectionId, id: &OrderId) -> Result<Option<OrderRow>, StoreError> {
        let mut sql = select();
        sql.push(" AND o.id = ").push_bind(id.as_str().to_owned());
        sql.push(" AND o.connection = ").push_bind(connection.as_str().to_owned());
        let mut tx = self.snapshot().await?;
        let rows: Vec<Row> = sql.build_query_as().fetch_all(&mut *tx).await?;
        Ok(complete(&mut tx, &*self.inner.sealer, rows).await?.pop())
    }

    /// How many orders there are, by status.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn order_counts(&self) -> Result<OrderCounts, StoreError> {
        counts_as_of(&mut *self.snapshot().await?).await
    }
}

async fn counts_as_of(tx: &mut SqliteConnection) -> Result<OrderCounts, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as("SELECT status, sum(orders) FROM order_tally GROUP BY status").fetch_all(tx).await?;
    let mut counts = OrderCounts::default();
    for (word, n) in rows {
        let place = match OrderStatus::from_word(&word)? {
            OrderStatus::AwaitingPayment => &mut counts.awaiting_payment,
            OrderStatus::ToShip => &mut counts.to_ship,
            OrderStatus::PartlyShipped => &mut counts.partly_shipped,
            OrderStatus::Shipped => &mut counts.shipped,
            OrderStatus::Delivered => &mut counts.delivered,
            OrderStatus::AfterSale => &mut counts.after_sale,
            OrderStatus::Refunded => &mut counts.refunded,
            OrderStatus::Cancelled => &mut counts.cancelled,
            OrderStatus::Unknown => &mut counts.unknown,
        };
        *place = small(n);
        counts.total = counts.total.saturating_add(small(n));
    }
    Ok(counts)
}
