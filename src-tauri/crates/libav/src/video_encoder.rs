use crate::LibavError;
use crate::codec::{AvFrame, AvPacket, Codec};
use crate::encoders::{H264Encoder, X264};
use crate::nal;
use crate::thread_name::named;
use bytes::Bytes;
use ffmpeg_next::ffi;
use stallcast_media::{Canvas, Frame, Packet, PixelFormat, Pts, Track, VideoConfig};
use std::sync::Arc;

/// A hole up to this long is filled with repeats; the rest of the machinery has a larger one already.
const FILL_SECONDS: i64 = 2;

/// What the program's picture is encoded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoSettings {
    /// Size and rate.
    pub canvas: Canvas,
    /// Target and ceiling, kbit/s.
    pub kbps: u32,
    /// No B-frames and no look-ahead: 50 ms instead of 700 ms behind the camera, at more bits for the same picture.
    pub low_latency: bool,
    /// Seconds from one keyframe to the next, at least one.
    pub keyframe_s: u32,
    /// B-frames between two others; none with `low_latency`.
    pub b_frames: u32,
}

impl VideoSettings {
    /// Frames from one keyframe to the next.
    const fn group(&self) -> u32 {
        self.canvas.fps * if self.keyframe_s == 0 { 1 } else { self.keyframe_s }
    }
}

/// H.264 by one of the encoders this program knows. By libx264, the base, it is High, as `ffmpeg -c:v libx264 -preset veryfast -profile:v high -bf B -g Ns -keyint_min Ns
/// -sc_threshold 0 -b:v R -maxrate R -bufsize R` has it: closed groups of exactly `keyframe_s`, a keyframe more where one
/// is asked for, and a rate that can be changed between two frames.
///
/// Constant frame rate out: a frame belongs to the tick nearest to its instant. Ticks without a frame, up to two seconds
/// of them, get the picture before once more (duplicates instead of holes); a longer hole stays one and is followed by a
/// keyframe. A frame for a tick that was served already is left out.
///
/// Every keyframe carries its [`VideoConfig`]. An encoder whose rate cannot be changed is opened again at a keyframe, at
/// most every two seconds; its parameter sets may then be others.
#[derive(Debug)]
pub struct VideoEncoder {
    encoder: &'static H264Encoder,
    settings: VideoSettings,
    codec: Codec,
    packet: AvPacket,
    config: Arc<VideoConfig>,
    last: Option<(i64, Frame)>,
    /// Tick of the newest keyframe that was asked for or is due by the grid.
    keyed: i64,
    keyframe_due: bool,
    /// Another rate waits for the next keyframe.
    reopen_due: bool,
    ended: bool,
}

impl VideoEncoder {
    /// Opens libx264.
    ///
    /// # Errors
    /// This ffmpeg has no libx264, or it refuses the settings.
    pub fn open(s: &VideoSettings) -> Result<Self, LibavError> {
        Self::open_with(&X264, s)
    }

    /// Opens this encoder.
    ///
    /// # Errors
    /// This ffmpeg or this machine has none, or it refuses the settings, or it gives no parameter sets before its first
    /// picture.
    pub fn open_with(encoder: &'static H264Encoder, s: &VideoSettings) -> Result<Self, LibavError> {
        let codec = Self::codec(encoder, s)?;
        let missing = || LibavError::Failed { what: encoder.name, detail: "no parameter sets".to_owned() };
        let avcc = nal::avcc(codec.extradata()).ok_or_else(missing)?;
        let config = Arc::new(config(s, avcc));
        Ok(Self {
            encoder,
            settings: *s,
            codec,
            packet: AvPacket::new()?,
            config,
            last: None,
            keyed: 0,
            keyframe_due: false,
            reopen_due: false,
            ended: false,
        })
    }

    fn codec(encoder: &'static H264Encoder, s: &VideoSettings) -> Result<Codec, LibavError> {
        let Canvas { width, height, fps } = s.canvas;
        if !(2..=8192).contains(&width) || !(2..=8192).contains(&height) || !(width | height).is_multiple_of(2) || !(1..=240).contains(&fps)
        {
            return Err(LibavError::Unsupported { what: "canvas", detail: format!("{width}x{height} at {fps}") });
        }
        let mut codec = Codec::encoder(encoder.name)?;
        (codec.width, codec.height) = (width as i32, height as i32);
        codec.pix_fmt = if encoder.nv12 { ffi::AVPixelFormat::AV_PIX_FMT_NV12 } else { ffi::AVPixelFormat::AV_PIX_FMT_YUV420P };
        codec.time_base = ffi::AVRational { num: 1, den: fps as i32 };
        codec.framerate = ffi::AVRational { num: fps as i32, den: 1 };
        codec.color_range = ffi::AVColorRange::AVCOL_RANGE_MPEG;
        codec.colorspace = ffi::AVColorSpace::AVCOL_SPC_BT709;
        codec.color_primaries = ffi::AVColorPrimaries::AVCOL_PRI_BT709;
        codec.color_trc = ffi::AVColorTransferCharacteristic::AVCOL_TRC_BT709;
        codec.chroma_sample_location = ffi::AVChromaLocation::AVCHROMA_LOC_LEFT;
        let group = s.group();
        codec.gop_size = group as i32;
        codec.max_b_frames = if s.low_latency { 0 } else { encoder.b_frames.min(s.b_frames) as i32 };
        codec.flags |= (ffi::AV_CODEC_FLAG_GLOBAL_HEADER | ffi::AV_CODEC_FLAG_CLOSED_GOP) as i32;
        codec.thread_count = threads(encoder);
        set_rate(&mut codec, s.kbps, encoder.buffer_s);
        let keyint = group.to_string();
        let mut options = vec![("keyint_min", &*keyint)];
        options.extend(encoder.options);
        if s.low_latency {
            options.extend(encoder.low_latency);
        }
        named(c"x264", || codec.open(&options))?;
        Ok(codec)
    }

    /// libavcodec's name of the encoder.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.encoder.name
    }

    /// What sinks must know. Stays the same when the rate is changed, except for the rate.
    #[must_use]
    pub fn config(&self) -> VideoConfig {
        VideoConfig { kbps: self.settings.kbps, ..(*self.config).clone() }
    }

    /// Takes one canvas and gives the packets that are ready, in decoding order. `keyframe` makes this picture one; the
    /// wish is kept if the picture itself is left out. Nothing is copied: the frame is held until it is encoded.
    ///
    /// # Errors
    /// A frame of another format, a call after [`VideoEncoder::finish`], or ffmpeg failed.
    pub fn encode(&mut self, frame: &Frame, keyframe: bool) -> Result<Vec<Packet>, LibavError> {
        let Canvas { width, height, fps } = self.settings.canvas;
        let format = frame.format;
        if self.ended || format.pixel != PixelFormat::I420 || (format.width, format.height) != (width, height) {
            return Err(LibavError::Unsupported {
                what: "frame",
                detail: format!("{format:?} for {width}x{height}, ended: {}", self.ended),
            });
        }
        let tick = frame.pts.as_ticks(fps);
        self.keyframe_due |= keyframe;
        let mut packets = vec![];
        if let Some((last, before)) = self.last.take() {
            if tick <= last {
                self.last = Some((last, before));
                return Ok(packets);
            }
            let hole = tick - last - 1;
            if hole > FILL_SECONDS * i64::from(fps) {
                tracing::warn!(frames = hole, "a hole in the picture is too long to be filled");
                self.keyframe_due = true;
            } else {
                for missing in last + 1..tick {
                    self.send(&before, missing, false, &mut packets)?;
                }
            }
        }
        let gop = i64::from(self.settings.group());
        let keyframe = std::mem::take(&mut self.keyframe_due);
        if self.reopen_due && tick - self.keyed >= gop {
            self.reopen(&mut packets)?;
            self.keyed = tick;
        }
        if keyframe || tick - self.keyed >= gop {
            self.keyed = tick;
        }
        self.last = Some((tick, frame.clone()));
        self.send(frame, tick, keyframe, &mut packets)?;
        Ok(packets)
    }

    fn send(&mut self, picture: &Frame, tick: i64, keyframe: bool, packets: &mut Vec<Packet>) -> Result<(), LibavError> {
        let mut frame = if self.encoder.nv12 { AvFrame::nv12_of(picture)? } else { AvFrame::lend(picture)? };
        frame.pts = tick;
        frame.pict_type = if keyframe { ffi::AVPictureType::AV_PICTURE_TYPE_I } else { ffi::AVPictureType::AV_PICTURE_TYPE_NONE };
        frame.color_range = ffi::AVColorRange::AVCOL_RANGE_MPEG;
        self.codec.send_frame(Some(&frame))?;
        self.collect(packets)
    }

    fn collect(&mut self, packets: &mut Vec<Packet>) -> Result<(), LibavError> {
        let fps = self.settings.canvas.fps;
        while self.codec.receive_packet(&mut self.packet)? {
            let (payload, disposable) = nal::to_avcc(self.packet.bytes());
            let keyframe = self.packet.flags & ffi::AV_PKT_FLAG_KEY != 0;
            let pts = Pts::from_ticks(self.packet.pts, fps);
            packets.push(Packet {
                track: Track::Video,
                pts,
                dts: Pts::from_ticks(self.packet.dts, fps),
                duration: Pts::from_ticks(self.packet.pts + 1, fps) - pts,
                keyframe,
                disposable,
                payload,
                config: keyframe.then(|| Arc::clone(&self.config)),
            });
            self.packet.clear();
        }
        Ok(())
    }

    /// Sets target, ceiling and buffer from the next frame on; frames already in the look-ahead keep theirs.
    pub fn set_kbps(&mut self, kbps: u32) {
        self.settings.kbps = kbps.max(1);
        if self.encoder.live_rate {
            set_rate(&mut self.codec, self.settings.kbps, self.encoder.buffer_s);
        } else {
            self.reopen_due = true;
        }
    }

    /// Another one of the same kind takes over, with the rate that is wanted now.
    fn reopen(&mut self, packets: &mut Vec<Packet>) -> Result<(), LibavError> {
        let next = Self::open_with(self.encoder, &self.settings)?;
        self.codec.send_frame(None)?;
        self.collect(packets)?;
        (self.codec, self.reopen_due) = (next.codec, false);
        if !self.config.decodes(&next.config) {
            self.config = next.config;
        }
        Ok(())
    }

    /// The packets still inside. Later calls give none.
    ///
    /// # Errors
    /// ffmpeg failed.
    pub fn finish(&mut self) -> Result<Vec<Packet>, LibavError> {
        let mut packets = vec![];
        if !std::mem::replace(&mut self.ended, true) {
            self.last = None;
            self.codec.send_frame(None)?;
            self.collect(&mut packets)?;
        }
        Ok(packets)
    }
}

fn config(s: &VideoSettings, avcc: Bytes) -> VideoConfig {
    let Canvas { width, height, fps } = s.canvas;
    VideoConfig { width, height, fps, kbps: s.kbps, avcc }
}

/// libx264 compares these three with what it uses whenever a frame comes in. The buffer must be there from the start: it
/// cannot be switched on later.
fn set_rate(codec: &mut Codec, kbps: u32, buffer_s: u32) {
    let bits = i64::from(kbps.clamp(1, 2_000_000)) * 1000;
    codec.bit_rate = bits;
    codec.rc_max_rate = bits;
    codec.rc_buffer_size = i32::try_from(bits * i64::from(buffer_s)).unwrap_or(i32::MAX);
}

/// Every frame thread holds a frame back and costs memory; capture, composing and network need a core too.
fn threads(encoder: &H264Encoder) -> i32 {
    match encoder.threads {
        0 => std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(1, 4)) as i32,
        most => most as i32,
    }
}
