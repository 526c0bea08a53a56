use crate::PlatformError;
use futures_util::stream::BoxStream;
use stallcast_model::CouponId;

/// What a platform's event stream says has changed. A reason to read now, never the truth itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Where the stream can be resumed behind this hint.
    pub id: Option<String>,
    /// The platform's own word for it.
    pub kind: String,
    /// What to read.
    pub about: About,
}

/// What a hint is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum About {
    /// An order is new or changed.
    Orders,
    /// A product or its stock changed.
    Products,
    /// A coupon was claimed or ended.
    Coupon(CouponId),
    /// A comment is new or was hidden.
    Comments,
    /// Pin or live state.
    Room,
    /// Some were missed.
    Everything,
    /// Nothing that is kept here.
    Nothing,
}

/// Hints until the connection ends. An error is the last item.
pub type HintStream = BoxStream<'static, Result<Hint, PlatformError>>;
