//! `test`: everything, suite by suite, with the time each took.

use crate::{build, sh, system};
use anyhow::{Context as _, bail};
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

/// Test programs of `tests/` that need a browser; the others are the suite `program`.
const IN_A_BROWSER: [&str; 2] = ["viewer_page", "window"];

/// Runs all suites, or those named; what others need (packages, build) always runs.
pub fn run(names: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = names.iter().find(|n| !SUITES.iter().any(|(s, _)| s == n)) {
        let known: Vec<&str> = SUITES.iter().map(|(s, _)| *s).collect();
        bail!("no suite {unknown}; there are: {}", known.join(", "));
    }
    let mut times: Vec<(&str, Duration, bool)> = Vec::new();
    let mut first = None;
    let start = Instant::now();
    for (name, suite) in SUITES {
        let needed = matches!(*name, "packages" | "build");
        if !names.is_empty() && !needed && !names.iter().any(|n| n == name) {
            continue;
        }
        eprintln!("\n==== {name}");
        let begun = Instant::now();
        let outcome = suite();
        times.push((name, begun.elapsed(), outcome.is_ok()));
        if let Err(error) = outcome {
            let fatal = matches!(*name, "packages" | "build");
            first.get_or_insert(error.context(format!("suite {name}")));
            // Without these nothing else can run; every other failure leaves the rest worth knowing.
            if fatal {
                break;
            }
        }
    }
    println!();
    for (name, time, ok) in &times {
        println!("{name:>10} {:>7.1} s  {}", time.as_secs_f64(), if *ok { "ok" } else { "FAILED" });
    }
    println!("{:>10} {:>7.1} s", "all", start.elapsed().as_secs_f64());
    let failed = times.iter().filter(|(.., ok)| !ok).count();
    println!("suites: {} passed, {failed} failed", times.len() - failed);
    first.map_or(Ok(()), Err)
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
    if sh::has("cargo-nextest") {
        return nextest("not package(stallcast)");
    }
    cargo_test(&["--workspace", "--exclude", "stallcast"], false)
}

/// The whole program without a browser, and the shell's own tests.
fn program() -> anyhow::Result<()> {
    if sh::has("cargo-nextest") {
        let others: Vec<String> = IN_A_BROWSER.iter().map(|name| format!("not binary({name})")).collect();
        return nextest(&format!("package(stallcast) and {}", others.join(" and ")));
    }
    let mut args = vec!["--package", "stallcast", "--lib"];
    let names = test_programs()?;
    args.extend(names.iter().filter(|n| !IN_A_BROWSER.contains(&n.as_str())).flat_map(|n| ["--test", n]));
    cargo_test(&args, true)
}

/// The real window, and the viewer page in a real browser.
fn window() -> anyhow::Result<()> {
    if sh::has("cargo-nextest") {
        let these: Vec<String> = IN_A_BROWSER.iter().map(|name| format!("binary({name})")).collect();
        return nextest(&format!("package(stallcast) and ({})", these.join(" or ")));
    }
    let mut args = vec!["--package", "stallcast"];
    args.extend(IN_A_BROWSER.iter().flat_map(|n| ["--test", n]));
    cargo_test(&args, true)
}

/// Names of the files in `tests/`.
fn test_programs() -> anyhow::Result<Vec<String>> {
    let folder = sh::root().join("tests");
    let mut names = vec![];
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "rs")
            && let Some(name) = path.file_stem()
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// What may run beside what, and for how long, stands in `.config/nextest.toml`.
fn nextest(filter: &str) -> anyhow::Result<()> {
    sh::must(sh::cmd("cargo", &["nextest", "run", "--locked", "--workspace", "--no-fail-fast", "-E", filter]))
}

/// Without nextest. Whole-program tests run one at a time: each takes the machine.
fn cargo_test(args: &[&str], one_at_a_time: bool) -> anyhow::Result<()> {
    let mut command = sh::cmd("cargo", &["test", "--locked", "--no-fail-fast"]);
    command.args(args);
    if one_at_a_time {
        command.args(["--", "--test-threads=1"]);
    }
    sh::must(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_program_belongs_to_a_suite() {
        let names = test_programs().expect("the folder tests/");
        for name in IN_A_BROWSER {
            assert!(names.iter().any(|n| n == name), "{name} is named here and is not in tests/");
        }
        assert!(names.iter().any(|n| n == "live_file"));
    }

    #[test]
    fn an_unknown_suite_is_refused_with_the_known_ones() {
        let refused = run(&["nonsense".to_owned()]).expect_err("refused").to_string();
        assert!(refused.contains("nonsense") && refused.contains("window"), "{refused}");
    }
}
