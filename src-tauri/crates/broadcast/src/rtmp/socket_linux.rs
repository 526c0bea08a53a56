use std::io;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// The kernel gives a silent connection up after this; until then it is ours to abort when the link is back.
const USER_TIMEOUT_MS: u32 = 60_000;

/// Before the first socket.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
pub(crate) const fn begin() -> io::Result<()> {
    Ok(())
}

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

/// The shortest round trip to the peer in the last five minutes, the one that made the connection among them (TCP_INFO). `None` if
/// the kernel does not say, or has not measured one yet.
#[expect(unsafe_code, reason = "rustix has no call for TCP_INFO, and from outside the way cannot be told from what waits on it")]
pub(crate) fn round_trip(stream: &TcpStream) -> Option<Duration> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: tcp(7): TCP_INFO writes at most `length` bytes through the pointer, which is what it points to; `stream` is a live
    // TCP socket. What an older kernel does not write stays zero, and the struct is made of nothing but integers.
    let (result, info) = unsafe {
        let at = info.as_mut_ptr().cast();
        let result = libc::getsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, at, &raw mut length);
        (result, info.assume_init())
    };
    let known = result == 0 && info.tcpi_min_rtt != u32::MAX;
    known.then(|| Duration::from_micros(info.tcpi_min_rtt.into()))
}
