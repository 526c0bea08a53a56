//! Orders: the list with its seal, shipping, and answers to after-sales.

use crate::error::StudioError;
use crate::order_view::{self, LinePiecesView};
use crate::present;
use crate::rows::{self, OrderAt, OrderRow, OrderSearch};
use crate::studio::{Studio, logged};
use crate::view::{OrderPageView, OrderRowView, OrderStatusView, OrdersView, ShowView, StatsView, StudioEvent, UiError};
use stallcast_engine::protocol::{CameraChoice, MicChoice, Stats};
use stallcast_model::{AfterSaleAnswer, ConnectionId, Currency, LinePieces, Money, Product, Waybill};
use stallcast_store::Resource;
use std::collections::HashMap;

/// Rows in the view, newest first.
pub(crate) const MOST_ROWS: u32 = 200;
/// Rows of one page of a search.
const PAGE_ROWS: u32 = 100;
/// Longest carrier and tracking number, characters.
const MOST_TEXT: usize = 64;
/// Longest reason of a refusal, characters.
const MOST_REASON: usize = 200;

impl Studio {
    pub(crate) async fn orders_view(&self) -> OrdersView {
        let list = rows::orders(&self.inner.store, MOST_ROWS).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "orders cannot be read");
            rows::OrderList::default()
        });
        OrdersView {
            rows: self.order_rows(&list.rows).await,
            next: list.next.map(|key| key.to_string()),
            total: list.total,
            awaiting_payment: list.awaiting_payment,
            to_ship: list.to_ship,
            after_sale: list.after_sale,
            seal: self.seal_of(Resource::Orders).await,
        }
    }

    /// Orders whose products, numbers or buyer match what was typed, newest first, a page at a time; all with an empty
    /// text, of one shop or of all. A buyer is found by the whole name or phone number only. `after` is the `next` of the page
    /// before.
    ///
    /// # Errors
    /// `invalid` for a position that is none, those of the database.
    pub async fn search_orders(
        &self,
        text: String,
        status: Option<OrderStatusView>,
        connection_id: Option<String>,
        after: Option<String>,
    ) -> Result<OrderPageView, UiError> {
        self.find_orders(text, status, connection_id, after).await.map_err(logged("search"))
    }

    async fn find_orders(
        &self,
        text: String,
        status: Option<OrderStatusView>,
        connection: Option<String>,
        after: Option<String>,
    ) -> Result<OrderPageView, StudioError> {
        let before = after.map(|key| key.parse().map_err(|_| StudioError::invalid("after", "format"))).transpose()?;
        let (status, connection) = (status.map(present::order_status_of), connection.map(ConnectionId::new));
        let search = OrderSearch { text, status, connection, before, limit: PAGE_ROWS };
        let (rows, next) = rows::search_orders(&self.inner.store, search).await?;
        Ok(OrderPageView { rows: self.order_rows(&rows).await, next: next.map(|key| key.to_string()) })
    }

    /// Rows as pages see them.
    pub(crate) async fn order_rows(&self, rows: &[OrderRow]) -> Vec<OrderRowView> {
        let bag = self.bag_rows().await;
        let known = known(&bag);
        rows.iter().map(|row| view(row, &known)).collect()
    }

    pub(crate) async fn publish_orders(&self) {
        self.hub().send(StudioEvent::Orders(self.orders_view().await));
    }

    /// Tells the platform that a parcel of an order was sent, with these pieces in it, all that is left if none are named.
    /// Pressed twice, it is sent once.
    ///
    /// # Errors
    /// `invalid`, `not_found`, `wrong_state`.
    pub async fn ship_order(
        &self,
        connection_id: String,
        order_id: String,
        carrier: String,
        tracking: String,
        lines: Vec<LinePiecesView>,
    ) -> Result<(), UiError> {
        self.ship(OrderAt { connection: &connection_id, order: &order_id }, &carrier, &tracking, &lines)
            .await
            .map(drop)
            .map_err(logged("ship"))
    }

    /// The id of the intent.
    pub(crate) async fn ship(
        &self,
        at: OrderAt<'_>,
        carrier: &str,
        tracking: &str,
        lines: &[LinePiecesView],
    ) -> Result<String, StudioError> {
        let waybill = Waybill {
            carrier: line_of_text("carrier", carrier, MOST_TEXT)?.to_owned(),
            tracking: line_of_text("tracking", tracking, MOST_TEXT)?.to_owned(),
        };
        let lines: Vec<LinePieces> = lines.iter().map(|p| LinePieces { line: p.line, quantity: p.quantity }).collect();
        if lines.iter().any(|pieces| pieces.quantity == 0) {
            return Err(StudioError::invalid("quantity", "range"));
        }
        let intent = rows::ship(&self.inner.store, at, &waybill, &lines, self.now_ms()).await?;
        self.order_wished().await;
        Ok(intent)
    }

    /// Grants what a buyer asked for. Pressed twice, it is granted once.
    ///
    /// # Errors
    /// `not_found`, `wrong_state`, `unsupported`.
    pub async fn agree_after_sale(&self, connection_id: String, order_id: String, after_sale_id: String) -> Result<(), UiError> {
        let at = OrderAt { connection: &connection_id, order: &order_id };
        self.answer_asked(at, &after_sale_id, AfterSaleAnswer::Agree).await.map(drop).map_err(logged("agree"))
    }

    /// Refuses what a buyer asked for, with a reason that the buyer reads.
    ///
    /// # Errors
    /// `invalid`, `not_found`, `wrong_state`, `unsupported`.
    pub async fn refuse_after_sale(
        &self,
        connection_id: String,
        order_id: String,
        after_sale_id: String,
        reason: String,
    ) -> Result<(), UiError> {
        self.refuse(OrderAt { connection: &connection_id, order: &order_id }, &after_sale_id, &reason)
            .await
            .map(drop)
            .map_err(logged("refuse"))
    }

    /// The id of the intent.
    pub(crate) async fn refuse(&self, at: OrderAt<'_>, after_sale_id: &str, reason: &str) -> Result<String, StudioError> {
        let reason = line_of_text("reason", reason, MOST_REASON)?.to_owned();
        self.answer_asked(at, after_sale_id, AfterSaleAnswer::Refuse { reason }).await
    }

    /// The id of the intent.
    pub(crate) async fn answer_asked(&self, at: OrderAt<'_>, after_sale_id: &str, answer: AfterSaleAnswer) -> Result<String, StudioError> {
        let intent = rows::answer_after_sale(&self.inner.store, at, after_sale_id, &answer, self.now_ms()).await?;
        self.order_wished().await;
        Ok(intent)
    }

    /// Something about an order was written into the outbox.
    async fn order_wished(&self) {
        self.wake_outbox();
        self.publish_orders().await;
        self.tell_failed_intents().await;
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
        self.publish_comments().await;
        self.publish_orders().await;
        // A coupon whose early end was given up is drawn again.
        self.refresh_overlay().await;
    }

    /// Show and transport, with the figures of this show's orders.
    pub(crate) async fn show_view(&self) -> ShowView {
        let show = rows::current_show(&self.inner.store).await.unwrap_or_default();
        let currency = show.turnover.map_or(Currency::Cny, |m| m.currency);
        let shop_name = self.shop_name();
        let viewer_url = self.shops().own().and_then(|_| self.shop_url()).map(|url| format!("{url}/"));
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
            camera_id: match &picture.configuration.camera {
                // Where any would do, the one that was found; its number may have changed since it was chosen.
                CameraChoice::Device { .. } if !state.camera_id.is_empty() => Some(state.camera_id.clone()),
                CameraChoice::Device { id } => id.clone(),
                _ => None,
            },
            mic: state.mic.clone(),
            mic_id: match &picture.configuration.mic {
                MicChoice::Device { id } => id.clone(),
                _ => None,
            },
            demo: state.demo,
            muted: state.muted,
            canvas_width: picture.configuration.canvas.width,
            canvas_height: picture.configuration.canvas.height,
            recording: state.recording.as_ref().and_then(|p| p.file_name()).map(|n| n.to_string_lossy().into_owned()),
            clean_feed: state.clean_feed.is_some(),
            recording_since_ms: picture.recording_since_ms.map(present::ms),
            viewer_url,
            order_count: show.order_count,
            turnover: present::money(show.turnover.unwrap_or(Money::new(0, currency))),
        }
    }

    pub(crate) fn stats_view(&self) -> StatsView {
        let picture = self.hub().picture();
        let cores = self.inner.cores;
        let Some(stats) = &picture.stats else { return StatsView { cores, picture_percent: 100, ..Default::default() } };
        let on_air = crate::hub::on_air(picture.state.engine);
        // What others counted in a show that is over is in its summary.
        let loss = if on_air { picture.departed.loss_with(stats.loss) } else { stats.loss };
        let disk_minutes = stats.disk_minutes.or(picture.room_minutes.filter(|_| !on_air));
        present::stats(&Stats { loss, disk_minutes, ..stats.clone() }, cores)
    }
}

/// One line of text as typed, without the blanks around it.
fn line_of_text<'a>(field: &'static str, text: &'a str, most: usize) -> Result<&'a str, StudioError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(StudioError::invalid(field, "empty"));
    }
    if text.chars().count() > most {
        return Err(StudioError::invalid(field, "too_long"));
    }
    if text.chars().any(char::is_control) {
        return Err(StudioError::invalid(field, "format"));
    }
    Ok(text)
}

/// Products of the bag by shop and id, with their spoken numbers.
type Known<'a> = HashMap<(&'a str, &'a str), (u32, &'a Product)>;

fn known(bag: &[rows::BagRow]) -> Known<'_> {
    bag.iter().map(|r| ((r.connection.as_str(), r.product.id.as_str()), (r.item.number, &r.product))).collect()
}

fn view(row: &OrderRow, known: &Known<'_>) -> OrderRowView {
    let order = &row.order;
    OrderRowView {
        id: order.id.to_string(),
        number: order.number.clone(),
        connection_id: row.connection_id.clone(),
        connection: row.connection.clone(),
        buyer: if row.purged { String::new() } else { stallcast_model::mask_name(&order.buyer) },
        purged: row.purged,
        lines: present::order_lines(&row.connection_id, order, |id| known.get(&(row.connection_id.as_str(), id)).copied()),
        total: present::money(order.total),
        discount: (order.discount.amount != 0).then(|| present::money(order.discount)),
        status: present::order_status(order.status()),
        placed_at_ms: present::ms(order.placed_at_ms),
        seen_at_ms: present::ms(row.seen_at_ms),
        ship: row.ship.as_ref().map(|ship| ship.view_of(&[("order", &order.number)])),
        parcels: order.shipments.iter().map(order_view::parcel).collect(),
        after_sales: order.after_sales.iter().map(|asked| order_view::after_sale(asked, row)).collect(),
    }
}
