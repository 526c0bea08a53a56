//! Coupons: issued through the outbox, drawn only when read back as claimable.

use crate::error::StudioError;
use crate::present;
use crate::rows;
use crate::studio::{Studio, logged};
use crate::view::{CouponForm, CouponView, StudioEvent, UiError};
use stallcast_engine::protocol::CouponRibbon;
use stallcast_model::{CouponDraft, Currency, Money};

impl CouponForm {
    fn draft(&self, currency: Currency) -> Result<CouponDraft, StudioError> {
        let amount = |field: &'static str, text: &str| Money::parse_major(text, currency).map_err(|e| StudioError::invalid(field, e.rule));
        let threshold = if self.threshold.trim().is_empty() { Money::new(0, currency) } else { amount("threshold", &self.threshold)? };
        let draft =
            CouponDraft { discount: amount("discount", &self.discount)?, threshold, quantity: self.quantity, valid_s: self.valid_s };
        draft.validate()?;
        Ok(draft)
    }
}

impl Studio {
    pub(crate) async fn coupons_view(&self) -> Vec<CouponView> {
        let rows = rows::coupons(&self.inner.store).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "coupons cannot be read");
            Vec::new()
        });
        let now = self.now_ms();
        rows.iter().map(|row| present::coupon(row, self.ahead_ms(&row.connection), now)).collect()
    }

    /// Issues a coupon on the shop that is named, else on the first that can. It is drawn and announced only once the shop says it can be claimed.
    ///
    /// # Errors
    /// `invalid` with field and rule, `unsupported`, `not_found` for a shop that is not there.
    pub async fn issue_coupon(&self, form: CouponForm) -> Result<(), UiError> {
        self.issue(&form).await.map(drop).map_err(logged("coupon"))
    }

    /// Its id.
    pub(crate) async fn issue(&self, form: &CouponForm) -> Result<String, StudioError> {
        let place = rows::coupon_place(&self.inner.store, form.connection_id.as_deref()).await?;
        let draft = form.draft(place.currency.unwrap_or(Currency::Cny))?;
        let coupon = rows::issue_coupon(&self.inner.store, &place.id, &draft, self.now_ms()).await?;
        self.wake_outbox();
        self.publish_coupons().await;
        Ok(coupon)
    }

    /// Ends a coupon before its time. It leaves the picture at once: the shop may have ended it the moment it heard of it.
    ///
    /// # Errors
    /// `not_found`, `wrong_state`, `unsupported`.
    pub async fn withdraw_coupon(&self, coupon_id: String) -> Result<(), UiError> {
        rows::withdraw_coupon(&self.inner.store, &coupon_id, self.now_ms()).await.map_err(logged("withdraw"))?;
        self.refresh_overlay().await;
        self.wake_outbox();
        self.publish_coupons().await;
        Ok(())
    }

    pub(crate) async fn publish_coupons(&self) {
        self.hub().send(StudioEvent::Coupons(self.coupons_view().await));
    }

    /// The ribbon in the picture: of the claimable coupons the one issued last.
    pub(crate) async fn coupon_ribbon(&self, now_ms: i64) -> Option<CouponRibbon> {
        let rows = rows::coupons(&self.inner.store).await.unwrap_or_default();
        let known = rows::connections(&self.inner.store).await.unwrap_or_default();
        // Of a removed shop nothing is confirmed any more.
        let kept = |row: &&rows::CouponRow| known.iter().any(|c| c.id.as_str() == row.connection);
        rows.iter().filter(kept).find_map(|row| present::ribbon(row, self.ahead_ms(&row.connection), now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_typed_and_faults_name_their_field() {
        let form = |discount: &str, threshold: &str| CouponForm {
            discount: discount.to_owned(),
            threshold: threshold.to_owned(),
            quantity: 50,
            valid_s: 180,
            connection_id: None,
        };
        let draft = form("30", "199").draft(Currency::Cny).expect("draft");
        assert_eq!((draft.discount.amount, draft.threshold.amount), (3_000, 19_900));
        assert_eq!(form("5.5", "").draft(Currency::Cny).expect("draft").threshold.amount, 0);
        let wrong = |d: &str, t: &str| form(d, t).draft(Currency::Cny).expect_err("refused").params()["field"].clone();
        assert_eq!(wrong("x", "199"), "discount");
        assert_eq!(wrong("30", "1.999"), "threshold");
        assert_eq!(wrong("200", "199"), "discount");
    }
}
