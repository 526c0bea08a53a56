//! A TCP proxy on loopback that misbehaves on command, or along a timeline.

use crate::refusal;
use anyhow::{Context as _, bail};
use rustix::net::sockopt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a waiting thread looks whether the fault changed.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes moved at once.
const CHUNK: usize = 16 << 10;
/// Loopback would buffer 4 MB and hide a slow link; a much smaller buffer would be a limit of its own. The system doubles it: no
/// more than 256 KB wait there.
const RECEIVE_BUFFER: usize = 128 << 10;
/// What a slow handshake passes slowly of the server's first answer: less than there is in any with a certificate, so that the
/// handshake cannot be over before.
const SLOW_BYTES: u64 = 512;
/// In so many pieces, small enough that something comes all the time.
const SLOW_PIECES: u32 = 64;

/// What the link does to every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Pass,
    /// Everything arrives later, both ways.
    Latency(Duration),
    /// Bytes a second from client to server.
    Rate(u64),
    /// Nothing is read any more, in either direction; connections stay.
    Stall,
    /// The server's side is gone and the client is not told: its bytes are accepted by its own machine only.
    HalfOpen,
    /// Everything is taken and thrown away.
    Swallow,
    /// Connections are closed with a FIN once so many bytes went from client to server.
    CloseAfter(u64),
    /// All connections are reset, and every new one too.
    Refuse,
    /// New connections are led as far as `publish`, which is refused as by a server on which the name is taken
    /// (`NetStream.Publish.BadName`). The server hears nothing of them. RTMP without TLS only; what publishes already goes on.
    RefusePublish,
    /// What the server says first on a new connection comes in small pieces, so that a TLS handshake takes so long and no part
    /// of it is silent. Without TLS it is that of RTMP. What follows is as fast as ever.
    SlowTls(Duration),
}

impl FromStr for Fault {
    type Err = anyhow::Error;

    /// `pass`, `latency 200ms`, `rate 50000`, `stall`, `half-open`, `swallow`, `close-after 1000000`, `refuse`, `refuse-publish`,
    /// `slow-tls 3000ms`.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (word, value) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let number = || value.trim().trim_end_matches("ms").parse::<u64>().with_context(|| format!("{word} needs a number, not {value:?}"));
        Ok(match word {
            "pass" => Self::Pass,
            "latency" => Self::Latency(Duration::from_millis(number()?)),
            "rate" => Self::Rate(number()?),
            "stall" => Self::Stall,
            "half-open" => Self::HalfOpen,
            "swallow" => Self::Swallow,
            "close-after" => Self::CloseAfter(number()?),
            "refuse" => Self::Refuse,
            "refuse-publish" => Self::RefusePublish,
            "slow-tls" => Self::SlowTls(Duration::from_millis(number()?)),
            other => bail!("no fault {other:?}"),
        })
    }
}

/// One entry of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// From now on.
    Become(Fault),
    /// All present connections are reset; what follows is as before.
    Reset,
}

/// Faults by time since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline(pub Vec<(Duration, Step)>);

impl FromStr for Timeline {
    type Err = anyhow::Error;

    /// Entries parted by `;` or line breaks, each `SECONDS FAULT`, for example `5 stall; 9.5 pass; 20 reset`. `#` begins a comment.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut steps: Vec<(Duration, Step)> = vec![];
        for line in text.lines() {
            for entry in line.split('#').next().unwrap_or_default().split(';').map(str::trim).filter(|e| !e.is_empty()) {
                let (at, what) = entry.split_once(' ').with_context(|| format!("{entry:?} is not SECONDS FAULT"))?;
                let at = at.trim_end_matches('s').parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
                let at = at.with_context(|| format!("{entry:?} does not begin with seconds"))?;
                let step = if what.trim() == "reset" { Step::Reset } else { Step::Become(what.parse()?) };
                if steps.last().is_some_and(|(before, _)| *before > at) {
                    bail!("{entry:?} comes before the entry above it");
                }
                steps.push((at, step));
            }
        }
        Ok(Self(steps))
    }
}

#[derive(Debug)]
struct Shared {
    fault: Mutex<Fault>,
    /// Connections begun before this count are to be reset.
    reset_below: AtomicU64,
    accepted: AtomicU64,
    forwarded: AtomicU64,
    stop: AtomicBool,
}

impl Shared {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_reset(&self, connection: u64) -> bool {
        self.stop.load(Ordering::Relaxed) || connection < self.reset_below.load(Ordering::Relaxed) || self.fault() == Fault::Refuse
    }
}

/// The proxy. It ends when dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Listens on any free port of loopback and passes everything on to `upstream`.
    ///
    /// # Errors
    /// There is no port.
    pub fn start(upstream: SocketAddr) -> anyhow::Result<Self> {
        Self::listen("127.0.0.1:0".parse()?, upstream)
    }

    /// Listens there.
    ///
    /// # Errors
    /// The address is taken.
    pub fn listen(address: SocketAddr, upstream: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)?;
        sockopt::set_socket_recv_buffer_size(&listener, RECEIVE_BUFFER)?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            fault: Mutex::new(Fault::Pass),
            reset_below: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            forwarded: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let address = listener.local_addr()?;
        let inner = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accept(&listener, upstream, &inner));
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Where clients connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on.
    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Resets all present connections.
    pub fn reset(&self) {
        self.shared.reset_below.store(self.shared.accepted.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// One step of a timeline.
    pub fn take(&self, step: Step) {
        match step {
            Step::Become(fault) => self.set(fault),
            Step::Reset => self.reset(),
        }
    }

    /// Goes through a timeline on the calling thread.
    pub fn play(&self, timeline: &Timeline, mut told: impl FnMut(Duration, Step)) {
        let begun = Instant::now();
        for (at, step) in &timeline.0 {
            std::thread::sleep(at.saturating_sub(begun.elapsed()));
            self.take(*step);
            told(begun.elapsed(), *step);
        }
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Bytes passed from clients to the server since the start.
    #[must_use]
    pub fn forwarded(&self) -> u64 {
        self.shared.forwarded.load(Ordering::Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, upstream: SocketAddr, shared: &Arc<Shared>) {
    while !shared.stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((client, _)) => {
                let connection = shared.accepted.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(shared);
                std::thread::spawn(move || {
                    // A server that is not there refuses its client, too.
                    if connect(client, upstream, connection, &shared).is_err() {}
                });
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

fn connect(client: TcpStream, upstream: SocketAddr, connection: u64, shared: &Arc<Shared>) -> anyhow::Result<()> {
    let linger_reset = |stream: &TcpStream| sockopt::set_socket_linger(stream, Some(Duration::ZERO));
    client.set_nonblocking(false)?;
    if shared.is_reset(connection) {
        linger_reset(&client)?;
        return Ok(());
    }
    if shared.fault() == Fault::RefusePublish {
        client.set_nodelay(true)?;
        client.set_read_timeout(Some(LOOK))?;
        let served = refusal::serve(&client, &|| shared.is_reset(connection));
        if shared.is_reset(connection) {
            linger_reset(&client)?;
        }
        served?;
        return Ok(());
    }
    let server = match TcpStream::connect(upstream) {
        Ok(server) => server,
        Err(e) => {
            linger_reset(&client)?;
            return Err(e.into());
        }
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(LOOK))?;
    }
    let up = one_way(client.try_clone()?, server.try_clone()?, connection, shared, true);
    let down = one_way(server.try_clone()?, client.try_clone()?, connection, shared, false);
    for thread in up.into_iter().chain(down) {
        let _ = thread.join();
    }
    if shared.is_reset(connection) {
        linger_reset(&client)?;
        linger_reset(&server)?;
    }
    Ok(())
}

type Chunk = (Instant, Vec<u8>);

/// A reader and a writer with a short queue between them: the time bytes spend in it is the latency.
fn one_way(from: TcpStream, to: TcpStream, connection: u64, shared: &Arc<Shared>, is_up: bool) -> [JoinHandle<()>; 2] {
    let (sender, receiver) = sync_channel::<Chunk>(256);
    let (reading, writing) = (Arc::clone(shared), Arc::clone(shared));
    let reader = std::thread::spawn(move || read_side(from, &sender, connection, &reading, is_up));
    let writer = std::thread::spawn(move || write_side(to, &receiver, connection, &writing, is_up));
    [reader, writer]
}

fn read_side(mut from: TcpStream, to: &SyncSender<Chunk>, connection: u64, shared: &Shared, is_up: bool) {
    let mut buffer = vec![0; CHUNK];
    let mut taken: u64 = 0;
    loop {
        if shared.is_reset(connection) {
            return;
        }
        let fault = shared.fault();
        match fault {
            Fault::Stall => {
                std::thread::sleep(LOOK);
                continue;
            }
            // The server's side closes; the client's stays open and unread for as long as this fault lasts.
            Fault::HalfOpen if !is_up => return,
            Fault::HalfOpen => {
                std::thread::sleep(LOOK);
                continue;
            }
            Fault::CloseAfter(most) if is_up && taken >= most => return,
            _ => {}
        }
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) if shared.fault() == Fault::Swallow => {}
            Ok(count) => {
                taken += count as u64;
                // As it is now: the read may have waited since before the fault began.
                let delay = if let Fault::Latency(delay) = shared.fault() { delay } else { Duration::ZERO };
                if to.send((Instant::now() + delay, buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(_) => return,
        }
    }
}

fn write_side(mut to: TcpStream, from: &Receiver<Chunk>, connection: u64, shared: &Shared, is_up: bool) {
    // Bytes may leave again at this instant, by the fault that is.
    let (mut free_at, mut last) = (Instant::now(), Fault::Pass);
    // Bytes that went this way.
    let mut passed: u64 = 0;
    while let Ok((due, chunk)) = from.recv() {
        let mut rest = chunk.as_slice();
        while !rest.is_empty() {
            if shared.is_reset(connection) {
                return;
            }
            let now = Instant::now();
            let fault = shared.fault();
            if fault != last {
                (last, free_at) = (fault, now);
            }
            if now < due || now < free_at || fault == Fault::Stall {
                std::thread::sleep(LOOK.min(due.max(free_at).saturating_duration_since(now)).max(Duration::from_millis(1)));
                continue;
            }
            let slow = match fault {
                Fault::SlowTls(time) if !is_up && passed < SLOW_BYTES => Some(time / SLOW_PIECES),
                _ => None,
            };
            let most = match fault {
                // A rate is kept in steps of 1400 bytes, like packets.
                Fault::Rate(_) => 1400,
                _ if slow.is_some() => SLOW_BYTES as usize / SLOW_PIECES as usize,
                _ => rest.len(),
            };
            match to.write(&rest[..most.min(rest.len())]) {
                Ok(0) => return,
                Ok(count) => {
                    rest = &rest[count..];
                    passed += count as u64;
                    if let Some(pause) = slow {
                        free_at = now + pause;
                    }
                    if is_up {
                        shared.forwarded.fetch_add(count as u64, Ordering::Relaxed);
                        if let Fault::Rate(bytes) = fault {
                            // Owed time is kept, so that a late wake-up does not slow the link down.
                            free_at = free_at.max(now.checked_sub(LOOK).unwrap_or(now))
                                + Duration::from_secs_f64(count as f64 / bytes.max(1) as f64);
                        }
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(_) => return,
            }
        }
    }
    // The reader ended: everything it took has been passed on. A half-open peer is not told.
    if !shared.is_reset(connection) && (shared.fault() != Fault::HalfOpen || is_up) {
        let _ = to.shutdown(Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Ingest, Occupant, publisher};
    use crate::ports;
    use anyhow::ensure;
    use std::process::{Child, Command, Stdio};

    /// Hang guard.
    const LIMIT: Duration = Duration::from_secs(20);

    /// Says back what it hears.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut reader = stream.try_clone().expect("cloned");
                    let mut writer = stream;
                    let _ = std::io::copy(&mut reader, &mut writer);
                    let _ = writer.shutdown(Shutdown::Both);
                });
            }
        });
        address
    }

    fn client(proxy: &FaultProxy) -> TcpStream {
        let stream = TcpStream::connect(proxy.address()).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        stream
    }

    fn ask(stream: &mut TcpStream) -> std::io::Result<Duration> {
        let begun = Instant::now();
        stream.write_all(b"hello")?;
        stream.read_exact(&mut [0; 5])?;
        Ok(begun.elapsed())
    }

    #[test]
    fn latency_delays_both_ways_and_stops_again() {
        let proxy = FaultProxy::start(echo()).expect("started");
        let mut stream = client(&proxy);
        assert!(ask(&mut stream).expect("passed") < Duration::from_millis(150));
        proxy.set(Fault::Latency(Duration::from_millis(200)));
        let took = ask(&mut stream).expect("passed");
        assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(2), "{took:?}");
        proxy.set(Fault::Pass);
        assert!(ask(&mut stream).expect("passed") < Duration::from_millis(150));
    }

    #[test]
    fn a_stalled_link_says_nothing_and_goes_on_later() {
        let proxy = FaultProxy::start(echo()).expect("started");
        let mut stream = client(&proxy);
        ask(&mut stream).expect("passed");
        proxy.set(Fault::Stall);
        // A read that was under way when the link stalled may still be passed on: let it run out.
        std::thread::sleep(LOOK * 3);
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
        assert!(ask(&mut stream).is_err());
        // It fills: a sender that never stops is held up.
        stream.set_write_timeout(Some(Duration::from_millis(300))).expect("set");
        let written = (0..4000).take_while(|_| stream.write_all(&[0; 4096]).is_ok()).count();
        assert!(written < 4000, "a stalled link took 16 MB");
        proxy.set(Fault::Pass);
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        stream.read_exact(&mut [0; 5]).expect("what was sent while it stalled arrives");
    }

    #[test]
    fn a_rate_is_kept() {
        let proxy = FaultProxy::start(echo()).expect("started");
        let mut stream = client(&proxy);
        proxy.set(Fault::Rate(100_000));
        let mut sender = stream.try_clone().expect("cloned");
        let begun = Instant::now();
        let sending = std::thread::spawn(move || sender.write_all(&[7; 60_000]));
        stream.read_exact(&mut vec![0; 60_000]).expect("passed");
        let took = begun.elapsed().as_secs_f64();
        sending.join().expect("no panic").expect("sent");
        assert!((0.5..1.2).contains(&took), "60 kB at 100 kB/s took {took} s");
    }

    #[test]
    fn a_reset_is_a_reset_and_the_next_connection_passes() {
        let proxy = FaultProxy::start(echo()).expect("started");
        let mut stream = client(&proxy);
        ask(&mut stream).expect("passed");
        proxy.reset();
        let error = stream.read(&mut [0; 1]).expect_err("not a clean end");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        ask(&mut client(&proxy)).expect("passed");
        proxy.set(Fault::Refuse);
        assert!(TcpStream::connect(proxy.address()).is_err() || ask(&mut client(&proxy)).is_err());
        assert_eq!(proxy.forwarded(), 10);
    }

    #[test]
    fn a_connection_closes_after_so_many_bytes() {
        let proxy = FaultProxy::start(echo()).expect("started");
        proxy.set(Fault::CloseAfter(10));
        let mut stream = client(&proxy);
        ask(&mut stream).expect("passed");
        ask(&mut stream).expect("passed");
        assert_eq!(stream.read(&mut [0; 1]).expect("a clean end"), 0);
    }

    #[test]
    fn a_half_open_client_is_not_told() {
        let proxy = FaultProxy::start(echo()).expect("started");
        let mut stream = client(&proxy);
        ask(&mut stream).expect("passed");
        proxy.set(Fault::HalfOpen);
        std::thread::sleep(LOOK * 3);
        stream.write_all(b"anybody there").expect("its own machine takes it");
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
        let error = stream.read(&mut [0; 1]).expect_err("neither answer nor end");
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }

    #[test]
    fn what_is_swallowed_never_comes_and_holds_nobody_up() {
        let proxy = FaultProxy::start(echo()).expect("started");
        let mut stream = client(&proxy);
        ask(&mut stream).expect("passed");
        proxy.set(Fault::Swallow);
        stream.set_write_timeout(Some(Duration::from_secs(10))).expect("set");
        for _ in 0..4000 {
            stream.write_all(&[0; 4096]).expect("all 16 MB are taken");
        }
        // The end itself is passed on, and comes back after everything that was.
        stream.shutdown(Shutdown::Write).expect("ended");
        let mut heard = vec![];
        stream.read_to_end(&mut heard).expect("a clean end");
        assert_eq!((heard.len(), proxy.forwarded()), (0, 5));
        proxy.set(Fault::Pass);
        ask(&mut client(&proxy)).expect("passed");
    }

    #[test]
    fn a_publisher_is_refused_and_the_server_hears_nothing_of_it() -> anyhow::Result<()> {
        let ingest = Ingest::start()?;
        let proxy = FaultProxy::start(ingest.address())?;
        let publish = |key: &str| publisher("color=s=64x64:r=5", &format!("{}/{key}", Ingest::url_at(proxy.address())));
        let _first = Occupant(publish("first").spawn()?);
        ingest.wait_publishing("first", true, LIMIT)?;
        proxy.set(Fault::RefusePublish);
        let before = proxy.forwarded();
        let refused = publish("second").stderr(Stdio::piped()).output()?;
        let said = String::from_utf8_lossy(&refused.stderr);
        ensure!(!refused.status.success() && said.contains("Already publishing"), "{said}");
        ensure!(proxy.accepted() == 2 && ingest.recordings("second").is_empty());
        // Who publishes already is not disturbed.
        ingest.wait_received("first", ingest.received("first"), LIMIT)?;
        ensure!(proxy.forwarded() > before && ingest.is_publishing("first") && ingest.recordings("first").len() == 1);
        // A reset ends what is in the middle of it, and who only connects is not answered.
        let mut silent = client(&proxy);
        while proxy.accepted() < 3 {
            std::thread::yield_now();
        }
        proxy.reset();
        ensure!(silent.read(&mut [0; 1]).is_err_and(|e| e.kind() == ErrorKind::ConnectionReset), "it is left alone");
        proxy.set(Fault::Pass);
        let _second = Occupant(publish("second").spawn()?);
        ingest.wait_publishing("second", true, LIMIT)?;
        Ok(())
    }

    #[test]
    fn a_slow_beginning_is_slow_and_what_follows_is_not() {
        let proxy = FaultProxy::start(echo()).expect("started");
        let time = Duration::from_secs(1);
        proxy.set(Fault::SlowTls(time));
        let mut stream = client(&proxy);
        let begun = Instant::now();
        stream.write_all(&[7; SLOW_BYTES as usize + 1]).expect("sent");
        let (mut longest, mut heard) = (Duration::ZERO, 0);
        while heard <= SLOW_BYTES as usize {
            let waited = Instant::now();
            heard += stream.read(&mut [0; 1024]).expect("passed");
            longest = longest.max(waited.elapsed());
        }
        assert!(begun.elapsed() >= time && longest < time / 2, "{:?}, silent for {longest:?}", begun.elapsed());
        let begun = Instant::now();
        stream.write_all(&[7; 10_000]).expect("sent");
        stream.read_exact(&mut [0; 10_000]).expect("passed");
        assert!(begun.elapsed() < time / 2, "{:?}", begun.elapsed());
        // It is over when the fault is.
        let mut other = client(&proxy);
        proxy.set(Fault::SlowTls(Duration::from_secs(600)));
        other.write_all(&[7; 100]).expect("sent");
        other.read_exact(&mut [0; 8]).expect("the first piece");
        proxy.set(Fault::Pass);
        other.read_exact(&mut [0; 92]).expect("the rest");
    }

    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_tls_handshake_takes_as_long_as_is_said() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
        // The smallest usual kind: no other has a shorter answer.
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null())
            .status()?;
        ensure!(made.success(), "openssl makes no certificate");
        let server: SocketAddr = ([127, 0, 0, 1], ports::free()).into();
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-accept", &server.to_string(), "-key"]).arg(&key).arg("-cert").arg(&certificate);
        let _server = Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let begun = Instant::now();
        while TcpStream::connect(server).is_err() {
            ensure!(begun.elapsed() < LIMIT, "openssl does not listen");
            std::thread::sleep(LOOK);
        }

        let proxy = FaultProxy::start(server)?;
        let handshake = |version: &str| -> anyhow::Result<Duration> {
            let begun = Instant::now();
            let mut client = Command::new("openssl");
            client.args(["s_client", "-brief", version, "-connect", &proxy.address().to_string()]).stdin(Stdio::null());
            let out = client.output()?;
            ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            Ok(begun.elapsed())
        };
        let time = Duration::from_secs(2);
        for version in ["-tls1_2", "-tls1_3"] {
            proxy.set(Fault::Pass);
            let quick = handshake(version)?;
            proxy.set(Fault::SlowTls(time));
            let slow = handshake(version)?;
            ensure!(quick < time / 2 && slow >= time && slow < time * 2, "{version}: {quick:?}, then {slow:?}");
        }
        Ok(())
    }

    #[test]
    fn a_timeline_is_read_and_played_in_order() {
        let text =
            "0 pass\n0.1 latency 200ms; 0.2 rate 50000 # slow\n0.2 slow-tls 1500ms; 0.2 refuse-publish\n0.3s reset; 0.3 close-after 7";
        let timeline: Timeline = text.parse().expect("right");
        let ms = Duration::from_millis;
        assert_eq!(
            timeline.0,
            [
                (ms(0), Step::Become(Fault::Pass)),
                (ms(100), Step::Become(Fault::Latency(ms(200)))),
                (ms(200), Step::Become(Fault::Rate(50_000))),
                (ms(200), Step::Become(Fault::SlowTls(ms(1500)))),
                (ms(200), Step::Become(Fault::RefusePublish)),
                (ms(300), Step::Reset),
                (ms(300), Step::Become(Fault::CloseAfter(7))),
            ]
        );
        for wrong in ["5", "x stall", "5 dance", "5 rate", "5 slow-tls", "5 slow-tls soon", "5 stall; 4 pass", "-1 pass"] {
            assert!(wrong.parse::<Timeline>().is_err(), "{wrong}");
        }
        let proxy = FaultProxy::start(echo()).expect("started");
        let mut told = vec![];
        proxy.play(&timeline, |at, step| told.push((at, step)));
        assert!(told.iter().zip(&timeline.0).all(|(a, b)| a.0 >= b.0 && a.1 == b.1) && told.len() == 7);
        assert_eq!(proxy.shared.fault(), Fault::CloseAfter(7));
    }
}
