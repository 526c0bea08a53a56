//! The one executable: window, media process, local shop and command line.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use std::process::ExitCode;

fn main() -> ExitCode {
    stallcast_shell::run()
}
