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
mod connections;
mod coupons;
mod destinations;
mod error;
mod feed;
mod intents;
mod open;
mod orders;
mod outbox;
mod products;
mod sealer;
mod settings;
mod shows;
mod timeline;
mod words;

pub use backup::{Restored, restore};
pub use bag::{BagRow, ExplainSpan, Pinned};
pub use connections::Connection;
pub use coupons::CouponRow;
pub use destinations::Destination;
pub use error::StoreError;
pub use feed::{FeedStep, OrderChange, ProductChange, ReceivedEvent, Resource, Seal};
pub use intents::{IntentRow, IntentState};
pub use open::{Store, StoreOptions};
pub use orders::{OrderCounts, OrderPosition, OrderQuery, OrderRow};
pub use outbox::{Leased, ReadBack};
pub use sealer::{SealError, Sealer};
pub use shows::{EndedShow, ShowRow, last_ended_show};
pub use timeline::TimelineRow;

#[cfg(test)]
mod feed_tests;
#[cfg(test)]
mod outbox_tests;
#[cfg(test)]
mod show_tests;
#[cfg(test)]
mod test_store;
