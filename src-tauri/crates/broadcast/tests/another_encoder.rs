//! Another encoder takes over in the middle of a show: nothing of it is lost on any way out.
#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use stallcast_broadcast::{FileEvent, HlsSink, RecordingSink, RtmpSink, SinkEvent, Target};
use stallcast_media::{NANOS_PER_MS, NANOS_PER_SEC, Packet, Track};
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use support::clip::Clip;
use support::look::look;
use support::nginx::Nginx;
use support::wait_for;

const LIMIT: Duration = Duration::from_secs(10);
/// Seconds at which the other one takes over.
const SEAM: i64 = 4;

static FIRST: LazyLock<Arc<Clip>> = LazyLock::new(|| Arc::new(Clip::new(2, 60, 800)));
static SECOND: LazyLock<Arc<Clip>> = LazyLock::new(|| Arc::new(Clip::new(0, 60, 800)));

/// Eight seconds; the pictures of the last four are another encoder's. The sound has one encoder all the time.
fn show() -> Vec<(i64, Arc<Packet>)> {
    assert_ne!(FIRST.config.video.avcc, SECOND.config.video.avcc, "or nothing is tested");
    let (config, seam) = (Arc::new(SECOND.config.video.clone()), SEAM * NANOS_PER_SEC);
    let first = FIRST.packets(8.0).filter(|(_, p)| p.track == Track::Audio || p.pts.0 < seam);
    let second = SECOND.packets(4.0).filter(|(_, p)| p.track == Track::Video).map(|(at, p)| {
        let moved = Packet { pts: p.pts + seam, dts: p.dts + seam, config: p.keyframe.then(|| Arc::clone(&config)), ..(*p).clone() };
        // The first one gives all it holds before the other begins.
        (at + seam + 400 * NANOS_PER_MS, Arc::new(moved))
    });
    let mut all: Vec<_> = first.chain(second).collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

fn assert_whole(file: &Path, seconds: f64) {
    let seen = look(file);
    assert!(seen.complaints.is_empty(), "{}", seen.complaints);
    assert_eq!(seen.pictures.len(), (seconds * 30.0) as usize, "{}", file.display());
    seen.assert_sound(seconds);
    seen.assert_even();
    let offsets = seen.offsets();
    assert!(offsets.iter().all(|o| o.abs() < 0.003), "{offsets:?}");
}

#[test]
fn a_recording_goes_on_in_the_next_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("show.mp4");
    let (tell, events) = channel();
    let sink = RecordingSink::start(&path, false, FIRST.config.clone(), move |e| {
        let _ = tell.send(e);
    });
    let sink = sink.unwrap();
    for (_, packet) in show() {
        sink.push(packet);
    }
    sink.finish(LIMIT);
    let next = folder.path().join("show.part2.mp4");
    assert_eq!(events.try_iter().collect::<Vec<_>>(), [FileEvent::Started, FileEvent::Continued { path: next.clone() }]);
    // The first part is made plain on a thread of its own.
    wait_for("a plain first part", LIMIT, || std::fs::read_dir(folder.path()).unwrap().count().eq(&2).then_some(()));
    wait_for("its index", LIMIT, || (!std::fs::read(&path).unwrap().windows(4).any(|w| w == b"moof")).then_some(()));
    assert_whole(&path, 4.0);
    assert_whole(&next, 4.0);
}

#[test]
fn viewers_go_on_behind_a_seam() {
    let folder = tempfile::tempdir().unwrap();
    let sink = HlsSink::start(folder.path(), FIRST.config.clone(), 1_795_509_000_000, |_| {}).unwrap();
    for (_, packet) in show() {
        sink.push(packet);
    }
    sink.finish(LIMIT);
    let list = std::fs::read_to_string(folder.path().join("stream.m3u8")).unwrap();
    let (before, after) = list.split_once("#EXT-X-DISCONTINUITY\n").expect("a seam");
    assert!(before.contains("init-0.mp4") && after.contains("init-1.mp4"), "{list}");
    assert_eq!([before, after].map(|part| part.matches("#EXTINF").count()), [2, 2], "{list}");
    for (n, segments) in [(0, [1, 2]), (1, [3, 4])] {
        let names = [format!("init-{n}.mp4"), format!("seg-{}.m4s", segments[0]), format!("seg-{}.m4s", segments[1])];
        let joined = folder.path().join("joined.mp4");
        std::fs::write(&joined, names.map(|name| std::fs::read(folder.path().join(name)).unwrap()).concat()).unwrap();
        assert_whole(&joined, 4.0);
    }
}

#[test]
fn a_destination_keeps_its_connection() {
    let nginx = Nginx::start(None);
    let (tell, events) = channel();
    let target = Target::parse("t", &Nginx::url(nginx.address()), Some("show")).unwrap();
    let on_event = move |e| {
        let _ = tell.send(e);
    };
    let sink = RtmpSink::start(target, FIRST.config.clone(), on_event, || {}).unwrap();
    let begun = Instant::now();
    for (at, packet) in show() {
        std::thread::sleep(Duration::from_nanos(u64::try_from(at).unwrap_or(0)).saturating_sub(begun.elapsed()));
        sink.push(packet);
    }
    let figures = sink.finish(Duration::from_secs(2));
    assert_eq!((figures.reconnects, figures.dropped), (0, 0));
    assert_eq!(events.try_iter().collect::<Vec<_>>(), [SinkEvent::Accepted]);
    let file = wait_for("a closed file", LIMIT, || nginx.log().contains("deleteStream").then(|| nginx.recorded().pop()).flatten());
    // ffmpeg's parser, not its decoder, goes on reading with the first headers and complains of what it does not need.
    let seen = look(&file);
    assert_eq!(seen.pictures.len(), 240);
    let offsets = seen.offsets();
    assert!(offsets.len() >= 7 && offsets.iter().all(|o| o.abs() < 0.003), "{offsets:?}");
    assert!(seen.video_dts.windows(2).all(|w| w[1] > w[0]));
    seen.assert_even();
}
