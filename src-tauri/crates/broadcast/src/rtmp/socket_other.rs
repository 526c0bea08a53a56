use std::io;
use std::net::TcpStream;
use std::time::Duration;

/// Options before connecting.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    #[cfg(unix)]
    rustix::io::fcntl_setfd(stream, rustix::io::FdFlags::CLOEXEC)?;
    #[cfg(not(unix))]
    let _ = stream;
    Ok(())
}

/// Not known here: a stuck peer shows when the bounded send buffer is full.
pub(crate) fn unsent(_stream: &TcpStream) -> Option<u64> {
    None
}

/// Not needed here: what is on its way counts as delivered.
pub(crate) fn round_trip(_stream: &TcpStream) -> Option<Duration> {
    None
}
