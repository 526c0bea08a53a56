//! Recordings as ffmpeg sees them: while they run, finished, after kill -9, on a full disk.
#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use stallcast_broadcast::{FileEvent, RecordError, RecordingSink, recover};
use stallcast_media::{Pts, Track};
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use support::clip::Clip;
use support::disk::SmallDisk;
use support::look::look;
use support::wait_for;

const LIMIT: Duration = Duration::from_secs(10);

static WITH_B_FRAMES: LazyLock<Arc<Clip>> = LazyLock::new(|| Arc::new(Clip::new(2, 60, 800)));
static LOW_LATENCY: LazyLock<Arc<Clip>> = LazyLock::new(|| Arc::new(Clip::new(0, 60, 800)));

fn record(path: &Path, clip: &Clip) -> (RecordingSink, Receiver<FileEvent>) {
    let (tell, events) = channel();
    let sink = RecordingSink::start(path, false, clip.config.clone(), move |e| {
        let _ = tell.send(e);
    });
    (sink.unwrap(), events)
}

/// Names of the top boxes.
fn boxes(path: &Path) -> Vec<String> {
    let mut file = fs::File::open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let (mut at, mut names) = (0, vec![]);
    while at + 8 <= length {
        let mut header = [0; 8];
        file.seek(SeekFrom::Start(at)).unwrap();
        file.read_exact(&mut header).unwrap();
        names.push(String::from_utf8_lossy(&header[4..]).into_owned());
        at += u64::from(u32::from_be_bytes([header[0], header[1], header[2], header[3]]));
    }
    names
}

#[test]
fn a_running_recording_plays_and_a_finished_one_is_plain() {
    for clip in [&*WITH_B_FRAMES, &*LOW_LATENCY] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("演出 show.mp4");
        let (sink, events) = record(&path, clip);
        assert_eq!(sink.path(), path);
        for (_, packet) in clip.packets(10.0) {
            sink.push(packet);
        }
        assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started));
        wait_for("twenty-five fragments", LIMIT, || (boxes(&path).iter().filter(|b| *b == "moof").count() == 25).then_some(()));
        assert_eq!(boxes(&path)[..3], ["ftyp", "moov", "moof"]);
        let running = look(&path);
        running.assert_sound(10.0);
        assert_eq!(running.pictures[0], 0.0, "program time 0 is at 0");
        assert!(sink.disk_minutes().is_some());

        sink.finish(LIMIT);
        let names = boxes(&path);
        assert_eq!(names[..2], ["ftyp", "moov"], "the index comes first: {names:?}");
        assert!(!names.contains(&"moof".to_owned()));
        let finished = look(&path);
        finished.assert_sound(10.0);
        assert_eq!(finished.pictures[0], 0.0);
        assert!(recover(&path).unwrap().is_none(), "a finished one needs no repair");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}

#[test]
fn a_recording_that_starts_late_begins_at_a_keyframe_with_its_sound() {
    let clip = &*WITH_B_FRAMES;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.mp4");
    let (sink, _events) = record(&path, clip);
    // Joined at 2.5 s: the next keyframe is shown at 4 s.
    for (_, packet) in clip.packets(10.0).filter(|(at, _)| *at > 2_500_000_000) {
        sink.push(packet);
    }
    sink.finish(LIMIT);
    let seen = look(&path);
    seen.assert_sound(6.0);
    assert_eq!(seen.pictures[0], 0.0);
    assert!(seen.flashes[0] < 0.001, "the flash of second 4 comes first: {:?}", seen.flashes);
}

#[test]
fn lost_pictures_leave_a_still_and_sound_stays_with_them() {
    let clip = &*WITH_B_FRAMES;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gap.mp4");
    let (sink, _events) = record(&path, clip);
    // What an overflowing queue does: pictures from 3.2 s to the keyframe at 6 s are gone, no sound is.
    let gone = |p: &stallcast_media::Packet| p.track == Track::Video && p.dts > Pts::from_ms(3200) && p.pts < Pts::from_ms(6000);
    for (_, packet) in clip.packets(10.0).filter(|(_, p)| !gone(p)) {
        sink.push(packet);
    }
    sink.finish(LIMIT);
    let seen = look(&path);
    assert!(seen.sounds.windows(2).all(|w| (w[1] - w[0] - 1024.0 / 48_000.0).abs() < 0.002), "no sound is lost");
    let flashes: Vec<i64> = seen.flashes.iter().map(|f| (f * 10.0).round() as i64).collect();
    assert_eq!(flashes, [0, 10, 20, 30, 60, 70, 80, 90]);
    assert!(seen.offsets().iter().all(|o| o.abs() < 0.004), "{:?}", seen.offsets());
}

/// Not a test of its own: the process that [`kill_9_loses_less_than_a_second`] kills.
#[test]
#[ignore = "started by another test"]
fn child_records() {
    let Some(path) = std::env::var_os("RECORD_INTO") else { return };
    // Keyframes that cut every other fragment short.
    let clip = Clip::new(0, 20, 800);
    let (sink, _events) = record(Path::new(&path), &clip);
    let mut newest = 0;
    let begun = std::time::Instant::now();
    for (at, packet) in clip.packets(60.0) {
        std::thread::sleep(Duration::from_nanos(u64::try_from(at).unwrap_or(0)).saturating_sub(begun.elapsed()));
        if packet.track == Track::Video {
            newest = packet.pts.as_ms();
        }
        sink.push(packet);
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "pushed {newest}").and_then(|()| out.flush());
    }
}

/// Not a test of its own: the process of [`a_file_that_is_as_large_as_it_can_be_is_followed_by_the_next_part`], whose files have a limit.
#[test]
#[ignore = "started by another test"]
fn child_records_large() {
    let Some(path) = std::env::var_os("RECORD_INTO") else { return };
    let (sink, events) = record(Path::new(&path), &LOW_LATENCY);
    for (_, packet) in LOW_LATENCY.packets(10.0) {
        sink.push(packet);
    }
    sink.finish(LIMIT);
    let told: Vec<FileEvent> = events.iter().collect();
    assert!(matches!(told.as_slice(), [FileEvent::Started, FileEvent::Continued { .. }]), "{told:?}");
}

/// FAT32, which sticks and cards have, has no files above 4 GiB.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_as_large_as_it_can_be_is_followed_by_the_next_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.mp4");
    let child = Command::new("prlimit")
        .args(["--fsize=600000", "--", "env", "--ignore-signal=XFSZ"])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_records_large", "--nocapture"])
        .env("RECORD_INTO", &path)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    let (first, second) = (look(&path), look(&folder.path().join("large.part2.mp4")));
    let (before, after) = (first.pictures.len() as f64 / 30.0, second.pictures.len() as f64 / 30.0);
    // The refused fragment, and what comes before the next keyframe.
    assert!(before > 3.0 && after > 1.0 && before + after > 10.0 - 2.6, "{before} s and {after} s of ten");
    for part in [&first, &second] {
        assert!(part.complaints.is_empty(), "{}", part.complaints);
        // Where a file begins, the encoder's first block is cut into.
        assert!(part.offsets().iter().skip(1).all(|offset| offset.abs() < 0.004), "{:?}", part.offsets());
    }
}

#[test]
fn kill_9_loses_less_than_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.mp4");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_records", "--nocapture"])
        .env("RECORD_INTO", &path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pushed = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(ms) = line.unwrap().strip_prefix("pushed ").and_then(|n| n.parse::<i64>().ok()) {
            pushed = ms;
        }
        if pushed >= 4_300 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let before = look(&path);
    assert!(before.pictures.len() > 90, "plays as it is");
    let told = recover(&path).unwrap().unwrap().as_secs_f64();
    assert_eq!(boxes(&path)[..2], ["ftyp", "moov"]);
    let after = look(&path);
    let lost = pushed as f64 / 1000.0 - after.pictures.last().unwrap();
    assert!(lost < 1.0, "{lost} s lost");
    let lasts = after.pictures.len() as f64 / 30.0;
    after.assert_sound(lasts);
    assert!((told - lasts).abs() < 0.1, "told {told} s of {lasts}");
    assert!(recover(&path).unwrap().is_none());
}

/// A fragmented recording, as a crash leaves it.
fn unfinished(folder: &Path) -> PathBuf {
    let (running, copy) = (folder.join("running.mp4"), folder.join("copy.mp4"));
    let clip = &*WITH_B_FRAMES;
    let (sink, events) = record(&running, clip);
    for (_, packet) in clip.packets(4.0) {
        sink.push(packet);
    }
    events.recv_timeout(LIMIT).unwrap();
    wait_for("ten fragments", LIMIT, || (boxes(&running).iter().filter(|b| *b == "moof").count() == 10).then_some(()));
    let refused = recover(&running).expect_err("one that runs is left alone");
    assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
    fs::copy(&running, &copy).unwrap();
    copy
}

#[test]
fn a_cut_off_tail_is_dropped_wherever_the_cut_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = unfinished(folder.path());
    let whole = fs::read(&path).unwrap();
    let cut = folder.path().join("cut.mp4");
    // Into the last mdat, its header, the last moof, its header; and noise instead of a fragment.
    let last_moof = whole.windows(4).rposition(|w| w == b"moof").unwrap() - 4;
    let last_mdat =
        last_moof + usize::from_be_bytes([0, 0, 0, 0, whole[last_moof], whole[last_moof + 1], whole[last_moof + 2], whole[last_moof + 3]]);
    for at in [whole.len() - 1, last_mdat + 100, last_mdat + 5, last_moof + 40, last_moof + 3] {
        fs::write(&cut, &whole[..at]).unwrap();
        let told = recover(&cut).unwrap().unwrap().as_secs_f64();
        assert!((told - 3.6).abs() < 0.05, "{told} s");
        look(&cut).assert_sound(3.6);
    }
    fs::write(&cut, [&whole[..], &[0xA5; 5000]].concat()).unwrap();
    assert!(recover(&cut).unwrap().is_some());
    look(&cut).assert_sound(4.0);
}

#[test]
fn a_copy_that_was_cut_off_does_not_take_the_room_of_the_next() {
    let Some(disk) = SmallDisk::new(2) else {
        eprintln!("skipped: no right to mount a small disk");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = disk.0.path().join("killed.mp4");
    fs::copy(unfinished(folder.path()), &path).unwrap();
    // Killed in the middle of it: there is no room for another.
    let beside = disk.0.path().join("killed.mp4.tmp");
    fs::File::create(&beside).unwrap().write_all(&[0xA5; 4 << 20]).unwrap_err();
    assert!(fs::metadata(&beside).unwrap().len() > 1 << 20);
    assert!(recover(&path).unwrap().is_some());
    assert_eq!(boxes(&path)[..2], ["ftyp", "moov"], "a plain file");
    assert!(!boxes(&path).contains(&"moof".to_owned()) && !beside.exists());
    look(&path).assert_sound(4.0);
}

#[test]
fn what_is_no_unfinished_recording_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.mp4");
    assert!(recover(&path).is_err(), "no such file");
    let moov = fs::read(unfinished(folder.path())).unwrap();
    let init = moov.windows(4).position(|w| w == b"moof").unwrap() - 4;
    for content in [&b""[..], b"no mp4 at all", &[0; 64], &[0xFF; 64], &moov[..init], &moov[..init - 7]] {
        fs::write(&path, content).unwrap();
        assert!(recover(&path).unwrap().is_none());
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn an_existing_file_is_replaced_only_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.mp4");
    fs::write(&path, "precious").unwrap();
    let start = |path: &Path, overwrite| RecordingSink::start(path, overwrite, LOW_LATENCY.config.clone(), |_| {});
    assert!(matches!(start(&path, false), Err(RecordError::Exists)));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    let sink = start(&path, true).unwrap();
    assert!(matches!(start(&path, true), Err(RecordError::Unwritable(_))), "two recordings into one file");
    sink.finish(LIMIT);
    assert!(!path.exists(), "not one picture came: no empty file is left");
    assert!(matches!(start(&folder.path().join("no/such/folder.mp4"), false), Err(RecordError::Unwritable(_))));
    assert!(matches!(start(folder.path(), true), Err(RecordError::Unwritable(_))));
}

#[test]
fn a_full_disk_ends_the_recording_and_keeps_it() {
    let Some(disk) = SmallDisk::new(2) else {
        eprintln!("skipped: no right to mount a small disk");
        return;
    };
    let clip = &*WITH_B_FRAMES;
    let path = disk.0.path().join("full.mp4");
    let (sink, events) = record(&path, clip);
    // More than fits, less than the queue holds.
    for (_, packet) in clip.packets(26.0) {
        sink.push(packet);
    }
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::Started));
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::DiskLow { minutes: 0 }));
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::DiskTight { percent: 50, minutes: 0 }), "asked for less before it stops");
    assert_eq!(events.recv_timeout(LIMIT), Ok(FileEvent::DiskFull));
    assert_eq!(sink.disk_minutes(), Some(0));
    sink.finish(LIMIT);
    let seen = look(&path);
    assert!(seen.pictures.len() > 300, "what fitted is there: {} pictures", seen.pictures.len());
    seen.assert_sound(seen.pictures.len() as f64 / 30.0);

    fs::File::create(disk.0.path().join("filler")).unwrap().write_all(&[0; 4 << 20]).unwrap_err();
    let start = RecordingSink::start(&disk.0.path().join("second.mp4"), false, clip.config.clone(), |_| {});
    assert!(matches!(start, Err(RecordError::DiskFull)), "no room to begin");
}
