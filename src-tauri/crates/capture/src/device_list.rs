use crate::camera;
use crate::camera::door::{self, Door};
use crate::keeper::bounded;
use crate::mic;
use serde::Serialize;

/// What is plugged in.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DeviceList {
    /// Cameras that can be opened, in the system's order.
    pub cameras: Vec<CameraDevice>,
    /// Microphones, the default first.
    pub microphones: Vec<MicDevice>,
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CameraDevice {
    /// What [`crate::open_camera`] takes.
    pub id: String,
    /// Human name as the driver gives it; text, never markup.
    pub name: String,
    /// What it offers; empty when the driver did not answer in time.
    pub modes: Vec<CameraMode>,
}

/// One size, rate and layout of a camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CameraMode {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second, may be fractional.
    pub fps: f64,
    /// `NV12`, `YUYV`, `I420` or `MJPG`.
    pub format: String,
}

/// One microphone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MicDevice {
    /// What [`crate::open_mic`] takes.
    pub id: String,
    /// Human name; text, never markup.
    pub name: String,
}

/// Asks the drivers what is there. May take seconds, never panics.
#[must_use]
pub fn devices() -> DeviceList {
    let microphones = stallcast_clock::spawn_thread("mic-list", || bounded("mics", camera::LIST_LIMIT, mic::list).unwrap_or_default());
    let cameras = cameras(door::of_this_system());
    DeviceList { cameras, microphones: microphones.ok().and_then(|thread| thread.join().ok()).unwrap_or_default() }
}

/// Each is asked on a thread of its own: one that hangs does not hide the others.
fn cameras(door: &'static dyn Door) -> Vec<CameraDevice> {
    let asked: Vec<_> = camera::list(door)
        .into_iter()
        .map(|found| {
            let id = found.id.clone();
            let ask = move || bounded("camera-modes", camera::LIST_LIMIT, move || door.modes(&id));
            (found, stallcast_clock::spawn_thread("camera-ask", ask))
        })
        .collect();
    asked
        .into_iter()
        .map(|(found, answer)| {
            let modes = answer.ok().and_then(|thread| thread.join().ok()).flatten().and_then(Result::ok).unwrap_or_default();
            let mut modes: Vec<CameraMode> = modes
                .iter()
                .map(|m| CameraMode { width: m.width, height: m.height, fps: m.fps(), format: m.layout().to_owned() })
                .collect();
            modes.dedup();
            CameraDevice { id: found.id, name: found.name, modes }
        })
        .collect()
}
