//! The bag, what could be in it, and changes of price and pieces.

use super::{ActionView, MoneyView};
use serde::{Deserialize, Serialize};
use specta::Type;

/// A variant of a product, as confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct SkuView {
    /// Platform's id.
    pub id: String,
    /// Name, empty when there is only one.
    pub title: String,
    /// Price.
    pub price: MoneyView,
    /// Pieces that can be sold.
    pub stock: Option<i32>,
}

/// A change of price or pieces that the host asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OfferChangeView {
    /// Which variant.
    pub sku_id: String,
    /// What it is to cost; `None` where only pieces change.
    pub price: Option<MoneyView>,
    /// What it cost until then.
    pub price_before: MoneyView,
    /// Pieces that come or go.
    pub stock_by: i32,
    /// How it stands.
    pub action: ActionView,
    /// Orders placed meanwhile, or later, that pay another price than the new one.
    pub at_other_price: u32,
    /// Orders placed meanwhile that pay the new price.
    pub at_new_price: u32,
}

/// What the form of price and pieces sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OfferForm {
    /// Spoken number.
    pub number: u32,
    /// Which variant; `None` is the first.
    pub sku_id: Option<String>,
    /// New price as typed, in major units; `None` or empty leaves it.
    pub price: Option<String>,
    /// Pieces that come, or go if negative; 0 leaves them.
    pub stock_by: i32,
}

/// A product in the bag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct BagItemView {
    /// Spoken number.
    pub number: u32,
    /// Whose product it is.
    pub connection_id: String,
    /// Platform's product id.
    pub product_id: String,
    /// Confirmed title.
    pub title: String,
    /// Address of the picture for an `img` (custom protocol), if there is one.
    pub picture: Option<String>,
    /// Confirmed price.
    pub price: MoneyView,
    /// Struck through.
    pub old_price: Option<MoneyView>,
    /// Confirmed pieces left.
    pub stock: Option<i32>,
    /// Pieces when it was put in the bag, for the bar.
    pub stock_of: Option<i32>,
    /// Being explained since, ms UTC.
    pub explaining_since_ms: Option<f64>,
    /// Total of earlier explanations, ms.
    pub explained_ms: f64,
    /// The next one to explain.
    pub is_next: bool,
    /// How the last pin or unpin of this item stands on the platform.
    pub pin: Option<ActionView>,
    /// Its variants; the first is on the card.
    pub skus: Vec<SkuView>,
    /// The last change of price or pieces of this show.
    pub change: Option<OfferChangeView>,
}

/// Products that can be put into the bag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CandidatesView {
    /// At most 200.
    pub rows: Vec<CandidateView>,
    /// There are more: another word finds them.
    pub more: bool,
}

/// A product that can be put into the bag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CandidateView {
    /// Whose product it is.
    pub connection_id: String,
    /// Platform's product id.
    pub product_id: String,
    /// The number it had in this bag and gets again.
    pub number: Option<u32>,
    /// Confirmed title.
    pub title: String,
    /// Address of the picture.
    pub picture: Option<String>,
    /// Confirmed price.
    pub price: MoneyView,
    /// Confirmed pieces left.
    pub stock: Option<i32>,
}
