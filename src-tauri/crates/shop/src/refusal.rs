use crate::wire::{Money, OrderState};
use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// A request that is not fulfilled, with the code and status its client acts on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("{field} breaks the rule {rule}")]
    Invalid { field: &'static str, rule: &'static str },
    #[error("not signed in")]
    Unauthorized,
    #[error("{sku} has {available} left")]
    SoldOut { sku: String, available: i64 },
    #[error("{reserved} pieces are promised")]
    StockPromised { reserved: i64, stock: i64 },
    #[error("claimed already")]
    AlreadyClaimed,
    #[error("the coupon is over")]
    CouponGone,
    #[error("the coupon does not apply: {0}")]
    CouponNotApplicable(&'static str),
    #[error("the total is {} now", total.amount)]
    PriceChanged { total: Money },
    #[error("the idempotency key was used for something else")]
    IdempotencyMismatch,
    #[error("not possible while {0:?}")]
    WrongState(OrderState),
    #[error("the payment was declined")]
    PaymentDeclined,
    #[error("not an address of this shop")]
    WrongHost,
    #[error("too fast: again in {retry_after_ms} ms")]
    TooFast { retry_after_ms: i64 },
    #[error("too much at once")]
    Busy,
    #[error("{0}")]
    Internal(String),
}

/// The body of every answer with status 4xx or 5xx.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusalBody {
    /// Stable code, e.g. `sold_out`.
    pub code: &'static str,
    /// What a sentence about it needs.
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
}

impl Refusal {
    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        Self::Internal(what.to_string())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::SoldOut { .. }
            | Self::StockPromised { .. }
            | Self::AlreadyClaimed
            | Self::CouponNotApplicable(_)
            | Self::PriceChanged { .. }
            | Self::IdempotencyMismatch
            | Self::WrongState(_) => StatusCode::CONFLICT,
            Self::CouponGone => StatusCode::GONE,
            Self::PaymentDeclined => StatusCode::PAYMENT_REQUIRED,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooFast { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn body(&self) -> RefusalBody {
        let (code, params) = match self {
            Self::NotFound(what) => ("not_found", json!({ "what": what })),
            Self::Invalid { field, rule } => ("invalid", json!({ "field": field, "rule": rule })),
            Self::Unauthorized => ("unauthorized", json!({})),
            Self::SoldOut { sku, available } => ("sold_out", json!({ "skuId": sku, "available": available })),
            Self::StockPromised { reserved, stock } => ("stock_promised", json!({ "reserved": reserved, "stock": stock })),
            Self::AlreadyClaimed => ("already_claimed", json!({})),
            Self::CouponGone => ("coupon_gone", json!({})),
            Self::CouponNotApplicable(rule) => ("coupon_not_applicable", json!({ "rule": rule })),
            Self::PriceChanged { total } => ("price_changed", json!({ "total": total })),
            Self::IdempotencyMismatch => ("idempotency_mismatch", json!({})),
            Self::WrongState(state) => ("wrong_state", json!({ "state": state })),
            Self::PaymentDeclined => ("payment_declined", json!({})),
            Self::WrongHost => ("wrong_host", json!({})),
            Self::TooFast { retry_after_ms } => ("too_fast", json!({ "retryAfterMs": retry_after_ms })),
            Self::Busy => ("busy", json!({})),
            Self::Internal(_) => ("internal", json!({})),
        };
        RefusalBody { code, params: if let Value::Object(map) = params { map } else { Map::new() } }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // The only place where a failure of the shop itself is logged; what it holds never contains a buyer's fields,
        // because no bound value is part of a database error's text.
        if let Self::Internal(detail) = &self {
            tracing::error!(detail, "request failed");
        }
        let mut response = (self.status(), Json(self.body())).into_response();
        if let Self::TooFast { retry_after_ms } = &self {
            let seconds = (retry_after_ms.max(&0) + 999) / 1_000;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            other => Self::internal(other),
        }
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}
