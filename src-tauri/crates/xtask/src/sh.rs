//! Starting other programs from the repository root.

use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How the variables begin that cargo sets for the package it runs.
const PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// The repository root, wherever cargo was called from.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A command that runs at the root.
pub fn cmd(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    // `cargo run` describes this package to us. Build scripts that watch such words (ring's) would begin anew with each
    // change between `cargo` and `cargo xtask`, and half of the workspace with them.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| PACKAGE.iter().any(|begin| name.starts_with(begin))) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs to the end; a non-zero status is an error that names the command.
pub fn must(mut command: Command) -> anyhow::Result<()> {
    let shown = format!("{} {}", command.get_program().to_string_lossy(), join(&command));
    let status = command.status().with_context(|| format!("could not start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Standard output of a command that must succeed; `None` if it cannot be started or fails.
pub fn output(program: &str, args: &[&str]) -> Option<String> {
    let out = cmd(program, args).stderr(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Is this program on the path?
pub fn has(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn join(command: &Command) -> String {
    command.get_args().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_does_not_hear_of_the_package_that_starts_it() {
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "run by cargo");
        let command = cmd("cargo", &["build"]);
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"] {
            assert!(command.get_envs().any(|(n, value)| n == name && value.is_none()), "{name}");
        }
    }
}
