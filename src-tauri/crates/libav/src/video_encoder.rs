use crate::LibavError;
use crate::codec::{AvFrame, AvPacket, Codec};
use crate::nal;
use bytes::Bytes;
use ffmpeg_next::ffi;
use stallcast_media::{Canvas, Frame, Packet, PixelFormat, Pts, Track, VideoConfig};

/// Seconds from one keyframe to the next.
const GOP_SECONDS: u32 = 2;
/// B-frames between two others.
const B_FRAMES: u32 = 2;
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
}

/// H.264 High by libx264, as `ffmpeg -c:v libx264 -preset veryfast -profile:v high -bf 2 -g 2s -keyint_min 2s
/// -sc_threshold 0 -b:v R -maxrate R -bufsize R` has it: closed groups of exactly two seconds, a keyframe more where one
/// is asked for, and a rate that can be changed between two frames.
///
/// Constant frame rate out: a frame belongs to the tick nearest to its instant. Ticks without a frame, up to two seconds
/// of them, get the picture before once more (duplicates instead of holes); a longer hole stays one and is followed by a
/// keyframe. A frame for a tick that was served already is left out.
#[derive(Debug)]
pub struct VideoEncoder {
    settings: VideoSettings,
    codec: Codec,
    packet: AvPacket,
    avcc: Bytes,
    last: Option<(i64, Frame)>,
    keyframe_due: bool,
    ended: bool,
}

impl VideoEncoder {
    /// Opens libx264.
    ///
    /// # Errors
    /// This ffmpeg has no libx264, or it refuses the settings.
    pub fn open(s: &VideoSettings) -> Result<Self, LibavError> {
        let Canvas { width, height, fps } = s.canvas;
        if !(2..=8192).contains(&width) || !(2..=8192).contains(&height) || !(width | height).is_multiple_of(2) || !(1..=240).contains(&fps)
        {
            return Err(LibavError::Unsupported { what: "canvas", detail: format!("{width}x{height} at {fps}") });
        }
        let mut codec = Codec::encoder("libx264")?;
        (codec.width, codec.height) = (width as i32, height as i32);
        codec.pix_fmt = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P;
        codec.time_base = ffi::AVRational { num: 1, den: fps as i32 };
        codec.framerate = ffi::AVRational { num: fps as i32, den: 1 };
        codec.color_range = ffi::AVColorRange::AVCOL_RANGE_MPEG;
        codec.colorspace = ffi::AVColorSpace::AVCOL_SPC_BT709;
        codec.color_primaries = ffi::AVColorPrimaries::AVCOL_PRI_BT709;
        codec.color_trc = ffi::AVColorTransferCharacteristic::AVCOL_TRC_BT709;
        codec.chroma_sample_location = ffi::AVChromaLocation::AVCHROMA_LOC_LEFT;
        codec.gop_size = (GOP_SECONDS * fps) as i32;
        codec.max_b_frames = if s.low_latency { 0 } else { B_FRAMES as i32 };
        codec.flags |= (ffi::AV_CODEC_FLAG_GLOBAL_HEADER | ffi::AV_CODEC_FLAG_CLOSED_GOP) as i32;
        codec.thread_count = threads();
        set_rate(&mut codec, s.kbps);
        let keyint = (GOP_SECONDS * fps).to_string();
        let mut options =
            vec![("preset", "veryfast"), ("profile", "high"), ("keyint_min", &*keyint), ("sc_threshold", "0"), ("forced-idr", "1")];
        if s.low_latency {
            options.push(("tune", "zerolatency"));
        }
        codec.open(&options)?;
        let avcc = nal::avcc(codec.extradata()).ok_or(LibavError::Failed { what: "libx264", detail: "no parameter sets".to_owned() })?;
        Ok(Self { settings: *s, codec, packet: AvPacket::new()?, avcc, last: None, keyframe_due: false, ended: false })
    }

    /// What sinks must know. Stays the same when the rate is changed, except for the rate.
    #[must_use]
    pub fn config(&self) -> VideoConfig {
        let Canvas { width, height, fps } = self.settings.canvas;
        VideoConfig { width, height, fps, kbps: self.settings.kbps, avcc: self.avcc.clone() }
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
        let keyframe = std::mem::take(&mut self.keyframe_due);
        self.last = Some((tick, frame.clone()));
        self.send(frame, tick, keyframe, &mut packets)?;
        Ok(packets)
    }

    fn send(&mut self, picture: &Frame, tick: i64, keyframe: bool, packets: &mut Vec<Packet>) -> Result<(), LibavError> {
        let mut frame = AvFrame::lend(picture)?;
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
            let pts = Pts::from_ticks(self.packet.pts, fps);
            packets.push(Packet {
                track: Track::Video,
                pts,
                dts: Pts::from_ticks(self.packet.dts, fps),
                duration: Pts::from_ticks(self.packet.pts + 1, fps) - pts,
                keyframe: self.packet.flags & ffi::AV_PKT_FLAG_KEY != 0,
                disposable,
                payload,
            });
            self.packet.clear();
        }
        Ok(())
    }

    /// Sets target, ceiling and buffer (one second) from the next frame on; frames already in the look-ahead keep theirs.
    pub fn set_kbps(&mut self, kbps: u32) {
        self.settings.kbps = kbps.max(1);
        set_rate(&mut self.codec, self.settings.kbps);
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

/// libx264 compares these three with what it uses whenever a frame comes in. The buffer must be there from the start: it
/// cannot be switched on later.
fn set_rate(codec: &mut Codec, kbps: u32) {
    let bits = i64::from(kbps.clamp(1, 2_000_000)) * 1000;
    codec.bit_rate = bits;
    codec.rc_max_rate = bits;
    codec.rc_buffer_size = i32::try_from(bits).unwrap_or(i32::MAX);
}

/// Every frame thread holds a frame back and costs memory; capture, composing and network need a core too.
fn threads() -> i32 {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(1, 4)) as i32
}
