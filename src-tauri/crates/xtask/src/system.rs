//! System packages: what building needs and what the tests need, on Debian 12 and Ubuntu 24.04.

use crate::sh;
use anyhow::bail;
use std::process::Command;

/// To build and run the studio.
const BUILD: &[&str] = &[
    "build-essential",
    "clang",
    "libasound2-dev",
    "libavcodec-dev",
    "libavformat-dev",
    "libavutil-dev",
    "libclang-dev",
    "libgtk-3-dev",
    "libsoup-3.0-dev",
    "libswresample-dev",
    "libswscale-dev",
    "libudev-dev",
    "libwebkit2gtk-4.1-dev",
    "pkg-config",
];

/// To test it against real parts.
const TEST: &[&str] = &[
    "alsa-utils",
    "chromium-or-browser",
    "curl",
    "dbus",
    "ffmpeg",
    "fonts-noto-cjk",
    "gnome-keyring",
    "iproute2",
    "libasound2-plugins",
    "libnginx-mod-rtmp",
    "nginx",
    "openssl",
    "pulseaudio",
    "pulseaudio-utils",
    "sox",
    "sqlite3",
    "webkit2gtk-driver",
    "xauth",
    "xvfb",
];

/// To read headers for Windows, and to make the resources of its programs.
const WINDOWS: &[&str] = &["binutils-mingw-w64-x86-64", "mingw-w64-x86-64-dev"];

/// Installs what checking for Windows needs.
pub fn for_windows_headers() -> anyhow::Result<()> {
    install(WINDOWS)
}

/// Installs what building needs.
pub fn for_build() -> anyhow::Result<()> {
    install(BUILD)
}

/// Installs what building and testing need.
pub fn for_test() -> anyhow::Result<()> {
    let both: Vec<&str> = BUILD.iter().chain(TEST).copied().collect();
    install(&both)
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") || !sh::has("dpkg-query") {
        return Ok(()); // other systems bring their own; the build says what is missing
    }
    let wanted: Vec<&str> = packages.iter().flat_map(|p| real_names(p)).collect();
    let missing: Vec<&str> = wanted.into_iter().filter(|p| !installed(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing {}", missing.join(" "));
    let root = sh::output("id", &["-u"]).is_some_and(|id| id.trim() == "0");
    if !root && !sh::has("sudo") {
        bail!(
            "these packages are missing and this user may not install them: {}\nrun: apt-get install {}",
            missing.join(" "),
            missing.join(" ")
        );
    }
    let apt = |args: &[&str]| {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.args(["--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
        }
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        sh::must(command)
    };
    apt(&["update", "-qq"])?;
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend(&missing);
    apt(&args)
}

/// Debian names its browser `chromium`; Ubuntu ships only a snap under that name, so there the tests take any browser
/// with its driver that is already on the path.
fn real_names(package: &str) -> Vec<&str> {
    match package {
        "chromium-or-browser" if sh::has("chromedriver") => vec![],
        "chromium-or-browser" => vec!["chromium", "chromium-driver"],
        other => vec![other],
    }
}

fn installed(package: &str) -> bool {
    sh::output("dpkg-query", &["-W", "-f=${Status}", package]).is_some_and(|s| s.contains("ok installed"))
}
