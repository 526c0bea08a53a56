//! Keeps the store and a platform in step.
//!
//! Owns: the workers of one connection. Pull: feeds page by page, each page with its cursor in one transaction; polling is
//! the truth and the event stream only a reason to read at once. Push: intents of the outbox, one at a time per lane, with
//! a key that never changes, read back before they count; an outcome that is not known is looked up before anything is
//! sent again. Must never know: SQL text, wire formats, windows.
//!
//! The caller holds the lock of the data folder and starts one [`ConnectionSync`] per connection: there are never two
//! outbox workers for one.

mod connection;
mod coupons;
mod events;
mod hints;
mod line;
mod pull;
mod push;
mod reach;
mod verdict;

pub use connection::{ConnectionSync, SyncOptions};
pub use events::SyncEvent;
pub use line::{Pace, Timing};
pub use reach::Reach;
