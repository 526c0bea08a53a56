//! Any picture as I420 of a wanted part, size and colour.

use crate::LibavError;
use crate::codec::AvFrame;
use crate::colour::{Colour, Cut, Layout, Matrix, Recolour, Rows, Source};
use crate::jpeg_decoder::JpegDecoder;
use crate::plane::PlaneMut;
use crate::scaler::{Scaler, pixel_format};
use ffmpeg_next::ffi::{AVColorRange, AVColorSpace, AVPixelFormat};
use stallcast_media::{Frame, PixelFormat, Plane};

const NO_PLANE: Plane<'static> = Plane { bytes: &[], stride: 0 };

/// Gives the pixels of a frame; keeps the JPEG decoder.
#[derive(Debug, Default)]
pub(crate) struct Opener {
    decoder: Option<JpegDecoder>,
    plain: Scaler,
}

impl Opener {
    /// What lies in `frame`. I420 is BT.709; what cameras give (NV12, YUYV, MJPEG) is BT.601, as USB cameras have it.
    pub(crate) fn open<'a>(&'a mut self, frame: &'a Frame) -> Result<Source<'a>, LibavError> {
        let format = frame.format;
        let layout = match format.pixel {
            PixelFormat::I420 => Layout::I420,
            PixelFormat::Nv12 => Layout::Nv12,
            PixelFormat::Yuyv => Layout::Yuyv,
            PixelFormat::Mjpeg => {
                let decoder = match &mut self.decoder {
                    Some(decoder) => decoder,
                    none => none.insert(JpegDecoder::open()?),
                };
                return source_of(decoder.decode(&frame.bytes())?, &mut self.plain, Colour::JPEG);
            }
        };
        if !frame.is_whole() {
            return Err(LibavError::Damaged(format!("{} bytes for {format:?}", frame.bytes().len())));
        }
        let matrix = if layout == Layout::I420 { Matrix::Bt709 } else { Matrix::Bt601 };
        let mut planes = [NO_PLANE; 3];
        for (to, plane) in planes.iter_mut().zip(frame.planes()) {
            *to = plane;
        }
        let colour = Colour { matrix, full: frame.full_range };
        complete(Source { layout, width: format.width as usize, height: format.height as usize, planes, colour })
    }
}

/// What lies in a decoded picture; layouts other than the common ones become I420 by way of `plain`.
/// `unsaid` is what its colours mean where the picture does not say so.
pub(crate) fn source_of<'a>(frame: &'a AvFrame, plain: &'a mut Scaler, unsaid: Colour) -> Result<Source<'a>, LibavError> {
    let layout = match pixel_format(frame) {
        Some(AVPixelFormat::AV_PIX_FMT_YUV420P | AVPixelFormat::AV_PIX_FMT_YUVJ420P) => Some(Layout::I420),
        Some(AVPixelFormat::AV_PIX_FMT_YUV422P | AVPixelFormat::AV_PIX_FMT_YUVJ422P) => Some(Layout::I422),
        Some(AVPixelFormat::AV_PIX_FMT_NV12) => Some(Layout::Nv12),
        Some(AVPixelFormat::AV_PIX_FMT_YUYV422) => Some(Layout::Yuyv),
        _ => None,
    };
    let (width, height) = (frame.width.unsigned_abs() as usize, frame.height.unsigned_abs() as usize);
    let colour = colour_of(frame, unsaid);
    let (frame, layout) = match layout {
        Some(layout) if frame.linesize[0] > 0 => (frame, layout),
        _ => (plain.scale(frame, width, height)?, Layout::I420),
    };
    let (cw, ch) = (width.div_ceil(2), height.div_ceil(2));
    let planes = match layout {
        Layout::I420 => [(0, width, height), (1, cw, ch), (2, cw, ch)].map(|(n, row, rows)| frame.plane(n, row, rows)),
        Layout::I422 => [(0, width, height), (1, cw, height), (2, cw, height)].map(|(n, row, rows)| frame.plane(n, row, rows)),
        Layout::Nv12 => [frame.plane(0, width, height), frame.plane(1, 2 * cw, ch), Some(NO_PLANE)],
        Layout::Yuyv => [frame.plane(0, 4 * cw, height), Some(NO_PLANE), Some(NO_PLANE)],
    };
    complete(Source { layout, width, height, planes: planes.map(|plane| plane.unwrap_or(NO_PLANE)), colour })
}

/// Is a decoded picture I420 in the canvas's colours, top row first, so that it can be used where it lies?
pub(crate) fn is_canvas(frame: &AvFrame, unsaid: Colour) -> bool {
    pixel_format(frame) == Some(AVPixelFormat::AV_PIX_FMT_YUV420P) && frame.linesize[0] > 0 && colour_of(frame, unsaid) == Colour::CANVAS
}

fn complete(source: Source<'_>) -> Result<Source<'_>, LibavError> {
    if source.is_complete() {
        Ok(source)
    } else {
        Err(LibavError::Damaged(format!("{}x{} {:?} with missing rows", source.width, source.height, source.layout)))
    }
}

fn colour_of(frame: &AvFrame, unsaid: Colour) -> Colour {
    let j = [
        AVPixelFormat::AV_PIX_FMT_YUVJ420P,
        AVPixelFormat::AV_PIX_FMT_YUVJ422P,
        AVPixelFormat::AV_PIX_FMT_YUVJ444P,
        AVPixelFormat::AV_PIX_FMT_YUVJ440P,
        AVPixelFormat::AV_PIX_FMT_YUVJ411P,
    ];
    let full = match frame.color_range {
        AVColorRange::AVCOL_RANGE_JPEG => true,
        AVColorRange::AVCOL_RANGE_MPEG => false,
        _ => unsaid.full || pixel_format(frame).is_some_and(|format| j.contains(&format)),
    };
    let matrix = match frame.colorspace {
        AVColorSpace::AVCOL_SPC_BT470BG | AVColorSpace::AVCOL_SPC_SMPTE170M | AVColorSpace::AVCOL_SPC_FCC => Matrix::Bt601,
        AVColorSpace::AVCOL_SPC_UNSPECIFIED => unsaid.matrix,
        // libswscale made BT.709 of red, green and blue.
        AVColorSpace::AVCOL_SPC_RGB => return Colour::CANVAS,
        _ => Matrix::Bt709,
    };
    Colour { matrix, full }
}

/// Cuts, scales and recolours; keeps its buffers.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    rows: Rows,
    cut: Option<AvFrame>,
    scaler: Scaler,
    half: [Vec<u8>; 3],
}

impl Stage {
    /// Writes `cut` of `source` into I420 planes of `width` x `height`.
    pub(crate) fn place(
        &mut self,
        source: &Source<'_>,
        cut: Cut,
        to: Colour,
        (width, height): (usize, usize),
        out: &mut [PlaneMut<'_>; 3],
    ) -> Result<(), LibavError> {
        let recolour = Recolour::between(source.colour, to);
        if (cut.width, cut.height) == (width, height) {
            self.rows.place(source, cut, recolour.as_ref(), out);
            return Ok(());
        }
        let even = width.is_multiple_of(2) && height.is_multiple_of(2);
        if source.layout == Layout::I420 && even && (cut.width, cut.height) == (2 * width, 2 * height) {
            // Each of four is a mean by itself: one look at each pixel instead of a copy, a scaler and another copy.
            let halved = halved(&mut self.half, source, cut, (width, height))?;
            self.rows.place(&halved, Cut::whole(width, height), recolour.as_ref(), out);
            return Ok(());
        }
        // libswscale reads and writes beyond the ends of rows: it only ever sees padded buffers.
        let fits = self.cut.as_ref().is_some_and(|f| (f.width as usize, f.height as usize) == (cut.width, cut.height));
        if !fits {
            self.cut = Some(AvFrame::picture(AVPixelFormat::AV_PIX_FMT_YUV420P, cut.width, cut.height)?);
        }
        let no_room = || LibavError::Unsupported { what: "picture size", detail: format!("{width}x{height}") };
        let Some(padded) = &mut self.cut else { return Err(no_room()) };
        // Fewer pixels are recoloured where there are fewer.
        let (before, after) = if width * height < cut.width * cut.height { (None, recolour) } else { (recolour, None) };
        self.rows.place(source, cut, before.as_ref(), &mut padded.i420_mut().ok_or_else(no_room)?);
        let mut plain = Scaler::default();
        let scaled = source_of(self.scaler.scale(padded, width, height)?, &mut plain, to)?;
        self.rows.place(&scaled, Cut::whole(width, height), after.as_ref(), out);
        Ok(())
    }
}

/// Half of an I420 cut in both directions; sides are even.
fn halved<'a>(
    half: &'a mut [Vec<u8>; 3],
    source: &Source<'_>,
    cut: Cut,
    (width, height): (usize, usize),
) -> Result<Source<'a>, LibavError> {
    let places =
        [(cut.x, cut.y, width, height), (cut.x / 2, cut.y / 2, width / 2, height / 2), (cut.x / 2, cut.y / 2, width / 2, height / 2)];
    for ((plane, to), (x, y, width, height)) in source.planes.iter().zip(&mut *half).zip(places) {
        to.resize(width * height, 0);
        for (row, to) in to.chunks_exact_mut(width).enumerate() {
            let of = |row: usize| &plane.bytes[(y + row) * plane.stride + x..][..2 * width];
            halve(of(2 * row), of(2 * row + 1), to);
        }
    }
    let [y, u, v] = &*half;
    let planes = [(y, width), (u, width / 2), (v, width / 2)].map(|(bytes, stride)| Plane { bytes, stride });
    complete(Source { layout: Layout::I420, width, height, planes, colour: source.colour })
}

/// Means of four pixels of two rows. `to` is half as long as they are.
fn halve(top: &[u8], bottom: &[u8], to: &mut [u8]) {
    let (chunks, rest) = to.as_chunks_mut();
    let done = 2 * LANES * chunks.len();
    for ((to, top), bottom) in chunks.iter_mut().zip(top.as_chunks().0).zip(bottom.as_chunks().0) {
        halve_lanes(top, bottom, to);
    }
    let [top, bottom] = [top, bottom].map(|row| row.get(done..).unwrap_or_default().as_chunks::<2>().0);
    for ((to, top), bottom) in rest.iter_mut().zip(top).zip(bottom) {
        *to = mean_of(*top, *bottom);
    }
}

/// What a compiler makes one instruction of each step of: an eighth of the time.
const LANES: usize = 16;

fn halve_lanes(top: &[u8; 2 * LANES], bottom: &[u8; 2 * LANES], to: &mut [u8; LANES]) {
    for (n, to) in to.iter_mut().enumerate() {
        let pair = |row: &[u8; 2 * LANES]| [row[2 * n], row[2 * n + 1]];
        *to = mean_of(pair(top), pair(bottom));
    }
}

/// The mean of two pixels and the two below them, rounded up.
fn mean_of(top: [u8; 2], bottom: [u8; 2]) -> u8 {
    // Two bytes read as one number: so it is that many of them are added at once.
    let sum = |[left, right]: [u8; 2]| {
        let both = u16::from_le_bytes([left, right]);
        (both & 0xff) + (both >> 8)
    };
    ((sum(top) + sum(bottom) + 2) >> 2) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_picture_is_the_mean_of_each_four() {
        let mut to = [0; 2];
        halve(&[0, 4, 255, 255], &[8, 12, 255, 254], &mut to);
        assert_eq!(to, [6, 255]);
        // Of whatever length: many at once, and what is left.
        let row = |factor: usize| (0..200).map(|n| (n * factor % 251) as u8).collect::<Vec<u8>>();
        let (top, bottom) = (row(7919), row(104_729));
        for pixels in [1, 15, 16, 17, 32, 47, 100] {
            let mut to = vec![0; pixels];
            halve(&top[..2 * pixels], &bottom[..2 * pixels], &mut to);
            let mean = |n: usize| [top[n], top[n + 1], bottom[n], bottom[n + 1]].map(f64::from).iter().sum::<f64>() / 4.0;
            assert!(to.iter().enumerate().all(|(n, got)| f64::from(*got) == mean(2 * n).round()), "{pixels}");
        }
    }
}
