//! The H.264 encoder against an independent decoder.
#![expect(clippy::expect_used, reason = "tests")]

mod support;

use stallcast_libav::{VideoEncoder, VideoSettings};
use stallcast_media::{Canvas, FramePool, Packet, Pts};
use std::collections::HashSet;
use support::{annex_b, decode, moving, noise, probe, psnr};

const CANVAS: Canvas = Canvas { width: 320, height: 180, fps: 30 };
const SETTINGS: VideoSettings = VideoSettings { canvas: CANVAS, kbps: 1500, low_latency: false, keyframe_s: 2, b_frames: 2 };

fn tick(pts: Pts) -> i64 {
    pts.as_ticks(CANVAS.fps)
}

/// Encodes ticks; the ones named in `keyframes` with a wish.
fn encode(encoder: &mut VideoEncoder, ticks: impl IntoIterator<Item = i64>, keyframes: &[i64]) -> Vec<Packet> {
    let mut packets = vec![];
    for n in ticks {
        packets.extend(encoder.encode(&moving(CANVAS, n), keyframes.contains(&n)).expect("encodes"));
    }
    packets.extend(encoder.finish().expect("finishes"));
    packets
}

fn assert_in_order(packets: &[Packet]) {
    assert!(packets.windows(2).all(|pair| pair[0].dts < pair[1].dts), "decoding instants must rise");
    assert!(packets.iter().all(|p| p.pts >= p.dts), "nothing is shown before it is decoded");
}

fn keyframes(packets: &[Packet]) -> Vec<i64> {
    packets.iter().filter(|p| p.keyframe).map(|p| tick(p.pts)).collect()
}

#[test]
fn what_goes_in_comes_out() {
    let mut encoder = VideoEncoder::open(&SETTINGS).expect("opens");
    let packets = encode(&mut encoder, 0..150, &[]);
    assert_in_order(&packets);
    assert_eq!(tick(packets[0].dts), -2, "two B-frames start two frames early");
    assert_eq!(packets[0].pts, Pts(0));
    let shown: HashSet<i64> = packets.iter().map(|p| tick(p.pts)).collect();
    assert_eq!(shown, (0..150).collect(), "every tick once");
    assert_eq!(packets.iter().map(|p| p.duration).sum::<i64>(), 5_000_000_000);
    let stream = annex_b(&encoder.config().avcc, &packets);
    let pictures = decode(&stream, CANVAS);
    assert_eq!(pictures.len(), 150);
    for (n, picture) in pictures.iter().enumerate() {
        let quality = psnr(picture, &moving(CANVAS, n as i64).bytes());
        assert!(quality > 32.0, "frame {n}: {quality:.1} dB");
    }
    let said = probe(&["-f", "h264", "-show_streams", "-"], &stream);
    for line in
        ["profile=High", "width=320", "height=180", "color_range=tv", "color_space=bt709", "color_transfer=bt709", "color_primaries=bt709"]
    {
        assert!(said.lines().any(|l| l == line), "{line} is missing in {said}");
    }
}

#[test]
fn groups_last_two_seconds_and_stand_alone() {
    let mut encoder = VideoEncoder::open(&SETTINGS).expect("opens");
    let packets = encode(&mut encoder, 0..180, &[]);
    assert_eq!(keyframes(&packets), [0, 60, 120]);
    let whole = decode(&annex_b(&encoder.config().avcc, &packets), CANVAS);
    let second = packets.iter().position(|p| p.keyframe && tick(p.pts) == 60).expect("there is a second group");
    assert!(packets[..second].iter().all(|p| tick(p.pts) < 60) && packets[second..].iter().all(|p| tick(p.pts) >= 60), "closed groups");
    let from_second = decode(&annex_b(&encoder.config().avcc, &packets[second..]), CANVAS);
    assert!(from_second == whole[60..], "a viewer who joins there sees the same pictures");
}

#[test]
fn a_keyframe_comes_where_it_is_asked_for() {
    let mut encoder = VideoEncoder::open(&SETTINGS).expect("opens");
    let packets = encode(&mut encoder, 0..150, &[25, 26]);
    assert_in_order(&packets);
    assert_eq!(keyframes(&packets), [0, 25, 26, 86, 146]);
}

#[test]
fn disposable_packets_can_be_left_out() {
    let mut encoder = VideoEncoder::open(&SETTINGS).expect("opens");
    let packets = encode(&mut encoder, 0..90, &[]);
    let kept: Vec<&Packet> = packets.iter().filter(|p| !p.disposable).collect();
    assert!((30..80).contains(&kept.len()), "some B-frames: {} of 90 kept", kept.len());
    assert!(packets.iter().all(|p| !(p.keyframe && p.disposable)));
    let whole = decode(&annex_b(&encoder.config().avcc, &packets), CANVAS);
    let mut shown: Vec<i64> = kept.iter().map(|p| tick(p.pts)).collect();
    shown.sort_unstable();
    let pictures = decode(&annex_b(&encoder.config().avcc, kept), CANVAS);
    assert_eq!(pictures.len(), shown.len());
    assert!(shown.iter().zip(&pictures).all(|(n, picture)| whole[*n as usize] == *picture), "the others do not change");
}

#[test]
fn holes_are_filled_and_long_ones_end_with_a_keyframe() {
    let mut encoder = VideoEncoder::open(&SETTINGS).expect("opens");
    // Seven ticks without a frame; three late frames for one tick; then three seconds of nothing.
    let ticks = (0..20).chain(27..40).chain([39, 38, 39]).chain(40..50).chain(140..160);
    let packets = encode(&mut encoder, ticks, &[]);
    assert_in_order(&packets);
    let mut shown: Vec<i64> = packets.iter().map(|p| tick(p.pts)).collect();
    shown.sort_unstable();
    assert_eq!(shown, (0..50).chain(140..160).collect::<Vec<_>>());
    assert_eq!(keyframes(&packets), [0, 140]);
    let pictures = decode(&annex_b(&encoder.config().avcc, &packets), CANVAS);
    for (n, picture) in pictures.iter().enumerate().take(27).skip(20) {
        assert!(psnr(picture, &moving(CANVAS, 19).bytes()) > 32.0, "tick {n} shows the picture before");
    }
}

#[test]
fn a_wish_for_a_keyframe_outlives_a_frame_that_is_left_out() {
    let mut encoder = VideoEncoder::open(&SETTINGS).expect("opens");
    let mut packets = vec![];
    for (n, wish) in [(0, false), (1, false), (2, false), (2, true), (3, false), (4, false)] {
        packets.extend(encoder.encode(&moving(CANVAS, n), wish).expect("encodes"));
    }
    packets.extend(encoder.finish().expect("finishes"));
    assert_eq!(keyframes(&packets), [0, 3]);
}

#[test]
fn the_rate_follows_at_once() {
    let mut encoder = VideoEncoder::open(&VideoSettings { kbps: 3000, ..SETTINGS }).expect("opens");
    let mut packets = vec![];
    for n in 0..360 {
        match n {
            120 => encoder.set_kbps(800),
            240 => encoder.set_kbps(3000),
            _ => {}
        }
        packets.extend(encoder.encode(&noise(CANVAS, n, 1), false).expect("encodes"));
    }
    packets.extend(encoder.finish().expect("finishes"));
    assert_eq!(encoder.config().kbps, 3000);
    // The first second after a change holds what was in the look-ahead.
    let kbps = |from: i64, to: i64| {
        let bits: usize = packets.iter().filter(|p| (from..to).contains(&tick(p.pts))).map(|p| p.payload.len() * 8).sum();
        bits as f64 / 1000.0 / ((to - from) as f64 / 30.0)
    };
    let (high, low, again) = (kbps(60, 120), kbps(150, 240), kbps(270, 360));
    assert!((2100.0..3600.0).contains(&high), "{high:.0} kbit/s of 3000");
    assert!((600.0..1000.0).contains(&low), "{low:.0} kbit/s of 800");
    assert!((2100.0..3600.0).contains(&again), "{again:.0} kbit/s of 3000 again");
}

#[test]
fn a_change_of_scene_neither_makes_a_keyframe_nor_bursts_the_link() {
    let mut encoder = VideoEncoder::open(&VideoSettings { kbps: 3000, ..SETTINGS }).expect("opens");
    encoder.set_kbps(800);
    let mut packets = vec![];
    for n in 0..180 {
        // A still picture, then noise that would need many times the rate.
        let frame = if n < 75 { moving(CANVAS, 0).at(CANVAS.frame_pts(n)) } else { noise(CANVAS, n, 3) };
        packets.extend(encoder.encode(&frame, false).expect("encodes"));
    }
    packets.extend(encoder.finish().expect("finishes"));
    assert_eq!(keyframes(&packets), [0, 60, 120]);
    // What the buffer holds and one second of the rate.
    for second in packets.windows(30) {
        let kbit = second.iter().map(|p| p.payload.len() * 8).sum::<usize>() as f64 / 1000.0;
        assert!(kbit < 1.05 * 1600.0, "{kbit:.0} kbit in one second from {:?}", second[0].dts);
    }
}

#[test]
fn low_latency_holds_nothing_back() {
    let mut encoder = VideoEncoder::open(&VideoSettings { low_latency: true, ..SETTINGS }).expect("opens");
    for n in 0..70 {
        let packets = encoder.encode(&moving(CANVAS, n), false).expect("encodes");
        assert_eq!(packets.len(), 1, "frame {n}");
        assert_eq!((packets[0].pts, packets[0].dts), (CANVAS.frame_pts(n), CANVAS.frame_pts(n)));
        assert_eq!(packets[0].keyframe, n % 60 == 0);
    }
}

#[test]
fn a_platform_may_ask_for_a_keyframe_each_second_and_no_b_frames() {
    let mut encoder = VideoEncoder::open(&VideoSettings { keyframe_s: 1, b_frames: 0, ..SETTINGS }).expect("opens");
    let mut packets = vec![];
    for n in 0..100 {
        packets.extend(encoder.encode(&moving(CANVAS, n), false).expect("encodes"));
    }
    packets.extend(encoder.finish().expect("finishes"));
    assert_eq!(keyframes(&packets), [0, 30, 60, 90]);
    assert!(packets.iter().all(|p| p.pts == p.dts), "a B-frame");
}

#[test]
fn frames_are_not_copied_and_come_home() {
    let pool = FramePool::new(200);
    let mut addresses = HashSet::new();
    let mut encoder = VideoEncoder::open(&SETTINGS).expect("opens");
    for n in 0..40 {
        let picture = moving(CANVAS, n);
        let mut buffer = pool.take(picture.bytes().len());
        buffer.bytes.copy_from_slice(&picture.bytes());
        addresses.insert(buffer.bytes.as_ptr() as usize);
        let frame = stallcast_media::Frame::new(picture.format, picture.pts, false, buffer);
        encoder.encode(&frame, false).expect("encodes");
    }
    drop(encoder);
    let idle: Vec<_> = (0..addresses.len()).map(|_| pool.take(1)).collect();
    let back: HashSet<usize> = idle.iter().map(|b| b.bytes.as_ptr() as usize).collect();
    assert_eq!(back, addresses, "nothing is held for ever");
}

#[test]
fn strangers_are_refused() {
    let mut encoder = VideoEncoder::open(&SETTINGS).expect("opens");
    let other = Canvas { width: 160, ..CANVAS };
    assert!(encoder.encode(&moving(other, 0), false).is_err());
    assert!(encoder.finish().is_ok_and(|packets| packets.is_empty()));
    assert!(encoder.encode(&moving(CANVAS, 0), false).is_err(), "ended");
    assert!(VideoEncoder::open(&VideoSettings { canvas: Canvas { width: 321, ..CANVAS }, ..SETTINGS }).is_err());
}
