use crate::error::EngineError;
use crate::protocol::{Command, Reply};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;

/// A future that a trait can give.
pub(crate) type Answer<'a> = Pin<Box<dyn Future<Output = Result<Reply, EngineError>> + Send + 'a>>;

/// The way to a media process: over a socket, or the same code in this process.
pub(crate) trait Port: Send + Sync {
    /// Carries out one command. Its reply comes after every event that happened before it.
    fn order(&self, command: Command, attachment: Bytes) -> Answer<'_>;
    /// Waits until the way is closed: the process is gone, or the connection to it.
    fn closed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
