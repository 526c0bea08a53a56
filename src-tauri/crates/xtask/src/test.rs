//! `test`: everything, suite by suite, with the time each took.

use crate::{build, sh, system};
use anyhow::bail;
use std::time::{Duration, Instant};

type Suite = (&'static str, fn() -> anyhow::Result<()>);

/// In the order in which they run: cheap first, so that a mistake shows early.
const SUITES: &[Suite] = &[
    ("packages", system::for_test),
    ("format", format),
    ("ui", ui),
    ("build", compile),
    ("crates", crates),
    ("program", program),
    ("window", window),
];

/// Runs all suites, or those named; what others need (packages, build) always runs.
pub fn run(names: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = names.iter().find(|n| !SUITES.iter().any(|(s, _)| s == n)) {
        let known: Vec<&str> = SUITES.iter().map(|(s, _)| *s).collect();
        bail!("no suite {unknown}; there are: {}", known.join(", "));
    }
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let start = Instant::now();
    for (name, suite) in SUITES {
        let needed = matches!(*name, "packages" | "build");
        if !names.is_empty() && !needed && !names.iter().any(|n| n == name) {
            continue;
        }
        eprintln!("\n==== {name}");
        let begun = Instant::now();
        let outcome = suite();
        times.push((name, begun.elapsed()));
        if let Err(error) = outcome {
            print(&times, start.elapsed());
            return Err(error.context(format!("suite {name}")));
        }
    }
    print(&times, start.elapsed());
    Ok(())
}

fn print(times: &[(&str, Duration)], all: Duration) {
    println!();
    for (name, time) in times {
        println!("{name:>10} {:>7.1} s", time.as_secs_f64());
    }
    println!("{:>10} {:>7.1} s", "all", all.as_secs_f64());
}

fn format() -> anyhow::Result<()> {
    sh::must(sh::cmd("cargo", &["fmt", "--all", "--check"]))
}

fn ui() -> anyhow::Result<()> {
    build::npm_packages()?;
    build::npm(&["check"])?;
    build::npm(&["test"])?;
    build::npm(&["build"])
}

fn compile() -> anyhow::Result<()> {
    if !sh::root().join("ui/dist/index.html").is_file() {
        build::ui()?;
    }
    // One feature set for the binary and the tests: nothing is compiled twice.
    sh::must(sh::cmd("cargo", &["build", "--locked", "--workspace", "--all-targets"]))
}

/// Unit and integration tests of every crate.
fn crates() -> anyhow::Result<()> {
    cargo_test("crates", &["--workspace", "--exclude", "stallcast"], "not (package(stallcast))")
}

/// Whole-program tests without a window.
fn program() -> anyhow::Result<()> {
    cargo_test("program", &["--package", "stallcast"], "package(stallcast) and not binary(window)")
}

/// The real window and the viewer page in a real browser.
fn window() -> anyhow::Result<()> {
    cargo_test("window", &["--package", "stallcast", "--test", "window"], "package(stallcast) and binary(window)")
}

fn cargo_test(suite: &str, packages: &[&str], filter: &str) -> anyhow::Result<()> {
    if sh::has("cargo-nextest") {
        return sh::must(sh::cmd("cargo", &["nextest", "run", "--locked", "--workspace", "--no-fail-fast", "-E", filter]));
    }
    let mut args = vec!["test", "--locked", "--no-fail-fast"];
    args.extend(packages);
    if suite == "program" {
        args.extend(["--lib", "--test", "*"]);
    }
    if suite != "crates" {
        args.extend(["--", "--test-threads=1"]);
    }
    sh::must(sh::cmd("cargo", &args))
}
