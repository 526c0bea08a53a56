//! Orders: the list with its seal, and shipping.

use crate::error::StudioError;
use crate::present;
use crate::rows::{self, OrderRow};
use crate::studio::{Studio, logged};
use crate::view::{OrderRowView, OrdersView, SealView, ShowView, StudioEvent, UiError};
use stallcast_model::{Currency, Money, Product};
use std::collections::HashMap;

/// Rows in the view, newest first.
pub(crate) const MOST_ROWS: u32 = 200;
/// Longest carrier and tracking number, characters.
const MOST_TEXT: usize = 64;

impl Studio {
    pub(crate) async fn orders_view(&self) -> OrdersView {
        let list = rows::orders(&self.inner.store, MOST_ROWS).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "orders cannot be read");
            rows::OrderList::default()
        });
        let bag = self.bag_rows().await;
        let known: HashMap<&str, (u32, &Product)> = bag.iter().map(|r| (r.product.id.as_str(), (r.item.number, &r.product))).collect();
        OrdersView {
            rows: list.rows.iter().map(|row| view(row, &known)).collect(),
            total: list.total,
            awaiting_payment: list.awaiting_payment,
            to_ship: list.to_ship,
            after_sale: list.after_sale,
            seal: self.seal().await,
        }
    }

    async fn seal(&self) -> SealView {
        match self.inner.selling.get() {
            Some(selling) => selling.seal(&self.inner.store, self.now_ms()).await,
            None => SealView::Unknown,
        }
    }

    pub(crate) async fn publish_orders(&self) {
        self.hub().send(StudioEvent::Orders(self.orders_view().await));
    }

    /// Tells the platform that an order was sent. Pressed twice, it is sent once.
    ///
    /// # Errors
    /// `invalid`, `not_found`, `wrong_state`.
    pub async fn ship_order(&self, order_id: String, carrier: String, tracking: String) -> Result<(), UiError> {
        self.ship(&order_id, carrier.trim(), tracking.trim()).await.map_err(logged("ship"))
    }

    async fn ship(&self, order_id: &str, carrier: &str, tracking: &str) -> Result<(), StudioError> {
        for (field, text) in [("carrier", carrier), ("tracking", tracking)] {
            if text.is_empty() {
                return Err(StudioError::invalid(field, "empty"));
            }
            if text.chars().count() > MOST_TEXT {
                return Err(StudioError::invalid(field, "too_long"));
            }
            if text.chars().any(char::is_control) {
                return Err(StudioError::invalid(field, "format"));
            }
        }
        rows::ship(&self.inner.store, order_id, carrier, tracking, self.now_ms()).await?;
        self.wake_outbox();
        self.publish_orders().await;
        self.tell_failed_intents().await;
        Ok(())
    }

    /// Sends a failed intent again: same effect, same key, so that it cannot happen twice.
    ///
    /// # Errors
    /// `not_found`, `wrong_state` when it did not fail.
    pub async fn retry_intent(&self, intent_id: String) -> Result<(), UiError> {
        rows::retry_intent(&self.inner.store, &intent_id, self.now_ms()).await.map_err(logged("retry"))?;
        self.intents_changed().await;
        self.wake_outbox();
        Ok(())
    }

    /// Gives a failed intent up.
    ///
    /// # Errors
    /// `not_found`, `wrong_state` when it did not fail.
    pub async fn discard_intent(&self, intent_id: String) -> Result<(), UiError> {
        rows::discard_intent(&self.inner.store, &intent_id, self.now_ms()).await.map_err(logged("discard"))?;
        self.intents_changed().await;
        Ok(())
    }

    pub(crate) async fn intents_changed(&self) {
        self.tell_failed_intents().await;
        self.publish_bag().await;
        self.publish_coupons().await;
        self.publish_orders().await;
    }

    /// Show and transport, with the figures of this show's orders.
    pub(crate) async fn show_view(&self) -> ShowView {
        let show = rows::current_show(&self.inner.store).await.unwrap_or_default();
        let currency = show.turnover.map_or(Currency::Cny, |m| m.currency);
        let shop_name = self.shop_name();
        let viewer_url = self.inner.selling.get().and(self.shop_url()).map(|url| format!("{url}/"));
        let picture = self.hub().picture();
        let state = &picture.state;
        let word = match picture.pressed {
            Some(crate::hub::Pressed::GoLive) => crate::view::ShowStateView::Starting,
            Some(crate::hub::Pressed::End) => crate::view::ShowStateView::Ending,
            None if !picture.open => crate::view::ShowStateView::Opening,
            None => present::show_state(state.engine),
        };
        ShowView {
            state: word,
            title: show.title.unwrap_or_else(|| shop_name.clone()),
            shop_name,
            live_since_ms: state.live_since_ms.map(present::ms),
            camera: state.camera.clone(),
            mic: state.mic.clone(),
            demo: state.demo,
            muted: state.muted,
            canvas_width: picture.configuration.canvas.width,
            canvas_height: picture.configuration.canvas.height,
            recording: state.recording.as_ref().and_then(|p| p.file_name()).map(|n| n.to_string_lossy().into_owned()),
            recording_since_ms: picture.recording_since_ms.map(present::ms),
            viewer_url,
            order_count: show.order_count,
            turnover: present::money(show.turnover.unwrap_or(Money::new(0, currency))),
        }
    }

    pub(crate) fn stats_view(&self) -> crate::view::StatsView {
        let picture = self.hub().picture();
        let cores = self.inner.cores;
        picture.stats.as_ref().map_or_else(|| crate::view::StatsView { cores, ..Default::default() }, |s| present::stats(s, cores))
    }
}

fn view(row: &OrderRow, known: &HashMap<&str, (u32, &Product)>) -> OrderRowView {
    let order = &row.order;
    OrderRowView {
        id: order.id.to_string(),
        number: order.number.clone(),
        connection: row.connection.clone(),
        buyer: stallcast_model::mask_name(&order.buyer),
        lines: present::order_lines(order, |id| known.get(id).copied()),
        total: present::money(order.total),
        discount: (order.discount.amount != 0).then(|| present::money(order.discount)),
        status: present::order_status(order.status()),
        placed_at_ms: present::ms(order.placed_at_ms),
        seen_at_ms: present::ms(row.seen_at_ms),
        ship: row.ship.as_ref().map(rows::Intent::view),
    }
}
