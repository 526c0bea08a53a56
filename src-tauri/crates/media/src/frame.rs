use crate::Pts;
use serde::{Deserialize, Serialize};
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

/// One picture, tightly packed, shared without copying. The buffer returns to its pool when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Size and layout of `bytes`.
    pub format: VideoFormat,
    /// Capture instant at a source, program instant after composing.
    pub pts: Pts,
    /// True for JPEG-style full range 0..=255; false for video range 16..=235.
    pub full_range: bool,
    bytes: Arc<Pooled>,
}

impl Frame {
    /// Wraps finished bytes. For raw formats `bytes` must hold at least [`VideoFormat::bytes`].
    #[must_use]
    pub fn new(format: VideoFormat, pts: Pts, full_range: bool, buffer: Buffer) -> Self {
        Self { format, pts, full_range, bytes: Arc::new(Pooled(buffer)) }
    }

    /// The whole buffer.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes.0.bytes
    }

    /// The planes of a raw picture (3 for I420, 2 for NV12, 1 for YUYV and MJPEG).
    #[must_use]
    pub fn planes(&self) -> Vec<Plane<'_>> {
        let (w, h) = (self.format.width as usize, self.format.height as usize);
        let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
        let all = self.bytes();
        match self.format.pixel {
            PixelFormat::I420 => {
                let (y, rest) = all.split_at(w * h);
                let (u, v) = rest.split_at(cw * ch);
                vec![Plane { bytes: y, stride: w }, Plane { bytes: u, stride: cw }, Plane { bytes: &v[..cw * ch], stride: cw }]
            }
            PixelFormat::Nv12 => {
                let (y, uv) = all.split_at(w * h);
                vec![Plane { bytes: y, stride: w }, Plane { bytes: &uv[..2 * cw * ch], stride: 2 * cw }]
            }
            PixelFormat::Yuyv => vec![Plane { bytes: all, stride: cw * 4 }],
            PixelFormat::Mjpeg => vec![Plane { bytes: all, stride: all.len() }],
        }
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

    #[test]
    fn frame_instants_are_exact() {
        let canvas = Canvas { width: 720, height: 1280, fps: 30 };
        assert_eq!(canvas.frame_pts(30), Pts(crate::NANOS_PER_SEC));
        assert_eq!(canvas.frame_pts(1_080_000), Pts(36_000 * crate::NANOS_PER_SEC));
    }
}
