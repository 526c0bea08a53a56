//! The embedded local shop: a small real shop on this machine, reached only through HTTP.
//!
//! Owns: its own database (`DIR/shop.db`), the JSON API with its OpenAPI document, the event stream, the viewer page and
//! the live files it serves, the seller token. Must never know: the studio, its store, the engine; it sees the live
//! picture only as files in `DIR/live`.
//!
//! Every change of what a viewer or a seller can see writes its row of `event` in the same transaction. Feeds page by
//! that number, never by time, so a reader that keeps the last number misses nothing and reads nothing twice.

mod access;
mod after_sales;
mod carts;
mod catalogue;
mod change;
mod comments;
mod coupons;
mod error;
mod files;
mod idempotency;
mod input;
mod live;
mod offers;
mod orders;
mod orders_read;
mod pace;
mod parcels;
mod refusal;
mod rooms;
mod routes;
mod running;
mod sample;
mod serve;
mod shop;
mod store;
mod stream;
mod sweep;
mod tool_comments;
mod undo;
mod wire;

pub use error::ShopError;
pub use running::{Ready, RunningShop, ShopOptions, is_running, run, start};
pub use shop::Counters;
