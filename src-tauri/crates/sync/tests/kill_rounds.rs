//! The short form of `cargo xtask soak orders`: a dozen deaths by SIGKILL in front of a hostile platform.

use std::process::Command;

#[test]
fn a_process_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let folder = std::env::current_exe().expect("path").parent().and_then(|deps| deps.parent()).expect("folder").to_owned();
    let soak = folder.join("examples").join(format!("soak{}", std::env::consts::EXE_SUFFIX));
    assert!(soak.is_file(), "{} is built with the tests: cargo test, or cargo build --examples", soak.display());
    // Other instants in each run; a failure tells its seed.
    let seed = u64::from(std::process::id());
    let run = Command::new(soak).args(["orders", "--rounds", "12", "--seed", &seed.to_string()]).output().expect("start");
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}\n{err}");
    println_figures(&out);
}

#[expect(clippy::print_stdout, reason = "the figures of the run")]
fn println_figures(out: &str) {
    println!("{out}");
}
