//! What a seller wants done with an order: written down as an intent, one on its way at a time.

use crate::intents::{add_intent, last_of_lane};
use crate::shows::open_show;
use crate::words::Word;
use crate::{Store, StoreError, connections};
use sqlx::SqliteConnection;
use stallcast_model::{
    AfterSaleAnswer, AfterSaleId, AfterSaleState, ConnectionId, Effect, IntentId, LinePieces, OrderId, OrderStatus, Waybill,
};

/// Writes an intent of an order's lane down. Pressed twice with the same content it is the same intent, and one that failed
/// goes again under its old key. `possible` says whether the order is in a state for a new one.
async fn wish(
    tx: &mut SqliteConnection,
    connection: &str,
    effect: &Effect,
    possible: Result<(), StoreError>,
    now_ms: i64,
) -> Result<IntentId, StoreError> {
    if let Some(last) = last_of_lane(tx, connection, &effect.lane()).await? {
        let (state, intent_id) = (last.state.clone(), last.id().to_owned());
        let same = last.read()?.effect == *effect;
        match state.as_str() {
            "dead" if same => {
                // The same key again: what may have happened after all cannot happen twice.
                sqlx::query("UPDATE outbox SET state = 'pending', attempts = 0, next_at_ms = ?, changed_at_ms = ? WHERE id = ?")
                    .bind(now_ms)
                    .bind(now_ms)
                    .bind(&intent_id)
                    .execute(tx)
                    .await?;
                return Ok(IntentId::new(intent_id));
            }
            "dead" | "confirmed" if !same => {}
            _ if same => return Ok(IntentId::new(intent_id)),
            _ => return Err(StoreError::wrong_state("shipping")),
        }
    }
    possible?;
    if !connections::is_native(tx, connection, effect.action()).await? {
        return Err(StoreError::wrong_state("unavailable"));
    }
    let show = open_show(tx).await?.id;
    add_intent(tx, connection, Some(&show), effect, now_ms).await
}

impl Store {
    /// Writes down that a parcel of an order was sent, with these pieces in it, all that is left if none are named. Pressed
    /// twice with the same content, it is the same intent. `None` for an order that is not there.
    ///
    /// # Errors
    /// [`StoreError::WrongState`]: `shipping` while something else about this order is on its way, `unavailable`, or the
    /// order's status unless it is `to_ship` or `partly_shipped`.
    pub async fn request_ship(
        &self,
        connection: &ConnectionId,
        id: &OrderId,
        waybill: &Waybill,
        lines: &[LinePieces],
        now_ms: i64,
    ) -> Result<Option<IntentId>, StoreError> {
        let effect = Effect::Ship { order: id.clone(), shipment: waybill.clone(), lines: lines.to_vec() };
        let (connection, id) = (connection.as_str().to_owned(), id.as_str().to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let status: Option<String> = sqlx::query_scalar("SELECT status FROM orders WHERE connection = ? AND id = ?")
                    .bind(&connection)
                    .bind(&id)
                    .fetch_optional(&mut *tx)
                    .await?;
                let Some(status) = status else { return Ok(None) };
                let open = [OrderStatus::ToShip.word(), OrderStatus::PartlyShipped.word()].contains(&status.as_str());
                let possible = if open { Ok(()) } else { Err(StoreError::wrong_state(status)) };
                wish(tx, &connection, &effect, possible, now_ms).await.map(Some)
            })
        })
        .await
    }

    /// Writes down what the seller answers to an after-sale. Pressed twice with the same content, it is the same intent.
    /// `None` for an order or an after-sale that is not there.
    ///
    /// # Errors
    /// [`StoreError::WrongState`]: `shipping` while something else about this order is on its way, `unavailable`, or the
    /// state of the after-sale unless it is `requested`.
    pub async fn answer_after_sale(
        &self,
        connection: &ConnectionId,
        order: &OrderId,
        id: &AfterSaleId,
        answer: &AfterSaleAnswer,
        now_ms: i64,
    ) -> Result<Option<IntentId>, StoreError> {
        let effect = Effect::AnswerAfterSale { order: order.clone(), after_sale: id.clone(), answer: answer.clone() };
        let (connection, order, id) = (connection.as_str().to_owned(), order.as_str().to_owned(), id.as_str().to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let state: Option<String> = sqlx::query_scalar(
                    "SELECT a.state FROM after_sale AS a JOIN orders AS o ON o.key = a.order_key
                     WHERE o.connection = ? AND o.id = ? AND a.id = ?",
                )
                .bind(&connection)
                .bind(&order)
                .bind(&id)
                .fetch_optional(&mut *tx)
                .await?;
                let Some(state) = state else { return Ok(None) };
                let open = state == AfterSaleState::Requested.word();
                let possible = if open { Ok(()) } else { Err(StoreError::wrong_state(state)) };
                wish(tx, &connection, &effect, possible, now_ms).await.map(Some)
            })
        })
        .await
    }
}
