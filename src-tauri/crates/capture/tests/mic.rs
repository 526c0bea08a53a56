//! Microphones, against a sound server in user space. Timing is asserted on medians: shared machines have tails.
#![cfg(target_os = "linux")]

#[path = "support/microphone.rs"]
mod microphone;
#[path = "../examples/probe.rs"]
#[expect(dead_code, reason = "its main is for the command line")]
mod probe;
#[expect(dead_code, reason = "shared with the tests of cameras")]
mod support;

use microphone::Microphone;
use support::{Running, median, own_executable, probe_words, scripts};

const MS: i64 = 1_000_000;

/// Not a test of its own: the process that hears nothing but the imitation microphone.
#[test]
fn probe_child() {
    if let Some(words) = probe_words() {
        probe::run(&words);
    }
}

fn run(microphone: &Microphone, words: &str) -> Running {
    support::probe(microphone.command(&own_executable()), words)
}

/// Lines `block STAMP ARRIVAL FRAMES CHANNELS`.
fn blocks(run: &Running) -> Vec<[i64; 4]> {
    let parse = |line: &String| {
        let words: Vec<i64> = line.strip_prefix("block ")?.split(' ').filter_map(|word| word.parse().ok()).collect();
        words.try_into().ok()
    };
    run.seen.iter().filter_map(parse).collect()
}

#[test]
fn a_tone_is_heard_at_its_pitch_and_loudness_without_a_seam() {
    let mut microphone = Microphone::new();
    microphone.play(440, -6);
    let mut run = run(&microphone, "mic - 4");
    assert_eq!(run.end(), 0);
    let tone = run.seen.iter().find_map(|line| line.strip_prefix("tone ")).expect("a tone");
    let (hertz, amplitude) = tone.split_once(' ').expect("two numbers");
    let (hertz, amplitude): (f64, f64) = (hertz.parse().expect("a number"), amplitude.parse().expect("a number"));
    assert!((439.0..=441.0).contains(&hertz) && (0.48..=0.52).contains(&amplitude), "{tone}");
    let blocks = blocks(&run);
    let frames: i64 = blocks.iter().map(|b| b[2]).sum();
    assert!(frames > 3 * 48_000, "{frames} sample frames in 4 s");
    let holes: Vec<i64> =
        blocks.windows(2).map(|w| w[1][0] - w[0][0] - w[0][2] * 1_000_000_000 / 48_000).filter(|hole| hole.abs() > 1).collect();
    assert!(holes.is_empty(), "every block begins where the last one ended: {holes:?}");
    // The last sample of a block is at hand soon after it sounded.
    let age = median(blocks.iter().map(|b| b[1] - b[0] - b[2] * 1_000_000_000 / 48_000).collect()) / MS;
    assert!((-5..80).contains(&age), "{age} ms");
    assert_eq!(run.count("health"), 0);
}

#[test]
fn a_server_that_dies_is_lost_and_one_that_is_started_again_is_back() {
    let microphone = Microphone::new();
    let mut run = run(&microphone, "mic - 90");
    run.wait_for_many("block", 20);
    microphone.kill();
    assert!(run.wait_for("health").starts_with("health MicLost "));
    microphone.start();
    assert!(run.wait_for("health").starts_with("health MicBack "));
    run.wait_for_many("block", 20);
    let stamps: Vec<i64> = blocks(&run).iter().map(|b| b[0]).collect();
    assert!(stamps.windows(2).all(|w| w[1] > w[0]), "stamps rise over the loss");
}

#[test]
fn a_microphone_that_falls_silent_is_lost_until_it_delivers_again() {
    let microphone = Microphone::new();
    let mut run = run(&microphone, "mic - 90");
    run.wait_for_many("block", 20);
    microphone.pactl("suspend-source mic 1");
    run.wait_for("health MicLost");
    microphone.pactl("suspend-source mic 0");
    run.wait_for("health MicBack");
    run.wait_for_many("block", 20);
}

#[test]
fn without_a_server_it_is_missing_and_an_unknown_name_too() {
    let microphone = Microphone::new();
    assert!(run(&microphone, "mic no-such-microphone 1").wait_for("refused").starts_with("refused Missing"));
    microphone.kill();
    let mut run = run(&microphone, "mic - 1");
    assert!(run.wait_for("refused").starts_with("refused Missing"), "{:?}", run.seen);
    assert_eq!(run.end(), 3);
    assert!(scripts().join("start-mic.sh").exists());
}

#[test]
fn the_list_begins_with_the_default_and_spares_the_converters() {
    let microphone = Microphone::new();
    let mut listed = run(&microphone, "devices");
    assert_eq!(listed.end(), 0);
    let list: serde_json::Value = serde_json::from_str(&listed.seen[0]).expect("JSON");
    let ids: Vec<&str> = list["microphones"].as_array().expect("an array").iter().filter_map(|m| m["id"].as_str()).collect();
    assert_eq!(ids.first(), Some(&"alsa:default"), "{ids:?}");
    assert!(ids.iter().all(|id| !id.contains("rate") && !id.contains("null") && !id.contains("jack")), "{ids:?}");
    assert!(list["microphones"][0]["name"].as_str().is_some_and(|name| name.contains("PulseAudio")), "{list}");
    // And what is listed opens by its id.
    let mut opened = run(&microphone, "mic alsa:default 90");
    opened.wait_for("opened");
    opened.wait_for_many("block", 3);
}
