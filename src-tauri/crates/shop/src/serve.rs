//! Connections: accepted up to a number, each with a time for its head, all ended in time.

use crate::shop::Shop;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Open connections; more are closed at once.
const CONNECTIONS_MOST: usize = 1024;
/// Longest wait for the head of a request, also between two requests of a connection that is kept open.
const HEAD_LIMIT: Duration = Duration::from_secs(60);
const HEAD_BYTES: usize = 32 << 10;
/// After a failed accept (usually no file descriptor left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until cancelled, then lets running requests end within `limit`.
pub(crate) async fn serve(listener: TcpListener, router: Router, shop: Arc<Shop>, cancel: CancellationToken, limit: Duration) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(HEAD_BYTES).half_close(false);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if connections.len() >= CONNECTIONS_MOST {
            shop.tally.connections_refused();
            continue;
        }
        // Small answers and events must not wait for the client's acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let watched = graceful.watch(connection);
        connections.spawn(async move {
            // A client that breaks off in the middle is its own affair.
            if let Err(error) = watched.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limit, graceful.shutdown()).await.is_err() {
        tracing::warn!(open = connections.len(), "connections were cut at the end");
    }
    connections.shutdown().await;
}
