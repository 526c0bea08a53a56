use crate::text::{Query, Tokens};
use crate::words::Word;
use crate::{ProductChange, Store, StoreError, bag};
use sqlx::SqliteConnection;
use stallcast_model::{ConnectionId, Currency, Money, Product, ProductId, ReceivedProduct, Sku, SkuId};
use std::collections::HashMap;

#[derive(sqlx::FromRow)]
struct ProductRow {
    connection: String,
    id: String,
    title: String,
    picture: Option<String>,
    confirmed_at_ms: i64,
}

#[derive(sqlx::FromRow)]
struct SkuRow {
    connection: String,
    product: String,
    id: String,
    title: String,
    price: i64,
    old_price: Option<i64>,
    currency: String,
    stock: Option<i64>,
}

/// Products by connection and id; all, or those in the bag of one show.
pub(crate) async fn all(tx: &mut SqliteConnection, show: Option<&str>) -> Result<HashMap<(String, String), Product>, StoreError> {
    let rows: Vec<ProductRow> = sqlx::query_as(
        "SELECT connection, id, title, picture, confirmed_at_ms FROM product AS p
         WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM bag_item AS b WHERE b.show = ?1 AND b.connection = p.connection AND b.product = p.id)",
    )
    .bind(show)
    .fetch_all(&mut *tx)
    .await?;
    let skus: Vec<SkuRow> = sqlx::query_as(
        "SELECT connection, product, id, title, price, old_price, currency, stock FROM sku AS s
         WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM bag_item AS b WHERE b.show = ?1 AND b.connection = s.connection AND b.product = s.product)
         ORDER BY connection, product, position",
    )
    .bind(show)
    .fetch_all(tx)
    .await?;
    let mut products: HashMap<(String, String), Product> =
        rows.into_iter().map(|r| ((r.connection.clone(), r.id.clone()), r.read())).collect();
    for row in skus {
        if let Some(product) = products.get_mut(&(row.connection.clone(), row.product.clone())) {
            product.skus.push(row.read()?);
        }
    }
    Ok(products)
}

impl ProductRow {
    fn read(self) -> Product {
        Product {
            id: ProductId::new(self.id),
            title: self.title,
            picture: self.picture,
            skus: Vec::new(),
            confirmed_at_ms: self.confirmed_at_ms,
        }
    }
}

impl SkuRow {
    fn read(self) -> Result<Sku, StoreError> {
        let currency = Currency::from_word(&self.currency)?;
        Ok(Sku {
            id: SkuId::new(self.id),
            title: self.title,
            price: Money::new(self.price, currency),
            old_price: self.old_price.map(|amount| Money::new(amount, currency)),
            stock: self.stock,
        })
    }
}

pub(crate) async fn one(tx: &mut SqliteConnection, connection: &str, id: &str) -> Result<Option<(i64, Product)>, StoreError> {
    let row: Option<(i64, String, Option<String>, i64)> =
        sqlx::query_as("SELECT version, title, picture, confirmed_at_ms FROM product WHERE connection = ? AND id = ?")
            .bind(connection)
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
    let Some((version, title, picture, confirmed_at_ms)) = row else { return Ok(None) };
    let skus: Vec<SkuRow> = sqlx::query_as(
        "SELECT connection, product, id, title, price, old_price, currency, stock FROM sku WHERE connection = ? AND product = ? ORDER BY position",
    )
    .bind(connection)
    .bind(id)
    .fetch_all(tx)
    .await?;
    let skus = skus.into_iter().map(SkuRow::read).collect::<Result<_, _>>()?;
    Ok(Some((version, Product { id: ProductId::new(id), title, picture, skus, confirmed_at_ms })))
}

/// Takes a product as read. An older version than the stored one is a late repeat; the same version with another body is
/// taken, with the same body nothing is written.
pub(crate) async fn upsert(
    tx: &mut SqliteConnection,
    connection: &str,
    received: &ReceivedProduct,
) -> Result<Option<ProductChange>, StoreError> {
    let new = &received.product;
    let id = new.id.as_str();
    let before = one(tx, connection, id).await?;
    if before.as_ref().is_some_and(|(version, _)| *version > received.version) {
        return Ok(None);
    }
    let skus: Vec<Sku> = new.skus.iter().cloned().map(comparable).collect();
    let same = before.as_ref().is_some_and(|(_, p)| p.title == new.title && p.picture == new.picture && p.skus == skus);
    if same && before.as_ref().is_some_and(|(version, _)| *version == received.version) {
        return Ok(None);
    }
    sqlx::query(
        "INSERT INTO product (connection, id, title, picture, version, confirmed_at_ms) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (connection, id) DO UPDATE SET title = excluded.title, picture = excluded.picture, version = excluded.version,
             confirmed_at_ms = max(confirmed_at_ms, excluded.confirmed_at_ms)",
    )
    .bind(connection)
    .bind(id)
    .bind(&new.title)
    .bind(&new.picture)
    .bind(received.version)
    .bind(new.confirmed_at_ms)
    .execute(&mut *tx)
    .await?;
    if before.as_ref().is_none_or(|(_, p)| p.skus != skus) {
        sqlx::query("DELETE FROM sku WHERE connection = ? AND product = ?").bind(connection).bind(id).execute(&mut *tx).await?;
        for (position, sku) in (0_i64..).zip(&skus) {
            sqlx::query(
                "INSERT INTO sku (connection, product, id, position, title, price, old_price, currency, stock) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(connection)
            .bind(id)
            .bind(sku.id.as_str())
            .bind(position)
            .bind(&sku.title)
            .bind(sku.price.amount)
            .bind(sku.old_price.map(|p| p.amount))
            .bind(sku.price.currency.word())
            .bind(sku.stock)
            .execute(&mut *tx)
            .await?;
        }
    }
    if before.as_ref().is_none_or(|(_, p)| p.title != new.title || p.skus != skus) {
        index(tx, connection, new).await?;
    }
    bag::take_product(tx, connection, id, received.number, new.stock(), before.is_none()).await?;
    Ok((!same).then(|| ProductChange { id: new.id.clone(), is_new: before.is_none() }))
}

/// As the columns can hold it: an old price in another currency cannot be compared, so it is none.
fn comparable(mut sku: Sku) -> Sku {
    sku.old_price = sku.old_price.filter(|old| old.currency == sku.price.currency);
    sku
}

/// Brings the text index in step with a product.
async fn index(tx: &mut SqliteConnection, connection: &str, product: &Product) -> Result<(), StoreError> {
    let mut tokens = Tokens::default();
    tokens.title(&product.title);
    for sku in &product.skus {
        tokens.title(&sku.title);
    }
    let (text, digest) = tokens.finish();
    let key: i64 = sqlx::query_scalar(
        "INSERT INTO product_doc (connection, product, tokens) VALUES (?, ?, ?)
         ON CONFLICT (product, connection) DO UPDATE SET tokens = excluded.tokens RETURNING key",
    )
    .bind(connection)
    .bind(product.id.as_str())
    .bind(digest)
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query("INSERT OR REPLACE INTO product_text (rowid, tokens) VALUES (?, ?)").bind(key).bind(text).execute(tx).await?;
    Ok(())
}

/// Products whose title or variants have all words of `query`, newest first: at most `limit` of those that are `wanted`
/// by connection and id.
pub(crate) async fn search(
    tx: &mut SqliteConnection,
    query: &Query,
    wanted: impl Fn(&str, &str) -> bool,
    limit: usize,
) -> Result<Vec<(String, Product)>, StoreError> {
    let Some(expression) = query.expression(None, |_| None).filter(|_| !query.is_empty()) else { return Ok(Vec::new()) };
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT d.connection, d.product FROM product_text AS t JOIN product_doc AS d ON d.key = t.rowid
         WHERE product_text MATCH ? ORDER BY t.rowid DESC",
    )
    .bind(expression)
    .fetch_all(&mut *tx)
    .await?;
    let mut found = Vec::new();
    for (connection, id) in rows.into_iter().filter(|(connection, id)| wanted(connection, id)) {
        if found.len() == limit {
            break;
        }
        let Some((_, product)) = one(tx, &connection, &id).await? else { continue };
        let titles = std::iter::once(product.title.as_str()).chain(product.skus.iter().map(|sku| sku.title.as_str()));
        if query.holds(titles, &[], "", |_| false) {
            found.push((connection, product));
        }
    }
    Ok(found)
}

impl Store {
    /// Products of an older schema come into the text index.
    pub(crate) async fn index_missing_products(&self) -> Result<(), StoreError> {
        self.write(|tx| {
            Box::pin(async move {
                let missing: Vec<(String, String)> =
                    sqlx::query_as("SELECT connection, product FROM product_doc WHERE tokens IS NULL").fetch_all(&mut *tx).await?;
                for (connection, id) in missing {
                    if let Some((_, product)) = one(tx, &connection, &id).await? {
                        index(tx, &connection, &product).await?;
                    }
                }
                Ok(())
            })
        })
        .await
    }

    /// A product of a connection, as confirmed.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn product(&self, connection: &ConnectionId, id: &ProductId) -> Result<Option<Product>, StoreError> {
        let mut tx = self.snapshot().await?;
        Ok(one(&mut tx, connection.as_str(), id.as_str()).await?.map(|(_, product)| product))
    }
}
