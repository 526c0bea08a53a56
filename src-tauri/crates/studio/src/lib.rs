//! The façade: every use-case of the studio, for windows, staff browser, command line and tests alike.
//!
//! Owns: use-cases, view types, the event hub, settings, secrets, the data-folder lock and its control socket. Must
//! never know: Tauri, SQL text, wire formats of platforms.

mod args;
mod bag;
mod bag_command;
pub mod cli;
mod comment_view;
mod comments;
#[cfg(test)]
mod connect_tests;
mod control;
mod control_socket;
mod coupons;
mod departed;
mod destination_view;
mod destinations;
mod error;
mod folder;
mod follow;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod headless;
mod health;
mod help;
mod hub;
mod keychain;
mod leftovers;
mod lock;
mod logging;
mod messages;
mod offers;
mod order_view;
mod orders;
mod output;
mod pictures;
mod present;
mod presets;
mod preview;
mod private_file;
mod process;
mod programs;
mod pump;
mod redact;
mod report;
mod retention;
mod rows;
mod secrets;
mod selling;
mod selling_args;
mod selling_command;
mod settings;
mod settle;
mod shop_process;
mod shops;
mod shops_command;
mod show;
mod show_row;
mod sources;
mod studio;
mod usage;
pub mod view;

pub use cli::WindowOptions;
pub use error::StudioError;
pub use keychain::{Keychain, NoAnswer, OsKeychain};
pub use messages::Language;
pub use preview::PreviewPicture;
pub use redact::Redactor;
pub use studio::{EngineMode, ShopMode, StartEngine, Studio, StudioOptions};
