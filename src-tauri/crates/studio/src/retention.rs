//! Buyers' fields and comments leave after the time that the seller chose: at the start, and once a day.

use crate::studio::Studio;
use std::time::Duration;

/// Between two purges.
const EACH: Duration = Duration::from_secs(24 * 3600);
/// On air, nothing but the show may take the disk: a purge waits for its end, looking again after this time.
const ON_AIR: Duration = Duration::from_secs(15 * 60);
/// After one that did not work.
const AGAIN: Duration = Duration::from_secs(3600);
const DAY_MS: i64 = 24 * 3_600_000;

impl Studio {
    pub(crate) async fn keep_retention(self) {
        let token = self.inner.tasks.token();
        loop {
            let wait = if self.is_on_air() { ON_AIR } else { self.purge().await };
            tokio::select! {
                () = token.cancelled() => return,
                () = self.inner.retention_changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Purges now. Returns how long to wait for the next time.
    async fn purge(&self) -> Duration {
        let now = self.now_ms();
        let before = now - i64::from(self.settings().retention_days) * DAY_MS;
        match crate::rows::purge(&self.inner.store, self.data(), before, now).await {
            Ok((0, 0)) => EACH,
            Ok((orders, comments)) => {
                tracing::info!(orders, comments, "buyers' fields of settled orders, and comments, were removed after their time");
                self.publish_orders().await;
                self.publish_comments().await;
                EACH
            }
            Err(e) => {
                tracing::warn!(error = %e, "buyers' fields of settled orders, and comments, stay for now");
                AGAIN
            }
        }
    }
}
