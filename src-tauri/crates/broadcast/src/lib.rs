//! Where encoded packets leave the machine or reach the disk.
//!
//! Owns: the sinks ([`RtmpSink`], [`RecordingSink`], [`HlsSink`]), the fragmented-MP4 writer that recording and HLS
//! share, the bitrate that a slow link can carry ([`Congestion`]), repair of recordings that were not finished ([`recover`]), and the rules of a destination's address
//! ([`Target`]). Each sink has one bounded queue and its own threads, so none can hold up the encoder or another sink.
//! Must never know: shops, windows, devices, how a packet was made.

mod congestion;
mod crashes;
mod disk;
mod event;
mod fmp4;
mod hls;
mod parts;
mod recording;
mod replace;
mod rtmp;
mod target;
mod way;

pub use congestion::Congestion;
pub use disk::room_minutes;
pub use event::{FileEvent, LinkFigures, LinkPhase, Refusal, SinkEvent};
pub use hls::HlsSink;
pub use parts::{earlier_parts, is_one_recording, next_part};
pub use recording::{RecordError, RecordingSink, recover};
pub use rtmp::RtmpSink;
pub use target::{Target, TargetError};
