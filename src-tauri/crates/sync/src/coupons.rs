//! Coupons that can be claimed are read again: how many are left, and whether they still can.

use crate::events::SyncEvent;
use crate::line::Line;
use stallcast_clock::failpoint;
use stallcast_platform::PlatformError;
use stallcast_store::StoreError;
use std::sync::Arc;
use std::time::Duration;

pub(crate) async fn run(line: Arc<Line>) {
    let mut backoff = line.timing.backoff(line.seed());
    loop {
        let Some(outcome) = line.token.run_until_cancelled(read(&line)).await else { return };
        let (wait, nudge) = match outcome {
            Ok(()) => {
                backoff.reset();
                // A coupon lives for minutes: it is watched closely also when nothing else is.
                (line.timing.live, Some(&line.read_coupons))
            }
            Err(wait) => (wait.unwrap_or_else(|| backoff.next_wait()), None),
        };
        if !line.rest(wait, nudge).await {
            return;
        }
    }
}

/// An error names the pause that the platform asks for, if it does.
async fn read(line: &Line) -> Result<(), Option<Duration>> {
    let stored = |e: StoreError| {
        tracing::error!(error = %e, "coupons were not stored");
        None
    };
    let mut changed = false;
    let mut outcome = Ok(());
    for id in line.store.open_coupons(&line.connection).await.map_err(stored)? {
        match line.platform.coupon(&id).await {
            Ok(Some(read)) => {
                failpoint!("coupons.read");
                changed |= line.store.coupon_read(&line.connection, &read).await.map_err(stored)?;
            }
            Ok(None) => tracing::warn!(%id, "a coupon is gone from its platform"),
            Err(e) => {
                tracing::info!(error = %e, "coupons were not read");
                outcome = Err(if let PlatformError::RateLimited { retry_after } = e { Some(retry_after) } else { None });
                break;
            }
        }
    }
    if changed {
        line.news.tell(SyncEvent::Coupons);
    }
    outcome
}
