//! HLS as a player sees it: the list, its files, what ffmpeg decodes, and what a restart leaves.
#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use stallcast_broadcast::{FileEvent, HlsSink};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use support::clip::Clip;
use support::look::look;
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

/// What RFC 8216 asks of every list, whatever it holds.
fn assert_valid(dir: &Path, list: &str) {
    assert!(list.starts_with("#EXTM3U\n#EXT-X-VERSION:7\n"), "{list}");
    let target: f64 = tags(list, "#EXT-X-TARGETDURATION:")[0].parse().unwrap();
    let lengths: Vec<f64> = tags(list, "#EXTINF:").iter().map(|l| l.trim_end_matches(',').parse().unwrap()).collect();
    let listed = segments(list);
    assert_eq!(lengths.len(), listed.len());
    assert_eq!(tags(list, "#EXT-X-PROGRAM-DATE-TIME:").len(), listed.len());
    assert!(lengths.iter().all(|l| l.round() <= target), "{list}");
    assert!(list.find("#EXT-X-MAP:") < list.find("#EXTINF:"), "a segment without its init: {list}");
    for name in listed.into_iter().chain(tags(list, "#EXT-X-MAP:URI=").into_iter().map(|u| u.trim_matches('"'))) {
        assert!(dir.join(name).is_file(), "{name} is listed and not there");
    }
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
    assert_valid(&dir, &running);
    assert_eq!(segments(&running), ["seg-0.m4s", "seg-1.m4s", "seg-2.m4s", "seg-3.m4s"]);
    assert_eq!(tags(&running, "#EXTINF:"), ["2.000000,"; 4]);
    assert_eq!(tags(&running, "#EXT-X-PROGRAM-DATE-TIME:")[..2], ["2026-11-24T08:30:00.000Z", "2026-11-24T08:30:02.000Z"]);
    assert!(!running.contains("ENDLIST"));

    sink.finish(LIMIT);
    let ended = list(&dir);
    assert_valid(&dir, &ended);
    assert!(ended.ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(segments(&ended).len(), 5, "the rest is a segment too");
    assert_eq!(
        names(&dir),
        ["init-0.mp4", "seg-0.m4s", "seg-1.m4s", "seg-2.m4s", "seg-3.m4s", "seg-4.m4s", "stream.m3u8"].map(String::from).into()
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
        let parts = ["init-0.mp4".to_owned(), format!("seg-{n}.m4s")].map(|name| fs::read(folder.path().join(name)).unwrap());
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
        let mut seen = BTreeSet::new();
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let text = list(&path);
            if !text.is_empty() {
                assert!(text.ends_with(".m4s\n") || text.ends_with("#EXT-X-ENDLIST\n"), "half a list: {text}");
                for name in segments(&text) {
                    assert!(path.join(name).is_file(), "{name}");
                    seen.insert(name.to_owned());
                }
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
    let text = wait_for("nineteen segments", LIMIT, || Some(list(dir)).filter(|l| l.contains("seg-18.m4s")));
    assert_valid(dir, &text);
    assert_eq!(segments(&text).len(), 7);
    assert_eq!(tags(&text, "#EXT-X-MEDIA-SEQUENCE:"), ["12"]);
    assert!(dir.join("seg-0.m4s").exists(), "a viewer may still be reading it");
    sink.finish(LIMIT);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(reader.join().unwrap() > 3);
}

#[test]
fn a_restart_goes_on_and_a_new_show_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (sink, _events) = start(dir, EPOCH);
    push(&sink, 8.1);
    wait_for("four segments", LIMIT, || list(dir).contains("seg-3.m4s").then_some(()));
    let killed = list(dir);
    // What kill -9 leaves: no end mark, and half a file under its other name.
    fs::write(dir.join(".seg-4.m4s.tmp"), "half").unwrap();
    std::mem::forget(sink);

    let (sink, _events) = start(dir, EPOCH + 12_000);
    assert_eq!(list(dir), killed, "viewers keep what they have until there is more");
    push(&sink, 4.1);
    let text = wait_for("two more segments", LIMIT, || Some(list(dir)).filter(|l| l.contains("seg-5.m4s")));
    assert_valid(dir, &text);
    assert_eq!(segments(&text), ["seg-0.m4s", "seg-1.m4s", "seg-2.m4s", "seg-3.m4s", "seg-4.m4s", "seg-5.m4s"]);
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    assert_eq!(tags(&text, "#EXT-X-MAP:URI="), ["\"init-0.mp4\"", "\"init-1.mp4\""]);
    assert_eq!(tags(&text, "#EXT-X-PROGRAM-DATE-TIME:")[4], "2026-11-24T08:30:12.000Z");
    let after_seam = text.find("#EXT-X-DISCONTINUITY\n").unwrap();
    assert!(text[..after_seam].ends_with("seg-3.m4s\n"));
    assert!(!dir.join(".seg-4.m4s.tmp").exists());
    sink.finish(LIMIT);

    // The show ended; the next one must not offer its tail, and its numbers go on rising.
    let (sink, _events) = start(dir, EPOCH + 30_000);
    assert!(!dir.join("stream.m3u8").exists());
    push(&sink, 2.1);
    let text = wait_for("a new list", LIMIT, || Some(list(dir)).filter(|l| !l.is_empty()));
    assert_valid(dir, &text);
    assert_eq!(segments(&text), ["seg-7.m4s"]);
    assert_eq!(tags(&text, "#EXT-X-MEDIA-SEQUENCE:"), ["7"]);
    assert_eq!(tags(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:"), ["1"]);
    assert!(!text.contains("#EXT-X-DISCONTINUITY\n"));
    sink.finish(LIMIT);

    // Nobody ended this one, but it was yesterday.
    fs::write(dir.join("stream.m3u8"), list(dir).replace("#EXT-X-ENDLIST\n", "")).unwrap();
    let (sink, _events) = start(dir, EPOCH + 86_400_000);
    assert!(!dir.join("stream.m3u8").exists());
    push(&sink, 2.1);
    let text = wait_for("a new list", LIMIT, || Some(list(dir)).filter(|l| !l.is_empty()));
    assert_eq!(segments(&text), ["seg-9.m4s"]);
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
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    assert!(HlsSink::start(&file, SHOW.config.clone(), EPOCH, |_| {}).is_err());
}

#[test]
fn a_segment_is_there_as_soon_as_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_owned();
    let (sink, events) = start(&dir, EPOCH);
    let begun = Instant::now();
    let player = SHOW.play(move |packet| sink.push(packet));
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started));
    let first = begun.elapsed();
    eprintln!("first segment after {first:?}");
    // Two seconds of show, 0.44 s of the clip's encoder, and the next keyframe that ends it.
    assert!(first < Duration::from_millis(3200), "{first:?}");
    drop(player);
}
