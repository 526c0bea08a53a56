//! A TCP proxy with faults: `faultproxy LISTEN UPSTREAM SCRIPT`, for example
//! `faultproxy 127.0.0.1:1936 127.0.0.1:1935 '5 stall; 10 pass; 20 reset; 30 rate 60000'`. SCRIPT may be a file. After the
//! last step it goes on until Ctrl-C. What each fault does stands in `fault_proxy::Fault`.
#![expect(clippy::print_stdout, reason = "a command line tool talks on standard output")]

use anyhow::Context as _;
use stallcast_testing::fault_proxy::{FaultProxy, Timeline};
use std::net::ToSocketAddrs as _;

const USAGE: &str = "\
usage: faultproxy LISTEN UPSTREAM SCRIPT
SCRIPT: SECONDS FAULT; … with
  pass               nothing more
  latency MS         everything arrives later, both ways
  rate BYTES         bytes a second to the server
  stall              nothing passes, connections stay
  half-open          the server's side is gone and the client is not told
  swallow            everything is taken and thrown away
  close-after BYTES  connections close after so many bytes
  refuse             all connections are reset, new ones too
  refuse-publish     new connections get as far as RTMP's publish and hear that the name is taken
  slow-tls MS        the handshake of new connections takes so long
  reset              all present connections are reset, once";

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, script] = words.as_slice() else {
        anyhow::bail!("{USAGE}");
    };
    let text = if std::path::Path::new(script).is_file() { std::fs::read_to_string(script)? } else { script.clone() };
    let timeline: Timeline = text.parse()?;
    let resolve = |text: &str| text.to_socket_addrs()?.next().with_context(|| format!("{text} is no address"));
    let proxy = FaultProxy::listen(resolve(listen)?, resolve(upstream)?)?;
    println!("{} -> {upstream}", proxy.address());
    proxy.play(&timeline, |at, step| println!("{:>8.3} s {step:?}", at.as_secs_f64()));
    loop {
        std::thread::park();
    }
}
