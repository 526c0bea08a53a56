use crate::LibavError;
use crate::codec::AvPacket;
use crate::container::{Input, Output};
use ffmpeg_next::ffi::{self, AVMediaType};
use std::path::Path;

/// Copies picture and sound of a fragmented MP4 into a plain MP4 whose index comes first, and syncs it to the disk. No
/// picture is decoded. A source that breaks off (the machine died) gives everything up to there. `to` is created or
/// replaced; after an error it is removed.
///
/// # Errors
/// `from` is missing, unreadable or empty, or `to` cannot be written.
pub fn remux_fast_start(from: &Path, to: &Path) -> Result<(), LibavError> {
    let mut input = Input::open(from)?;
    let mut output = Output::mp4(to)?;
    let tracks = output_tracks(&input);
    let written = copy(&mut input, &tracks, &mut output).and_then(|packets| {
        if packets == 0 {
            return Err(LibavError::NoTrack(from.to_owned()));
        }
        output.finish()?;
        let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
        synced.map_err(|e| LibavError::Failed { what: "sync", detail: e.to_string() })
    });
    if written.is_err()
        && let Err(e) = std::fs::remove_file(to)
    {
        tracing::warn!(error = %e, "a half-written file could not be removed");
    }
    written
}

/// For each track of the source its number in the copy.
fn output_tracks(input: &Input) -> Vec<Option<usize>> {
    let mut numbers = 0..;
    input
        .streams()
        .map(|stream| {
            let wanted = matches!(stream.parameters().codec_type, AVMediaType::AVMEDIA_TYPE_VIDEO | AVMediaType::AVMEDIA_TYPE_AUDIO);
            if wanted { numbers.next() } else { None }
        })
        .collect()
}

/// Number of packets copied.
fn copy(input: &mut Input, tracks: &[Option<usize>], output: &mut Output) -> Result<u64, LibavError> {
    let mut bases = vec![];
    for (stream, track) in input.streams().zip(tracks) {
        bases.push(stream.time_base);
        if track.is_some() {
            output.add(stream)?;
        }
    }
    output.begin(&[("movflags", "faststart")])?;
    let mut packet = AvPacket::new()?;
    let mut packets = 0;
    loop {
        match input.read(&mut packet) {
            Ok(true) => {}
            Ok(false) => return Ok(packets),
            Err(e) => {
                tracing::warn!(error = %e, "a recording breaks off");
                return Ok(packets);
            }
        }
        let source = usize::try_from(packet.stream_index).unwrap_or(usize::MAX);
        let (Some(Some(track)), Some(base)) = (tracks.get(source), bases.get(source)) else { continue };
        // The last packet of a source that breaks off may be cut.
        if packet.flags & ffi::AV_PKT_FLAG_CORRUPT == 0 {
            output.write(&mut packet, *track, *base)?;
            packets += 1;
        }
    }
}
