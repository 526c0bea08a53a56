//! The only safe door to ffmpeg.
//!
//! Owns: decoding, converting and scaling into the canvas, encoding (H.264, AAC, preview JPEG), reading media files and
//! making a recording a plain MP4; all `unsafe` around libav. Must never know: devices, shops, windows, the threads of
//! others.

mod audio_encoder;
mod codec;
mod colour;
mod container;
mod converter;
mod error;
mod import;
mod jpeg;
mod jpeg_decoder;
mod log;
mod media_file;
mod nal;
mod plane;
mod remux;
mod scaler;
mod sound;
mod video_encoder;

pub use audio_encoder::AudioEncoder;
pub use converter::Converter;
pub use error::LibavError;
pub use jpeg::{JpegEncoder, JpegPicture};
pub use media_file::{Decoded, MediaFile};
pub use remux::remux_fast_start;
pub use video_encoder::{VideoEncoder, VideoSettings};
