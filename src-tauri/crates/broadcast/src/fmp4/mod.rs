//! Fragmented MP4: what the recording and HLS write.
//!
//! Both tracks are moved by one common offset so that no time is negative, and one edit list entry on each takes it off
//! again: a player that honours edit lists shows program time 0 (or the keyframe a late recording began at) at 0, one
//! that ignores them is late by the same amount on both tracks, so sound and picture stay together either way.

mod fragmenter;
mod init;
mod plain;
mod scan;

pub(crate) use fragmenter::{Fragment, Fragmenter};
pub(crate) use plain::write_plain;
pub(crate) use scan::scan;

use std::io;

/// Ids of the two tracks.
const VIDEO: u32 = 1;
const AUDIO: u32 = 2;

/// Sample flags: a keyframe, a picture others refer to, a picture nobody refers to.
const SYNC: u32 = 0x0200_0000;
const PREDICTED: u32 = 0x0101_0000;
const DISPOSABLE: u32 = 0x0181_0000;

/// Ticks a second of the video track: whole numbers of ticks for every frame rate a canvas can have.
const fn video_scale(fps: u32) -> u32 {
    fps * 1000
}

fn encoding(error: mp4_atom::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
