//! Who may ask: the host they ask for, the seller's token, the viewer's id, the limits of a request.

use crate::input::invalid;
use crate::refusal::Refusal;
use crate::shop::Shop;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longest time from the head of a request to the head of its answer, body included.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// No inline script or style, nothing from elsewhere, no frame around it. `blob:` is how a player feeds the video element.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; \
     media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'; form-action 'self'";

/// Around every request.
pub(crate) async fn guard(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let mut response = if is_for_us(&shop, &request) {
        match tokio::time::timeout(REQUEST_LIMIT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Refusal::Busy.into_response(),
        }
    } else {
        Refusal::WrongHost.into_response()
    };
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A page elsewhere can point its own name at this machine (DNS rebinding); then the browser says that name here.
fn is_for_us(shop: &Shop, request: &Request) -> bool {
    let Some(host) = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).or_else(|| request.uri().host()) else {
        return false;
    };
    if !is_ours(host, shop.bound) {
        return false;
    }
    match request.headers().get(header::ORIGIN) {
        None => true,
        Some(origin) => origin.to_str().ok().and_then(|o| o.split_once("://")).is_some_and(|(_, host)| is_ours(host, shop.bound)),
    }
}

fn is_ours(host: &str, bound: IpAddr) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    match name.parse::<IpAddr>() {
        // A literal address cannot be re-pointed; listening everywhere means any of them may be ours.
        Ok(ip) => ip.is_loopback() || ip == bound || bound.is_unspecified(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

/// Proof that the request carries the seller's token.
#[derive(Debug)]
pub(crate) struct Seller;

impl FromRequestParts<Arc<Shop>> for Seller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, Refusal> {
        bearer(parts).filter(|token| shop.is_seller(token)).map(|_| Self).ok_or(Refusal::Unauthorized)
    }
}

/// Proof that the request carries the token for tools that bring comments.
#[derive(Debug)]
pub(crate) struct Tool;

impl FromRequestParts<Arc<Shop>> for Tool {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, Refusal> {
        bearer(parts).filter(|token| shop.is_tool(token)).map(|_| Self).ok_or(Refusal::Unauthorized)
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let given = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, token) = given.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))?;
    Some(token.trim())
}

/// The address at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub IpAddr);

impl FromRequestParts<Arc<Shop>> for Peer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shop>) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().copied().ok_or_else(|| Refusal::internal("a request without a connection"))
    }
}

/// The random id a viewer's page made for itself.
#[derive(Debug)]
pub(crate) struct Viewer(pub String);

impl FromRequestParts<Arc<Shop>> for Viewer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shop>) -> Result<Self, Refusal> {
        let id = parts.headers.get("x-viewer").ok_or(invalid("X-Viewer", "missing"))?;
        let id = id.to_str().ok().filter(|v| (8..=64).contains(&v.len()) && v.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        id.map(|v| Self(v.to_owned())).ok_or(invalid("X-Viewer", "format"))
    }
}

/// A JSON body, refused in the shop's own words.
#[derive(Debug)]
pub(crate) struct Form<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Shop>> for Form<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, shop: &Arc<Shop>) -> Result<Self, Refusal> {
        match axum::Json::<T>::from_request(request, shop).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(invalid("body", "content_type")),
            Err(JsonRejection::BytesRejection(e)) => Err(body_refusal(&e)),
            Err(_) => Err(invalid("body", "json")),
        }
    }
}

/// A JSON body that may be missing.
#[derive(Debug)]
pub(crate) struct OptionalForm<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<Shop>> for OptionalForm<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, shop: &Arc<Shop>) -> Result<Self, Refusal> {
        let bytes = RawBody::from_request(request, shop).await?.0;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|_| invalid("body", "json"))
    }
}

/// The bytes of a body.
#[derive(Debug)]
pub(crate) struct RawBody(pub Bytes);

impl FromRequest<Arc<Shop>> for RawBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, shop: &Arc<Shop>) -> Result<Self, Refusal> {
        Bytes::from_request(request, shop).await.map(Self).map_err(|e| body_refusal(&e))
    }
}

fn body_refusal(rejection: &BytesRejection) -> Refusal {
    invalid("body", if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { "too_long" } else { "incomplete" })
}

/// Where a stream goes on: the header of a browser that comes back beats the address it first asked for.
pub(crate) fn resume_after(headers: &HeaderMap, query: Option<i64>) -> Option<i64> {
    headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok()).or(query)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_answered() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        let lan: IpAddr = "192.168.1.20".parse().unwrap();
        let everywhere: IpAddr = "0.0.0.0".parse().unwrap();
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "[::1]:80", "[::1]"] {
            assert!(is_ours(host, loopback), "{host}");
        }
        for host in ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.20", "", "[::1"] {
            assert!(!is_ours(host, loopback) || host == "[::1", "{host}");
        }
        assert!(is_ours("192.168.1.20:80", lan));
        assert!(!is_ours("192.168.1.21:80", lan));
        assert!(is_ours("10.0.0.3", everywhere));
        assert!(!is_ours("shop.example", everywhere), "a name can be re-pointed, even where we listen everywhere");
    }
}
