//! Pictures, sound and an independent decoder (the ffmpeg program) for the tests of this crate.
#![expect(clippy::expect_used, dead_code, reason = "a test that cannot prepare itself has failed; not every test uses everything")]

use stallcast_libav::{Decoded, MediaFile};
use stallcast_media::{AudioBlock, Canvas, Frame, Packet, PixelFormat, Pts, VideoFormat};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs ffmpeg with `input` on its standard input; its standard output. Anything it complains about fails the test.
pub fn ffmpeg(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-v", "error", "-nostdin", "-y"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed");
    let mut stdin = child.stdin.take().expect("piped");
    let out = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("ffmpeg runs")
    });
    let words = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && words.is_empty(), "ffmpeg {args:?}: {words}");
    out.stdout
}

/// Runs ffmpeg to make a file.
pub fn make(args: &[&str], path: &Path) {
    let path = path.to_str().expect("a plain name");
    ffmpeg(&[args, &[path]].concat(), &[]);
}

/// What ffprobe says, one `key=value` a line.
pub fn probe(args: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("ffprobe")
        .args(["-hide_banner", "-v", "error"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffprobe is installed");
    let mut stdin = child.stdin.take().expect("piped");
    std::thread::scope(|scope| {
        // It stops reading when it knows enough.
        scope.spawn(move || stdin.write_all(input).is_ok());
        String::from_utf8_lossy(&child.wait_with_output().expect("ffprobe runs").stdout).into_owned()
    })
}

pub const fn i420(width: u32, height: u32) -> VideoFormat {
    VideoFormat { width, height, pixel: PixelFormat::I420 }
}

/// A canvas whose luma is a moving slope with a bright square, and whose chroma moves too.
pub fn moving(canvas: Canvas, n: i64) -> Frame {
    let format = i420(canvas.width, canvas.height);
    let (w, h) = (canvas.width as usize, canvas.height as usize);
    let mut bytes = vec![0; format.bytes()];
    let t = n as usize;
    for y in 0..h {
        for x in 0..w {
            bytes[y * w + x] = 32 + ((x + y + 3 * t) / 2 % 160) as u8;
        }
    }
    for y in h / 4..h / 4 + 16 {
        for x in 0..16 {
            bytes[y * w + (x + 4 * t) % w] = 235;
        }
    }
    for (i, chroma) in bytes[w * h..].iter_mut().enumerate() {
        *chroma = 96 + ((i % (w / 2) + t) / 4 % 64) as u8;
    }
    Frame::new(format, canvas.frame_pts(n), false, bytes.into())
}

/// Noise that no encoder can make small; `seed` makes another picture.
pub fn noise(canvas: Canvas, n: i64, seed: u64) -> Frame {
    let format = i420(canvas.width, canvas.height);
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (n as u64).wrapping_mul(0xD1B5_4A32_D192_ED03) | 1;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let bytes: Vec<u8> = (0..format.bytes()).map(|_| 96 + random() % 64).collect();
    Frame::new(format, canvas.frame_pts(n), false, bytes.into())
}

/// Peak signal to noise of two byte strings, dB.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) * a.len() as f64 / sum.max(1e-9)).log10()
}

/// The H.264 byte stream of packets, with the parameter sets of `avcc` in front.
pub fn annex_b<'a>(avcc: &[u8], packets: impl IntoIterator<Item = &'a Packet>) -> Vec<u8> {
    let mut out = vec![];
    let mut unit = |unit: &[u8]| {
        out.extend([0, 0, 0, 1]);
        out.extend(unit);
    };
    let sps_end = 8 + usize::from(u16::from_be_bytes([avcc[6], avcc[7]]));
    unit(&avcc[8..sps_end]);
    let pps_len = usize::from(u16::from_be_bytes([avcc[sps_end + 1], avcc[sps_end + 2]]));
    unit(&avcc[sps_end + 3..][..pps_len]);
    for packet in packets {
        let mut rest = &packet.payload[..];
        while let Some((len, more)) = rest.split_first_chunk::<4>() {
            let (this, more) = more.split_at(u32::from_be_bytes(*len) as usize);
            unit(this);
            rest = more;
        }
    }
    out
}

/// The pictures of an H.264 byte stream, as ffmpeg decodes it.
pub fn decode(stream: &[u8], canvas: Canvas) -> Vec<Vec<u8>> {
    let raw = ffmpeg(&["-f", "h264", "-i", "-", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"], stream);
    raw.chunks_exact(i420(canvas.width, canvas.height).bytes()).map(<[u8]>::to_vec).collect()
}

/// AAC packets with ADTS headers (AAC-LC, 48 kHz stereo).
pub fn adts(packets: &[Packet]) -> Vec<u8> {
    let mut out = vec![];
    for packet in packets {
        let len = packet.payload.len() + 7;
        out.extend([0xFF, 0xF1, 0x4C, 0x80 | (len >> 11) as u8, (len >> 3) as u8, ((len & 7) << 5) as u8 | 0x1F, 0xFC]);
        out.extend(&packet.payload);
    }
    out
}

/// Stereo f32 sample frames of AAC packets, as ffmpeg decodes them.
pub fn decode_aac(packets: &[Packet]) -> Vec<[f32; 2]> {
    let raw = ffmpeg(&["-f", "aac", "-i", "-", "-f", "f32le", "-"], &adts(packets));
    let samples: Vec<f32> = raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    samples.as_chunks::<2>().0.to_vec()
}

/// Everything in a file.
pub fn read(file: &mut MediaFile) -> (Vec<Frame>, Vec<AudioBlock>) {
    let (mut frames, mut blocks) = (vec![], vec![]);
    while let Some(piece) = file.next().expect("decodes") {
        match piece {
            Decoded::Video(frame) => frames.push(frame),
            Decoded::Audio(block) => blocks.push(block),
        }
    }
    (frames, blocks)
}

/// Instant of the loudest sample, seconds.
pub fn loudest(blocks: &[AudioBlock]) -> f64 {
    let mut best = (0.0_f32, 0.0);
    for block in blocks {
        for (n, frame) in block.samples.chunks_exact(usize::from(block.channels)).enumerate() {
            if frame[0].abs() > best.0 {
                best = (frame[0].abs(), seconds(block.pts) + n as f64 / f64::from(block.rate));
            }
        }
    }
    best.1
}

pub fn seconds(pts: Pts) -> f64 {
    pts.0 as f64 / 1e9
}
