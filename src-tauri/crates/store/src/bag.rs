use crate::intents::{self, add_intent, last_of_lane, select_intent};
use crate::shows::open_show;
use crate::words::small;
use crate::{IntentRow, OfferChangeRow, Store, StoreError, connections, offers, products, queue, timeline};
use sqlx::SqliteConnection;
use stallcast_model::{Action, BagItem, ConnectionId, Effect, IntentId, Product, ProductId, ShowId};
use std::collections::HashMap;

/// An item of the current show's bag, with its product as last read back.
#[derive(Debug, Clone, PartialEq)]
pub struct BagRow {
    /// Number and explanations.
    pub item: BagItem,
    /// Whose product it is.
    pub connection: ConnectionId,
    /// As confirmed.
    pub product: Product,
    /// Most pieces that were there since it came into the bag.
    pub stock_of: Option<i64>,
    /// The last pin or unpin of this item that was not replaced or given up.
    pub pin: Option<IntentRow>,
    /// The last change of its price or pieces that was not replaced or given up.
    pub change: Option<OfferChangeRow>,
}

/// What a press on 讲解 did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// False when it was so already.
    pub changed: bool,
    /// Which product.
    pub product: ProductId,
    /// On its way to the platform; `None` where only our picture can show it.
    pub intent: Option<IntentId>,
}

/// From when to when a product was explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainSpan {
    /// Spoken number.
    pub number: u32,
    /// Which product.
    pub product: ProductId,
    /// ms UTC.
    pub from_ms: i64,
    /// ms UTC; `None` while it lasts.
    pub to_ms: Option<i64>,
    /// Program time of its begin, ms.
    pub from_program_ms: Option<i64>,
    /// Program time of its end, ms.
    pub to_program_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct ItemRow {
    number: i64,
    connection: String,
    product: String,
    stock_of: Option<i64>,
    since_ms: Option<i64>,
    explained_ms: i64,
}

struct OpenSpan {
    number: i64,
    connection: String,
    product: String,
}

async fn open_span(tx: &mut SqliteConnection, show: &str) -> Result<Option<OpenSpan>, StoreError> {
    let row: Option<(i64, String, String)> = sqlx::query_as(
        "SELECT s.number, b.connection, b.product FROM explain_span AS s JOIN bag_item AS b ON b.show = s.show AND b.number = s.number
         WHERE s.show = ? AND s.to_ms IS NULL",
    )
    .bind(show)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|(number, connection, product)| OpenSpan { number, connection, product }))
}

/// Ends the explanation that runs and tells its platform. `None` when nothing was being explained.
pub(crate) async fn close_span(
    tx: &mut SqliteConnection,
    show: &str,
    now_ms: i64,
    program_ms: Option<i64>,
) -> Result<Option<Pinned>, StoreError> {
    let Some(open) = open_span(tx, show).await? else { return Ok(None) };
    end_span(tx, show, now_ms, program_ms).await?;
    timeline::note(tx, show, now_ms, "unpin", &open.number.to_string(), serde_json::json!({ "program_ms": program_ms })).await?;
    let product = ProductId::new(open.product);
    let intent = unpin_intent(tx, show, &open.connection, &product, open.number, now_ms).await?;
    Ok(Some(Pinned { changed: true, product, intent }))
}

async fn end_span(tx: &mut SqliteConnection, show: &str, now_ms: i64, program_ms: Option<i64>) -> Result<(), StoreError> {
    // The wall clock may have been set back: a span is never negative.
    sqlx::query("UPDATE explain_span SET to_ms = max(from_ms, ?), to_program_ms = ? WHERE show = ? AND to_ms IS NULL")
        .bind(now_ms)
        .bind(program_ms)
        .bind(show)
        .execute(tx)
        .await?;
    Ok(())
}

async fn unpin_intent(
    tx: &mut SqliteConnection,
    show: &str,
    connection: &str,
    product: &ProductId,
    number: i64,
    now_ms: i64,
) -> Result<Option<IntentId>, StoreError> {
    if !connections::is_native(tx, connection, Action::Pin).await? {
        return Ok(None);
    }
    let effect = Effect::Unpin { product: product.clone(), number: small(number) };
    add_intent(tx, connection, Some(show), &effect, now_ms).await.map(Some)
}

/// Which number is being explained.
pub(crate) async fn explained(tx: &mut SqliteConnection, show: &str) -> Result<Option<i64>, StoreError> {
    Ok(open_span(tx, show).await?.map(|span| span.number))
}

/// Whose product is being explained.
pub(crate) async fn explained_of(tx: &mut SqliteConnection) -> Result<Option<String>, StoreError> {
    let show = open_show(tx).await?.id;
    Ok(open_span(tx, &show).await?.map(|span| span.connection))
}

/// Takes note of a product as read. One that no shop told of before comes into the bag of the current show while there is
/// room; `number` is taken when nothing ever had it.
pub(crate) async fn take_product(
    tx: &mut SqliteConnection,
    connection: &str,
    product: &str,
    number: Option<u32>,
    stock: Option<i64>,
    is_new: bool,
) -> Result<(), StoreError> {
    let show = open_show(tx).await?.id;
    let set_stock = "UPDATE bag_item SET stock_of = CASE WHEN ?1 IS NULL THEN NULL ELSE max(coalesce(stock_of, 0), ?1) END
                     WHERE show = ?2 AND connection = ?3 AND product = ?4";
    let there = sqlx::query(set_stock).bind(stock).bind(&show).bind(connection).bind(product).execute(&mut *tx).await?;
    if there.rows_affected() > 0 || !is_new || queue::is_full(tx, &show).await? {
        return Ok(());
    }
    let number = free_number(tx, &show, number).await?;
    let position = queue::place_for(tx, &show, number).await?;
    insert_item(tx, &show, number, connection, product, position).await
}

/// A number that no product of this show ever had: the wanted one, else the next.
pub(crate) async fn free_number(tx: &mut SqliteConnection, show: &str, wanted: Option<u32>) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT CASE WHEN ?2 > 0 AND NOT EXISTS (SELECT 1 FROM bag_item WHERE show = ?1 AND number = ?2) THEN ?2
                ELSE (SELECT coalesce(max(number), 0) + 1 FROM bag_item WHERE show = ?1) END",
    )
    .bind(show)
    .bind(wanted.map(i64::from))
    .fetch_one(tx)
    .await?)
}

pub(crate) async fn insert_item(
    tx: &mut SqliteConnection,
    show: &str,
    number: i64,
    connection: &str,
    product: &str,
    position: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO bag_item (show, number, connection, product, position, stock_of)
         VALUES (?1, ?2, ?3, ?4, ?5, (SELECT sum(stock) FROM sku WHERE sku.connection = ?3 AND sku.product = ?4))",
    )
    .bind(show)
    .bind(number)
    .bind(connection)
    .bind(product)
    .bind(position)
    .execute(tx)
    .await?;
    Ok(())
}

/// Connection and product of a number that is in the bag of a show.
pub(crate) async fn of_number(tx: &mut SqliteConnection, show: &str, number: u32) -> Result<Option<(String, String)>, StoreError> {
    Ok(sqlx::query_as("SELECT connection, product FROM bag_item WHERE show = ? AND number = ? AND is_removed = 0")
        .bind(show)
        .bind(i64::from(number))
        .fetch_optional(tx)
        .await?)
}

impl Store {
    /// The bag of the current show, in the order of its queue.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn bag(&self) -> Result<Vec<BagRow>, StoreError> {
        let mut tx = self.snapshot().await?;
        let show = open_show(&mut tx).await?.id;
        let items: Vec<ItemRow> = sqlx::query_as(
            "SELECT number, connection, product, stock_of,
                 (SELECT from_ms FROM explain_span AS s WHERE s.show = b.show AND s.number = b.number AND to_ms IS NULL) AS since_ms,
                 (SELECT coalesce(sum(to_ms - from_ms), 0) FROM explain_span AS s WHERE s.show = b.show AND s.number = b.number) AS explained_ms
             FROM bag_item AS b WHERE show = ? AND is_removed = 0 ORDER BY position, number",
        )
        .bind(&show)
        .fetch_all(&mut *tx)
        .await?;
        let mut known = products::all(&mut tx, Some(&show)).await?;
        let rows: Vec<intents::Row> =
            sqlx::query_as(select_intent!("WHERE lane = 'pin' AND show = ? AND state NOT IN ('superseded', 'discarded') ORDER BY seq"))
                .bind(&show)
                .fetch_all(&mut *tx)
                .await?;
        let mut pins = HashMap::new();
        for row in rows {
            pins.insert(row.target.clone(), row);
        }
        let mut changes = offers::last_of_numbers(&mut tx, &show).await?;
        let mut bag = Vec::with_capacity(items.len());
        for i in items {
            let product =
                known.remove(&(i.connection.clone(), i.product.clone())).ok_or_else(|| StoreError::broken("bag item", i.number))?;
            bag.push(BagRow {
                item: BagItem {
                    number: small(i.number),
                    product: product.id.clone(),
                    explaining_since_ms: i.since_ms,
                    explained_ms: i.explained_ms,
                },
                connection: ConnectionId::new(i.connection),
                product,
                stock_of: i.stock_of,
                pin: pins.remove(&i.number.to_string()).map(intents::Row::read).transpose()?,
                change: changes.remove(&small(i.number)),
            });
        }
        Ok(bag)
    }

    /// 讲解: ends the explanation that runs, begins this one, writes the timeline and the intent. `None` for a number that
    /// is not in the bag. Pressed again while it holds, it changes nothing; after a failure it is asked for anew.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn pin(&self, number: u32, now_ms: i64, program_ms: Option<i64>) -> Result<Option<Pinned>, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let show = open_show(tx).await?.id;
                let Some((connection, product)) = of_number(tx, &show, number).await? else { return Ok(None) };
                let product = ProductId::new(product);
                let native = connections::is_native(tx, &connection, Action::Pin).await?;
                let before = open_span(tx, &show).await?;
                let explained_already = before.as_ref().is_some_and(|b| b.number == i64::from(number));
                if explained_already {
                    let last = last_of_lane(tx, &connection, "pin").await?;
                    if !native || last.as_ref().is_some_and(|l| l.state != "dead") {
                        let intent = last.map(|l| IntentId::new(l.id())).filter(|_| native);
                        return Ok(Some(Pinned { changed: false, product, intent }));
                    }
                } else {
                    end_span(tx, &show, now_ms, program_ms).await?;
                    sqlx::query("INSERT INTO explain_span (show, number, from_ms, from_program_ms) VALUES (?, ?, ?, ?)")
                        .bind(&show)
                        .bind(i64::from(number))
                        .bind(now_ms)
                        .bind(program_ms)
                        .execute(&mut *tx)
                        .await?;
                    let detail = serde_json::json!({ "product": product.as_str(), "program_ms": program_ms });
                    timeline::note(tx, &show, now_ms, "pin", &number.to_string(), detail).await?;
                    // Its own platform would go on showing it.
                    if let Some(b) = before.filter(|b| b.connection != connection) {
                        unpin_intent(tx, &show, &b.connection, &ProductId::new(b.product), b.number, now_ms).await?;
                    }
                }
                let intent = if native {
                    let effect = Effect::Pin { product: product.clone(), number, program_ms };
                    Some(add_intent(tx, &connection, Some(&show), &effect, now_ms).await?)
                } else {
                    None
                };
                Ok(Some(Pinned { changed: true, product, intent }))
            })
        })
        .await
    }

    /// Ends the explanation that runs. `None` when nothing was being explained.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn unpin(&self, now_ms: i64, program_ms: Option<i64>) -> Result<Option<Pinned>, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let show = open_show(tx).await?.id;
                close_span(tx, &show, now_ms, program_ms).await
            })
        })
        .await
    }

    /// The explanation that runs is surely shown at this instant: should this process die, it lasted at least until now.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn span_seen(&self, now_ms: i64, program_ms: Option<i64>) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE explain_span SET seen_ms = max(from_ms, ?), seen_program_ms = ? WHERE to_ms IS NULL")
                    .bind(now_ms)
                    .bind(program_ms)
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Ends an explanation that was left open by a process that died and whose picture is gone: at the last instant at
    /// which it was surely shown, not now. `None` when there was none.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn close_lost_span(&self, now_ms: i64) -> Result<Option<ExplainSpan>, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let show = open_show(tx).await?.id;
                let Some(open) = open_span(tx, &show).await? else { return Ok(None) };
                let (from_ms, to_ms, from_program_ms, to_program_ms): (i64, i64, Option<i64>, Option<i64>) = sqlx::query_as(
                    "UPDATE explain_span SET to_ms = coalesce(seen_ms, from_ms), to_program_ms = coalesce(seen_program_ms, from_program_ms)
                     WHERE show = ? AND to_ms IS NULL RETURNING from_ms, to_ms, from_program_ms, to_program_ms",
                )
                .bind(&show)
                .fetch_one(&mut *tx)
                .await?;
                let detail = serde_json::json!({ "program_ms": to_program_ms, "lost": true });
                timeline::note(tx, &show, to_ms, "unpin", &open.number.to_string(), detail).await?;
                let product = ProductId::new(open.product);
                unpin_intent(tx, &show, &open.connection, &product, open.number, now_ms).await?;
                let number = small(open.number);
                Ok(Some(ExplainSpan { number, product, from_ms, to_ms: Some(to_ms), from_program_ms, to_program_ms }))
            })
        })
        .await
    }

    /// What was explained in a show, oldest first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn spans(&self, show: &ShowId) -> Result<Vec<ExplainSpan>, StoreError> {
        type Row = (i64, String, i64, Option<i64>, Option<i64>, Option<i64>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT s.number, b.product, s.from_ms, s.to_ms, s.from_program_ms, s.to_program_ms
             FROM explain_span AS s JOIN bag_item AS b ON b.show = s.show AND b.number = s.number WHERE s.show = ? ORDER BY s.id",
        )
        .bind(show.as_str())
        .fetch_all(self.readers())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(number, product, from_ms, to_ms, from_program_ms, to_program_ms)| ExplainSpan {
                number: small(number),
                product: ProductId::new(product),
                from_ms,
                to_ms,
                from_program_ms,
                to_program_ms,
            })
            .collect())
    }
}
