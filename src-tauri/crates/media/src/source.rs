use crate::{AudioBlock, FrameRing, Health, VideoFormat};
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

/// What kind of trouble a source met. Decides the exit status and the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceErrorKind {
    /// No such device or file.
    Missing,
    /// Another program holds it.
    Busy,
    /// The OS forbids it (permission not given).
    Denied,
    /// It is there but cannot be used: unknown format, damaged file, no usable mode.
    Unusable,
}

/// A source could not be opened.
#[derive(Debug, Clone, Error)]
#[error("{kind:?}: {name}: {detail}")]
pub struct SourceError {
    /// The kind.
    pub kind: SourceErrorKind,
    /// Device name or file path, as the user gave or knows it.
    pub name: String,
    /// The system's own words, for the log.
    pub detail: String,
}

/// Id of an opened device, which changes when it is plugged in elsewhere. Clones are the same id; any thread.
#[derive(Debug, Clone, Default)]
pub struct SourceId(Arc<Mutex<String>>);

impl SourceId {
    /// Of a device.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(Arc::new(Mutex::new(id.to_owned())))
    }

    /// It is found there now.
    pub fn set(&self, id: &str) {
        id.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Where it was found last; empty for what is no device.
    #[must_use]
    pub fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An opened picture source that delivers on its own thread. Dropping it stops it within 2 s (a wedged driver's thread
/// is abandoned instead of waited for).
pub trait VideoSource: Send {
    /// Where its frames appear, in the format the source gives, stamped with the monotonic capture instant.
    fn ring(&self) -> FrameRing;
    /// Format and frames a second (may be fractional) of what it delivers.
    fn format(&self) -> (VideoFormat, f64);
    /// Human name, shown as text.
    fn name(&self) -> String;
    /// What tells a device from another of the same name; empty for what is none.
    fn id(&self) -> SourceId {
        SourceId::default()
    }
    /// True for the drawn demo: windows must label it.
    fn is_demo(&self) -> bool {
        false
    }
    /// Events since the last call (lost, back). Cheap; called from the program thread.
    fn health(&mut self) -> Vec<Health>;
}

/// An opened sound source that delivers on its own thread.
pub trait AudioSource: Send {
    /// Takes all blocks that arrived since the last call, oldest first, stamped with the monotonic instant of their
    /// first sample; sound of a file may come 50 ms before it. Never blocks. The source's buffer holds at least 2 s; what overflows is counted by the source.
    fn take(&mut self) -> Vec<AudioBlock>;
    /// Human name, shown as text.
    fn name(&self) -> String;
    /// Events since the last call (lost, back).
    fn health(&mut self) -> Vec<Health>;
}
