use super::encoding;
use super::scan::{LONGEST_HEAD, header};
use mp4_atom::{
    Co64, Ctts, CttsEntry, Decode, Edts, Elst, ElstEntry, Encode, Moof, Moov, Stco, Stsc, StscEntry, Stss, Stsz, StszSamples, Stts,
    SttsEntry, Traf, Trak, Trex,
};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::Duration;

/// Samples of one run: a fragment has twenty.
const MOST_SAMPLES: u32 = 1 << 16;
/// Bytes that the index takes for a sample, at most: an entry of its own in each table.
const MOST_A_SAMPLE: u64 = 48;
/// Set in the flags of a sample that no decoder can start at.
const NOT_SYNC: u32 = 0x0001_0000;

/// Writes a plain MP4 of a file in whole fragments into `to`: the index of all samples first, then their bytes as they
/// were, once and in order; says how long it is shown. Needs about 20 bytes of memory a sample: 50 MB for eight hours.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`]: something that a recording of ours never has; the files cannot be read or written.
pub(crate) fn write_plain(from: &mut File, to: &mut File) -> io::Result<Duration> {
    write(from, to, u32::MAX.into())
}

/// Places and lengths beyond `narrow` take 64 bits.
fn write(from: &mut File, to: &mut File, narrow: u64) -> io::Result<Duration> {
    let Fragmented { ftyp, mut moov, tables, bytes } = read(from)?;
    let samples: usize = tables.iter().map(|t| t.sizes.len()).sum();
    if samples == 0 {
        return Err(wrong("no samples"));
    }
    let longest_index = LONGEST_HEAD + MOST_A_SAMPLE * samples as u64;
    let wide = bytes.total + longest_index > narrow;
    index(&mut moov, tables, wide)?;
    let (mut out, header) = (ftyp, mdat_header(bytes.total, wide));
    // Where the samples begin depends on the length of the index, which does not depend on where they begin.
    let begin = out.len();
    moov.encode(&mut out).map_err(encoding)?;
    let base = (out.len() + header.len()) as u64;
    out.truncate(begin);
    moov.trak.iter_mut().try_for_each(|trak| move_samples(trak, base))?;
    moov.encode(&mut out).map_err(encoding)?;
    let lasts = u128::from(moov.mvhd.duration) * 1000 / u128::from(moov.mvhd.timescale.max(1));
    drop(moov);
    out.extend_from_slice(&header);
    to.write_all(&out)?;
    drop(out);
    for (at, length) in bytes.stretches {
        from.seek(SeekFrom::Start(at))?;
        if io::copy(&mut (&*from).take(length), to)? != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Duration::from_millis(u64::try_from(lasts).unwrap_or(u64::MAX)))
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn mdat_header(payload: u64, wide: bool) -> Vec<u8> {
    match u32::try_from(payload + 8) {
        Ok(size) if !wide => [&size.to_be_bytes()[..], b"mdat"].concat(),
        _ => [&1_u32.to_be_bytes()[..], b"mdat", &(payload + 16).to_be_bytes()].concat(),
    }
}

/// What stands in a file in fragments.
struct Fragmented {
    /// Everything before the `moov`.
    ftyp: Vec<u8>,
    moov: Moov,
    /// One a track, in the order of the `moov`.
    tables: Vec<Table>,
    bytes: SampleBytes,
}

/// Where the bytes of the samples lie in a file, in the order in which they are written.
#[derive(Default)]
struct SampleBytes {
    /// Begin and length; neighbours are one.
    stretches: Vec<(u64, u64)>,
    /// Their length together.
    total: u64,
}

impl SampleBytes {
    /// The place of the first of these bytes behind the first of all. Nothing is taken twice: what is written is never
    /// longer than what was read.
    fn add(&mut self, begin: u64, bytes: u64, length: u64) -> io::Result<u64> {
        if begin.checked_add(bytes).is_none_or(|end| end > length) {
            return Err(wrong("samples outside of the file"));
        }
        match self.stretches.last_mut() {
            Some((last, length)) if *last + *length == begin => *length += bytes,
            Some((last, length)) if *last + *length > begin => return Err(wrong("samples that lie twice in one place")),
            _ => self.stretches.push((begin, bytes)),
        }
        let place = self.total;
        self.total += bytes;
        Ok(place)
    }
}

fn read(from: &mut File) -> io::Result<Fragmented> {
    let length = from.seek(SeekFrom::End(0))?;
    let (mut ftyp, mut moov, mut tables): (Vec<u8>, Option<Moov>, Vec<Table>) = (vec![], None, vec![]);
    let mut bytes = SampleBytes::default();
    let mut at = 0;
    while let Some((kind, head, size)) = header(from, at, length)? {
        let end = at.saturating_add(size);
        if size < head || end > length {
            return Err(wrong("a box that is cut off"));
        }
        match (&kind, &moov) {
            (b"moof", Some(_)) => {
                let moof = Moof::decode(&mut whole(from, at, size)?.as_slice()).map_err(encoding)?;
                for traf in &moof.traf {
                    let table =
                        tables.iter_mut().find(|t| t.trex.track_id == traf.tfhd.track_id).ok_or_else(|| wrong("an unknown track"))?;
                    table.take(traf, at, length, &mut bytes)?;
                }
            }
            (b"moov", None) => {
                let found = Moov::decode(&mut whole(from, at, size)?.as_slice()).map_err(encoding)?;
                let trex = |trak: &Trak| found.mvex.as_ref()?.trex.iter().find(|t| t.track_id == trak.tkhd.track_id).cloned();
                tables = found.trak.iter().map(|trak| trex(trak).map(Table::new)).collect::<Option<_>>().ok_or_else(|| wrong("no mvex"))?;
                moov = Some(found);
            }
            (b"ftyp", None) => ftyp.extend(whole(from, at, size)?),
            _ => {}
        }
        at = end;
    }
    Ok(Fragmented { ftyp, moov: moov.ok_or_else(|| wrong("no moov"))?, tables, bytes })
}

/// A box with its header.
fn whole(from: &mut File, at: u64, size: u64) -> io::Result<Vec<u8>> {
    if size > LONGEST_HEAD {
        return Err(wrong("a box that is too long"));
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    from.seek(SeekFrom::Start(at))?;
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The samples of a track so far.
struct Table {
    trex: Trex,
    sizes: Vec<u32>,
    durations: Vec<SttsEntry>,
    compositions: Vec<CttsEntry>,
    keys: Vec<u32>,
    /// Place of the first byte behind that of all samples, and number of samples.
    chunks: Vec<(u64, u32)>,
    /// The fragments' time of the first sample, and the end of the last.
    begin: u64,
    end: u64,
    /// Where the last picture stops being shown: behind `end`, as pictures are decoded before they are shown.
    shown_to: u64,
}

impl Table {
    fn new(trex: Trex) -> Self {
        let (sizes, durations, compositions, keys, chunks) = Default::default();
        Self { trex, sizes, durations, compositions, keys, chunks, begin: 0, end: 0, shown_to: 0 }
    }

    /// Adds the samples of a fragment whose `moof` lies at `moof` in a file of this length.
    fn take(&mut self, traf: &Traf, moof: u64, length: u64, bytes: &mut SampleBytes) -> io::Result<()> {
        let tfhd = &traf.tfhd;
        self.go_to(traf.tfdt.as_ref().map_or(self.end, |t| t.base_media_decode_time))?;
        let base = tfhd.base_data_offset.unwrap_or(moof);
        let duration = tfhd.default_sample_duration.unwrap_or(self.trex.default_sample_duration);
        let size = tfhd.default_sample_size.unwrap_or(self.trex.default_sample_size);
        let flags = tfhd.default_sample_flags.unwrap_or(self.trex.default_sample_flags);
        for run in &traf.trun {
            let begin = run.data_offset.and_then(|o| base.checked_add_signed(o.into())).ok_or_else(|| wrong("samples without a place"))?;
            let samples = u32::try_from(run.samples.len()).ok().filter(|n| *n <= MOST_SAMPLES).ok_or_else(|| wrong("too many samples"))?;
            let mut run_bytes = 0;
            for entry in run.samples.iter() {
                let size = entry.size.unwrap_or(size);
                if size == 0 {
                    return Err(wrong("a sample without bytes"));
                }
                self.push(entry.duration.unwrap_or(duration), entry.cts.unwrap_or_default(), size, entry.flags.unwrap_or(flags));
                run_bytes += u64::from(size);
            }
            self.chunks.push((bytes.add(begin, run_bytes, length)?, samples));
        }
        Ok(())
    }

    fn push(&mut self, duration: u32, composition: i64, size: u32, flags: u32) {
        self.sizes.push(size);
        match self.durations.last_mut() {
            Some(last) if last.sample_delta == duration => last.sample_count += 1,
            _ => self.durations.push(SttsEntry { sample_count: 1, sample_delta: duration }),
        }
        match self.compositions.last_mut() {
            Some(last) if last.sample_offset == composition => last.sample_count += 1,
            _ => self.compositions.push(CttsEntry { sample_count: 1, sample_offset: composition }),
        }
        if flags & NOT_SYNC == 0 {
            self.keys.push(u32::try_from(self.sizes.len()).unwrap_or(u32::MAX));
        }
        self.end = self.end.saturating_add(duration.into());
        self.shown_to = self.shown_to.max(self.end.saturating_add_signed(composition));
    }

    /// The next sample begins at this time of the fragments: a hole makes the sample before it last longer.
    fn go_to(&mut self, time: u64) -> io::Result<()> {
        if self.sizes.is_empty() {
            (self.begin, self.end) = (time, time);
            return Ok(());
        }
        if time == self.end {
            return Ok(());
        }
        let last = self.durations.last_mut().ok_or_else(|| wrong("no time"))?;
        let duration = time.checked_add(last.sample_delta.into()).and_then(|to| to.checked_sub(self.end));
        let duration = duration.and_then(|d| u32::try_from(d).ok()).ok_or_else(|| wrong("time that runs backwards"))?;
        last.sample_count -= 1;
        if last.sample_count == 0 {
            self.durations.pop();
        }
        self.durations.push(SttsEntry { sample_count: 1, sample_delta: duration });
        self.shown_to = self.shown_to.saturating_add(time.saturating_sub(self.end));
        self.end = time;
        Ok(())
    }
}

/// Puts the tables into the description of the file.
fn index(moov: &mut Moov, tables: Vec<Table>, wide: bool) -> io::Result<()> {
    moov.mvex = None;
    // Lengths of edits count in the movie's ticks: with fine ones nothing is rounded.
    let scale = moov.trak.iter().map(|trak| u64::from(trak.mdia.mdhd.timescale.max(1))).reduce(common_multiple).unwrap_or(1000);
    moov.mvhd.timescale = u32::try_from(scale).map_err(|_| wrong("time scales that do not fit"))?;
    let mut tables = tables.into_iter();
    let mut longest = 0;
    // A track without one sample has nothing to describe.
    moov.trak = std::mem::take(&mut moov.trak)
        .into_iter()
        .zip(tables.by_ref())
        .filter(|(_, table)| !table.sizes.is_empty())
        .map(|(mut trak, table)| {
            let shown = describe(&mut trak, table, scale, wide)?;
            longest = longest.max(shown);
            Ok(trak)
        })
        .collect::<io::Result<_>>()?;
    moov.mvhd.duration = longest;
    Ok(())
}

/// The least one; the larger of the two where that would not fit into the 32 bits of a time scale.
fn common_multiple(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    Some(a / divisor * b).filter(|m| *m <= u64::from(u32::MAX)).unwrap_or(a.max(b))
}

/// One track's tables; how long it is shown, in ticks of the movie.
fn describe(trak: &mut Trak, table: Table, movie_scale: u64, wide: bool) -> io::Result<u64> {
    let own = u64::from(trak.mdia.mdhd.timescale.max(1));
    let in_movie = |ticks: u64| u64::try_from(u128::from(ticks) * u128::from(movie_scale) / u128::from(own)).unwrap_or(u64::MAX);
    // Times of a plain file begin with the first sample, those of the fragments at the common origin.
    let entered = match trak.edts.take().and_then(|e| e.elst).map(|e| e.entries).as_deref() {
        None | Some([]) => 0,
        Some([only]) => only.media_time.ok_or_else(|| wrong("an edit without media"))?,
        Some(_) => return Err(wrong("several edits")),
    };
    let (late, skipped) = (table.begin.saturating_sub(entered), entered.saturating_sub(table.begin));
    let length = table.end - table.begin;
    let (empty, shown) = (in_movie(late), in_movie(table.shown_to.saturating_sub(table.begin + skipped)));
    let entry = |segment_duration, media_time| ElstEntry { segment_duration, media_time, media_rate: 1.into() };
    let mut entries = vec![];
    if late > 0 {
        entries.push(entry(empty, None));
    }
    entries.push(entry(shown, Some(skipped)));
    trak.edts = Some(Edts { elst: Some(Elst { entries }) });
    trak.mdia.mdhd.duration = length;
    trak.tkhd.duration = empty.saturating_add(shown);

    let stbl = &mut trak.mdia.minf.stbl;
    let all_keys = table.keys.len() == table.sizes.len();
    stbl.stss = (!all_keys).then_some(Stss { entries: table.keys });
    stbl.stts = Stts { entries: table.durations };
    stbl.ctts = table.compositions.iter().any(|c| c.sample_offset != 0).then_some(Ctts { entries: table.compositions });
    stbl.stsz = Stsz { samples: StszSamples::Different { sizes: table.sizes } };
    stbl.stsc = Stsc { entries: vec![] };
    for (number, (_, samples)) in (1..).zip(&table.chunks) {
        if stbl.stsc.entries.last().is_none_or(|last| last.samples_per_chunk != *samples) {
            let first_chunk = number;
            stbl.stsc.entries.push(StscEntry { first_chunk, samples_per_chunk: *samples, sample_description_index: 1 });
        }
    }
    let places = table.chunks.iter().map(|(place, _)| *place);
    if wide {
        (stbl.stco, stbl.co64) = (None, Some(Co64 { entries: places.collect() }));
    } else {
        let narrow = places.map(|p| u32::try_from(p).map_err(|_| wrong("too long"))).collect::<io::Result<_>>()?;
        (stbl.stco, stbl.co64) = (Some(Stco { entries: narrow }), None);
    }
    Ok(trak.tkhd.duration)
}

/// The samples begin here.
fn move_samples(trak: &mut Trak, base: u64) -> io::Result<()> {
    let stbl = &mut trak.mdia.minf.stbl;
    if let Some(places) = &mut stbl.co64 {
        places.entries.iter_mut().for_each(|place| *place += base);
    }
    if let Some(places) = &mut stbl.stco {
        let base = u32::try_from(base).map_err(|_| wrong("too long"))?;
        for place in &mut places.entries {
            *place = place.checked_add(base).ok_or_else(|| wrong("too long"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::Fragmenter;
    use super::*;
    use bytes::Bytes;
    use stallcast_media::{AudioConfig, NANOS_PER_SEC, Packet, Pts, StreamConfig, Track, VideoConfig};
    use std::sync::Arc;

    fn packet(track: Track, number: i64, rate: u32, payload: String) -> Arc<Packet> {
        let at = Pts::from_ticks(number, rate);
        let keyframe = track == Track::Audio || number % 60 == 0;
        let (payload, duration) = (Bytes::from(payload), NANOS_PER_SEC / i64::from(rate));
        Arc::new(Packet { track, pts: at, dts: at, duration, keyframe, disposable: false, payload, config: None })
    }

    /// Three seconds, every payload another.
    fn fragments() -> File {
        let avcc = [1, 100, 0, 31, 255, 225, 0, 5, 103, 100, 0, 31, 172, 1, 0, 4, 104, 235, 236, 178];
        let config = StreamConfig {
            video: VideoConfig { width: 720, height: 1280, fps: 30, kbps: 1000, avcc: Bytes::copy_from_slice(&avcc) },
            audio: AudioConfig { rate: 48_000, channels: 2, kbps: 128, asc: Bytes::from_static(&[17, 144]), priming: 0 },
        };
        let mut fragmenter = Fragmenter::recording(config).unwrap();
        let mut parts = vec![];
        for n in 0..90 {
            parts.extend(fragmenter.push(packet(Track::Audio, n, 30, format!("sound {n}"))).unwrap());
            parts.extend(fragmenter.push(packet(Track::Video, n, 30, format!("picture {n} {}", "x".repeat(n as usize)))).unwrap());
        }
        parts.extend(fragmenter.finish().unwrap());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&fragmenter.init().unwrap().unwrap()).unwrap();
        parts.iter().for_each(|part| file.write_all(&part.bytes).unwrap());
        file
    }

    /// The payload of every sample, where the index says that it lies, track by track; and the header of the samples' box.
    fn samples(narrow: u64) -> (Vec<Vec<u8>>, Vec<u8>, bool) {
        let mut to = tempfile::tempfile().unwrap();
        write(&mut fragments(), &mut to, narrow).unwrap();
        let mut bytes = vec![];
        to.seek(SeekFrom::Start(0)).unwrap();
        to.read_to_end(&mut bytes).unwrap();
        let at = |kind: &[u8]| bytes.windows(4).position(|w| w == kind).unwrap() - 4;
        let (moov, mdat) = (Moov::decode(&mut &bytes[at(b"moov")..]).unwrap(), at(b"mdat"));
        let (mut payloads, mut wide) = (vec![], false);
        for trak in &moov.trak {
            let stbl = &trak.mdia.minf.stbl;
            wide = stbl.co64.is_some();
            let narrow_places = stbl.stco.iter().flat_map(|s| s.entries.iter().map(|p| u64::from(*p)));
            let places: Vec<u64> = narrow_places.chain(stbl.co64.iter().flat_map(|s| s.entries.clone())).collect();
            let StszSamples::Different { sizes } = &stbl.stsz.samples else { panic!("{:?}", stbl.stsz) };
            let mut sizes = sizes.iter().map(|size| *size as usize);
            for (number, place) in (1..).zip(&places) {
                let entry = stbl.stsc.entries.iter().rfind(|entry| entry.first_chunk <= number).unwrap();
                let mut place = usize::try_from(*place).unwrap();
                for size in sizes.by_ref().take(entry.samples_per_chunk as usize) {
                    payloads.push(bytes[place..place + size].to_vec());
                    place += size;
                }
            }
            assert_eq!(sizes.count(), 0, "every sample has a place");
        }
        (payloads, bytes[mdat..mdat + 16].to_vec(), wide)
    }

    #[test]
    fn beyond_four_gigabytes_places_take_64_bits_and_mean_the_same() {
        let (narrow, narrow_header, is_wide) = samples(u32::MAX.into());
        assert!(!is_wide && narrow.len() == 180 && narrow[89].starts_with(b"picture 89") && narrow[179] == b"sound 89");
        let (wide, wide_header, is_wide) = samples(0);
        assert!(is_wide && wide == narrow);
        let size = u32::from_be_bytes(narrow_header[..4].try_into().unwrap());
        assert_eq!(wide_header[..8], *b"\0\0\0\x01mdat");
        assert_eq!(u64::from_be_bytes(wide_header[8..].try_into().unwrap()), u64::from(size) + 8);
    }
}
