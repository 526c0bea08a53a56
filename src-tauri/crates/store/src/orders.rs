use crate::intents::{self, add_intent, last_of_lane, select_intent};
use crate::shows::open_show;
use crate::words::{Word, small};
use crate::{IntentRow, OrderChange, Sealer, Store, StoreError, connections};
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use stallcast_model::{
    Action, AfterSale, ConnectionId, Contact, Currency, Effect, Fulfilment, IntentId, Money, Order, OrderId, OrderLine, OrderStatus,
    Payment, ProductId, ReceivedOrder, Shipment, ShowId, SkuId, mask_name,
};
use std::collections::HashMap;

/// An order of one connection. The buyer is masked and `raw_json` is empty: see [`Store::contact`].
#[derive(Debug, Clone, PartialEq)]
pub struct OrderRow {
    /// The order.
    pub order: Order,
    /// Where it was placed.
    pub connection: ConnectionId,
    /// That shop's name.
    pub connection_name: String,
    /// The show it was placed in.
    pub show: Option<ShowId>,
    /// How it was sent, as read back.
    pub shipment: Option<Shipment>,
    /// First seen here, ms UTC.
    pub seen_at_ms: i64,
    /// Last changed here, ms UTC.
    pub changed_at_ms: i64,
    /// How shipping it stands, once asked for.
    pub ship: Option<IntentRow>,
}

/// A place in the list of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPosition {
    /// ms UTC.
    pub placed_at_ms: i64,
    /// Connection of the order there.
    pub connection: ConnectionId,
    /// The order there.
    pub id: OrderId,
}

/// Which orders, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Only of this connection.
    pub connection: Option<ConnectionId>,
    /// Only with this word.
    pub status: Option<OrderStatus>,
    /// Only of this show.
    pub show: Option<ShowId>,
    /// Only older ones than this.
    pub before: Option<OrderPosition>,
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

/// What is sealed into an order's row.
#[derive(Serialize, Deserialize)]
struct Sealed {
    contact: Contact,
    raw_json: String,
}

pub(crate) fn row_name(connection: &str, id: &str) -> String {
    format!("order:{connection}:{id}")
}

/// An order ready to be written: what is personal is sealed.
pub(crate) struct Prepared {
    order: Order,
    shipment: Option<Shipment>,
    sealed: Vec<u8>,
}

impl Prepared {
    pub(crate) fn new(sealer: &dyn Sealer, connection: &str, received: ReceivedOrder) -> Result<Self, StoreError> {
        let ReceivedOrder { mut order, contact, shipment } = received;
        let full = Sealed { contact, raw_json: std::mem::take(&mut order.raw_json) };
        let plain = serde_json::to_vec(&full).map_err(|e| StoreError::broken("order", e))?;
        let sealed = sealer.seal(&row_name(connection, order.id.as_str()), &plain)?;
        order.buyer = mask_name(&order.buyer);
        Ok(Self { order, shipment, sealed })
    }
}

/// One currency an order, at least no negative quantity of rules: what the columns can hold.
pub(crate) fn fits(order: &Order) -> bool {
    let currency = order.total.currency;
    order.discount.currency == currency && order.lines.iter().all(|l| l.unit_price.currency == currency)
}

/// Stores an order once, at its highest version. `None` for a repeat or an older one.
pub(crate) async fn upsert(
    tx: &mut SqliteConnection,
    connection: &str,
    new: &Prepared,
    now_ms: i64,
) -> Result<Option<OrderChange>, StoreError> {
    let order = &new.order;
    let id = order.id.as_str();
    let before: Option<(i64, String)> = sqlx::query_as("SELECT version, status FROM orders WHERE connection = ? AND id = ?")
        .bind(connection)
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
    if before.as_ref().is_some_and(|(version, _)| *version >= order.version) {
        return Ok(None);
    }
    let status = order.status();
    sqlx::query(
        "INSERT INTO orders (connection, id, number, buyer, total, discount, currency, payment, fulfilment, after_sale, status, placed_at_ms,
             version, raw_status, carrier, tracking, sealed, show, seen_at_ms, changed_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
             (SELECT id FROM show WHERE begun_at_ms <= ?12 AND (ended_at_ms IS NULL OR ended_at_ms > ?12) ORDER BY begun_at_ms DESC LIMIT 1), ?18, ?18)
         ON CONFLICT (connection, id) DO UPDATE SET number = excluded.number, buyer = excluded.buyer, total = excluded.total,
             discount = excluded.discount, currency = excluded.currency, payment = excluded.payment, fulfilment = excluded.fulfilment,
             after_sale = excluded.after_sale, status = excluded.status, placed_at_ms = excluded.placed_at_ms, version = excluded.version,
             raw_status = excluded.raw_status, carrier = excluded.carrier, tracking = excluded.tracking, sealed = excluded.sealed,
             changed_at_ms = excluded.changed_at_ms",
    )
    .bind(connection)
    .bind(id)
    .bind(&order.number)
    .bind(&order.buyer)
    .bind(order.total.amount)
    .bind(order.discount.amount)
    .bind(order.total.currency.word())
    .bind(order.payment.word())
    .bind(order.fulfilment.word())
    .bind(order.after_sale.word())
    .bind(status.word())
    .bind(order.placed_at_ms)
    .bind(order.version)
    .bind(&order.raw_status)
    .bind(new.shipment.as_ref().map(|s| s.carrier.as_str()))
    .bind(new.shipment.as_ref().map(|s| s.tracking.as_str()))
    .bind(&new.sealed)
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    if before.is_some() {
        sqlx::query("DELETE FROM order_line WHERE order_id = ? AND connection = ?").bind(id).bind(connection).execute(&mut *tx).await?;
    }
    for (position, line) in (0_i64..).zip(&order.lines) {
        sqlx::query("INSERT INTO order_line (order_id, connection, position, product, sku, title, quantity, unit_price) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(id)
            .bind(connection)
            .bind(position)
            .bind(line.product.as_str())
            .bind(line.sku.as_str())
            .bind(&line.title)
            .bind(i64::from(line.quantity))
            .bind(line.unit_price.amount)
            .execute(&mut *tx)
            .await?;
    }
    let before = before.map(|(_, word)| OrderStatus::from_word(&word)).transpose()?;
    Ok(Some(OrderChange { id: order.id.clone(), is_new: before.is_none(), before, now: status }))
}

#[derive(sqlx::FromRow)]
struct Row {
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
    carrier: Option<String>,
    tracking: Option<String>,
    show: Option<String>,
    seen_at_ms: i64,
    changed_at_ms: i64,
}

#[derive(sqlx::FromRow)]
struct LineRow {
    order_id: String,
    connection: String,
    product: String,
    sku: String,
    title: String,
    quantity: i64,
    unit_price: i64,
}

impl Row {
    fn read(self, lines: Vec<LineRow>, ship: Option<IntentRow>) -> Result<OrderRow, StoreError> {
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
            order: Order {
                id: OrderId::new(self.id),
                number: self.number,
                buyer: self.buyer,
                lines,
                total: money(self.total),
                discount: money(self.discount),
                payment: Payment::from_word(&self.payment)?,
                fulfilment: Fulfilment::from_word(&self.fulfilment)?,
                after_sale: AfterSale::from_word(&self.after_sale)?,
                placed_at_ms: self.placed_at_ms,
                version: self.version,
                raw_status: self.raw_status,
                raw_json: String::new(),
            },
            connection: ConnectionId::new(self.connection),
            connection_name: self.connection_name,
            show: self.show.map(ShowId::new),
            shipment: self.carrier.zip(self.tracking).map(|(carrier, tracking)| Shipment { carrier, tracking }),
            seen_at_ms: self.seen_at_ms,
            changed_at_ms: self.changed_at_ms,
            ship,
        })
    }
}

fn select() -> QueryBuilder<Sqlite> {
    QueryBuilder::new(
        "SELECT o.connection, c.name AS connection_name, o.id, o.number, o.buyer, o.total, o.discount, o.currency, o.payment, o.fulfilment,
             o.after_sale, o.placed_at_ms, o.version, o.raw_status, o.carrier, o.tracking, o.show, o.seen_at_ms, o.changed_at_ms
         FROM orders AS o JOIN connection AS c ON c.id = o.connection WHERE 1",
    )
}

/// Adds lines and shipping intents to rows, in three queries however many there are.
async fn complete(tx: &mut SqliteConnection, rows: Vec<Row>) -> Result<Vec<OrderRow>, StoreError> {
    let ids =
        serde_json::to_string(&rows.iter().map(|r| r.id.as_str()).collect::<Vec<_>>()).map_err(|e| StoreError::broken("order id", e))?;
    let line_rows: Vec<LineRow> = sqlx::query_as(
        "SELECT order_id, connection, product, sku, title, quantity, unit_price FROM order_line
         WHERE order_id IN (SELECT value FROM json_each(?)) ORDER BY order_id, connection, position",
    )
    .bind(&ids)
    .fetch_all(&mut *tx)
    .await?;
    let mut lines: HashMap<(String, String), Vec<LineRow>> = HashMap::new();
    for line in line_rows {
        lines.entry((line.connection.clone(), line.order_id.clone())).or_default().push(line);
    }
    let intent_rows: Vec<intents::Row> = sqlx::query_as(select_intent!(
        "WHERE lane IN (SELECT 'order:' || value FROM json_each(?)) AND state NOT IN ('superseded', 'discarded') ORDER BY seq"
    ))
    .bind(&ids)
    .fetch_all(tx)
    .await?;
    let mut ships: HashMap<(String, String), IntentRow> = HashMap::new();
    for row in intent_rows {
        let target = row.target.clone();
        let intent = row.read()?;
        ships.insert((intent.connection.as_str().to_owned(), target), intent);
    }
    rows.into_iter()
        .map(|row| {
            let key = (row.connection.clone(), row.id.clone());
            let (lines, ship) = (lines.remove(&key).unwrap_or_default(), ships.remove(&key));
            row.read(lines, ship)
        })
        .collect()
}

impl Store {
    /// A page of orders, newest first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn orders(&self, query: OrderQuery) -> Result<Vec<OrderRow>, StoreError> {
        let mut sql = select();
        if let Some(connection) = &query.connection {
            sql.push(" AND o.connection = ").push_bind(connection.as_str().to_owned());
        }
        if let Some(status) = query.status {
            sql.push(" AND o.status = ").push_bind(status.word());
        }
        if let Some(show) = &query.show {
            sql.push(" AND o.show = ").push_bind(show.as_str().to_owned());
        }
        if let Some(before) = &query.before {
            sql.push(" AND (o.placed_at_ms, o.connection, o.id) < (").push_bind(before.placed_at_ms);
            sql.push(", ").push_bind(before.connection.as_str().to_owned());
            sql.push(", ").push_bind(before.id.as_str().to_owned()).push(")");
        }
        sql.push(" ORDER BY o.placed_at_ms DESC, o.connection DESC, o.id DESC LIMIT ").push_bind(i64::from(query.limit));
        let mut tx = self.snapshot().await?;
        let rows: Vec<Row> = sql.build_query_as().fetch_all(&mut *tx).await?;
        complete(&mut tx, rows).await
    }

    /// One order.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn order(&self, connection: &ConnectionId, id: &OrderId) -> Result<Option<OrderRow>, StoreError> {
        self.one_order(Some(connection), id).await
    }

    /// One order of any connection.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn find_order(&self, id: &OrderId) -> Result<Option<OrderRow>, StoreError> {
        self.one_order(None, id).await
    }

    async fn one_order(&self, connection: Option<&ConnectionId>, id: &OrderId) -> Result<Option<OrderRow>, StoreError> {
        let mut sql = select();
        sql.push(" AND o.id = ").push_bind(id.as_str().to_owned());
        if let Some(connection) = connection {
            sql.push(" AND o.connection = ").push_bind(connection.as_str().to_owned());
        }
        sql.push(" LIMIT 1");
        let mut tx = self.snapshot().await?;
        let rows: Vec<Row> = sql.build_query_as().fetch_all(&mut *tx).await?;
        Ok(complete(&mut tx, rows).await?.pop())
    }

    /// How many orders there are, by status.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn order_counts(&self) -> Result<OrderCounts, StoreError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT status, sum(orders) FROM order_tally GROUP BY status").fetch_all(self.readers()).await?;
        let mut counts = OrderCounts::default();
        for (word, n) in rows {
            let place = match OrderStatus::from_word(&word)? {
                OrderStatus::AwaitingPayment => &mut counts.awaiting_payment,
                OrderStatus::ToShip => &mut counts.to_ship,
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

    /// Who receives an order, unsealed. For the one screen that needs it.
    ///
    /// # Errors
    /// [`StoreError::Sealer`] when the key does not fit.
    pub async fn contact(&self, connection: &ConnectionId, id: &OrderId) -> Result<Option<Contact>, StoreError> {
        Ok(self.unseal(connection, id).await?.map(|s| s.contact))
    }

    /// The platform's own JSON of an order, unsealed.
    ///
    /// # Errors
    /// [`StoreError::Sealer`] when the key does not fit.
    pub async fn raw_order(&self, connection: &ConnectionId, id: &OrderId) -> Result<Option<String>, StoreError> {
        Ok(self.unseal(connection, id).await?.map(|s| s.raw_json))
    }

    async fn unseal(&self, connection: &ConnectionId, id: &OrderId) -> Result<Option<Sealed>, StoreError> {
        let sealed: Option<Option<Vec<u8>>> = sqlx::query_scalar("SELECT sealed FROM orders WHERE connection = ? AND id = ?")
            .bind(connection.as_str())
            .bind(id.as_str())
            .fetch_optional(self.readers())
            .await?;
        let Some(sealed) = sealed.flatten() else { return Ok(None) };
        let plain = self.inner.sealer.open(&row_name(connection.as_str(), id.as_str()), &sealed)?;
        serde_json::from_slice(&plain).map(Some).map_err(|e| StoreError::broken("sealed order", e))
    }

    /// Writes down that an order was sent. Pressed twice with the same content, it is the same intent. `None` for an
    /// order that is not there.
    ///
    /// # Errors
    /// [`StoreError::WrongState`]: `shipping` while another content is on its way, `unavailable`, or the order's status
    /// unless it is `to_ship`.
    pub async fn request_ship(
        &self,
        connection: &ConnectionId,
        id: &OrderId,
        shipment: &Shipment,
        now_ms: i64,
    ) -> Result<Option<IntentId>, StoreError> {
        let (connection, effect) = (connection.as_str().to_owned(), Effect::Ship { order: id.clone(), shipment: shipment.clone() });
        let id = id.as_str().to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let status: Option<String> = sqlx::query_scalar("SELECT status FROM orders WHERE connection = ? AND id = ?")
                    .bind(&connection)
                    .bind(&id)
                    .fetch_optional(&mut *tx)
                    .await?;
                let Some(status) = status else { return Ok(None) };
                if let Some(last) = last_of_lane(tx, &connection, &effect.lane()).await? {
                    let (state, intent_id) = (last.state.clone(), last.id().to_owned());
                    let same = last.read()?.effect == effect;
                    match state.as_str() {
                        "dead" if same => {
                            // The same key again: what may have happened after all cannot happen twice.
                            sqlx::query(
                                "UPDATE outbox SET state = 'pending', attempts = 0, next_at_ms = ?, changed_at_ms = ? WHERE id = ?",
                            )
                            .bind(now_ms)
                            .bind(now_ms)
                            .bind(&intent_id)
                            .execute(tx)
                            .await?;
                            return Ok(Some(IntentId::new(intent_id)));
                        }
                        "dead" => {}
                        _ if same => return Ok(Some(IntentId::new(intent_id))),
                        "confirmed" if status == OrderStatus::ToShip.word() => {}
                        "confirmed" => return Err(StoreError::wrong_state(status)),
                        _ => return Err(StoreError::wrong_state("shipping")),
                    }
                }
                if status != OrderStatus::ToShip.word() {
                    return Err(StoreError::wrong_state(status));
                }
                if !connections::is_native(tx, &connection, Action::Ship).await? {
                    return Err(StoreError::wrong_state("unavailable"));
                }
                let show = open_show(tx).await?.id;
                add_intent(tx, &connection, Some(&show), &effect, now_ms).await.map(Some)
            })
        })
        .await
    }
}
