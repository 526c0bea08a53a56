use crate::words::Word;
use crate::{Store, StoreError};
use sqlx::SqliteConnection;
use stallcast_model::{Action, Capabilities, Capability, ConnectionId, Currency};

/// One shop on one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Chosen by the studio.
    pub id: ConnectionId,
    /// Which adapter, for example `local`.
    pub kind: String,
    /// The shop's name.
    pub name: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What it sells in, once known.
    pub currency: Option<Currency>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    kind: String,
    name: String,
    currency: Option<String>,
    capabilities: String,
}

impl Row {
    fn read(self) -> Result<Connection, StoreError> {
        Ok(Connection {
            id: ConnectionId::new(self.id),
            kind: self.kind,
            name: self.name,
            capabilities: parse(&self.capabilities)?,
            currency: self.currency.as_deref().map(Currency::from_word).transpose()?,
        })
    }
}

fn parse(text: &str) -> Result<Capabilities, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::broken("capabilities", e))
}

/// Can this connection do it by itself? A removed one can do nothing.
pub(crate) async fn is_native(tx: &mut SqliteConnection, connection: &str, action: Action) -> Result<bool, StoreError> {
    let text: Option<String> = sqlx::query_scalar("SELECT capabilities FROM connection WHERE id = ? AND removed_at_ms IS NULL")
        .bind(connection)
        .fetch_optional(tx)
        .await?;
    Ok(match text {
        Some(text) => *parse(&text)?.of(action) == Capability::Native,
        None => false,
    })
}

impl Store {
    /// Adds a connection or changes what is known of it. A name that the seller gave stays.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn put_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        let capabilities = serde_json::to_string(&connection.capabilities).map_err(|e| StoreError::broken("capabilities", e))?;
        let c = connection.clone();
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO connection (id, kind, name, currency, capabilities) VALUES (?, ?, ?, ?, ?)
                     ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = iif(is_renamed, name, excluded.name),
                         currency = coalesce(excluded.currency, currency), capabilities = excluded.capabilities",
                )
                .bind(c.id.as_str())
                .bind(c.kind)
                .bind(c.name)
                .bind(c.currency.map(Word::word))
                .bind(capabilities)
                .execute(tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// All connections that were not removed: the shop of this machine first, then in the order they were added.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn connections(&self) -> Result<Vec<Connection>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, kind, name, currency, capabilities FROM connection WHERE removed_at_ms IS NULL
             ORDER BY address IS NOT NULL, position, id",
        )
        .fetch_all(self.readers())
        .await?;
        rows.into_iter().map(Row::read).collect()
    }
}
