//! Private local sockets: only processes of the same user get through. The engine's protocol and the studio's control
//! questions both travel over one.
//!
//! Unix: a socket file in a folder of mode 0700 whose owner is checked; the peer's user is checked on each connection;
//! no abstract sockets. Windows: a named pipe, first instance only, remote clients rejected.

#[cfg(unix)]
#[path = "socket_unix.rs"]
mod os;
#[cfg(windows)]
#[path = "socket_windows.rs"]
mod os;

use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A private socket could not be made or reached.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Somebody already answers there.
    #[error("another process already listens on {}", .0.display())]
    InUse(PathBuf),
    /// The folder belongs to somebody else, or others may enter it.
    #[error("{} is not a private folder of this user", .0.display())]
    NotPrivate(PathBuf),
    /// The OS cannot bind a name of this length.
    #[error("the socket path {} is too long", .0.display())]
    TooLong(PathBuf),
    /// The process at the other end belongs to another user.
    #[error("the other end of {} belongs to another user", .0.display())]
    ForeignPeer(PathBuf),
    /// Anything else.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the OS said.
        source: io::Error,
    },
}

impl SocketError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// Where the socket of a data folder lies. The name is a hash of the canonical folder and the role (`engine`,
/// `control`), because long paths do not bind. Makes the data folder and the private folder if they are missing.
///
/// # Errors
/// No private folder can be had.
pub fn path(data: &Path, role: &str) -> Result<PathBuf, SocketError> {
    std::fs::create_dir_all(data).map_err(|e| SocketError::io(data, e))?;
    let canonical = data.canonicalize().map_err(|e| SocketError::io(data, e))?;
    let mut hash = Sha256::new();
    hash.update(canonical.as_os_str().as_encoded_bytes());
    let name: String = hash.finalize().iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    os::place(&format!("{name}-{role}"))
}

/// Listens. A file left by a dead process is replaced, but only after nobody answered on it.
///
/// # Errors
/// [`SocketError::InUse`] when somebody answers there.
pub async fn listen(path: &Path) -> Result<Listener, SocketError> {
    os::listen(path).await.map(Listener)
}

/// Connects; `None` when nobody listens.
///
/// # Errors
/// The other end belongs to another user, or the OS refuses.
pub async fn connect(path: &Path) -> Result<Option<Stream>, SocketError> {
    Ok(os::connect(path).await?.map(Stream))
}

/// A listening private socket. Dropping it removes its file.
#[derive(Debug)]
pub struct Listener(os::Listener);

impl Listener {
    /// The next connection of this user. Others are closed and logged.
    ///
    /// # Errors
    /// The OS gives no more connections, for example for want of descriptors.
    pub async fn accept(&self) -> io::Result<Stream> {
        self.0.accept().await.map(Stream)
    }
}

/// One connection between two processes of the same user.
#[derive(Debug)]
pub struct Stream(os::Stream);

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
