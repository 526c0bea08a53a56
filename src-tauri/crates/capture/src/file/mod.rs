//! A media file as camera and microphone: one reader, one clock for both tracks, looped for ever.

mod player;
#[cfg(test)]
mod tests;

use crate::timing::now;
use crate::worker::Worker;
use player::{Next, Outlets, Player, Reader, Tracks};
use stallcast_libav::{Decoded, LibavError, MediaFile};
use stallcast_media::{AudioBlock, AudioSource, FrameRing, Health, Pts, SourceError, SourceErrorKind, VideoFormat, VideoSource};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a file is taken for if it does not say how many frames a second it has.
const USUAL_FPS: f64 = 30.0;

impl Reader for MediaFile {
    fn next(&mut self) -> Result<Option<Decoded>, LibavError> {
        Self::next(self)
    }
    fn rewind(&mut self) -> Result<(), LibavError> {
        Self::rewind(self)
    }
}

/// Opens a file; see [`crate::open_file`].
pub(crate) fn open(path: &Path, video: bool, audio: bool, start: Pts) -> Result<(Option<FilePicture>, Option<FileSound>), SourceError> {
    let refuse = |kind, detail: String| SourceError { kind, name: path.display().to_string(), detail };
    let file = MediaFile::open(path).map_err(|e| {
        let kind = match &e {
            LibavError::Missing(_) => SourceErrorKind::Missing,
            _ if is_forbidden(path) => SourceErrorKind::Denied,
            _ => SourceErrorKind::Unusable,
        };
        refuse(kind, e.to_string())
    })?;
    let picture = file.video().map(|(format, fps)| (format, if fps.is_finite() && fps > 0.0 { fps } else { USUAL_FPS }));
    if video && picture.is_none() {
        return Err(refuse(SourceErrorKind::Unusable, "it has no picture".to_owned()));
    }
    if audio && !video && !file.has_audio() {
        return Err(refuse(SourceErrorKind::Unusable, "it has no sound".to_owned()));
    }
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let outlets = Outlets::new(name.clone());
    let tracks = Tracks { video: picture.map(|(_, fps)| fps), audio: file.has_audio(), duration: file.duration() };
    let wanted = (video, audio && file.has_audio());
    outlets.video.store(wanted.0, Ordering::Relaxed);
    outlets.audio.store(wanted.1, Ordering::Relaxed);
    let again: PathBuf = path.to_owned();
    let reopen = move || MediaFile::open(&again).map(|file| Box::new(file) as Box<dyn Reader>);
    let mut player = Player::new(Box::new(file), Box::new(reopen), tracks, start, outlets.clone());
    let worker = Worker::spawn(&format!("file:{name}").replace('\0', ""), move |halt| {
        loop {
            let wake = match player.step(now()) {
                Next::Now => now(),
                Next::At(at) => at,
            };
            if halt.wait_until(wake) {
                return;
            }
        }
    })
    .map_err(|e| refuse(SourceErrorKind::Unusable, e.to_string()))?;
    let worker = Arc::new(worker);
    let sound = wanted.1.then(|| FileSound { name: name.clone(), outlets: outlets.clone(), _worker: Arc::clone(&worker) });
    let picture = picture.filter(|_| video).map(|format| FilePicture { name, format, outlets, _worker: worker });
    Ok((picture, sound))
}

fn is_forbidden(path: &Path) -> bool {
    std::fs::File::open(path).is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
}

/// The picture of an opened file.
pub(crate) struct FilePicture {
    name: String,
    format: (VideoFormat, f64),
    outlets: Outlets,
    _worker: Arc<Worker>,
}

impl VideoSource for FilePicture {
    fn ring(&self) -> FrameRing {
        self.outlets.ring.clone()
    }
    fn format(&self) -> (VideoFormat, f64) {
        self.format
    }
    fn name(&self) -> String {
        self.name.clone()
    }
    fn health(&mut self) -> Vec<Health> {
        self.outlets.video_news.take()
    }
}

impl Drop for FilePicture {
    fn drop(&mut self) {
        self.outlets.video.store(false, Ordering::Relaxed);
    }
}

/// The sound of an opened file.
pub(crate) struct FileSound {
    name: String,
    outlets: Outlets,
    _worker: Arc<Worker>,
}

impl AudioSource for FileSound {
    fn take(&mut self) -> Vec<AudioBlock> {
        self.outlets.queue.take()
    }
    fn name(&self) -> String {
        self.name.clone()
    }
    fn health(&mut self) -> Vec<Health> {
        self.outlets.audio_news.take()
    }
}

impl Drop for FileSound {
    fn drop(&mut self) {
        self.outlets.audio.store(false, Ordering::Relaxed);
        let overflowed = self.outlets.queue.close();
        if overflowed > 0 {
            tracing::warn!(name = self.name, overflowed, "sample frames that nobody took in time");
        }
    }
}
