use crate::{Invalid, Money, ProductId, SkuId};
use serde::{Deserialize, Serialize};

/// What a platform sells, as last read back from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The platform's id.
    pub id: ProductId,
    /// Title as the platform has it. Hostile text: render as text only.
    pub title: String,
    /// Where its picture is, for the adapter that brought it; `None` without one.
    pub picture: Option<String>,
    /// At least one.
    pub skus: Vec<Sku>,
    /// Instant of the read that confirmed all of this, ms UTC.
    pub confirmed_at_ms: i64,
}

/// One sellable variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sku {
    /// The platform's id.
    pub id: SkuId,
    /// Variant name, empty when there is only one.
    pub title: String,
    /// Price a buyer pays now.
    pub price: Money,
    /// Price struck through, if the platform has one.
    pub old_price: Option<Money>,
    /// What can still be sold (on hand minus reserved); `None` when the platform does not count.
    pub stock: Option<i64>,
}

impl Product {
    /// The variant shown on cards: the first.
    #[must_use]
    pub fn lead_sku(&self) -> Option<&Sku> {
        self.skus.first()
    }

    /// Sum of what can still be sold over all variants that count.
    #[must_use]
    pub fn stock(&self) -> Option<i64> {
        let counted: Vec<i64> = self.skus.iter().filter_map(|s| s.stock).collect();
        (!counted.is_empty()).then(|| counted.iter().sum())
    }

    /// Checks what every adapter must deliver.
    ///
    /// # Errors
    /// [`Invalid`] naming the first field that breaks a rule.
    pub fn validate(&self) -> Result<(), Invalid> {
        if self.title.trim().is_empty() {
            return Err(Invalid::new("title", "empty"));
        }
        if self.skus.is_empty() {
            return Err(Invalid::new("skus", "empty"));
        }
        if self.skus.iter().any(|s| s.price.amount < 0) {
            return Err(Invalid::new("price", "negative"));
        }
        Ok(())
    }
}

/// A product in the bag of a show. Its number is what the host says aloud and never changes its product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BagItem {
    /// Spoken number, from 1.
    pub number: u32,
    /// Which product.
    pub product: ProductId,
    /// Since when it is being explained, ms UTC; `None` when it is not.
    pub explaining_since_ms: Option<i64>,
    /// Total of closed explain spans, ms.
    pub explained_ms: i64,
}
