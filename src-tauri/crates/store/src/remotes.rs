//! Shops elsewhere: added with an address and a token, renamed, removed without what they sold.

use crate::words::Word;
use crate::{Connection, Store, StoreError, bag};
use stallcast_model::ConnectionId;

/// Where a shop is that was added by its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Name, kind and what it can do.
    pub connection: Connection,
    /// As it is asked. Nothing secret.
    pub address: String,
    /// The token, sealed by whoever owns the key for the row `connection:ID`.
    pub sealed: Vec<u8>,
    /// What the platform itself calls the shop.
    pub identity: Option<String>,
}

/// A connection that has this identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownShop {
    /// Which.
    pub id: ConnectionId,
    /// Its name.
    pub name: String,
    /// It was removed: added again it goes on where it stopped.
    pub is_removed: bool,
}

impl Store {
    /// Adds a shop at the end of the list, or brings a removed one back under the same id: its orders are still there, and
    /// its feeds go on where they were read to.
    ///
    /// # Errors
    /// Only those of the database; another connection has this identity.
    pub async fn add_remote(&self, remote: &Remote) -> Result<(), StoreError> {
        let Remote { connection: c, address, sealed, identity } = remote.clone();
        let capabilities = serde_json::to_string(&c.capabilities).map_err(|e| StoreError::broken("capabilities", e))?;
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO connection (id, kind, name, currency, capabilities, address, sealed, identity, position)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(position), 0) + 1 FROM connection))
                     ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name, is_renamed = 0,
                         currency = coalesce(excluded.currency, currency), capabilities = excluded.capabilities,
                         address = excluded.address, sealed = excluded.sealed, identity = excluded.identity,
                         position = excluded.position, removed_at_ms = NULL",
                )
                .bind(c.id.as_str())
                .bind(c.kind)
                .bind(c.name)
                .bind(c.currency.map(Word::word))
                .bind(capabilities)
                .bind(address)
                .bind(sealed)
                .bind(identity)
                .execute(tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Shops that were added by their address and not removed, in the order they were added.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn remotes(&self) -> Result<Vec<Remote>, StoreError> {
        type Row = (String, String, Vec<u8>, Option<String>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, address, sealed, identity FROM connection
             WHERE address IS NOT NULL AND sealed IS NOT NULL AND removed_at_ms IS NULL",
        )
        .fetch_all(self.readers())
        .await?;
        let listed = self.connections().await?.into_iter();
        let remote = |connection: Connection| {
            let (_, address, sealed, identity) = rows.iter().find(|(id, ..)| id == connection.id.as_str())?.clone();
            Some(Remote { connection, address, sealed, identity })
        };
        Ok(listed.filter_map(remote).collect())
    }

    /// Writes down what a platform calls a connection's shop. Another connection that was that shop before, and was reset or
    /// moved since, is it no more.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn set_identity(&self, connection: &ConnectionId, identity: &str) -> Result<(), StoreError> {
        let (id, identity) = (connection.as_str().to_owned(), identity.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE connection SET identity = NULL WHERE identity = ? AND id <> ?")
                    .bind(&identity)
                    .bind(&id)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("UPDATE connection SET identity = ?1 WHERE id = ?2 AND identity IS NOT ?1")
                    .bind(identity)
                    .bind(id)
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// The connection whose shop has this identity, removed or not.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn shop_of_identity(&self, identity: &str) -> Result<Option<KnownShop>, StoreError> {
        let row: Option<(String, String, bool)> =
            sqlx::query_as("SELECT id, name, removed_at_ms IS NOT NULL FROM connection WHERE identity = ?")
                .bind(identity)
                .fetch_optional(self.readers())
                .await?;
        Ok(row.map(|(id, name, is_removed)| KnownShop { id: ConnectionId::new(id), name, is_removed }))
    }

    /// Gives a connection a name of the seller's own, which stays whatever the shop calls itself later. False for one that is
    /// not there.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn rename_connection(&self, connection: &ConnectionId, name: &str) -> Result<bool, StoreError> {
        let (id, name) = (connection.as_str().to_owned(), name.to_owned());
        self.write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query("UPDATE connection SET name = ?, is_renamed = 1 WHERE id = ? AND removed_at_ms IS NULL")
                    .bind(name)
                    .bind(id)
                    .execute(tx)
                    .await?;
                Ok(done.rows_affected() > 0)
            })
        })
        .await
    }

    /// Removes a shop that was added by its address. Its orders, comments and coupons stay; its token goes, its products leave
    /// the bag under their frozen numbers, and what waited to be sent is given up. Its workers must have ended. False for one
    /// that is not there.
    ///
    /// # Errors
    /// [`StoreError::WrongState`]: `explaining` while one of its products is being explained: its own page would go on showing
    /// it; `own_shop` for the shop of this machine.
    pub async fn remove_connection(&self, connection: &ConnectionId, now_ms: i64) -> Result<bool, StoreError> {
        let id = connection.as_str().to_owned();
        self.write(move |tx| {
            Box::pin(async move {
                let there: Option<bool> =
                    sqlx::query_scalar("SELECT address IS NOT NULL FROM connection WHERE id = ? AND removed_at_ms IS NULL")
                        .bind(&id)
                        .fetch_optional(&mut *tx)
                        .await?;
                match there {
                    None => return Ok(false),
                    Some(false) => return Err(StoreError::wrong_state("own_shop")),
                    Some(true) => {}
                }
                if bag::explained_of(tx).await?.is_some_and(|explained| explained == id) {
                    return Err(StoreError::wrong_state("explaining"));
                }
                sqlx::query("UPDATE connection SET removed_at_ms = ?, sealed = NULL WHERE id = ?")
                    .bind(now_ms)
                    .bind(&id)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(
                    "UPDATE bag_item SET is_removed = 1
                     WHERE connection = ? AND is_removed = 0 AND show = (SELECT id FROM show WHERE state <> 'ended')",
                )
                .bind(&id)
                .execute(&mut *tx)
                .await?;
                sqlx::query(
                    "UPDATE coupon SET state = 'failed', failure = 'shop_removed'
                     WHERE connection = ? AND state IN ('sending', 'uncertain')",
                )
                .bind(&id)
                .execute(&mut *tx)
                .await?;
                sqlx::query(
                    "UPDATE outbox SET state = 'discarded', lease_owner = NULL, changed_at_ms = ?
                     WHERE connection = ? AND state IN ('pending', 'leased', 'uncertain', 'dead')",
                )
                .bind(now_ms)
                .bind(&id)
                .execute(tx)
                .await?;
                Ok(true)
            })
        })
        .await
    }
}
