//! The studio's own database: `stallcast.db` in the data folder.
//!
//! Owns: migrations, rows, queries, the outbox with its leases, the inbox, feed cursors and their completeness seal, the
//! timeline of a show. Must never know: HTTP, platforms' wire formats, media, Tauri.
//!
//! One writer connection, a few readers, WAL with `synchronous=FULL`. Each public write is one use-case in one
//! `BEGIN IMMEDIATE` transaction and runs in a task of its own: a caller that gives up cannot leave half of it. All
//! methods are safe from any task of a tokio runtime. What does not exist is `Ok(None)` or `Ok(false)`, never an error.
//! The caller of [`Store::open`] holds the lock of the data folder: never two stores on one file.

mod backup;
mod bag;
mod buyer;
mod check;
mod comment_write;
mod comments;
mod connections;
mod coupons;
mod destinations;
mod error;
mod feed;
mod intents;
mod offers;
mod open;
mod order_search;
mod order_wishes;
mod order_write;
mod orders;
mod outbox;
mod paging;
mod parcels;
mod products;
mod queue;
mod remotes;
mod retention;
mod sealer;
mod settings;
mod shows;
mod text;
mod timeline;
mod words;

pub use backup::{Restored, restore};
pub use bag::{BagRow, ExplainSpan, Pinned};
pub use comments::{CommentChange, CommentPage, CommentRow, CommentSearch};
pub use connections::Connection;
pub use coupons::CouponRow;
pub use destinations::Destination;
pub use error::StoreError;
pub use feed::{FeedStep, OrderChange, ProductChange, ReceivedEvent, Resource, Seal};
pub use intents::{IntentRow, IntentState};
pub use offers::{OfferChangeRow, OfferWish};
pub use open::{Store, StoreOptions};
pub use order_search::{OrderPage, OrderSearch};
pub use orders::{OrderCounts, OrderQuery, OrderRow};
pub use outbox::{Leased, ReadBack};
pub use queue::{Candidate, Candidates};
pub use remotes::{KnownShop, Remote};
pub use sealer::{SealError, Sealer};
pub use shows::{EndedShow, ShowRow, last_ended_show};
pub use timeline::TimelineRow;

// What measures this crate from outside measures it in its tests as well.
#[cfg(test)]
extern crate self as stallcast_store;

#[cfg(test)]
mod bench_tests;
#[cfg(test)]
mod comment_tests;
#[cfg(test)]
mod feed_tests;
#[cfg(test)]
mod offer_tests;
#[cfg(test)]
mod outbox_tests;
#[cfg(test)]
mod parcel_tests;
#[cfg(test)]
mod queue_tests;
#[cfg(test)]
mod remote_tests;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod show_tests;
#[cfg(test)]
mod test_store;
#[cfg(test)]
mod upgrade_tests;
