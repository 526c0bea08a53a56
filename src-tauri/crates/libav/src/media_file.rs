use crate::LibavError;
use crate::codec::{AvFrame, AvPacket, Codec, DecodedPicture};
use crate::colour::{Colour, Cut, Matrix};
use crate::container::{Input, Stream, unreadable};
use crate::import::{Stage, is_canvas, source_of};
use crate::plane::{i420, i420_mut};
use crate::scaler::Scaler;
use crate::sound::Sound;
use ffmpeg_next::ffi::{self, AVMediaType};
use stallcast_media::{AudioBlock, Frame, FramePool, NANOS_PER_SEC, Pts, VideoFormat};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Packets in a row that may be damaged before the file is given up.
const PATIENCE: u32 = 250;
/// Larger pictures are not decoded: a damaged header may claim anything.
const MOST_PIXELS: i64 = 8192 * 8192;

/// One decoded piece of a media file; instants count from the start of the file.
#[derive(Debug, Clone)]
pub enum Decoded {
    /// I420, BT.709, limited range, upright, in presentation order.
    Video(Frame),
    /// 48 kHz stereo.
    Audio(AudioBlock),
}

/// A media file being decoded: MP4 (fragmented too), FLV, MPEG-TS, Matroska and what else ffmpeg reads from a local file.
///
/// File time 0 is the first instant of its tracks, or the zero of a container that puts samples before it to have them left
/// out; each track keeps its offset from there. What a container says to leave out (AAC priming, edit lists) is left out;
/// FLV and MPEG-TS cannot say it, so there the priming is heard as silence at the start. Of several tracks of a kind the default one is used; tracks
/// that cannot be decoded are passed over. Pixels that are not square are shown as if they were.
#[derive(Debug)]
pub struct MediaFile {
    path: PathBuf,
    input: Input,
    video: Option<VideoTrack>,
    audio: Option<AudioTrack>,
    /// File time 0 on the tracks' own time line, ns.
    origin: i64,
    duration: i64,
    packet: AvPacket,
    ready: VecDeque<Decoded>,
    phase: Phase,
    damaged: u32,
}

/// At the end decoders give what they hold one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reading,
    DrainingVideo,
    DrainingAudio,
    Ended,
}

#[derive(Debug)]
struct VideoTrack {
    index: usize,
    codec: Codec,
    frame: AvFrame,
    plain: Scaler,
    stage: Stage,
    pool: FramePool,
    format: VideoFormat,
    fps: f64,
    turns: u8,
    unsaid: Colour,
    base: ffi::AVRational,
    /// Instant after the last frame, for one that has none.
    next: Pts,
}

#[derive(Debug)]
struct AudioTrack {
    index: usize,
    codec: Codec,
    frame: AvFrame,
    sound: Sound,
    base: ffi::AVRational,
}

impl MediaFile {
    /// Opens a local file.
    ///
    /// # Errors
    /// [`LibavError::Missing`], [`LibavError::Unreadable`] (not a media file, or not allowed), [`LibavError::NoTrack`].
    pub fn open(path: &Path) -> Result<Self, LibavError> {
        let mut input = Input::open(path)?;
        let passed_over = |e: &LibavError| tracing::warn!(error = %e, "a track cannot be decoded");
        let video = input.best(AVMediaType::AVMEDIA_TYPE_VIDEO).and_then(|n| VideoTrack::open(&input, n).inspect_err(passed_over).ok());
        let audio = input.best(AVMediaType::AVMEDIA_TYPE_AUDIO).and_then(|n| AudioTrack::open(&input, n).inspect_err(passed_over).ok());
        let used: Vec<usize> = [video.as_ref().map(|v| v.index), audio.as_ref().map(|a| a.index)].into_iter().flatten().collect();
        if used.is_empty() {
            return Err(LibavError::NoTrack(path.to_owned()));
        }
        input.read_only(&used);
        let (origin, duration) = span(&input, &used);
        Ok(Self {
            path: path.to_owned(),
            input,
            video,
            audio,
            origin,
            duration,
            packet: AvPacket::new()?,
            ready: VecDeque::new(),
            phase: Phase::Reading,
            damaged: 0,
        })
    }

    /// Format of the frames and frames a second (may be fractional). A file may change its size on the way: each frame
    /// says its own.
    #[must_use]
    pub fn video(&self) -> Option<(VideoFormat, f64)> {
        self.video.as_ref().map(|video| (video.format, video.fps))
    }

    /// Is there sound?
    #[must_use]
    pub const fn has_audio(&self) -> bool {
        self.audio.is_some()
    }

    /// Nanoseconds of the longer track, as the file says; 0 if it does not.
    #[must_use]
    pub const fn duration(&self) -> i64 {
        self.duration
    }

    /// The next piece in the order of the file; `None` at the end. Damaged pieces are passed over; a file that breaks off
    /// ends there.
    ///
    /// # Errors
    /// Nothing in it can be decoded.
    #[expect(clippy::should_implement_trait, reason = "it fails, and it goes on after rewinding: no iterator")]
    pub fn next(&mut self) -> Result<Option<Decoded>, LibavError> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                self.damaged = 0;
                return Ok(Some(piece));
            }
            if self.phase == Phase::Ended {
                return Ok(None);
            }
            if let Err(e) = self.step() {
                self.damaged += 1;
                tracing::debug!(error = %e, "a piece of a media file is damaged");
                if self.damaged > PATIENCE {
                    self.phase = Phase::Ended;
                    return Err(unreadable(&self.path, e));
                }
            }
        }
    }

    /// Back to the start; the next piece is the first one again.
    ///
    /// # Errors
    /// The file cannot be sought and not be opened again.
    pub fn rewind(&mut self) -> Result<(), LibavError> {
        if self.input.seek_start().is_err() {
            *self = Self::open(&self.path)?;
            return Ok(());
        }
        if let Some(video) = &mut self.video {
            video.codec.flush();
            video.next = Pts(0);
        }
        if let Some(audio) = &mut self.audio {
            audio.codec.flush();
            audio.sound.reset();
        }
        self.ready.clear();
        self.phase = Phase::Reading;
        self.damaged = 0;
        Ok(())
    }

    fn step(&mut self) -> Result<(), LibavError> {
        match self.phase {
            Phase::Reading => self.read(),
            Phase::DrainingVideo => {
                let more = self.video.as_mut().map_or(Ok(false), |video| video.receive(self.origin, &mut self.ready));
                if !matches!(more, Ok(true)) {
                    self.phase = Phase::DrainingAudio;
                }
                more.map(drop)
            }
            Phase::DrainingAudio => {
                self.phase = Phase::Ended;
                if let Some(audio) = &mut self.audio {
                    audio.receive(self.origin, &mut self.ready)?;
                    self.ready.extend(audio.sound.finish()?.and_then(from_zero).map(Decoded::Audio));
                }
                Ok(())
            }
            Phase::Ended => Ok(()),
        }
    }

    fn read(&mut self) -> Result<(), LibavError> {
        let more = self.input.read(&mut self.packet).inspect_err(|e| tracing::warn!(error = %e, "a media file breaks off"));
        if !matches!(more, Ok(true)) {
            self.phase = Phase::DrainingVideo;
            if let Some(video) = &mut self.video {
                video.codec.send_packet(None)?;
            }
            if let Some(audio) = &mut self.audio {
                audio.codec.send_packet(None)?;
            }
            return more.map(drop);
        }
        let track = usize::try_from(self.packet.stream_index).ok();
        if let Some(video) = self.video.as_mut().filter(|video| Some(video.index) == track) {
            video.codec.send_packet(Some(&self.packet))?;
            while video.receive(self.origin, &mut self.ready)? {}
        } else if let Some(audio) = self.audio.as_mut().filter(|audio| Some(audio.index) == track) {
            audio.codec.send_packet(Some(&self.packet))?;
            audio.receive(self.origin, &mut self.ready)?;
        }
        Ok(())
    }
}

/// Ticks of a time base in ns, rounded to nearest; `None` for libav's "unknown".
fn nanos(ticks: i64, base: ffi::AVRational) -> Option<i64> {
    let den = i128::from(base.den.max(1));
    let exact = i128::from(ticks) * i128::from(base.num) * i128::from(NANOS_PER_SEC);
    (ticks != ffi::AV_NOPTS_VALUE).then(|| i64::try_from((exact + den / 2).div_euclid(den)).unwrap_or(0))
}

/// Where the used tracks begin, and how long the longer one lasts from there; ns.
fn span(input: &Input, used: &[usize]) -> (i64, i64) {
    let tracks: Vec<Stream<'_>> = used.iter().filter_map(|n| input.stream(*n)).collect();
    let begins = |track: &Stream<'_>| nanos(track.start_time, track.time_base);
    let origin = tracks.iter().filter_map(begins).min().unwrap_or(0).max(0);
    let ends = tracks.iter().filter_map(|track| {
        let length = nanos(track.duration, track.time_base).filter(|length| *length > 0)?;
        Some(begins(track).unwrap_or(origin) + length)
    });
    let (start, length) = input.span();
    let whole = length.filter(|length| *length > 0).map(|length| (start.unwrap_or(0) + length) * 1000);
    let end = ends.max().or(whole).unwrap_or(origin);
    (origin, (end - origin).max(0))
}

/// Threads that decode pictures in real time: each further one holds more frames and costs its share of waking. One
/// carries H.264 at 1080p30 with half a slow core to spare (a server core decodes 720p30 in 6 % of its time); what is
/// heavier gets two.
fn threads(codec: ffi::AVCodecID, pixels_a_second: f64) -> i32 {
    const ONE_CARRIES: f64 = 1920.0 * 1088.0 * 30.5;
    if codec == ffi::AVCodecID::AV_CODEC_ID_H264 && pixels_a_second <= ONE_CARRIES { 1 } else { 2 }
}

fn decoder(stream: Stream<'_>, threads: i32) -> Result<Codec, LibavError> {
    let parameters = stream.parameters();
    let mut codec = Codec::decoder(parameters.codec_id)?;
    codec.set_parameters(&parameters)?;
    codec.pkt_timebase = stream.time_base;
    codec.thread_count = threads;
    codec.max_pixels = MOST_PIXELS;
    codec.open(&[])?;
    Ok(codec)
}

fn track(input: &Input, index: usize) -> Result<Stream<'_>, LibavError> {
    input.stream(index).ok_or_else(|| LibavError::Unsupported { what: "track", detail: index.to_string() })
}

impl VideoTrack {
    fn open(input: &Input, index: usize) -> Result<Self, LibavError> {
        let stream = track(input, index)?;
        let parameters = stream.parameters();
        let (width, height) = (parameters.width.unsigned_abs(), parameters.height.unsigned_abs());
        if width == 0 || height == 0 {
            return Err(LibavError::Unsupported { what: "picture size", detail: format!("{width}x{height}") });
        }
        let turns = stream.quarter_turns();
        let fps = input.frame_rate(index).unwrap_or(25.0);
        let codec = decoder(stream, threads(parameters.codec_id, f64::from(width) * f64::from(height) * fps))?;
        Ok(Self {
            index,
            codec,
            frame: AvFrame::new()?,
            plain: Scaler::default(),
            stage: Stage::default(),
            pool: FramePool::new(4),
            format: if turns % 2 == 1 { i420(height, width) } else { i420(width, height) },
            fps,
            turns,
            // What players assume of a file that does not say: small ones come from the time of BT.601.
            unsaid: Colour { matrix: if width >= 1280 || height > 576 { Matrix::Bt709 } else { Matrix::Bt601 }, full: false },
            base: stream.time_base,
            next: Pts(0),
        })
    }

    /// One frame that the decoder has ready; false if it has none.
    fn receive(&mut self, origin: i64, ready: &mut VecDeque<Decoded>) -> Result<bool, LibavError> {
        if !self.codec.receive_frame(&mut self.frame)? {
            return Ok(false);
        }
        let pts = nanos(self.frame.best_effort_timestamp, self.base).map_or(self.next, |at| Pts(at - origin));
        self.next = pts + (NANOS_PER_SEC as f64 / self.fps) as i64;
        if pts < Pts(0) {
            return Ok(true);
        }
        if self.turns == 0 && is_canvas(&self.frame, self.unsaid) {
            // It stays where the decoder put it: nothing is copied.
            let format = i420(self.frame.width.unsigned_abs(), self.frame.height.unsigned_abs());
            let picture = DecodedPicture::take(&mut self.frame)?;
            let missing = || LibavError::Damaged(format!("{}x{} with missing rows", format.width, format.height));
            ready.push_back(Decoded::Video(Frame::lent(format, pts, false, Box::new(picture)).ok_or_else(missing)?));
            return Ok(true);
        }
        let source = source_of(&self.frame, &mut self.plain, self.unsaid)?;
        let (width, height) = (source.width, source.height);
        let format = i420(width as u32, height as u32);
        let mut buffer = self.pool.take(format.bytes());
        let size = || LibavError::Unsupported { what: "picture size", detail: format!("{width}x{height}") };
        let mut planes = i420_mut(&mut buffer.bytes, width, height).ok_or_else(size)?;
        self.stage.place(&source, Cut::whole(width, height), Colour::CANVAS, (width, height), &mut planes)?;
        let frame = Frame::new(format, pts, false, buffer);
        ready.push_back(Decoded::Video(if self.turns == 0 { frame } else { upright(&frame, self.turns, &self.pool) }));
        Ok(true)
    }
}

impl AudioTrack {
    fn open(input: &Input, index: usize) -> Result<Self, LibavError> {
        let stream = track(input, index)?;
        let codec = decoder(stream, 1)?;
        Ok(Self { index, codec, frame: AvFrame::new()?, sound: Sound::default(), base: stream.time_base })
    }

    /// Everything that the decoder has ready.
    fn receive(&mut self, origin: i64, ready: &mut VecDeque<Decoded>) -> Result<(), LibavError> {
        while self.codec.receive_frame(&mut self.frame)? {
            let at = nanos(self.frame.best_effort_timestamp, self.base).map(|at| Pts(at - origin));
            ready.extend(self.sound.take(&self.frame, at)?.into_iter().filter_map(from_zero).map(Decoded::Audio));
        }
        Ok(())
    }
}

/// The part of a block that does not lie before file time 0.
fn from_zero(mut block: AudioBlock) -> Option<AudioBlock> {
    let before = usize::try_from(-block.pts.as_ticks(block.rate)).unwrap_or(0);
    if before > 0 {
        block.samples.drain(..(before * usize::from(block.channels)).min(block.samples.len()));
        block.pts = block.pts + Pts::from_ticks(before as i64, block.rate).0;
    }
    (!block.samples.is_empty()).then_some(block)
}

/// The picture turned clockwise by quarter turns: phones store the picture as the sensor sees it.
fn upright(frame: &Frame, turns: u8, pool: &FramePool) -> Frame {
    let (w, h) = (frame.format.width as usize, frame.format.height as usize);
    let format = if turns % 2 == 1 { i420(frame.format.height, frame.format.width) } else { frame.format };
    let mut buffer = pool.take(format.bytes());
    if let Some(planes) = i420_mut(&mut buffer.bytes, format.width as usize, format.height as usize) {
        let sizes = [(w, h), (w.div_ceil(2), h.div_ceil(2)), (w.div_ceil(2), h.div_ceil(2))];
        for ((from, (w, h)), to) in frame.planes().iter().zip(sizes).zip(planes) {
            for (y, row) in to.bytes.chunks_exact_mut(to.stride).enumerate() {
                for (x, to) in row.iter_mut().enumerate() {
                    let (fx, fy) = match turns {
                        1 => (y, h - 1 - x),
                        2 => (w - 1 - x, h - 1 - y),
                        _ => (w - 1 - y, x),
                    };
                    *to = from.bytes[fy * from.stride + fx];
                }
            }
        }
    }
    Frame::new(format, frame.pts, frame.full_range, buffer)
}
