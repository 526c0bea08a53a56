use crate::{HintStream, PlatformError};
use async_trait::async_trait;
use bytes::Bytes;
use stallcast_model::{
    Capabilities, ChangeId, Comment, CommentId, CouponId, Effect, FeedPage, OrderId, Product, ProductId, ReadCoupon, ReadLive, ReadOffer,
    ReadPin, ReceivedOrder, ReceivedProduct, ShopProfile,
};
use std::fmt;

/// A product's picture as the platform has it. Not checked beyond its size: whoever shows it decodes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// As the platform says.
    pub mime: String,
    /// The file.
    pub bytes: Bytes,
}

/// One shop on one platform. Every method is one exchange, limited in time and size, never repeated by itself; a future
/// that is dropped breaks the exchange off. Safe from any task of a tokio runtime.
#[async_trait]
pub trait Platform: Send + Sync + fmt::Debug {
    /// What it can do by itself, what the host must press elsewhere, what is not possible.
    fn capabilities(&self) -> Capabilities;

    /// How far its clock is ahead of ours, ms; `None` before the first answer.
    fn ahead_ms(&self) -> Option<i64>;

    /// Name and currency.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn profile(&self) -> Result<ShopProfile, PlatformError>;

    /// Orders changed behind `cursor`; from the start with `None`.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn orders(&self, cursor: Option<&str>) -> Result<FeedPage<ReceivedOrder>, PlatformError>;

    /// A cursor some way before this one, for reading what was read again; `None` for a feed that need not be.
    fn earlier(&self, cursor: &str) -> Option<String>;

    /// Products changed behind `cursor`; from the start with `None`.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn products(&self, cursor: Option<&str>) -> Result<FeedPage<ReceivedProduct>, PlatformError>;

    /// Comments new or changed behind `cursor`; from the start with `None`. Asked only where
    /// [`Capabilities::comments`] is native.
    ///
    /// # Errors
    /// [`PlatformError`]; `unsupported` on a platform that has no such feed.
    async fn comments(&self, cursor: Option<&str>) -> Result<FeedPage<Comment>, PlatformError> {
        let _ = cursor;
        Err(PlatformError::refused("unsupported"))
    }

    /// One comment; `None` where there is none.
    ///
    /// # Errors
    /// As [`Self::comments`].
    async fn comment(&self, id: &CommentId) -> Result<Option<Comment>, PlatformError> {
        let _ = id;
        Err(PlatformError::refused("unsupported"))
    }

    /// One order; `None` where there is none.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn order(&self, id: &OrderId) -> Result<Option<ReceivedOrder>, PlatformError>;

    /// One coupon; `None` where there is none.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn coupon(&self, id: &CouponId) -> Result<Option<ReadCoupon>, PlatformError>;

    /// A change of price or pieces; `None` where it did not take effect.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn offer_change(&self, product: &ProductId, id: &ChangeId) -> Result<Option<ReadOffer>, PlatformError>;

    /// What is shown as being explained.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn pin(&self) -> Result<Option<ReadPin>, PlatformError>;

    /// Whether the room is shown as live.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn live(&self) -> Result<ReadLive, PlatformError>;

    /// The picture of a product; `None` where it has none.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn picture(&self, product: &Product) -> Result<Option<Picture>, PlatformError>;

    /// Asks for an effect. `Ok` means accepted; only reading it back tells that it holds. The same key is the same wish.
    ///
    /// # Errors
    /// [`PlatformError`]; see [`PlatformError::may_have_happened`].
    async fn perform(&self, effect: &Effect, key: &str) -> Result<(), PlatformError>;

    /// Hints from now on, or from behind `resume` where it remembers that far.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn hints(&self, resume: Option<&str>) -> Result<HintStream, PlatformError>;
}
