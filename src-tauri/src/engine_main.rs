//! `stallcast-engine`: the media process, alone with the codecs.

use std::process::ExitCode;

fn main() -> ExitCode {
    stallcast_studio::cli::main_of_engine()
}
