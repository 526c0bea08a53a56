//! `check windows`, `check macos`: the product's Rust, type-checked on Linux for the systems it cannot be run on here.
//!
//! Nothing is linked and no C is compiled (an empty object stands for each), so what only a linker or a header of that
//! system would find stays unfound.

use crate::{build, sh, system};
use anyhow::Context as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of FFmpeg's headers, which are the same on every system.
const FFMPEG: [&str; 5] = ["libavcodec", "libavformat", "libavutil", "libswresample", "libswscale"];

/// A system to check for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    Windows,
    MacOs,
}

impl System {
    /// By the name a person gives.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "windows" => Some(Self::Windows),
            "macos" => Some(Self::MacOs),
            _ => None,
        }
    }

    const fn target(self) -> &'static str {
        match self {
            Self::Windows => "x86_64-pc-windows-gnu",
            Self::MacOs => "aarch64-apple-darwin",
        }
    }

    /// What the reader of FFmpeg's headers is told.
    fn clang(self) -> &'static str {
        match self {
            // An old clang's own header of vector tiles is more than Rust can say.
            Self::Windows => "--sysroot=/usr/x86_64-w64-mingw32 -D__AMXINTRIN_H",
            // Read as this system's: Apple's own headers may not be had, and a 64-bit FFmpeg looks alike on both.
            Self::MacOs => "--target=x86_64-unknown-linux-gnu",
        }
    }
}

/// Checks all that a person gets, without the tests.
pub fn check(system: System) -> anyhow::Result<()> {
    system::for_build()?;
    if system == System::Windows {
        system::for_windows_headers()?;
    }
    if !sh::root().join("ui/dist/index.html").is_file() {
        build::ui()?;
    }
    let target = system.target();
    sh::must(sh::cmd("rustup", &["target", "add", target])).context("Rust's own library for that system is not to be had")?;
    let folder = sh::root().join("target/elsewhere");
    let tools = Tools::make(&folder)?;
    let mut command = sh::cmd("cargo", &["check", "--locked", "--package", "stallcast", "--lib", "--bins", "--target", target]);
    let name = target.replace('-', "_");
    command.env("FFMPEG_DIR", folder.join("ffmpeg")).env(format!("BINDGEN_EXTRA_CLANG_ARGS_{name}"), system.clang());
    for (variable, tool) in [("CC", &tools.cc), ("CXX", &tools.cc), ("AR", &tools.ar), ("RANLIB", &tools.ar)] {
        command.env(format!("{variable}_{name}"), tool);
    }
    // Asked of Apple's tools otherwise.
    command.env("SDKROOT", &folder);
    sh::must(command)
}

/// What stands for a compiler of that system.
struct Tools {
    cc: PathBuf,
    ar: PathBuf,
}

impl Tools {
    fn make(folder: &Path) -> anyhow::Result<Self> {
        let headers = folder.join("ffmpeg/include");
        fs::create_dir_all(&headers)?;
        fs::create_dir_all(folder.join("ffmpeg/lib"))?;
        let places = sh::output("pkg-config", &["--variable=includedir", "libavutil"]).context("FFmpeg's headers are not there")?;
        for name in FFMPEG {
            let link = headers.join(name);
            if link.symlink_metadata().is_err() {
                symlink(&Path::new(places.trim()).join(name), &link)?;
            }
        }
        let cc =
            script(folder, "cc", "out=\nwhile [ $# -gt 0 ]; do [ \"$1\" = -o ] && out=$2; shift; done\n[ -z \"$out\" ] || : > \"$out\"\n")?;
        let ar = script(folder, "ar", "for word in \"$@\"; do case $word in *.a) : > \"$word\";; esac; done\n")?;
        Ok(Self { cc, ar })
    }
}

fn script(folder: &Path, name: &str, body: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}"))?;
    executable(&path)?;
    Ok(path)
}

#[cfg(unix)]
fn executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(unix)]
fn symlink(to: &Path, at: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(not(unix))]
fn executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
