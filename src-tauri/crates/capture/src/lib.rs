//! Cameras, microphones, media files and the demo as sources of picture and sound.
//!
//! Owns: the device list, opening and watching devices (lost, back, reopened for ever), media files read at their own
//! pace, the drawn demo. Must never know: encoding, the program clock, shops.
//!
//! Everything is stamped on the monotonic clock. Every device has a thread of its own that may hang in a driver, and a
//! watch that then sends another; panics of device libraries stay on that thread.
//!
//! Only Linux is tested: cameras through V4L2 and microphones through ALSA, both against imitation devices
//! (`tests/devices`). Windows and macOS reach cameras through nokhwa and microphones through the same cpal code; that
//! compiles, and nokhwa's side runs in a test on Linux, but nobody has seen it on those systems.

mod camera;
mod demo;
mod device_list;
mod file;
mod keeper;
mod mic;
mod news;
mod sound_queue;
mod timing;
mod watch;
mod worker;

pub use camera::{SeenCamera, UNSEEN as UNSEEN_CAMERA};
pub use device_list::{CameraDevice, CameraMode, DeviceList, MicDevice, devices};

use stallcast_media::{AudioSource, Canvas, Pts, SourceError, VideoSource};
use std::path::Path;

/// The picture and the sound of one opened file, on one clock.
pub struct FileSources {
    /// The picture, if it was asked for.
    pub video: Option<Box<dyn VideoSource>>,
    /// The sound, if it was asked for and the file has any.
    pub audio: Option<Box<dyn AudioSource>>,
}

/// Picture and sound of the demo, on one clock.
pub type DemoSources = (Box<dyn VideoSource>, Box<dyn AudioSource>);

/// Opens a camera in the mode that fits `canvas` best; `None`: the first that works. Where one was on air before, it is that one
/// again, whatever was chosen then.
///
/// # Errors
/// It is missing, held by another program, forbidden, or delivers nothing usable.
pub fn open_camera(id: Option<&str>, seen: Option<&SeenCamera>, canvas: Canvas) -> Result<Box<dyn VideoSource>, SourceError> {
    camera::open(camera::door::of_this_system(), id, seen, canvas).map(|source| Box::new(source) as _)
}

/// Opens a microphone; `None`: the system's default.
///
/// # Errors
/// It is missing, held by another program, forbidden, or delivers nothing usable.
pub fn open_mic(id: Option<&str>) -> Result<Box<dyn AudioSource>, SourceError> {
    mic::open(id).map(|source| Box::new(source) as _)
}

/// The same camera when a show goes on in a new process: if it cannot be had now it is lost, and tried for ever.
///
/// # Errors
/// The OS has no room for its threads.
pub fn wait_for_camera(id: Option<&str>, seen: Option<&SeenCamera>, canvas: Canvas) -> Result<Box<dyn VideoSource>, SourceError> {
    camera::wait(camera::door::of_this_system(), id, seen, canvas).map(|source| Box::new(source) as _)
}

/// The same microphone when a show goes on in a new process: if it cannot be had now it is lost, and tried for ever.
///
/// # Errors
/// The OS has no room for its threads.
pub fn wait_for_mic(id: Option<&str>) -> Result<Box<dyn AudioSource>, SourceError> {
    mic::wait(id).map(|source| Box::new(source) as _)
}

/// Opens a media file for its picture, its sound or both. Both tracks share one clock and are looped together at the
/// longer one; `start` is the monotonic instant of the file's time 0.
///
/// # Errors
/// It is missing, unreadable, or lacks a track that was asked for.
pub fn open_file(path: &Path, video: bool, audio: bool, start: Pts) -> Result<FileSources, SourceError> {
    let (video, audio) = file::open(path, video, audio, start)?;
    Ok(FileSources { video: video.map(|v| Box::new(v) as _), audio: audio.map(|a| Box::new(a) as _) })
}

/// The drawn demo: a moving picture with a clock and a voice-like sound in step with it.
///
/// # Errors
/// The OS has no room for its threads.
pub fn demo(canvas: Canvas) -> Result<DemoSources, SourceError> {
    let (picture, sound) = demo::open(canvas)?;
    Ok((Box::new(picture), Box::new(sound)))
}
