use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Ends TLS on loopback and forwards the rest, with a certificate for 127.0.0.1 and `localhost` from an authority of
/// its own.
pub struct Terminator {
    pub address: SocketAddr,
    /// The authority, PEM.
    pub authority: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    stranger: AtomicBool,
    accepted: AtomicU64,
    clients: Mutex<Vec<TcpStream>>,
}

impl Terminator {
    pub fn start(server: SocketAddr) -> Self {
        let (config, authority) = certified();
        let (strange, _) = certified();
        let state = Arc::new(State::default());
        let mine = Arc::clone(&state);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                mine.accepted.fetch_add(1, Ordering::SeqCst);
                mine.clients.lock().unwrap().push(client.try_clone().unwrap());
                let config = Arc::clone(if mine.stranger.load(Ordering::SeqCst) { &strange } else { &config });
                std::thread::spawn(move || forward(client, server, config));
            }
        });
        Self { address, authority, state }
    }

    /// Connections taken so far.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// Closes all connections; those that follow are answered by a stranger, or no longer.
    pub fn stand_in(&self, stranger: bool) {
        self.state.stranger.store(stranger, Ordering::SeqCst);
        for client in self.state.clients.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

/// A server's side with a certificate, and the authority that it is from, PEM.
fn certified() -> (Arc<ServerConfig>, String) {
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (Arc::new(config), ca.pem())
}

/// One connection, both ways on one thread.
fn forward(client: TcpStream, server: SocketAddr, config: Arc<ServerConfig>) {
    let Ok(mut server) = TcpStream::connect(server) else {
        // As balancers do that end TLS: the greeting is theirs, and then there is nobody to pass anything to.
        let mut tls = ServerConnection::new(config).unwrap();
        let mut client = client;
        if tls.complete_io(&mut client).is_ok() {
            tls.send_close_notify();
            let _ = tls.complete_io(&mut client);
        }
        return;
    };
    client.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    server.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut client = StreamOwned::new(ServerConnection::new(config).unwrap(), client);
    let mut chunk = [0; 16 << 10];
    loop {
        match client.read(&mut chunk) {
            Ok(0) => return,
            Ok(got) if server.write_all(&chunk[..got]).is_err() => return,
            Err(e) if !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
            _ => {}
        }
        match server.read(&mut chunk) {
            Ok(0) => return,
            Ok(got) if client.write_all(&chunk[..got]).is_err() => return,
            Err(e) if !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
            _ => {}
        }
    }
}
