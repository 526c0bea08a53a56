//! Waiting for what was pressed to come true: for whoever asked over the control socket and sees no panel.

use crate::error::StudioError;
use crate::present;
use crate::rows::{self, Intent, OrderAt, OrderSearch};
use crate::studio::Studio;
use crate::view::{ActionView, CouponForm, LinePiecesView, OfferForm, OrderRowView, OrderStatusView, StudioEvent};
use stallcast_model::{AfterSaleAnswer, ConnectionId};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How long somebody waits before they are told that it is still on its way.
const WAIT: Duration = Duration::from_secs(20);
/// Orders that are shown at a time.
const MOST: u32 = 100;

impl Studio {
    /// How an intent stands once it is settled, or after [`WAIT`].
    async fn settled(&self, intent: &str) -> Result<ActionView, StudioError> {
        let mut events = self.hub().events();
        let end = tokio::time::Instant::now() + WAIT;
        loop {
            let action = rows::intent(&self.inner.store, intent).await?.as_ref().map(Intent::view);
            // One that was replaced or given up is nobody's any more.
            let action = action.ok_or_else(|| StudioError::new("not_found"))?;
            if !matches!(action, ActionView::Sending | ActionView::Checking) {
                return Ok(action);
            }
            // Figures and levels, many a second, settle nothing.
            let moved = async {
                loop {
                    match events.recv().await {
                        Ok(event) if !may_settle(&event) => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => return true,
                        Err(RecvError::Closed) => return false,
                    }
                }
            };
            if tokio::time::timeout_at(end, moved).await != Ok(true) {
                return Ok(action);
            }
        }
    }

    /// Changes price or pieces and waits. The id of the intent, and how it ended.
    pub(crate) async fn change_and_wait(&self, form: &OfferForm) -> Result<(String, ActionView), StudioError> {
        self.change(form).await?;
        let bag = self.bag_rows().await;
        let change = bag.into_iter().find(|row| row.item.number == form.number).and_then(|row| row.change);
        let intent = change.ok_or_else(|| StudioError::new("not_found"))?.intent.id;
        Ok((intent.clone(), self.settled(&intent).await?))
    }

    /// Issues a coupon and waits. Its id, and how that ended.
    pub(crate) async fn issue_and_wait(&self, form: &CouponForm) -> Result<(String, ActionView), StudioError> {
        let coupon = self.issue(form).await?;
        let row = rows::coupons(&self.inner.store).await?.into_iter().find(|row| row.coupon.id.as_str() == coupon);
        let intent = row.and_then(|row| row.intent_id).ok_or_else(|| StudioError::new("not_found"))?;
        Ok((coupon, self.settled(&intent).await?))
    }

    /// Ends a coupon early and waits. Its id, and how that ended.
    pub(crate) async fn withdraw_and_wait(&self, coupon: &str) -> Result<(String, ActionView), StudioError> {
        self.withdraw_coupon(coupon.to_owned()).await?;
        let row = rows::coupons(&self.inner.store).await?.into_iter().find(|row| row.coupon.id.as_str() == coupon);
        let intent = row.and_then(|row| row.withdraw).ok_or_else(|| StudioError::new("not_found"))?;
        Ok((coupon.to_owned(), self.settled(&intent.id).await?))
    }

    /// Sends a parcel and waits. The id of the order, and how it ended.
    pub(crate) async fn ship_and_wait(
        &self,
        order: &str,
        shop: Option<&str>,
        carrier: &str,
        tracking: &str,
        lines: &[LinePiecesView],
    ) -> Result<(String, ActionView), StudioError> {
        let order = self.named_order(order, shop).await?;
        let intent = self.ship(at(&order), carrier, tracking, lines).await?;
        Ok((order.id, self.settled(&intent).await?))
    }

    /// Answers the open after-sale of an order and waits. The id of the after-sale, and how it ended.
    pub(crate) async fn answer_and_wait(
        &self,
        order: &str,
        shop: Option<&str>,
        refuse: Option<&str>,
    ) -> Result<(String, ActionView), StudioError> {
        let row = self.named_order(order, shop).await?;
        let asked = row.after_sales.iter().find(|a| a.state == crate::view::AfterSaleStateView::Requested);
        let asked = asked.ok_or_else(|| StudioError::new("nothing_asked"))?;
        let intent = match refuse {
            None => self.answer_asked(at(&row), &asked.id, AfterSaleAnswer::Agree).await?,
            Some(reason) => self.refuse(at(&row), &asked.id, reason).await?,
        };
        Ok((asked.id.clone(), self.settled(&intent).await?))
    }

    /// Orders that wait for the seller: first those with a request, then those to ship, each newest first.
    pub(crate) async fn waiting_orders(&self) -> Result<Vec<OrderRowView>, StudioError> {
        let mut found = Vec::new();
        for status in [OrderStatusView::AfterSale, OrderStatusView::ToShip] {
            let status = Some(present::order_status_of(status));
            let search = OrderSearch { text: String::new(), status, connection: None, before: None, limit: MOST };
            let (rows, _) = rows::search_orders(&self.inner.store, search).await?;
            found.extend(self.order_rows(&rows).await);
        }
        Ok(found)
    }

    /// The order with this number or id, of this shop if one is named.
    async fn named_order(&self, name: &str, shop: Option<&str>) -> Result<OrderRowView, StudioError> {
        let store = &self.inner.store;
        let mut same = Vec::new();
        for connection in rows::connections(store).await? {
            if shop.is_none_or(|shop| shop == connection.id.as_str()) {
                same.extend(rows::order(store, &connection.id, name).await?);
            }
        }
        if same.is_empty() {
            let connection = shop.map(ConnectionId::new);
            let search = OrderSearch { text: name.to_owned(), status: None, connection, before: None, limit: MOST };
            let (rows, _) = rows::search_orders(store, search).await?;
            same.extend(rows.into_iter().filter(|row| row.order.number == name));
        }
        match same.as_slice() {
            [row] => self.order_rows(std::slice::from_ref(row)).await.pop().ok_or_else(|| StudioError::new("not_found")),
            [] => Err(StudioError::new("not_found")),
            // Two shops may give the same number.
            _ => Err(StudioError::new("order_of_two_shops").with("order", name)),
        }
    }
}

/// May an intent stand differently after it?
const fn may_settle(event: &StudioEvent) -> bool {
    !matches!(event, StudioEvent::Stats(_) | StudioEvent::Levels(_))
}

fn at(row: &OrderRowView) -> OrderAt<'_> {
    OrderAt { connection: &row.connection_id, order: &row.id }
}
