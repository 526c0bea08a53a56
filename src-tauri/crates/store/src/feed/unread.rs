//! Rows of a feed that cannot be read: kept sealed until they can be. While there are any, the seal stands still.

use super::Resource;
use crate::{Store, StoreError};
use sqlx::SqliteConnection;
use stallcast_model::UnreadRow;

/// A row as it is kept: what the platform said is sealed.
pub(super) struct SealedUnread {
    row: UnreadRow,
    sealed: Vec<u8>,
}

pub(super) async fn keep_unread(
    tx: &mut SqliteConnection,
    connection: &str,
    resource: Resource,
    rows: &[SealedUnread],
    now_ms: i64,
) -> Result<(), StoreError> {
    for SealedUnread { row, sealed } in rows {
        sqlx::query(
            "INSERT INTO unread (connection, resource, id, version, reason, sealed, seen_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (connection, resource, id) DO UPDATE SET version = excluded.version, reason = excluded.reason, sealed = excluded.sealed",
        )
        .bind(connection)
        .bind(resource.word())
        .bind(&row.id)
        .bind(row.version)
        .bind(&row.reason)
        .bind(sealed)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

pub(super) async fn count_unread(tx: &mut SqliteConnection, connection: &str, resource: Resource) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM unread WHERE connection = ? AND resource = ?")
        .bind(connection)
        .bind(resource.word())
        .fetch_one(tx)
        .await?)
}

/// It could be read after all, at this version.
pub(super) async fn now_read(
    tx: &mut SqliteConnection,
    connection: &str,
    resource: Resource,
    id: &str,
    version: i64,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM unread WHERE connection = ? AND resource = ? AND id = ? AND version <= ?")
        .bind(connection)
        .bind(resource.word())
        .bind(id)
        .bind(version)
        .execute(tx)
        .await?;
    Ok(())
}

impl Store {
    pub(super) fn seal_unread(&self, connection: &str, resource: Resource, rows: Vec<UnreadRow>) -> Result<Vec<SealedUnread>, StoreError> {
        rows.into_iter()
            .map(|mut row| {
                let name = format!("unread:{}:{connection}:{}", resource.word(), row.id);
                let sealed = self.inner.sealer.seal(&name, std::mem::take(&mut row.raw_json).as_bytes())?;
                Ok(SealedUnread { row, sealed })
            })
            .collect()
    }
}
