//! What a browser loads: the viewer page and its assets.

use crate::refusal::{Refusal, RefusalBody};
use crate::shop::Shop;
use axum::Json;
use axum::extract::{Extension, Path};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use std::sync::Arc;
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
    OpenApiRouter::new().routes(routes!(storefront)).routes(routes!(asset)).routes(routes!(openapi))
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

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "pages", responses((status = 200, description = "OpenAPI document", body = Object)))]
async fn openapi(Extension(document): Extension<Arc<utoipa::openapi::OpenApi>>) -> Json<utoipa::openapi::OpenApi> {
    Json((*document).clone())
}
