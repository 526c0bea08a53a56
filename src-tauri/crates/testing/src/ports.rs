//! Free TCP ports of loopback.

use std::net::{SocketAddr, TcpListener};

/// A port that was free a moment ago.
///
/// # Panics
/// If loopback has none.
#[must_use]
pub fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    listener.as_ref().map(SocketAddr::port).expect("a free port on loopback")
}

/// `N` different ports that were free a moment ago.
///
/// # Panics
/// If loopback has too few.
#[must_use]
pub fn free_ports<const N: usize>() -> [u16; N] {
    // All are held until all are known, so that they differ.
    let held: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free port on loopback"));
    held.each_ref().map(|l| l.local_addr().as_ref().map(SocketAddr::port).expect("a bound port"))
}
