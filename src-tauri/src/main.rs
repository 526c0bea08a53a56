//! `stallcast`: command line and local shop. Without a subcommand it becomes `stallcast-window`, with `engine`
//! `stallcast-engine`, whose libraries it does not load.

use std::process::ExitCode;

fn main() -> ExitCode {
    stallcast_studio::cli::main()
}
