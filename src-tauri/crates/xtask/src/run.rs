//! `run`: from a fresh clone to a studio on the screen.

use crate::{build, sh};

/// Installs, builds and starts. Without a display the same show runs without a window and prints its addresses.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    let binary = build::all(false)?;
    let binary = binary.to_string_lossy().into_owned();
    let mut command = sh::cmd(&binary, &[]);
    if cfg!(target_os = "linux")
        && std::env::var_os("DISPLAY").is_none()
        && std::env::var_os("WAYLAND_DISPLAY").is_none()
        && args.is_empty()
    {
        eprintln!("没有显示器：改为不开窗口的直播，用浏览器打开下面的地址。按 Ctrl-C 结束。");
        eprintln!("No display: running the same show without a window. Open the addresses below in a browser. Ctrl-C ends it.");
        command.args(["live", "--shop", "--pin", "first"]);
    } else {
        command.args(args);
    }
    sh::must(command)
}
