//! The bag: what can be explained, what is being explained, and its card in the picture.

use crate::error::StudioError;
use crate::present;
use crate::rows::{self, BagRow};
use crate::studio::{Studio, logged};
use crate::view::{BagItemView, CandidateView, CandidatesView, StudioEvent, UiError};
use stallcast_engine::protocol::{Command, Overlay};
use stallcast_model::Product;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Longest wait for the first products of a shop that was just opened.
const FIRST_PRODUCTS: Duration = Duration::from_secs(20);
/// Longest wait of a card for its picture.
const PICTURE_WAIT: Duration = Duration::from_millis(300);

fn view(row: &BagRow, next: Option<u32>) -> Option<BagItemView> {
    let sku = row.product.lead_sku()?;
    Some(BagItemView {
        number: row.item.number,
        connection_id: row.connection.clone(),
        product_id: row.item.product.to_string(),
        title: row.product.title.clone(),
        picture: present::picture_address(&row.connection, &row.product),
        price: present::money(sku.price),
        old_price: sku.old_price.map(present::money),
        stock: row.product.stock().map(present::pieces),
        stock_of: row.stock_of.map(present::pieces),
        explaining_since_ms: row.item.explaining_since_ms.map(present::ms),
        explained_ms: present::ms(row.item.explained_ms),
        is_next: next == Some(row.item.number),
        pin: row.pin.as_ref().map(|pin| pin.view_of(&names(row))),
        skus: row.product.skus.iter().map(present::sku).collect(),
        change: row.change.as_ref().map(|change| present::offer_change(&change.row, change.intent.view_of(&names(row)))),
    })
}

/// What a sentence calls a product by.
fn names(row: &BagRow) -> [(&str, &dyn std::fmt::Display); 2] {
    [("number", &row.item.number), ("title", &row.product.title)]
}

/// The next to explain, in the order of the queue: the first behind the present one that was not explained and is not sold
/// out, else from the top.
fn next_number(rows: &[BagRow]) -> Option<u32> {
    let waiting = |r: &&BagRow| r.item.explaining_since_ms.is_none() && r.item.explained_ms == 0 && can_be_sold(r);
    behind(rows).iter().find(waiting).or_else(|| rows.iter().find(waiting)).map(|r| r.item.number)
}

/// What one key goes on to: the next to explain; once all were, the next behind the present one that can be sold.
fn following(rows: &[BagRow]) -> Option<u32> {
    next_number(rows).or_else(|| behind(rows).iter().find(|r| can_be_sold(r)).map(|r| r.item.number))
}

fn can_be_sold(row: &BagRow) -> bool {
    row.product.stock() != Some(0)
}

/// The queue behind what is being explained; all of it when nothing is.
fn behind(rows: &[BagRow]) -> &[BagRow] {
    let now = rows.iter().position(|r| r.item.explaining_since_ms.is_some());
    rows.get(now.map_or(0, |at| at + 1)..).unwrap_or_default()
}

/// Rows of a list that a person looks through; a word finds the others.
const CANDIDATES: u32 = 200;

fn candidate(row: &rows::Candidate) -> Option<CandidateView> {
    Some(CandidateView {
        connection_id: row.connection.to_string(),
        product_id: row.product.id.to_string(),
        number: row.number,
        title: row.product.title.clone(),
        picture: present::picture_address(row.connection.as_str(), &row.product),
        price: present::money(row.product.lead_sku()?.price),
        stock: row.product.stock().map(present::pieces),
    })
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

    pub(crate) async fn pin(&self, number: u32) -> Result<(), StudioError> {
        rows::pin(&self.inner.store, number, self.now_ms(), self.program_ms()).await?;
        self.pin_changed().await;
        Ok(())
    }

    /// Explains what comes next in the queue, and says which number that is.
    ///
    /// # Errors
    /// `no_next` when nothing that can be sold is left.
    pub async fn explain_next(&self) -> Result<u32, UiError> {
        self.pin_next().await.map_err(logged("next"))
    }

    pub(crate) async fn pin_next(&self) -> Result<u32, StudioError> {
        let number = following(&self.bag_rows().await).ok_or_else(|| StudioError::new("no_next"))?;
        self.pin(number).await?;
        Ok(number)
    }

    /// Products of the shops that are not in the bag: those that had the number `text`, or have its words in their title;
    /// for an empty text first those that had a number, then by title.
    ///
    /// # Errors
    /// `internal` when they cannot be read.
    pub async fn bag_candidates(&self, text: String) -> Result<CandidatesView, UiError> {
        self.candidates(&text, CANDIDATES).await.map_err(logged("candidates"))
    }

    /// Those that can be put into the bag, at most so many.
    pub(crate) async fn candidates(&self, text: &str, limit: u32) -> Result<CandidatesView, StudioError> {
        let found = rows::bag_candidates(&self.inner.store, text, limit).await?;
        Ok(CandidatesView { rows: found.rows.iter().filter_map(candidate).collect(), more: found.more })
    }

    /// Puts a product at the end of the queue, and says its number: the one it had, else one that nothing ever had.
    ///
    /// # Errors
    /// `not_found`, `bag_full`.
    pub async fn add_to_bag(&self, connection_id: String, product_id: String) -> Result<u32, UiError> {
        self.take_into_bag(&connection_id, &product_id).await.map_err(logged("add"))
    }

    pub(crate) async fn take_into_bag(&self, connection: &str, product: &str) -> Result<u32, StudioError> {
        let number = rows::add_to_bag(&self.inner.store, connection, product, self.now_ms()).await?;
        self.bag_changed().await;
        Ok(number)
    }

    /// Takes a number out of the bag; an explanation of it ends. Nothing else ever gets that number.
    ///
    /// # Errors
    /// `not_found` for a number that is not in the bag.
    pub async fn remove_from_bag(&self, number: u32) -> Result<(), UiError> {
        self.take_out_of_bag(number).await.map_err(logged("remove"))
    }

    pub(crate) async fn take_out_of_bag(&self, number: u32) -> Result<(), StudioError> {
        rows::remove_from_bag(&self.inner.store, number, self.now_ms(), self.program_ms()).await?;
        self.pin_changed().await;
        self.publish_orders().await;
        Ok(())
    }

    /// Moves a number in the queue, towards its end if positive. Numbers stay.
    ///
    /// # Errors
    /// `not_found` for a number that is not in the bag.
    pub async fn move_in_bag(&self, number: u32, by: i32) -> Result<(), UiError> {
        self.shift_in_bag(number, by).await.map_err(logged("move"))
    }

    pub(crate) async fn shift_in_bag(&self, number: u32, by: i32) -> Result<(), StudioError> {
        rows::move_in_bag(&self.inner.store, number, by, self.now_ms()).await?;
        self.publish_bag().await;
        Ok(())
    }

    /// Orders show the numbers of the bag.
    async fn bag_changed(&self) {
        self.publish_bag().await;
        self.publish_orders().await;
    }

    /// Writes down that the explained product is in the picture now: what is known if this process dies.
    pub(crate) async fn note_span(&self) {
        {
            let picture = self.hub().picture();
            if !picture.open || picture.overlay.card.is_none() {
                return;
            }
        }
        if let Err(e) = rows::span_seen(&self.inner.store, self.now_ms(), self.program_ms()).await {
            tracing::warn!(error = %e, "the running explanation was not noted");
        }
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
            let confirmed = self.confirmed_ms(&row.connection).unwrap_or(0).max(row.product.confirmed_at_ms);
            present::card(row, confirmed, now)
        });
        let overlay = Overlay { card, coupon: self.coupon_ribbon(now).await };
        let before = self.hub().picture().overlay.clone();
        if before == overlay {
            self.inner.overlay_owed.store(false, Ordering::Relaxed);
            return;
        }
        let key = |o: &Overlay| o.card.as_ref().and_then(|c| c.picture_key.clone());
        let new_picture = key(&overlay).is_some() && key(&overlay) != key(&before);
        // An empty attachment with the same key keeps the picture that is there.
        let attachment = match explained.filter(|_| new_picture) {
            // It was read ahead; where not, the card does not wait for a slow shop.
            Some(row) => tokio::time::timeout(PICTURE_WAIT, self.picture_of(&row.connection, &row.product))
                .await
                .ok()
                .flatten()
                .map(|(_, bytes)| bytes),
            None => None,
        };
        let missing = new_picture && attachment.is_none();
        let taken = engine.command(Command::SetOverlay(overlay.clone()), attachment.unwrap_or_default()).await;
        self.inner.overlay_owed.store(taken.is_err(), Ordering::Relaxed);
        match taken {
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
    pub async fn product_picture(&self, connection_id: &str, product_id: &str) -> Option<(String, bytes::Bytes)> {
        let product = rows::product(&self.inner.store, connection_id, product_id).await.map_err(logged("picture")).ok()??;
        self.picture_of(connection_id, &product).await
    }

    async fn picture_of(&self, connection: &str, product: &Product) -> Option<(String, bytes::Bytes)> {
        product.picture.as_ref()?;
        self.shops().of(connection)?.picture(product).await
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
            connection: "local".to_owned(),
            change: None,
        }
    }

    #[test]
    fn the_next_one_comes_after_the_present_and_can_be_sold() {
        let rows = [row(1, 0, false, 1), row(2, 0, true, 1), row(3, 0, false, 0), row(4, 5, false, 1), row(5, 0, false, 1)];
        assert_eq!(next_number(&rows), Some(5), "3 is sold out, 4 was explained");
        let rows = [row(1, 0, false, 1), row(2, 0, true, 1), row(3, 9, false, 1)];
        assert_eq!(next_number(&rows), Some(1), "around the end to the top");
        assert_eq!(next_number(&[row(1, 9, false, 1)]), None);
        // The queue decides, not the number.
        let rows = [row(7, 0, false, 1), row(2, 0, true, 1), row(9, 0, false, 1), row(3, 0, false, 1)];
        assert_eq!((next_number(&rows), following(&rows)), (Some(9), Some(9)));
        assert_eq!(next_number(&[row(3, 0, false, 1), row(5, 0, true, 1)]), Some(3));
    }

    #[test]
    fn once_all_were_explained_one_key_still_goes_on() {
        let rows = [row(1, 9, false, 1), row(2, 0, true, 1), row(3, 9, false, 0), row(4, 9, false, 1)];
        assert_eq!((next_number(&rows), following(&rows)), (None, Some(4)), "3 is sold out");
        let rows = [row(1, 9, false, 1), row(4, 0, true, 1)];
        assert_eq!(following(&rows), None, "the end of the queue is said, not skipped");
        assert_eq!(following(&[row(1, 0, false, 0)]), None);
    }
}
