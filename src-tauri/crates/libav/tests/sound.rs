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
