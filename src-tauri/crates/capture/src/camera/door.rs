//! What a way to reach cameras must do. One for each system.

use super::mode::Mode;
use crate::keeper::Trouble;
use stallcast_media::{Canvas, Frame, FramePool, VideoFormat};
use std::time::Duration;

/// A camera that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Names it among those present; what the user gives.
    pub(crate) id: String,
    /// Human name.
    pub(crate) name: String,
}

/// A way to reach cameras. Every call may block in a driver, or panic in a library: callers bring a thread for it.
pub(crate) trait Door: Send + Sync {
    /// What is there, without opening more than needed.
    fn list(&self) -> Vec<Found>;
    /// Human name of one, without opening anything; `None` where that cannot be told.
    fn name_of(&self, _id: &str) -> Option<String> {
        None
    }
    /// What one offers.
    fn modes(&self, id: &str) -> Result<Vec<Mode>, Trouble>;
    /// Opens one in the best mode. What it gives stays on the thread.
    fn open(&self, id: &str, canvas: Canvas, pool: &FramePool) -> Result<Box<dyn Reel>, Trouble>;
}

/// An opened camera.
pub(crate) trait Reel {
    /// Layout and rate of what it delivers.
    fn format(&self) -> (VideoFormat, f64);
    /// The next good picture; `None` if none came within `limit` or it was damaged. Some drivers do not keep the limit.
    fn next(&mut self, limit: Duration) -> Result<Option<Frame>, Trouble>;
}

/// The way of this system.
pub(crate) fn of_this_system() -> &'static dyn Door {
    #[cfg(target_os = "linux")]
    {
        &super::door_linux::V4l
    }
    #[cfg(not(target_os = "linux"))]
    {
        &super::door_nokhwa::Nokhwa
    }
}
