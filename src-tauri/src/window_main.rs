//! `stallcast-window`: the studio in a window. With a subcommand it becomes `stallcast`.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use std::process::ExitCode;

fn main() -> ExitCode {
    stallcast_shell::run()
}
