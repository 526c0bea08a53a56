//! The plain file says of every sample what the fragments said, as ffprobe reads both.
#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use stallcast_broadcast::{RecordingSink, recover};
use stallcast_media::{Packet, Track};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;
use support::clip::Clip;

const LIMIT: Duration = Duration::from_secs(10);
const WITH_B_FRAMES: usize = 0;

static CLIPS: LazyLock<[Clip; 2]> = LazyLock::new(|| [Clip::new(2, 60, 300), Clip::new(0, 60, 300)]);

/// The fragments of a recording of what `keep` lets through of ten seconds.
fn unfinished(folder: &Path, clip: usize, keep: impl Fn(&Packet) -> bool) -> PathBuf {
    let (running, fragments) = (folder.join("running.mp4"), folder.join("fragments.mp4"));
    let clip = &CLIPS[clip];
    let sink = RecordingSink::start(&running, false, clip.config.clone(), |_| {}).unwrap();
    // The plain file takes the other's name; under this one the fragments stay, the last of them too.
    fs::hard_link(&running, &fragments).unwrap();
    clip.packets(10.0).filter(|(_, p)| keep(p)).for_each(|(_, packet)| sink.push(packet));
    sink.finish(LIMIT);
    fragments
}

/// Times, flags, size and digest of every packet, track by track in decoding order, and the length of each track.
fn packets(path: &Path) -> Vec<String> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-show_packets", "-show_data_hash", "md5", "-of", "compact"])
        .args(["-show_entries", "packet=stream_index,dts,pts,size,flags,data_hash"])
        .arg(path)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    // The words about samples to skip stand between a packet and its digest, which then begins a line.
    let text = String::from_utf8_lossy(&out.stdout).replace("\n|data_hash", "|data_hash");
    let wanted =
        |field: &&str| ["stream_index=", "dts=", "pts=", "size=", "flags=", "data_hash="].iter().any(|name| field.starts_with(name));
    // Of fragments ffprobe does not say that what lies before the edit is not heard.
    let text = text.replace("flags=KD", "flags=K_").replace("flags=_D", "flags=__");
    let packets = text.lines().filter(|line| line.starts_with("packet|"));
    let mut lines: Vec<String> = packets.map(|line| line.split('|').filter(wanted).collect::<Vec<_>>().join(" ")).collect();
    // Stable: within a track the order of the file stays.
    lines.sort_by_key(|line| line.split(' ').next().map(str::to_owned));
    lines
}

fn same(clip: usize, keep: impl Fn(&Packet) -> bool) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = unfinished(folder.path(), clip, keep);
    let before = packets(&path);
    assert!(recover(&path).unwrap().is_some());
    let after = packets(&path);
    assert!(!before.is_empty());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), after.len());
    after
}

fn ms(packet: &Packet) -> i64 {
    packet.pts.as_ms()
}

#[test]
fn every_packet_stays_as_it_was() {
    for clip in 0..CLIPS.len() {
        let all = same(clip, |_| true);
        assert!(all.len() > 700, "{}", all.len());
    }
}

#[test]
fn holes_and_late_beginnings_stay_as_they_were() {
    let is = |p: &Packet, track, from, to| p.track == track && (from..to).contains(&ms(p));
    for clip in 0..CLIPS.len() {
        same(clip, |p| ms(p) > 2500);
        same(clip, |p| !is(p, Track::Audio, 3000, 5000));
        same(clip, |p| !is(p, Track::Audio, -100, 1300));
        same(clip, |p| !is(p, Track::Video, 3200, 6000));
        same(clip, |p| p.track == Track::Video);
    }
}

/// A recording begins with a keyframe: one that never came leaves no file, and what a killed process leaves of it is
/// no recording.
#[test]
fn without_a_keyframe_there_is_nothing_to_keep() {
    nothing_to_keep(|p| p.track == Track::Audio);
    nothing_to_keep(|p| p.track == Track::Audio || !p.keyframe);
}

fn nothing_to_keep(keep: impl Fn(&Packet) -> bool) {
    let folder = tempfile::tempdir().unwrap();
    let left = unfinished(folder.path(), WITH_B_FRAMES, keep);
    assert!(!folder.path().join("running.mp4").exists());
    assert_eq!(fs::metadata(&left).unwrap().len(), 0);
    assert_eq!(recover(&left).unwrap(), None);
}

/// A recording of another program, or a damaged disk.
#[test]
fn damaged_fragments_are_refused_or_copied_and_never_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = unfinished(folder.path(), WITH_B_FRAMES, |p| ms(p) < 3000);
    let whole = fs::read(&path).unwrap();
    let heads: Vec<usize> = [&b"moov"[..], b"moof"].iter().flat_map(|kind| places(&whole, kind)).collect();
    let (mut refused, mut plain) = (0, 0);
    let damage = (prop::sample::select(heads), 8..400_usize, prop::sample::select(vec![0x00_u8, 0x01, 0x7F, 0x80, 0xFF]));
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..400 {
        let (head, at, byte) = damage.new_tree(&mut runner).unwrap().current();
        let mut bytes = whole.clone();
        bytes[head + at] = byte;
        fs::write(&path, &bytes).unwrap();
        match recover(&path) {
            Ok(Some(_)) => plain += 1,
            Ok(None) => {}
            Err(e) => {
                assert_eq!(e.kind(), std::io::ErrorKind::InvalidData, "{e}");
                refused += 1;
                let kept = fs::read(&path).unwrap();
                assert!(bytes.starts_with(&kept) && kept.len() > whole.len() / 2, "{} of {}", kept.len(), whole.len());
            }
        }
        assert!(!folder.path().join("fragments.mp4.tmp").exists());
    }
    assert!(refused > 20 && plain > 20, "{refused} refused, {plain} plain: the damage is not what it was meant to be");
}

fn places(bytes: &[u8], kind: &[u8]) -> Vec<usize> {
    bytes.windows(4).enumerate().filter(|(_, four)| *four == kind).map(|(at, _)| at).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_lost_the_rest_stays_as_it_was(
        begin in 0..4000_i64,
        holes in prop::collection::vec((any::<bool>(), 0..10_000_i64, 10..2500_i64), 0..6),
    ) {
        let hole = |p: &Packet| holes.iter().any(|(s, at, length)| *s == (p.track == Track::Audio) && (*at..at + length).contains(&ms(p)));
        let keep = |p: &Packet| ms(p) >= begin && !hole(p);
        if CLIPS[WITH_B_FRAMES].packets(10.0).any(|(_, p)| p.keyframe && p.track == Track::Video && keep(&p)) {
            same(WITH_B_FRAMES, keep);
        } else {
            nothing_to_keep(keep);
        }
    }
}
