//! A platform that can do little: what it cannot do is said before it is pressed, and never sent.

use crate::view::{CapabilityView, CouponForm, OfferForm, OrderStatusView, SealView};
use crate::{EngineMode, ShopMode, Studio, StudioOptions};
use async_trait::async_trait;
use stallcast_engine::Engine;
use stallcast_engine::protocol::{CameraChoice, Configuration, EncoderChoice, MicChoice};
use stallcast_media::Canvas;
use stallcast_model::{
    Capabilities, Capability, ChangeId, CouponId, Currency, Effect, FeedPage, Money, OrderId, Product, ProductId, ReadCoupon, ReadLive,
    ReadOffer, ReadPin, ReceivedOrder, ReceivedProduct, ShopProfile, Sku, SkuId,
};
use stallcast_platform::{HintStream, Picture, Platform, PlatformError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Orders and products can be read; nothing can be asked of it.
#[derive(Debug, Default)]
struct ReadOnly {
    asked: AtomicU32,
}

fn page<T>(rows: Vec<T>, cursor: Option<&str>) -> FeedPage<T> {
    let rows = if cursor.is_some() { Vec::new() } else { rows };
    FeedPage { rows, unread: Vec::new(), next: "1".to_owned(), more: false, read_at_ms: Some(1), feed: None }
}

#[async_trait]
impl Platform for ReadOnly {
    fn capabilities(&self) -> Capabilities {
        let none = || Capability::Unavailable { reason: "no_call".to_owned() };
        Capabilities {
            pin: Capability::OverlayOnly { press: "explain".to_owned() },
            issue_coupon: none(),
            withdraw_coupon: none(),
            change_offer: none(),
            ship: Capability::OverlayOnly { press: "ship".to_owned() },
            answer_after_sale: none(),
            go_live: none(),
            comments: Capability::Unavailable { reason: "no_comments".to_owned() },
            hide_comment: none(),
        }
    }
    fn ahead_ms(&self) -> Option<i64> {
        None
    }
    async fn profile(&self) -> Result<ShopProfile, PlatformError> {
        Ok(ShopProfile { name: "<b>频道</b>".to_owned(), currency: Currency::Cny })
    }
    async fn orders(&self, cursor: Option<&str>) -> Result<FeedPage<ReceivedOrder>, PlatformError> {
        Ok(page(Vec::new(), cursor))
    }
    fn earlier(&self, _: &str) -> Option<String> {
        None
    }
    async fn products(&self, cursor: Option<&str>) -> Result<FeedPage<ReceivedProduct>, PlatformError> {
        let price = Money::new(26_800, Currency::Cny);
        let sku = Sku { id: SkuId::new("s"), title: String::new(), price, old_price: None, stock: Some(3) };
        let (id, title) = (ProductId::new("p"), "盖碗".to_owned());
        let product = Product { id, title, picture: None, skus: vec![sku], confirmed_at_ms: 1 };
        Ok(page(vec![ReceivedProduct { product, number: None, version: 1 }], cursor))
    }
    async fn order(&self, _: &OrderId) -> Result<Option<ReceivedOrder>, PlatformError> {
        Ok(None)
    }
    async fn coupon(&self, _: &CouponId) -> Result<Option<ReadCoupon>, PlatformError> {
        Ok(None)
    }
    async fn offer_change(&self, _: &ProductId, _: &ChangeId) -> Result<Option<ReadOffer>, PlatformError> {
        Ok(None)
    }
    async fn pin(&self) -> Result<Option<ReadPin>, PlatformError> {
        Ok(None)
    }
    async fn live(&self) -> Result<ReadLive, PlatformError> {
        Ok(ReadLive { state: None, started_at_ms: None })
    }
    async fn picture(&self, _: &Product) -> Result<Option<Picture>, PlatformError> {
        Ok(None)
    }
    async fn perform(&self, _: &Effect, _: &str) -> Result<(), PlatformError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Err(PlatformError::refused("unsupported"))
    }
    async fn hints(&self, _: Option<&str>) -> Result<HintStream, PlatformError> {
        Err(PlatformError::refused("unsupported"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_platform_cannot_do_is_said_and_never_sent() {
    let dir = tempfile::tempdir().expect("dir");
    let mut options = StudioOptions::new(dir.path().to_owned(), std::env::current_exe().expect("path"));
    (options.shop, options.engine) = (ShopMode::Off, EngineMode::Given(|data| Box::pin(async move { Engine::in_process(&data).await })));
    options.configuration = Some(Configuration {
        camera: CameraChoice::Demo,
        mic: MicChoice::None,
        canvas: Canvas { width: 180, height: 320, fps: 10 },
        video_kbps: 200,
        audio_kbps: 64,
        low_latency: false,
        language: "zh-CN".to_owned(),
        encoder: EncoderChoice::Auto,
    });
    let studio = Studio::open(options).await.expect("open");
    studio.ready().await.expect("ready");
    let platform = Arc::new(ReadOnly::default());
    studio.connect("fake", Arc::clone(&platform) as Arc<dyn Platform>, None).await.expect("connected");

    let view = studio.snapshot().await;
    let can = &view.connections[0];
    assert_eq!(can.name, "<b>频道</b>");
    assert_eq!(can.pin, CapabilityView::OverlayOnly { press: "explain".to_owned() });
    assert_eq!(can.issue_coupon, CapabilityView::Unavailable { reason: "no_call".to_owned() });
    assert_eq!(view.bag[0].connection_id, can.id);
    assert_eq!(can.comments, CapabilityView::Unavailable { reason: "no_comments".to_owned() });
    assert_eq!((view.comments.rows.len(), &view.comments.seal), (0, &SealView::Unknown));

    studio.pin_product(1).await.expect("our own picture can");
    let item = studio.snapshot().await.bag.remove(0);
    assert!(item.explaining_since_ms.is_some() && item.pin.is_none(), "nothing is claimed of the platform");
    assert!(studio.hub().picture().overlay.card.is_some(), "the card is in the picture");
    let coupon = CouponForm { discount: "3".to_owned(), threshold: String::new(), quantity: 1, valid_s: 60, connection_id: None };
    assert_eq!(studio.issue_coupon(coupon).await.expect_err("no coupons").code, "unsupported");
    let offer = OfferForm { number: 1, sku_id: None, price: Some("1".to_owned()), stock_by: 0 };
    assert_eq!(studio.change_offer(offer).await.expect_err("no prices").code, "unsupported");
    assert_eq!(studio.withdraw_coupon("none".to_owned()).await.expect_err("no coupon").code, "not_found");
    assert!(!studio.snapshot().await.orders.rows.iter().any(|r| r.status == OrderStatusView::Shipped));
    studio.close().await;
    assert_eq!(platform.asked.load(Ordering::SeqCst), 0);
}
