//! Connections: accepted up to a number, each with a time for its head, all ended in time.

use crate::access::Peer;
use crate::shop::Shop;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

/// Open connections; more are closed at once.
const CONNECTIONS_MOST: usize = 1024;
/// Beyond so many, an address that holds more than its share gets no other: one viewer cannot keep the buyers out.
const CROWDED: usize = 768;
const SHARE: usize = 64;
/// Longest wait for the head of a request, also between two requests of a connection that is kept open.
const HEAD_LIMIT: Duration = Duration::from_secs(60);
const HEAD_BYTES: usize = 32 << 10;
/// After a failed accept (usually no file descriptor left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who holds the open connections.
#[derive(Debug, Default)]
struct Held {
    whose: HashMap<Id, IpAddr>,
    each: HashMap<IpAddr, usize>,
}

impl Held {
    fn by(&self, address: IpAddr) -> usize {
        self.each.get(&address).copied().unwrap_or(0)
    }

    fn begun(&mut self, task: Id, address: IpAddr) {
        self.whose.insert(task, address);
        *self.each.entry(address).or_default() += 1;
    }

    fn ended(&mut self, task: Id) {
        let Some(address) = self.whose.remove(&task) else { return };
        if let Entry::Occupied(mut count) = self.each.entry(address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Serves until cancelled, then lets running requests end within `limit`.
pub(crate) async fn serve(listener: TcpListener, router: Router, shop: Arc<Shop>, cancel: CancellationToken, limit: Duration) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(HEAD_BYTES).half_close(false);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut held = Held::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(ended) = connections.join_next_with_id() => {
                held.ended(ended.map_or_else(|error| error.id(), |(id, ())| id));
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok((stream, from)) => (stream, from.ip()),
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if connections.len() >= CONNECTIONS_MOST || (connections.len() >= CROWDED && held.by(from) >= SHARE) {
            shop.tally.connections_refused();
            continue;
        }
        // Small answers and events must not wait for the client's acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let router = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(from));
            router.call(request)
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let watched = graceful.watch(connection);
        let task = connections.spawn(async move {
            // A client that breaks off in the middle is its own affair.
            if let Err(error) = watched.await {
                tracing::debug!(%error, "connection ended");
            }
        });
        held.begun(task.id(), from);
    }
    drop(listener);
    if tokio::time::timeout(limit, graceful.shutdown()).await.is_err() {
        tracing::warn!(open = connections.len(), "connections were cut at the end");
    }
    connections.shutdown().await;
}
