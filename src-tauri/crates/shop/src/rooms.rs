//! The room: is it live, what is pinned, who watches.

use crate::change::{Change, ROOM};
use crate::coupons;
use crate::input;
use crate::refusal::Refusal;
use crate::wire::{Live, LiveForm, LiveState, Pin, PinForm, Room};
use serde::Serialize;
use sqlx::SqliteConnection;
use stallcast_model::Currency;

#[derive(sqlx::FromRow)]
struct RoomRow {
    live_state: LiveState,
    started_ms: Option<i64>,
    program_epoch_ms: Option<i64>,
    pin_product: Option<String>,
    pin_at_ms: Option<i64>,
    pin_program_ms: Option<i64>,
}

async fn row(db: &mut SqliteConnection) -> Result<(Live, Option<Pin>), Refusal> {
    let row: RoomRow =
        sqlx::query_as("SELECT live_state, started_ms, program_epoch_ms, pin_product, pin_at_ms, pin_program_ms FROM room WHERE id = ?")
            .bind(ROOM)
            .fetch_one(db)
            .await?;
    let live = Live { state: row.live_state, started_at_ms: row.started_ms, program_epoch_ms: row.program_epoch_ms };
    let pin = match (row.pin_product, row.pin_at_ms) {
        (Some(product_id), Some(at_ms)) => Some(Pin { product_id, at_ms, program_ms: row.pin_program_ms }),
        _ => None,
    };
    Ok((live, pin))
}

/// The number of the newest event.
pub(crate) async fn newest_seq(db: &mut SqliteConnection) -> Result<i64, Refusal> {
    let seq: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetch_optional(db).await?;
    Ok(seq.unwrap_or(0))
}

/// Id of the feeds: another one once the shop began anew.
pub(crate) async fn feed_id(db: &mut SqliteConnection) -> Result<String, Refusal> {
    Ok(sqlx::query_scalar("SELECT id FROM feed").fetch_one(db).await?)
}

/// The room as of one snapshot.
pub(crate) async fn snapshot(db: &mut SqliteConnection, currency: Currency, viewers: u64, now_ms: i64) -> Result<Room, Refusal> {
    let (live, pin) = row(db).await?;
    let coupons = coupons::open(db, currency, now_ms).await?;
    Ok(Room { seq: newest_seq(db).await?, live, pin, coupons, viewers, now_ms })
}

/// Program time of what happens in this change: known while a show is live.
pub(crate) async fn program_ms(change: &mut Change<'_>) -> Result<Option<i64>, Refusal> {
    let now = change.now_ms;
    let epoch: Option<Option<i64>> = sqlx::query_scalar("SELECT program_epoch_ms FROM room WHERE id = ? AND live_state = 'live'")
        .bind(ROOM)
        .fetch_optional(change.db())
        .await?;
    Ok(epoch.flatten().map(|epoch| (now - epoch).max(0)))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Unpinned {
    product_id: String,
    at_ms: i64,
    program_ms: Option<i64>,
}

/// Pins a product. The same pin again changes nothing.
pub(crate) async fn pin(change: &mut Change<'_>, form: PinForm) -> Result<(), Refusal> {
    let known: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM product WHERE id = ?").bind(&form.product_id).fetch_optional(change.db()).await?;
    known.ok_or(Refusal::NotFound("product"))?;
    if let Some(ms) = form.program_ms {
        input::moment("programMs", ms)?;
    }
    let (_, pinned) = row(change.db()).await?;
    if pinned.is_some_and(|p| p.product_id == form.product_id && (form.program_ms.is_none() || p.program_ms == form.program_ms)) {
        return Ok(());
    }
    let program_ms = match form.program_ms {
        Some(ms) => Some(ms),
        None => program_ms(change).await?,
    };
    let pin = Pin { product_id: form.product_id, at_ms: change.now_ms, program_ms };
    sqlx::query("UPDATE room SET pin_product = ?, pin_at_ms = ?, pin_program_ms = ? WHERE id = ?")
        .bind(&pin.product_id)
        .bind(pin.at_ms)
        .bind(pin.program_ms)
        .bind(ROOM)
        .execute(change.db())
        .await?;
    let seq = change.next_seq();
    change.tell(seq, "pin", true, &pin).await
}

/// Takes the pin away, if there is one.
pub(crate) async fn unpin(change: &mut Change<'_>) -> Result<(), Refusal> {
    let (_, Some(pin)) = row(change.db()).await? else { return Ok(()) };
    sqlx::query("UPDATE room SET pin_product = NULL, pin_at_ms = NULL, pin_program_ms = NULL WHERE id = ?")
        .bind(ROOM)
        .execute(change.db())
        .await?;
    let gone = Unpinned { product_id: pin.product_id, at_ms: change.now_ms, program_ms: program_ms(change).await? };
    let seq = change.next_seq();
    change.tell(seq, "unpin", true, &gone).await
}

/// The show begins or ends.
pub(crate) async fn set_live(change: &mut Change<'_>, form: LiveForm) -> Result<(), Refusal> {
    if form.state == LiveState::Idle {
        return Err(input::invalid("state", "range"));
    }
    for (field, value) in [("startedAtMs", form.started_at_ms), ("programEpochMs", form.program_epoch_ms)] {
        if let Some(ms) = value {
            input::moment(field, ms)?;
        }
    }
    let (before, _) = row(change.db()).await?;
    // An end need not repeat when it began.
    let ended = form.state == LiveState::Ended;
    let live = Live {
        state: form.state,
        started_at_ms: form.started_at_ms.or(if ended { before.started_at_ms } else { Some(change.now_ms) }),
        program_epoch_ms: form.program_epoch_ms.or(if ended { before.program_epoch_ms } else { None }),
    };
    if live == before {
        return Ok(());
    }
    sqlx::query("UPDATE room SET live_state = ?, started_ms = ?, program_epoch_ms = ? WHERE id = ?")
        .bind(live.state)
        .bind(live.started_at_ms)
        .bind(live.program_epoch_ms)
        .bind(ROOM)
        .execute(change.db())
        .await?;
    let seq = change.next_seq();
    change.tell(seq, "live", true, &live).await
}
