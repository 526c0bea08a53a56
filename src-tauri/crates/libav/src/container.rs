//! Media files: reading packets.
#![expect(unsafe_code, reason = "libavformat is C")]

use crate::LibavError;
use crate::codec::{AvPacket, Options, Parameters, check, message};
use crate::log;
use ffmpeg_next::ffi::{self, AVMediaType};
use std::ffi::CString;
use std::path::Path;
use std::ptr::{self, NonNull};

/// What may be opened as a media file: no playlists or scripts, which could name other files or addresses.
const FORMATS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,flv,mpegts,mpeg,avi,wav,mp3,aac,flac,ogg,asf";

/// `path` for libavformat: always a plain file, never an address or another of its protocols.
fn file_name(path: &Path) -> Result<CString, LibavError> {
    #[cfg(unix)]
    let name = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec();
    #[cfg(not(unix))]
    let name = path.to_string_lossy().into_owned().into_bytes();
    CString::new([b"file:".to_vec(), name].concat()).map_err(|_| unreadable(path, "a zero byte in the name"))
}

pub(crate) fn unreadable(path: &Path, detail: impl ToString) -> LibavError {
    LibavError::Unreadable { path: path.to_owned(), detail: detail.to_string() }
}

/// A file being read.
#[derive(Debug)]
pub(crate) struct Input(NonNull<ffi::AVFormatContext>);

// SAFETY: a demuxer is bound to no thread; `&mut self` keeps two threads from using it at once.
unsafe impl Send for Input {}

/// One track of a file.
#[derive(Clone, Copy)]
pub(crate) struct Stream<'a>(&'a ffi::AVStream);

impl<'a> std::ops::Deref for Stream<'a> {
    type Target = ffi::AVStream;
    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl<'a> Stream<'a> {
    pub(crate) fn parameters(self) -> Parameters<'a> {
        // SAFETY: libavformat gives every stream parameters that live as long as it.
        Parameters::new(unsafe { &*self.0.codecpar })
    }

    /// Quarter turns clockwise that show the picture upright.
    pub(crate) fn quarter_turns(self) -> u8 {
        let kind = ffi::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX;
        // SAFETY: the answer is null or a matrix of nine numbers that lives as long as the stream.
        let degrees = unsafe {
            let mut size = 0;
            let matrix = ffi::av_stream_get_side_data(self.0, kind, &raw mut size);
            if matrix.is_null() || size < 9 * size_of::<i32>() {
                return 0;
            }
            // libav counts against the clock.
            -ffi::av_display_rotation_get(matrix.cast::<i32>())
        };
        if degrees.is_finite() { (degrees / 90.0).round().rem_euclid(4.0) as u8 } else { 0 }
    }
}

impl Input {
    /// Opens a local file and looks at its tracks.
    pub(crate) fn open(path: &Path) -> Result<Self, LibavError> {
        log::init();
        match std::fs::metadata(path) {
            Ok(found) if !found.is_file() => return Err(unreadable(path, "not a file")),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(LibavError::Missing(path.to_owned())),
            Err(e) => return Err(unreadable(path, e)),
        }
        let name = file_name(path)?;
        let mut options = Options::new(&[("protocol_whitelist", "file"), ("format_whitelist", FORMATS)])?;
        let mut context = ptr::null_mut();
        // SAFETY: a terminated name and our own dictionary; on failure libav leaves null behind.
        let opened = unsafe { ffi::avformat_open_input(&raw mut context, name.as_ptr(), ptr::null(), &raw mut options.0) };
        let Some(context) = NonNull::new(context).filter(|_| opened >= 0) else { return Err(unreadable(path, message(opened))) };
        let input = Self(context);
        // SAFETY: opened above.
        let looked = unsafe { ffi::avformat_find_stream_info(input.0.as_ptr(), ptr::null_mut()) };
        if looked < 0 { Err(unreadable(path, message(looked))) } else { Ok(input) }
    }

    fn context(&self) -> &ffi::AVFormatContext {
        // SAFETY: opened, and alive as long as self.
        unsafe { self.0.as_ref() }
    }

    /// All tracks, of any kind.
    pub(crate) fn streams(&self) -> impl ExactSizeIterator<Item = Stream<'_>> {
        let context = self.context();
        (0..context.nb_streams as usize).map(|n| {
            // SAFETY: libavformat keeps `nb_streams` valid pointers there.
            Stream(unsafe { &**context.streams.add(n) })
        })
    }

    pub(crate) fn stream(&self, index: usize) -> Option<Stream<'_>> {
        self.streams().nth(index)
    }

    /// The track of a kind that a player would choose; cover art is no picture.
    pub(crate) fn best(&self, kind: AVMediaType) -> Option<usize> {
        // SAFETY: only looks at the tracks.
        let index = unsafe { ffi::av_find_best_stream(self.0.as_ptr(), kind, -1, -1, ptr::null_mut(), 0) };
        let index = usize::try_from(index).ok()?;
        self.stream(index).filter(|stream| stream.disposition & ffi::AV_DISPOSITION_ATTACHED_PIC == 0).map(|_| index)
    }

    /// Does not read the packets of other tracks.
    pub(crate) fn read_only(&mut self, wanted: &[usize]) {
        for n in 0..self.streams().len() {
            let discard = if wanted.contains(&n) { ffi::AVDiscard::AVDISCARD_DEFAULT } else { ffi::AVDiscard::AVDISCARD_ALL };
            // SAFETY: `n` is below `nb_streams`; nobody else looks at the stream now.
            unsafe { (**self.context().streams.add(n)).discard = discard };
        }
    }

    /// Frames a second, as far as the file tells.
    pub(crate) fn frame_rate(&self, index: usize) -> Option<f64> {
        let stream = ptr::from_ref(self.stream(index)?.0).cast_mut();
        // SAFETY: libav only reads both.
        let guessed = unsafe { ffi::av_guess_frame_rate(self.0.as_ptr(), stream, ptr::null_mut()) };
        [guessed, self.stream(index)?.avg_frame_rate]
            .into_iter()
            .filter(|rate| rate.num > 0 && rate.den > 0)
            .map(|rate| f64::from(rate.num) / f64::from(rate.den))
            .find(|fps| (0.5..=480.0).contains(fps))
    }

    /// Start and length of the whole file, microseconds, as far as known.
    pub(crate) fn span(&self) -> (Option<i64>, Option<i64>) {
        let known = |value: i64| (value != ffi::AV_NOPTS_VALUE).then_some(value);
        (known(self.context().start_time), known(self.context().duration))
    }

    /// The next packet; false at the end of the file.
    pub(crate) fn read(&mut self, packet: &mut AvPacket) -> Result<bool, LibavError> {
        packet.clear();
        // SAFETY: the packet is blank.
        let code = unsafe { ffi::av_read_frame(self.0.as_ptr(), packet.as_ptr()) };
        if code == ffi::AVERROR_EOF { Ok(false) } else { check("read", code).map(|_| true) }
    }

    /// Back to before the first packet.
    pub(crate) fn seek_start(&mut self) -> Result<(), LibavError> {
        let start = self.span().0.unwrap_or(0).min(0);
        // SAFETY: opened; -1 stands for no particular track.
        check("seek", unsafe { ffi::avformat_seek_file(self.0.as_ptr(), -1, i64::MIN, start, start, 0) }).map(drop)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let mut context = self.0.as_ptr();
        // SAFETY: owned, closed once.
        unsafe { ffi::avformat_close_input(&raw mut context) };
    }
}
