//! The shops, as the use-cases need them.

use super::found;
use crate::error::StudioError;
use stallcast_model::{Capabilities, ConnectionId, ShopProfile};
use stallcast_store::{Connection, KnownShop, Store, StoreError};

pub(crate) use stallcast_store::Remote;

/// Those that were not removed, the shop of this machine first.
pub(crate) async fn connections(store: &Store) -> Result<Vec<Connection>, StudioError> {
    Ok(store.connections().await?)
}

/// Adds the connection of a platform, or what is known of it by now.
pub(crate) async fn put_connection(store: &Store, connection: &Connection) -> Result<(), StudioError> {
    Ok(store.put_connection(connection).await?)
}

/// A shop told what it is called now and what it can do. The name it has here: perhaps the seller's own.
pub(crate) async fn told(
    store: &Store,
    id: &ConnectionId,
    profile: ShopProfile,
    capabilities: Capabilities,
) -> Result<Option<String>, StudioError> {
    if let Some(known) = connections(store).await?.into_iter().find(|c| c.id == *id) {
        let told = Connection { name: profile.name, currency: Some(profile.currency), capabilities, ..known };
        store.put_connection(&told).await?;
    }
    connection_name(store, id).await
}

pub(crate) async fn connection_name(store: &Store, id: &ConnectionId) -> Result<Option<String>, StudioError> {
    Ok(connections(store).await?.into_iter().find(|c| c.id == *id).map(|c| c.name))
}

/// Those that were added by their address.
pub(crate) async fn remotes(store: &Store) -> Result<Vec<Remote>, StudioError> {
    Ok(store.remotes().await?)
}

pub(crate) async fn add_remote(store: &Store, remote: &Remote) -> Result<(), StudioError> {
    Ok(store.add_remote(remote).await?)
}

pub(crate) async fn set_identity(store: &Store, id: &ConnectionId, identity: &str) -> Result<(), StudioError> {
    Ok(store.set_identity(id, identity).await?)
}

pub(crate) async fn shop_of_identity(store: &Store, identity: &str) -> Result<Option<KnownShop>, StudioError> {
    Ok(store.shop_of_identity(identity).await?)
}

pub(crate) async fn rename_connection(store: &Store, id: &str, name: &str) -> Result<(), StudioError> {
    found(store.rename_connection(&ConnectionId::new(id), name).await?)
}

pub(crate) async fn remove_connection(store: &Store, id: &str, now_ms: i64) -> Result<(), StudioError> {
    match store.remove_connection(&ConnectionId::new(id), now_ms).await {
        Err(StoreError::WrongState { state }) if state == "explaining" => Err(StudioError::new("shop_explaining")),
        Err(StoreError::WrongState { state }) if state == "own_shop" => Err(StudioError::new("own_shop")),
        removed => found(removed?),
    }
}
