//! The media process: sources → program clock → encoders → sinks, behind a private socket.
//!
//! Owns: the wiring of capture, compose and broadcast, the program clock, the [`protocol`], the supervisor that starts
//! and restarts the process, and the client. Must never know: SQL, HTTP, Tauri, shops, orders; it keeps no secret on disk.

pub mod protocol;
