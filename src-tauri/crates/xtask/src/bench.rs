//! `bench`: the promises in milliseconds and CPU seconds, measured here and now.

use crate::{build, sh, system};

/// The measure that needs nothing but the database.
const STORE: &str = "store";
/// Those that need nothing but the media process.
const ENGINE: [&str; 2] = ["preview", "clean"];
/// The end of a long recording.
const RECORDING: &str = "recording";

/// Builds the release binary and runs the measuring programs of `tests/`, then those of the media process, the recording and the database.
pub fn run(names: &[String]) -> anyhow::Result<()> {
    let (mut engine, rest): (Vec<&String>, Vec<&String>) = names.iter().partition(|n| ENGINE.contains(&n.as_str()));
    // The first preview and what it costs are of the media side too, and measured beside the media process.
    let preview = ENGINE[0].to_owned();
    if names.iter().any(|n| n == "media") && !engine.contains(&&preview) {
        engine.push(&preview);
    }
    let others: Vec<&String> = rest.iter().copied().filter(|n| *n != STORE && *n != RECORDING).collect();
    // What was not kept is said at the end: the other figures are wanted all the same.
    let mut outcome = Ok(());
    if names.is_empty() || !others.is_empty() {
        outcome = program(&others);
    }
    if names.is_empty() || !engine.is_empty() {
        outcome = outcome.and(example("stallcast-engine", "bench_engine", &engine));
    }
    if names.is_empty() || rest.iter().any(|n| *n == RECORDING) {
        outcome = outcome.and(example("stallcast-broadcast", "bench_recording", &[]));
    }
    // First synchronisation and questions to a million orders.
    if names.is_empty() || rest.iter().any(|n| *n == STORE) {
        outcome = outcome.and(example("stallcast-store", "bench_store", &[]));
    }
    outcome
}

fn program(names: &[&String]) -> anyhow::Result<()> {
    system::for_test()?;
    let binary = build::all(true)?;
    let mut command =
        sh::cmd("cargo", &["run", "--quiet", "--locked", "--release", "--package", "stallcast-testing", "--bin", "bench", "--"]);
    command.args(names).env("STALLCAST_BIN", binary);
    sh::must(command)
}

/// A measuring program that stands beside what it measures.
fn example(package: &str, name: &str, names: &[&String]) -> anyhow::Result<()> {
    let words = ["run", "--quiet", "--locked", "--release", "--package", package, "--example", name, "--"];
    let mut command = sh::cmd("cargo", &words);
    command.args(names);
    sh::must(command)
}
