//! Does an effect hold? Asked of the platform, never of our own memory.

use stallcast_model::{Effect, Fulfilment, RoomState};
use stallcast_platform::{Platform, PlatformError};
use stallcast_store::ReadBack;

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
        Effect::Ship { order, shipment } => {
            let Some(read) = platform.order(order).await? else { return Ok(Verdict::Conflict("not_found")) };
            let sent = matches!(read.order.fulfilment, Fulfilment::PartlyShipped | Fulfilment::Shipped | Fulfilment::Delivered);
            match &read.shipment {
                Some(there) if there.carrier.trim() == shipment.carrier.trim() && there.tracking.trim() == shipment.tracking.trim() => {
                    Verdict::Holds(ReadBack::Order(Box::new(read)))
                }
                Some(_) if sent => Verdict::Conflict("wrong_state"),
                _ => Verdict::Absent,
            }
        }
    })
}
