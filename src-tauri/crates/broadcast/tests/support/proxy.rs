use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A TCP proxy on loopback that can misbehave.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    frozen: AtomicBool,
    holds: AtomicBool,
    /// Bytes a second; 0: as fast as they come.
    pace: AtomicU64,
    accepted: AtomicU64,
    pairs: Mutex<Vec<(TcpStream, TcpStream)>>,
}

impl Proxy {
    /// Forwards to `server`. Its receive buffer is small, so that a frozen proxy is noticed as one.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&listener, 32 << 10).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let mine = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                mine.accepted.fetch_add(1, Ordering::SeqCst);
                let Ok(server) = TcpStream::connect(server) else { continue };
                let clone = |s: &TcpStream| s.try_clone().unwrap();
                mine.pairs.lock().unwrap().push((clone(&client), clone(&server)));
                let (up, down) = (Arc::clone(&mine), Arc::clone(&mine));
                let (c, s) = (clone(&client), clone(&server));
                std::thread::spawn(move || up.pump(client, server));
                std::thread::spawn(move || down.pump(s, c));
            }
        });
        Self { address, state }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections taken so far.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// Stops reading on every connection, or goes on.
    pub fn freeze(&self, frozen: bool) {
        self.state.frozen.store(frozen, Ordering::SeqCst);
    }

    /// Passes on so many bytes a second from now on.
    pub fn throttle(&self, pace: u64) {
        self.state.pace.store(pace, Ordering::SeqCst);
    }

    /// Closes all connections to clients; the server does not hear of it.
    pub fn cut_clients(&self) {
        self.state.holds.store(true, Ordering::SeqCst);
        for (client, _) in &*self.state.pairs.lock().unwrap() {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// Now it does.
    pub fn release_server(&self) {
        self.state.holds.store(false, Ordering::SeqCst);
        for (_, server) in self.state.pairs.lock().unwrap().drain(..1) {
            let _ = server.shutdown(Shutdown::Both);
        }
    }
}

impl State {
    fn pump(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut chunk = [0; 16 << 10];
        loop {
            while self.frozen.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
            }
            match from.read(&mut chunk) {
                Ok(got) if got > 0 => {
                    let pace = self.pace.load(Ordering::SeqCst);
                    if let Some(ms) = (got as u64 * 1000).checked_div(pace) {
                        std::thread::sleep(Duration::from_millis(ms));
                    }
                    if to.write_all(&chunk[..got]).is_err() {
                        return;
                    }
                }
                // A cut made by the test is not passed on: it says when the other side hears of it.
                _ => {
                    if !self.holds.load(Ordering::SeqCst) {
                        let _ = to.shutdown(Shutdown::Both);
                    }
                    return;
                }
            }
        }
    }
}
