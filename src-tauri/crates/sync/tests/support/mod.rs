//! A store in a folder of its own, and waiting for events.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod fake;

use stallcast_clock::SystemClock;
use stallcast_model::{Capabilities, Capability, ConnectionId, Currency};
use stallcast_platform::Platform;
use stallcast_store::{Connection, SealError, Sealer, Store, StoreOptions};
use stallcast_sync::{ConnectionSync, Pace, SyncEvent, SyncOptions, Timing};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// A hang guard, not a promise.
pub const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct PlainSealer;

impl Sealer for PlainSealer {
    fn seal(&self, _: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(plain.to_vec())
    }
    fn open(&self, _: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(sealed.to_vec())
    }
}

pub fn local() -> ConnectionId {
    ConnectionId::new("local")
}

pub async fn open(data: &Path) -> Store {
    let options = StoreOptions { path: data.join("stallcast.db"), sealer: Arc::new(PlainSealer), clock: Arc::new(SystemClock) };
    let store = Store::open(options).await.expect("store");
    let capabilities =
        Capabilities { pin: Capability::Native, issue_coupon: Capability::Native, ship: Capability::Native, go_live: Capability::Native };
    let connection =
        Connection { id: local(), kind: "local".to_owned(), name: "店".to_owned(), capabilities, currency: Some(Currency::Cny) };
    store.put_connection(&connection).await.expect("connection");
    store
}

/// Times that let a test see many rounds.
pub fn quick() -> Timing {
    Timing {
        live: Duration::from_millis(10),
        idle: Duration::from_millis(10),
        reconcile: Duration::from_millis(60),
        retry_first: Duration::from_millis(2),
        retry_most: Duration::from_millis(20),
        try_first: Duration::from_millis(5),
        try_most: Duration::from_millis(50),
        lease: Duration::from_secs(30),
        finish: Duration::from_millis(500),
    }
}

pub fn start(store: &Store, platform: Arc<dyn Platform>, timing: Timing) -> (ConnectionSync, Receiver<SyncEvent>) {
    ConnectionSync::start(SyncOptions {
        store: store.clone(),
        platform,
        connection: local(),
        clock: Arc::new(SystemClock),
        pace: Pace::Idle,
        timing,
    })
}

/// Waits until `holds`, looking again after each event.
pub async fn until<F: Future<Output = bool>>(events: &mut Receiver<SyncEvent>, what: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            match events.recv().await {
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => panic!("the workers are gone, and still not: {what}"),
            }
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "never happened: {what}");
}
