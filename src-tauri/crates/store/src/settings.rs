use crate::{Store, StoreError};

impl Store {
    /// A setting's text, if it was set.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT value FROM setting WHERE name = ?").bind(name).fetch_optional(self.readers()).await?)
    }

    /// Sets a setting. Never a secret: the file is not sealed.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
                    .bind(name)
                    .bind(value)
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Back to the default.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn remove_setting(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM setting WHERE name = ?").bind(name).execute(tx).await?;
                Ok(())
            })
        })
        .await
    }
}
