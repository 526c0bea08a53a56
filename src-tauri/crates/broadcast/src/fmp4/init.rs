use super::{AUDIO, PREDICTED, SYNC, VIDEO, encoding, video_scale};
use mp4_atom::esds::{DecoderConfig, DecoderSpecific, EsDescriptor};
use mp4_atom::{
    Atom, Audio, Avc1, Avcc, Codec, Colr, Dinf, Dref, DrefEntry, Edts, Elst, ElstEntry, Encode, Esds, FourCC, Ftyp, Hdlr, Mdhd, Mdia, Minf,
    Moov, Mp4a, Mvex, Mvhd, Smhd, Stbl, Stco, Stsd, Tkhd, Trak, Trex, Url, Visual, Vmhd, u24,
};
use stallcast_media::{AudioConfig, StreamConfig, VideoConfig};
use std::io;

/// Where presentation begins on each track, in the track's own ticks from the common origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edit {
    pub video: u64,
    pub audio: u64,
}

/// `ftyp` and `moov` without samples.
pub(super) fn init(config: &StreamConfig, edit: Edit) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1500);
    let brand = |b: &[u8; 4]| FourCC::new(b);
    let ftyp =
        Ftyp { major_brand: brand(b"iso6"), minor_version: 0, compatible_brands: vec![brand(b"iso6"), brand(b"cmfc"), brand(b"mp41")] };
    ftyp.encode(&mut out).map_err(encoding)?;
    let moov = Moov {
        mvhd: Mvhd { timescale: 1000, rate: 1.into(), volume: 1.into(), next_track_id: AUDIO + 1, ..Mvhd::default() },
        mvex: Some(Mvex { mehd: None, trex: vec![trex(VIDEO, 0, PREDICTED), trex(AUDIO, 1024, SYNC)] }),
        trak: vec![video(&config.video, edit.video)?, audio(&config.audio, edit.audio)?],
        ..Moov::default()
    };
    moov.encode(&mut out).map_err(encoding)?;
    Ok(out)
}

fn trex(track_id: u32, duration: u32, flags: u32) -> Trex {
    Trex {
        track_id,
        default_sample_description_index: 1,
        default_sample_duration: duration,
        default_sample_size: 0,
        default_sample_flags: flags,
    }
}

fn edts(media_time: u64) -> Option<Edts> {
    Some(Edts { elst: Some(Elst { entries: vec![ElstEntry { segment_duration: 0, media_time: Some(media_time), media_rate: 1.into() }] }) })
}

fn mdia(timescale: u32, handler: &[u8; 4], name: &str, minf: Minf) -> Mdia {
    let mdhd = Mdhd { timescale, language: "und".to_owned(), ..Mdhd::default() };
    Mdia { mdhd, hdlr: Hdlr { handler: FourCC::new(handler), name: name.to_owned() }, minf }
}

fn minf(codec: Codec) -> Minf {
    let stbl = Stbl { stsd: Stsd { codecs: vec![codec] }, stco: Some(Stco::default()), ..Stbl::default() };
    Minf { dinf: Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } }, stbl, ..Minf::default() }
}

fn size(pixels: u32) -> io::Result<u16> {
    u16::try_from(pixels).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "picture too large for MP4"))
}

fn video(config: &VideoConfig, media_time: u64) -> io::Result<Trak> {
    let avc1 = Avc1 {
        visual: Visual { data_reference_index: 1, width: size(config.width)?, height: size(config.height)?, ..Visual::default() },
        avcc: Avcc::decode_body(&mut config.avcc.as_ref()).map_err(encoding)?,
        // BT.709, video range: the canvas of every show.
        colr: Some(Colr::new(1, 1, 1, false).map_err(encoding)?),
        ..Avc1::default()
    };
    let tkhd = Tkhd {
        track_id: VIDEO,
        enabled: true,
        in_movie: true,
        width: size(config.width)?.into(),
        height: size(config.height)?.into(),
        ..Tkhd::default()
    };
    let minf = Minf { vmhd: Some(Vmhd::default()), ..minf(Codec::Avc1(avc1)) };
    Ok(Trak { tkhd, edts: edts(media_time), mdia: mdia(video_scale(config.fps), b"vide", "Video", minf), ..Trak::default() })
}

fn audio(config: &AudioConfig, media_time: u64) -> io::Result<Trak> {
    let bits = config.kbps.saturating_mul(1000);
    // The same bytes twice: parsed for readers of the crate, raw for the file.
    let specific = DecoderSpecific { raw: config.asc.to_vec(), ..DecoderSpecific::default() };
    let dec_config = DecoderConfig {
        object_type_indication: 0x40, // MPEG-4 audio
        stream_type: 5,
        up_stream: 0,
        buffer_size_db: u24::default(),
        max_bitrate: bits,
        avg_bitrate: bits,
        dec_specific: Some(specific),
    };
    // The box has 16 bits for the rate; above that the AudioSpecificConfig alone says it.
    let rate = u16::try_from(config.rate).unwrap_or(0);
    let mp4a = Mp4a {
        audio: Audio { data_reference_index: 1, channel_count: config.channels, sample_size: 16, sample_rate: rate.into() },
        esds: Esds { es_desc: EsDescriptor { es_id: 1, dec_config, ..EsDescriptor::default() } },
        btrt: None,
        taic: None,
    };
    let tkhd = Tkhd { track_id: AUDIO, enabled: true, in_movie: true, alternate_group: 1, volume: 1.into(), ..Tkhd::default() };
    let minf = Minf { smhd: Some(Smhd::default()), ..minf(Codec::Mp4a(mp4a)) };
    Ok(Trak { tkhd, edts: edts(media_time), mdia: mdia(config.rate, b"soun", "Audio", minf), ..Trak::default() })
}
