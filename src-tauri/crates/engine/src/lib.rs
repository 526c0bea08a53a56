//! The media process: sources → program clock → encoders → sinks, behind a private socket.
//!
//! Owns: the wiring of capture, compose and broadcast, the program clock, the [`protocol`], the supervisor that starts
//! and restarts the process, and the client. Must never know: SQL, HTTP, Tauri, shops, orders; it keeps no secret on disk.

mod awake;
mod child;
mod chooser;
mod clean;
mod client;
mod director;
mod encode;
mod encoders;
mod ended;
mod error;
mod feed;
mod finishing;
mod guard;
mod hub;
mod leftovers;
mod port;
mod preview;
mod process;
mod program;
mod progress;
pub mod protocol;
mod rates;
mod relay;
mod remembered;
mod runtime;
mod server;
mod show;
pub mod socket;
mod sound;
mod sound_line;
mod sources;
mod stage;
mod supervisor;
mod takeover;
mod thread_priority;
mod timing;
mod usage;
mod watched;
pub mod wire;

pub use child::{EngineOptions, run};
pub use error::EngineError;
pub use leftovers::{finish_recording, recording_parts};
pub use stallcast_broadcast::{Target, TargetError, room_minutes};
pub use stallcast_capture::{CameraDevice, CameraMode, DeviceList, MicDevice, devices};
pub use supervisor::{Engine, EngineEvent};

use std::path::{Path, PathBuf};

/// Whatever this process and those it starts die of, the system writes no file of their memory: there are keys in it. Called
/// before anything secret is read. Does nothing on Windows.
pub fn no_core_file() {
    process::no_core_file();
}

/// Where the engine of a data folder listens.
///
/// # Errors
/// No private folder can be had.
pub fn socket_path(data: &Path) -> Result<PathBuf, EngineError> {
    Ok(socket::path(data, "engine")?)
}
