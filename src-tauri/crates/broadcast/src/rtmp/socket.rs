use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{AddressFamily, SocketType, connect, socket};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
#[path = "socket_linux.rs"]
mod os;
#[cfg(not(target_os = "linux"))]
#[path = "socket_other.rs"]
mod os;

pub(super) use os::{round_trip, unsent};

/// A TCP connection being made. Dropping it gives up.
pub(super) struct Dial {
    stream: TcpStream,
    /// When it was begun.
    pub since: Instant,
}

impl Dial {
    /// Begins. About `buffer` bytes, at most twice as many, will wait in the kernel: what is in there can no longer be
    /// dropped.
    pub fn begin(address: SocketAddr, buffer: usize) -> io::Result<Self> {
        os::begin()?;
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let stream = TcpStream::from(socket(family, SocketType::STREAM, None)?);
        os::prepare(&stream)?;
        hold(&stream, buffer)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        match connect(&stream, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS | rustix::io::Errno::WOULDBLOCK) => Ok(Self { stream, since: Instant::now() }),
            Err(e) => Err(e.into()),
        }
    }

    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The connection, once [`wait`] says that it is writable.
    pub fn finish(self) -> io::Result<TcpStream> {
        match self.stream.take_error()? {
            Some(error) => Err(error),
            None => self.stream.peer_addr().map(|_| self.stream),
        }
    }
}

/// About so many bytes, at most twice as many, may wait in the kernel.
pub(super) fn hold(stream: &TcpStream, bytes: usize) -> io::Result<()> {
    Ok(set_socket_send_buffer_size(stream, bytes)?)
}

/// Waits until one of the sockets is readable, writable if asked for, or broken; which ones.
pub(super) fn wait(sockets: &[(&TcpStream, bool)], timeout: Duration) -> io::Result<Vec<bool>> {
    let mut fds: Vec<PollFd<'_>> =
        sockets.iter().map(|(s, write)| PollFd::new(*s, if *write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN })).collect();
    // A time that the system cannot count is as good as none.
    let limit = Timespec::try_from(timeout).ok();
    match poll(&mut fds, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect()),
        Err(e) => Err(e.into()),
    }
}

/// Closes at once and tells the peer so: what waits is thrown away, and a server that still holds this publication
/// lets it go.
pub(super) fn abort(stream: TcpStream) {
    if let Err(error) = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)) {
        tracing::debug!(%error, "closing without a reset");
    }
    drop(stream);
}
