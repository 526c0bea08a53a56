//! What a browser loads: the viewer page, its assets, the live files.

use crate::refusal::{Refusal, RefusalBody};
use crate::shop::Shop;
use axum::Json;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use std::sync::Arc;
use tower_http::services::ServeFile;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The built pages. Only the viewer page and the assets are served from here; the studio's own pages are not.
#[derive(RustEmbed)]
#[folder = "../../../ui/dist"]
#[include = "storefront.html"]
#[include = "assets/*"]
#[allow_missing = true]
struct Pages;

const NOT_BUILT: &str = "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>Stallcast</title></head><body>\
<p lang=\"zh-CN\">观看页面还没有构建。请运行 <code>cargo xtask build</code>，再刷新这一页。</p>\
<p lang=\"en\">The viewer page has not been built. Run <code>cargo xtask build</code>, then reload this page.</p></body></html>";

pub(super) fn routes() -> OpenApiRouter<Arc<Shop>> {
    OpenApiRouter::new().routes(routes!(storefront)).routes(routes!(asset)).routes(routes!(live)).routes(routes!(openapi))
}

/// The viewer page.
#[utoipa::path(get, path = "/", tag = "pages", responses((status = 200, description = "The page", body = String, content_type = "text/html")))]
async fn storefront(headers: HeaderMap) -> Response {
    match Pages::get("storefront.html") {
        Some(file) => embedded("text/html; charset=utf-8", &file, "no-cache", &headers),
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response(),
    }
}

/// A script, style or font of the viewer page.
#[utoipa::path(get, path = "/assets/{*path}", tag = "pages", params(("path" = String, Path, description = "Name of the file")),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = RefusalBody)))]
async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    // Names are looked up in a table of the executable: nothing outside of it can be reached.
    let file = Pages::get(&format!("assets/{path}")).ok_or(Refusal::NotFound("asset"))?;
    // Names carry a hash of the content.
    Ok(embedded(file.metadata.mimetype(), &file, "public, max-age=31536000, immutable", &headers))
}

fn embedded(mime: &str, file: &rust_embed::EmbeddedFile, caching: &'static str, headers: &HeaderMap) -> Response {
    let hash: String = file.metadata.sha256_hash().iter().take(12).map(|b| format!("{b:02x}")).collect();
    tagged(mime, &hash, caching, headers, || file.data.to_vec())
}

/// An answer with an entity tag; 304 if the client has it.
pub(super) fn tagged(mime: &str, tag: &str, caching: &'static str, headers: &HeaderMap, bytes: impl FnOnce() -> Vec<u8>) -> Response {
    let etag = format!("\"{tag}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let fixed = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, caching.to_owned())];
    if known.is_some_and(|tags| tags.split(',').any(|t| t.trim().trim_start_matches("W/") == etag)) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    (fixed, [(header::CONTENT_TYPE, mime.to_owned())], bytes()).into_response()
}

/// The kind and caching of a live file, if it is one.
fn live_kind(name: &str) -> Option<(&'static str, &'static str)> {
    let plain = |middle: &str| middle.len() <= 64 && middle.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let between = |first: &str, last: &str| name.strip_prefix(first).and_then(|n| n.strip_suffix(last)).is_some_and(plain);
    if name == "stream.m3u8" {
        Some(("application/vnd.apple.mpegurl", "no-store"))
    } else if between("init", ".mp4") {
        // The same name may hold another show's parameters tomorrow.
        Some(("video/mp4", "no-cache"))
    } else if between("seg-", ".m4s") {
        Some(("video/iso.segment", "public, max-age=60, immutable"))
    } else {
        None
    }
}

/// A file of the live picture.
#[utoipa::path(get, path = "/live/{file}", tag = "pages", params(("file" = String, Path, description = "stream.m3u8, init*.mp4 or seg-*.m4s")),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "A range of it", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = RefusalBody),
    ))]
async fn live(State(shop): State<Arc<Shop>>, Path(name): Path<String>, request: Request) -> Result<Response, Refusal> {
    let (mime, caching) = live_kind(&name).ok_or(Refusal::NotFound("live"))?;
    let mut response = match ServeFile::new(shop.live.join(&name)).try_call(request).await {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => return Err(Refusal::NotFound("live")),
        Ok(response) => response.into_response(),
        Err(error) => return Err(Refusal::internal(format_args!("live file: {error}"))),
    };
    if response.status().is_success() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    Ok(response)
}

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "pages", responses((status = 200, description = "OpenAPI document", body = Object)))]
async fn openapi(Extension(document): Extension<Arc<utoipa::openapi::OpenApi>>) -> Json<utoipa::openapi::OpenApi> {
    Json((*document).clone())
}

#[cfg(test)]
mod tests {
    use super::live_kind;

    #[test]
    fn only_names_of_the_live_picture_are_served() {
        for name in ["stream.m3u8", "init.mp4", "init-2.mp4", "seg-0.m4s", "seg-1733_2.m4s"] {
            assert!(live_kind(name).is_some(), "{name}");
        }
        for name in [
            "",
            "..",
            "../shop.db",
            "seg-../../shop.token.m4s",
            "seg-a/b.m4s",
            "seg-a\\b.m4s",
            "other.m3u8",
            "init.mp4.tmp",
            "shop.token",
            "seg-.m4s\0",
        ] {
            assert!(live_kind(name).is_none(), "{name}");
        }
    }
}
