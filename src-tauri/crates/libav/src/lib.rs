//! The only safe door to ffmpeg.
//!
//! Owns: decoding, converting and scaling into the canvas, encoding (H.264, AAC, preview JPEG) and reading media files;
//! all `unsafe` around libav. Must never know: devices, shops, windows, the threads of others, how a recording is laid out.

mod aac;
mod audio_encoder;
mod codec;
mod colour;
mod container;
mod converter;
mod encoders;
mod error;
mod import;
mod jpeg;
mod jpeg_decoder;
mod log;
mod media_file;
mod nal;
mod plane;
mod probe;
mod scaler;
mod sound;
mod thread_name;
mod video_encoder;

pub use audio_encoder::AudioEncoder;
pub use converter::Converter;
pub use encoders::{H264Encoder, X264, X264_LIGHT, encoder, hardware_encoders};
pub use error::LibavError;
pub use jpeg::{JpegEncoder, JpegPicture};
pub use media_file::{Decoded, MediaFile};
pub use probe::probe;
pub use video_encoder::{VideoEncoder, VideoSettings};
