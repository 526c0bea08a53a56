//! The windows: the studio and the side panel.

use std::path::{Path, PathBuf};
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder};

/// Label of the host's window.
pub(crate) const STUDIO: &str = "studio";
/// Label of the staff's side panel.
pub(crate) const ORDERS: &str = "orders";

/// Only the program's own pages are shown.
fn is_own(url: &Url) -> bool {
    match (url.scheme(), url.host_str()) {
        ("tauri", Some("localhost")) => true,
        // Windows and Android serve the same pages under this name.
        ("http" | "https", Some("tauri.localhost")) => true,
        ("about", _) => url.path() == "blank",
        _ => false,
    }
}

fn page<'a>(app: &'a AppHandle, label: &str, file: &str, data: PathBuf) -> WebviewWindowBuilder<'a, tauri::Wry, AppHandle> {
    WebviewWindowBuilder::new(app, label, WebviewUrl::App(file.into()))
        .data_directory(data)
        .on_navigation(is_own)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .disable_drag_drop_handler()
}

/// Opens the host's window.
///
/// # Errors
/// The system gives none.
pub(crate) fn studio(app: &AppHandle, data: &Path) -> tauri::Result<WebviewWindow> {
    page(app, STUDIO, "index.html", data.join("webview")).title("Stallcast").inner_size(1440.0, 900.0).min_inner_size(1024.0, 640.0).build()
}

/// Opens the side panel, or brings it to the front.
///
/// # Errors
/// The system gives none.
pub(crate) fn orders(app: &AppHandle, data: &Path) -> tauri::Result<WebviewWindow> {
    if let Some(window) = app.get_webview_window(ORDERS) {
        window.unminimize()?;
        window.set_focus()?;
        return Ok(window);
    }
    page(app, ORDERS, "orders.html", data.join("webview")).title("Stallcast").inner_size(420.0, 900.0).min_inner_size(360.0, 480.0).build()
}

/// Closes the host's window without asking again.
///
/// # Errors
/// The system refuses.
pub(crate) fn close(app: &AppHandle) -> tauri::Result<()> {
    app.get_webview_window(STUDIO).map_or(Ok(()), |window| window.destroy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_are_navigated_to() {
        let own = |text: &str| Url::parse(text).is_ok_and(|url| is_own(&url));
        for page in ["tauri://localhost/index.html", "http://tauri.localhost/orders.html", "about:blank"] {
            assert!(own(page), "{page}");
        }
        for page in [
            "https://example.org/",
            "http://tauri.localhost.evil.example/",
            "http://localhost/",
            "file:///etc/passwd",
            "tauri://evil/",
            "about:config",
        ] {
            assert!(!own(page), "{page}");
        }
    }
}
