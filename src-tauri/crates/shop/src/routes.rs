//! The API, route by route. Every route is in the OpenAPI document because there is no other way in: `routes!` only.

mod comments;
mod live;
mod pages;
mod seller;
mod viewer;

use crate::access;
use crate::refusal::Refusal;
use crate::shop::Shop;
use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoParams, Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

/// Largest body of a request that brings no picture.
const BODY_MOST: usize = 64 << 10;

#[derive(OpenApi)]
#[openapi(
    info(title = "Stallcast local shop", description = "JSON is camelCase, amounts are minor units, times are ms UTC."),
    modifiers(&BearerTokens)
)]
struct Document;

struct BearerTokens;

impl Modify for BearerTokens {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("Content of shop.token.")).build();
        let tool = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("Content of comments.token.")).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("seller", SecurityScheme::Http(scheme));
        components.add_security_scheme("tool", SecurityScheme::Http(tool));
    }
}

/// A page of a feed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Everything up to this number is known.
    after: Option<i64>,
    /// 1..=500, else 100.
    limit: Option<i64>,
}

impl PageQuery {
    fn checked(&self) -> Result<(i64, i64), Refusal> {
        let (after, limit) = (self.after.unwrap_or(0), self.limit.unwrap_or(100));
        if after < 0 {
            return Err(crate::input::invalid("after", "range"));
        }
        if !(1..=500).contains(&limit) {
            return Err(crate::input::invalid("limit", "range"));
        }
        Ok((after, limit))
    }
}

/// Where a stream goes on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamQuery {
    /// Number of the last event that is known. The header `Last-Event-ID` beats it.
    after: Option<i64>,
}

/// All routes behind the guard.
pub(crate) fn router(shop: &Arc<Shop>) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(pages::routes())
        .merge(live::routes())
        .merge(viewer::routes())
        .merge(comments::routes())
        .merge(seller::routes())
        .split_for_parts();
    router
        .fallback(|| async { Refusal::NotFound("page") })
        .method_not_allowed_fallback(|| async { Refusal::NotFound("method") })
        .layer(axum::Extension(Arc::new(document)))
        .layer(DefaultBodyLimit::max(BODY_MOST))
        .layer(middleware::from_fn_with_state(Arc::clone(shop), access::guard))
        .with_state(Arc::clone(shop))
}
