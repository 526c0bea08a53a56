//! The program without its window: every subcommand, and the children that a studio starts. The tests run it.

fn main() -> std::process::ExitCode {
    stallcast_studio::cli::main()
}
