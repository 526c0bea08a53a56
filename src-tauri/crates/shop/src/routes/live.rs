//! The live picture: playlist, segments and parts, held back until they are there (RFC 8216bis §6.2.5.2).

use crate::input::invalid;
use crate::live::{NoList, Point};
use crate::refusal::{Refusal, RefusalBody};
use crate::shop::Shop;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use tower_http::services::ServeFile;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

// RFC 8216bis, appendix on low-latency servers: six target durations for a list that was waited for (its address names
// what is in it), half of one for the newest.
const WAITED_FOR: &str = "public, max-age=12";
const NEWEST: &str = "public, max-age=1";

pub(super) fn routes() -> OpenApiRouter<Arc<Shop>> {
    OpenApiRouter::new().routes(routes!(live))
}

/// What the answer is to be held back for. Only with the playlist.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wish {
    /// Answer when the segment with this media sequence number is listed.
    #[serde(rename = "_HLS_msn")]
    #[param(rename = "_HLS_msn", value_type = Option<u64>)]
    segment: Option<String>,
    /// Or this part of it.
    #[serde(rename = "_HLS_part")]
    #[param(rename = "_HLS_part", value_type = Option<u64>)]
    part: Option<String>,
}

impl Wish {
    fn point(&self) -> Result<Option<Point>, Refusal> {
        let number =
            |text: &Option<String>, field| text.as_ref().map(|t| t.parse::<u64>().map_err(|_| invalid(field, "format"))).transpose();
        match (number(&self.segment, "_HLS_msn")?, number(&self.part, "_HLS_part")?) {
            (Some(segment), part) => Ok(Some(Point { segment, part })),
            (None, Some(_)) => Err(invalid("_HLS_msn", "missing")),
            (None, None) => Ok(None),
        }
    }
}

/// The kind and caching of a live file, if it is one.
fn live_kind(name: &str) -> Option<(&'static str, &'static str)> {
    let plain = |middle: &str| middle.len() <= 64 && middle.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let between = |first: &str, last: &str| name.strip_prefix(first).and_then(|n| n.strip_suffix(last)).is_some_and(plain);
    if name == "stream.m3u8" {
        Some(("application/vnd.apple.mpegurl", NEWEST))
    } else if between("init", ".mp4") {
        // The same name may hold another show's parameters tomorrow.
        Some(("video/mp4", "no-cache"))
    } else if between("seg-", ".m4s") || between("part-", ".m4s") {
        Some(("video/iso.segment", "public, max-age=60, immutable"))
    } else {
        None
    }
}

/// A file of the live picture. A playlist asked for with `_HLS_msn`, and a part that the playlist announced, are
/// answered when they are there.
#[utoipa::path(get, path = "/live/{file}", tag = "pages",
    params(("file" = String, Path, description = "stream.m3u8, init*.mp4, seg-*.m4s or part-*.m4s"), Wish),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "A range of it", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 400, description = "Asked too far ahead", body = RefusalBody),
        (status = 404, body = RefusalBody),
        (status = 503, description = "Held for three target durations in vain, or too many wait", body = RefusalBody),
    ))]
async fn live(
    State(shop): State<Arc<Shop>>,
    Path(name): Path<String>,
    Query(wish): Query<Wish>,
    request: Request,
) -> Result<Response, Refusal> {
    let (mime, caching) = live_kind(&name).ok_or(Refusal::NotFound("live"))?;
    let told = |why: NoList| {
        match why {
            NoList::Full => shop.tally.live_refused(),
            NoList::Late => shop.tally.live_late(),
            NoList::Absent | NoList::TooFar | NoList::Ending => {}
        }
        why
    };
    if name == "stream.m3u8" {
        let (list, caching) = match wish.point()? {
            Some(point) => (shop.live.list_with(point).await.map_err(told)?, WAITED_FOR),
            None => (shop.live.list().ok_or(Refusal::NotFound("live"))?, caching),
        };
        return Ok(([(header::CONTENT_TYPE, mime), (header::CACHE_CONTROL, caching)], list.text.clone()).into_response());
    }
    shop.live.announced(&name).await.map_err(told)?;
    let mut response = match ServeFile::new(shop.live.folder().join(&name)).try_call(request).await {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => return Err(Refusal::NotFound("live")),
        Ok(response) => response.into_response(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Refusal::NotFound("live")),
        Err(error) => return Err(Refusal::internal(format_args!("live file: {error}"))),
    };
    if response.status().is_success() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::live_kind;

    #[test]
    fn only_names_of_the_live_picture_are_served() {
        for name in ["stream.m3u8", "init.mp4", "init-2.mp4", "seg-0.m4s", "seg-1733_2.m4s", "part-3-0.m4s"] {
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
            "part-../x.m4s",
        ] {
            assert!(live_kind(name).is_none(), "{name}");
        }
    }
}
