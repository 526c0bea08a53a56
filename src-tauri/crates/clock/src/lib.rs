//! Time and the things that run in it.
//!
//! Owns: the injected [`Clock`], the system's monotonic instant [`Mono`], [`Backoff`] with jitter, and [`Tasks`]: named
//! threads and tasks that somebody joins; [`failpoint!`]. Must never know: everything else.

mod backoff;
pub mod failpoint;
mod instant;
mod tasks;

pub use backoff::Backoff;
pub use instant::{Clock, ManualClock, Mono, SystemClock};
pub use tasks::{Tasks, spawn_thread};
