//! Changes of price and pieces while people buy: once per id, pieces as a difference, and found again by their id.

use crate::catalogue;
use crate::change::Change;
use crate::input::{self, invalid};
use crate::refusal::Refusal;
use crate::wire::{Money, OfferChange, OfferForm};
use sqlx::SqliteConnection;
use stallcast_model::{Currency, NewPrice, OfferTerms, SkuId};

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    sku: String,
    price: Option<i64>,
    old_price: Option<i64>,
    stock_by: i64,
    price_before: i64,
    at_ms: i64,
}

async fn row(db: &mut SqliteConnection, product: &str, id: &str) -> Result<Option<Row>, Refusal> {
    let found =
        sqlx::query_as("SELECT id, sku, price, old_price, stock_by, price_before, at_ms FROM offer_change WHERE id = ? AND product = ?");
    Ok(found.bind(id).bind(product).fetch_optional(db).await?)
}

async fn face(db: &mut SqliteConnection, row: Row, product: &str, currency: Currency, now_ms: i64) -> Result<OfferChange, Refusal> {
    let money = |amount| Money::new(amount, currency);
    Ok(OfferChange {
        id: row.id,
        sku_id: row.sku,
        price: row.price.map(money),
        old_price: row.old_price.map(money),
        stock_by: row.stock_by,
        price_before: money(row.price_before),
        at_ms: row.at_ms,
        now_ms,
        product: catalogue::one(db, product, currency).await?,
    })
}

/// One change, with the product as it stands now.
pub(crate) async fn one(
    db: &mut SqliteConnection,
    product: &str,
    id: &str,
    currency: Currency,
    now_ms: i64,
) -> Result<OfferChange, Refusal> {
    let found = row(db, product, id).await?.ok_or(Refusal::NotFound("change"))?;
    face(db, found, product, currency, now_ms).await
}

fn checked(form: &OfferForm, currency: Currency) -> Result<OfferTerms, Refusal> {
    let amount = |field, m: Money| input::money(field, m.into(), currency, 1).map(|amount| stallcast_model::Money::new(amount, currency));
    let price = form.price.map(|price| amount("price", price)).transpose()?;
    let old_price = form.old_price.map(|old| amount("oldPrice", old)).transpose()?;
    if price.is_none() && old_price.is_some() {
        return Err(invalid("price", "missing"));
    }
    let price = price.map(|price| NewPrice { price, old_price });
    let terms = OfferTerms { sku: SkuId::new(input::id("skuId", &form.sku_id)?), price, stock_by: form.stock_by };
    let field = |field| match field {
        "old_price" => "oldPrice",
        "stock" => "stockBy",
        other => other,
    };
    terms.validate().map_err(|e| invalid(field(e.field), e.rule))?;
    Ok(terms)
}

/// Makes a change once per id. The same again is the same change, and changes nothing.
pub(crate) async fn make(change: &mut Change<'_>, product: &str, id: &str, form: &OfferForm) -> Result<OfferChange, Refusal> {
    let (currency, now_ms) = (change.currency, change.now_ms);
    let id = input::id("id", id)?;
    let terms = checked(form, currency)?;
    let price = terms.price.as_ref().map(|p| p.price.amount);
    let old_price = terms.price.as_ref().and_then(|p| p.old_price).map(|m| m.amount);
    if let Some(known) = row(change.db(), product, &id).await? {
        if (known.sku.as_str(), known.price, known.old_price, known.stock_by) != (terms.sku.as_str(), price, old_price, terms.stock_by) {
            return Err(Refusal::IdempotencyMismatch);
        }
        return face(change.db(), known, product, currency, now_ms).await;
    }
    let before = catalogue::one(change.db(), product, currency).await?;
    let sku = before.skus.iter().find(|s| s.id == terms.sku.as_str()).ok_or(Refusal::NotFound("sku"))?;
    if price.is_some() {
        let set = sqlx::query("UPDATE sku SET price = ?, old_price = ? WHERE id = ?").bind(price).bind(old_price).bind(&sku.id);
        set.execute(change.db()).await?;
    }
    if terms.stock_by != 0 {
        let on_hand = input::stock(sku.on_hand + terms.stock_by).map_err(|_| invalid("stockBy", "range"))?;
        if on_hand < sku.reserved {
            // Pieces already promised cannot be taken away.
            return Err(Refusal::StockPromised { reserved: sku.reserved, stock: sku.stock });
        }
        sqlx::query("UPDATE sku SET on_hand = ? WHERE id = ?").bind(on_hand).bind(&sku.id).execute(change.db()).await?;
    }
    sqlx::query(
        "INSERT INTO offer_change (id, product, sku, price, old_price, stock_by, price_before, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&id)
    .bind(product)
    .bind(&sku.id)
    .bind(price)
    .bind(old_price)
    .bind(terms.stock_by)
    .bind(sku.price.amount)
    .bind(now_ms)
    .execute(change.db())
    .await?;
    catalogue::touch(change, product).await?;
    one(change.db(), product, &id, currency, now_ms).await
}
