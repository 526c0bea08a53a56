use std::io;
use std::net::TcpStream;

/// The kernel gives a silent connection up after this; until then it is ours to abort when the link is back.
const USER_TIMEOUT_MS: u32 = 60_000;

/// Options before connecting.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    rustix::io::fcntl_setfd(stream, rustix::io::FdFlags::CLOEXEC)?;
    rustix::net::sockopt::set_tcp_user_timeout(stream, USER_TIMEOUT_MS)?;
    Ok(())
}

/// Bytes the peer has not acknowledged (SIOCOUTQ). `None` if the kernel does not say.
#[expect(unsafe_code, reason = "rustix has no safe call for SIOCOUTQ, and no other way sees what a write that succeeded did not send")]
pub(crate) fn unsent(stream: &TcpStream) -> Option<u64> {
    const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;
    // SAFETY: tcp(7): SIOCOUTQ on a TCP socket writes one int through the pointer, which `Getter` provides for `i32`;
    // `stream` is a live TCP socket.
    let bytes = unsafe { rustix::ioctl::ioctl(stream, rustix::ioctl::Getter::<SIOCOUTQ, i32>::new()) };
    bytes.ok().and_then(|b| u64::try_from(b).ok())
}
