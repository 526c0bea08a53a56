use crate::{CouponId, Invalid, Money};
use serde::{Deserialize, Serialize};

/// What the host fills in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponDraft {
    /// Taken off the order.
    pub discount: Money,
    /// Order total from which it may be used; zero means any.
    pub threshold: Money,
    /// How many buyers may claim it, 1..=100 000.
    pub quantity: u32,
    /// How long it can be claimed and used, seconds, 30..=86 400.
    pub valid_s: u32,
}

impl CouponDraft {
    /// Checks the rules common to all platforms.
    ///
    /// # Errors
    /// [`Invalid`] naming the first field that breaks a rule.
    pub fn validate(&self) -> Result<(), Invalid> {
        if self.discount.amount <= 0 {
            return Err(Invalid::new("discount", "zero"));
        }
        if self.threshold.amount < 0 {
            return Err(Invalid::new("threshold", "negative"));
        }
        if self.discount.currency != self.threshold.currency {
            return Err(Invalid::new("threshold", "currency"));
        }
        if self.threshold.amount > 0 && self.discount.amount >= self.threshold.amount {
            return Err(Invalid::new("discount", "range"));
        }
        if !(1..=100_000).contains(&self.quantity) {
            return Err(Invalid::new("quantity", "range"));
        }
        if !(30..=86_400).contains(&self.valid_s) {
            return Err(Invalid::new("valid_s", "range"));
        }
        Ok(())
    }
}

/// Where a coupon stands. Only `Active` may be drawn or announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CouponState {
    /// Written here, not yet accepted by the platform.
    Sending,
    /// Sent, answer lost: being looked up, never sent blindly again.
    Uncertain,
    /// Read back from the platform as claimable.
    Active,
    /// Its time is over or all are claimed.
    Ended,
    /// The platform refused it.
    Failed,
}

/// A coupon of a show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    /// Chosen by the studio: the idempotency key of issuing it.
    pub id: CouponId,
    /// Terms.
    pub draft: CouponDraft,
    /// Where it stands.
    pub state: CouponState,
    /// Claimed so far, as last read back.
    pub claimed: u32,
    /// When it stops being claimable by the platform's clock, ms UTC; `None` until confirmed.
    pub ends_at_ms: Option<i64>,
    /// Stable code of the refusal when `Failed`.
    pub failure: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;

    #[test]
    fn drafts_that_would_cost_the_seller_are_refused() {
        let yuan = |n| Money::new(n, Currency::Cny);
        let good = CouponDraft { discount: yuan(3_000), threshold: yuan(19_900), quantity: 50, valid_s: 180 };
        assert_eq!(good.validate(), Ok(()));
        let bad = |d: CouponDraft, field| assert_eq!(d.validate().map_err(|e| e.field), Err(field));
        bad(CouponDraft { discount: yuan(0), ..good.clone() }, "discount");
        bad(CouponDraft { discount: yuan(19_900), ..good.clone() }, "discount");
        bad(CouponDraft { quantity: 0, ..good.clone() }, "quantity");
        bad(CouponDraft { valid_s: 5, ..good.clone() }, "valid_s");
        bad(CouponDraft { threshold: Money::new(19_900, Currency::Usd), ..good }, "threshold");
    }
}
