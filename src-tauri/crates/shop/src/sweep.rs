//! What happens when nobody asks: reservations and coupons end, old rows go.

use crate::carts;
use crate::comments;
use crate::coupons;
use crate::orders;
use crate::refusal::Refusal;
use crate::shop::Shop;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How late an end may be noticed.
const EVERY: Duration = Duration::from_millis(500);
/// Events and answers are kept this long; a stream that resumes from before it is told to read the snapshot again.
const EVENTS_KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
const ANSWERS_KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
const PRUNE_EVERY_MS: i64 = 60 * 60 * 1_000;

/// Runs until cancelled.
pub(crate) async fn run(shop: Arc<Shop>, cancel: CancellationToken) {
    let mut next_prune_ms = shop.clock.utc_ms() + PRUNE_EVERY_MS;
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = ends(&shop).await {
            tracing::error!(%error, "ends were not told");
        }
        let now = shop.clock.utc_ms();
        if now >= next_prune_ms {
            next_prune_ms = now + PRUNE_EVERY_MS;
            if let Err(error) = prune(&shop).await {
                tracing::error!(%error, "old rows were not removed");
            }
        }
    }
}

async fn ends(shop: &Arc<Shop>) -> Result<(), Refusal> {
    let now = shop.clock.utc_ms();
    let mut db = shop.store.read().await?;
    let (due, over) = (orders::expiring(&mut db, now).await?, coupons::ending(&mut db, now).await?);
    drop(db);
    // One write each: a buyer who pays meanwhile does not wait for a hundred others.
    let mut outcome = Ok(());
    for id in due {
        let expired = shop.write(move |change| Box::pin(async move { orders::expire(change, &id).await })).await;
        // One that fails must not keep the others.
        outcome = outcome.and(expired);
    }
    for id in over {
        let told = shop.write(move |change| Box::pin(async move { coupons::end(change, &id).await })).await;
        outcome = outcome.and(told);
    }
    outcome
}

async fn prune(shop: &Arc<Shop>) -> Result<(), Refusal> {
    shop.write(|change| {
        Box::pin(async move {
            let now = change.now_ms;
            sqlx::query("DELETE FROM event WHERE at_ms < ?").bind(now - EVENTS_KEPT_MS).execute(change.db()).await?;
            sqlx::query("DELETE FROM idem WHERE at_ms < ?").bind(now - ANSWERS_KEPT_MS).execute(change.db()).await?;
            sqlx::query("DELETE FROM cart WHERE touched_ms < ?").bind(now - carts::KEPT_MS).execute(change.db()).await?;
            comments::prune(change).await
        })
    })
    .await
}
