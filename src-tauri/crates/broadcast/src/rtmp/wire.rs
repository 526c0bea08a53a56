use super::socket::{abort, hold, round_trip, unsent};
use crate::Target;
use rustls::client::ClientConnection;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Plain text that may wait inside TLS.
const TLS_BUFFER: usize = 64 << 10;

/// A connected socket, plain or TLS, that never blocks.
pub(super) struct Wire {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// Bytes given to the kernel.
    written: u64,
    /// About so many of what was taken are still inside TLS.
    held: u64,
    /// Bytes that came from the peer.
    heard: u64,
    /// Of them, what is not TLS's own.
    said: u64,
}

impl Wire {
    pub fn new(stream: TcpStream, target: &Target) -> io::Result<Self> {
        let tls = if target.tls() { Some(Box::new(client(target)?)) } else { None };
        Ok(Self { stream, tls, written: 0, held: 0, heard: 0, said: 0 })
    }

    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Takes some of `bytes`; 0 when there is no room now.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            let taken = self.stream.write(bytes).or_else(later)?;
            self.written += taken as u64;
            return Ok(taken);
        };
        let taken = if tls.is_handshaking() { 0 } else { tls.writer().write(bytes).or_else(later)? };
        self.held += taken as u64;
        self.flush()?;
        Ok(taken)
    }

    /// Gives the kernel what TLS holds; true when it holds nothing.
    pub fn flush(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.stream).or_else(later)? {
                0 => return Ok(false),
                taken => {
                    self.written += taken as u64;
                    self.held = self.held.saturating_sub(taken as u64);
                }
            }
        }
        self.held = 0;
        Ok(true)
    }

    /// What has come, appended to `into`. `UnexpectedEof` when the peer has closed.
    pub fn read(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        let mut chunk = [0; 4096];
        loop {
            match &mut self.tls {
                None => match self.stream.read(&mut chunk) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(got) => {
                        self.heard += got as u64;
                        self.said += got as u64;
                        into.extend_from_slice(&chunk[..got]);
                    }
                    Err(e) => return later(e).map(drop),
                },
                Some(tls) => match tls.read_tls(&mut self.stream) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(got) => {
                        self.heard += got as u64;
                        let plain = tls.process_new_packets().map_err(|e| {
                            // The alert that says why.
                            let _ = tls.write_tls(&mut self.stream);
                            io::Error::new(io::ErrorKind::InvalidData, e)
                        });
                        let waiting = plain?.plaintext_bytes_to_read();
                        self.said += waiting as u64;
                        let at = into.len();
                        into.resize(at + waiting, 0);
                        tls.reader().read_exact(&mut into[at..])?;
                    }
                    Err(e) => {
                        later(e)?;
                        return self.flush().map(drop);
                    }
                },
            }
        }
    }

    /// TLS is not ready for our bytes: it waits for the server's.
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|t| t.is_handshaking())
    }

    /// Something waits that only a writable socket can take.
    pub fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|t| t.wants_write())
    }

    /// Bytes that came from the peer.
    pub const fn heard(&self) -> u64 {
        self.heard
    }

    /// Bytes of RTMP that came from the peer: TLS may end at what stands before the server.
    pub const fn said(&self) -> u64 {
        self.said
    }

    /// Bytes taken that the peer has not acknowledged, as far as the OS says.
    pub fn waiting(&self) -> u64 {
        self.held + self.unsent().unwrap_or(0)
    }

    /// Bytes in the kernel that the peer has not acknowledged. `None` where the OS does not say.
    pub fn unsent(&self) -> Option<u64> {
        unsent(&self.stream)
    }

    /// The shortest round trip to the peer of late. `None` where the OS does not say, and nothing in flight is counted as waiting.
    pub fn round_trip(&self) -> Option<Duration> {
        round_trip(&self.stream)
    }

    /// Bytes the peer has acknowledged; where the OS does not say, those the kernel took.
    pub fn delivered(&self) -> u64 {
        self.written - self.unsent().unwrap_or(0).min(self.written)
    }

    /// About so many bytes may wait in the kernel from now on.
    pub fn hold(&self, bytes: usize) {
        if let Err(error) = hold(&self.stream, bytes) {
            tracing::debug!(%error, "the send buffer stays as it is");
        }
    }

    /// Says that nothing more will come.
    pub fn shutdown(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = self.flush();
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Closes with a reset.
    pub fn abort(self) {
        abort(self.stream);
    }
}

/// Would block: nothing happened.
fn later(error: io::Error) -> io::Result<usize> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
        _ => Err(error),
    }
}

fn client(target: &Target) -> io::Result<ClientConnection> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for authority in target.trusted() {
        roots.add(authority.clone()).map_err(io::Error::other)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(target.host().to_owned()).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    let mut client = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    client.set_buffer_limit(Some(TLS_BUFFER));
    Ok(client)
}

/// Did TLS fail because the server's certificate cannot be trusted? Trying again will not change that.
pub(super) fn is_distrust(error: &io::Error) -> bool {
    matches!(error.get_ref().and_then(|e| e.downcast_ref()), Some(rustls::Error::InvalidCertificate(_)))
}
