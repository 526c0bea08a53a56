use std::io;
use std::net::TcpStream;
use std::time::Duration;

/// Before the first socket: Windows has none until it is asked for them, once in a process.
pub(crate) fn begin() -> io::Result<()> {
    #[cfg(windows)]
    {
        static BEGUN: std::sync::OnceLock<()> = std::sync::OnceLock::new();
        if BEGUN.get().is_none() {
            rustix::net::wsa_startup()?;
            let _ = BEGUN.set(());
        }
    }
    Ok(())
}

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
