//! A host behind a slow link: a network namespace of its own, joined by a virtual cable whose rate is set by `tc tbf`.
//! Loopback would hide a slow link behind socket buffers of megabytes.

use anyhow::{Context as _, ensure};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

/// The cable and the host at its far end. Both go when it is dropped.
#[derive(Debug)]
pub struct SlowLink {
    namespace: String,
    near: String,
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
        let link = Self { namespace, near, far };
        let (near, inside) = (link.near.as_str(), ["ip", "-n", link.namespace.as_str()]);
        run(&["ip", "link", "add", near, "type", "veth", "peer", "name", &there, "netns", &link.namespace])?;
        run(&["ip", "addr", "add", &format!("{here}/30"), "dev", near])?;
        run(&["ip", "link", "set", near, "up"])?;
        run(&[&inside[..], &["addr", "add", &format!("{far}/30"), "dev", &there]].concat())?;
        run(&[&inside[..], &["link", "set", &there, "up"]].concat())?;
        run(&[&inside[..], &["link", "set", "lo", "up"]].concat())?;
        Ok(Some(link))
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
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        // The cable goes with either end.
        let _ = run(&["ip", "netns", "del", &self.namespace]);
        let _ = run(&["ip", "link", "del", &self.near]);
    }
}
