//! Price and pieces of what is being sold. The picture goes on showing what was confirmed until the new value was read back.

use crate::error::StudioError;
use crate::rows::{self, OfferWish};
use crate::studio::{Studio, logged};
use crate::view::{OfferForm, UiError};
use stallcast_model::{Money, SkuId};

impl Studio {
    /// Changes price or pieces of a product in the bag.
    ///
    /// # Errors
    /// `invalid` with field and rule, `not_found`, `unsupported`.
    pub async fn change_offer(&self, form: OfferForm) -> Result<(), UiError> {
        self.change(&form).await.map_err(logged("offer"))
    }

    pub(crate) async fn change(&self, form: &OfferForm) -> Result<(), StudioError> {
        let rows = self.bag_rows().await;
        let row = rows.iter().find(|r| r.item.number == form.number).ok_or_else(|| StudioError::new("not_found"))?;
        let currency = row.product.lead_sku().map(|s| s.price.currency).ok_or_else(|| StudioError::new("not_found"))?;
        let typed = form.price.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let price = typed.map(|text| Money::parse_major(text, currency)).transpose().map_err(|e| StudioError::invalid("price", e.rule))?;
        let wish = OfferWish { number: form.number, sku: form.sku_id.as_ref().map(SkuId::new), price, stock_by: i64::from(form.stock_by) };
        rows::change_offer(&self.inner.store, &wish, self.ahead_ms(&row.connection), self.now_ms()).await?;
        self.wake_outbox();
        self.publish_bag().await;
        // A failed one may have been replaced.
        self.tell_failed_intents().await;
        Ok(())
    }
}
