//! Everything a newcomer types: `cargo xtask run`, `build`, `test`, `check`, `bench`, `soak`, `fuzz`, `bindings`, `font`, and
//! the instruments `avsync` and `faultproxy`.
//!
//! Owns: installing what the machine lacks, and the order in which the project is built and tested. Must never know:
//! any crate of the product (it must compile on a machine that has nothing but Rust). The instruments are programs of
//! `crates/testing`, started from here.
#![expect(clippy::print_stdout, reason = "a command line tool talks on standard output")]

mod bench;
mod build;
mod check;
mod elsewhere;
mod font;
mod fuzz;
mod run;
mod sh;
mod soak;
mod system;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask run [ARGS…]        install what is missing, build, open the studio (without a display: a show without a window)
cargo xtask build [--release]  build ui/ and the binary
cargo xtask test [SUITE…]      install what the tests need and run everything, or only the named suites
cargo xtask check              formatting, lints, licences and sources of dependencies
cargo xtask check windows|macos  whether the Rust of the product compiles for that system (nothing is linked or run)
cargo xtask bench [NAME]       every promise in milliseconds or CPU, as measured on this machine
cargo xtask soak orders [--rounds N]  kill the selling side again and again in front of a hostile platform
cargo xtask soak [media] --hours H   one show whose links, ingest and media process fail all the time: what comes back, what grows
cargo xtask fuzz [TARGET…] [--minutes N]  10 minutes of damaged input for everything that others may send (needs cargo-fuzz)
cargo xtask bindings           write the types of the bridge for ui/
cargo xtask avsync FILE        offset of flash and beep, repeated and missing frames of a recording of the marker clip
cargo xtask faultproxy LISTEN UPSTREAM SCRIPT  a TCP proxy with faults on a timeline: '5 stall; 10 pass; 20 reset; 30 rate 60000'
cargo xtask font               make the bundled font again";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let outcome = match command.as_str() {
        "run" => run::run(&rest),
        "build" => build::all(rest.iter().any(|a| a == "--release")).map(|_| ()),
        "test" => test::run(&rest),
        "check" => check::run(&rest),
        "bench" => bench::run(&rest),
        "soak" => soak::run(&rest),
        "fuzz" => fuzz::run(&rest),
        "bindings" => build::bindings(),
        "avsync" => build::instrument("avsync", "FILE [--source WxH] [--loop FRAMES]", &rest),
        "faultproxy" => build::instrument("faultproxy", "LISTEN UPSTREAM SCRIPT", &rest),
        "font" => font::run(),
        "" | "help" | "--help" | "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("xtask: no such command: {other}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
