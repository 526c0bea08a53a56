//! The media process of a test, and what becomes of it.

use std::path::{Path, PathBuf};

/// The test binary `engine_child`, which cargo builds beside the tests.
pub fn child() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let folder = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let child = folder.join("examples").join(format!("engine_child{}", std::env::consts::EXE_SUFFIX));
    assert!(child.exists(), "{} is missing: `cargo build -p stallcast-engine --examples`", child.display());
    child
}

pub fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it was there");
}

pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, signal).expect("it is there");
}

pub fn is_there(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::test_kill_process(pid).is_ok()
}
