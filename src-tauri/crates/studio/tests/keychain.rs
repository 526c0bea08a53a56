//! A real Secret Service (gnome-keyring on a session bus of its own) keeps the master key; without it nothing opens, and
//! nothing hangs.
#![cfg(target_os = "linux")]

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::program;

/// Starts the keyring with its password, then what follows.
const UNLOCKED: &str =
    r#"printf 'only for tests' | gnome-keyring-daemon --unlock --components=secrets >"$HOME/keyring.log" 2>&1; exec "$@""#;

/// One second of the drawn demo into a file: opens the folder with everything that belongs to it.
fn show(data: &Path, file: &str) -> Vec<String> {
    let file = data.with_file_name(file).display().to_string();
    let data = data.display().to_string();
    let words = ["live", "--json", "--canvas", "160x160", "--fps", "10", "--for", "1s", "--record", &file, "--data", &data];
    words.into_iter().map(str::to_owned).collect()
}

/// Runs the command line in a home and a runtime folder of its own, with a desktop's keychain or without any.
fn run(home: &Path, keychain: bool, words: &[String]) -> Output {
    let mut command = if keychain {
        let mut command = Command::new("dbus-run-session");
        command.args(["--", "bash", "-c", UNLOCKED, "bash"]).arg(program());
        command
    } else {
        Command::new(program())
    };
    command.args(words).env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("STALLCAST_PASSPHRASE_FILE").env_remove("DISPLAY");
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home.join("run")).env("STALLCAST_LANG", "en").stdin(Stdio::null());
    command.output().expect("dbus-run-session and gnome-keyring are there: `cargo xtask test` installs them")
}

#[test]
fn the_keychain_of_the_system_keeps_the_key() {
    let dir = tempfile::tempdir().expect("dir");
    let home = dir.path().join("home");
    private_folder(&home.join("run"));
    let data = dir.path().join("data");

    let first = run(&home, true, &show(&data, "first.mp4"));
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let record = std::fs::read(data.join("key.json")).expect("key.json");
    let record: Value = serde_json::from_slice(&record).expect("json");
    assert_eq!(record["protector"], "keychain", "{}", String::from_utf8_lossy(&first.stderr));
    assert!(!data.join("master.key").exists());
    assert!(home.join(".local/share/keyrings").is_dir(), "the keyring of this test keeps it, nobody else's");

    // Another session of the same desktop.
    let again = run(&home, true, &show(&data, "again.mp4"));
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));

    // Without the desktop: refused at once, with the next step, and nothing weaker in its place.
    let begun = Instant::now();
    let refused = run(&home, false, &show(&data, "refused.mp4"));
    assert_eq!(refused.status.code(), Some(6));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let line: Value = serde_json::from_slice(refused.stdout.split(|b| *b == b'\n').next().unwrap_or_default()).expect("one JSON line");
    assert_eq!((&line["type"], &line["code"]), (&Value::from("error"), &Value::from("keychain_gone")));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("unlock it"), "{}", String::from_utf8_lossy(&refused.stderr));
    assert!(!data.join("master.key").exists());

    // A folder that begins without a desktop does not wait for one.
    let begun = Instant::now();
    let headless = dir.path().join("headless");
    let plain = run(&home, false, &show(&headless, "plain.mp4"));
    assert!(plain.status.success(), "{}", String::from_utf8_lossy(&plain.stderr));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(headless.join("master.key").exists());
}

fn private_folder(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).expect("folder");
}
