//! HLS as a player sees it: the list, its files, what ffmpeg decodes, and what a restart leaves.
#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use stallcast_broadcast::{FileEvent, HlsSink};
use stallcast_media::Track;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use support::clip::Clip;
use support::disk::SmallDisk;
use support::look::look;
use support::m3u8::List;
use support::wait_for;

const LIMIT: Duration = Duration::from_secs(10);
/// 2026-11-24T08:30:00Z.
const EPOCH: i64 = 1_795_509_000_000;

static SHOW: LazyLock<Arc<Clip>> = LazyLock::new(|| Arc::new(Clip::new(2, 60, 800)));

fn start(dir: &Path, epoch: i64) -> (HlsSink, Receiver<FileEvent>) {
    let (tell, events) = channel();
    let sink = HlsSink::start(dir, SHOW.config.clone(), epoch, move |e| {
        let _ = tell.send(e);
    });
    (sink.unwrap(), events)
}

fn push(sink: &HlsSink, seconds: f64) {
    for (_, packet) in SHOW.packets(seconds) {
        sink.push(packet);
    }
}

fn push_between(sink: &HlsSink, from: f64, to: f64) {
    for (_, packet) in SHOW.packets(to) {
        if packet.pts.0 as f64 / 1e9 >= from {
            sink.push(packet);
        }
    }
}

fn list(dir: &Path) -> String {
    fs::read_to_string(dir.join("stream.m3u8")).unwrap_or_default()
}

fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

/// Values of a tag, in order.
fn tags<'a>(list: &'a str, tag: &str) -> Vec<&'a str> {
    list.lines().filter_map(|l| l.strip_prefix(tag)).collect()
}

fn segments(list: &str) -> Vec<&str> {
    list.lines().filter(|l| !l.starts_with('#')).collect()
}

/// Is it listed, not only announced?
fn has_part(list: &str, name: &str) -> bool {
    list.lines().any(|l| l.starts_with("#EXT-X-PART:") && l.contains(&format!("\"{name}\"")))
}

/// What the RFC asks of every list, and that what it names is there.
fn assert_valid(dir: &Path, text: &str) -> List {
    let list = List::strict(text);
    for segment in &list.segments {
        for name in segment.parts.iter().map(|p| &p.uri).chain(&segment.uri).chain([&segment.map]) {
            assert!(dir.join(name).is_file(), "{name} is listed and not there");
        }
    }
    list
}

#[test]
fn a_show_is_listed_and_plays() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("hls");
    let (sink, events) = start(&dir, EPOCH);
    assert!(!dir.join("stream.m3u8").exists(), "no list before there is something in it");
    push(&sink, 8.1);
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started));
    let running = wait_for("four segments", LIMIT, || Some(list(&dir)).filter(|l| segments(l).len() == 4));
    assert_eq!(assert_valid(&dir, &running).segments[3].parts.len(), 4);
    assert!(running.ends_with("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-5-0.m4s\"\n"), "{running}");
    assert_eq!(segments(&running), ["seg-1.m4s", "seg-2.m4s", "seg-3.m4s", "seg-4.m4s"]);
    assert_eq!(tags(&running, "#EXTINF:"), ["2.000000,"; 4]);
    assert_eq!(tags(&running, "#EXT-X-PROGRAM-DATE-TIME:")[..2], ["2026-11-24T08:30:00.000Z", "2026-11-24T08:30:02.000Z"]);
    assert!(!running.contains("ENDLIST"));

    sink.finish(LIMIT);
    let ended = list(&dir);
    assert_valid(&dir, &ended);
    assert!(ended.ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(segments(&ended).len(), 5, "the rest is a segment too");
    let parts: usize = names(&dir).iter().filter(|n| n.starts_with("part-")).count();
    assert_eq!(parts, 17);
    assert_eq!(
        names(&dir).into_iter().filter(|n| !n.starts_with("part-")).collect::<Vec<_>>(),
        ["init-0.mp4", "seg-1.m4s", "seg-2.m4s", "seg-3.m4s", "seg-4.m4s", "seg-5.m4s", "stream.m3u8"]
    );
    look(&dir.join("stream.m3u8")).assert_sound(8.1);
    assert!(events.try_recv().is_err());
}

#[test]
fn every_segment_can_be_joined_at() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, _events) = start(folder.path(), EPOCH);
    push(&sink, 6.0);
    sink.finish(LIMIT);
    for n in 0..3 {
        let joined = folder.path().join("joined.mp4");
        let parts = ["init-0.mp4".to_owned(), format!("seg-{}.m4s", n + 1)].map(|name| fs::read(folder.path().join(name)).unwrap());
        fs::write(&joined, parts.concat()).unwrap();
        let seen = look(&joined);
        assert_eq!(seen.pictures.len(), 60, "segment {n}");
        assert!((seen.pictures[0] - 2.0 * f64::from(n)).abs() < 0.001, "on the common timeline: {}", seen.pictures[0]);
        assert!(seen.complaints.is_empty(), "{}", seen.complaints);
    }
}

#[test]
fn the_window_slides_and_old_files_go_a_while_later() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (sink, _events) = start(dir, EPOCH);
    // A reader that polls all the time must never find a list whose files are not there, or half a list.
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (path, stopped) = (dir.to_owned(), Arc::clone(&stop));
    let reader = std::thread::spawn(move || {
        let (mut seen, mut before) = (BTreeSet::new(), None::<List>);
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let text = list(&path);
            if !text.is_empty() {
                let now = assert_valid(&path, &text);
                if let Some(before) = &before {
                    now.assert_follows(before);
                }
                seen.insert(now.edge());
                before = Some(now);
            }
        }
        seen.len()
    });
    for (n, (_, packet)) in SHOW.packets(40.0).enumerate() {
        sink.push(packet);
        if n % 100 == 99 {
            // The queue holds ten seconds: let the writer keep up.
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let text = wait_for("nineteen segments", LIMIT, || Some(list(dir)).filter(|l| l.contains("seg-19.m4s")));
    assert_valid(dir, &text);
    assert_eq!(segments(&text).len(), 7);
    assert_eq!(tags(&text, "#EXT-X-MEDIA-SEQUENCE:"), ["13"]);
    assert!(dir.join("seg-1.m4s").exists(), "a viewer may still be reading it");
    sink.finish(LIMIT);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(reader.join().unwrap() > 12, "it saw part after part");
}

#[test]
fn a_restart_goes_on_and_a_new_show_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (sink, _events) = start(dir, EPOCH);
    // Four segments, two parts of the fifth, and a third that a death cuts off before it is listed.
    push(&sink, 9.1);
    wait_for("half a segment", LIMIT, || has_part(&list(dir), "part-5-1.m4s").then_some(()));
    let killed = list(dir);
    // What kill -9 leaves: no end mark, a part that nobody was told of, and half a file under its other name.
    fs::write(dir.join("part-5-2.m4s"), "unlisted").unwrap();
    fs::write(dir.join(".part-5-3.m4s.tmp"), "half").unwrap();
    std::mem::forget(sink);

    let (sink, _events) = start(dir, EPOCH + 12_000);
    assert_eq!(list(dir), killed, "viewers keep what they have until there is more");
    push(&sink, 4.1);
    let text = wait_for("two more segments", LIMIT, || Some(list(dir)).filter(|l| l.contains("seg-7.m4s")));
    let (before, after) = (List::strict(&killed), assert_valid(dir, &text));
    after.assert_follows(&before);
    assert_eq!(after.whole(), (0..7).map(|n| format!("seg-{}.m4s", n + 1)).collect::<Vec<_>>());
    let cut = &after.segments[4];
    assert_eq!((cut.parts.len(), cut.duration), (2, 1.0), "the segment that was growing ends where it was");
    let parts: Vec<Vec<u8>> = cut.parts.iter().map(|p| fs::read(dir.join(&p.uri)).unwrap()).collect();
    assert_eq!(fs::read(dir.join("seg-5.m4s")).unwrap(), parts.concat());
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    assert_eq!(tags(&text, "#EXT-X-MAP:URI="), ["\"init-0.mp4\"", "\"init-1.mp4\""]);
    assert_eq!((after.segments[5].discontinuity, &*after.segments[5].date), (true, "2026-11-24T08:30:12.000Z"));
    assert!(!dir.join(".part-5-3.m4s.tmp").exists());
    sink.finish(LIMIT);
    // Both sides of the seam decode alone (ffmpeg's own player does not honour a discontinuity).
    for (init, segment, pictures) in [("init-0.mp4", "seg-5.m4s", 30), ("init-1.mp4", "seg-6.m4s", 60)] {
        let joined = dir.join("joined.mp4");
        fs::write(&joined, [init, segment].map(|name| fs::read(dir.join(name)).unwrap()).concat()).unwrap();
        let seen = look(&joined);
        assert_eq!((seen.pictures.len(), &*seen.complaints), (pictures, ""));
    }

    // The show ended; the next one must not offer its tail, and its numbers go on rising.
    let (sink, _events) = start(dir, EPOCH + 30_000);
    wait_for("no list", LIMIT, || (!dir.join("stream.m3u8").exists()).then_some(()));
    push(&sink, 2.1);
    let text = wait_for("a new list", LIMIT, || Some(list(dir)).filter(|l| !l.is_empty()));
    assert_valid(dir, &text);
    assert_eq!(segments(&text), ["seg-9.m4s"]);
    assert_eq!(tags(&text, "#EXT-X-MEDIA-SEQUENCE:"), ["9"]);
    assert_eq!(tags(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:"), ["1"]);
    assert!(!text.contains("#EXT-X-DISCONTINUITY\n"));
    sink.finish(LIMIT);

    // Nobody ended this one, but it was yesterday.
    fs::write(dir.join("stream.m3u8"), list(dir).replace("#EXT-X-ENDLIST\n", "")).unwrap();
    let (sink, _events) = start(dir, EPOCH + 86_400_000);
    wait_for("no list", LIMIT, || (!dir.join("stream.m3u8").exists()).then_some(()));
    push(&sink, 2.1);
    let text = wait_for("a new list", LIMIT, || Some(list(dir)).filter(|l| !l.is_empty()));
    assert_eq!(segments(&text), ["seg-11.m4s"]);
    // A player that still reads the old one must not join the two timelines.
    assert_eq!(tags(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:"), ["2"]);
    sink.finish(LIMIT);
}

#[test]
fn a_damaged_list_is_no_reason_not_to_go_live() {
    let folder = tempfile::tempdir().unwrap();
    for junk in [&b"#EXTM3U\n#EXTINF:soon,\n../../etc/passwd\n"[..], b"\xFF\xFE\x00", b""] {
        fs::write(folder.path().join("stream.m3u8"), junk).unwrap();
        fs::write(folder.path().join("seg-41.m4s"), "old").unwrap();
        fs::write(folder.path().join("photo.jpg"), "not ours").unwrap();
        let (sink, _events) = start(folder.path(), EPOCH);
        push(&sink, 2.1);
        let text = wait_for("a list", LIMIT, || Some(list(folder.path())).filter(|l| l.contains(".m4s")));
        assert_eq!(segments(&text)[0], "seg-42.m4s");
        sink.finish(LIMIT);
        assert!(folder.path().join("photo.jpg").exists());
        for name in names(folder.path()) {
            if name != "photo.jpg" {
                fs::remove_file(folder.path().join(name)).unwrap();
            }
        }
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_made_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("live");
    fs::write(&dir, "in the way").unwrap();
    let (sink, events) = start(&dir, EPOCH);
    assert!(matches!(events.recv_timeout(LIMIT), Ok(FileEvent::Failed { .. })));
    push(&sink, 2.1);
    wait_for("nobody waits for old pictures", LIMIT, || (sink.waiting() == Duration::ZERO).then_some(()));
    fs::remove_file(&dir).unwrap();
    wait_for("a folder", LIMIT, || dir.is_dir().then_some(()));
    push_between(&sink, 2.1, 6.1);
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started));
    sink.finish(LIMIT);
    assert_valid(&dir, &list(&dir));
}

#[test]
fn a_part_is_there_as_soon_as_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_owned();
    let (sink, events) = start(&dir, EPOCH);
    let begun = Instant::now();
    let player = SHOW.play(move |packet| sink.push(packet));
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started));
    let first = begun.elapsed();
    // Two seconds of show, 0.44 s of the clip's encoder, and the next keyframe that ends it.
    assert!(first < Duration::from_millis(3200), "{first:?}");
    let edge = |n: usize| wait_for("a part", LIMIT, || has_part(&list(&dir), &format!("part-2-{n}.m4s")).then(|| begun.elapsed()));
    edge(1);
    let behind = edge(2) - Duration::from_millis(3500);
    eprintln!("first segment after {first:?}, a part {behind:?} after its last picture was shown");
    assert!(behind < Duration::from_millis(1500), "{behind:?}");
    drop(player);
}

#[test]
fn a_hole_in_the_pictures_is_a_discontinuity() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (sink, _events) = start(dir, EPOCH);
    // What an overflowing queue leaves: 2.5 s to the next keyframe are missing.
    for (_, packet) in SHOW.packets(8.6) {
        if packet.track == Track::Audio || !(3_500_000_000..6_000_000_000).contains(&packet.pts.0) {
            sink.push(packet);
        }
    }
    sink.finish(LIMIT);
    let text = list(dir);
    let list = assert_valid(dir, &text);
    assert_eq!(list.target, 2);
    let after = list.segments.iter().position(|s| s.discontinuity).unwrap();
    assert_eq!(list.segments[after].date, "2026-11-24T08:30:06.000Z");
    assert!(list.segments[after - 1].duration <= 2.0);
}

#[test]
fn a_full_disk_costs_segments_and_never_the_list() {
    let Some(disk) = SmallDisk::new(4) else { return };
    let dir = disk.0.path().join("hls");
    let (sink, events) = start(&dir, EPOCH);
    push(&sink, 4.6);
    wait_for("a part", LIMIT, || has_part(&list(&dir), "part-3-0.m4s").then_some(()));
    let before = assert_valid(&dir, &list(&dir));
    let ballast = dir.join("ballast");
    let mut filling = fs::File::create(&ballast).unwrap();
    while std::io::Write::write(&mut filling, &[7; 4096]).is_ok_and(|n| n > 0) {}
    let later = |from, to| push_between(&sink, from, to);
    later(4.6, 8.6);
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started));
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::DiskFull));
    assert_eq!(assert_valid(&dir, &list(&dir)).whole(), before.whole(), "what was listed still is");
    drop(filling);
    fs::remove_file(&ballast).unwrap();
    later(8.6, 12.1);
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started), "back by itself");
    let after = wait_for("the seam", LIMIT, || Some(List::strict(&list(&dir))).filter(|l| l.segments.iter().any(|s| s.discontinuity)));
    after.assert_follows(&before);
    sink.finish(LIMIT);
    assert_valid(&dir, &list(&dir));
}

/// The viewers of the local shop have no other picture.
#[test]
fn a_folder_that_is_taken_away_costs_what_is_not_written_and_not_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("live");
    let (sink, events) = start(&dir, EPOCH);
    push(&sink, 4.6);
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started));
    wait_for("a part", LIMIT, || has_part(&list(&dir), "part-3-0.m4s").then_some(()));
    fs::remove_dir_all(&dir).unwrap();
    push_between(&sink, 4.6, 9.6);
    wait_for("a new list", LIMIT, || dir.join("stream.m3u8").is_file().then_some(()));
    assert!(events.try_recv().is_err(), "a moment is nobody's business");

    // What stands in its place is not ours to remove.
    wait_for("a moment in which nothing is written", LIMIT, || {
        let _ = fs::remove_dir_all(&dir);
        fs::write(&dir, "in the way").ok()
    });
    let in_turn = |from: u32, to: u32| {
        for second in (from..to).step_by(4) {
            push_between(&sink, f64::from(second) + 0.6, f64::from((second + 4).min(to)) + 0.6);
            wait_for("room in memory", LIMIT, || (sink.waiting() < Duration::from_secs(2)).then_some(()));
        }
    };
    in_turn(9, 28);
    assert!(matches!(events.recv_timeout(LIMIT), Ok(FileEvent::Failed { .. })));
    assert!(events.try_recv().is_err(), "told once");
    fs::remove_file(&dir).unwrap();
    in_turn(28, 38);
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started), "back by itself");
    // Until nothing of what is lost is listed any more.
    in_turn(38, 56);
    sink.finish(LIMIT);
    let after = assert_valid(&dir, &list(&dir));
    assert!(after.segments.iter().all(|s| !s.discontinuity), "the seam has left with what was before it");
}
