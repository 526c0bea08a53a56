//! Domain values as windows and the picture show them. Pure functions: no I/O, no clock reads.

use crate::rows::{BagRow, CouponRow, Intent};
use crate::view::{
    ActionView, CapabilityView, ConnectionView, CouponStateView, CouponView, LinkStateView, MoneyView, OfferChangeView, OrderLineView,
    OrderStatusView, ShopStateView, ShowStateView, SkuView, StatsView,
};
use stallcast_engine::protocol::{CouponRibbon, EngineState, LinkState, ProductCard, Stats};
use stallcast_model::{Action, Capability, CouponState, Money, Order, OrderStatus, Product, Sku};
use stallcast_store::{Connection, OfferChangeRow};
use std::fmt::Write;

/// Confirmed figures older than this leave the picture; the title stays.
pub(crate) const FIGURES_FRESH_MS: i64 = 8_000;

/// ms UTC for a page: exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "ms UTC stay below 2^53 for 285 000 years")]
pub(crate) const fn ms(at: i64) -> f64 {
    at as f64
}

pub(crate) fn count(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

pub(crate) fn pieces(n: i64) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

pub(crate) fn money(money: Money) -> MoneyView {
    MoneyView {
        amount: money.amount.to_string(),
        currency: money.currency.code().to_owned(),
        text: money.to_string(),
        short: money.short(),
    }
}

/// Relative address of a product's picture behind the shell's protocol. The key changes with the picture, so that pages
/// may keep it for ever.
pub(crate) fn picture_address(connection: &str, product: &Product) -> Option<String> {
    let key = product.picture.as_ref()?;
    Some(format!("picture/{}/{}?v={}", percent(connection), percent(product.id.as_str()), percent(key)))
}

fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The card of the product being explained, from what the platform confirmed. Figures that were not confirmed lately are
/// left out: the picture never shows a price that may be over.
pub(crate) fn card(row: &BagRow, confirmed_at_ms: i64, now_ms: i64) -> Option<ProductCard> {
    let product = &row.product;
    let sku = product.lead_sku()?;
    let fresh = now_ms - confirmed_at_ms <= FIGURES_FRESH_MS;
    let stock = product.stock().filter(|_| fresh);
    Some(ProductCard {
        number: row.item.number,
        title: product.title.clone(),
        sign: sku.price.currency.sign().to_owned(),
        price: fresh.then(|| sku.price.short()),
        old_price: sku
            .old_price
            .filter(|old| fresh && old.currency == sku.price.currency && old.amount > sku.price.amount)
            .map(Money::short),
        stock,
        stock_of: stock.and(row.stock_of),
        picture_key: product.picture.as_ref().map(|key| format!("{}:{}:{key}", row.connection, product.id)),
    })
}

/// The ribbon of a coupon that was read back as claimable and that nobody asked to end. `platform_ahead_ms`: the platform's
/// clock minus ours.
pub(crate) fn ribbon(row: &CouponRow, platform_ahead_ms: i64, now_ms: i64) -> Option<CouponRibbon> {
    let coupon = &row.coupon;
    let ends_at_ms = coupon.ends_at_ms? - platform_ahead_ms;
    let left = coupon.draft.quantity.saturating_sub(coupon.claimed);
    // Asked to end, it may be over already: the picture must never offer what cannot be had.
    if coupon.state != CouponState::Active || row.withdraw.is_some() || ends_at_ms <= now_ms || left == 0 {
        return None;
    }
    Some(CouponRibbon {
        sign: coupon.draft.discount.currency.sign().to_owned(),
        discount: coupon.draft.discount.short(),
        threshold: (coupon.draft.threshold.amount > 0).then(|| coupon.draft.threshold.short()),
        ends_at_ms,
    })
}

pub(crate) fn coupon(row: &CouponRow, platform_ahead_ms: i64, now_ms: i64) -> CouponView {
    let coupon = &row.coupon;
    let ends = coupon.ends_at_ms.map(|at| at - platform_ahead_ms);
    let state = match coupon.state {
        CouponState::Sending => CouponStateView::Sending,
        CouponState::Uncertain => CouponStateView::Checking,
        CouponState::Active if ends.is_some_and(|at| at <= now_ms) => CouponStateView::Ended,
        CouponState::Active => CouponStateView::Active,
        CouponState::Ended => CouponStateView::Ended,
        CouponState::Failed => CouponStateView::Failed,
    };
    CouponView {
        id: coupon.id.to_string(),
        discount: money(coupon.draft.discount),
        threshold: money(coupon.draft.threshold),
        state,
        claimed: coupon.claimed,
        quantity: coupon.draft.quantity,
        ends_at_ms: ends.map(ms),
        failure: coupon.failure.clone(),
        failure_params: row.failure_params.clone(),
        intent_id: row.intent_id.clone().filter(|_| coupon.state == CouponState::Failed),
        connection_id: row.connection.clone(),
        withdraw: row.withdraw.as_ref().map(Intent::view),
    }
}

pub(crate) fn sku(sku: &Sku) -> SkuView {
    SkuView { id: sku.id.to_string(), title: sku.title.clone(), price: money(sku.price), stock: sku.stock.map(pieces) }
}

pub(crate) fn offer_change(row: &OfferChangeRow, action: ActionView) -> OfferChangeView {
    OfferChangeView {
        sku_id: row.sku.to_string(),
        price: row.price.map(money),
        price_before: money(row.price_before),
        stock_by: pieces(row.stock_by),
        action,
        at_other_price: row.at_other_price,
        at_new_price: row.at_new_price,
    }
}

fn capability(capability: &Capability) -> CapabilityView {
    match capability {
        Capability::Native => CapabilityView::Native,
        Capability::OverlayOnly { press } => CapabilityView::OverlayOnly { press: press.clone() },
        Capability::Unavailable { reason } => CapabilityView::Unavailable { reason: reason.clone() },
    }
}

pub(crate) fn connection(connection: &Connection, address: Option<String>, is_own: bool, state: ShopStateView) -> ConnectionView {
    let can = |action| capability(connection.capabilities.of(action));
    ConnectionView {
        id: connection.id.to_string(),
        name: connection.name.clone(),
        address,
        is_own,
        state,
        pin: can(Action::Pin),
        issue_coupon: can(Action::IssueCoupon),
        withdraw_coupon: can(Action::WithdrawCoupon),
        change_offer: can(Action::ChangeOffer),
        ship: can(Action::Ship),
        answer_after_sale: can(Action::AnswerAfterSale),
        comments: can(Action::ReadComments),
        hide_comment: can(Action::HideComment),
    }
}

pub(crate) const fn order_status(status: OrderStatus) -> OrderStatusView {
    match status {
        OrderStatus::AwaitingPayment => OrderStatusView::AwaitingPayment,
        OrderStatus::ToShip => OrderStatusView::ToShip,
        OrderStatus::PartlyShipped => OrderStatusView::PartlyShipped,
        OrderStatus::Shipped => OrderStatusView::Shipped,
        OrderStatus::Delivered => OrderStatusView::Delivered,
        OrderStatus::AfterSale => OrderStatusView::AfterSale,
        OrderStatus::Refunded => OrderStatusView::Refunded,
        OrderStatus::Cancelled => OrderStatusView::Cancelled,
        OrderStatus::Unknown => OrderStatusView::Unknown,
    }
}

pub(crate) const fn order_status_of(status: OrderStatusView) -> OrderStatus {
    match status {
        OrderStatusView::AwaitingPayment => OrderStatus::AwaitingPayment,
        OrderStatusView::ToShip => OrderStatus::ToShip,
        OrderStatusView::PartlyShipped => OrderStatus::PartlyShipped,
        OrderStatusView::Shipped => OrderStatus::Shipped,
        OrderStatusView::Delivered => OrderStatus::Delivered,
        OrderStatusView::AfterSale => OrderStatus::AfterSale,
        OrderStatusView::Refunded => OrderStatus::Refunded,
        OrderStatusView::Cancelled => OrderStatus::Cancelled,
        OrderStatusView::Unknown => OrderStatus::Unknown,
    }
}

/// Lines of an order; `product` finds what is in the bag.
pub(crate) fn order_lines<'a>(connection: &str, order: &Order, product: impl Fn(&str) -> Option<(u32, &'a Product)>) -> Vec<OrderLineView> {
    let left = order.left_to_ship();
    order
        .lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let known = product(line.product.as_str());
            let sku_title = known.and_then(|(_, p)| p.skus.iter().find(|s| s.id == line.sku)).map(|s| s.title.clone());
            OrderLineView {
                bag_number: known.map(|(number, _)| number),
                title: line.title.clone(),
                sku_title: sku_title.unwrap_or_default(),
                quantity: line.quantity,
                left: left.as_ref().and_then(|left| left.get(at)).copied(),
                picture: known.and_then(|(_, p)| picture_address(connection, p)),
            }
        })
        .collect()
}

pub(crate) const fn show_state(state: EngineState) -> ShowStateView {
    match state {
        EngineState::Idle => ShowStateView::Opening,
        EngineState::Ready => ShowStateView::Ready,
        EngineState::Starting => ShowStateView::Starting,
        EngineState::Live => ShowStateView::Live,
        EngineState::Ending => ShowStateView::Ending,
    }
}

pub(crate) const fn link_state(state: LinkState) -> LinkStateView {
    match state {
        LinkState::Idle | LinkState::Closed => LinkStateView::Idle,
        LinkState::Connecting => LinkStateView::Connecting,
        LinkState::Publishing => LinkStateView::Publishing,
        LinkState::Reconnecting => LinkStateView::Reconnecting,
        LinkState::Refused => LinkStateView::Refused,
    }
}

pub(crate) fn stats(stats: &Stats, cores: u32) -> StatsView {
    StatsView {
        fps: stats.fps,
        kbps: stats.kbps,
        lagged: count(stats.loss.lagged),
        skipped: count(stats.loss.skipped),
        dropped: count(stats.loss.dropped),
        cpu: stats.cpu,
        cores,
        picture_percent: stats.picture_percent,
        disk_minutes: stats.disk_minutes.map(count),
        program_delay_ms: stats.program_delay_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::IntentState;
    use stallcast_model::{BagItem, Coupon, CouponDraft, CouponId, Currency, ProductId, SkuId};

    fn row(product: Product) -> BagRow {
        let item = BagItem { number: 7, product: product.id.clone(), explaining_since_ms: None, explained_ms: 0 };
        BagRow { item, product, stock_of: Some(10), pin: None, connection: "local".to_owned(), change: None }
    }

    fn product() -> Product {
        let yuan = |n| Money::new(n, Currency::Cny);
        let sku =
            |id: &str, stock| Sku { id: SkuId::new(id), title: String::new(), price: yuan(26_800), old_price: Some(yuan(32_800)), stock };
        Product {
            id: ProductId::new("茶/1"),
            title: "盖碗".to_owned(),
            picture: Some("v1".to_owned()),
            skus: vec![sku("a", Some(3)), sku("b", Some(4))],
            confirmed_at_ms: 0,
        }
    }

    #[test]
    fn a_card_shows_only_what_was_confirmed_lately() {
        let fresh = card(&row(product()), 1_000, 1_000 + FIGURES_FRESH_MS).expect("card");
        assert_eq!(
            (fresh.price.as_deref(), fresh.old_price.as_deref(), fresh.stock, fresh.stock_of),
            (Some("268"), Some("328"), Some(7), Some(10))
        );
        let stale = card(&row(product()), 1_000, 1_001 + FIGURES_FRESH_MS).expect("card");
        assert_eq!((stale.price, stale.old_price, stale.stock, stale.stock_of), (None, None, None, None));
        assert_eq!((stale.number, stale.title.as_str()), (7, "盖碗"), "the title stays");
        let mut cheap = product();
        cheap.skus[0].old_price = Some(Money::new(1, Currency::Cny));
        assert_eq!(card(&row(cheap), 0, 0).expect("card").old_price, None, "an old price below the new one would lie");
    }

    #[test]
    fn a_ribbon_needs_a_read_back_that_still_holds() {
        let yuan = |n| Money::new(n, Currency::Cny);
        let active = Coupon {
            id: CouponId::new("c"),
            draft: CouponDraft { discount: yuan(3_000), threshold: yuan(0), quantity: 2, valid_s: 60 },
            state: CouponState::Active,
            claimed: 1,
            ends_at_ms: Some(100_000),
            failure: None,
        };
        let row = |coupon: Coupon| CouponRow {
            coupon,
            connection: "local".to_owned(),
            intent_id: None,
            failure_params: std::collections::BTreeMap::new(),
            withdraw: None,
        };
        let ribbon = |coupon: &Coupon, ahead, now| super::ribbon(&row(coupon.clone()), ahead, now);
        let shown = ribbon(&active, 5_000, 50_000).expect("ribbon");
        assert_eq!(shown.ends_at_ms, 95_000, "the platform's clock is ahead: it ends earlier by ours");
        assert_eq!((shown.discount.as_str(), shown.threshold), ("30", None));
        assert!(ribbon(&active, 5_000, 95_000).is_none(), "over by the platform's clock");
        assert!(ribbon(&Coupon { claimed: 2, ..active.clone() }, 0, 0).is_none(), "nothing left to claim");
        for state in [CouponState::Sending, CouponState::Uncertain, CouponState::Failed, CouponState::Ended] {
            assert!(ribbon(&Coupon { state, ..active.clone() }, 0, 0).is_none(), "{state:?} must not be drawn");
        }
        assert!(ribbon(&Coupon { ends_at_ms: None, ..active.clone() }, 0, 0).is_none());
        let failed = IntentState::Failed { code: "unreachable".to_owned(), params: std::collections::BTreeMap::new() };
        for state in [IntentState::Sending, IntentState::Checking, IntentState::Confirmed { at_ms: 1 }, failed] {
            let asked = CouponRow { withdraw: Some(Intent { id: "i".to_owned(), state: state.clone() }), ..row(active.clone()) };
            assert!(super::ribbon(&asked, 0, 0).is_none(), "asked to end, {state:?}: it may be over");
            assert_eq!(super::coupon(&asked, 0, 0).state, CouponStateView::Active, "and the panel says how far that is");
        }
    }

    #[test]
    fn picture_addresses_survive_any_id() {
        assert_eq!(picture_address("l/1", &product()).as_deref(), Some("picture/l%2F1/%E8%8C%B6%2F1?v=v1"));
        assert_eq!(picture_address("l", &Product { picture: None, ..product() }), None);
    }
}
