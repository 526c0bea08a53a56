//! H.264 byte streams: from start codes (Annex B) to length prefixes (AVCC).

use bytes::{BufMut, Bytes, BytesMut};

/// The NAL units between the start codes.
pub(crate) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let unit = rest?;
        let end = start_code(unit).unwrap_or(unit.len());
        rest = after_start_code(&unit[end..]);
        // Zeros before the next start code belong to it.
        let len = unit[..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Some(&unit[..len])
    })
    .filter(|unit| !unit.is_empty())
}

fn start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|w| w == [0, 0, 1])
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    start_code(bytes).map(|at| &bytes[at + 3..])
}

/// The same units with 4-byte lengths, and whether no other picture refers to this one.
pub(crate) fn to_avcc(stream: &[u8]) -> (Bytes, bool) {
    let mut out = BytesMut::with_capacity(stream.len() + 16);
    let (mut slices, mut referenced) = (false, false);
    for unit in units(stream) {
        if (1..=5).contains(&(unit[0] & 0x1F)) {
            slices = true;
            referenced |= unit[0] & 0x60 != 0;
        }
        out.put_u32(u32::try_from(unit.len()).unwrap_or(u32::MAX));
        out.put_slice(unit);
    }
    (out.freeze(), slices && !referenced)
}

/// The body of an `avcC` box from an encoder's headers; `None` without both parameter sets.
pub(crate) fn avcc(headers: &[u8]) -> Option<Bytes> {
    let find = |kind: u8| units(headers).find(|unit| unit[0] & 0x1F == kind);
    let (sps, pps) = (find(7).filter(|sps| sps.len() > 3)?, find(8)?);
    let mut out = BytesMut::with_capacity(sps.len() + pps.len() + 16);
    out.put_slice(&[1, sps[1], sps[2], sps[3], 0xFF, 0xE1]);
    out.put_u16(u16::try_from(sps.len()).ok()?);
    out.put_slice(sps);
    out.put_u8(1);
    out.put_u16(u16::try_from(pps.len()).ok()?);
    out.put_slice(pps);
    if matches!(sps[1], 100 | 110 | 122 | 144) {
        // 4:2:0, 8 bit luma and chroma, no extensions.
        out.put_slice(&[0xFC | 1, 0xF8, 0xF8, 0]);
    }
    Some(out.freeze())
}

/// Units with 4-byte lengths, with start codes appended to `out`. A length that reaches beyond the end ends it.
pub(crate) fn to_annex_b(mut units: &[u8], out: &mut Vec<u8>) {
    while let Some((length, rest)) = units.split_first_chunk::<4>() {
        let Some((unit, next)) = usize::try_from(u32::from_be_bytes(*length)).ok().and_then(|n| rest.split_at_checked(n)) else { return };
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(unit);
        units = next;
    }
}

/// Both parameter sets of an `avcC` body as [`avcc`] writes it, with start codes.
pub(crate) fn headers(avcc: &[u8]) -> Option<Vec<u8>> {
    let sized = |at: usize| {
        let size = usize::from(u16::from_be_bytes([*avcc.get(at)?, *avcc.get(at + 1)?]));
        Some((avcc.get(at + 2..at + 2 + size)?, at + 2 + size))
    };
    let (sps, after) = sized(6)?;
    let (pps, _) = sized(after + 1)?;
    let start: &[u8] = &[0, 0, 0, 1];
    Some([start, sps, start, pps].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_become_start_codes_again() {
        let stream = [0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 4];
        let body = avcc(&stream).expect("both sets");
        assert_eq!(headers(&body).expect("both sets"), stream);
        let mut out = vec![];
        to_annex_b(&to_avcc(&stream).0, &mut out);
        assert_eq!(out, stream);
        to_annex_b(&[0, 0, 0, 9, 1], &mut out);
        assert_eq!((out.len(), headers(&body[..9])), (stream.len(), None), "what is cut off is left out");
    }

    #[test]
    fn both_start_codes_and_trailing_zeros_are_understood() {
        let stream = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x01, 4, 0];
        assert_eq!(units(&stream).collect::<Vec<_>>(), [&[0x67, 1, 2][..], &[0x68, 3], &[0x01, 4]]);
        let (avcc, disposable) = to_avcc(&stream[11..]);
        assert_eq!(avcc[..], [0, 0, 0, 2, 0x68, 3, 0, 0, 0, 2, 1, 4][4 + 2..], "only what follows a start code");
        assert!(disposable);
        assert!(!to_avcc(&[0, 0, 1, 0x41, 9]).1 && !to_avcc(&[0, 0, 1, 0x21, 9]).1, "others refer to it");
        assert!(!to_avcc(&[0, 0, 1, 0x06, 9]).1, "no picture at all");
        assert!(units(&[]).next().is_none());
    }
}
