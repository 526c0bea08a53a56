//! Products: as viewers and as the seller see them, and how they change.

use super::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What viewers see of a product.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Product {
    pub id: String,
    /// The number the host says.
    pub number: i64,
    pub title: String,
    /// Path of its picture.
    #[schema(required)]
    pub picture: Option<String>,
    pub skus: Vec<Sku>,
    /// Number of its last change.
    pub seq: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sku {
    pub id: String,
    /// Empty when it is the only one.
    pub title: String,
    pub price: Money,
    #[schema(required)]
    pub old_price: Option<Money>,
    /// What can still be sold: on hand minus reserved.
    pub stock: i64,
}

/// What the seller sees of a product.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SellerProduct {
    pub id: String,
    pub number: i64,
    pub title: String,
    #[schema(required)]
    pub picture: Option<String>,
    pub skus: Vec<SellerSku>,
    pub seq: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SellerSku {
    pub id: String,
    pub title: String,
    pub price: Money,
    #[schema(required)]
    pub old_price: Option<Money>,
    pub stock: i64,
    /// Pieces in the shelf, reserved ones included.
    pub on_hand: i64,
    /// Promised to unpaid orders.
    pub reserved: i64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Products {
    pub products: Vec<Product>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductFeed {
    pub products: Vec<SellerProduct>,
    /// `after` of the next page.
    pub next_after: i64,
    pub more: bool,
    /// Everything that happened up to here is in the pages read so far, once `more` is false.
    pub up_to_ms: i64,
    /// Id of the feed. When it differs from the page before, the shop began anew and so must the reader.
    pub feed: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductForm {
    pub title: String,
    /// Without it the next free number.
    pub number: Option<i64>,
    pub skus: Vec<SkuForm>,
    /// Base64 of a PNG, JPEG or WebP file.
    pub picture: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SkuForm {
    #[serde(default)]
    pub title: String,
    pub price: Money,
    pub old_price: Option<Money>,
    pub stock: i64,
}

/// What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductPatch {
    pub title: Option<String>,
    pub price: Option<Money>,
    /// `null` takes the old price away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Money>)]
    pub old_price: Option<Option<Money>>,
    /// Pieces on hand.
    pub stock: Option<i64>,
    /// Needed only where there are several.
    pub sku_id: Option<String>,
}

/// A change while people buy. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfferForm {
    pub sku_id: String,
    pub price: Option<Money>,
    /// Struck through beside the new price; without it nothing is.
    pub old_price: Option<Money>,
    /// Pieces that come, or go if negative.
    #[serde(default)]
    pub stock_by: i64,
}

/// A change that took effect, and the product as it stands now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfferChange {
    pub id: String,
    pub sku_id: String,
    #[schema(required)]
    pub price: Option<Money>,
    #[schema(required)]
    pub old_price: Option<Money>,
    pub stock_by: i64,
    /// What a buyer paid until then.
    pub price_before: Money,
    /// When it took effect.
    pub at_ms: i64,
    pub now_ms: i64,
    pub product: SellerProduct,
}

/// Tells a field that is `null` from one that is not there.
fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}
