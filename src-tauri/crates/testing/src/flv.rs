//! Reads the times of the pictures in an FLV file, also while it is being written: what an ingest makes of a publication.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The file's head, and the size of nothing before its first tag.
const BEGIN: u64 = 13;
/// A tag's head, and of its body what tells a picture: codec, kind of packet, how much later it is shown.
const HEAD: usize = 11 + 5;
/// What a tag has besides its body: the head, and its size behind it.
const AROUND: u64 = 11 + 4;
/// Kind of tag.
const VIDEO: u8 = 9;
/// Kind of packet: neither the decoder's configuration nor the end of a sequence.
const CODED: u8 = 1;

/// A picture that stands in the file as a whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Picture {
    /// Size of the file with it.
    pub end: u64,
    /// Decoded at, seconds.
    pub dts_s: f64,
    /// Shown at, seconds.
    pub pts_s: f64,
}

/// A file that may be growing.
#[derive(Debug)]
pub struct Tail {
    file: File,
    at: u64,
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

impl Tail {
    /// From its beginning.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, at: BEGIN })
    }

    /// The pictures that have come since the last look, in the order of the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn look(&mut self) -> io::Result<Vec<Picture>> {
        let length = self.file.metadata()?.len();
        let mut found = vec![];
        let mut head = [0; HEAD];
        // A tag may be shorter than what is looked at, and then waits for the next one. No picture is.
        while self.at + HEAD as u64 <= length {
            self.file.read_exact_at(&mut head, self.at)?;
            let end = self.at + AROUND + u64::from(number(&head[1..4]));
            if end > length {
                break;
            }
            if head[0] == VIDEO && head[12] == CODED {
                let ms = u32::from(head[7]) << 24 | number(&head[4..7]);
                let later = number(&head[13..16]);
                found.push(Picture { end, dts_s: f64::from(ms) / 1000.0, pts_s: (f64::from(ms) + f64::from(later)) / 1000.0 });
            }
            self.at = end;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::Clip;
    use crate::packets;

    #[test]
    fn pictures_are_found_as_they_come_and_only_whole_ones() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (clip, growing) = (folder.path().join("clip.flv"), folder.path().join("growing.flv"));
        Clip::new(160, 120, 30, 2).write(&clip)?;
        let whole = std::fs::read(&clip)?;
        let half = whole.len() / 2;
        std::fs::write(&growing, &whole[..5])?;
        let mut tail = Tail::open(&growing)?;
        assert!(tail.look()?.is_empty(), "not even a head");
        std::fs::write(&growing, &whole[..half])?;
        let mut found = tail.look()?;
        assert!(!found.is_empty() && found.iter().all(|p| p.end <= half as u64), "{found:?}");
        std::fs::write(&growing, &whole)?;
        let rest = tail.look()?;
        assert!(rest.iter().all(|p| p.end > half as u64), "each comes once");
        found.extend(rest);
        assert!(tail.look()?.is_empty(), "nothing is new");

        let wanted = packets::read(&clip)?.video.packets;
        assert_eq!(found.len(), wanted.len());
        for (ours, theirs) in found.iter().zip(&wanted) {
            assert!((ours.dts_s - theirs.dts_s).abs() < 0.0015 && (ours.pts_s - theirs.pts_s).abs() < 0.0015, "{ours:?} {theirs:?}");
        }
        Ok(())
    }
}
