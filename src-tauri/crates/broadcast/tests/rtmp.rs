//! Publishing to a real nginx-rtmp: what arrives, and what happens when links, servers and keys fail.
#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use stallcast_broadcast::{LinkFigures, LinkPhase, RtmpSink, SinkEvent, Target};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};
use support::clip::{Clip, Player};
use support::fickle::{Fickle, Way};
use support::look::look;
use support::nginx::Nginx;
use support::proxy::Proxy;
use support::tls::Terminator;
use support::wait_for;

/// Two-second GOP and B-frames, as a show has by default.
static SHOW: LazyLock<Arc<Clip>> = LazyLock::new(|| Arc::new(Clip::new(2, 60, 800)));
/// A keyframe each half second: stands for an encoder that answers `want_keyframe`.
static WILLING: LazyLock<Arc<Clip>> = LazyLock::new(|| Arc::new(Clip::new(0, 15, 800)));

struct Publication {
    sink: Arc<Mutex<Option<RtmpSink>>>,
    events: Receiver<SinkEvent>,
    keyframes: Arc<AtomicU64>,
    _player: Player,
}

impl Publication {
    fn start(target: Target, clip: &Arc<Clip>) -> Self {
        let (tell, events) = channel();
        let keyframes = Arc::new(AtomicU64::new(0));
        let asked = Arc::clone(&keyframes);
        let sink = RtmpSink::start(
            target,
            clip.config.clone(),
            move |e| {
                let _ = tell.send(e);
            },
            move || {
                asked.fetch_add(1, Ordering::SeqCst);
            },
        );
        let sink = Arc::new(Mutex::new(Some(sink.unwrap())));
        let input = Arc::clone(&sink);
        let player = clip.play(move |packet| {
            if let Some(sink) = &*input.lock().unwrap() {
                sink.push(packet);
            }
        });
        Self { sink, events, keyframes, _player: player }
    }

    fn expect(&self, event: &SinkEvent, limit: Duration) -> Duration {
        let begun = Instant::now();
        loop {
            match self.events.recv_timeout(limit.saturating_sub(begun.elapsed())) {
                Ok(got) if got == *event => return begun.elapsed(),
                // A loaded machine may be slow in between.
                Ok(SinkEvent::Slow | SinkEvent::CaughtUp) => {}
                other => panic!("{other:?} instead of {event:?} after {:?}", begun.elapsed()),
            }
        }
    }

    fn figures(&self) -> LinkFigures {
        self.sink.lock().unwrap().as_ref().unwrap().figures()
    }

    fn finish(self, limit: Duration) -> (LinkFigures, Duration) {
        let sink = self.sink.lock().unwrap().take().unwrap();
        let begun = Instant::now();
        (sink.finish(limit), begun.elapsed())
    }
}

fn target(url: &str, key: &str) -> Target {
    Target::parse("t", url, Some(key)).unwrap()
}

fn secs(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

#[test]
fn what_arrives_is_the_show() {
    for clip in [&*SHOW, &*WILLING] {
        let nginx = Nginx::start(None);
        let publication = Publication::start(target(&Nginx::url(nginx.address()), "show"), clip);
        let taken = publication.expect(&SinkEvent::Accepted, secs(5.0));
        eprintln!("accepted after {taken:?}");
        wait_for("six seconds of media", secs(12.0), || (publication.figures().bytes_sent > 6 * 100_000).then_some(()));
        let figures = publication.figures();
        assert_eq!((figures.phase, figures.reconnects, figures.dropped), (LinkPhase::Publishing, 0, 0));
        assert!(figures.behind < secs(1.0), "{:?}", figures.behind);
        let (figures, took) = publication.finish(secs(2.0));
        assert_eq!(figures.phase, LinkPhase::Closed);
        assert!(took < secs(1.5), "{took:?}");

        let file = wait_for("a closed file", secs(3.0), || nginx.log().contains("deleteStream").then(|| nginx.recorded().pop()).flatten());
        let seen = look(&file);
        assert!(seen.pictures.len() > 150, "{}", seen.pictures.len());
        assert!(seen.video_dts.windows(2).all(|w| w[1] > w[0]));
        seen.assert_even();
        let offsets = seen.offsets();
        assert!(offsets.len() >= 4 && offsets.iter().all(|o| o.abs() < 0.003), "{offsets:?}");
    }
}

#[test]
fn a_dead_ingest_is_found_again_as_soon_as_it_is_back() {
    let mut nginx = Nginx::start(None);
    let publication = Publication::start(target(&Nginx::url(nginx.address()), "again"), &WILLING);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    for round in 1..=2 {
        wait_for("some media", secs(10.0), || (publication.figures().behind < secs(1.0)).then_some(()));
        nginx.kill();
        let noticed = publication.expect(&SinkEvent::Lost, secs(5.0));
        assert!(noticed < secs(1.0), "a closed connection is no riddle: {noticed:?}");
        assert_eq!(publication.figures().phase, LinkPhase::Reconnecting);
        // Nobody answers; the sink must go on asking.
        assert!(publication.events.recv_timeout(secs(1.5)).is_err());
        nginx.run();
        let back = publication.expect(&SinkEvent::Back, secs(6.0));
        eprintln!("back after {back:?}");
        assert_eq!(publication.figures().reconnects, round);
    }
    assert!(publication.figures().dropped > 0, "what nobody got is counted");
    publication.finish(secs(2.0));
    let file = wait_for("a closed file", secs(3.0), || nginx.log().contains("deleteStream").then(|| nginx.recorded().pop()).flatten());
    let seen = look(&file);
    assert!(seen.pictures[0] < 0.1, "each session begins at 0: {}", seen.pictures[0]);
    assert!(seen.offsets().iter().all(|o| o.abs() < 0.003), "{:?}", seen.offsets());
}

/// What a load balancer does while everything behind it is dead: takes the connection and closes it.
#[test]
fn a_port_without_a_server_behind_it_is_looked_for_at_a_steady_pace() {
    let mut nginx = Nginx::start(None);
    let proxy = Proxy::start(nginx.address());
    let publication = Publication::start(target(&Nginx::url(proxy.address()), "show"), &SHOW);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    nginx.kill();
    publication.expect(&SinkEvent::Lost, secs(5.0));
    let before = proxy.accepted();
    let asked = publication.keyframes.load(Ordering::SeqCst);
    // Twenty at half a second each are ten seconds; waits that grow to five would take a minute and a half.
    wait_for("twenty more tries", secs(40.0), || (proxy.accepted() >= before + 20).then_some(()));
    assert_eq!(publication.keyframes.load(Ordering::SeqCst), asked, "all destinations would get a keyframe for each try");
    nginx.run();
    let back = publication.expect(&SinkEvent::Back, secs(6.0));
    eprintln!("back after {back:?}");
    publication.finish(secs(2.0));
}

#[test]
fn nobody_there_is_told_once_and_tried_on() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = Publication::start(target(&Nginx::url(free), "k"), &WILLING);
    let nameless = Publication::start(target("rtmp://no-such-host.invalid/live", "k"), &WILLING);
    silent.expect(&SinkEvent::Unreachable { named: true }, secs(8.0));
    nameless.expect(&SinkEvent::Unreachable { named: false }, secs(8.0));
    assert!(silent.events.recv_timeout(secs(1.0)).is_err(), "once");
    assert_eq!(silent.figures().phase, LinkPhase::Connecting);
    // Somebody comes after all: accepted, and the bad news is answered.
    let _nginx = Nginx::at(free, None, None);
    silent.expect(&SinkEvent::Accepted, secs(6.0));
    silent.expect(&SinkEvent::Back, secs(1.0));
}

#[test]
fn a_name_on_air_is_refused_for_good_and_the_first_publisher_not_disturbed() {
    let nginx = Nginx::start(None);
    let first = Publication::start(target(&Nginx::url(nginx.address()), "name"), &SHOW);
    first.expect(&SinkEvent::Accepted, secs(5.0));
    let second = Publication::start(target(&Nginx::url(nginx.address()), "name"), &SHOW);
    second.expect(&SinkEvent::Refused { status: "NetStream.Publish.BadName".into() }, secs(5.0));
    assert_eq!(second.figures().phase, LinkPhase::Refused);
    let (figures, took) = second.finish(secs(2.0));
    assert_eq!(figures.phase, LinkPhase::Refused);
    assert!(took < secs(0.5), "{took:?}");
    assert_eq!(first.figures().phase, LinkPhase::Publishing);
    assert!(first.events.try_recv().is_err());
}

#[test]
fn a_platform_that_still_holds_the_old_connection_is_asked_until_it_lets_go() {
    let nginx = Nginx::start(None);
    let proxy = Proxy::start(nginx.address());
    let publication = Publication::start(target(&Nginx::url(proxy.address()), "held"), &SHOW);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    let asked = publication.keyframes.load(Ordering::SeqCst);
    // Our side is cut off, the server's is not: it answers BadName.
    proxy.cut_clients();
    publication.expect(&SinkEvent::Lost, secs(5.0));
    publication.expect(&SinkEvent::Held, secs(5.0));
    wait_for("four refused tries", secs(10.0), || (proxy.accepted() >= 6).then_some(()));
    assert!(publication.keyframes.load(Ordering::SeqCst) <= asked + 1, "the first try cannot know, the others do");
    assert_eq!(publication.figures().phase, LinkPhase::Reconnecting, "refused, but not for good");
    proxy.release_server();
    let back = publication.expect(&SinkEvent::Back, secs(6.0));
    eprintln!("let go: back after {back:?}");
}

/// The process that published died in such a way that the platform did not notice; another one goes on with the show.
#[test]
fn a_platform_that_holds_what_another_process_left_is_asked_until_it_lets_go() {
    let nginx = Nginx::start(None);
    let url = Nginx::url(nginx.address());
    let left = Publication::start(target(&url, "left"), &SHOW);
    left.expect(&SinkEvent::Accepted, secs(5.0));
    let next = Publication::start(target(&url, "left").accepted_before(true), &SHOW);
    assert_eq!(next.figures().phase, LinkPhase::Reconnecting, "it was accepted, only not here");
    next.expect(&SinkEvent::Held, secs(5.0));
    // More than one further try: told once, and none of them the last.
    assert!(next.events.recv_timeout(secs(2.5)).is_err());
    assert_eq!(next.figures().phase, LinkPhase::Reconnecting);
    left.finish(secs(2.0));
    next.expect(&SinkEvent::Accepted, secs(6.0));
    next.expect(&SinkEvent::Back, secs(1.0));
    assert_eq!((next.figures().phase, next.figures().reconnects), (LinkPhase::Publishing, 0));
}

/// `%41` as `A`: the server escapes what it asks about.
fn unescaped(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok());
        out.push(digits.unwrap_or(*first));
        rest = if digits.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn a_signed_address_arrives_byte_for_byte() {
    // Slashes, percent signs, repeated and empty values: what platforms sign.
    const NAME: &str = "stream-4c9d_x";
    const QUERY: &str = "txSecret=a/b%2Fc==&txTime=5F6A&auth_key=1-0-0-%e4&x=&sign=A+B/~";
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let nginx = Nginx::start(Some(door.local_addr().unwrap()));
    let (tell, asked) = channel();
    std::thread::spawn(move || {
        for mut question in door.incoming().map_while(Result::ok) {
            let mut text = vec![];
            // Head and body: the body ends with what was asked for.
            while !String::from_utf8_lossy(&text).contains("type=live") || !text.ends_with(QUERY.as_bytes()) {
                let mut some = [0; 4096];
                match question.read(&mut some) {
                    Ok(n) if n > 0 => text.extend_from_slice(&some[..n]),
                    _ => break,
                }
            }
            let _ = question.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = tell.send(String::from_utf8_lossy(&text).into_owned());
        }
    });
    let server = format!("rtmp://{}/guarded", nginx.address());
    let key = format!("{NAME}?{QUERY}");
    for (url, key) in [(format!(" {server}/{key}\n"), None), (format!("{server}/"), Some(format!("\u{feff}{key}\r\n")))] {
        let target = Target::parse("t", &url, key.as_deref()).unwrap();
        let publication = Publication::start(target, &WILLING);
        publication.expect(&SinkEvent::Accepted, secs(5.0));
        publication.finish(secs(2.0));
        let question = asked.recv_timeout(secs(5.0)).unwrap();
        let body = question.split_once("\r\n\r\n").unwrap().1;
        let (known, query) = body.split_once("&type=live&").unwrap_or_else(|| panic!("{body}"));
        assert_eq!(query, QUERY);
        let value = |name: &str| known.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).map(unescaped);
        assert_eq!(value("name").as_deref(), Some(NAME), "{known}");
        assert_eq!(value("app").as_deref(), Some("guarded"), "{known}");
        assert_eq!(value("tcurl"), Some(server.clone()), "{known}");
    }
}

/// Answers whoever asks whether a key may be published; the address to ask.
fn doorkeeper(welcome: &Arc<AtomicBool>) -> SocketAddr {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, welcome) = (door.local_addr().unwrap(), Arc::clone(welcome));
    std::thread::spawn(move || {
        for mut asked in door.incoming().map_while(Result::ok) {
            let _ = asked.read(&mut [0; 4096]);
            let status = if welcome.load(Ordering::SeqCst) { "200 OK" } else { "403 Forbidden" };
            let _ = write!(asked, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    address
}

#[test]
fn a_key_that_is_answered_by_closing_is_refused() {
    let nginx = Nginx::start(Some(doorkeeper(&Arc::default())));
    let url = format!("rtmp://{}/guarded", nginx.address());
    let publication = Publication::start(target(&url, "wrong"), &SHOW);
    let after = publication.expect(&SinkEvent::Refused { status: "Connection.Closed".into() }, secs(10.0));
    eprintln!("refused after {after:?}");
}

#[test]
fn a_key_that_was_accepted_and_is_answered_by_closing_is_held_and_asked_for_each_second() {
    let welcome = Arc::new(AtomicBool::new(true));
    let mut nginx = Nginx::start(Some(doorkeeper(&welcome)));
    let url = format!("rtmp://{}/guarded", nginx.address());
    let publication = Publication::start(target(&url, "mine"), &WILLING);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    nginx.kill();
    publication.expect(&SinkEvent::Lost, secs(5.0));
    welcome.store(false, Ordering::SeqCst);
    nginx.run();
    publication.expect(&SinkEvent::Held, secs(15.0));
    assert_eq!(publication.figures().phase, LinkPhase::Reconnecting);
    assert!(publication.events.recv_timeout(secs(3.0)).is_err(), "told once, and not for good");
    welcome.store(true, Ordering::SeqCst);
    let back = publication.expect(&SinkEvent::Back, secs(6.0));
    assert!(back < secs(4.0), "asked each second: {back:?}");
}

#[test]
fn a_balancer_whose_server_has_yet_to_start_refuses_nothing() {
    let mut nginx = Nginx::start(None);
    let proxy = Proxy::start(nginx.address());
    nginx.kill();
    let publication = Publication::start(target(&Nginx::url(proxy.address()), "early"), &WILLING);
    publication.expect(&SinkEvent::Unreachable { named: true }, secs(10.0));
    // Six of them were an answer before.
    let before = proxy.accepted();
    wait_for("eight more tries", secs(16.0), || (proxy.accepted() >= before + 8).then_some(()));
    assert!(publication.events.try_recv().is_err(), "it has not seen the key");
    nginx.run();
    publication.expect(&SinkEvent::Accepted, secs(6.0));
    publication.expect(&SinkEvent::Back, secs(1.0));
}

/// The same where TLS ends at the balancer: its greeting is no answer of the server.
#[test]
fn a_balancer_that_ends_tls_before_a_server_that_has_yet_to_start_refuses_nothing() {
    let mut nginx = Nginx::start(None);
    let tls = Terminator::start(nginx.address());
    nginx.kill();
    let trusting = target(&format!("rtmps://{}/live", tls.address), "early").trusting(tls.authority.as_bytes()).unwrap();
    let publication = Publication::start(trusting, &WILLING);
    publication.expect(&SinkEvent::Unreachable { named: true }, secs(10.0));
    let before = tls.accepted();
    wait_for("eight more tries", secs(16.0), || (tls.accepted() >= before + 8).then_some(()));
    assert!(publication.events.try_recv().is_err(), "it has not seen the key");
    nginx.run();
    publication.expect(&SinkEvent::Accepted, secs(6.0));
    publication.expect(&SinkEvent::Back, secs(1.0));
}

#[test]
fn an_application_that_does_not_exist_is_refused() {
    let nginx = Nginx::start(None);
    let url = format!("rtmp://{}/nowhere", nginx.address());
    let publication = Publication::start(target(&url, "key"), &SHOW);
    assert!(matches!(publication.events.recv_timeout(secs(15.0)), Ok(SinkEvent::Refused { .. })));
}

#[test]
fn a_peer_that_stops_reading_is_noticed_within_five_seconds() {
    let nginx = Nginx::start(None);
    let proxy = Proxy::start(nginx.address());
    let publication = Publication::start(target(&Nginx::url(proxy.address()), "frozen"), &WILLING);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    wait_for("some media", secs(5.0), || (publication.figures().bytes_sent > 150_000).then_some(()));
    proxy.freeze(true);
    let noticed = publication.expect(&SinkEvent::Lost, secs(8.0));
    eprintln!("half open: noticed after {noticed:?}");
    assert!(noticed < secs(5.0), "{noticed:?}");
    // It takes connections and says nothing: ours to wait for it, without ever calling it refused. A fresh connection each
    // two and a half seconds is not held up by what TCP has given up on.
    let before = proxy.accepted();
    wait_for("three more tries", secs(11.0), || (proxy.accepted() >= before + 3).then_some(()));
    assert!(publication.events.try_recv().is_err());
    proxy.freeze(false);
    let back = publication.expect(&SinkEvent::Back, secs(15.0));
    eprintln!("thawed: back after {back:?}");
    assert!(publication.figures().dropped > 0);
    assert_eq!(publication.figures().reconnects, 0, "what takes a connection and says nothing does not cost the one that there is");
}

/// What is in a socket cannot be dropped: on a link that carries next to nothing it would be late for as long as that lasts.
#[test]
fn what_is_far_too_late_is_thrown_away_and_the_present_is_sent() {
    let nginx = Nginx::start(None);
    let proxy = Proxy::start(nginx.address());
    let publication = Publication::start(target(&Nginx::url(proxy.address()), "late"), &WILLING);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    proxy.throttle(40_000);
    publication.expect(&SinkEvent::Slow, secs(20.0));
    let far = wait_for("it is far too late", secs(40.0), || Some(publication.figures().behind).filter(|b| *b > secs(4.5)));
    wait_for("another connection", secs(40.0), || (publication.figures().reconnects == 1).then_some(()));
    let near = wait_for("nearer", secs(10.0), || Some(publication.figures().behind).filter(|b| *b < far));
    eprintln!("{far:?} behind, then {near:?}");
    assert_eq!(publication.figures().phase, LinkPhase::Publishing);
    // It was slow before and is slow now: nobody has to hear of a loss.
    assert!(publication.events.try_recv().is_err());
    proxy.throttle(0);
    publication.expect(&SinkEvent::CaughtUp, secs(40.0));
    assert_eq!(publication.figures().reconnects, 1);
}

#[test]
fn tls_with_an_own_authority_works_and_a_strangers_is_refused() {
    let nginx = Nginx::start(None);
    let tls = Terminator::start(nginx.address());
    let url = format!("rtmps://{}/live", tls.address);
    let trusting = target(&url, "secure").trusting(tls.authority.as_bytes()).unwrap();
    let publication = Publication::start(trusting, &SHOW);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    wait_for("four seconds of media", secs(12.0), || (publication.figures().bytes_sent > 4 * 100_000).then_some(()));
    let (figures, took) = publication.finish(secs(2.0));
    assert!(took < secs(1.5), "{took:?}");
    assert_eq!((figures.phase, figures.dropped), (LinkPhase::Closed, 0));
    let file = wait_for("a closed file", secs(3.0), || nginx.log().contains("deleteStream").then(|| nginx.recorded().pop()).flatten());
    assert!(look(&file).offsets().iter().all(|o| o.abs() < 0.003));

    let stranger = Publication::start(target(&url, "secure"), &SHOW);
    stranger.expect(&SinkEvent::Refused { status: "Connection.NotTrusted".into() }, secs(5.0));
}

#[test]
fn a_stranger_in_its_place_is_nobody_and_not_a_refusal() {
    let nginx = Nginx::start(None);
    let tls = Terminator::start(nginx.address());
    let url = format!("rtmps://{}/live", tls.address);
    let trusting = target(&url, "portal").trusting(tls.authority.as_bytes()).unwrap();
    let publication = Publication::start(trusting, &WILLING);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    // What a network does that wants to be logged in to.
    tls.stand_in(true);
    publication.expect(&SinkEvent::Lost, secs(5.0));
    let before = tls.accepted();
    wait_for("four tries", secs(10.0), || (tls.accepted() >= before + 4).then_some(()));
    assert!(publication.events.try_recv().is_err(), "two minutes of it would be the end");
    assert_eq!(publication.figures().phase, LinkPhase::Reconnecting);
    tls.stand_in(false);
    publication.expect(&SinkEvent::Back, secs(6.0));
}

#[test]
fn a_server_that_accepts_and_refuses_in_turn_is_asked_less_and_less_often() {
    let server = Fickle::start();
    let publication = Publication::start(target(&Nginx::url(server.address), "k"), &WILLING);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    let tries: Vec<Instant> = (0..5).map(|n| server.accepted.recv_timeout(secs(10.0)).unwrap_or_else(|e| panic!("try {n}: {e}"))).collect();
    let waits: Vec<f64> = tries.windows(2).map(|w| (w[1] - w[0]).as_secs_f64()).collect();
    eprintln!("between its tries: {waits:.1?} s");
    assert!(waits[0] < 3.0 && waits[3] > 3.0, "{waits:?}");
}

/// What a change of the Wi-Fi makes of the first second of a show: the key was taken, no picture was.
#[test]
fn a_key_that_was_taken_is_not_refused_for_good_before_the_first_picture() {
    let server = Fickle::that(&[Way::Leaves, Way::Refuses, Way::Refuses, Way::Takes]);
    let (tell, events) = channel();
    let tell = move |event| {
        let _ = tell.send(event);
    };
    let sink = RtmpSink::start(target(&Nginx::url(server.address), "k"), WILLING.config.clone(), tell, || {}).unwrap();
    let sink = Arc::new(sink);
    for n in 0..4 {
        server.accepted.recv_timeout(secs(10.0)).unwrap_or_else(|e| panic!("try {n}: {e}"));
    }
    let input = Arc::clone(&sink);
    let _player = WILLING.play(move |packet| input.push(packet));
    assert_eq!(events.recv_timeout(secs(10.0)), Ok(SinkEvent::Held));
    assert_eq!(events.recv_timeout(secs(10.0)), Ok(SinkEvent::Accepted));
    assert_eq!(sink.figures().phase, LinkPhase::Publishing);
}

/// Takes connections and never says a word.
fn mute() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_link_that_stood_still_for_a_moment_is_slow_until_it_has_caught_up() {
    let nginx = Nginx::start(None);
    let proxy = Proxy::start(nginx.address());
    let publication = Publication::start(target(&Nginx::url(proxy.address()), "k"), &WILLING);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    proxy.freeze(true);
    publication.expect(&SinkEvent::Slow, secs(8.0));
    proxy.freeze(false);
    // Five seconds of calm are part of it.
    publication.expect(&SinkEvent::CaughtUp, secs(20.0));
    publication.finish(secs(10.0));
}

#[test]
fn it_ends_within_two_seconds_from_every_state() {
    let (_listener, silent) = mute();
    let refusing = mute().1;
    let frozen_nginx = Nginx::start(None);
    let proxy = Proxy::start(frozen_nginx.address());
    let places = [
        ("unreachable", "rtmp://192.0.2.1/live".to_owned()),
        ("no such name", "rtmp://no-such-host.invalid/live".to_owned()),
        ("nobody listens", Nginx::url(refusing)),
        ("silent", Nginx::url(silent)),
        ("silent under TLS", format!("rtmps://{silent}/live")),
        ("stopped reading", Nginx::url(proxy.address())),
    ];
    let publications: Vec<_> = places.iter().map(|(name, url)| (*name, Publication::start(target(url, "k"), &WILLING))).collect();
    publications[5].1.expect(&SinkEvent::Accepted, secs(5.0));
    proxy.freeze(true);
    publications[5].1.expect(&SinkEvent::Slow, secs(8.0).max(secs(5.0)));
    for (name, publication) in publications {
        let phase = publication.figures().phase;
        let (figures, took) = publication.finish(secs(10.0));
        eprintln!("{name} ({phase:?}): closed after {took:?}");
        assert!(took < secs(2.3), "{name}: {took:?}");
        assert_eq!(figures.phase, LinkPhase::Closed, "{name}");
    }
}

#[test]
fn a_server_that_speaks_something_else_is_refused() {
    let (listener, address) = mute();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.read(&mut [0; 1]);
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        }
    });
    let publication = Publication::start(target(&Nginx::url(address), "k"), &SHOW);
    publication.expect(&SinkEvent::Refused { status: "Connection.Closed".into() }, secs(25.0));
}

/// Two ends of a cable: ours and one in a namespace. `None` where this user may not.
struct Cable {
    name: String,
}

impl Cable {
    fn plug() -> Option<Self> {
        let name = format!("sc{}", std::process::id());
        let cable = Self { name };
        let (n, v) = (cable.name.clone(), cable.veth());
        let done = cable.ip(&format!("netns add {n}"))
            && cable.ip(&format!("link add {v} type veth peer name inside netns {n}"))
            && cable.ip(&format!("addr add 10.213.7.1/30 dev {v}"))
            && cable.ip(&format!("link set {v} up"))
            && cable.ip(&format!("-n {n} addr add 10.213.7.2/30 dev inside"))
            && cable.ip(&format!("-n {n} link set inside up"))
            && cable.ip(&format!("-n {n} link set lo up"));
        done.then_some(cable)
    }

    fn veth(&self) -> String {
        format!("v{}", self.name)
    }

    fn ip(&self, arguments: &str) -> bool {
        Command::new("ip").args(arguments.split(' ')).output().is_ok_and(|o| o.status.success())
    }

    fn pull(&self, out: bool) {
        assert!(self.ip(&format!("-n {} link set inside {}", self.name, if out { "down" } else { "up" })));
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.ip(&format!("link del {}", self.veth()));
        self.ip(&format!("netns del {}", self.name));
    }
}

#[test]
fn a_pulled_cable_is_survived_or_replaced() {
    let Some(cable) = Cable::plug() else {
        eprintln!("skipped: no right to make a network namespace");
        return;
    };
    let nginx = Nginx::at("10.213.7.2:1935".parse().unwrap(), None, Some(&cable.name));
    let publication = Publication::start(target("rtmp://10.213.7.2/live", "cable"), &WILLING);
    publication.expect(&SinkEvent::Accepted, secs(5.0));
    wait_for("some media", secs(5.0), || (publication.figures().bytes_sent > 150_000).then_some(()));

    // A short cut: the connection is kept.
    cable.pull(true);
    assert!(publication.events.recv_timeout(secs(1.5)).is_err(), "nothing is lost yet");
    cable.pull(false);
    wait_for("caught up", secs(8.0), || (publication.figures().behind < secs(0.5)).then_some(()));
    assert_eq!(publication.figures().reconnects, 0);
    while publication.events.try_recv().is_ok() {}

    // A long one: noticed, and back soon after it ends.
    cable.pull(true);
    let noticed = publication.expect(&SinkEvent::Lost, secs(6.0));
    eprintln!("cable: noticed after {noticed:?}");
    assert!(noticed < secs(5.0), "{noticed:?}");
    assert!(publication.events.recv_timeout(secs(3.0)).is_err());
    cable.pull(false);
    let back = publication.expect(&SinkEvent::Back, secs(6.0));
    eprintln!(
        "cable: back after {back:?}, {} new connections, keyframe asked for {} times",
        publication.figures().reconnects,
        publication.keyframes.load(Ordering::SeqCst)
    );
    assert_eq!(publication.figures().phase, LinkPhase::Publishing);
    drop(publication);
    drop(nginx);
}
