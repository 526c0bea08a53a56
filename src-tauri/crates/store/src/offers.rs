//! Changes of price and pieces while people buy, and the orders that fell in between.

use crate::intents::{self, add_intent};
use crate::shows::open_show;
use crate::words::{Word, small};
use crate::{IntentRow, IntentState, Store, StoreError, bag, connections, products, timeline};
use sqlx::SqliteConnection;
use stallcast_model::{Action, ChangeId, Currency, Effect, Invalid, Money, NewPrice, OfferTerms, OrderId, ProductId, ReadOffer, SkuId};
use std::collections::HashMap;

/// A change of price or pieces, and how it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferChangeRow {
    /// Which.
    pub id: ChangeId,
    /// Which variant.
    pub sku: SkuId,
    /// What it is to cost; `None` where only pieces change.
    pub price: Option<Money>,
    /// What it cost until then.
    pub price_before: Money,
    /// Pieces that come or go.
    pub stock_by: i64,
    /// How it stands.
    pub intent: IntentRow,
    /// Affected orders that pay the price before, or any other than the new one.
    pub at_other_price: u32,
    /// Affected orders that pay the new price already.
    pub at_new_price: u32,
}

/// What the host wants to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferWish {
    /// Spoken number.
    pub number: u32,
    /// Which variant; the first with `None`.
    pub sku: Option<SkuId>,
    /// New price.
    pub price: Option<Money>,
    /// Pieces that come or go.
    pub stock_by: i64,
}

impl Store {
    /// Writes a change of a product in the bag down and the intent that makes it. `None` for a number that is not in the bag.
    /// `ahead_ms`: the platform's clock minus ours.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], [`StoreError::WrongState`] (`unavailable`) when the connection has no call for it.
    pub async fn change_offer(&self, wish: &OfferWish, ahead_ms: i64, now_ms: i64) -> Result<Option<ChangeId>, StoreError> {
        let wish = wish.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let show = open_show(tx).await?.id;
                let Some((connection, product)) = bag::of_number(tx, &show, wish.number).await? else { return Ok(None) };
                if !connections::is_native(tx, &connection, Action::ChangeOffer).await? {
                    return Err(StoreError::wrong_state("unavailable"));
                }
                let Some((_, known)) = products::one(tx, &connection, &product).await? else { return Ok(None) };
                let sku = match &wish.sku {
                    Some(id) => known.skus.iter().find(|s| s.id == *id),
                    None => known.lead_sku(),
                };
                let sku = sku.ok_or(Invalid::new("sku", "missing"))?;
                if wish.price.is_some_and(|p| p.currency != sku.price.currency) {
                    return Err(Invalid::new("price", "currency").into());
                }
                // What it costs already needs no change.
                let price = wish.price.filter(|p| *p != sku.price).map(|p| NewPrice::replacing(p, sku.price, sku.old_price));
                let terms = OfferTerms { sku: sku.id.clone(), price, stock_by: wish.stock_by };
                terms.validate()?;
                let id = ChangeId::new(Store::new_id(now_ms));
                let effect = Effect::ChangeOffer { change: id.clone(), product: ProductId::new(product), terms: terms.clone() };
                let intent = add_intent(tx, &connection, Some(&show), &effect, now_ms).await?;
                let price = terms.price.map(|p| p.price.amount);
                sqlx::query(
                    "INSERT INTO offer_change (id, connection, show, number, intent, sku, currency, price, price_before, stock_by, asked_at_ms)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(id.as_str())
                .bind(&connection)
                .bind(&show)
                .bind(i64::from(wish.number))
                .bind(intent.as_str())
                .bind(sku.id.as_str())
                .bind(sku.price.currency.word())
                .bind(price)
                .bind(sku.price.amount)
                .bind(terms.stock_by)
                .bind(now_ms + ahead_ms)
                .execute(&mut *tx)
                .await?;
                let detail = serde_json::json!({
                    "change": id.as_str(), "sku": sku.id.as_str(), "price": price, "before": sku.price.amount, "stock_by": terms.stock_by,
                });
                timeline::note(tx, &show, now_ms, "offer", &wish.number.to_string(), detail).await?;
                Ok(Some(id))
            })
        })
        .await
    }

    /// Orders that a change affected, with the price they pay, in order of id.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn affected_orders(&self, change: &ChangeId) -> Result<Vec<(OrderId, i64)>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT order_id, unit_price FROM affected_order WHERE change = ? ORDER BY order_id")
            .bind(change.as_str())
            .fetch_all(self.readers())
            .await?;
        Ok(rows.into_iter().map(|(id, price)| (OrderId::new(id), price)).collect())
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    number: i64,
    intent: String,
    sku: String,
    currency: String,
    price: Option<i64>,
    price_before: i64,
    stock_by: i64,
    other: i64,
    new: i64,
}

/// The last change of each number of a show that was not replaced or given up.
pub(crate) async fn last_of_numbers(tx: &mut SqliteConnection, show: &str) -> Result<HashMap<u32, OfferChangeRow>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT c.id, c.number, c.intent, c.sku, c.currency, c.price, c.price_before, c.stock_by,
             (SELECT count(*) FROM affected_order AS a WHERE a.change = c.id AND a.unit_price <> c.price) AS other,
             (SELECT count(*) FROM affected_order AS a WHERE a.change = c.id AND a.unit_price = c.price) AS new
         FROM offer_change AS c JOIN outbox AS o ON o.id = c.intent
         WHERE c.show = ? AND o.state NOT IN ('superseded', 'discarded')
             AND o.seq = (SELECT max(p.seq) FROM offer_change AS d JOIN outbox AS p ON p.id = d.intent
                 WHERE d.show = c.show AND d.number = c.number AND p.state NOT IN ('superseded', 'discarded'))",
    )
    .bind(show)
    .fetch_all(&mut *tx)
    .await?;
    let mut last = HashMap::with_capacity(rows.len());
    for row in rows {
        let currency = Currency::from_word(&row.currency)?;
        let intent = intents::find(tx, &row.intent).await?.map(intents::Row::read).transpose()?;
        let Some(intent) = intent.filter(|i| !matches!(i.state, IntentState::Superseded | IntentState::Discarded)) else { continue };
        let change = OfferChangeRow {
            id: ChangeId::new(row.id),
            sku: SkuId::new(row.sku),
            price: row.price.map(|amount| Money::new(amount, currency)),
            price_before: Money::new(row.price_before, currency),
            stock_by: row.stock_by,
            intent,
            at_other_price: small(row.other),
            at_new_price: small(row.new),
        };
        last.insert(small(row.number), change);
    }
    Ok(last)
}

/// Read back: the change holds. The product is stored as it stands now, and so are the orders that fell in between.
pub(crate) async fn take_read(
    tx: &mut SqliteConnection,
    connection: &str,
    show: Option<&str>,
    read: &ReadOffer,
    now_ms: i64,
) -> Result<(), StoreError> {
    products::upsert(tx, connection, &read.product).await?;
    let number: Option<i64> = sqlx::query_scalar(
        "UPDATE offer_change SET applied_at_ms = ?, confirmed_at_ms = ?, price_before = coalesce(?, price_before) WHERE id = ? RETURNING number",
    )
    .bind(read.applied_at_ms)
    .bind(read.read_at_ms.max(read.applied_at_ms))
    .bind(read.price_before.map(|m| m.amount))
    .bind(read.id.as_str())
    .fetch_optional(&mut *tx)
    .await?;
    if let (Some(show), Some(number)) = (show, number) {
        let detail = serde_json::json!({
            "change": read.id.as_str(), "applied_at_ms": read.applied_at_ms,
            "price": read.terms.price.as_ref().map(|p| p.price.amount), "before": read.price_before.map(|m| m.amount),
            "stock_by": read.terms.stock_by,
        });
        timeline::note(tx, show, now_ms, "offer_active", &number.to_string(), detail).await?;
        note_affected(tx, connection, None, now_ms).await?;
    }
    Ok(())
}

/// Writes down which orders the price changes of this show affected: those placed between asking and knowing, and those
/// that pay another price than the one that held. Among these orders, or all with `None`. Each once.
pub(crate) async fn note_affected(
    tx: &mut SqliteConnection,
    connection: &str,
    among: Option<&[&str]>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let show = open_show(tx).await?.id;
    let any: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM offer_change WHERE show = ? AND connection = ? AND price IS NOT NULL AND applied_at_ms IS NOT NULL)",
    )
    .bind(&show)
    .bind(connection)
    .fetch_one(&mut *tx)
    .await?;
    if !any || among.is_some_and(<[_]>::is_empty) {
        return Ok(());
    }
    let among = among.map(|ids| serde_json::json!(ids).to_string());
    let found: Vec<(String, i64, String, i64)> = sqlx::query_as(
        "SELECT c.id, c.number, o.id, max(l.unit_price) FROM offer_change AS c
         JOIN orders AS o ON o.connection = c.connection AND o.placed_at_ms >= c.asked_at_ms AND o.key >= c.asked_at_ms * 1048576
         JOIN order_line AS l ON l.order_key = o.key AND l.sku = c.sku
         WHERE c.show = ?1 AND c.connection = ?2 AND c.price IS NOT NULL AND c.applied_at_ms IS NOT NULL
             AND (?3 IS NULL OR o.id IN (SELECT value FROM json_each(?3)))
             AND (o.placed_at_ms <= c.confirmed_at_ms OR (l.unit_price <> c.price AND NOT EXISTS (
                 SELECT 1 FROM offer_change AS d WHERE d.connection = c.connection AND d.sku = c.sku AND d.price IS NOT NULL
                     AND d.applied_at_ms > c.applied_at_ms AND d.asked_at_ms <= o.placed_at_ms)))
             AND NOT EXISTS (SELECT 1 FROM affected_order AS a WHERE a.change = c.id AND a.connection = o.connection AND a.order_id = o.id)
         GROUP BY c.id, o.id ORDER BY o.placed_at_ms, o.id",
    )
    .bind(&show)
    .bind(connection)
    .bind(among)
    .fetch_all(&mut *tx)
    .await?;
    for (change, number, order, unit_price) in found {
        sqlx::query("INSERT INTO affected_order (change, connection, order_id, unit_price) VALUES (?, ?, ?, ?)")
            .bind(&change)
            .bind(connection)
            .bind(&order)
            .bind(unit_price)
            .execute(&mut *tx)
            .await?;
        let detail = serde_json::json!({ "change": change, "order": order, "unit_price": unit_price });
        timeline::note(tx, &show, now_ms, "offer_order", &number.to_string(), detail).await?;
    }
    Ok(())
}
