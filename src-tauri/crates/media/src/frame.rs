use crate::Pts;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

/// How pixels lie in memory. Everything here is 8 bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelFormat {
    /// Planar Y, U, V with 2x2 subsampled chroma. The canvas format.
    I420,
    /// Y plane, then interleaved UV, 2x2 subsampled.
    Nv12,
    /// Packed Y0 U Y1 V, 2x1 subsampled.
    Yuyv,
    /// One JPEG, whatever its inner sampling; cut at its end marker.
    Mjpeg,
}

/// Size and layout of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VideoFormat {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Layout.
    pub pixel: PixelFormat,
}

impl VideoFormat {
    /// Bytes of one tightly packed picture; 0 for MJPEG, whose size varies.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        let (w, h) = (self.width as usize, self.height as usize);
        let chroma = w.div_ceil(2) * h.div_ceil(2);
        match self.pixel {
            PixelFormat::I420 | PixelFormat::Nv12 => w * h + 2 * chroma,
            PixelFormat::Yuyv => w.div_ceil(2) * 4 * h,
            PixelFormat::Mjpeg => 0,
        }
    }

    /// Bytes of a row and rows of each plane of a raw picture; none for MJPEG.
    fn planes(&self) -> impl Iterator<Item = (usize, usize)> {
        let (w, h) = (self.width as usize, self.height as usize);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        let (sizes, planes) = match self.pixel {
            PixelFormat::I420 => ([(w, h), (cw, ch), (cw, ch)], 3),
            PixelFormat::Nv12 => ([(w, h), (2 * cw, ch), (0, 0)], 2),
            PixelFormat::Yuyv => ([(cw * 4, h), (0, 0), (0, 0)], 1),
            PixelFormat::Mjpeg => ([(0, 0); 3], 0),
        };
        sizes.into_iter().take(planes)
    }
}

/// The program picture: even sides of 160..=1920 and a whole number of frames a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Canvas {
    /// Pixels a row, even.
    pub width: u32,
    /// Rows, even.
    pub height: u32,
    /// Frames a second, 1..=60.
    pub fps: u32,
}

impl Canvas {
    /// Nanoseconds between two frames, rounded down; use [`Canvas::frame_pts`] for instants.
    #[must_use]
    pub const fn interval(&self) -> i64 {
        crate::NANOS_PER_SEC / self.fps as i64
    }

    /// Instant of frame `n` counted from the start of the program. Exact on the running count.
    #[must_use]
    pub fn frame_pts(&self, n: i64) -> Pts {
        Pts::from_ticks(n, self.fps)
    }
}

/// One plane of a picture: rows of `stride` bytes of which `width` are pixels.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// From the first byte of the first row.
    pub bytes: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

impl Plane<'_> {
    const fn holds(&self, row: usize, rows: usize) -> bool {
        row > 0 && rows > 0 && self.stride >= row && self.bytes.len() >= self.stride * (rows - 1) + row
    }
}

/// A raw picture in memory that somebody else manages, as a decoder lends it.
pub trait Lent: Debug + Send + Sync {
    /// Plane `n` of the format, from its first pixel to its last; `None` if it is not there. Always the same pixels. Any thread.
    fn plane(&self, n: usize) -> Option<Plane<'_>>;
}

/// One picture, shared without copying. A packed buffer returns to its pool when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Size and layout of the pixels.
    pub format: VideoFormat,
    /// Capture instant at a source, program instant after composing.
    pub pts: Pts,
    /// True for JPEG-style full range 0..=255; false for video range 16..=235.
    pub full_range: bool,
    pixels: Arc<Pixels>,
}

#[derive(Debug)]
enum Pixels {
    /// Tightly packed, plane after plane.
    Packed(Pooled),
    /// Planes apart, rows padded.
    Lent(Box<dyn Lent>),
}

impl Frame {
    /// Wraps finished bytes. For raw formats `bytes` must hold at least [`VideoFormat::bytes`].
    #[must_use]
    pub fn new(format: VideoFormat, pts: Pts, full_range: bool, buffer: Buffer) -> Self {
        Self { format, pts, full_range, pixels: Arc::new(Pixels::Packed(Pooled(buffer))) }
    }

    /// Wraps a raw picture without copying it; `None` if a plane has too few rows or too short ones, or for MJPEG.
    #[must_use]
    pub fn lent(format: VideoFormat, pts: Pts, full_range: bool, picture: Box<dyn Lent>) -> Option<Self> {
        let whole = |(n, (row, rows)): (usize, (usize, usize))| picture.plane(n).is_some_and(|plane| plane.holds(row, rows));
        let there = format.pixel != PixelFormat::Mjpeg && format.planes().enumerate().all(whole);
        there.then(|| Self { format, pts, full_range, pixels: Arc::new(Pixels::Lent(picture)) })
    }

    /// The picture tightly packed: the buffer itself, or a copy of a lent one.
    #[must_use]
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match &*self.pixels {
            Pixels::Packed(pooled) => Cow::Borrowed(&pooled.0.bytes),
            Pixels::Lent(_) => {
                let mut bytes = vec![0; self.format.bytes()];
                self.pack_into(&mut bytes);
                Cow::Owned(bytes)
            }
        }
    }

    /// Are there as many pixels as the format says? MJPEG always is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match &*self.pixels {
            Pixels::Packed(pooled) => pooled.0.bytes.len() >= self.format.bytes(),
            Pixels::Lent(_) => true,
        }
    }

    /// Copies a raw picture tightly packed to the front of `out`, as much as there is room for.
    pub fn pack_into(&self, out: &mut [u8]) {
        let mut rest = out;
        match &*self.pixels {
            Pixels::Packed(pooled) => {
                let length = pooled.0.bytes.len().min(rest.len());
                rest[..length].copy_from_slice(&pooled.0.bytes[..length]);
            }
            Pixels::Lent(picture) => {
                for (n, (row, rows)) in self.format.planes().enumerate() {
                    let (plane, after) = rest.split_at_mut((row * rows).min(rest.len()));
                    rest = after;
                    let from = picture.plane(n).unwrap_or(Plane { bytes: &[], stride: row });
                    for (to, from) in plane.chunks_exact_mut(row).zip(from.bytes.chunks(from.stride)) {
                        to.copy_from_slice(&from[..row]);
                    }
                }
            }
        }
    }

    /// The planes of a raw picture (3 for I420, 2 for NV12, 1 for YUYV and MJPEG).
    #[must_use]
    pub fn planes(&self) -> Vec<Plane<'_>> {
        let mut all: &[u8] = match &*self.pixels {
            Pixels::Packed(pooled) => &pooled.0.bytes,
            Pixels::Lent(picture) => return self.format.planes().enumerate().filter_map(|(n, _)| picture.plane(n)).collect(),
        };
        if self.format.pixel == PixelFormat::Mjpeg {
            return vec![Plane { bytes: all, stride: all.len() }];
        }
        let take = |(row, rows): (usize, usize)| {
            let (bytes, rest) = all.split_at(row * rows);
            all = rest;
            Plane { bytes, stride: row }
        };
        self.format.planes().map(take).collect()
    }

    /// The same picture with another instant. No pixel is copied.
    #[must_use]
    pub fn at(&self, pts: Pts) -> Self {
        Self { pts, ..self.clone() }
    }
}

/// A writable picture buffer, from [`FramePool::take`] or free-standing.
#[derive(Debug)]
pub struct Buffer {
    /// The pixels.
    pub bytes: Vec<u8>,
    home: Option<Arc<Mutex<Vec<Vec<u8>>>>>,
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, home: None }
    }
}

#[derive(Debug)]
struct Pooled(Buffer);

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(home) = self.0.home.take() {
            let mut free = home.lock().unwrap_or_else(PoisonError::into_inner);
            if free.len() < free.capacity() {
                free.push(std::mem::take(&mut self.0.bytes));
            }
        }
    }
}

/// Buffers that come back by themselves. Takes a new allocation when all are out, so it never blocks and never refuses;
/// at most `keep` idle buffers are kept.
#[derive(Debug, Clone)]
pub struct FramePool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl FramePool {
    /// A pool that keeps up to `keep` idle buffers.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self { free: Arc::new(Mutex::new(Vec::with_capacity(keep))) }
    }

    /// A buffer of exactly `bytes` bytes with unspecified content. Any thread.
    #[must_use]
    pub fn take(&self, bytes: usize) -> Buffer {
        let reused = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = reused.unwrap_or_default();
        buffer.resize(bytes, 0);
        Buffer { bytes: buffer, home: Some(Arc::clone(&self.free)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_home_only_when_its_last_clone_is_gone() {
        let pool = FramePool::new(2);
        let format = VideoFormat { width: 4, height: 2, pixel: PixelFormat::I420 };
        let frame = Frame::new(format, Pts(0), false, pool.take(format.bytes()));
        let address = frame.bytes().as_ptr();
        let other = frame.clone();
        drop(frame);
        assert_ne!(pool.take(format.bytes()).bytes.as_ptr(), address, "a picture still shown must not be overwritten");
        drop(other);
        assert_eq!(pool.take(format.bytes()).bytes.as_ptr(), address, "an idle buffer is used again");
    }

    #[derive(Debug)]
    struct Apart([(Vec<u8>, usize); 3]);

    impl Lent for Apart {
        fn plane(&self, n: usize) -> Option<Plane<'_>> {
            self.0.get(n).map(|(bytes, stride)| Plane { bytes, stride: *stride })
        }
    }

    #[test]
    fn a_lent_picture_is_packed_without_its_padding_and_refused_where_rows_are_missing() {
        let format = VideoFormat { width: 3, height: 2, pixel: PixelFormat::I420 };
        // The last row of a plane has no padding.
        let planes = || [(vec![1, 2, 3, 99, 4, 5, 6], 4), (vec![7, 8, 99], 3), (vec![9, 10], 2)];
        let frame = Frame::lent(format, Pts(0), false, Box::new(Apart(planes()))).expect("whole planes");
        assert_eq!(*frame.bytes(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(frame.planes().iter().map(|p| p.stride).collect::<Vec<_>>(), [4, 3, 2]);
        assert!(frame.is_whole() && frame.at(Pts(5)).is_whole());
        for plane in 0..3 {
            let mut short = planes();
            let length = short[plane].0.len();
            short[plane].0.truncate(if plane == 1 { 1 } else { length - 1 });
            assert!(Frame::lent(format, Pts(0), false, Box::new(Apart(short))).is_none(), "plane {plane}");
        }
        let narrow = [(vec![0; 7], 2), (vec![0; 4], 2), (vec![0; 4], 2)];
        assert!(Frame::lent(format, Pts(0), false, Box::new(Apart(narrow))).is_none(), "rows that overlap");
    }

    #[test]
    fn frame_instants_are_exact() {
        let canvas = Canvas { width: 720, height: 1280, fps: 30 };
        assert_eq!(canvas.frame_pts(30), Pts(crate::NANOS_PER_SEC));
        assert_eq!(canvas.frame_pts(1_080_000), Pts(36_000 * crate::NANOS_PER_SEC));
    }
}
