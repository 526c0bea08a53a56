//! Cameras, microphones, media files and the demo as sources of picture and sound.
//!
//! Owns: the device list, opening and watching devices (lost, back, reopened for ever), media files read at their own
//! pace, the drawn demo. Must never know: encoding, the program clock, shops.

mod camera;
mod demo;
mod device_list;
mod file;
mod mic;
mod news;
mod sound_queue;
mod timing;
mod worker;

pub use device_list::{CameraDevice, CameraMode, DeviceList, MicDevice, devices};

use stallcast_media::{AudioSource, Canvas, Pts, SourceError, SourceErrorKind, VideoSource};
use std::path::Path;

/// The picture and the sound of one opened file, on one clock.
pub struct FileSources {
    /// The picture, if it was asked for.
    pub video: Option<Box<dyn VideoSource>>,
    /// The sound, if it was asked for and the file has any.
    pub audio: Option<Box<dyn AudioSource>>,
}

/// Opens a camera in the mode that fits `canvas` best; `None`: the first that works.
///
/// # Errors
/// It is missing, held by another program, forbidden, or delivers nothing usable.
pub fn open_camera(id: Option<&str>, canvas: Canvas) -> Result<Box<dyn VideoSource>, SourceError> {
    camera::open(camera::door::of_this_system(), id, canvas).map(|source| Box::new(source) as _)
}

/// Opens a microphone; `None`: the system's default.
///
/// # Errors
/// It is missing, held by another program, forbidden, or delivers nothing usable.
pub fn open_mic(id: Option<&str>) -> Result<Box<dyn AudioSource>, SourceError> {
    Err(SourceError { kind: SourceErrorKind::Missing, name: id.unwrap_or_default().to_owned(), detail: String::new() })
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
pub fn demo(canvas: Canvas) -> Result<(Box<dyn VideoSource>, Box<dyn AudioSource>), SourceError> {
    let (picture, sound) = demo::open(canvas)?;
    Ok((Box::new(picture), Box::new(sound)))
}
