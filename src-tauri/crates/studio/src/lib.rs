//! The façade: every use-case of the studio, for windows, staff browser, command line and tests alike.
//!
//! Owns: use-cases, view types, the event hub, settings, secrets, the data-folder lock and its control socket. Must
//! never know: Tauri, SQL text, wire formats of platforms.

mod args;
mod bag;
pub mod cli;
mod control;
mod control_socket;
mod coupons;
mod destinations;
mod error;
mod folder;
mod follow;
mod headless;
mod health;
mod help;
mod hub;
mod lock;
mod logging;
mod messages;
mod orders;
mod output;
mod pictures;
mod present;
mod preview;
mod private_file;
mod process;
mod pump;
mod redact;
mod report;
mod rows;
mod secrets;
mod selling;
mod settings;
mod shop_process;
mod show;
mod sources;
mod studio;
mod usage;
pub mod view;

pub use cli::WindowOptions;
pub use error::StudioError;
pub use messages::Language;
pub use preview::PreviewPicture;
pub use redact::Redactor;
pub use studio::{EngineMode, ShopMode, Studio, StudioOptions};
