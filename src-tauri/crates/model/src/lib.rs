//! The selling domain as plain values.
//!
//! Owns: ids, [`Money`], products and SKUs, the bag, coupons, orders with their parcels, after-sales and state machine,
//! comments, shows, capabilities, and the validation of each. Must never know: I/O, async, clocks, SQL, HTTP, wire formats
//! of any platform, media.

mod after_sale;
mod capability;
mod comment;
mod coupon;
mod effect;
mod error;
mod feed;
mod id;
mod masking;
mod money;
mod offer;
mod order;
mod product;
mod shipment;
mod show;

pub use after_sale::{AfterSale, AfterSaleAnswer, AfterSaleKind, AfterSaleState};
pub use capability::{Action, Capabilities, Capability};
pub use comment::{Comment, CommentKind, asks, shown_text};
pub use coupon::{Coupon, CouponDraft, CouponState};
pub use effect::{Effect, RoomState};
pub use error::Invalid;
pub use feed::{Contact, FeedPage, ReadCoupon, ReadLive, ReadOffer, ReadPin, ReceivedOrder, ReceivedProduct, ShopProfile, UnreadRow};
pub use id::{AfterSaleId, ChangeId, CommentId, ConnectionId, CouponId, IntentId, OrderId, ProductId, ShowId, SkuId};
pub use masking::mask_name;
pub use money::{Currency, Money};
pub use offer::{NewPrice, OfferTerms};
pub use order::{AfterState, Fulfilment, Order, OrderLine, OrderStatus, Payment};
pub use product::{BagItem, Product, Sku};
pub use shipment::{LinePieces, Shipment, Waybill};
pub use show::ShowState;
