//! The programs without a window in one: every subcommand, and the children that a studio starts. The tests run it.

use stallcast_studio::cli;

fn main() -> std::process::ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == "engine") { cli::main_of_engine() } else { cli::main() }
}
