//! What viewers ask.

use super::StreamQuery;
use super::pages::tagged;
use crate::access::{Form, Viewer, resume_after};
use crate::after_sales;
use crate::carts;
use crate::catalogue;
use crate::coupons;
use crate::idempotency::{Answer, Slot};
use crate::input;
use crate::orders::{self, Attempt, Checkout};
use crate::refusal::{Refusal, RefusalBody};
use crate::rooms;
use crate::shop::Shop;
use crate::stream::{self, Audience};
use crate::wire::{AfterSaleForm, Cart, CartForm, Claimed, Mine, Order, OrderForm, Orders, PayForm, Product, Products, Room, ShopFace};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A silent stream says this often that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

pub(super) fn routes() -> OpenApiRouter<Arc<Shop>> {
    OpenApiRouter::new()
        .routes(routes!(face))
        .routes(routes!(products))
        .routes(routes!(picture))
        .routes(routes!(room))
        .routes(routes!(events))
        .routes(routes!(create_cart))
        .routes(routes!(put_cart_lines))
        .routes(routes!(claim_coupon))
        .routes(routes!(my_coupons))
        .routes(routes!(my_orders, place_order))
        .routes(routes!(order))
        .routes(routes!(pay_order))
        .routes(routes!(ask_after_sale))
}

/// Name and currency.
#[utoipa::path(get, path = "/api/shop", tag = "viewer", responses((status = 200, body = ShopFace)))]
async fn face(State(shop): State<Arc<Shop>>) -> Json<ShopFace> {
    Json(ShopFace { name: shop.name.clone(), currency: shop.currency() })
}

/// The catalogue by number.
#[utoipa::path(get, path = "/api/products", tag = "viewer", responses((status = 200, body = Products)))]
async fn products(State(shop): State<Arc<Shop>>) -> Result<Json<Products>, Refusal> {
    let mut db = shop.store.read().await?;
    let products = catalogue::all(&mut db, shop.currency()).await?.into_iter().map(Product::from).collect();
    Ok(Json(Products { products }))
}

/// The picture of a product.
#[utoipa::path(get, path = "/api/products/{id}/picture", tag = "viewer", params(("id" = String, Path)),
    responses((status = 200, description = "PNG, JPEG or WebP", body = Vec<u8>, content_type = "image/*"), (status = 404, body = RefusalBody)))]
async fn picture(State(shop): State<Arc<Shop>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let mut db = shop.store.read().await?;
    let picture = catalogue::picture(&mut db, &id).await?;
    Ok(tagged(&picture.mime, &picture.etag, "no-cache", &headers, || picture.bytes))
}

/// The room now.
#[utoipa::path(get, path = "/api/rooms/main", tag = "viewer", responses((status = 200, body = Room)))]
async fn room(State(shop): State<Arc<Shop>>) -> Result<Json<Room>, Refusal> {
    room_now(&shop).await
}

pub(super) async fn room_now(shop: &Shop) -> Result<Json<Room>, Refusal> {
    let mut db = shop.store.read().await?;
    let viewers = *shop.viewers.borrow();
    Ok(Json(rooms::snapshot(&mut db, shop.currency(), viewers, shop.clock.utc_ms()).await?))
}

/// What happens in the room: live, pin, unpin, product, coupon, sold, comment, comment_hidden, viewers, reset.
#[utoipa::path(get, path = "/api/rooms/main/events", tag = "viewer",
    params(StreamQuery, ("Last-Event-ID" = Option<i64>, Header, description = "Number of the last event that is known")),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"), (status = 503, body = RefusalBody)))]
async fn events(State(shop): State<Arc<Shop>>, Query(query): Query<StreamQuery>, headers: HeaderMap) -> Result<Response, Refusal> {
    listen(&shop, Audience::Viewer, resume_after(&headers, query.after)).await
}

pub(super) async fn listen(shop: &Arc<Shop>, audience: Audience, after: Option<i64>) -> Result<Response, Refusal> {
    let events = stream::open(shop, audience, after).await?;
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive")).into_response())
}

/// An empty cart.
#[utoipa::path(post, path = "/api/carts", tag = "viewer", responses((status = 201, body = Cart)))]
async fn create_cart(State(shop): State<Arc<Shop>>) -> Result<(StatusCode, Json<Cart>), Refusal> {
    let cart = shop.write(|change| Box::pin(carts::create(change))).await?;
    Ok((StatusCode::CREATED, Json(cart)))
}

/// Replaces the lines of a cart.
#[utoipa::path(put, path = "/api/carts/{id}/lines", tag = "viewer", params(("id" = String, Path)), request_body = CartForm,
    responses((status = 200, body = Cart), (status = 400, body = RefusalBody), (status = 404, body = RefusalBody)))]
async fn put_cart_lines(State(shop): State<Arc<Shop>>, Path(id): Path<String>, Form(form): Form<CartForm>) -> Result<Json<Cart>, Refusal> {
    let lines = input::lines(&form.lines)?;
    Ok(Json(shop.write(move |change| Box::pin(async move { carts::put_lines(change, &id, &lines).await })).await?))
}

/// Claims one coupon for this viewer.
#[utoipa::path(post, path = "/api/coupons/{id}/claim", tag = "viewer", params(("id" = String, Path), ("X-Viewer" = String, Header)),
    responses((status = 200, body = Claimed), (status = 404, body = RefusalBody), (status = 409, description = "already_claimed", body = RefusalBody),
        (status = 410, description = "coupon_gone", body = RefusalBody)))]
async fn claim_coupon(State(shop): State<Arc<Shop>>, Viewer(viewer): Viewer, Path(id): Path<String>) -> Result<Json<Claimed>, Refusal> {
    shop.write(move |change| Box::pin(async move { coupons::claim(change, &id, &viewer).await })).await?;
    Ok(Json(Claimed { claimed: true }))
}

/// Coupons this viewer holds.
#[utoipa::path(get, path = "/api/coupons/mine", tag = "viewer", params(("X-Viewer" = String, Header)), responses((status = 200, body = Mine)))]
async fn my_coupons(State(shop): State<Arc<Shop>>, Viewer(viewer): Viewer) -> Result<Json<Mine>, Refusal> {
    let mut db = shop.store.read().await?;
    Ok(Json(coupons::mine(&mut db, &viewer, shop.clock.utc_ms()).await?))
}

/// Which of a viewer's orders.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OrdersQuery {
    /// Only the one placed with this idempotency key: how a page that got no answer finds out what became of its checkout.
    key: Option<String>,
}

/// This viewer's orders, newest first, at most 50.
#[utoipa::path(get, path = "/api/orders", tag = "viewer", params(OrdersQuery, ("X-Viewer" = String, Header)), responses((status = 200, body = Orders)))]
async fn my_orders(
    State(shop): State<Arc<Shop>>,
    Viewer(viewer): Viewer,
    Query(query): Query<OrdersQuery>,
) -> Result<Json<Orders>, Refusal> {
    let mut db = shop.store.read().await?;
    Ok(Json(Orders { orders: orders::list(&mut db, &viewer, query.key.as_deref(), shop.currency()).await? }))
}

/// Places an order and reserves its pieces for 15 minutes.
#[utoipa::path(post, path = "/api/orders", tag = "viewer", params(("X-Viewer" = String, Header), ("Idempotency-Key" = String, Header)), request_body = OrderForm,
    responses((status = 201, body = Order), (status = 400, body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, description = "sold_out, coupon_not_applicable, price_changed, idempotency_mismatch", body = RefusalBody)))]
async fn place_order(
    State(shop): State<Arc<Shop>>,
    Viewer(viewer): Viewer,
    headers: HeaderMap,
    Form(form): Form<OrderForm>,
) -> Result<Answer, Refusal> {
    let slot = Slot::required(&headers, orders::checkout_scope(&viewer), &form)?;
    let checkout = Checkout::new(viewer, &form)?;
    shop.write(move |change| Box::pin(orders::place(change, slot, checkout))).await
}

/// One of this viewer's orders.
#[utoipa::path(get, path = "/api/orders/{id}", tag = "viewer", params(("id" = String, Path), ("X-Viewer" = String, Header)),
    responses((status = 200, body = Order), (status = 404, body = RefusalBody)))]
async fn order(State(shop): State<Arc<Shop>>, Viewer(viewer): Viewer, Path(id): Path<String>) -> Result<Json<Order>, Refusal> {
    let mut db = shop.store.read().await?;
    Ok(Json(orders::for_viewer(&mut db, &id, &viewer, shop.currency()).await?))
}

/// Pays an order. `manual` leaves it awaiting until the seller has seen the money.
#[utoipa::path(post, path = "/api/orders/{id}/pay", tag = "viewer", params(("id" = String, Path), ("X-Viewer" = String, Header)), request_body = PayForm,
    responses((status = 200, body = Order), (status = 402, description = "payment_declined", body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, description = "wrong_state", body = RefusalBody)))]
async fn pay_order(
    State(shop): State<Arc<Shop>>,
    Viewer(viewer): Viewer,
    Path(id): Path<String>,
    Form(form): Form<PayForm>,
) -> Result<Json<Order>, Refusal> {
    match shop.write(move |change| Box::pin(async move { orders::pay(change, &id, &viewer, &form).await })).await? {
        Attempt::Accepted(order) => Ok(Json(*order)),
        Attempt::Declined => Err(Refusal::PaymentDeclined),
    }
}

/// Asks for money back, for the whole order or for pieces of one line.
#[utoipa::path(post, path = "/api/orders/{id}/after-sales", tag = "viewer",
    params(("id" = String, Path), ("X-Viewer" = String, Header), ("Idempotency-Key" = String, Header)), request_body = AfterSaleForm,
    responses((status = 201, body = Order), (status = 400, body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, description = "wrong_state, idempotency_mismatch", body = RefusalBody)))]
async fn ask_after_sale(
    State(shop): State<Arc<Shop>>,
    Viewer(viewer): Viewer,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(form): Form<AfterSaleForm>,
) -> Result<Answer, Refusal> {
    let slot = Slot::required(&headers, format!("after-sale:{viewer}:{id}"), &form)?;
    shop.write(move |change| Box::pin(async move { after_sales::ask(change, slot, &id, &viewer, &form).await })).await
}
