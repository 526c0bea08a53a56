//! Pictures from cameras and files onto the canvas: colours, shape, damage.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod support;

use stallcast_libav::{Converter, JpegEncoder, LibavError};
use stallcast_media::{Canvas, Frame, PixelFormat, Pts, VideoFormat};
use support::{ffmpeg, i420, moving, psnr};

/// Bars of 75 %, with black and white.
const BARS: [[f64; 3]; 8] = [
    [1.0, 1.0, 1.0],
    [0.75, 0.75, 0.0],
    [0.0, 0.75, 0.75],
    [0.0, 0.75, 0.0],
    [0.75, 0.0, 0.75],
    [0.75, 0.0, 0.0],
    [0.0, 0.0, 0.75],
    [0.0, 0.0, 0.0],
];
const BT601: (f64, f64) = (0.299, 0.114);
const BT709: (f64, f64) = (0.2126, 0.0722);

/// Y, U and V of a colour by the textbook.
fn yuv([r, g, b]: [f64; 3], (kr, kb): (f64, f64), full: bool) -> [u8; 3] {
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    let (u, v) = ((b - y) / (2.0 * (1.0 - kb)), (r - y) / (2.0 * (1.0 - kr)));
    let (low, luma, chroma) = if full { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
    [low + luma * y, 128.0 + chroma * u, 128.0 + chroma * v].map(|value| value.round().clamp(0.0, 255.0) as u8)
}

/// Eight upright bars.
fn bars(pixel: PixelFormat, width: usize, height: usize, weights: (f64, f64), full: bool) -> Frame {
    let format = VideoFormat { width: width as u32, height: height as u32, pixel };
    let at = |x: usize| yuv(BARS[(x * 8 / width).min(7)], weights, full);
    let (cw, ch) = (width.div_ceil(2), height.div_ceil(2));
    let mut bytes = vec![];
    match pixel {
        PixelFormat::I420 | PixelFormat::Nv12 => {
            for _ in 0..height {
                bytes.extend((0..width).map(|x| at(x)[0]));
            }
            if pixel == PixelFormat::I420 {
                for plane in 1..=2 {
                    for _ in 0..ch {
                        bytes.extend((0..cw).map(|x| at(2 * x)[plane]));
                    }
                }
            } else {
                for _ in 0..ch {
                    bytes.extend((0..cw).flat_map(|x| [at(2 * x)[1], at(2 * x)[2]]));
                }
            }
        }
        PixelFormat::Yuyv => {
            for _ in 0..height {
                bytes.extend((0..cw).flat_map(|x| [at(2 * x)[0], at(2 * x)[1], at(2 * x + 1)[0], at(2 * x)[2]]));
            }
        }
        PixelFormat::Mjpeg => unreachable!("made by ffmpeg"),
    }
    Frame::new(format, Pts(0), full, bytes.into())
}

fn convert(frame: &Frame, width: u32, height: u32) -> Vec<u8> {
    let canvas = Canvas { width, height, fps: 30 };
    let mut out = vec![0xAA; i420(width, height).bytes()];
    Converter::new(canvas).convert(frame, &mut out).expect("converts");
    out
}

/// The colour in the middle of each of eight bars of a canvas.
fn middles(canvas: &[u8], width: usize, height: usize) -> Vec<[u8; 3]> {
    let cw = width / 2;
    (0..8)
        .map(|bar| {
            let (x, y) = (width * (2 * bar + 1) / 16, height / 2);
            let chroma = (y / 2) * cw + x / 2;
            [canvas[y * width + x], canvas[width * height + chroma], canvas[width * height + cw * (height / 2) + chroma]]
        })
        .collect()
}

fn assert_bars(canvas: &[u8], width: usize, height: usize, tolerance: u8, what: &str) {
    for (bar, got) in middles(canvas, width, height).into_iter().enumerate() {
        let want = yuv(BARS[bar], BT709, false);
        assert!(got.iter().zip(want).all(|(g, w)| g.abs_diff(w) <= tolerance), "{what}, bar {bar}: {got:?}, not {want:?}");
    }
}

#[test]
fn camera_bars_keep_their_colours() {
    for pixel in [PixelFormat::Nv12, PixelFormat::Yuyv] {
        for full in [false, true] {
            let frame = bars(pixel, 640, 360, BT601, full);
            assert_bars(&convert(&frame, 640, 360), 640, 360, 1, &format!("{pixel:?} full {full}"));
            assert_bars(&convert(&frame, 320, 180), 320, 180, 2, &format!("{pixel:?} full {full}, smaller"));
            assert_bars(&convert(&frame, 1280, 720), 1280, 720, 2, &format!("{pixel:?} full {full}, larger"));
        }
    }
}

#[test]
fn file_bars_keep_their_colours() {
    assert_bars(&convert(&bars(PixelFormat::I420, 640, 360, BT709, true), 640, 360), 640, 360, 1, "full range");
    assert_bars(&convert(&bars(PixelFormat::I420, 640, 360, BT709, false), 320, 180), 320, 180, 1, "smaller");
}

#[test]
fn a_canvas_passes_untouched() {
    let canvas = Canvas { width: 362, height: 642, fps: 30 };
    let frame = moving(canvas, 3);
    assert!(convert(&frame, 362, 642) == *frame.bytes());
}

/// Bars as red, green and blue, for ffmpeg.
fn rgb_bars(width: usize, height: usize) -> Vec<u8> {
    let row: Vec<u8> = (0..width).flat_map(|x| BARS[x * 8 / width].map(|c| (c * 255.0_f64).round() as u8)).collect();
    row.repeat(height)
}

fn jpeg_of_bars(sampling: &str, width: usize, height: usize) -> Frame {
    let size = format!("{width}x{height}");
    let args = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-i", "-", "-pix_fmt", sampling, "-q:v", "2", "-f", "mjpeg", "-"];
    let jpeg = ffmpeg(&args, &rgb_bars(width, height));
    let format = VideoFormat { width: width as u32, height: height as u32, pixel: PixelFormat::Mjpeg };
    Frame::new(format, Pts(0), true, jpeg.into())
}

#[test]
fn jpeg_bars_keep_their_colours() {
    for sampling in ["yuvj420p", "yuvj422p", "yuvj444p"] {
        let frame = jpeg_of_bars(sampling, 640, 360);
        assert_bars(&convert(&frame, 640, 360), 640, 360, 3, sampling);
        assert_bars(&convert(&frame, 320, 180), 320, 180, 3, &format!("{sampling}, smaller"));
    }
}

#[test]
fn previews_show_the_same_picture() {
    let canvas = Canvas { width: 640, height: 360, fps: 30 };
    let bars = bars(PixelFormat::I420, 640, 360, BT709, false);
    let mut encoder = JpegEncoder::new(320);
    for frame in [&bars, &moving(canvas, 1), &bars] {
        let picture = encoder.encode(frame).expect("encodes");
        assert_eq!((picture.width, picture.height), (320, 180));
        assert!(picture.bytes.starts_with(&[0xFF, 0xD8]) && picture.bytes.ends_with(&[0xFF, 0xD9]), "one whole JPEG file");
        let format = VideoFormat { width: 320, height: 180, pixel: PixelFormat::Mjpeg };
        let back = convert(&Frame::new(format, Pts(0), true, picture.bytes.to_vec().into()), 320, 180);
        assert!(psnr(&back, &convert(frame, 320, 180)) > 30.0);
    }
    let picture = encoder.encode(&bars).expect("encodes");
    // A browser takes a JPEG for BT.601 in full range: so does ffmpeg.
    let rgb = ffmpeg(&["-f", "mjpeg", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], &picture.bytes);
    for (bar, want) in BARS.iter().enumerate() {
        let at = 3 * (90 * 320 + 20 + 40 * bar);
        let got = &rgb[at..at + 3];
        assert!(got.iter().zip(want).all(|(g, w)| (f64::from(*g) - w * 255.0).abs() <= 8.0), "bar {bar}: {got:?}, not {want:?}");
    }
}

#[test]
fn the_middle_is_shown() {
    // Left half dark, right half bright: the edge must stay in the middle of whatever part is cut out.
    for (w, h, cw, ch) in [(1280, 720, 360, 640), (360, 640, 640, 360), (640, 480, 640, 360), (322, 242, 320, 240), (1920, 1080, 608, 1080)]
    {
        let format = i420(w, h);
        let mut bytes = vec![128; format.bytes()];
        for y in 0..h {
            for x in 0..w {
                bytes[(y * w + x) as usize] = if x < w / 2 { 50 } else { 200 };
            }
        }
        let out = convert(&Frame::new(format, Pts(0), false, bytes.into()), cw, ch);
        let row = &out[(ch / 2 * cw) as usize..][..cw as usize];
        let edge = row.iter().position(|y| *y > 125).expect("both halves are there") as i64;
        assert!((edge - i64::from(cw / 2)).abs() <= 2 + i64::from(cw / w.min(cw)), "{w}x{h} on {cw}x{ch}: edge at {edge}");
        assert!(row[0] <= 52 && row[cw as usize - 1] >= 198);
    }
}

#[test]
fn no_size_leaves_a_pixel_unwritten() {
    let sizes = [(2, 2), (3, 3), (17, 5), (160, 120), (641, 361), (853, 479), (1366, 768)];
    let canvases = [(160, 160), (162, 290), (426, 240), (854, 480), (1078, 606)];
    for (w, h) in sizes {
        for pixel in [PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Yuyv] {
            let format = VideoFormat { width: w, height: h, pixel };
            // Grey means the same in every matrix.
            let frame = Frame::new(format, Pts(0), false, vec![128; format.bytes()].into());
            for (cw, ch) in canvases {
                let out = convert(&frame, cw, ch);
                assert!(out.iter().all(|v| v.abs_diff(128) <= 1), "{pixel:?} {w}x{h} on {cw}x{ch}");
            }
        }
    }
}

#[test]
fn a_damaged_jpeg_is_an_error_and_the_next_one_is_fine() {
    let good = jpeg_of_bars("yuvj422p", 320, 240);
    let canvas = Canvas { width: 320, height: 240, fps: 30 };
    let (mut converter, mut out) = (Converter::new(canvas), vec![0; i420(320, 240).bytes()]);
    let jpeg = |bytes: Vec<u8>| Frame::new(good.format, Pts(0), true, bytes.into());
    for len in [0, 1, 2, 20, good.bytes().len() / 4, good.bytes().len() / 2, good.bytes().len() * 9 / 10] {
        let cut = jpeg(good.bytes()[..len].to_vec());
        let result = converter.convert(&cut, &mut out);
        assert!(matches!(result, Err(LibavError::Damaged(_))), "{len} bytes: {result:?}");
        converter.convert(&good, &mut out).expect("the next one");
        assert_bars(&out, 320, 240, 3, "after damage");
    }
    // Noise anywhere: an error or some picture, but nothing else.
    let mut state = 7_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for _ in 0..300 {
        let mut bytes = good.bytes().to_vec();
        for _ in 0..=random(8) {
            let at = random(bytes.len());
            bytes[at] = random(256) as u8;
        }
        if let Err(e) = converter.convert(&jpeg(bytes), &mut out) {
            assert!(matches!(e, LibavError::Damaged(_) | LibavError::Unsupported { .. }), "{e}");
        }
    }
    converter.convert(&good, &mut out).expect("still fine");
    assert_bars(&out, 320, 240, 3, "after noise");
}

#[test]
fn wrong_sizes_are_errors() {
    let canvas = Canvas { width: 320, height: 240, fps: 30 };
    let mut converter = Converter::new(canvas);
    let short = Frame::new(VideoFormat { width: 640, height: 480, pixel: PixelFormat::Yuyv }, Pts(0), false, vec![0; 1000].into());
    assert_eq!(converter.convert(&short, &mut vec![0; i420(320, 240).bytes()]).unwrap_err().code(), "media_damaged");
    assert_eq!(converter.convert(&moving(canvas, 0), &mut [0; 10]).unwrap_err().code(), "media_unsupported");
    let empty = Frame::new(i420(0, 0), Pts(0), false, vec![].into());
    assert_eq!(converter.convert(&empty, &mut vec![0; i420(320, 240).bytes()]).unwrap_err().code(), "media_damaged");
}
