use std::path::PathBuf;

/// What ffmpeg could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibavError {
    /// There is no such file.
    #[error("no such file: {}", .0.display())]
    Missing(PathBuf),
    /// It is there but cannot be read, or no demuxer knows it: not a media file, or a damaged one.
    #[error("not a readable media file: {}: {detail}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// ffmpeg's or the system's own words, for the log.
        detail: String,
    },
    /// A media file, but neither picture nor sound in it can be decoded.
    #[error("no usable picture or sound in {}", .0.display())]
    NoTrack(PathBuf),
    /// One picture is damaged; the next may be fine.
    #[error("damaged picture: {0}")]
    Damaged(String),
    /// Sizes, rates or layouts that this door does not serve.
    #[error("unsupported {what}: {detail}")]
    Unsupported {
        /// Which value.
        what: &'static str,
        /// What it was.
        detail: String,
    },
    /// This build of ffmpeg lacks a codec that is needed.
    #[error("ffmpeg has no {0}")]
    CodecMissing(&'static str),
    /// ffmpeg refused something it should not refuse (out of memory, disk full, a bug).
    #[error("{what}: {detail}")]
    Failed {
        /// The call.
        what: &'static str,
        /// ffmpeg's own words, for the log.
        detail: String,
    },
}

impl LibavError {
    /// Stable code that window and command line translate.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "media_missing",
            Self::Unreadable { .. } => "media_unreadable",
            Self::NoTrack(_) => "media_no_track",
            Self::Damaged(_) => "media_damaged",
            Self::Unsupported { .. } => "media_unsupported",
            Self::CodecMissing(_) => "codec_missing",
            Self::Failed { .. } => "libav_failed",
        }
    }
}
