//! Finding orders by what somebody typed.

use crate::buyer::{keys_by_mark, name_mark, phone_mark};
use crate::orders::{Row, complete, of_filter, select};
use crate::paging::{Candidates, Round, page};
use crate::shows::open_show;
use crate::text::Query;
use crate::words::Word;
use crate::{OrderQuery, OrderRow, Sealer, Store, StoreError};
use sqlx::SqliteConnection;
use stallcast_model::{ConnectionId, OrderStatus};
use std::collections::{BTreeSet, HashSet};

/// Which orders somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderSearch {
    /// As typed. Words that must all be there: parts of product titles, the end of an order or tracking number, a spoken
    /// number of the current show, the first character of a masked name; or, as a whole, a buyer's full name or phone number.
    /// Empty finds all.
    pub text: String,
    /// Only with this word; what is to ship includes what was shipped in part.
    pub status: Option<OrderStatus>,
    /// Only of this connection.
    pub connection: Option<ConnectionId>,
    /// Only those behind this position.
    pub before: Option<i64>,
    /// At most.
    pub limit: u32,
}

/// Found orders, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OrderPage {
    /// The rows.
    pub rows: Vec<OrderRow>,
    /// Where to go on; `None` at the end.
    pub next: Option<i64>,
}

/// What is fixed for all rounds of a search.
struct Plan<'a> {
    tx: sqlx::Transaction<'static, sqlx::Sqlite>,
    query: &'a Query,
    expression: Option<String>,
    name: Option<i64>,
    phone: Option<i64>,
    status: Option<OrderStatus>,
    connection: Option<ConnectionId>,
    sealer: &'a dyn Sealer,
    /// What a spoken number means: word, connection, product.
    spoken: Vec<(String, String, String)>,
}

impl Store {
    /// Orders that match, newest first. Buyers are found only by their whole name or number.
    ///
    /// # Errors
    /// Those of the database and of sealing.
    pub async fn search_orders(&self, search: OrderSearch) -> Result<OrderPage, StoreError> {
        let query = Query::new(&search.text);
        let limit = usize::try_from(search.limit).unwrap_or(usize::MAX).max(1);
        if query.is_empty() {
            let wanted = search.limit.max(1);
            let query = OrderQuery {
                connection: search.connection,
                status: search.status,
                before: search.before,
                limit: wanted.saturating_add(1),
                ..OrderQuery::default()
            };
            let mut rows = self.orders(query).await?;
            let next = (rows.len() > limit).then(|| rows.get(limit - 1).map(|row| row.key)).flatten();
            rows.truncate(limit);
            return Ok(OrderPage { rows, next });
        }
        let sealer = &*self.inner.sealer;
        let (name, phone) = (name_mark(sealer, &search.text)?, phone_mark(sealer, &search.text)?);
        let mut tx = self.snapshot().await?;
        let spoken = spoken(&mut tx, &query).await?;
        // The index holds what the filter asks for: see `Tokens::status`.
        let expression = query.expression(search.status.map(Word::word), |word| {
            spoken.iter().find(|(w, ..)| w == word).map(|(_, connection, product)| (connection.clone(), product.clone()))
        });
        let mut plan =
            Plan { tx, query: &query, expression, name, phone, status: search.status, connection: search.connection, sealer, spoken };
        let (rows, next) = page(&mut plan, search.before, limit).await?;
        Ok(OrderPage { rows, next })
    }
}

impl Candidates for Plan<'_> {
    type Row = OrderRow;

    fn key(row: &OrderRow) -> i64 {
        row.key
    }

    async fn round(&mut self, before: i64, most: usize) -> Result<Round<OrderRow>, StoreError> {
        let tx = &mut *self.tx;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let mut marked: HashSet<i64> = HashSet::new();
        if self.name.is_some() || self.phone.is_some() {
            marked.extend(keys_by_mark(tx, self.name, self.phone, self.status.map_or(&[], of_filter), before, limit).await?);
        }
        let mut keys: BTreeSet<i64> = marked.iter().copied().collect();
        if let Some(expression) = &self.expression {
            let found: Vec<i64> =
                sqlx::query_scalar("SELECT rowid FROM order_text WHERE order_text MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?")
                    .bind(expression)
                    .bind(before)
                    .bind(limit)
                    .fetch_all(&mut *tx)
                    .await?;
            keys.extend(found);
        }
        // Each list is complete down to its own end only: together they are so for the newest `most`.
        let keys: Vec<i64> = keys.into_iter().rev().take(most).collect();
        let more = (keys.len() == most).then(|| keys.last().copied()).flatten();
        let json = serde_json::to_string(&keys).map_err(|e| StoreError::broken("order key", e))?;
        let mut sql = select();
        sql.push(" AND o.key IN (SELECT value FROM json_each(").push_bind(json).push(")) ORDER BY o.key DESC");
        let rows: Vec<Row> = sql.build_query_as().fetch_all(&mut *tx).await?;
        let mut rows = complete(tx, self.sealer, rows).await?;
        let here = |row: &OrderRow| self.connection.as_ref().is_none_or(|connection| row.connection == *connection);
        rows.retain(|row| here(row) && (marked.contains(&row.key) || self.holds(row)));
        Ok(Round { rows, more })
    }
}

impl Plan<'_> {
    fn holds(&self, row: &OrderRow) -> bool {
        let order = &row.order;
        let numbers: Vec<&str> =
            std::iter::once(order.number.as_str()).chain(order.shipments.iter().map(|s| s.waybill.tracking.as_str())).collect();
        let titles = order.lines.iter().map(|line| line.title.as_str());
        let is_spoken = |word: &str| {
            self.spoken.iter().any(|(w, connection, product)| {
                w == word && row.connection.as_str() == connection && order.lines.iter().any(|line| line.product.as_str() == product)
            })
        };
        self.query.holds(titles, &numbers, &order.buyer, is_spoken)
    }
}

/// Products that the numbers in the query mean in the current show.
async fn spoken(tx: &mut SqliteConnection, query: &Query) -> Result<Vec<(String, String, String)>, StoreError> {
    let is_number = |word: &&String| word.len() <= 3 && word.bytes().all(|b| b.is_ascii_digit());
    let mut found = Vec::new();
    for word in query.words().iter().filter(is_number) {
        let show = open_show(tx).await?.id;
        let product: Option<(String, String)> =
            sqlx::query_as("SELECT connection, product FROM bag_item WHERE show = ? AND number = ? AND is_removed = 0")
                .bind(show)
                .bind(word.parse::<i64>().unwrap_or(0))
                .fetch_optional(&mut *tx)
                .await?;
        found.extend(product.map(|(connection, product)| (word.clone(), connection, product)));
    }
    Ok(found)
}
