//! The AAC encoder against an independent decoder.
#![expect(clippy::expect_used, reason = "tests")]

mod support;

use stallcast_libav::AudioEncoder;
use stallcast_media::{AudioBlock, Packet, Pts, SAMPLE_RATE};
use support::decode_aac;

fn block(at: i64, channels: u16, samples: Vec<f32>) -> AudioBlock {
    AudioBlock { pts: Pts::from_ticks(at, SAMPLE_RATE), rate: SAMPLE_RATE, channels, samples }
}

/// Silence with a short click at sample `click`, in blocks of 1024.
fn clicks(click: i64, channels: u16) -> impl Iterator<Item = AudioBlock> {
    (0..94).map(move |n| {
        let samples =
            (0..1024).flat_map(|i| vec![if (0..24).contains(&(n * 1024 + i - click)) { 0.8 } else { 0.0 }; channels.into()]).collect();
        block(n * 1024, channels, samples)
    })
}

fn encode(encoder: &mut AudioEncoder, blocks: impl IntoIterator<Item = AudioBlock>) -> Vec<Packet> {
    let mut packets = vec![];
    for block in blocks {
        packets.extend(encoder.encode(&block).expect("encodes"));
    }
    packets.extend(encoder.finish().expect("finishes"));
    packets
}

/// Middle of the loud samples on the program's time line, in samples.
fn click_at(packets: &[Packet], channel: usize) -> i64 {
    let samples = decode_aac(packets);
    let loud: Vec<i64> = (0_i64..).zip(&samples).filter(|(_, s)| s[channel].abs() > 0.4).map(|(n, _)| n).collect();
    let (first, last) = (*loud.first().expect("a click"), *loud.last().expect("a click"));
    assert!(last - first < 48, "one click: {first} to {last}");
    i64::midpoint(first, last) + packets[0].pts.as_ticks(SAMPLE_RATE)
}

#[test]
fn a_click_stays_in_its_place() {
    for channels in [1, 2] {
        let mut encoder = AudioEncoder::open(160).expect("opens");
        let packets = encode(&mut encoder, clicks(30_000, channels));
        let config = encoder.config();
        assert_eq!((config.rate, config.channels, config.priming), (48_000, 2, 1024));
        assert_eq!(config.asc[..2], [0x11, 0x90], "AAC-LC, 48 kHz, stereo");
        assert_eq!(packets[0].pts.as_ticks(SAMPLE_RATE), -1024, "priming lies before the program");
        assert!(packets.windows(2).all(|p| p[1].pts.as_ticks(SAMPLE_RATE) - p[0].pts.as_ticks(SAMPLE_RATE) == 1024));
        assert!(packets.windows(2).all(|p| p[0].pts + p[0].duration == p[1].pts));
        for channel in 0..2 {
            let off = click_at(&packets, channel) - 30_012;
            assert!(off.abs() <= 48, "{channels} channels: off by {off} samples");
        }
    }
}

#[test]
fn holes_and_overlaps_do_not_move_the_rest() {
    let mut encoder = AudioEncoder::open(160).expect("opens");
    // Block 10 is missing, the click comes, block 80 comes twice; all stamps are a little off.
    let blocks = clicks(60_000, 2).enumerate().filter(|(n, _)| *n != 10).flat_map(|(n, mut b)| {
        b.pts.0 += if n % 2 == 0 { 300_000 } else { -300_000 };
        if n == 80 { vec![b.clone(), b] } else { vec![b] }
    });
    let packets = encode(&mut encoder, blocks);
    assert!(packets.windows(2).all(|p| p[0].pts + p[0].duration == p[1].pts), "silence instead of a hole");
    assert_eq!(packets.len(), 95);
    let off = click_at(&packets, 0) - 60_012;
    assert!(off.abs() <= 48, "off by {off} samples");
}

#[test]
fn a_long_hole_stays_one() {
    let mut encoder = AudioEncoder::open(160).expect("opens");
    let packets = encode(&mut encoder, [block(0, 2, vec![0.1; 3000]), block(480_000, 2, vec![0.1; 2048])]);
    let starts: Vec<i64> = packets.iter().map(|p| p.pts.as_ticks(SAMPLE_RATE)).collect();
    assert!(starts.windows(2).all(|p| p[0] < p[1]), "{starts:?}");
    assert!(packets.len() < 10, "{starts:?}");
    assert!(starts.iter().any(|s| *s >= 480_000 - 1024), "{starts:?}");
}

#[test]
fn what_is_no_sound_is_silence_or_refused() {
    let mut encoder = AudioEncoder::open(160).expect("opens");
    let packets = encode(&mut encoder, [block(0, 2, vec![f32::NAN; 4096]), block(2048, 2, vec![f32::INFINITY; 4096])]);
    assert!(decode_aac(&packets).iter().flatten().all(|s| s.abs() < 0.01));
    assert!(encoder.encode(&block(0, 2, vec![0.0; 2048])).is_err(), "ended");
    let mut encoder = AudioEncoder::open(160).expect("opens");
    assert!(encoder.encode(&AudioBlock { rate: 44_100, ..block(0, 2, vec![0.0; 2048]) }).is_err());
    assert!(encoder.encode(&block(0, 6, vec![0.0; 2048])).is_err());
    assert!(encoder.encode(&block(0, 2, vec![])).is_ok_and(|p| p.is_empty()));
    assert!(encoder.finish().is_ok());
}

/// Something like a voice: a buzz whose pitch and loudness move, with consonants of noise; at sample `n` of one of two
/// speakers.
fn voice(n: i64, speaker: f64) -> f32 {
    use std::f64::consts::TAU;
    let t = n as f64 / 48_000.0;
    let loud = (0.5 - 0.5 * (TAU * 2.5 * t + speaker).cos()).powi(2);
    let phase = TAU * (150.0 * speaker) * t + 3.0 * (TAU * 0.7 * t).sin();
    let buzz: f64 = (1..12).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
    let hiss = f64::from((n.wrapping_mul(7_919).wrapping_mul(n ^ 12_345) >> 7) as i16) / 32_768.0;
    (0.2 * loud * buzz + 0.04 * (1.0 - loud) * hiss) as f32
}

/// Encoded and decoded again: for each of the two channels how loud what was added is against what it was, dB, by frame.
fn damage(sound: impl Fn(i64) -> [f32; 2], frames: i64) -> (Vec<Packet>, [Vec<f64>; 2]) {
    let mut encoder = AudioEncoder::open(128).expect("opens");
    let blocks = (0..frames).map(|n| block(n * 1024, 2, (0..1024).flat_map(|i| sound(n * 1024 + i)).collect()));
    let packets = encode(&mut encoder, blocks);
    let decoded = decode_aac(&packets);
    // The priming is decoded too.
    let frame = |n: i64, channel: usize| {
        let (mut noise, mut signal) = (1e-9, 1e-9);
        for i in n * 1024..(n + 1) * 1024 {
            let (is, was) = (f64::from(decoded[i as usize + 1024][channel]), f64::from(sound(i)[channel]));
            noise += (is - was).powi(2);
            signal += was.powi(2);
        }
        10.0 * f64::log10(noise / signal)
    };
    let channel = |c| (0..frames - 1).map(|n| frame(n, c)).collect();
    (packets, [channel(0), channel(1)])
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn one_microphone_is_heard_on_both_sides_with_all_the_bits() {
    let (packets, [left, right]) = damage(|n| [voice(n, 1.0); 2], 400);
    assert!(packets.iter().all(|p| p.payload[0] >> 5 == 1 || p.payload[0] >> 5 == 6), "every frame is a pair of channels");
    assert_eq!(left, right, "the same on both sides");
    let (_, [of_two, _]) = damage(|n| [voice(n, 1.0), if n == 1024 { 0.000_1 } else { voice(n, 1.0) * 0.999 }], 400);
    assert!(mean(&left) < mean(&of_two) - 1.0, "{:.1} dB alone, {:.1} dB as one of two", mean(&left), mean(&of_two));
    let bits = packets.iter().map(|p| p.payload.len() * 8).sum::<usize>() as f64 / (packets.len() as f64 * 1024.0 / 48_000.0);
    assert!((100_000.0..140_000.0).contains(&bits), "{bits:.0} bit/s");
}

#[test]
fn where_the_sides_part_and_meet_again_nothing_is_heard_of_it() {
    // One voice for 2 s; 1 s of two; one again for 4 s; two to the end.
    let two = |n: i64| (96_300..144_200).contains(&n) || n > 336_700;
    let sound = |n| [voice(n, 1.0), if two(n) { voice(n, 1.7) } else { voice(n, 1.0) }];
    let (packets, sides) = damage(sound, 400);
    assert!(packets.windows(2).all(|p| p[0].pts + p[0].duration == p[1].pts), "none is missing, none comes twice");
    assert_eq!(packets.len(), 401);
    let (_, always) = damage(as_pair(sound), 400);
    for (side, always) in sides.iter().zip(&always) {
        for (n, (db, of_pair)) in side.iter().zip(always).enumerate() {
            // What is alike has other bits when it is encoded once.
            assert!(*db < of_pair.max(-6.0) + SEAM, "frame {n}: {db:.1} dB, {of_pair:.1} by an encoder of both alone");
        }
    }
    let alone = |frames: std::ops::Range<usize>| frames.filter(|n| sides[0][*n] == sides[1][*n]).count();
    assert_eq!((alone(10..90), alone(100..138), alone(240..320), alone(335..390)), (80, 0, 80, 0), "encoded once where they are the same");
}

/// What a change of encoders may add, dB.
const SEAM: f64 = 3.0;

/// The same for an encoder that never takes the sides for alike: in each frame one sample differs by nothing that is heard.
fn as_pair(sound: impl Fn(i64) -> [f32; 2]) -> impl Fn(i64) -> [f32; 2] {
    move |n| {
        let [left, right] = sound(n);
        [left, if n % 1024 == 0 { right + 1e-6 } else { right }]
    }
}

/// A drum, a few times a second: the encoder has to change its windows for it.
fn drum(n: i64) -> f32 {
    let since = n.rem_euclid(7_001);
    let noise = f64::from((n.wrapping_mul(7_919).wrapping_mul(n ^ 54_321) >> 7) as i16) / 32_768.0;
    (0.5 * noise * (-(since as f64) / 700.0).exp()) as f32
}

#[test]
fn wherever_in_a_frame_the_sides_part_the_right_one_is_heard_at_once() {
    const FRAMES: i64 = 70;
    let all = |speaker: f64| (0..FRAMES * 1024).map(|n| voice(n, speaker)).collect::<Vec<f32>>();
    let (one, other) = (all(1.0), all(1.7));
    // All of what was added in the quarter of a second in which they part, against the same by an encoder of both alone.
    let noise = |db: &[f64], first: usize| 10.0 * (first..first + 12).map(|n| 10.0_f64.powf(db[n] / 10.0)).sum::<f64>().log10();
    for offset in 0..64 {
        let parts = 20_000 + offset * 333;
        let drums = if offset % 2 == 0 { drum } else { |_| 0.0 };
        let sound = |n: i64| [one[n as usize] + drums(n), if n < parts { &one } else { &other }[n as usize] + drums(n)];
        let ((_, changed), (_, always)) = (damage(sound, FRAMES), damage(as_pair(sound), FRAMES));
        let first = (parts / 1024) as usize;
        let added = [0, 1].map(|side| noise(&changed[side], first) - noise(&always[side], first));
        assert!(added.iter().all(|db| *db < 1.2), "parting at {parts}: {added:.1?} dB more");
    }
}

#[test]
fn a_loud_tone_stays_one() {
    for (hz, loud) in [(100.0, 0.84), (1000.0, 0.84), (1000.0, 0.5), (8000.0, 0.84)] {
        let tone = |n: i64| [(f64::from(n as i32) / 48_000.0 * hz * std::f64::consts::TAU).sin() as f32 * loud; 2];
        let (_, [left, right]) = damage(tone, 120);
        let worst = |side: &[f64]| side[10..].iter().copied().fold(f64::MIN, f64::max);
        assert!(worst(&left) < -40.0 && worst(&right) < -40.0, "{hz} Hz at {loud}: {:.1} dB, {:.1} dB", worst(&left), worst(&right));
    }
}

#[test]
fn one_side_alone_is_never_heard_on_the_other() {
    let (_, [_, right]) = damage(|n| [0.0, if n > 48_000 { voice(n, 1.0) } else { 0.0 }], 200);
    assert!(mean(&right[60..190]) < -10.0, "{:.1} dB", mean(&right[60..190]));
    let mut encoder = AudioEncoder::open(128).expect("opens");
    let blocks = (0..200).map(|n| {
        block(n * 1024, 2, (0..1024).flat_map(|i| [0.0, if n * 1024 + i > 48_000 { voice(n * 1024 + i, 1.0) } else { 0.0 }]).collect())
    });
    let decoded = decode_aac(&encode(&mut encoder, blocks));
    let loudest = decoded.iter().map(|s| s[0].abs()).fold(0.0, f32::max);
    assert!(loudest < 0.02, "{loudest} on the silent side");
}
