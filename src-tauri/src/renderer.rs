//! How WebKitGTK paints. Must be decided before GTK starts.

/// Without a GPU the composited path of WebKit costs a whole core for a moving preview, the plain one a fifth
/// (`WebProcess` 116 % → 19 %). A variable that is set stays as it is, and so does everything under WebDriver, whose
/// screenshots never return on the plain path.
#[cfg(target_os = "linux")]
pub(crate) fn choose() {
    const PLAIN: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    let automated = std::env::var_os("TAURI_WEBVIEW_AUTOMATION").is_some();
    if automated || std::env::var_os(PLAIN).is_some() || has_gpu() {
        return;
    }
    #[expect(unsafe_code, reason = "the only way to tell WebKit; nothing else runs yet")]
    // SAFETY: called first thing in `main`, before any other thread exists.
    unsafe {
        std::env::set_var(PLAIN, "1");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn choose() {}

/// Is there a render node?
#[cfg(target_os = "linux")]
fn has_gpu() -> bool {
    let Ok(nodes) = std::fs::read_dir("/dev/dri") else { return false };
    nodes.flatten().any(|node| node.file_name().to_string_lossy().starts_with("renderD"))
}
