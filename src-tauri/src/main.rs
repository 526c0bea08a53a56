//! `stallcast`: command line, media process and local shop. Without a subcommand it becomes the window, whose libraries
//! none of the others loads.

use std::process::ExitCode;

fn main() -> ExitCode {
    stallcast_studio::cli::main()
}
