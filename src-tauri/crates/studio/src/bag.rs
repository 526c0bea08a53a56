//! The bag: what can be explained, what is being explained, and its card in the picture.

use crate::error::StudioError;
use crate::present;
use crate::rows::{self, BagRow};
use crate::studio::{Studio, logged};
use crate::view::{BagItemView, StudioEvent, UiError};
use stallcast_engine::protocol::{Command, Overlay};
use stallcast_model::Product;
use std::time::Duration;

/// Longest wait for the first products of a shop that was just opened.
const FIRST_PRODUCTS: Duration = Duration::from_secs(20);
/// Longest wait of a card for its picture.
const PICTURE_WAIT: Duration = Duration::from_millis(300);

fn view(row: &BagRow, next: Option<u32>) -> Option<BagItemView> {
    let sku = row.product.lead_sku()?;
    Some(BagItemView {
        number: row.item.number,
        product_id: row.item.product.to_string(),
        title: row.product.title.clone(),
        picture: present::picture_address(&row.product),
        price: present::money(sku.price),
        old_price: sku.old_price.map(present::money),
        stock: row.product.stock().map(present::pieces),
        stock_of: row.stock_of.map(present::pieces),
        explaining_since_ms: row.item.explaining_since_ms.map(present::ms),
        explained_ms: present::ms(row.item.explained_ms),
        is_next: next == Some(row.item.number),
        pin: row.pin.as_ref().map(rows::Intent::view),
    })
}

/// The next to explain: the first after the present one that was not explained and is not sold out, else from the top.
fn next_number(rows: &[BagRow]) -> Option<u32> {
    let waiting = |r: &&BagRow| r.item.explaining_since_ms.is_none() && r.item.explained_ms == 0 && r.product.stock() != Some(0);
    let now = rows.iter().find(|r| r.item.explaining_since_ms.is_some()).map_or(0, |r| r.item.number);
    rows.iter().filter(|r| r.item.number > now).find(waiting).or_else(|| rows.iter().find(waiting)).map(|r| r.item.number)
}

impl Studio {
    pub(crate) async fn bag_rows(&self) -> Vec<BagRow> {
        rows::bag(&self.inner.store).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "the bag cannot be read");
            Vec::new()
        })
    }

    pub(crate) async fn bag_view(&self) -> Vec<BagItemView> {
        let rows = self.bag_rows().await;
        let next = next_number(&rows);
        rows.iter().filter_map(|row| view(row, next)).collect()
    }

    pub(crate) async fn publish_bag(&self) {
        self.hub().send(StudioEvent::Bag(self.bag_view().await));
    }

    /// 讲解: the product's card comes into the picture at once, and the platform is told.
    ///
    /// # Errors
    /// `not_found` for a number that is not in the bag.
    pub async fn pin_product(&self, number: u32) -> Result<(), UiError> {
        self.pin(number).await.map_err(logged("pin"))
    }

    async fn pin(&self, number: u32) -> Result<(), StudioError> {
        rows::pin(&self.inner.store, number, self.now_ms(), self.program_ms()).await?;
        self.pin_changed().await;
        Ok(())
    }

    /// Ends the explanation: the card leaves the picture, and the platform is told.
    ///
    /// # Errors
    /// `internal` when it cannot be saved; nothing being explained is no error.
    pub async fn unpin_product(&self) -> Result<(), UiError> {
        self.unpin().await.map_err(logged("unpin"))
    }

    pub(crate) async fn unpin(&self) -> Result<(), StudioError> {
        if rows::unpin(&self.inner.store, self.now_ms(), self.program_ms()).await? {
            self.pin_changed().await;
        }
        Ok(())
    }

    /// Written down: now the platform, the picture and the windows hear of it, none waiting for another's answer.
    async fn pin_changed(&self) {
        self.wake_outbox();
        self.refresh_overlay().await;
        self.publish_bag().await;
        // A failed one may have been replaced.
        self.tell_failed_intents().await;
    }

    /// For the command line: a SKU of the shop, or `first`. Waits for the first products of a new shop.
    pub(crate) async fn pin_sku(&self, sku: &str) -> Result<(), StudioError> {
        let find = || async {
            let rows = self.bag_rows().await;
            let found =
                if sku == "first" { rows.first() } else { rows.iter().find(|r| r.product.skus.iter().any(|s| s.id.as_str() == sku)) };
            (found.map(|r| r.item.number), !rows.is_empty())
        };
        let mut events = self.events();
        let deadline = tokio::time::Instant::now() + FIRST_PRODUCTS;
        let number = loop {
            match find().await {
                (Some(number), _) => break number,
                (None, true) => return Err(StudioError::new("sku_not_found").with("sku", sku)),
                (None, false) => {}
            }
            // Any event may be the bag's; a lag is a reason to look again as well.
            if tokio::time::timeout_at(deadline, events.recv()).await.is_err() {
                return Err(StudioError::new("sku_not_found").with("sku", sku));
            }
        };
        self.pin(number).await
    }

    /// Where the program stands, ms since the show began: what the recording and the viewers' page can be lined up with.
    pub(crate) fn program_ms(&self) -> Option<i64> {
        self.hub().picture().state.live_since_ms.map(|since| (self.now_ms() - since).max(0))
    }

    /// Draws what is true now: the explained product with its confirmed figures, the coupon that can be claimed. Sends
    /// only changes, one at a time.
    pub(crate) async fn refresh_overlay(&self) {
        let Ok(engine) = self.engine() else { return };
        let _turn = self.inner.overlay_turn.lock().await;
        let now = self.now_ms();
        let rows = self.bag_rows().await;
        let explained = rows.iter().find(|r| r.item.explaining_since_ms.is_some());
        self.follow_pace(explained.is_some());
        let card = explained.and_then(|row| {
            let confirmed = self.confirmed_ms().unwrap_or(0).max(row.product.confirmed_at_ms);
            present::card(row.item.number, &row.product, row.stock_of, confirmed, now)
        });
        let overlay = Overlay { card, coupon: self.coupon_ribbon(now).await };
        let before = self.hub().picture().overlay.clone();
        if before == overlay {
            return;
        }
        let key = |o: &Overlay| o.card.as_ref().and_then(|c| c.picture_key.clone());
        let new_picture = key(&overlay).is_some() && key(&overlay) != key(&before);
        // An empty attachment with the same key keeps the picture that is there.
        let attachment = match explained.filter(|_| new_picture) {
            // It was read ahead; where not, the card does not wait for a slow shop.
            Some(row) => tokio::time::timeout(PICTURE_WAIT, self.picture_of(&row.product)).await.ok().flatten().map(|(_, bytes)| bytes),
            None => None,
        };
        let missing = new_picture && attachment.is_none();
        match engine.command(Command::SetOverlay(overlay.clone()), attachment.unwrap_or_default()).await {
            Ok(_) => {
                let mut taken = overlay;
                if let Some(card) = taken.card.as_mut().filter(|_| missing) {
                    // The next tick asks for it again.
                    card.picture_key = None;
                }
                self.hub().picture().overlay = taken;
            }
            // The next tick tries again.
            Err(e) => tracing::warn!(error = %e, "the overlay was not taken"),
        }
    }

    /// The picture of a product, with its type; `None` when it has none or the shop does not answer.
    pub async fn product_picture(&self, product_id: &str) -> Option<(String, bytes::Bytes)> {
        let rows = self.bag_rows().await;
        let product = rows.iter().find(|r| r.product.id.as_str() == product_id).map(|r| r.product.clone())?;
        self.picture_of(&product).await
    }

    async fn picture_of(&self, product: &Product) -> Option<(String, bytes::Bytes)> {
        product.picture.as_ref()?;
        self.inner.selling.get()?.picture(product).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_model::{BagItem, Currency, Money, ProductId, Sku, SkuId};

    fn row(number: u32, explained_ms: i64, explaining: bool, stock: i64) -> BagRow {
        let id = ProductId::new(number.to_string());
        let price = Money::new(100, Currency::Cny);
        BagRow {
            item: BagItem { number, product: id.clone(), explaining_since_ms: explaining.then_some(1), explained_ms },
            product: Product {
                id,
                title: "t".to_owned(),
                picture: None,
                skus: vec![Sku { id: SkuId::new("s"), title: String::new(), price, old_price: None, stock: Some(stock) }],
                confirmed_at_ms: 0,
            },
            stock_of: None,
            pin: None,
        }
    }

    #[test]
    fn the_next_one_comes_after_the_present_and_can_be_sold() {
        let rows = [row(1, 0, false, 1), row(2, 0, true, 1), row(3, 0, false, 0), row(4, 5, false, 1), row(5, 0, false, 1)];
        assert_eq!(next_number(&rows), Some(5), "3 is sold out, 4 was explained");
        let rows = [row(1, 0, false, 1), row(2, 0, true, 1), row(3, 9, false, 1)];
        assert_eq!(next_number(&rows), Some(1), "around the end to the top");
        assert_eq!(next_number(&[row(1, 9, false, 1)]), None);
    }
}
