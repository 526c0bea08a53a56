//! `run`: from a fresh clone to a studio on the screen.

use crate::{build, sh};

/// Installs, builds and starts. What to do without a display is the program's own decision.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    let binary = build::all(false)?;
    let mut command = sh::cmd(&binary.to_string_lossy(), &[]);
    command.args(args);
    sh::must(command)
}
