//! What the seller asks, with the token.

use super::viewer::{listen, room_now};
use super::{PageQuery, StreamQuery};
use crate::access::{Form, OptionalForm, RawBody, Seller, resume_after};
use crate::catalogue::{self, PICTURE_MOST};
use crate::coupons;
use crate::idempotency::{Answer, Slot};
use crate::input::invalid;
use crate::offers;
use crate::orders::{self, Action};
use crate::orders_read;
use crate::refusal::{Refusal, RefusalBody};
use crate::rooms;
use crate::shop::Shop;
use crate::stream::Audience;
use crate::wire::{
    CancelForm, Coupon, CouponForm, LiveForm, OfferChange, OfferForm, Order, OrderFeed, PinForm, ProductFeed, ProductForm, ProductPatch,
    RefundForm, RefuseForm, Room, SellerProduct, ShipForm,
};
use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use std::sync::Arc;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

/// A picture in base64 and what stands around it.
const PRODUCT_BODY_MOST: usize = PICTURE_MOST / 3 * 4 + (64 << 10);

pub(super) fn routes() -> OpenApiRouter<Arc<Shop>> {
    OpenApiRouter::new()
        .routes(routes!(order_feed))
        .routes(routes!(order))
        .routes(routes!(ship))
        .routes(routes!(cancel))
        .routes(routes!(refund))
        .routes(routes!(paid))
        .routes(routes!(agree_after_sale))
        .routes(routes!(refuse_after_sale))
        .routes(routes!(product_feed))
        .routes(routes!(create_product).layer(DefaultBodyLimit::max(PRODUCT_BODY_MOST)))
        .routes(routes!(product, patch_product))
        .routes(routes!(offer_change, change_offer))
        .routes(routes!(put_picture).layer(DefaultBodyLimit::max(PICTURE_MOST)))
        .routes(routes!(room))
        .routes(routes!(pin, unpin))
        .routes(routes!(set_live))
        .routes(routes!(coupon, issue_coupon, withdraw_coupon))
        .routes(routes!(events))
}

pub(super) fn feed_end(after: i64, last: Option<i64>, rows: usize, limit: i64) -> (i64, bool) {
    (last.unwrap_or(after), i64::try_from(rows).is_ok_and(|rows| rows > limit))
}

/// Orders changed after a number, each once at its latest version.
#[utoipa::path(get, path = "/api/seller/orders", tag = "seller", security(("seller" = [])), params(PageQuery),
    responses((status = 200, body = OrderFeed), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody)))]
async fn order_feed(_: Seller, State(shop): State<Arc<Shop>>, Query(query): Query<PageQuery>) -> Result<Json<OrderFeed>, Refusal> {
    let (after, limit) = query.checked()?;
    // Taken before the snapshot: what was committed by then is in it.
    let up_to_ms = shop.clock.utc_ms();
    let mut db = shop.store.read().await?;
    let mut orders = orders_read::changed(&mut db, after, limit + 1, shop.currency()).await?;
    let rows = orders.len();
    orders.truncate(usize::try_from(limit).unwrap_or(rows));
    let (next_after, more) = feed_end(after, orders.last().map(|o| o.version), rows, limit);
    Ok(Json(OrderFeed { orders, next_after, more, up_to_ms, feed: rooms::feed_id(&mut db).await? }))
}

/// One order with its buyer.
#[utoipa::path(get, path = "/api/seller/orders/{id}", tag = "seller", security(("seller" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Order), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody)))]
async fn order(_: Seller, State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Json<Order>, Refusal> {
    let mut db = shop.store.read().await?;
    Ok(Json(orders_read::one(&mut db, &id, shop.currency()).await?))
}

async fn act(
    shop: &Arc<Shop>,
    headers: &HeaderMap,
    id: String,
    what: &str,
    form: &impl Serialize,
    action: Action,
) -> Result<Answer, Refusal> {
    let slot = Slot::required(headers, format!("{what}:{id}"), form)?;
    shop.write(move |change| Box::pin(async move { orders::act(change, slot, &id, action).await })).await
}

/// Marks an order as sent, whole or in part.
#[utoipa::path(post, path = "/api/seller/orders/{id}/ship", tag = "seller", security(("seller" = [])),
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = ShipForm,
    responses((status = 200, body = Order), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, description = "wrong_state, idempotency_mismatch", body = RefusalBody)))]
async fn ship(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(form): Form<ShipForm>,
) -> Result<Answer, Refusal> {
    let request = ShipForm { carrier: form.carrier.clone(), tracking: form.tracking.clone(), lines: form.lines.clone() };
    act(&shop, &headers, id, "ship", &request, Action::Ship(form)).await
}

/// Cancels an order that was not sent; a paid one is refunded in full.
#[utoipa::path(post, path = "/api/seller/orders/{id}/cancel", tag = "seller", security(("seller" = [])),
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = CancelForm,
    responses((status = 200, body = Order), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, description = "wrong_state, idempotency_mismatch", body = RefusalBody)))]
async fn cancel(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(form): Form<CancelForm>,
) -> Result<Answer, Refusal> {
    let request = CancelForm { reason: form.reason.clone() };
    act(&shop, &headers, id, "cancel", &request, Action::Cancel(form)).await
}

/// Gives money back, all that is left if no amount is named.
#[utoipa::path(post, path = "/api/seller/orders/{id}/refund", tag = "seller", security(("seller" = [])),
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = Option<RefundForm>,
    responses((status = 200, body = Order), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, description = "wrong_state, idempotency_mismatch", body = RefusalBody)))]
async fn refund(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalForm(form): OptionalForm<RefundForm>,
) -> Result<Answer, Refusal> {
    let request = RefundForm { amount: form.amount };
    act(&shop, &headers, id, "refund", &request, Action::Refund(form)).await
}

/// The money came another way.
#[utoipa::path(post, path = "/api/seller/orders/{id}/paid", tag = "seller", security(("seller" = [])),
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Order), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, description = "wrong_state", body = RefusalBody)))]
async fn paid(_: Seller, State(shop): State<Arc<Shop>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Answer, Refusal> {
    act(&shop, &headers, id, "paid", &(), Action::Paid).await
}

/// Grants what the buyer asked for: the money goes back. The same again changes nothing.
#[utoipa::path(post, path = "/api/seller/orders/{id}/after-sales/{asked}/agree", tag = "seller", security(("seller" = [])),
    params(("id" = String, Path), ("asked" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Order), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, description = "wrong_state", body = RefusalBody)))]
async fn agree_after_sale(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Path((id, asked)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Answer, Refusal> {
    let what = format!("agree:{asked}");
    act(&shop, &headers, id, &what, &(), Action::Agree(asked)).await
}

/// Refuses it with a reason that the buyer reads. The same again changes nothing.
#[utoipa::path(post, path = "/api/seller/orders/{id}/after-sales/{asked}/refuse", tag = "seller", security(("seller" = [])),
    params(("id" = String, Path), ("asked" = String, Path), ("Idempotency-Key" = String, Header)), request_body = RefuseForm,
    responses((status = 200, body = Order), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, description = "wrong_state, idempotency_mismatch", body = RefusalBody)))]
async fn refuse_after_sale(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Path((id, asked)): Path<(String, String)>,
    headers: HeaderMap,
    Form(form): Form<RefuseForm>,
) -> Result<Answer, Refusal> {
    let (what, request) = (format!("refuse:{asked}"), RefuseForm { reason: form.reason.clone() });
    act(&shop, &headers, id, &what, &request, Action::Refuse(asked, form)).await
}

/// Products changed after a number, with their stock.
#[utoipa::path(get, path = "/api/seller/products", tag = "seller", security(("seller" = [])), params(PageQuery),
    responses((status = 200, body = ProductFeed), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody)))]
async fn product_feed(_: Seller, State(shop): State<Arc<Shop>>, Query(query): Query<PageQuery>) -> Result<Json<ProductFeed>, Refusal> {
    let (after, limit) = query.checked()?;
    let up_to_ms = shop.clock.utc_ms();
    let mut db = shop.store.read().await?;
    let mut products = catalogue::changed(&mut db, after, limit + 1, shop.currency()).await?;
    let rows = products.len();
    products.truncate(usize::try_from(limit).unwrap_or(rows));
    let (next_after, more) = feed_end(after, products.last().map(|p| p.seq), rows, limit);
    Ok(Json(ProductFeed { products, next_after, more, up_to_ms, feed: rooms::feed_id(&mut db).await? }))
}

/// Puts a product into the catalogue. With an `Idempotency-Key`, once.
#[utoipa::path(post, path = "/api/seller/products", tag = "seller", security(("seller" = [])), params(("Idempotency-Key" = Option<String>, Header)),
    request_body = ProductForm,
    responses((status = 201, body = SellerProduct), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody), (status = 409, body = RefusalBody)))]
async fn create_product(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    Form(request): Form<serde_json::Value>,
) -> Result<Answer, Refusal> {
    let slot = Slot::optional(&headers, "product".to_owned(), &request)?;
    let form: ProductForm = serde_json::from_value(request).map_err(|_| invalid("body", "json"))?;
    let new = catalogue::checked(&form, shop.currency())?;
    shop.write(move |change| {
        Box::pin(async move {
            if let Some(slot) = &slot
                && let Some(answer) = slot.replay(change).await?
            {
                return Ok(answer);
            }
            let answer = Answer::new(StatusCode::CREATED, &catalogue::create(change, new).await?)?;
            if let Some(slot) = &slot {
                slot.keep(change, &answer).await?;
            }
            Ok(answer)
        })
    })
    .await
}

/// One product with its stock.
#[utoipa::path(get, path = "/api/seller/products/{id}", tag = "seller", security(("seller" = [])), params(("id" = String, Path)),
    responses((status = 200, body = SellerProduct), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody)))]
async fn product(_: Seller, State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Json<SellerProduct>, Refusal> {
    let mut db = shop.store.read().await?;
    Ok(Json(catalogue::one(&mut db, &id, shop.currency()).await?))
}

/// Changes title, price, old price or pieces on hand. With an `Idempotency-Key`, once.
#[utoipa::path(patch, path = "/api/seller/products/{id}", tag = "seller", security(("seller" = [])),
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = ProductPatch,
    responses((status = 200, body = SellerProduct), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, body = RefusalBody)))]
async fn patch_product(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(request): Form<serde_json::Value>,
) -> Result<Answer, Refusal> {
    let slot = Slot::optional(&headers, format!("patch:{id}"), &request)?;
    let patch: ProductPatch = serde_json::from_value(request).map_err(|_| invalid("body", "json"))?;
    shop.write(move |change| {
        Box::pin(async move {
            if let Some(slot) = &slot
                && let Some(answer) = slot.replay(change).await?
            {
                return Ok(answer);
            }
            let answer = Answer::new(StatusCode::OK, &catalogue::patch(change, &id, patch).await?)?;
            if let Some(slot) = &slot {
                slot.keep(change, &answer).await?;
            }
            Ok(answer)
        })
    })
    .await
}

/// A change of price or pieces, with the product as it stands now.
#[utoipa::path(get, path = "/api/seller/products/{id}/changes/{change}", tag = "seller", security(("seller" = [])),
    params(("id" = String, Path), ("change" = String, Path)),
    responses((status = 200, body = OfferChange), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody)))]
async fn offer_change(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Path((id, change)): Path<(String, String)>,
) -> Result<Json<OfferChange>, Refusal> {
    // Taken before the snapshot: what it shows holds at least then.
    let now_ms = shop.clock.utc_ms();
    let mut db = shop.store.read().await?;
    Ok(Json(offers::one(&mut db, &id, &change, shop.currency(), now_ms).await?))
}

/// Changes price or pieces while people buy, under an id of the caller's choice: the same again is the same change.
#[utoipa::path(put, path = "/api/seller/products/{id}/changes/{change}", tag = "seller", security(("seller" = [])),
    params(("id" = String, Path), ("change" = String, Path)), request_body = OfferForm,
    responses((status = 200, body = OfferChange), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody),
        (status = 409, description = "stock_promised, idempotency_mismatch", body = RefusalBody)))]
async fn change_offer(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Path((id, change)): Path<(String, String)>,
    Form(form): Form<OfferForm>,
) -> Result<Json<OfferChange>, Refusal> {
    Ok(Json(shop.write(move |write| Box::pin(async move { offers::make(write, &id, &change, &form).await })).await?))
}

/// Gives a product its picture: PNG, JPEG or WebP, at most 2 MB.
#[utoipa::path(put, path = "/api/seller/products/{id}/picture", tag = "seller", security(("seller" = [])), params(("id" = String, Path)),
    request_body(content = Vec<u8>, content_type = "image/*"),
    responses((status = 204), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody)))]
async fn put_picture(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    RawBody(bytes): RawBody,
) -> Result<StatusCode, Refusal> {
    shop.write(move |change| Box::pin(async move { catalogue::set_picture(change, &id, &bytes).await })).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The room, for reading back what was asked of it.
#[utoipa::path(get, path = "/api/seller/rooms/main", tag = "seller", security(("seller" = [])),
    responses((status = 200, body = Room), (status = 401, body = RefusalBody)))]
async fn room(_: Seller, State(shop): State<Arc<Shop>>) -> Result<Json<Room>, Refusal> {
    room_now(&shop).await
}

/// Pins a product. The same again changes nothing.
#[utoipa::path(put, path = "/api/seller/rooms/main/pin", tag = "seller", security(("seller" = [])), request_body = PinForm,
    responses((status = 200, body = Room), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody)))]
async fn pin(_: Seller, State(shop): State<Arc<Shop>>, Form(form): Form<PinForm>) -> Result<Json<Room>, Refusal> {
    shop.write(move |change| Box::pin(rooms::pin(change, form))).await?;
    room_now(&shop).await
}

/// Takes the pin away. Without one nothing changes.
#[utoipa::path(delete, path = "/api/seller/rooms/main/pin", tag = "seller", security(("seller" = [])),
    responses((status = 200, body = Room), (status = 401, body = RefusalBody)))]
async fn unpin(_: Seller, State(shop): State<Arc<Shop>>) -> Result<Json<Room>, Refusal> {
    shop.write(|change| Box::pin(rooms::unpin(change))).await?;
    room_now(&shop).await
}

/// The show begins or ends.
#[utoipa::path(put, path = "/api/seller/rooms/main/live", tag = "seller", security(("seller" = [])), request_body = LiveForm,
    responses((status = 200, body = Room), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody)))]
async fn set_live(_: Seller, State(shop): State<Arc<Shop>>, Form(form): Form<LiveForm>) -> Result<Json<Room>, Refusal> {
    shop.write(move |change| Box::pin(rooms::set_live(change, form))).await?;
    room_now(&shop).await
}

/// A coupon as it is now.
#[utoipa::path(get, path = "/api/seller/coupons/{id}", tag = "seller", security(("seller" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Coupon), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody)))]
async fn coupon(_: Seller, State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Json<Coupon>, Refusal> {
    let mut db = shop.store.read().await?;
    Ok(Json(coupons::one(&mut db, &id, shop.currency(), shop.clock.utc_ms()).await?))
}

/// Issues a coupon under an id of the caller's choice: the same again is the same coupon.
#[utoipa::path(put, path = "/api/seller/coupons/{id}", tag = "seller", security(("seller" = [])), params(("id" = String, Path)), request_body = CouponForm,
    responses((status = 200, body = Coupon), (status = 400, body = RefusalBody), (status = 401, body = RefusalBody),
        (status = 409, description = "idempotency_mismatch", body = RefusalBody)))]
async fn issue_coupon(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    Form(form): Form<CouponForm>,
) -> Result<Json<Coupon>, Refusal> {
    Ok(Json(shop.write(move |change| Box::pin(async move { coupons::issue(change, &id, &form).await })).await?))
}

/// Ends the claiming of a coupon; claimed ones stay usable until their time is over.
#[utoipa::path(delete, path = "/api/seller/coupons/{id}", tag = "seller", security(("seller" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Coupon), (status = 401, body = RefusalBody), (status = 404, body = RefusalBody)))]
async fn withdraw_coupon(_: Seller, State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Json<Coupon>, Refusal> {
    Ok(Json(shop.write(move |change| Box::pin(async move { coupons::withdraw(change, &id).await })).await?))
}

/// The room's events and `order` hints.
#[utoipa::path(get, path = "/api/seller/events", tag = "seller", security(("seller" = [])),
    params(StreamQuery, ("Last-Event-ID" = Option<i64>, Header, description = "Number of the last event that is known")),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"), (status = 401, body = RefusalBody),
        (status = 503, body = RefusalBody)))]
async fn events(
    _: Seller,
    State(shop): State<Arc<Shop>>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    listen(&shop, Audience::Seller, resume_after(&headers, query.after)).await
}
