//! Products, SKUs with their stock, pictures.

use crate::change::Change;
use crate::input::{self, invalid};
use crate::refusal::Refusal;
use crate::rooms;
use crate::wire::{Money, Product, ProductForm, ProductPatch, SellerProduct, SellerSku, Sku};
use base64::Engine as _;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;
use stallcast_model::Currency;
use std::collections::HashMap;

/// Most products of one shop.
const PRODUCTS_MOST: i64 = 2_000;
const SKUS_MOST: usize = 50;
const TITLE_MOST: usize = 128;
/// Largest picture file, bytes.
pub(crate) const PICTURE_MOST: usize = 2 << 20;

#[derive(sqlx::FromRow)]
struct ProductRow {
    id: String,
    number: i64,
    title: String,
    seq: i64,
    picture_etag: Option<String>,
}

#[derive(sqlx::FromRow)]
struct SkuRow {
    id: String,
    product: String,
    title: String,
    price: i64,
    old_price: Option<i64>,
    on_hand: i64,
    reserved: i64,
}

macro_rules! products {
    ($tail:literal) => {
        concat!(
            "SELECT id, number, title, seq, (SELECT etag FROM picture WHERE picture.product = product.id) AS picture_etag FROM product ",
            $tail
        )
    };
}
macro_rules! skus {
    ($tail:literal) => {
        concat!("SELECT id, product, title, price, old_price, on_hand, reserved FROM sku ", $tail)
    };
}

impl From<SellerProduct> for Product {
    fn from(p: SellerProduct) -> Self {
        let skus = p.skus.into_iter().map(|s| Sku { id: s.id, title: s.title, price: s.price, old_price: s.old_price, stock: s.stock });
        Self { id: p.id, number: p.number, title: p.title, picture: p.picture, skus: skus.collect(), seq: p.seq }
    }
}

fn assemble(products: Vec<ProductRow>, skus: Vec<SkuRow>, currency: Currency) -> Vec<SellerProduct> {
    let mut by_product: HashMap<String, Vec<SellerSku>> = HashMap::new();
    for s in skus {
        by_product.entry(s.product).or_default().push(SellerSku {
            id: s.id,
            title: s.title,
            price: Money::new(s.price, currency),
            old_price: s.old_price.map(|amount| Money::new(amount, currency)),
            stock: s.on_hand - s.reserved,
            on_hand: s.on_hand,
            reserved: s.reserved,
        });
    }
    let product = |p: ProductRow| SellerProduct {
        skus: by_product.remove(&p.id).unwrap_or_default(),
        // Another picture has another address: whoever keeps pictures may keep them for ever.
        picture: p.picture_etag.map(|etag| format!("/api/products/{}/picture?v={etag}", p.id)),
        id: p.id,
        number: p.number,
        title: p.title,
        seq: p.seq,
    };
    products.into_iter().map(product).collect()
}

/// The whole catalogue by number.
pub(crate) async fn all(db: &mut SqliteConnection, currency: Currency) -> Result<Vec<SellerProduct>, Refusal> {
    let products = sqlx::query_as(products!("ORDER BY number")).fetch_all(&mut *db).await?;
    let skus = sqlx::query_as(skus!("ORDER BY product, position")).fetch_all(db).await?;
    Ok(assemble(products, skus, currency))
}

/// One product.
pub(crate) async fn one(db: &mut SqliteConnection, id: &str, currency: Currency) -> Result<SellerProduct, Refusal> {
    let products: Vec<ProductRow> = sqlx::query_as(products!("WHERE id = ?")).bind(id).fetch_all(&mut *db).await?;
    let skus = sqlx::query_as(skus!("WHERE product = ? ORDER BY position")).bind(id).fetch_all(db).await?;
    assemble(products, skus, currency).pop().ok_or(Refusal::NotFound("product"))
}

/// Up to `limit` products changed after `after`, in the order of their last change.
pub(crate) async fn changed(db: &mut SqliteConnection, after: i64, limit: i64, currency: Currency) -> Result<Vec<SellerProduct>, Refusal> {
    let products = sqlx::query_as(products!("WHERE seq > ? ORDER BY seq LIMIT ?")).bind(after).bind(limit).fetch_all(&mut *db).await?;
    let skus =
        sqlx::query_as(skus!("WHERE product IN (SELECT id FROM product WHERE seq > ? ORDER BY seq LIMIT ?) ORDER BY product, position"))
            .bind(after)
            .bind(limit)
            .fetch_all(db)
            .await?;
    Ok(assemble(products, skus, currency))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductEvent {
    product: Product,
    program_ms: Option<i64>,
}

/// Gives a changed product its new number and tells it.
pub(crate) async fn touch(change: &mut Change<'_>, id: &str) -> Result<SellerProduct, Refusal> {
    let (seq, currency) = (change.next_seq(), change.currency);
    sqlx::query("UPDATE product SET seq = ? WHERE id = ?").bind(seq.number()).bind(id).execute(change.db()).await?;
    let product = one(change.db(), id, currency).await?;
    let program_ms = rooms::program_ms(change).await?;
    change.tell(seq, "product", true, &ProductEvent { product: product.clone().into(), program_ms }).await?;
    Ok(product)
}

/// A product to be put into the catalogue, checked.
pub(crate) struct NewProduct {
    pub id: String,
    pub number: Option<i64>,
    pub title: String,
    pub skus: Vec<NewSku>,
    pub picture: Option<(&'static str, Vec<u8>)>,
}

pub(crate) struct NewSku {
    pub id: String,
    pub title: String,
    pub price: i64,
    pub old_price: Option<i64>,
    pub on_hand: i64,
}

/// Checks a form; ids are made here.
pub(crate) fn checked(form: &ProductForm, currency: Currency) -> Result<NewProduct, Refusal> {
    if form.skus.is_empty() || form.skus.len() > SKUS_MOST {
        return Err(invalid("skus", if form.skus.is_empty() { "empty" } else { "too_long" }));
    }
    let mut skus = Vec::new();
    for sku in &form.skus {
        skus.push(NewSku {
            id: format!("s-{}", uuid::Uuid::new_v4().simple()),
            // Only a lone SKU may go without a name of its own.
            title: if form.skus.len() == 1 && sku.title.trim().is_empty() {
                String::new()
            } else {
                input::text("skuTitle", &sku.title, TITLE_MOST)?
            },
            price: input::money("price", sku.price.into(), currency, 0)?,
            old_price: sku.old_price.map(|m| input::money("oldPrice", m.into(), currency, 0)).transpose()?,
            on_hand: input::stock(sku.stock)?,
        });
    }
    let picture = match &form.picture {
        None => None,
        Some(text) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| invalid("picture", "format"))?;
            if bytes.len() > PICTURE_MOST {
                return Err(invalid("picture", "too_long"));
            }
            Some((input::picture_mime(&bytes)?, bytes))
        }
    };
    if form.number.is_some_and(|n| !(1..=9999).contains(&n)) {
        return Err(invalid("number", "range"));
    }
    let id = format!("p-{}", uuid::Uuid::new_v4().simple());
    Ok(NewProduct { id, number: form.number, title: input::text("title", &form.title, TITLE_MOST)?, skus, picture })
}

/// Puts a product into the catalogue.
pub(crate) async fn create(change: &mut Change<'_>, new: NewProduct) -> Result<SellerProduct, Refusal> {
    let (count, last): (i64, i64) = sqlx::query_as("SELECT COUNT(*), COALESCE(MAX(number), 0) FROM product").fetch_one(change.db()).await?;
    let number = new.number.unwrap_or(last + 1);
    if count >= PRODUCTS_MOST || number > 9999 {
        return Err(invalid("number", "range"));
    }
    let taken: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM product WHERE number = ?").bind(number).fetch_one(change.db()).await?;
    if taken > 0 {
        return Err(invalid("number", "taken"));
    }
    // A placeholder no feed shows and no other row has; `touch` below puts the number of the event in its place.
    sqlx::query("INSERT INTO product (id, number, title, seq) VALUES (?, ?, ?, -?)")
        .bind(&new.id)
        .bind(number)
        .bind(&new.title)
        .bind(number)
        .execute(change.db())
        .await?;
    for (position, sku) in (0_i64..).zip(&new.skus) {
        sqlx::query("INSERT INTO sku (id, product, position, title, price, old_price, on_hand) VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(&sku.id)
            .bind(&new.id)
            .bind(position)
            .bind(&sku.title)
            .bind(sku.price)
            .bind(sku.old_price)
            .bind(sku.on_hand)
            .execute(change.db())
            .await?;
    }
    if let Some((mime, bytes)) = new.picture {
        put_picture(change, &new.id, mime, &bytes).await?;
    }
    touch(change, &new.id).await
}

/// Changes what the patch names.
pub(crate) async fn patch(change: &mut Change<'_>, id: &str, patch: ProductPatch) -> Result<SellerProduct, Refusal> {
    let currency = change.currency;
    let before = one(change.db(), id, currency).await?;
    if let Some(title) = &patch.title {
        let title = input::text("title", title, TITLE_MOST)?;
        sqlx::query("UPDATE product SET title = ? WHERE id = ?").bind(title).bind(id).execute(change.db()).await?;
    }
    if patch.price.is_some() || patch.old_price.is_some() || patch.stock.is_some() {
        let sku = match (&patch.sku_id, before.skus.as_slice()) {
            (Some(wanted), skus) => skus.iter().find(|s| s.id == *wanted).ok_or(Refusal::NotFound("sku"))?,
            (None, [only]) => only,
            (None, _) => return Err(invalid("skuId", "missing")),
        };
        if let Some(price) = patch.price {
            let amount = input::money("price", price.into(), currency, 0)?;
            sqlx::query("UPDATE sku SET price = ? WHERE id = ?").bind(amount).bind(&sku.id).execute(change.db()).await?;
        }
        if let Some(old) = patch.old_price {
            let amount = old.map(|m| input::money("oldPrice", m.into(), currency, 0)).transpose()?;
            sqlx::query("UPDATE sku SET old_price = ? WHERE id = ?").bind(amount).bind(&sku.id).execute(change.db()).await?;
        }
        if let Some(stock) = patch.stock {
            let stock = input::stock(stock)?;
            let set = sqlx::query("UPDATE sku SET on_hand = ?1 WHERE id = ?2 AND reserved <= ?1").bind(stock).bind(&sku.id);
            if set.execute(change.db()).await?.rows_affected() != 1 {
                // Pieces already promised cannot be taken away.
                return Err(invalid("stock", "reserved"));
            }
        }
    }
    touch(change, id).await
}

/// Gives a product a picture.
pub(crate) async fn set_picture(change: &mut Change<'_>, id: &str, bytes: &[u8]) -> Result<(), Refusal> {
    let (mime, currency) = (input::picture_mime(bytes)?, change.currency);
    one(change.db(), id, currency).await?;
    put_picture(change, id, mime, bytes).await?;
    touch(change, id).await?;
    Ok(())
}

async fn put_picture(change: &mut Change<'_>, product: &str, mime: &str, bytes: &[u8]) -> Result<(), Refusal> {
    let digest = Sha256::digest(bytes);
    let etag: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
    sqlx::query(
        "INSERT INTO picture (product, mime, etag, bytes) VALUES (?, ?, ?, ?)
         ON CONFLICT (product) DO UPDATE SET mime = excluded.mime, etag = excluded.etag, bytes = excluded.bytes",
    )
    .bind(product)
    .bind(mime)
    .bind(etag)
    .bind(bytes)
    .execute(change.db())
    .await?;
    Ok(())
}

/// A stored picture.
#[derive(sqlx::FromRow)]
pub(crate) struct Picture {
    pub mime: String,
    pub etag: String,
    pub bytes: Vec<u8>,
}

pub(crate) async fn picture(db: &mut SqliteConnection, product: &str) -> Result<Picture, Refusal> {
    let found = sqlx::query_as("SELECT mime, etag, bytes FROM picture WHERE product = ?").bind(product).fetch_optional(db).await?;
    found.ok_or(Refusal::NotFound("picture"))
}

/// Promises pieces to an order, if they are there: one conditional statement.
pub(crate) async fn reserve(change: &mut Change<'_>, sku: &str, quantity: i64) -> Result<(), Refusal> {
    let reserved = sqlx::query("UPDATE sku SET reserved = reserved + ?1 WHERE id = ?2 AND on_hand - reserved >= ?1")
        .bind(quantity)
        .bind(sku)
        .execute(change.db())
        .await?;
    if reserved.rows_affected() == 1 {
        return Ok(());
    }
    let available: Option<i64> =
        sqlx::query_scalar("SELECT on_hand - reserved FROM sku WHERE id = ?").bind(sku).fetch_optional(change.db()).await?;
    match available {
        Some(available) => Err(Refusal::SoldOut { sku: sku.to_owned(), available }),
        None => Err(Refusal::NotFound("sku")),
    }
}

/// What happens to the pieces of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pieces {
    /// Promised ones are free again.
    Released,
    /// Promised ones leave the shelf.
    Sold,
}

/// Moves the pieces of all lines of an order and tells the products.
pub(crate) async fn move_pieces(change: &mut Change<'_>, order: &str, how: Pieces) -> Result<(), Refusal> {
    let lines: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT product, sku, quantity FROM order_line WHERE order_id = ? ORDER BY position")
            .bind(order)
            .fetch_all(change.db())
            .await?;
    let mut products: Vec<&str> = Vec::new();
    for (product, sku, quantity) in &lines {
        let statement = match how {
            Pieces::Released => "UPDATE sku SET reserved = reserved - ? WHERE id = ?",
            Pieces::Sold => "UPDATE sku SET on_hand = on_hand - ?1, reserved = reserved - ?1 WHERE id = ?2",
        };
        sqlx::query(statement).bind(quantity).bind(sku).execute(change.db()).await?;
        if !products.contains(&product.as_str()) {
            products.push(product);
        }
    }
    for product in products {
        touch(change, product).await?;
    }
    Ok(())
}
