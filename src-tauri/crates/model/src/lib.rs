//! The selling domain as plain values.
//!
//! Owns: ids, [`Money`], products and SKUs, the bag, coupons, orders and their state machine, shows, capabilities, and
//! the validation of each. Must never know: I/O, async, clocks, SQL, HTTP, wire formats of any platform, media.

mod capability;
mod coupon;
mod effect;
mod error;
mod feed;
mod id;
mod masking;
mod money;
mod order;
mod product;
mod show;

pub use capability::{Action, Capabilities, Capability};
pub use coupon::{Coupon, CouponDraft, CouponState};
pub use effect::{Effect, RoomState, Shipment};
pub use error::Invalid;
pub use feed::{Contact, FeedPage, ReadCoupon, ReadLive, ReadPin, ReceivedOrder, ReceivedProduct, ShopProfile, UnreadRow};
pub use id::{ConnectionId, CouponId, IntentId, OrderId, ProductId, ShowId, SkuId};
pub use masking::mask_name;
pub use money::{Currency, Money};
pub use order::{AfterSale, Fulfilment, Order, OrderLine, OrderStatus, Payment};
pub use product::{BagItem, Product, Sku};
pub use show::ShowState;
