use crate::{Store, StoreError};

/// Where a show can be pushed to. Address and key are in `sealed`; the store never sees them.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Destination {
    /// Chosen by the studio.
    pub id: String,
    /// Name given by the seller.
    pub name: String,
    /// Host only, for lists.
    pub host: String,
    /// What may be shown of the key.
    pub key_hint: String,
    /// Used at the next go-live.
    #[sqlx(rename = "is_enabled")]
    pub enabled: bool,
    /// Sealed by the studio.
    pub sealed: Vec<u8>,
    /// The platform's preset.
    pub preset: String,
    /// Its key is good for one show.
    pub one_show: bool,
    /// `there`, `used` (a show with it has begun and its end has not been seen) or `gone`.
    pub key_state: String,
}

impl Store {
    /// All destinations, in the order they were added.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn destinations(&self) -> Result<Vec<Destination>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, name, host, key_hint, is_enabled, sealed, preset, one_show, key_state FROM destination ORDER BY position",
        )
        .fetch_all(self.readers())
        .await?)
    }

    /// Adds a destination or changes the one with this id.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn save_destination(&self, destination: &Destination) -> Result<(), StoreError> {
        let d = destination.clone();
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO destination (id, position, name, host, key_hint, is_enabled, sealed, preset, one_show, key_state)
                     VALUES (?, (SELECT coalesce(max(position), 0) + 1 FROM destination), ?, ?, ?, ?, ?, ?, ?, ?)
                     ON CONFLICT (id) DO UPDATE SET name = excluded.name, host = excluded.host, key_hint = excluded.key_hint,
                         is_enabled = excluded.is_enabled, sealed = excluded.sealed, preset = excluded.preset, one_show = excluded.one_show,
                         key_state = excluded.key_state",
                )
                .bind(d.id)
                .bind(d.name)
                .bind(d.host)
                .bind(d.key_hint)
                .bind(d.enabled)
                .bind(d.sealed)
                .bind(d.preset)
                .bind(d.one_show)
                .bind(d.key_state)
                .execute(tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Forgets a destination; false if there was none.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn remove_destination(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("DELETE FROM destination WHERE id = ?").bind(id).execute(tx).await?;
                Ok(done.rows_affected() > 0)
            })
        })
        .await
    }
}
