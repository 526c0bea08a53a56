//! libswscale: another size, or I420 from a layout that [`crate::colour`] does not read.
#![expect(unsafe_code, reason = "libswscale is C")]

use crate::LibavError;
use crate::codec::{AvFrame, check};
use ffmpeg_next::ffi::{self, AVPixelFormat};
use std::ffi::c_int;
use std::ptr;

/// Which conversion a context was made for.
type Job = (AVPixelFormat, [c_int; 4], bool);

/// Keeps a context and its output as long as the job stays the same.
#[derive(Debug, Default)]
pub(crate) struct Scaler {
    open: Option<(Job, Context, AvFrame)>,
}

#[derive(Debug)]
struct Context(*mut ffi::SwsContext);

// SAFETY: a scaling context is bound to no thread.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { ffi::sws_freeContext(self.0) };
    }
}

impl Scaler {
    /// `from` (any pixel format of libav) as I420 of another size. The meaning of the numbers is kept; RGB becomes
    /// limited BT.709.
    pub(crate) fn scale(&mut self, from: &AvFrame, width: usize, height: usize) -> Result<&AvFrame, LibavError> {
        let (format, rgb) = plain_format(from)?;
        let side = |side: usize| c_int::try_from(side).map_err(|_| too_large(width, height));
        let job = (format, [from.width, from.height, side(width)?, side(height)?], rgb);
        if self.open.as_ref().is_none_or(|(known, ..)| *known != job) {
            self.open = None;
            let to = AvFrame::picture(AVPixelFormat::AV_PIX_FMT_YUV420P, width, height)?;
            self.open = Some((job, Context::new(job)?, to));
        }
        let Some((_, context, to)) = &mut self.open else { return Err(too_large(width, height)) };
        // SAFETY: both frames hold pictures of exactly the formats and sizes that the context was made for, in buffers
        // padded by libav; `to` is ours alone.
        let rows = unsafe {
            ffi::sws_scale(
                context.0,
                from.data.as_ptr().cast(),
                from.linesize.as_ptr(),
                0,
                from.height,
                to.data.as_ptr(),
                to.linesize.as_ptr(),
            )
        };
        check("scale", rows)?;
        Ok(to)
    }
}

fn too_large(width: usize, height: usize) -> LibavError {
    LibavError::Unsupported { what: "picture size", detail: format!("{width}x{height}") }
}

impl Context {
    fn new((format, [from_w, from_h, to_w, to_h], rgb): Job) -> Result<Self, LibavError> {
        // Two taps are enough to make a picture larger; to make it smaller every pixel must count.
        let flags = if to_w >= from_w && to_h >= from_h { ffi::SWS_FAST_BILINEAR } else { ffi::SWS_BILINEAR };
        let no_filter = ptr::null_mut();
        // SAFETY: libswscale checks sizes and formats and answers null if it cannot.
        let context = unsafe {
            ffi::sws_getContext(
                from_w,
                from_h,
                format,
                to_w,
                to_h,
                AVPixelFormat::AV_PIX_FMT_YUV420P,
                flags,
                no_filter,
                no_filter,
                ptr::null(),
            )
        };
        if context.is_null() {
            return Err(LibavError::Unsupported { what: "picture", detail: format!("{format:?} {from_w}x{from_h} to {to_w}x{to_h}") });
        }
        let context = Self(context);
        // Equal tables and ranges on both sides: numbers pass unchanged, except that RGB needs a target.
        let range = c_int::from(rgb);
        // SAFETY: the tables are static; the context lives.
        let set = unsafe {
            let table = ffi::sws_getCoefficients(ffi::SWS_CS_ITU709);
            ffi::sws_setColorspaceDetails(context.0, table, range, table, 0, 0, 1 << 16, 1 << 16)
        };
        if set < 0 && rgb {
            tracing::debug!(?format, "colours are converted with the default weights");
        }
        Ok(context)
    }
}

/// The pixel format without libav's old "J" variants, which would make libswscale convert the range by itself; and whether
/// it is red, green and blue.
fn plain_format(frame: &AvFrame) -> Result<(AVPixelFormat, bool), LibavError> {
    let unknown = || LibavError::Unsupported { what: "pixel format", detail: frame.format.to_string() };
    let format = pixel_format(frame).ok_or_else(unknown)?;
    // SAFETY: static descriptions, null for none.
    let description = unsafe { ffi::av_pix_fmt_desc_get(format).as_ref() }.ok_or_else(unknown)?;
    let has = |flags: c_int| description.flags & u64::from(flags.unsigned_abs()) != 0;
    let rgb = has(ffi::AV_PIX_FMT_FLAG_RGB | ffi::AV_PIX_FMT_FLAG_PAL);
    if has(ffi::AV_PIX_FMT_FLAG_HWACCEL) {
        return Err(unknown());
    }
    Ok((
        match format {
            AVPixelFormat::AV_PIX_FMT_YUVJ420P => AVPixelFormat::AV_PIX_FMT_YUV420P,
            AVPixelFormat::AV_PIX_FMT_YUVJ422P => AVPixelFormat::AV_PIX_FMT_YUV422P,
            AVPixelFormat::AV_PIX_FMT_YUVJ444P => AVPixelFormat::AV_PIX_FMT_YUV444P,
            AVPixelFormat::AV_PIX_FMT_YUVJ440P => AVPixelFormat::AV_PIX_FMT_YUV440P,
            AVPixelFormat::AV_PIX_FMT_YUVJ411P => AVPixelFormat::AV_PIX_FMT_YUV411P,
            other => other,
        },
        rgb,
    ))
}

/// The pixel format of a decoded picture; `None` for one that is younger than the headers this was built with.
pub(crate) fn pixel_format(frame: &AvFrame) -> Option<AVPixelFormat> {
    // SAFETY: libav's numbers have no holes from 0 to its own count, so each of them is a variant.
    (0..AVPixelFormat::AV_PIX_FMT_NB as c_int)
        .contains(&frame.format)
        .then(|| unsafe { std::mem::transmute::<c_int, AVPixelFormat>(frame.format) })
}
