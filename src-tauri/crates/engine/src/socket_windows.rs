//! Private sockets on Windows: a named pipe. Its default security gives write access to the creating user, the system
//! and administrators only; the first-instance flag keeps others from taking the name before us.

use super::SocketError;
use interprocess::os::windows::named_pipe::tokio::{DuplexPipeStream, PipeListener};
use interprocess::os::windows::named_pipe::{PipeListenerOptions, pipe_mode};
use std::io;
use std::path::{Path, PathBuf};

pub(super) type Stream = DuplexPipeStream<pipe_mode::Bytes>;

pub(super) fn place(name: &str) -> Result<PathBuf, SocketError> {
    Ok(PathBuf::from(format!(r"\\.\pipe\stallcast-{name}")))
}

pub(super) async fn connect(path: &Path) -> Result<Option<Stream>, SocketError> {
    match DuplexPipeStream::connect_by_path(path).await {
        Ok(stream) => Ok(Some(stream)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(SocketError::io(path, e)),
    }
}

#[derive(Debug)]
pub(super) struct Listener(PipeListener<pipe_mode::Bytes, pipe_mode::Bytes>);

pub(super) async fn listen(path: &Path) -> Result<Listener, SocketError> {
    // `accept_remote` is off by default; the library creates the first instance with FILE_FLAG_FIRST_PIPE_INSTANCE.
    match PipeListenerOptions::new().path(path).create_tokio_duplex::<pipe_mode::Bytes>() {
        Ok(listener) => Ok(Listener(listener)),
        Err(e) if matches!(e.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
            Err(SocketError::InUse(path.to_owned()))
        }
        Err(e) => Err(SocketError::io(path, e)),
    }
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        self.0.accept().await
    }
}
