//! The values and queues that picture and sound travel in.
//!
//! Owns: [`Pts`], picture and sound formats, [`Frame`] and its pool, [`AudioBlock`], [`Packet`], the bounded queues with
//! their counters, [`Health`], and the traits of sources and sinks. Must never know: ffmpeg, devices, shops, windows.

mod audio;
mod frame;
mod health;
mod packet;
mod pts;
pub mod queue;
mod ring;
mod sink;
mod source;

pub use audio::{AudioBlock, BLOCK_FRAMES, SAMPLE_RATE};
pub use frame::{Buffer, Canvas, Frame, FramePool, Lent, PixelFormat, Plane, VideoFormat};
pub use health::{Health, HealthCode};
pub use packet::{AudioConfig, Packet, StreamConfig, Track, VideoConfig};
pub use pts::{NANOS_PER_MS, NANOS_PER_SEC, Pts};
pub use ring::FrameRing;
pub use sink::{Counters, LossCounters};
pub use source::{AudioSource, SourceError, SourceErrorKind, SourceId, VideoSource};
