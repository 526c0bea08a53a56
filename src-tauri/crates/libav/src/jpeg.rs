use crate::LibavError;
use crate::codec::{AvFrame, AvPacket, Codec};
use crate::colour::{Colour, Cut};
use crate::import::{Opener, Stage};
use bytes::Bytes;
use ffmpeg_next::ffi;
use stallcast_media::Frame;

/// The quantiser of libav's JPEG encoder (1 best, 31 worst) that comes near quality 75 of other encoders.
const QUANTISER: i32 = 5;

/// A preview picture.
#[derive(Debug, Clone)]
pub struct JpegPicture {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// One JPEG file, 4:2:0, full range.
    pub bytes: Bytes,
}

/// Makes preview pictures. Keeps its encoder as long as the size stays the same.
#[derive(Debug)]
pub struct JpegEncoder {
    max_side: u32,
    opener: Opener,
    stage: Stage,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    size: (usize, usize),
    codec: Codec,
    picture: AvFrame,
    packet: AvPacket,
}

impl JpegEncoder {
    /// Pictures whose longer side is at most `max_side` pixels, or half of what they were if that is nearly as much; smaller ones keep
    /// their size. Sides become even.
    #[must_use]
    pub fn new(max_side: u32) -> Self {
        Self { max_side, opener: Opener::default(), stage: Stage::default(), open: None }
    }

    /// Encodes one picture of any format that [`crate::Converter`] takes.
    ///
    /// # Errors
    /// A damaged or too short frame, or ffmpeg failed.
    pub fn encode(&mut self, frame: &Frame) -> Result<JpegPicture, LibavError> {
        let source = self.opener.open(frame)?;
        let size = preview_size((source.width, source.height), self.max_side as usize);
        let open = match &mut self.open {
            Some(open) if open.size == size => open,
            other => other.insert(Open::new(size)?),
        };
        open.picture.make_writable()?;
        let mut planes = open.picture.i420_mut().ok_or(LibavError::Unsupported { what: "picture size", detail: format!("{size:?}") })?;
        self.stage.place(&source, Cut::whole(source.width, source.height), Colour::JPEG, size, &mut planes)?;
        open.picture.pts += 1;
        open.codec.send_frame(Some(&open.picture))?;
        if !open.codec.receive_packet(&mut open.packet)? {
            return Err(LibavError::Failed { what: "jpeg", detail: "no picture came out".to_owned() });
        }
        let bytes = Bytes::copy_from_slice(open.packet.bytes());
        open.packet.clear();
        Ok(JpegPicture { width: size.0 as u32, height: size.1 as u32, bytes })
    }
}

impl Open {
    fn new(size: (usize, usize)) -> Result<Self, LibavError> {
        let mut codec = Codec::encoder("mjpeg")?;
        (codec.width, codec.height) = (size.0 as i32, size.1 as i32);
        codec.pix_fmt = ffi::AVPixelFormat::AV_PIX_FMT_YUVJ420P;
        codec.color_range = ffi::AVColorRange::AVCOL_RANGE_JPEG;
        codec.time_base = ffi::AVRational { num: 1, den: 30 };
        codec.thread_count = 1;
        // No comment with libav's version in each picture.
        codec.flags |= (ffi::AV_CODEC_FLAG_QSCALE | ffi::AV_CODEC_FLAG_BITEXACT) as i32;
        codec.global_quality = ffi::FF_QP2LAMBDA * QUANTISER;
        // Tables made for each picture would save a few bytes at twice the work.
        codec.open(&[("huffman", "default")])?;
        let mut picture = AvFrame::picture(ffi::AVPixelFormat::AV_PIX_FMT_YUVJ420P, size.0, size.1)?;
        picture.quality = codec.global_quality;
        picture.color_range = ffi::AVColorRange::AVCOL_RANGE_JPEG;
        picture.pts = 0;
        Ok(Self { size, codec, picture, packet: AvPacket::new()? })
    }
}

/// The largest even size of the same shape with no side above `most` and none larger than it was.
fn fitting((width, height): (usize, usize), most: usize) -> (usize, usize) {
    let (longest, most) = (width.max(height).max(1), most.max(2));
    let side = |side: usize| {
        let exact = if longest > most { (side * most + longest / 2) / longest } else { side };
        (exact & !1).max(2)
    };
    (side(width), side(height))
}

/// Half of a picture is made in one pass ([`Stage::place`]), any other size in three: it is taken down to this share of what was
/// asked for, which a page shows a quarter larger at most.
const NEARLY: f64 = 0.8;

/// The size of a preview with no side above `most`.
fn preview_size(source: (usize, usize), most: usize) -> (usize, usize) {
    let half = (source.0 / 2, source.1 / 2);
    let longest = half.0.max(half.1);
    let exact = [source.0, source.1].iter().all(|side| side.is_multiple_of(4));
    if exact && longest <= most && longest as f64 >= most as f64 * NEARLY { half } else { fitting(source, most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_taken_where_it_is_nearly_what_was_asked_for() {
        let canvas = (720, 1280);
        assert_eq!([640, 704, 800].map(|most| preview_size(canvas, most)), [(360, 640); 3]);
        assert_eq!(preview_size(canvas, 832), fitting(canvas, 832), "that would be seen");
        assert_eq!(preview_size(canvas, 576), fitting(canvas, 576), "never larger than asked for");
        assert_eq!(preview_size((722, 1280), 640), fitting((722, 1280), 640));
    }

    #[test]
    fn previews_fit_and_keep_their_shape() {
        assert_eq!(fitting((720, 1280), 960), (540, 960));
        assert_eq!(fitting((1280, 720), 960), (960, 540));
        assert_eq!(fitting((360, 640), 960), (360, 640), "never larger");
        assert_eq!(fitting((361, 641), 960), (360, 640), "always even");
        assert_eq!(fitting((4000, 2), 100), (100, 2));
    }
}
