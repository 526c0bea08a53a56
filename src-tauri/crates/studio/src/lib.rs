//! The façade: every use-case of the studio, for windows, staff browser, command line and tests alike.
//!
//! Owns: use-cases, view types, the event hub, settings, secrets, the data-folder lock and its control socket. Must
//! never know: Tauri, SQL text, wire formats of platforms.

mod args;
mod error;
mod health;
mod lock;
mod logging;
mod messages;
mod preview;
mod private_file;
mod redact;
mod secrets;
mod usage;
pub mod view;

pub use error::StudioError;
pub use messages::Language;
pub use preview::PreviewPicture;
pub use redact::Redactor;
