//! The three programs of an installation, which lie in one folder: `stallcast` with every subcommand and the local shop,
//! `stallcast-window`, and `stallcast-engine`, the media process. They are three because a system loads what a program is
//! linked with into each of its processes (WebKit and GTK; FFmpeg brings 130 libraries), and because a Windows program
//! either has a terminal or has none. Each that is given the words of another becomes that one.

use crate::error::StudioError;
use std::env::{consts::EXE_SUFFIX, current_exe};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Commands,
    Window,
    Engine,
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Commands => "stallcast",
            Self::Window => "stallcast-window",
            Self::Engine => "stallcast-engine",
        }
    }

    fn beside(self, here: &Path) -> PathBuf {
        here.with_file_name(format!("{}{EXE_SUFFIX}", self.name()))
    }

    /// Where this one lies for a program of the installation. A program of another name (a test) is all three.
    fn of(self, here: &Path) -> PathBuf {
        let ours = [Self::Commands, Self::Window, Self::Engine].iter().any(|program| here == program.beside(here));
        if ours { self.beside(here) } else { here.to_owned() }
    }
}

/// What the shop is started with.
///
/// # Errors
/// The system does not say where this program lies.
pub(crate) fn of_commands() -> io::Result<PathBuf> {
    current_exe().map(|here| Program::Commands.of(&here))
}

/// What the media process is started with, by this program of the same installation.
pub(crate) fn of_engine(exe: &Path) -> PathBuf {
    Program::Engine.of(exe)
}

/// Goes on as that program, with these arguments. Returns only where a process cannot change its program: the other one
/// then runs on its own.
///
/// # Errors
/// `window_missing`, `program_missing`.
pub(crate) fn go_on_as(program: Program, words: &[OsString]) -> Result<ExitCode, StudioError> {
    let path = program.beside(&current_exe().map_err(StudioError::internal)?);
    let mut command = Command::new(&path);
    command.args(words);
    let code = if program == Program::Window { "window_missing" } else { "program_missing" };
    let became = crate::process::become_program(command).map(|()| ExitCode::SUCCESS);
    became.map_err(|error| StudioError::new(code).with("path", path.display()).with("detail", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_of_an_installation_find_each_other() {
        let folder = Path::new("any where");
        let file = |name: &str| folder.join(format!("{name}{EXE_SUFFIX}"));
        for name in ["stallcast", "stallcast-window", "stallcast-engine"] {
            assert_eq!(Program::Commands.of(&file(name)), file("stallcast"));
            assert_eq!(of_engine(&file(name)), file("stallcast-engine"));
        }
        for name in ["some_test-1234", "stallcast-window2"] {
            assert_eq!(Program::Commands.of(&file(name)), file(name));
            assert_eq!(of_engine(&file(name)), file(name));
        }
    }
}
