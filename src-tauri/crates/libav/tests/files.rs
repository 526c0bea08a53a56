//! Media files, made by the ffmpeg program: instants, tracks, damage.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use stallcast_libav::{Converter, LibavError, MediaFile};
use stallcast_media::{AudioBlock, Canvas, Frame, NANOS_PER_SEC, Pts, SAMPLE_RATE};
use std::path::{Path, PathBuf};
use support::{loudest, make, moving, read, seconds};
use tempfile::TempDir;

/// A click of 1 ms at 1 s, on both channels.
const CLICK: &str = "aevalsrc='0.8*between(t,1,1.001)|0.8*between(t,1,1.001)':s=48000:d=3";
const PICTURE: &str = "testsrc2=s=320x180:r=30:d=3";
const X264: [&str; 10] = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "30", "-pix_fmt", "yuv420p"];

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Three seconds of picture with B-frames and a click, in any container.
fn clip(folder: &TempDir, name: &str, more: &[&str]) -> PathBuf {
    let path = folder.path().join(name);
    let inputs = ["-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", CLICK];
    make(&[&inputs[..], &X264, &["-c:a", "aac", "-b:a", "128k"], more].concat(), &path);
    path
}

fn open(path: &Path) -> MediaFile {
    MediaFile::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Instant of each frame and block, and what is in it.
type Contents = (Vec<(i64, u64)>, Vec<(i64, usize)>);

fn contents(file: &mut MediaFile) -> Contents {
    let (frames, blocks) = read(file);
    let sum = |frame: &Frame| frame.bytes().iter().fold(7_u64, |sum, b| sum.wrapping_mul(31).wrapping_add((*b).into()));
    (frames.iter().map(|f| (f.pts.0, sum(f))).collect(), blocks.iter().map(|b| (b.pts.0, b.frames())).collect())
}

fn assert_gapless(name: &str, blocks: &[AudioBlock]) {
    for pair in blocks.windows(2) {
        assert!((pair[1].pts - pair[0].end()).abs() <= 1, "{name}: {:?} then {:?}", pair[0].end(), pair[1].pts);
    }
}

#[test]
fn containers_keep_picture_and_sound_together() {
    let folder = folder();
    let fragments = ["-movflags", "frag_keyframe+empty_moov+default_base_moof+delay_moov"];
    for (name, more) in [("plain.mp4", &[][..]), ("fragments.mp4", &fragments), ("a.flv", &[]), ("a.ts", &[]), ("a.mkv", &[])] {
        let mut file = open(&clip(&folder, name, more));
        let (format, fps) = file.video().expect("a picture");
        assert_eq!((format.width, format.height), (320, 180), "{name}");
        assert!((fps - 30.0).abs() < 0.01, "{name}: {fps}");
        assert!(file.has_audio(), "{name}");
        let (frames, blocks) = read(&mut file);
        assert_eq!(frames.len(), 90, "{name}");
        // FLV and Matroska count in whole milliseconds.
        let tolerance = if name.ends_with("flv") || name.ends_with("mkv") { 1_000_000 } else { 20_000 };
        for (n, frame) in (0_i64..).zip(&frames) {
            let off = frame.pts - frames[0].pts - Pts::from_ticks(n, 30).0;
            assert!(off.abs() <= tolerance, "{name}: frame {n} is off by {off} ns");
        }
        assert_gapless(name, &blocks);
        assert!(frames[0].pts.0.min(blocks[0].pts.0).abs() < 1_000_000, "{name}: file time 0 is the first instant");
        if name.ends_with("mp4") {
            assert_eq!((frames[0].pts, blocks[0].pts), (Pts(0), Pts(0)), "{name}: priming is left out");
        }
        let click = loudest(&blocks) - seconds(frames[0].pts);
        assert!((click - 1.0005).abs() < 0.0015, "{name}: click at {click:.4} s");
        let duration = file.duration() as f64 / 1e9;
        assert!((2.95..3.15).contains(&duration), "{name}: {duration} s");
    }
}

#[test]
fn rewinding_gives_the_same_again() {
    let folder = folder();
    let fragments = ["-movflags", "frag_keyframe+empty_moov+default_base_moof+delay_moov"];
    for (name, more) in [("plain.mp4", &[][..]), ("fragments.mp4", &fragments), ("a.flv", &[]), ("a.ts", &[]), ("a.mkv", &[])] {
        let mut file = open(&clip(&folder, name, more));
        let first = contents(&mut file);
        assert!(first.0.len() == 90 && first.1.len() > 100, "{name}");
        for after in [usize::MAX, 0, 37] {
            file.rewind().expect("rewinds");
            let mut pieces = 0;
            while pieces < after && file.next().expect("decodes").is_some() {
                pieces += 1;
            }
            file.rewind().expect("rewinds");
            assert!(contents(&mut file) == first, "{name}, after {after} pieces");
        }
    }
}

#[test]
fn rewinding_forgets_what_the_resampler_held() {
    let folder = folder();
    let path = folder.path().join("tone.wav");
    make(&["-f", "lavfi", "-i", "sine=r=44100:d=1"], &path);
    let mut file = open(&path);
    let all = |file: &mut MediaFile| read(file).1.into_iter().map(|b| (b.pts, b.samples)).collect::<Vec<_>>();
    let first = all(&mut file);
    file.rewind().expect("rewinds");
    assert!(file.next().expect("decodes").is_some());
    file.rewind().expect("rewinds");
    assert!(all(&mut file) == first);
}

#[test]
fn uneven_rates_are_exact() {
    let folder = folder();
    let path = folder.path().join("ntsc.mp4");
    make(&[&["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30000/1001:d=4"][..], &X264].concat(), &path);
    let mut file = open(&path);
    let fps = file.video().expect("a picture").1;
    assert!((fps - 30_000.0 / 1001.0).abs() < 1e-6, "{fps}");
    assert!(!file.has_audio());
    let (frames, _) = read(&mut file);
    assert_eq!(frames.len(), 120);
    for (n, frame) in (0_i64..).zip(&frames) {
        assert!((frame.pts.0 - n * 1001 * NANOS_PER_SEC / 30_000).abs() <= 1, "frame {n} at {:?}", frame.pts);
    }
    assert!((file.duration() - 120 * 1001 * NANOS_PER_SEC / 30_000).abs() < 1_000_000);
}

#[test]
fn sound_alone_is_resampled_in_place() {
    let folder = folder();
    for (name, source, codec, frames) in [
        ("mono.wav", "aevalsrc='0.5*sin(880*PI*t)+0.4*between(t,1,1.001)':s=44100:d=2", "pcm_s16le", 96_000),
        ("stereo.flac", "aevalsrc='0.5*sin(880*PI*t)+0.4*between(t,1,1.001)|0.1':s=96000:d=2", "flac", 96_000),
        ("speech.wav", "aevalsrc='0.5*sin(880*PI*t)+0.4*between(t,1,1.001)':s=8000:d=2", "pcm_s16le", 96_000),
    ] {
        let path = folder.path().join(name);
        make(&["-f", "lavfi", "-i", source, "-c:a", codec], &path);
        let mut file = open(&path);
        assert!(file.video().is_none() && file.has_audio(), "{name}");
        assert!((file.duration() - 2 * NANOS_PER_SEC).abs() < 1_000_000, "{name}: {}", file.duration());
        let (_, blocks) = read(&mut file);
        assert!(blocks.iter().all(|b| b.rate == SAMPLE_RATE && b.channels == 2), "{name}");
        assert_gapless(name, &blocks);
        assert_eq!(blocks[0].pts, Pts(0), "{name}");
        let total: usize = blocks.iter().map(AudioBlock::frames).sum();
        assert!(total.abs_diff(frames) <= 64, "{name}: {total} sample frames");
        // As loud as it was: a mono file is not made softer.
        let left: Vec<f32> = blocks.iter().flat_map(|b| b.samples.iter().step_by(2)).copied().collect();
        let peak = left[1000..40_000].iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        assert!((peak - 0.5).abs() < 0.02, "{name}: peak {peak}");
        let click = loudest(&blocks);
        assert!((0.9995..1.0015).contains(&click), "{name}: click at {click:.4} s");
    }
}

#[test]
fn cover_art_is_no_picture() {
    let folder = folder();
    let (cover, song) = (folder.path().join("cover.jpg"), folder.path().join("song.mp3"));
    make(&["-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1"], &cover);
    let args = ["-f", "lavfi", "-i", "sine=d=2:r=44100", "-i", cover.to_str().unwrap(), "-map", "0", "-map", "1", "-c:v", "copy"];
    make(&[&args[..], &["-disposition:v", "attached_pic"]].concat(), &song);
    let mut file = open(&song);
    assert!(file.video().is_none() && file.has_audio());
    let (frames, blocks) = read(&mut file);
    assert!(frames.is_empty());
    // The decoder leaves out the first 1105 samples, in the middle of a frame.
    assert!(blocks[0].pts.0.abs() < 100_000, "{:?}", blocks[0].pts);
    assert_gapless("song.mp3", &blocks);
    let total: usize = blocks.iter().map(AudioBlock::frames).sum();
    assert!(total.abs_diff(96_000) < 3000, "{total}");
}

#[test]
fn what_is_no_media_file_says_so() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let code = |path: &Path| MediaFile::open(path).map(drop).unwrap_err().code();
    assert_eq!(code(&path("nowhere.mp4")), "media_missing");
    assert!(matches!(MediaFile::open(&path("nowhere.mp4")), Err(LibavError::Missing(p)) if p == path("nowhere.mp4")));
    assert_eq!(code(folder.path()), "media_unreadable", "a folder");
    std::fs::write(path("empty.mp4"), []).unwrap();
    assert_eq!(code(&path("empty.mp4")), "media_unreadable");
    let mut state = 1_u32;
    let garbage: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(300_000)
    .collect();
    std::fs::write(path("garbage.mp4"), &garbage).unwrap();
    assert!(["media_unreadable", "media_no_track"].contains(&code(&path("garbage.mp4"))));
    std::fs::write(path("text.mp4"), "just a text\n".repeat(1000)).unwrap();
    assert_eq!(code(&path("text.mp4")), "media_unreadable");
    // A file that names other files or addresses is none of ours.
    let inner = clip(&folder, "inner.ts", &[]);
    let playlist = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n", inner.display());
    std::fs::write(path("list.m3u8"), playlist).unwrap();
    assert_eq!(code(&path("list.m3u8")), "media_unreadable");
    std::fs::write(path("list.txt"), format!("ffconcat version 1.0\nfile '{}'\n", inner.display())).unwrap();
    assert_eq!(code(&path("list.txt")), "media_unreadable");
    make(&["-f", "lavfi", "-i", "sine=d=1", "-f", "lavfi", "-i", PICTURE, "-map", "1", "-c:v", "libx264"], &path("ok.mp4"));
    assert!(MediaFile::open(&path("ok.mp4")).is_ok());
    // A name that looks like an address is a file name.
    assert_eq!(code(Path::new("http://localhost/a.mp4")), "media_missing");
}

#[test]
fn a_file_that_breaks_off_ends_there() {
    let folder = folder();
    for name in ["a.ts", "a.flv", "fragments.mp4"] {
        let more: &[&str] =
            if name.ends_with("mp4") { &["-movflags", "frag_keyframe+empty_moov+default_base_moof+delay_moov"] } else { &[] };
        let path = clip(&folder, name, more);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() * 2 / 3]).unwrap();
        let (frames, blocks) = read(&mut open(&path));
        assert!((30..90).contains(&frames.len()), "{name}: {} frames", frames.len());
        assert!(!blocks.is_empty(), "{name}");
        // Damage in the middle is passed over.
        let mut holed = whole.clone();
        let middle = whole.len() / 2;
        holed[middle..middle + 3000].fill(0x55);
        std::fs::write(&path, &holed).unwrap();
        let (frames, _) = read(&mut open(&path));
        assert!((30..=91).contains(&frames.len()), "{name} with damage: {} frames", frames.len());
    }
}

#[test]
fn pictures_come_out_as_they_were() {
    let folder = folder();
    // Lossless: what goes in must come out byte for byte.
    let (raw, path) = (folder.path().join("raw.yuv"), folder.path().join("exact.mp4"));
    let canvas = Canvas { width: 360, height: 640, fps: 30 };
    let frames: Vec<Frame> = (0..6).map(|n| moving(canvas, n)).collect();
    std::fs::write(&raw, frames.iter().flat_map(|frame| frame.bytes().into_owned()).collect::<Vec<u8>>()).unwrap();
    let input = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "360x640", "-r", "30", "-i", raw.to_str().unwrap()];
    make(&[&input[..], &["-c:v", "libx264", "-qp", "0", "-colorspace", "bt709", "-color_range", "tv"]].concat(), &path);
    let (got, _) = read(&mut open(&path));
    assert_eq!(got.len(), 6);
    // The file is closed by now, and the decoder gone: what it lent stays.
    assert!(got.iter().zip(&frames).all(|(got, want)| got.bytes() == want.bytes() && !got.full_range));
    // Its rows are padded where the decoder put them: nothing was copied.
    assert!(got.iter().all(|got| got.planes()[1].stride > 180), "{} bytes a row", got[0].planes()[1].stride);
    let mut packed = vec![0; got[0].format.bytes()];
    Converter::new(canvas).convert(&got[5], &mut packed).unwrap();
    assert!(packed == *frames[5].bytes());
}

#[test]
fn other_kinds_of_pictures_become_canvas_colours() {
    let folder = folder();
    // Pure red, 75 %, as BT.709 in limited range.
    let red = [51_u8, 109, 212];
    for (name, args) in [
        ("small.mp4", &["-pix_fmt", "yuv420p", "-c:v", "libx264"][..]),
        ("ten.mp4", &["-pix_fmt", "yuv420p10le", "-c:v", "libx264"]),
        ("fine.mp4", &["-pix_fmt", "yuv444p", "-c:v", "libx264"]),
        ("rgb.mkv", &["-pix_fmt", "bgr0", "-c:v", "ffv1"]),
        ("jpeg.avi", &["-pix_fmt", "yuvj422p", "-c:v", "mjpeg", "-q:v", "2"]),
    ] {
        let path = folder.path().join(name);
        make(&[&["-f", "lavfi", "-i", "color=0xBF0000:s=320x180:d=0.5,format=rgb24"][..], args].concat(), &path);
        let mut file = open(&path);
        let (frames, _) = read(&mut file);
        assert!(!frames.is_empty(), "{name}");
        let planes = frames[0].planes();
        let got = [planes[0].bytes[90 * 320 + 160], planes[1].bytes[45 * 160 + 80], planes[2].bytes[45 * 160 + 80]];
        assert!(got.iter().zip(red).all(|(g, w)| g.abs_diff(w) <= 3), "{name}: {got:?}, not {red:?}");
    }
}

#[test]
fn phone_pictures_stand_upright() {
    let folder = folder();
    let (flat, turned) = (folder.path().join("flat.mp4"), folder.path().join("turned.mp4"));
    // White in the upper left corner.
    let drawn = "color=black:s=320x180:d=0.2,drawbox=x=0:y=0:w=40:h=40:color=white:t=fill";
    make(&[&["-f", "lavfi", "-i", drawn][..], &X264].concat(), &flat);
    for (degrees, size, corner) in [("90", (180, 320), (20, 300)), ("180", (320, 180), (300, 160)), ("270", (180, 320), (160, 20))] {
        // ffmpeg and ffplay show such a file with the corner there.
        let rotate = format!("rotate={degrees}");
        make(&["-i", flat.to_str().unwrap(), "-c", "copy", "-metadata:s:v", &rotate], &turned);
        let mut file = open(&turned);
        let format = file.video().expect("a picture").0;
        assert_eq!((format.width, format.height), size, "{degrees}");
        let (frames, _) = read(&mut file);
        assert_eq!(frames[0].format, format);
        let at = |(x, y): (usize, usize)| frames[0].bytes()[y * format.width as usize + x];
        assert!(at(corner) > 200, "{degrees}: {}", at(corner));
        let others = [(20, 20), (160, 20), (20, 300), (300, 160), (20, 160), (160, 300)];
        assert!(
            others.iter().filter(|c| **c != corner && c.0 < size.0 as usize && c.1 < size.1 as usize).all(|c| at(*c) < 50),
            "{degrees}"
        );
    }
}
