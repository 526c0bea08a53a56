use stallcast_media::{PixelFormat, VideoFormat};

/// A writable plane: rows of `stride` bytes.
#[derive(Debug)]
pub(crate) struct PlaneMut<'a> {
    pub(crate) bytes: &'a mut [u8],
    pub(crate) stride: usize,
}

impl PlaneMut<'_> {
    /// The first `len` bytes of a row.
    pub(crate) fn row(&mut self, row: usize, len: usize) -> &mut [u8] {
        &mut self.bytes[row * self.stride..][..len]
    }
}

/// The planes of a tightly packed I420 picture; `None` if there are too few bytes.
pub(crate) fn i420_mut(bytes: &mut [u8], width: usize, height: usize) -> Option<[PlaneMut<'_>; 3]> {
    let (cw, ch) = (width.div_ceil(2), height.div_ceil(2));
    let (y, rest) = bytes.split_at_mut_checked(width * height)?;
    let (u, v) = rest.split_at_mut_checked(cw * ch)?;
    (v.len() >= cw * ch).then_some([
        PlaneMut { bytes: y, stride: width },
        PlaneMut { bytes: u, stride: cw },
        PlaneMut { bytes: v, stride: cw },
    ])
}

/// The format of an I420 picture.
pub(crate) const fn i420(width: u32, height: u32) -> VideoFormat {
    VideoFormat { width, height, pixel: PixelFormat::I420 }
}
