//! Comments, of viewers and for the seller.

use super::PageQuery;
use super::seller::feed_end;
use crate::access::{Form, Peer, Seller, Tool, Viewer};
use crate::comments::{self, Comment, CommentFeed, CommentForm, Comments, Draft, SellerComment};
use crate::idempotency::{Answer, Slot};
use crate::refusal::{Refusal, RefusalBody};
use crate::rooms;
use crate::shop::Shop;
use crate::tool_comments::{self, Brought, ToolComment};
use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use std::sync::Arc;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Shop>> {
    OpenApiRouter::new()
        .routes(routes!(shown, post))
        .routes(routes!(bring).layer(DefaultBodyLimit::max(tool_comments::BODY_MOST)))
        .routes(routes!(feed))
        .routes(routes!(one))
        .routes(routes!(hide))
}

/// The newest comments that are not hidden, at most 50, oldest first. What comes after is told on the stream: `comment`,
/// `comment_hidden`.
#[utoipa::path(get, path = "/api/comments", tag = "viewer", responses((status = 200, body = Comments)))]
async fn shown(State(shop): State<Arc<Shop>>) -> Result<Json<Comments>, Refusal> {
    let mut db = shop.store.read().await?;
    Ok(Json(Comments { comments: comments::shown(&mut db).await? }))
}

/// Writes a comment that everybody sees: one every 1.5 seconds, ten in a minute; from one address ten at once and five a second.
#[utoipa::path(post, path = "/api/comments", tag = "viewer", params(("X-Viewer" = String, Header), ("Idempotency-Key" = String, Header)),
    request_body = CommentForm,
    responses((status = 201, body = Comment), (status = 400, body = RefusalBody), (status = 409, description = "idempotency_mismatch", body = RefusalBody),
        (status = 429, description = "too_fast, with `retryAfterMs`", body = RefusalBody)))]
async fn post(
    State(shop): State<Arc<Shop>>,
    Viewer(viewer): Viewer,
    Peer(from): Peer,
    headers: HeaderMap,
    Form(form): Form<CommentForm>,
) -> Result<Answer, Refusal> {
    let slot = Slot::required(&headers, comments::scope(&viewer), &form)?;
    let draft = Draft::new(viewer, &form)?;
    // Before the writer is asked: whoever makes up viewers shall not keep it busy.
    if let Err(retry_after_ms) = shop.comment_addresses.take(from, shop.clock.utc_ms()) {
        shop.tally.comments_refused();
        return Err(Refusal::TooFast { retry_after_ms });
    }
    let posted = shop.write(move |change| Box::pin(comments::post(change, slot, draft))).await;
    if matches!(posted, Err(Refusal::TooFast { .. })) {
        shop.tally.comments_refused();
    }
    posted
}

/// Takes a comment that another tool read elsewhere. It goes to the seller, never to this shop's viewers; the same `id` of the
/// same `source` again is the same comment. Thirty a second, sixty at once.
#[utoipa::path(post, path = "/api/tools/comments", tag = "tool", security(("tool" = [])), request_body = ToolComment,
    responses((status = 201, body = SellerComment), (status = 200, description = "it is here already", body = SellerComment),
        (status = 400, body = RefusalBody), (status = 401, body = RefusalBody),
        (status = 409, description = "idempotency_mismatch: another text under the same id", body = RefusalBody),
        (status = 429, description = "too_fast, with `retryAfterMs`", body = RefusalBody)))]
async fn bring(
    _: Tool,
    State(shop): State<Arc<Shop>>,
    Form(form): Form<ToolComment>,
) -> Result<(StatusCode, Json<SellerComment>), Refusal> {
    let brought = Brought::new(&form)?;
    let taking = Arc::clone(&shop);
    let taken = shop.write(move |change| Box::pin(async move { tool_comments::take(change, &taking.tool_pace, brought).await })).await;
    if matches!(taken, Err(Refusal::TooFast { .. })) {
        shop.tally.tool_comments_refused();
    }
    let (comment, is_new) = taken?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(comment)))
}

/// Comments changed after a number, each once at its latest version.
#[utoipa::path(get, path = "/api/seller/comments", tag = "seller", security(("seller" = [])), params(PageQuery),
    responses((status = 200, body = CommentFeed), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody)))]
async fn feed(_: Seller, State(shop): State<Arc<Shop>>, Query(query): Query<PageQuery>) -> Result<Json<CommentFeed>, Refusal> {
    let (after, limit) = query.checked()?;
    // Taken before the snapshot: what was committed by then is in it.
    let up_to_ms = shop.clock.utc_ms();
    let mut db = shop.store.read().await?;
    let mut comments = comments::changed(&mut db, after, limit + 1).await?;
    let rows = comments.len();
    comments.truncate(usize::try_from(limit).unwrap_or(rows));
    let (next_after, more) = feed_end(after, comments.last().map(|c| c.version), rows, limit);
    Ok(Json(CommentFeed { comments, next_after, more, up_to_ms, feed: rooms::feed_id(&mut db).await? }))
}

/// One comment, for reading back what was asked of it.
#[utoipa::path(get, path = "/api/seller/comments/{id}", tag = "seller", security(("seller" = [])), params(("id" = String, Path)),
    responses((status = 200, body = SellerComment), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody)))]
async fn one(_: Seller, State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Json<SellerComment>, Refusal> {
    let mut db = shop.store.read().await?;
    Ok(Json(comments::one(&mut db, &id).await?))
}

/// Takes a comment off the viewers' pages. The same again changes nothing.
#[utoipa::path(put, path = "/api/seller/comments/{id}/hidden", tag = "seller", security(("seller" = [])), params(("id" = String, Path)),
    responses((status = 200, body = SellerComment), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody)))]
async fn hide(_: Seller, State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Json<SellerComment>, Refusal> {
    Ok(Json(shop.write(move |change| Box::pin(async move { comments::hide(change, &id).await })).await?))
}
