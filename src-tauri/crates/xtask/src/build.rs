//! `build`, `bindings`, and the instruments.

use crate::{sh, system};
use anyhow::bail;
use std::path::PathBuf;
use std::time::SystemTime;

/// Builds `ui/`, then the three programs; where the one with the commands is.
pub fn all(release: bool) -> anyhow::Result<PathBuf> {
    system::for_build()?;
    ui()?;
    let mut args = vec!["build", "--locked", "--package", "stallcast", "--bins"];
    if release {
        args.push("--release");
    }
    sh::must(sh::cmd("cargo", &args))?;
    // Where Cargo was told to put it, if it was.
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let binary = sh::root().join(target).join(if release { "release" } else { "debug" }).join("stallcast");
    if release {
        for program in ["stallcast", "stallcast-window", "stallcast-engine"] {
            no_failpoints(&std::fs::read(binary.with_file_name(program))?)?;
        }
    }
    Ok(binary)
}

/// A place that a test may make the last one must not be in what people run.
fn no_failpoints(binary: &[u8]) -> anyhow::Result<()> {
    let mark = concat!("fail", "point:").as_bytes();
    if binary.windows(mark.len()).any(|w| w == mark) {
        bail!("the release binary has failpoints in it");
    }
    Ok(())
}

/// npm packages, if the lock file is newer than what is installed.
pub fn npm_packages() -> anyhow::Result<()> {
    let ui = sh::root().join("ui");
    let stamp = ui.join("node_modules/.package-lock.json");
    let time = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    if time(&stamp) <= time(&ui.join("package-lock.json")) {
        if !sh::has("npm") {
            bail!("npm is missing: install Node.js 20 or newer");
        }
        let mut npm = sh::cmd("npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
        npm.current_dir(&ui);
        sh::must(npm)?;
    }
    Ok(())
}

/// Runs one script of `ui/package.json`.
pub fn npm(script: &[&str]) -> anyhow::Result<()> {
    let mut npm = sh::cmd("npm", &["run", "--silent"]);
    npm.args(script).current_dir(sh::root().join("ui"));
    sh::must(npm)
}

/// Builds the pages. The binary and the local shop embed them, so this comes before cargo.
pub fn ui() -> anyhow::Result<()> {
    npm_packages()?;
    npm(&["build"])
}

/// Writes `ui/src/lib/ipc/bindings.ts` from the commands of the shell.
pub fn bindings() -> anyhow::Result<()> {
    system::for_build()?;
    let mut command = sh::cmd("cargo", &["test", "--quiet", "--locked", "--package", "stallcast", "--test", "bindings"]);
    command.env("UPDATE_BINDINGS", "1");
    sh::must(command)
}

/// Runs an instrument of `crates/testing`.
pub fn instrument(name: &str, usage: &str, args: &[String]) -> anyhow::Result<()> {
    if args.is_empty() {
        bail!("usage: cargo xtask {name} {usage}");
    }
    let mut command = sh::cmd("cargo", &["run", "--quiet", "--locked", "--package", "stallcast-testing", "--bin", name, "--"]);
    // Paths are the caller's, not the repository's.
    let here = std::env::current_dir()?;
    command.args(args.iter().map(|a| if here.join(a).is_file() { here.join(a).into_os_string() } else { a.into() }));
    sh::must(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_in_a_binary_is_found() {
        assert!(no_failpoints(b"\x7fELF push.leased").is_ok());
        assert!(no_failpoints(b"\x7fELF failpoint:push.leased").is_err());
    }
}
