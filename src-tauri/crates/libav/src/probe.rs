//! Does an encoder do what it says? Drivers give green pictures, black ones, none at all, or crash.

use crate::codec::{AvFrame, AvPacket, Codec};
use crate::encoders::H264Encoder;
use crate::plane::i420;
use crate::{LibavError, VideoEncoder, VideoSettings, nal};
use ffmpeg_next::ffi;
use stallcast_media::{Canvas, Frame, Packet, Pts};

/// Seconds of pictures.
const SECONDS: i64 = 2;
/// Mean difference of a decoded picture from the one given, levels of 255, on any plane. x264 at a tenth of a usual rate
/// stays below 4; a picture of another colour is above 30.
const MOST_DIFFERENCE: f64 = 12.0;
/// Times the rate that was asked for: one second of buffer may come on top of two seconds of pictures.
const MOST_BYTES: f64 = 2.5;

/// Encodes two seconds at the real size and rate, with a keyframe asked for in between, decodes them in software and
/// compares. Takes as long as the encoder; a driver may hang or crash in it, so it belongs into a process of its own.
///
/// # Errors
/// Why it is not to be used.
pub fn probe(encoder: &'static H264Encoder, settings: &VideoSettings) -> Result<(), LibavError> {
    let mut opened = VideoEncoder::open_with(encoder, settings)?;
    let canvas = settings.canvas;
    let frames = SECONDS * i64::from(canvas.fps);
    let asked = frames / 3;
    let mut packets = vec![];
    for tick in 0..frames {
        packets.extend(opened.encode(&picture(canvas, tick), tick == asked)?);
    }
    packets.extend(opened.finish()?);
    let avcc = opened.config().avcc;
    check_packets(&packets, frames, asked, settings)?;
    let mut decoder = Decoder::open(&avcc)?;
    let mut seen = 0;
    let mut look = |frame: &AvFrame, tick: i64| {
        seen += 1;
        compare(frame, &picture(canvas, tick))
    };
    for packet in &packets {
        decoder.decode(Some(packet), canvas.fps, &mut look)?;
    }
    decoder.decode(None, canvas.fps, &mut look)?;
    if seen == frames { Ok(()) } else { Err(wrong(format!("{seen} of {frames} pictures can be decoded"))) }
}

fn wrong(detail: String) -> LibavError {
    LibavError::Failed { what: "probe", detail }
}

fn check_packets(packets: &[Packet], frames: i64, asked: i64, settings: &VideoSettings) -> Result<(), LibavError> {
    let fps = settings.canvas.fps;
    let mut shown: Vec<i64> = packets.iter().map(|p| p.pts.as_ticks(fps)).collect();
    shown.sort_unstable();
    if shown != (0..frames).collect::<Vec<_>>() {
        return Err(wrong(format!("{} packets for {frames} pictures, or at other times", packets.len())));
    }
    if packets.windows(2).any(|w| w[1].dts <= w[0].dts) || packets.iter().any(|p| p.dts > p.pts) {
        return Err(wrong("decoding times are out of order".to_owned()));
    }
    let key = |tick: i64| packets.iter().any(|p| p.keyframe && p.pts.as_ticks(fps) == tick);
    if !packets.first().is_some_and(|p| p.keyframe) || !key(asked) {
        return Err(wrong("a keyframe is missing".to_owned()));
    }
    let bytes: usize = packets.iter().map(|p| p.payload.len()).sum();
    let most = f64::from(settings.kbps) * 125.0 * SECONDS as f64 * MOST_BYTES;
    if bytes as f64 > most { Err(wrong(format!("{bytes} bytes, {most:.0} at most were asked for"))) } else { Ok(()) }
}

/// A slope of grey under moving bars of colour: nothing in it stays the same, no plane is flat.
fn picture(canvas: Canvas, tick: i64) -> Frame {
    let (width, height) = (canvas.width as usize, canvas.height as usize);
    let (cw, ch) = (width.div_ceil(2), height.div_ceil(2));
    let step = usize::try_from(tick).unwrap_or(0) * 4;
    let mut bytes = Vec::with_capacity(width * height + 2 * cw * ch);
    let level = |at: usize, of: usize| 32 + (at % of.max(1)) * 176 / of.max(1);
    for row in 0..height {
        bytes.extend((0..width).map(|column| level(column + row + step, width + height) as u8));
    }
    for row in 0..ch {
        let level = level(row + step, ch) as u8;
        bytes.extend(std::iter::repeat_n(level, cw));
    }
    for _ in 0..ch {
        bytes.extend((0..cw).map(|column| level(column + step, cw) as u8));
    }
    Frame::new(i420(canvas.width, canvas.height), Pts::from_ticks(tick, canvas.fps), false, bytes.into())
}

fn compare(decoded: &AvFrame, given: &Frame) -> Result<(), LibavError> {
    let (width, height) = (given.format.width as usize, given.format.height as usize);
    let sizes = [(width, height), (width.div_ceil(2), height.div_ceil(2)), (width.div_ceil(2), height.div_ceil(2))];
    for (n, ((row, rows), mine)) in sizes.into_iter().zip(given.planes()).enumerate() {
        let theirs = decoded.plane(n, row, rows).ok_or_else(|| wrong(format!("plane {n} is missing or of another size")))?;
        let sum: u64 = (0..rows)
            .map(|r| {
                let (a, b) = (&mine.bytes[r * mine.stride..][..row], &theirs.bytes[r * theirs.stride..][..row]);
                a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
            })
            .sum();
        let mean = sum as f64 / (row * rows).max(1) as f64;
        if mean > MOST_DIFFERENCE {
            return Err(wrong(format!("plane {n} of picture {} differs by {mean:.1} levels", given.pts.as_ms())));
        }
    }
    Ok(())
}

/// libavcodec's own decoder, in software.
struct Decoder {
    codec: Codec,
    packet: AvPacket,
    frame: AvFrame,
    headers: Vec<u8>,
}

impl Decoder {
    fn open(avcc: &[u8]) -> Result<Self, LibavError> {
        let mut codec = Codec::decoder(ffi::AVCodecID::AV_CODEC_ID_H264)?;
        codec.thread_count = 1;
        codec.open(&[])?;
        let headers = nal::headers(avcc).ok_or_else(|| wrong("no parameter sets".to_owned()))?;
        Ok(Self { codec, packet: AvPacket::new()?, frame: AvFrame::new()?, headers })
    }

    fn decode(
        &mut self,
        packet: Option<&Packet>,
        fps: u32,
        look: &mut impl FnMut(&AvFrame, i64) -> Result<(), LibavError>,
    ) -> Result<(), LibavError> {
        match packet {
            Some(packet) => {
                let mut bytes = std::mem::take(&mut self.headers);
                nal::to_annex_b(&packet.payload, &mut bytes);
                self.packet.fill(&bytes)?;
                self.packet.pts = packet.pts.as_ticks(fps);
                self.packet.dts = packet.dts.as_ticks(fps);
                self.codec.send_packet(Some(&self.packet))?;
            }
            None => self.codec.send_packet(None)?,
        }
        while self.codec.receive_frame(&mut self.frame)? {
            look(&self.frame, self.frame.pts)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoders::{X264, encoder};

    const SETTINGS: VideoSettings =
        VideoSettings { canvas: Canvas { width: 360, height: 640, fps: 30 }, kbps: 800, low_latency: false, keyframe_s: 2, b_frames: 2 };

    #[test]
    fn x264_passes_with_and_without_look_ahead() {
        probe(&X264, &SETTINGS).expect("the base works");
        probe(&X264, &VideoSettings { low_latency: true, ..SETTINGS }).expect("without B-frames too");
    }

    /// What hardware is like, by the only encoder that is everywhere: interleaved colours, no change of rate while open.
    static STIFF: H264Encoder = H264Encoder { nv12: true, live_rate: false, b_frames: 0, ..X264 };

    #[test]
    fn interleaved_colours_are_right() {
        probe(&STIFF, &SETTINGS).expect("the same picture");
    }

    #[test]
    fn another_rate_waits_for_a_keyframe_and_loses_nothing() {
        let mut encoder = VideoEncoder::open_with(&STIFF, &SETTINGS).expect("opened");
        let mut packets = vec![];
        for tick in 0..240 {
            if tick == 70 {
                encoder.set_kbps(200);
            }
            packets.extend(encoder.encode(&picture(SETTINGS.canvas, tick), false).expect("encoded"));
        }
        packets.extend(encoder.finish().expect("flushed"));
        let keys: Vec<i64> = packets.iter().filter(|p| p.keyframe).map(|p| p.pts.as_ticks(30)).collect();
        assert_eq!(keys, [0, 60, 120, 180], "no keyframe more than the grid has");
        assert_eq!(packets.iter().map(|p| p.pts.as_ticks(30)).collect::<Vec<_>>(), (0..240).collect::<Vec<_>>());
        let bytes = |from: usize, to: usize| packets[from..to].iter().map(|p| p.payload.len()).sum::<usize>();
        assert!(bytes(180, 240) * 2 < bytes(0, 60), "{} after {}", bytes(180, 240), bytes(0, 60));
        assert!(packets.iter().all(|p| p.keyframe == p.config.is_some()), "every keyframe says how it is decoded");
    }

    #[test]
    fn an_encoder_without_its_hardware_does_not_pass() {
        let absent = encoder("h264_nvenc").expect("known by name");
        if std::path::Path::new("/dev/nvidiactl").exists() {
            return;
        }
        assert!(probe(absent, &SETTINGS).is_err());
    }

    #[test]
    fn another_picture_is_seen() {
        let given = picture(SETTINGS.canvas, 0);
        let mut other = AvFrame::lend(&picture(SETTINGS.canvas, 0)).expect("lent");
        compare(&other, &given).expect("the same");
        let mut grey = given.bytes().to_vec();
        let luma = 360 * 640;
        // A driver that loses colour: all is well but for the chroma.
        grey[luma..].fill(128);
        let grey = Frame::new(given.format, given.pts, false, grey.into());
        other = AvFrame::lend(&grey).expect("lent");
        assert!(compare(&other, &given).expect_err("seen").to_string().contains("plane 1"));
    }

    #[test]
    fn missing_late_and_fat_packets_are_seen() {
        let mut encoder = VideoEncoder::open_with(&X264, &SETTINGS).expect("opened");
        let mut packets = vec![];
        for tick in 0..60 {
            packets.extend(encoder.encode(&picture(SETTINGS.canvas, tick), tick == 20).expect("encoded"));
        }
        packets.extend(encoder.finish().expect("flushed"));
        check_packets(&packets, 60, 20, &SETTINGS).expect("as they should be");
        let refused = |change: fn(&mut Vec<Packet>)| {
            let mut changed = packets.clone();
            change(&mut changed);
            check_packets(&changed, 60, 20, &SETTINGS).is_err()
        };
        assert!(refused(|p| drop(p.pop())));
        assert!(refused(|p| p.swap(3, 4)));
        assert!(refused(|p| p.iter_mut().skip(1).for_each(|p| p.keyframe = false)));
        assert!(refused(|p| p[5].payload = vec![0; 2_000_000].into()));
    }
}
