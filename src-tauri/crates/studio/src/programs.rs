//! The two programs of an installation, which lie in one folder: `stallcast` with every subcommand, the media process and
//! the shop among them, and `stallcast-window`. They are two because a system loads what the window needs (WebKit, GTK)
//! into every process of a program that is linked with it, and because a Windows program either has a terminal or has none.

use crate::error::StudioError;
use std::env::{consts::EXE_SUFFIX, current_exe};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const COMMANDS: &str = "stallcast";
const WINDOW: &str = "stallcast-window";

fn beside(here: &Path, name: &str) -> PathBuf {
    here.with_file_name(format!("{name}{EXE_SUFFIX}"))
}

/// What media process and shop are started with. A program of another name (a test) is its own.
///
/// # Errors
/// The system does not say where this program lies.
pub(crate) fn of_commands() -> io::Result<PathBuf> {
    current_exe().map(commands_of)
}

fn commands_of(here: PathBuf) -> PathBuf {
    if here == beside(&here, WINDOW) { beside(&here, COMMANDS) } else { here }
}

/// Goes on as the window, with these arguments. Returns only where a process cannot change its program: the window then
/// runs on its own.
///
/// # Errors
/// `window_missing`.
pub(crate) fn become_window(words: &[OsString]) -> Result<ExitCode, StudioError> {
    let window = beside(&current_exe().map_err(StudioError::internal)?, WINDOW);
    let mut command = Command::new(&window);
    command.args(words);
    let became = crate::process::become_program(command).map(|()| ExitCode::SUCCESS);
    became.map_err(|error| StudioError::new("window_missing").with("path", window.display()).with("detail", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_starts_its_children_with_the_other_program() {
        let folder = Path::new("any where");
        let file = |name: &str| folder.join(format!("{name}{EXE_SUFFIX}"));
        assert_eq!(commands_of(file("stallcast-window")), file("stallcast"));
        for name in ["stallcast", "some_test-1234", "stallcast-window2"] {
            assert_eq!(commands_of(file(name)), file(name));
        }
    }
}
