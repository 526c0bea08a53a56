//! Does an effect hold? Asked of the platform, never of our own memory.

use stallcast_model::{AfterSaleAnswer, AfterSaleState, Effect, Fulfilment, LinePieces, RoomState};
use stallcast_platform::{Platform, PlatformError};
use stallcast_store::ReadBack;
use std::collections::BTreeMap;

/// What the platform shows.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It holds.
    Holds(ReadBack),
    /// It does not.
    Absent,
    /// Something else stands in its place and will not go away. A stable code.
    Conflict(&'static str),
}

pub(crate) async fn look(platform: &dyn Platform, effect: &Effect) -> Result<Verdict, PlatformError> {
    let room = |holds: bool| if holds { Verdict::Holds(ReadBack::Room) } else { Verdict::Absent };
    Ok(match effect {
        Effect::Pin { product, .. } => room(platform.pin().await?.is_some_and(|pin| pin.product == *product)),
        Effect::Unpin { .. } => room(platform.pin().await?.is_none()),
        Effect::GoLive { state: RoomState::Live, started_at_ms, .. } => {
            let live = platform.live().await?;
            // The room may still be live from a show before.
            room(live.state == Some(RoomState::Live) && live.started_at_ms == Some(*started_at_ms))
        }
        Effect::GoLive { state: RoomState::Ended, .. } => room(platform.live().await?.state == Some(RoomState::Ended)),
        Effect::IssueCoupon { coupon, draft } => match platform.coupon(coupon).await? {
            None => Verdict::Absent,
            Some(read) if read.draft == *draft => Verdict::Holds(ReadBack::Coupon(read)),
            Some(_) => Verdict::Conflict("idempotency_mismatch"),
        },
        Effect::WithdrawCoupon { coupon } => match platform.coupon(coupon).await? {
            None => Verdict::Conflict("not_found"),
            Some(read) if read.active => Verdict::Absent,
            Some(read) => Verdict::Holds(ReadBack::Coupon(read)),
        },
        Effect::ChangeOffer { change, product, terms } => match platform.offer_change(product, change).await? {
            None => Verdict::Absent,
            Some(read) if read.terms == *terms => Verdict::Holds(ReadBack::Offer(Box::new(read))),
            Some(_) => Verdict::Conflict("idempotency_mismatch"),
        },
        Effect::HideComment { comment } => match platform.comment(comment).await? {
            // Gone from the platform is gone from its page.
            None => Verdict::Holds(ReadBack::Room),
            Some(read) if read.is_hidden => Verdict::Holds(ReadBack::Comment(read)),
            Some(_) => Verdict::Absent,
        },
        Effect::Ship { order, shipment, lines } => {
            let Some(read) = platform.order(order).await? else { return Ok(Verdict::Conflict("not_found")) };
            match read.order.shipments.iter().find(|there| there.waybill.is_same(shipment)) {
                // One number is one parcel; a platform need not say what is in it.
                Some(there) if lines.is_empty() || there.lines.is_empty() || same_pieces(&there.lines, lines) => {
                    Verdict::Holds(ReadBack::Order(Box::new(read)))
                }
                Some(_) => Verdict::Conflict("wrong_state"),
                None if matches!(read.order.fulfilment, Fulfilment::Shipped | Fulfilment::Delivered) => Verdict::Conflict("wrong_state"),
                None => Verdict::Absent,
            }
        }
        Effect::AnswerAfterSale { order, after_sale, answer } => {
            use AfterSaleState as S;
            let Some(read) = platform.order(order).await? else { return Ok(Verdict::Conflict("not_found")) };
            let Some(state) = read.order.after_sales.iter().find(|a| a.id == *after_sale).map(|a| a.state) else {
                return Ok(Verdict::Conflict("not_found"));
            };
            match (answer, state) {
                (_, S::Requested) => Verdict::Absent,
                (AfterSaleAnswer::Agree, S::WaitBuyerReturn | S::WaitSellerReceive | S::Refunding | S::Refunded)
                | (AfterSaleAnswer::Refuse { .. }, S::Rejected) => Verdict::Holds(ReadBack::Order(Box::new(read))),
                // Answered otherwise, withdrawn, or in a state that nobody here knows.
                _ => Verdict::Conflict("wrong_state"),
            }
        }
    })
}

/// The same pieces of the same lines, in any order.
fn same_pieces(a: &[LinePieces], b: &[LinePieces]) -> bool {
    let sum = |of: &[LinePieces]| {
        let mut sums: BTreeMap<u32, u32> = BTreeMap::new();
        for pieces in of {
            let sum = sums.entry(pieces.line).or_default();
            *sum = sum.saturating_add(pieces.quantity);
        }
        sums
    };
    sum(a) == sum(b)
}
