//! Codecs, frames and packets of libav with owners.
#![expect(unsafe_code, reason = "libavcodec is C")]

use crate::LibavError;
use crate::log;
use crate::plane::PlaneMut;
use ffmpeg_next::ffi;
use stallcast_media::{Frame, Lent, PixelFormat, Plane};
use std::ffi::{CStr, CString, c_int, c_void};
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

/// libav's words for one of its codes.
pub(crate) fn message(code: c_int) -> String {
    let mut text = [0; 128];
    // SAFETY: the buffer is as long as said, and libav terminates it.
    unsafe {
        ffi::av_strerror(code, text.as_mut_ptr(), text.len());
        CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
    }
}

/// A negative code as an error.
pub(crate) fn check(what: &'static str, code: c_int) -> Result<c_int, LibavError> {
    if code < 0 { Err(LibavError::Failed { what, detail: message(code) }) } else { Ok(code) }
}

fn no_memory(what: &'static str) -> LibavError {
    LibavError::Failed { what, detail: "out of memory".to_owned() }
}

pub(crate) fn c_string(text: &str) -> Result<CString, LibavError> {
    CString::new(text).map_err(|_| LibavError::Unsupported { what: "text", detail: "a zero byte".to_owned() })
}

/// Named options, freed with their owner.
pub(crate) struct Options(pub(crate) *mut ffi::AVDictionary);

impl Options {
    pub(crate) fn new(pairs: &[(&str, &str)]) -> Result<Self, LibavError> {
        let mut options = Self(ptr::null_mut());
        for (name, value) in pairs {
            let (name, value) = (c_string(name)?, c_string(value)?);
            // SAFETY: libav copies both terminated texts into the dictionary that `options` owns.
            check("option", unsafe { ffi::av_dict_set(&raw mut options.0, name.as_ptr(), value.as_ptr(), 0) })?;
        }
        Ok(options)
    }

    /// The first option that nobody took.
    pub(crate) fn left_over(&self) -> Option<String> {
        // SAFETY: the dictionary lives; an entry's key is a terminated text.
        unsafe {
            let entry = ffi::av_dict_get(self.0, c"".as_ptr(), ptr::null(), ffi::AV_DICT_IGNORE_SUFFIX);
            (!entry.is_null()).then(|| CStr::from_ptr((*entry).key).to_string_lossy().into_owned())
        }
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: owned by this value, freed once.
        unsafe { ffi::av_dict_free(&raw mut self.0) };
    }
}

/// Was libavcodec built with this encoder? Says nothing of the hardware behind it.
pub(crate) fn has_encoder(name: &str) -> bool {
    // SAFETY: a terminated name; the answer is static or null.
    c_string(name).is_ok_and(|name| !unsafe { ffi::avcodec_find_encoder_by_name(name.as_ptr()) }.is_null())
}

/// An encoder or decoder. Fields that must be set before [`Codec::open`] are reached by dereferencing.
#[derive(Debug)]
pub(crate) struct Codec(NonNull<ffi::AVCodecContext>);

// SAFETY: a codec context is bound to no thread; `&mut self` keeps two threads from using it at once.
unsafe impl Send for Codec {}

impl Codec {
    pub(crate) fn encoder(name: &'static str) -> Result<Self, LibavError> {
        log::init();
        let c_name = c_string(name)?;
        // SAFETY: a terminated name; the answer is static or null.
        let codec = unsafe { ffi::avcodec_find_encoder_by_name(c_name.as_ptr()) };
        Self::alloc(codec, name)
    }

    pub(crate) fn decoder(id: ffi::AVCodecID) -> Result<Self, LibavError> {
        log::init();
        // SAFETY: any id may be asked for; the answer is static or null.
        let codec = unsafe { ffi::avcodec_find_decoder(id) };
        Self::alloc(codec, "decoder")
    }

    fn alloc(codec: *const ffi::AVCodec, name: &'static str) -> Result<Self, LibavError> {
        if codec.is_null() {
            return Err(LibavError::CodecMissing(name));
        }
        // SAFETY: `codec` is one of libav's static descriptions.
        NonNull::new(unsafe { ffi::avcodec_alloc_context3(codec) }).map(Self).ok_or_else(|| no_memory("codec"))
    }

    /// Takes over what a container says of a stream.
    pub(crate) fn set_parameters(&mut self, parameters: &Parameters<'_>) -> Result<(), LibavError> {
        // SAFETY: both live; libav copies.
        check("stream parameters", unsafe { ffi::avcodec_parameters_to_context(self.0.as_ptr(), parameters.0) }).map(drop)
    }

    /// Mono or stereo, for an encoder.
    pub(crate) fn set_channels(&mut self, channels: u8) {
        // SAFETY: the layout is part of this context.
        unsafe { ffi::av_channel_layout_default(&raw mut (*self.0.as_ptr()).ch_layout, channels.into()) };
    }

    /// Opens it with options of libav's or of the codec's own; an option that nobody knows is an error.
    pub(crate) fn open(&mut self, options: &[(&str, &str)]) -> Result<(), LibavError> {
        let mut options = Options::new(options)?;
        // SAFETY: the context was allocated for its codec; the dictionary is ours.
        check("open codec", unsafe { ffi::avcodec_open2(self.0.as_ptr(), ptr::null(), &raw mut options.0) })?;
        match options.left_over() {
            Some(name) => Err(LibavError::Unsupported { what: "codec option", detail: name }),
            None => Ok(()),
        }
    }

    /// Headers that the encoder gave when it was opened.
    pub(crate) fn extradata(&self) -> &[u8] {
        // SAFETY: libav keeps `extradata_size` bytes there as long as the context lives and nobody changes them.
        unsafe { bytes_at(self.extradata, self.extradata_size) }
    }

    /// A frame in; `None` ends the stream.
    pub(crate) fn send_frame(&mut self, frame: Option<&AvFrame>) -> Result<(), LibavError> {
        let frame = frame.map_or(ptr::null(), |f| f.0.as_ptr().cast_const());
        // SAFETY: libav takes its own reference to the frame's buffers.
        check("encode", unsafe { ffi::avcodec_send_frame(self.0.as_ptr(), frame) }).map(drop)
    }

    /// A packet out; false if the codec wants more, or has ended.
    pub(crate) fn receive_packet(&mut self, packet: &mut AvPacket) -> Result<bool, LibavError> {
        // SAFETY: libav first forgets what the packet held.
        Self::received("encode", unsafe { ffi::avcodec_receive_packet(self.0.as_ptr(), packet.0.as_ptr()) })
    }

    /// A packet in; `None` ends the stream. All frames must have been taken out before.
    pub(crate) fn send_packet(&mut self, packet: Option<&AvPacket>) -> Result<(), LibavError> {
        let packet = packet.map_or(ptr::null(), |p| p.0.as_ptr().cast_const());
        // SAFETY: libav takes its own reference to the packet's bytes.
        check("decode", unsafe { ffi::avcodec_send_packet(self.0.as_ptr(), packet) }).map(drop)
    }

    /// A frame out; false if the codec wants more, or has ended.
    pub(crate) fn receive_frame(&mut self, frame: &mut AvFrame) -> Result<bool, LibavError> {
        // SAFETY: libav first forgets what the frame held.
        Self::received("decode", unsafe { ffi::avcodec_receive_frame(self.0.as_ptr(), frame.0.as_ptr()) })
    }

    fn received(what: &'static str, code: c_int) -> Result<bool, LibavError> {
        if code == ffi::AVERROR(ffmpeg_next::error::EAGAIN) || code == ffi::AVERROR_EOF {
            Ok(false)
        } else {
            check(what, code).map(|_| true)
        }
    }

    /// Forgets everything before a jump.
    pub(crate) fn flush(&mut self) {
        // SAFETY: called on opened decoders only, which all can.
        unsafe { ffi::avcodec_flush_buffers(self.0.as_ptr()) };
    }
}

impl Deref for Codec {
    type Target = ffi::AVCodecContext;
    fn deref(&self) -> &Self::Target {
        // SAFETY: allocated and alive as long as self.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for Codec {
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: allocated, alive, and borrowed by nobody else.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Codec {
    fn drop(&mut self) {
        let mut context = self.0.as_ptr();
        // SAFETY: owned, freed once; frames it still holds give their buffers back through their own callbacks.
        unsafe { ffi::avcodec_free_context(&raw mut context) };
    }
}

/// Stream parameters inside a container that outlives them.
#[derive(Clone, Copy)]
pub(crate) struct Parameters<'a>(&'a ffi::AVCodecParameters);

impl<'a> Parameters<'a> {
    pub(crate) const fn new(parameters: &'a ffi::AVCodecParameters) -> Self {
        Self(parameters)
    }
}

impl Deref for Parameters<'_> {
    type Target = ffi::AVCodecParameters;
    fn deref(&self) -> &Self::Target {
        self.0
    }
}

/// # Safety
/// If `data` is not null, `size` bytes there must be alive and unchanged for as long as the answer is used.
pub(crate) unsafe fn bytes_at<'a>(data: *const u8, size: c_int) -> &'a [u8] {
    match usize::try_from(size) {
        // SAFETY: as the caller promises.
        Ok(size) if !data.is_null() => unsafe { std::slice::from_raw_parts(data, size) },
        _ => &[],
    }
}

/// Coded bytes.
#[derive(Debug)]
pub(crate) struct AvPacket(NonNull<ffi::AVPacket>);

// SAFETY: a packet and its reference-counted bytes are bound to no thread.
unsafe impl Send for AvPacket {}

impl AvPacket {
    pub(crate) fn new() -> Result<Self, LibavError> {
        // SAFETY: only allocates.
        NonNull::new(unsafe { ffi::av_packet_alloc() }).map(Self).ok_or_else(|| no_memory("packet"))
    }

    /// Makes it hold a copy of `bytes`, with the padding that decoders read beyond the end.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> Result<(), LibavError> {
        self.clear();
        let size = c_int::try_from(bytes.len()).map_err(|_| no_memory("packet"))?;
        // SAFETY: the packet is blank; libav gives it `size` writable bytes that overlap nothing.
        unsafe {
            check("packet", ffi::av_new_packet(self.0.as_ptr(), size))?;
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.data, bytes.len());
        }
        Ok(())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: libav keeps `size` bytes there until the packet changes, for which it is borrowed mutably.
        unsafe { bytes_at(self.data, self.size) }
    }

    pub(crate) fn clear(&mut self) {
        // SAFETY: lets go of what it holds and makes it blank.
        unsafe { ffi::av_packet_unref(self.0.as_ptr()) };
    }

    pub(crate) const fn as_ptr(&mut self) -> *mut ffi::AVPacket {
        self.0.as_ptr()
    }
}

impl Deref for AvPacket {
    type Target = ffi::AVPacket;
    fn deref(&self) -> &Self::Target {
        // SAFETY: allocated and alive as long as self.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for AvPacket {
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: allocated, alive, and borrowed by nobody else.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for AvPacket {
    fn drop(&mut self) {
        let mut packet = self.0.as_ptr();
        // SAFETY: owned, freed once.
        unsafe { ffi::av_packet_free(&raw mut packet) };
    }
}

/// A picture or sound, uncompressed.
#[derive(Debug)]
pub(crate) struct AvFrame(NonNull<ffi::AVFrame>);

// SAFETY: a frame and its reference-counted buffers are bound to no thread.
unsafe impl Send for AvFrame {}
// SAFETY: through a shared reference it is only read.
unsafe impl Sync for AvFrame {}

/// A decoded picture in the decoder's own memory, which it does not write again before this is gone.
#[derive(Debug)]
pub(crate) struct DecodedPicture(AvFrame);

impl DecodedPicture {
    /// Takes an I420 picture out of `frame`, which is blank afterwards.
    pub(crate) fn take(frame: &mut AvFrame) -> Result<Self, LibavError> {
        let taken = AvFrame::new()?;
        // SAFETY: both are frames; the blank one takes over the references of the other.
        unsafe { ffi::av_frame_move_ref(taken.0.as_ptr(), frame.0.as_ptr()) };
        Ok(Self(taken))
    }
}

impl Lent for DecodedPicture {
    fn plane(&self, n: usize) -> Option<Plane<'_>> {
        let side = |side: c_int| usize::try_from(side).ok();
        let (width, height) = (side(self.0.width)?, side(self.0.height)?);
        match n {
            0 => self.0.plane(0, width, height),
            1 | 2 => self.0.plane(n, width.div_ceil(2), height.div_ceil(2)),
            _ => None,
        }
    }
}

impl AvFrame {
    pub(crate) fn new() -> Result<Self, LibavError> {
        // SAFETY: only allocates.
        NonNull::new(unsafe { ffi::av_frame_alloc() }).map(Self).ok_or_else(|| no_memory("frame"))
    }

    /// A picture with padded rows, so that vector code may run beyond their ends.
    pub(crate) fn picture(format: ffi::AVPixelFormat, width: usize, height: usize) -> Result<Self, LibavError> {
        let mut frame = Self::new()?;
        let side = |side: usize| c_int::try_from(side).map_err(|_| no_memory("picture"));
        (frame.format, frame.width, frame.height) = (format as c_int, side(width)?, side(height)?);
        // SAFETY: format and size are set; libav checks them and allocates.
        check("picture", unsafe { ffi::av_frame_get_buffer(frame.0.as_ptr(), 0) })?;
        Ok(frame)
    }

    /// Room for `samples` of one or two channels, each in a plane of its own.
    pub(crate) fn sound(rate: u32, samples: usize, channels: u8) -> Result<Self, LibavError> {
        let mut frame = Self::new()?;
        frame.format = ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP as c_int;
        frame.sample_rate = rate as c_int;
        frame.nb_samples = samples as c_int;
        // SAFETY: the layout is part of this frame; format, rate and length are set, libav checks them and allocates.
        unsafe {
            ffi::av_channel_layout_default(&raw mut (*frame.0.as_ptr()).ch_layout, channels.into());
            check("sound buffer", ffi::av_frame_get_buffer(frame.0.as_ptr(), 0))?;
        }
        Ok(frame)
    }

    /// Makes its buffers ours alone: codecs may still hold the last content.
    pub(crate) fn make_writable(&mut self) -> Result<(), LibavError> {
        // SAFETY: the frame owns reference-counted buffers.
        check("frame", unsafe { ffi::av_frame_make_writable(self.0.as_ptr()) }).map(drop)
    }

    /// Lends an I420 picture to libav without copying it: the pixels stay alive until libav lets go of its last reference.
    pub(crate) fn lend(picture: &Frame) -> Result<Self, LibavError> {
        let unsupported = || LibavError::Unsupported { what: "picture", detail: format!("{:?}", picture.format) };
        if picture.format.pixel != PixelFormat::I420 || !picture.is_whole() {
            return Err(unsupported());
        }
        let side = |side: u32| c_int::try_from(side).map_err(|_| unsupported());
        let mut frame = Self::new()?;
        (frame.format, frame.width, frame.height) =
            (ffi::AVPixelFormat::AV_PIX_FMT_YUV420P as c_int, side(picture.format.width)?, side(picture.format.height)?);
        let planes = picture.planes();
        let first = planes.first().ok_or_else(unsupported)?;
        let held = Box::into_raw(Box::new(picture.clone()));
        // SAFETY: `held` keeps the pixels of all planes alive and in place (they lie behind an `Arc`) until `let_go` drops
        // it; the buffer is marked read-only, so libav does not write through it.
        let buffer = unsafe {
            ffi::av_buffer_create(
                first.bytes.as_ptr().cast_mut(),
                first.bytes.len(),
                Some(let_go),
                held.cast::<c_void>(),
                ffi::AV_BUFFER_FLAG_READONLY,
            )
        };
        if buffer.is_null() {
            // SAFETY: libav did not take it.
            drop(unsafe { Box::from_raw(held) });
            return Err(no_memory("picture"));
        }
        frame.buf[0] = buffer;
        for (n, plane) in planes.iter().enumerate() {
            frame.data[n] = plane.bytes.as_ptr().cast_mut();
            frame.linesize[n] = c_int::try_from(plane.stride).map_err(|_| unsupported())?;
        }
        Ok(frame)
    }

    /// A plane of `rows` rows that are at least `row` bytes long; `None` if it is not there or lies upside down.
    pub(crate) fn plane(&self, plane: usize, row: usize, rows: usize) -> Option<Plane<'_>> {
        let (stride, len) = self.extent(plane, row, rows)?;
        // SAFETY: libav's planes hold `stride` bytes for each row, and at least `row` in the last one.
        Some(Plane { bytes: unsafe { std::slice::from_raw_parts(self.data[plane], len) }, stride })
    }

    /// The planes of an I420 picture made by [`AvFrame::picture`] and writable.
    pub(crate) fn i420_mut(&mut self) -> Option<[PlaneMut<'_>; 3]> {
        let (width, height) = (usize::try_from(self.width).ok()?, usize::try_from(self.height).ok()?);
        let (cw, ch) = (width.div_ceil(2), height.div_ceil(2));
        let [y, u, v] = [self.extent(0, width, height)?, self.extent(1, cw, ch)?, self.extent(2, cw, ch)?];
        let plane = |data: *mut u8, (stride, len): (usize, usize)| {
            // SAFETY: planes of one picture do not overlap; each holds `len` bytes; self is borrowed for as long.
            PlaneMut { bytes: unsafe { std::slice::from_raw_parts_mut(data, len) }, stride }
        };
        Some([plane(self.data[0], y), plane(self.data[1], u), plane(self.data[2], v)])
    }

    /// An I420 picture as NV12, copied: U and V interleaved.
    pub(crate) fn nv12_of(picture: &Frame) -> Result<Self, LibavError> {
        let (width, height) = (picture.format.width as usize, picture.format.height as usize);
        let (cw, ch) = (width.div_ceil(2), height.div_ceil(2));
        let unsupported = || LibavError::Unsupported { what: "picture", detail: format!("{:?}", picture.format) };
        if picture.format.pixel != PixelFormat::I420 || !picture.is_whole() {
            return Err(unsupported());
        }
        let mut frame = Self::new()?;
        let side = |side: usize| c_int::try_from(side).map_err(|_| no_memory("picture"));
        (frame.format, frame.width, frame.height) = (ffi::AVPixelFormat::AV_PIX_FMT_NV12 as c_int, side(width)?, side(height)?);
        // SAFETY: format and size are set; libav checks them and allocates.
        check("picture", unsafe { ffi::av_frame_get_buffer(frame.0.as_ptr(), 0) })?;
        let (luma, chroma) = (frame.extent(0, width, height), frame.extent(1, cw * 2, ch));
        let ((luma_stride, luma_len), (chroma_stride, chroma_len)) = luma.zip(chroma).ok_or_else(unsupported)?;
        // SAFETY: the planes do not overlap, hold as many bytes as `extent` says, and the frame is ours alone.
        let (to_y, to_uv) =
            unsafe { (std::slice::from_raw_parts_mut(frame.data[0], luma_len), std::slice::from_raw_parts_mut(frame.data[1], chroma_len)) };
        let [y, u, v] = picture.planes()[..] else { return Err(unsupported()) };
        for (to, from) in to_y.chunks_mut(luma_stride).zip(y.bytes.chunks(y.stride)) {
            to[..width].copy_from_slice(&from[..width]);
        }
        for ((to, u), v) in to_uv.chunks_mut(chroma_stride).zip(u.bytes.chunks(u.stride)).zip(v.bytes.chunks(v.stride)) {
            for ((to, u), v) in to.chunks_exact_mut(2).zip(u).zip(v) {
                (to[0], to[1]) = (*u, *v);
            }
        }
        Ok(frame)
    }

    fn extent(&self, plane: usize, row: usize, rows: usize) -> Option<(usize, usize)> {
        let stride = usize::try_from(self.linesize[plane]).ok()?;
        (!self.data[plane].is_null() && rows > 0 && stride >= row).then_some((stride, stride * (rows - 1) + row))
    }

    /// One channel of a frame made by [`AvFrame::sound`] and writable; empty if it has no such channel.
    pub(crate) fn channel_mut(&mut self, n: usize) -> &mut [f32] {
        let samples = self.nb_samples as usize;
        let plane = self.data.get(n).copied().unwrap_or(ptr::null_mut());
        if plane.is_null() {
            return &mut [];
        }
        // SAFETY: libav gave each channel a plane of `nb_samples` f32; self is borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(plane.cast::<f32>(), samples) }
    }
}

unsafe extern "C" fn let_go(held: *mut c_void, _: *mut u8) {
    // SAFETY: made by `Box::into_raw` in `lend`; libav calls this once, when nobody refers to the buffer any more.
    drop(unsafe { Box::from_raw(held.cast::<Frame>()) });
}

impl Deref for AvFrame {
    type Target = ffi::AVFrame;
    fn deref(&self) -> &Self::Target {
        // SAFETY: allocated and alive as long as self.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for AvFrame {
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: allocated, alive, and borrowed by nobody else.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for AvFrame {
    fn drop(&mut self) {
        let mut frame = self.0.as_ptr();
        // SAFETY: owned, freed once.
        unsafe { ffi::av_frame_free(&raw mut frame) };
    }
}
