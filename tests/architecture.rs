//! The map in `src-tauri/ARCHITECTURE.md`, as rules that can fail: who may depend on whom, who owns which heavyweight,
//! and that every command of the bridge can be reached by exactly the windows that need it.
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crate → the crates of ours that it may see. What is not listed is forbidden.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("model", &[]),
    ("media", &["clock"]),
    ("libav", &["media"]),
    ("capture", &["clock", "media", "libav"]),
    ("compose", &["clock", "media"]),
    ("broadcast", &["clock", "media"]),
    ("engine", &["clock", "media", "libav", "capture", "compose", "broadcast"]),
    ("store", &["clock", "model"]),
    ("platform", &["clock", "model"]),
    ("sync", &["clock", "model", "store", "platform"]),
    ("shop", &["clock", "model"]),
    ("studio", &["clock", "model", "media", "engine", "store", "platform", "sync", "shop"]),
    ("testing", &["clock", "media", "libav"]),
    ("xtask", &[]),
    ("", &["studio"]),
];

/// Heavyweight dependency → its owners.
const OWNERS: &[(&str, &[&str])] = &[
    ("ffmpeg-next", &["libav"]),
    ("nokhwa", &["capture"]),
    ("v4l", &["capture"]),
    ("cpal", &["capture"]),
    ("alsa", &["capture"]),
    ("resvg", &["compose"]),
    ("rml_rtmp", &["broadcast"]),
    ("rustls", &["broadcast"]),
    ("mp4-atom", &["broadcast"]),
    ("interprocess", &["engine", "studio"]),
    ("keepawake", &["engine"]),
    ("starship-battery", &["engine"]),
    ("sqlx", &["store", "shop"]),
    ("reqwest", &["platform"]),
    ("axum", &["shop"]),
    ("clap", &["studio"]),
    ("chacha20poly1305", &["studio"]),
    ("keyring", &["studio"]),
    ("tauri", &[""]),
    ("tauri-specta", &[""]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Folder name of a package of ours; empty for the shell.
fn folder(package: &str) -> Option<&str> {
    if package == "stallcast" { Some("") } else { package.strip_prefix("stallcast-") }
}

/// Package → names of its normal and build dependencies.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let name = |v: &Value| v["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|p| (name(p), p["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"] != "dev").map(name).collect()))
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let all = dependencies();
    let known: BTreeSet<&str> = MAY_SEE.iter().map(|(name, _)| *name).collect();
    for (package, wanted) in &all {
        let Some(name) = folder(package) else { panic!("{package} is not named after its folder") };
        assert!(known.contains(name), "{package} is not on the map: add it here and to ARCHITECTURE.md");
        let allowed = MAY_SEE.iter().find(|(n, _)| *n == name).unwrap().1;
        for other in wanted.iter().filter_map(|d| folder(d)) {
            assert!(allowed.contains(&other), "{package} must never know {other}");
        }
    }
}

#[test]
fn every_heavyweight_has_its_owners() {
    for (package, wanted) in dependencies() {
        let name = folder(&package).unwrap();
        for (heavy, owners) in OWNERS {
            assert!(!wanted.contains(*heavy) || owners.contains(&name), "{heavy} belongs to {owners:?}, not to {package}");
        }
    }
}

#[test]
fn every_crate_says_what_it_owns_and_must_never_know() {
    for (name, _) in MAY_SEE {
        let file = if name.is_empty() {
            root().join("src-tauri/src/lib.rs")
        } else {
            root().join("src-tauri/crates").join(name).join("src/lib.rs")
        };
        let file = if file.exists() { file } else { file.with_file_name("main.rs") };
        let text = std::fs::read_to_string(&file).unwrap();
        let head = text.lines().map_while(|l| l.strip_prefix("//!")).map(str::trim).collect::<Vec<_>>().join(" ");
        for word in ["Owns:", "ust never know:"] {
            assert!(head.contains(word), "{} does not begin with what it {word}", file.display());
        }
    }
}

fn json_files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "json")).collect()
}

#[test]
fn every_command_is_reached_by_a_capability_and_nothing_else_is_allowed() {
    let commands: BTreeSet<String> = stallcast_shell::command_names().unwrap().into_iter().collect();
    assert!(commands.len() > 20, "{commands:?}");
    // permission → commands
    let text = std::fs::read_to_string(root().join("src-tauri/permissions/panels.toml")).unwrap();
    let mut permissions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for block in text.split("[[permission]]").skip(1) {
        let after = |key: &str| block.split_once(key).unwrap().1;
        let identifier = after("identifier = \"").split('"').next().unwrap().to_owned();
        let list = after("commands.allow = [").split(']').next().unwrap();
        permissions.insert(identifier, list.split('"').skip(1).step_by(2).map(str::to_owned).collect());
    }
    let allowed: BTreeSet<String> = permissions.values().flatten().cloned().collect();
    assert_eq!(commands, allowed, "commands and permissions differ");
    let mut reached = BTreeSet::new();
    for file in json_files(&root().join("src-tauri/capabilities")) {
        let capability: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert!(capability.get("remote").is_none(), "{}: no remote page may call anything", file.display());
        assert_eq!(capability["windows"].as_array().unwrap().len(), 1, "{}: one file for each window", file.display());
        for permission in capability["permissions"].as_array().unwrap() {
            let permission = permission.as_str().unwrap();
            assert!(!permission.ends_with(":default"), "{}: {permission} is wholesale", file.display());
            reached.extend(permissions.get(permission).into_iter().flatten().cloned());
        }
    }
    assert_eq!(reached, allowed, "a permission that no window has");
}

#[test]
fn the_map_names_every_crate() {
    let map = std::fs::read_to_string(root().join("src-tauri/ARCHITECTURE.md")).unwrap();
    for (name, _) in MAY_SEE.iter().filter(|(name, _)| !name.is_empty()) {
        assert!(map.contains(&format!("`{name}`")), "ARCHITECTURE.md does not name {name}");
    }
}
