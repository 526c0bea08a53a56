//! The façade: every use-case of the studio, for windows, staff browser, command line and tests alike.
//!
//! Owns: use-cases, view types, the event hub, settings, secrets, the data-folder lock and its control socket. Must
//! never know: Tauri, SQL text, wire formats of platforms.

pub mod view;
