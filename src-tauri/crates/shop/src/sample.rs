//! The small catalogue of the first start, so that nobody needs an account to try.

use crate::catalogue::{self, NewProduct, NewSku};
use crate::change::{Change, ROOM};
use crate::refusal::Refusal;
use rust_embed::RustEmbed;
use serde::Deserialize;
use sqlx::SqliteConnection;
use stallcast_model::Currency;

#[derive(RustEmbed)]
#[folder = "sample"]
struct Files;

#[derive(Deserialize)]
struct Sample {
    name: String,
    currency: Currency,
    products: Vec<SampleProduct>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SampleProduct {
    id: String,
    sku: String,
    title: String,
    price: i64,
    old_price: Option<i64>,
    stock: i64,
    picture: String,
}

fn file(name: &str) -> Result<Vec<u8>, Refusal> {
    Files::get(name).map(|f| f.data.into_owned()).ok_or_else(|| Refusal::internal(format_args!("no {name} among the samples")))
}

fn sample() -> Result<Sample, Refusal> {
    Ok(serde_json::from_slice(&file("sample.json")?)?)
}

/// Name and currency of a new shop.
pub(crate) fn identity() -> Result<(String, Currency), Refusal> {
    sample().map(|s| (s.name, s.currency))
}

/// Fills an empty database. Another start may have done it meanwhile.
pub(crate) async fn fill(change: &mut Change<'_>) -> Result<(), Refusal> {
    if is_filled(change.db()).await? {
        return Ok(());
    }
    let sample = sample()?;
    sqlx::query("INSERT INTO shop (id, name, currency) VALUES (1, ?, ?)")
        .bind(sample.name)
        .bind(sample.currency.code())
        .execute(change.db())
        .await?;
    sqlx::query("INSERT INTO room (id, live_state) VALUES (?, 'idle')").bind(ROOM).execute(change.db()).await?;
    for p in sample.products {
        let picture = file(&p.picture)?;
        let sku = NewSku { id: p.sku, title: String::new(), price: p.price, old_price: p.old_price, on_hand: p.stock };
        let new = NewProduct { id: p.id, number: None, title: p.title, skus: vec![sku], picture: Some(("image/png", picture)) };
        catalogue::create(change, new).await?;
    }
    Ok(())
}

async fn is_filled(db: &mut SqliteConnection) -> Result<bool, Refusal> {
    let row: Option<i64> = sqlx::query_scalar("SELECT 1 FROM shop").fetch_optional(db).await?;
    Ok(row.is_some())
}
