//! `bench`: the promises in milliseconds and CPU seconds, measured here and now.

use crate::{build, sh, system};

/// Builds the release binary and runs the measuring programs of `tests/`.
pub fn run(names: &[String]) -> anyhow::Result<()> {
    system::for_test()?;
    let binary = build::all(true)?;
    let mut command =
        sh::cmd("cargo", &["run", "--quiet", "--locked", "--release", "--package", "stallcast-testing", "--bin", "bench", "--"]);
    command.args(names).env("STALLCAST_BIN", binary);
    sh::must(command)
}
