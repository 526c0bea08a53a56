//! The shell: windows, the bridge to their pages, and the program's entry.
//!
//! Owns: windows and what they may do, the commands of the bridge (a few lines each over [`stallcast_studio`]), the
//! stream of events to the pages, and the protocol that serves preview and product pictures. Must never know: databases,
//! platforms, media. What a command does is decided in `studio`.

mod bridge;
mod commands;
mod events;
mod open;
mod pictures;
mod renderer;
mod window;

use std::process::ExitCode;

pub use bridge::{bindings, command_names};

/// Does what the process's arguments say; returns its exit status.
#[must_use]
pub fn run() -> ExitCode {
    renderer::choose();
    stallcast_studio::cli::main_of_window(open::display_answers, open::window)
}
