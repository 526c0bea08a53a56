//! A host behind a slow link: a network namespace of its own, joined by a virtual cable whose rate is set by `tc tbf`, and that
//! can be cut. Loopback would hide a slow link behind socket buffers of megabytes, and cannot be cut.

use anyhow::{Context as _, ensure};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

/// Address of the far host's network card, so that this one need not ask for it: what is asked while the cable is cut gives no
/// answer, and then the system would know at once that nobody is there. A cut far away says nothing.
const FAR_CARD: &str = "02:73:63:00:00:02";

/// The cable and the host at its far end. Both go when it is dropped.
#[derive(Debug)]
pub struct SlowLink {
    namespace: String,
    near: String,
    there: String,
    here: Ipv4Addr,
    far: Ipv4Addr,
}

fn run(words: &[&str]) -> anyhow::Result<()> {
    let shown = words.join(" ");
    let out = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output().with_context(|| shown.clone())?;
    ensure!(out.status.success(), "{shown}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

impl SlowLink {
    /// Lays the cable, at full speed. `None` where this user may not (not root, no `ip`, no namespaces).
    ///
    /// # Errors
    /// It was begun and did not come up.
    pub fn lay() -> anyhow::Result<Option<Self>> {
        let id = std::process::id();
        let (namespace, near, there) = (format!("stallcast-{id}"), format!("sc{id}a"), format!("sc{id}b"));
        if run(&["ip", "netns", "add", &namespace]).is_err() {
            return Ok(None);
        }
        let [a, b] = [u8::try_from(id / 250 % 250)?, u8::try_from(id % 250)?];
        let (here, far) = (Ipv4Addr::new(10, a, b, 1), Ipv4Addr::new(10, a, b, 2));
        let link = Self { namespace, near, there, here, far };
        let (near, there, inside) = (link.near.as_str(), link.there.as_str(), ["ip", "-n", link.namespace.as_str()]);
        run(&["ip", "link", "add", near, "type", "veth", "peer", "name", there, "netns", &link.namespace])?;
        run(&["ip", "addr", "add", &format!("{here}/30"), "dev", near])?;
        run(&["ip", "link", "set", near, "up"])?;
        run(&[&inside[..], &["link", "set", "dev", there, "address", FAR_CARD]].concat())?;
        run(&[&inside[..], &["addr", "add", &format!("{far}/30"), "dev", there]].concat())?;
        run(&[&inside[..], &["link", "set", there, "up"]].concat())?;
        run(&[&inside[..], &["link", "set", "lo", "up"]].concat())?;
        run(&["ip", "neigh", "replace", &far.to_string(), "lladdr", FAR_CARD, "dev", near, "nud", "permanent"])?;
        Ok(Some(link))
    }

    /// Address of this host on the cable.
    #[must_use]
    pub const fn here(&self) -> Ipv4Addr {
        self.here
    }

    /// Address of the far host.
    #[must_use]
    pub const fn far(&self) -> Ipv4Addr {
        self.far
    }

    /// A program that runs there.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }

    /// Sets the rate towards the far host, kbit/s; `None` is full speed.
    ///
    /// # Errors
    /// `tc` refuses.
    pub fn set_kbit(&self, kbit: Option<u32>) -> anyhow::Result<()> {
        match kbit {
            Some(kbit) => {
                let rate = format!("{kbit}kbit");
                run(&["tc", "qdisc", "replace", "dev", &self.near, "root", "tbf", "rate", &rate, "burst", "8kb", "latency", "50ms"])
            }
            None => run(&["tc", "qdisc", "del", "dev", &self.near, "root"]),
        }
    }

    /// Cuts the cable: whatever is sent from now on vanishes, both ways, and nobody is told. Its far end is taken down: with the
    /// near one this host's way there would go, and it would say so.
    ///
    /// # Errors
    /// `ip` refuses.
    pub fn cut(&self) -> anyhow::Result<()> {
        run(&["ip", "-n", &self.namespace, "link", "set", &self.there, "down"])
    }

    /// It is whole again.
    ///
    /// # Errors
    /// `ip` refuses.
    pub fn mend(&self) -> anyhow::Result<()> {
        run(&["ip", "-n", &self.namespace, "link", "set", &self.there, "up"])
    }
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        // The cable goes with either end.
        let _ = run(&["ip", "netns", "del", &self.namespace]);
        let _ = run(&["ip", "link", "del", &self.near]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Ingest;
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    const BYTES: usize = 1_000_000;
    const KBIT: u32 = 4000;
    /// How long nothing is waited for.
    const SHORT: Duration = Duration::from_millis(300);
    /// Hang guard.
    const LIMIT: Duration = Duration::from_secs(20);

    /// Seconds until the far host has read all of it.
    fn transfer(link: &SlowLink) -> anyhow::Result<f64> {
        let listener = TcpListener::bind((link.here(), 0))?;
        // Bash connects by itself: no further program is needed.
        let script = format!("exec cat < /dev/tcp/{}/{} > /dev/null", link.here(), listener.local_addr()?.port());
        let mut reader = link.command("bash").args(["-c", &script]).stdin(Stdio::null()).spawn()?;
        let (mut stream, _) = listener.accept()?;
        let begun = Instant::now();
        stream.write_all(&vec![7; BYTES])?;
        stream.shutdown(Shutdown::Write)?;
        ensure!(reader.wait()?.success(), "the far reader broke off");
        Ok(begun.elapsed().as_secs_f64())
    }

    #[test]
    fn it_is_as_slow_as_is_said() -> anyhow::Result<()> {
        let Some(link) = SlowLink::lay()? else {
            eprintln!("skipped: this user may not make network namespaces");
            return Ok(());
        };
        let by_arithmetic = BYTES as f64 * 8.0 / (f64::from(KBIT) * 1000.0);
        link.set_kbit(Some(KBIT))?;
        let slow = transfer(&link)?;
        link.set_kbit(None)?;
        let full = transfer(&link)?;
        ensure!((0.8..2.0).contains(&(slow / by_arithmetic)), "{slow} s instead of {by_arithmetic}");
        ensure!(full < 0.8 * by_arithmetic, "{full} s at full speed: this machine itself is slower than the link");
        cut_and_mended(&link)
    }

    /// In the same test: a process has one link at a time.
    fn cut_and_mended(link: &SlowLink) -> anyhow::Result<()> {
        let ingest = Ingest::start_behind(link)?;
        let mut held = TcpStream::connect(ingest.address())?;
        link.cut()?;
        let nobody = TcpStream::connect_timeout(&ingest.address(), SHORT);
        ensure!(nobody.as_ref().is_err_and(|e| e.kind() == ErrorKind::TimedOut), "not without a word: {nobody:?}");
        // The beginning of RTMP, to which a server says the same.
        let mut hello = vec![0; 1537];
        hello[0] = 3;
        held.write_all(&hello)?;
        held.set_read_timeout(Some(SHORT))?;
        let silence = held.read(&mut [0; 1]);
        ensure!(silence.as_ref().is_err_and(|e| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{silence:?}");
        link.mend()?;
        TcpStream::connect_timeout(&ingest.address(), LIMIT)?;
        held.set_read_timeout(Some(LIMIT))?;
        let mut answer = [0];
        held.read_exact(&mut answer)?;
        ensure!(answer == [3], "{answer:?}");
        Ok(())
    }
}
