//! The row of the show: begun, live, over. Kept beside the media process, which knows no shop.

use crate::error::StudioError;
use crate::rows;
use crate::studio::Studio;
use stallcast_engine::protocol::Summary;

impl Studio {
    pub(crate) async fn begin_show_row(&self) -> Result<(), StudioError> {
        rows::begin_show(&self.inner.store, self.now_ms()).await
    }

    /// It never came on air.
    pub(crate) async fn drop_show_row(&self) {
        if let Err(e) = rows::drop_show(&self.inner.store).await {
            tracing::error!(error = %e, "the show that did not start is not forgotten");
        }
    }

    /// The first output accepted: the show is live, here and on the platforms.
    pub(crate) async fn show_accepted(&self, since_ms: i64) {
        match rows::show_live(&self.inner.store, since_ms).await {
            Ok(true) => {
                self.wake_outbox();
                self.publish_show().await;
            }
            // Known already: this process found a running show.
            Ok(false) => {}
            Err(e) => tracing::error!(error = %e, "the show is not written down as live"),
        }
    }

    pub(crate) async fn end_show_row(&self, summary: &Summary) {
        self.close_show_row(Some(summary)).await;
    }

    /// The show ended while no app looked.
    pub(crate) async fn end_left_over_row(&self) {
        self.close_show_row(None).await;
    }

    async fn close_show_row(&self, summary: Option<&Summary>) {
        match rows::end_show(&self.inner.store, self.now_ms(), summary).await {
            Ok(true) => self.wake_outbox(),
            Ok(false) => {}
            Err(e) => tracing::error!(error = %e, "the end of the show is not written down"),
        }
    }
}
