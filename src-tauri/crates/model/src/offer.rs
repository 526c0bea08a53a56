use crate::{Invalid, Money, SkuId};
use serde::{Deserialize, Serialize};

/// Highest price that is asked for, minor units. Far above any goods: a slip of the keyboard, not a wish.
const PRICE_MOST: i64 = 100_000_000_000;
/// Most pieces that come or go at once.
const PIECES_MOST: i64 = 1_000_000;

/// A new price of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPrice {
    /// What a buyer pays from now on.
    pub price: Money,
    /// What is struck through beside it; `None` takes that away.
    pub old_price: Option<Money>,
}

impl NewPrice {
    /// What is struck through beside a new price: the list price as long as it is higher, else the price before if that
    /// was higher.
    #[must_use]
    pub fn replacing(price: Money, before: Money, list: Option<Money>) -> Self {
        let higher = |old: &Money| old.currency == price.currency && old.amount > price.amount;
        Self { price, old_price: list.filter(higher).or(Some(before).filter(higher)) }
    }
}

/// What changes about a variant while it is being sold. Pieces come and go as a difference: what buyers take meanwhile is
/// never overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferTerms {
    /// Which variant.
    pub sku: SkuId,
    /// `None` leaves the price as it is.
    pub price: Option<NewPrice>,
    /// Pieces that come (positive) or go; 0 leaves them as they are.
    pub stock_by: i64,
}

impl OfferTerms {
    /// Checks the rules common to all platforms.
    ///
    /// # Errors
    /// [`Invalid`] naming the first field that breaks a rule.
    pub fn validate(&self) -> Result<(), Invalid> {
        if let Some(NewPrice { price, old_price }) = &self.price {
            if price.amount <= 0 {
                return Err(Invalid::new("price", "zero"));
            }
            if price.amount > PRICE_MOST {
                return Err(Invalid::new("price", "range"));
            }
            if old_price.is_some_and(|old| old.currency != price.currency || old.amount <= price.amount) {
                return Err(Invalid::new("old_price", "range"));
            }
        }
        if !(-PIECES_MOST..=PIECES_MOST).contains(&self.stock_by) {
            return Err(Invalid::new("stock", "range"));
        }
        if self.price.is_none() && self.stock_by == 0 {
            return Err(Invalid::new("price", "same"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;
    use proptest::prelude::*;

    fn yuan(n: i64) -> Money {
        Money::new(n, Currency::Cny)
    }

    #[test]
    fn what_is_struck_through_is_never_lower_than_the_price() {
        assert_eq!(NewPrice::replacing(yuan(238), yuan(268), Some(yuan(358))).old_price, Some(yuan(358)), "the list price stays");
        assert_eq!(NewPrice::replacing(yuan(238), yuan(268), None).old_price, Some(yuan(268)), "the price before");
        assert_eq!(NewPrice::replacing(yuan(400), yuan(268), Some(yuan(358))).old_price, None, "raised above both");
        assert_eq!(NewPrice::replacing(yuan(300), yuan(268), Some(yuan(280))).old_price, None);
    }

    #[test]
    fn slips_of_the_keyboard_are_refused() {
        let terms = |price: Option<i64>, stock_by| OfferTerms {
            sku: SkuId::new("s"),
            price: price.map(|p| NewPrice { price: yuan(p), old_price: None }),
            stock_by,
        };
        assert_eq!(terms(Some(1), 0).validate(), Ok(()));
        assert_eq!(terms(None, -3).validate(), Ok(()));
        for (bad, field) in [
            (terms(None, 0), "price"),
            (terms(Some(0), 0), "price"),
            (terms(Some(-1), 0), "price"),
            (terms(Some(i64::MAX), 0), "price"),
            (terms(None, i64::MIN), "stock"),
        ] {
            assert_eq!(bad.validate().map_err(|e| e.field), Err(field));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_replacement_is_valid(price in 1_i64..1_000, before in 0_i64..1_000, list in proptest::option::of(0_i64..1_000)) {
            let new = NewPrice::replacing(yuan(price), yuan(before), list.map(yuan));
            let terms = OfferTerms { sku: SkuId::new("s"), price: Some(new), stock_by: 0 };
            prop_assert_eq!(terms.validate(), Ok(()));
        }
    }
}
