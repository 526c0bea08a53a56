//! `fuzz`: what others may send, changed a million times.

use crate::{sh, system};
use anyhow::{Context as _, bail};

/// Targets of `fuzz/`, each with the feature that brings its crate.
const TARGETS: [(&str, &str); 3] = [("platform_json", "platform"), ("rtmp_address", "broadcast"), ("control_socket", "studio")];
/// Of each target, unless said otherwise.
const MINUTES: u64 = 10;

/// `[TARGET…] [--minutes N]`: all targets or those named, one after the other. The first panic ends it; its input lies in
/// `fuzz/artifacts`.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    let (named, minutes) = read(args)?;
    if !sh::has("cargo-fuzz") {
        bail!("cargo-fuzz is missing: cargo install cargo-fuzz --locked");
    }
    system::for_build()?;
    let folder = sh::root().join("fuzz");
    for (target, feature) in TARGETS.iter().filter(|(target, _)| named.is_empty() || named.contains(target)) {
        eprintln!("\n==== {target}: {minutes} min");
        let (corpus, seeds) = (format!("corpus/{target}"), format!("seeds/{target}"));
        std::fs::create_dir_all(folder.join(&corpus)).context("the corpus's folder")?;
        let limit = format!("-max_total_time={}", minutes * 60);
        let words = ["fuzz", "run", "-s", "none", "--no-default-features", "--features", feature, target, &corpus, &seeds, "--", &limit];
        let mut command = sh::cmd("cargo", &words);
        // libFuzzer's instrumentation is a switch of the compiler that only nightly ones show; no nightly is needed for it.
        command.args(["-print_final_stats=1"]).env("RUSTC_BOOTSTRAP", "1").current_dir(&folder);
        sh::must(command)?;
    }
    Ok(())
}

/// Targets and minutes.
fn read(args: &[String]) -> anyhow::Result<(Vec<&str>, u64)> {
    let (mut named, mut minutes) = (vec![], MINUTES);
    let mut words = args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if word == "--minutes" {
            minutes = words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0).context("--minutes takes a whole number from 1")?;
        } else if TARGETS.iter().any(|(target, _)| *target == word) {
            named.push(word);
        } else {
            bail!("no target {word}; there are: {}", TARGETS.map(|(target, _)| target).join(", "));
        }
    }
    Ok((named, minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_known_here_and_has_seeds() {
        let list = std::fs::read_to_string(sh::root().join("fuzz/Cargo.toml")).expect("fuzz/Cargo.toml");
        let there = list.lines().filter(|line| line.starts_with("path = \"fuzz_targets/")).count();
        assert_eq!(there, TARGETS.len());
        for (target, feature) in TARGETS {
            assert!(
                list.contains(&format!("name = \"{target}\"")) && list.contains(&format!("required-features = [\"{feature}\"]")),
                "{target}"
            );
            let seeds = sh::root().join("fuzz/seeds").join(target);
            assert!(std::fs::read_dir(seeds).expect(target).count() > 0, "{target}");
        }
    }

    #[test]
    fn arguments_are_targets_and_minutes() {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        assert_eq!(read(&[]).expect("none"), (vec![], 10));
        assert_eq!(read(&words(&["rtmp_address", "--minutes", "3"])).expect("both"), (vec!["rtmp_address"], 3));
        for bad in [&["nonsense"][..], &["--minutes"], &["--minutes", "0"]] {
            assert!(read(&words(bad)).is_err(), "{bad:?}");
        }
    }
}
