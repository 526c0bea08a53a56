//! `check`: what a reviewer should not have to say.

use crate::elsewhere::{self, System};
use crate::{build, sh, system};
use anyhow::Context as _;

/// Formatting, lints, dependency rules; or, with the names of systems, whether the product compiles for them.
pub fn run(systems: &[String]) -> anyhow::Result<()> {
    for name in systems {
        elsewhere::check(System::named(name).with_context(|| format!("no system {name}; there are: windows, macos"))?)?;
    }
    if systems.is_empty() { here() } else { Ok(()) }
}

fn here() -> anyhow::Result<()> {
    system::for_build()?;
    build::ui()?;
    sh::must(sh::cmd("cargo", &["fmt", "--all", "--check"]))?;
    sh::must(sh::cmd("cargo", &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    if !sh::has("cargo-deny") {
        sh::must(sh::cmd("cargo", &["install", "--locked", "cargo-deny"]))?;
    }
    sh::must(sh::cmd("cargo", &["deny", "check", "bans", "licenses", "sources"]))
}
