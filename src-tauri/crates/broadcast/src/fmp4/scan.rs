use std::io::{self, Read, Seek, SeekFrom};

/// What is whole in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scan {
    /// It was written in fragments and never finished.
    pub fragmented: bool,
    /// Whole fragments.
    pub fragments: u64,
    /// End of the last whole fragment, else of the init segment.
    pub whole: u64,
    /// Length of the file.
    pub length: u64,
}

/// A `moof`, or a `moov` without samples, of a recording is far below this; anything larger is not ours.
pub(super) const LONGEST_HEAD: u64 = 1 << 20;

/// Walks the top boxes. Stops at the first that is cut off.
pub(crate) fn scan(file: &mut (impl Read + Seek)) -> io::Result<Scan> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut found = Scan { fragmented: false, fragments: 0, whole: 0, length };
    let (mut at, mut after_moof) = (0, false);
    while let Some((kind, header, size)) = header(file, at, length)? {
        let end = at.saturating_add(size);
        if size < header || end > length {
            break;
        }
        match &kind {
            b"moov" => {
                found.fragmented = size <= LONGEST_HEAD && has_mvex(file, at + header, size - header)?;
                found.whole = end;
            }
            b"mdat" if after_moof => {
                found.fragments += 1;
                found.whole = end;
            }
            _ => {}
        }
        after_moof = &kind == b"moof";
        at = end;
    }
    Ok(found)
}

/// Kind, header length and whole size of the box at `at`; `None` if not even its header is there.
pub(super) fn header(file: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Option<([u8; 4], u64, u64)>> {
    let mut bytes = [0; 16];
    let have = length.saturating_sub(at).min(16);
    if have < 8 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes[..usize::try_from(have).unwrap_or(8)])?;
    let [a, b, c, d, k0, k1, k2, k3, large @ ..] = bytes;
    let kind = [k0, k1, k2, k3];
    Ok(match u32::from_be_bytes([a, b, c, d]) {
        0 => Some((kind, 8, length - at)),
        1 if have == 16 => Some((kind, 16, u64::from_be_bytes(large))),
        1 => None,
        size => Some((kind, 8, u64::from(size))),
    })
}

fn has_mvex(file: &mut (impl Read + Seek), mut at: u64, size: u64) -> io::Result<bool> {
    let end = at + size;
    while let Some((kind, header, size)) = header(file, at, end)? {
        if &kind == b"mvex" {
            return Ok(true);
        }
        if size < header {
            break;
        }
        at = at.saturating_add(size);
    }
    Ok(false)
}
