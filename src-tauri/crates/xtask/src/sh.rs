//! Starting other programs from the repository root.

use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository root, wherever cargo was called from.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A command that runs at the root.
pub fn cmd(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
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
