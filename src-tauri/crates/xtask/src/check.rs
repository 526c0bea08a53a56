//! `check`: what a reviewer should not have to say.

use crate::{build, sh, system};

/// Formatting, lints, dependency rules.
pub fn run() -> anyhow::Result<()> {
    system::for_build()?;
    build::ui()?;
    sh::must(sh::cmd("cargo", &["fmt", "--all", "--check"]))?;
    sh::must(sh::cmd("cargo", &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    if !sh::has("cargo-deny") {
        sh::must(sh::cmd("cargo", &["install", "--locked", "cargo-deny"]))?;
    }
    sh::must(sh::cmd("cargo", &["deny", "check", "bans", "licenses", "sources"]))
}
