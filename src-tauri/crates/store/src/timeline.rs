use crate::{Store, StoreError};
use sqlx::SqliteConnection;
use stallcast_model::ShowId;

/// Something that happened in a show, in the order it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineRow {
    /// Order of writing.
    pub seq: i64,
    /// ms UTC.
    pub at_ms: i64,
    /// `begun`, `live`, `ended`, `pin`, `unpin`, `bag_added`, `bag_removed`, `bag_moved`, `coupon`, `coupon_active`, `coupon_withdraw`,
    /// `coupon_withdrawn`, `offer`, `offer_active`, `offer_order`, `failed`.
    pub kind: String,
    /// Spoken number, coupon id or show id.
    pub target: String,
    /// More, by kind.
    pub detail: serde_json::Value,
}

pub(crate) async fn note(
    tx: &mut SqliteConnection,
    show: &str,
    at_ms: i64,
    kind: &'static str,
    target: &str,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO timeline (show, at_ms, kind, target, detail) VALUES (?, ?, ?, ?, ?)")
        .bind(show)
        .bind(at_ms)
        .bind(kind)
        .bind(target)
        .bind(detail.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

impl Store {
    /// What happened in a show, oldest first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn timeline(&self, show: &ShowId) -> Result<Vec<TimelineRow>, StoreError> {
        let rows: Vec<(i64, i64, String, String, String)> =
            sqlx::query_as("SELECT seq, at_ms, kind, target, detail FROM timeline WHERE show = ? ORDER BY seq")
                .bind(show.as_str())
                .fetch_all(self.readers())
                .await?;
        rows.into_iter()
            .map(|(seq, at_ms, kind, target, detail)| {
                let detail = serde_json::from_str(&detail).map_err(|e| StoreError::broken("timeline", e))?;
                Ok(TimelineRow { seq, at_ms, kind, target, detail })
            })
            .collect()
    }
}
