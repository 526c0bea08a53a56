//! Selling platforms behind one trait.
//!
//! Owns: [`Platform`] and its adapters; of each platform the sign-in, paging, limits, the mapping of its words and errors.
//! Wire types never leave their adapter. Must never know: SQL, the store, when and how often something is read or sent.

mod error;
mod hint;
pub mod limits;
pub mod listing;
pub mod local;
mod offset;
mod platform;

pub use error::{PlatformError, Sent};
pub use hint::{About, Hint, HintStream};
pub use offset::ClockOffset;
pub use platform::{Picture, Platform};
