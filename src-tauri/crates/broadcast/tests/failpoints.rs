//! What happens at one instant only: the test stops the thread that reaches a named place there.
#![expect(clippy::unwrap_used, reason = "a test")]
#![cfg(debug_assertions)]

mod support;

use stallcast_broadcast::{FileEvent, HlsSink, LinkPhase, RecordingSink, RtmpSink, SinkEvent, Target, recover};
use stallcast_clock::failpoint::on_failpoint;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use support::clip::Clip;
use support::look::look;
use support::nginx::Nginx;
use support::wait_for;

const LIMIT: Duration = Duration::from_secs(10);

/// The place, and what the thread that reaches it first does there.
type Trap = (&'static str, Box<dyn FnOnce() + Send>);

static TRAPS: Mutex<Vec<Trap>> = Mutex::new(Vec::new());
/// One test at a time: the places are those of the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// With nothing left of the one before.
fn turn() -> MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    TRAPS.lock().unwrap().clear();
    turn
}

fn set_trap(place: &'static str, act: impl FnOnce() + Send + 'static) {
    TRAPS.lock().unwrap().push((place, Box::new(act)));
    on_failpoint(|place| {
        let mut traps = TRAPS.lock().unwrap();
        let found = traps.iter().position(|(p, _)| *p == place).map(|at| traps.remove(at));
        drop(traps);
        if let Some((_, act)) = found {
            act();
        }
    });
}

/// A crash when the place is reached after `times` others.
fn set_crash(place: &'static str, times: u32) {
    set_trap(place, move || if times == 0 { panic!("on purpose") } else { set_crash(place, times - 1) });
}

#[test]
fn nobody_repairs_a_recording_while_it_is_made_plain() {
    let _turn = turn();
    let clip = Clip::new(2, 60, 800);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("show.mp4");
    let (tell, told) = channel();
    let repaired = path.clone();
    set_trap("failpoint:recording.copied", move || {
        let _ = tell.send(recover(&repaired).map_err(|e| e.kind()));
    });
    let sink = RecordingSink::start(&path, false, clip.config.clone(), |_| {}).unwrap();
    for (_, packet) in clip.packets(4.0) {
        sink.push(packet);
    }
    sink.finish(LIMIT);
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), Err(io::ErrorKind::WouldBlock));
    look(&path).assert_sound(4.0);
    assert_eq!(recover(&path).unwrap(), None, "it is free, and needs no repair");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_destination_outlives_a_crash_of_its_thread() {
    let _turn = turn();
    let clip = Arc::new(Clip::new(0, 15, 800));
    let nginx = Nginx::start(None);
    let target = Target::parse("t", &Nginx::url(nginx.address()), Some("show")).unwrap();
    let (tell, events) = channel();
    let on_event = move |event| {
        let _ = tell.send(event);
    };
    let sink = Arc::new(RtmpSink::start(target, clip.config.clone(), on_event, || {}).unwrap());
    let input = Arc::clone(&sink);
    let player = clip.play(move |packet| input.push(packet));
    assert_eq!(events.recv_timeout(LIMIT), Ok(SinkEvent::Accepted));
    set_trap("failpoint:rtmp.look", || panic!("on purpose"));
    for event in [SinkEvent::Restarted, SinkEvent::Lost, SinkEvent::Back] {
        assert_eq!(events.recv_timeout(LIMIT), Ok(event));
    }
    let (sent, figures) = (sink.figures().bytes_sent, || sink.figures());
    assert_eq!((figures().phase, figures().reconnects), (LinkPhase::Publishing, 1));
    wait_for("more media", LIMIT, || (figures().bytes_sent > sent + 50_000).then_some(()));
    drop(player);
}

/// A recording whose disk says nothing until it is woken, or for as long as two hang guards.
fn on_a_sleeping_disk(path: &Path, clip: &Clip) -> (RecordingSink, Sender<()>, Receiver<FileEvent>) {
    let (wake, woken) = channel();
    set_trap("failpoint:recording.open", move || {
        let _ = woken.recv_timeout(2 * LIMIT);
    });
    let (tell, events) = channel();
    let sink = RecordingSink::start(path, false, clip.config.clone(), move |event| {
        let _ = tell.send(event);
    });
    (sink.unwrap(), wake, events)
}

#[test]
fn nobody_waits_for_a_disk_that_sleeps_and_what_came_meanwhile_is_kept() {
    let _turn = turn();
    let clip = Clip::new(2, 60, 800);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("show.mp4");
    let begun = Instant::now();
    let (sink, wake, _events) = on_a_sleeping_disk(&path, &clip);
    assert!(begun.elapsed() < LIMIT, "it waited for the disk");
    for (_, packet) in clip.packets(4.0) {
        sink.push(packet);
    }
    assert!(!path.exists() && sink.waiting() > Duration::from_secs(3));
    wake.send(()).unwrap();
    sink.finish(LIMIT);
    look(&path).assert_sound(4.0);
}

#[test]
fn what_a_disk_refuses_when_nobody_waits_any_more_is_told() {
    let _turn = turn();
    let clip = Clip::new(2, 60, 800);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("show.mp4");
    let (sink, wake, events) = on_a_sleeping_disk(&path, &clip);
    fs::write(&path, b"another one's").unwrap();
    wake.send(()).unwrap();
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Failed { reason: "the file exists".to_owned() }));
    sink.finish(LIMIT);
    assert_eq!(fs::read(&path).unwrap(), b"another one's");
}

#[test]
fn a_recording_outlives_a_crash_of_its_thread_in_the_next_part() {
    let _turn = turn();
    let clip = Clip::new(2, 60, 800);
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("show.mp4"), folder.path().join("show.part2.mp4"));
    let (tell, events) = channel();
    let sink = RecordingSink::start(&path, false, clip.config.clone(), move |event| {
        let _ = tell.send(event);
    });
    let sink = sink.unwrap();
    set_crash("failpoint:recording.fragment", 2);
    for (_, packet) in clip.packets(8.0) {
        sink.push(packet);
    }
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started));
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Continued { path: next.clone() }));
    wait_for("it is counted", LIMIT, || (sink.take_crashes() == 1).then_some(()));
    sink.finish(LIMIT);
    wait_for("a plain first part", LIMIT, || fs::read_dir(folder.path()).unwrap().count().eq(&2).then_some(()));
    wait_for("its index", LIMIT, || (!fs::read(&path).unwrap().windows(4).any(|w| w == b"moof")).then_some(()));
    look(&path).assert_sound(0.8);
    look(&next).assert_sound(6.0);
    assert!(events.try_recv().is_err());
}

#[test]
fn viewers_outlive_a_crash_behind_a_seam() {
    let _turn = turn();
    let clip = Clip::new(2, 60, 800);
    let folder = tempfile::tempdir().unwrap();
    let (tell, events) = channel();
    let sink = HlsSink::start(folder.path(), clip.config.clone(), 1_795_509_000_000, move |event| {
        let _ = tell.send(event);
    });
    let sink = sink.unwrap();
    // After a whole segment of four and one part.
    set_crash("failpoint:hls.fragment", 5);
    for (_, packet) in clip.packets(8.0) {
        sink.push(packet);
    }
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started));
    wait_for("it is counted", LIMIT, || (sink.take_crashes() == 1).then_some(()));
    sink.finish(LIMIT);
    assert!(events.try_recv().is_err());
    let list = fs::read_to_string(folder.path().join("stream.m3u8")).unwrap();
    let (before, after) = list.split_once("#EXT-X-DISCONTINUITY\n").expect("a seam");
    assert!(before.contains("init-0.mp4") && after.contains("init-1.mp4"), "{list}");
    assert!(after.matches("#EXTINF").count() >= 2 && list.ends_with("#EXT-X-ENDLIST\n"), "{list}");
}

#[test]
fn a_writer_that_crashes_again_at_once_has_failed() {
    let _turn = turn();
    let clip = Clip::new(2, 60, 800);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("show.mp4");
    let (tell, events) = channel();
    let sink = RecordingSink::start(&path, false, clip.config.clone(), move |event| {
        let _ = tell.send(event);
    });
    let sink = sink.unwrap();
    for _ in 0..2 {
        set_trap("failpoint:recording.fragment", || panic!("on purpose"));
    }
    for (_, packet) in clip.packets(8.0) {
        sink.push(packet);
    }
    assert!(matches!(events.recv_timeout(LIMIT), Ok(FileEvent::Failed { .. })));
    sink.finish(LIMIT);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "not one picture was written");
}
