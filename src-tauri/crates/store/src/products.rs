use crate::words::Word;
use crate::{ProductChange, Store, StoreError, bag};
use sqlx::SqliteConnection;
use stallcast_model::{Currency, Money, Product, ProductId, ReceivedProduct, Sku, SkuId};
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

async fn one(tx: &mut SqliteConnection, connection: &str, id: &str) -> Result<Option<(i64, Product)>, StoreError> {
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

/// Takes a product as read. An older version than the stored one is a late repeat.
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
    let same = before.as_ref().is_some_and(|(_, p)| p.title == new.title && p.picture == new.picture && p.skus == new.skus);
    if before.as_ref().is_none_or(|(_, p)| p.skus != new.skus) {
        sqlx::query("DELETE FROM sku WHERE connection = ? AND product = ?").bind(connection).bind(id).execute(&mut *tx).await?;
        for (position, sku) in (0_i64..).zip(&new.skus) {
            sqlx::query(
                "INSERT INTO sku (connection, product, id, position, title, price, old_price, currency, stock) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(connection)
            .bind(id)
            .bind(sku.id.as_str())
            .bind(position)
            .bind(&sku.title)
            .bind(sku.price.amount)
            // An old price in another currency cannot be compared, so it is none.
            .bind(sku.old_price.filter(|p| p.currency == sku.price.currency).map(|p| p.amount))
            .bind(sku.price.currency.word())
            .bind(sku.stock)
            .execute(&mut *tx)
            .await?;
        }
    }
    bag::add_item(tx, connection, id, received.number, new.stock()).await?;
    Ok((!same).then(|| ProductChange { id: new.id.clone(), is_new: before.is_none() }))
}

impl Store {
    /// A product of any connection, as confirmed.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn product(&self, id: &ProductId) -> Result<Option<Product>, StoreError> {
        let mut tx = self.snapshot().await?;
        let connection: Option<String> = sqlx::query_scalar("SELECT connection FROM product WHERE id = ? ORDER BY connection LIMIT 1")
            .bind(id.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        match connection {
            Some(connection) => Ok(one(&mut tx, &connection, id.as_str()).await?.map(|(_, p)| p)),
            None => Ok(None),
        }
    }
}
