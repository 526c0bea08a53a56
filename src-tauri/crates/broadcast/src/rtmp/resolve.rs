use stallcast_clock::spawn_thread;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

/// A question older than this is asked again beside it. Its answer counts all the same: behind a router that ignores half of the
/// questions the OS's resolver takes 15 s, each time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Questions that wait for it at the same time. One that was asked while there was no network answers when its own time is
/// over; the next one, once there is a network again, at once.
const AT_ONCE: usize = 3;
/// And in all: the OS's resolver cannot be cancelled.
const MOST: usize = 9;
/// Least time between two questions.
const PAUSE: Duration = Duration::from_secs(1);
/// Answers older than this are asked for again when there is reason to.
const FRESH: Duration = Duration::from_secs(30);

/// Addresses of one host, looked up on a thread of its own so that nothing waits for DNS.
pub(super) struct Resolver {
    host: String,
    port: u16,
    known: Vec<SocketAddr>,
    asked: Option<Instant>,
    /// The newest last.
    answers: Vec<(Instant, Receiver<io::Result<Vec<SocketAddr>>>)>,
    turn: usize,
}

impl Resolver {
    pub fn new(host: &str, port: u16) -> Self {
        let known = host.parse::<IpAddr>().map_or_else(|_| vec![], |ip| vec![SocketAddr::new(ip, port)]);
        Self { host: host.to_owned(), port, known, asked: None, answers: Vec::new(), turn: 0 }
    }

    /// The next address to try, in turn; `None` while there is none. Never blocks.
    pub fn next(&mut self) -> Option<SocketAddr> {
        self.look();
        let address = self.known.get(self.turn % self.known.len().max(1)).copied();
        self.turn = self.turn.wrapping_add(1);
        address
    }

    fn look(&mut self) {
        if self.host.parse::<IpAddr>().is_ok() {
            return;
        }
        let mut found = None;
        self.answers.retain(|(_, answer)| match answer.try_recv() {
            Ok(Ok(all)) if !all.is_empty() => {
                found = Some(all);
                false
            }
            Ok(_) | Err(TryRecvError::Disconnected) => false,
            Err(TryRecvError::Empty) => true,
        });
        if let Some(all) = found {
            self.known = interleaved(&all);
            self.turn = 0;
            // What was asked before knows no better.
            self.answers.clear();
        }
        let age = self.asked.map_or(Duration::MAX, |at| at.elapsed());
        let due = age > if self.known.is_empty() { PAUSE } else { FRESH };
        let young = self.answers.iter().filter(|(asked, _)| asked.elapsed() < PATIENCE).count();
        if due && young < AT_ONCE && self.answers.len() < MOST {
            self.asked = Some(Instant::now());
            let (host, port) = (self.host.clone(), self.port);
            let (tell, answer) = channel();
            let started = spawn_thread("rtmp-dns", move || {
                let _ = tell.send((host.as_str(), port).to_socket_addrs().map(Iterator::collect));
            });
            self.answers.extend(started.ok().map(|_| (Instant::now(), answer)));
        }
    }
}

/// Both families in turn, the one the OS prefers first: a broken one costs one try.
fn interleaved(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let preferred = found.first().is_some_and(SocketAddr::is_ipv4);
    let (mut first, mut second): (Vec<_>, Vec<_>) = found.iter().rev().copied().partition(|a| a.is_ipv4() == preferred);
    std::iter::from_fn(|| {
        std::mem::swap(&mut first, &mut second);
        second.pop().or_else(|| first.pop())
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let [a, b, c, x] =
            ["1.1.1.1:1", "1.1.1.2:1", "1.1.1.3:1", "[::1]:1"].map(|t| t.parse::<SocketAddr>().unwrap_or_else(|e| panic!("{e}")));
        assert_eq!(interleaved(&[a, b, c, x]), [a, x, b, c]);
        assert_eq!(interleaved(&[x, a, b, c]), [x, a, b, c]);
        assert_eq!(interleaved(&[]), []);
    }

    #[test]
    fn an_answer_that_takes_long_counts() {
        let mut resolver = Resolver::new("slow.invalid", 1935);
        let (tell, answer) = channel();
        let long_ago = Instant::now().checked_sub(PATIENCE + PAUSE).unwrap_or_else(Instant::now);
        resolver.answers.push((long_ago, answer));
        resolver.asked = Some(Instant::now());
        assert_eq!(resolver.next(), None);
        let found = SocketAddr::from(([192, 0, 2, 1], 1935));
        assert!(tell.send(Ok(vec![found])).is_ok(), "somebody still waits for it");
        assert_eq!(resolver.next(), Some(found));
    }

    #[test]
    fn an_address_needs_no_lookup() {
        let mut resolver = Resolver::new("::1", 1935);
        assert_eq!(resolver.next().map(|a| a.to_string()).as_deref(), Some("[::1]:1935"));
        assert!(resolver.answers.is_empty());
    }
}
