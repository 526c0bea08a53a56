//! Which H.264 encoders there may be, and how each is opened.
//!
//! Only libx264 has been seen to work. What is written here of the others comes from ffmpeg's documentation and its own
//! option lists; none is used before [`crate::probe`] has seen it encode, and a show survives it failing later.

use crate::codec;
use std::path::Path;

/// Options of one encoder.
type Options = &'static [(&'static str, &'static str)];

/// An H.264 encoder of libavcodec.
#[derive(Debug, PartialEq, Eq)]
pub struct H264Encoder {
    /// libavcodec's name for it.
    pub name: &'static str,
    /// Takes its pictures with U and V interleaved.
    pub(crate) nv12: bool,
    /// Takes a new rate between two frames; the others are opened again at a keyframe.
    pub(crate) live_rate: bool,
    /// B-frames between two others. None for hardware: its decoding times are not to be relied on.
    pub(crate) b_frames: u32,
    /// Frames that may be encoded at once; each holds a frame back and takes a core. 0: as many as the machine has, four
    /// at most.
    pub(crate) threads: u32,
    /// Seconds of its rate that the decoder's buffer holds: how far a hard picture may go above it.
    pub(crate) buffer_s: u32,
    /// Always given.
    pub(crate) options: Options,
    /// Given with low latency too.
    pub(crate) low_latency: Options,
    /// Files of which one exists where the hardware does; empty where the system does not tell.
    pub(crate) signs: &'static [&'static str],
}

/// The base: on every system, on every processor.
pub const X264: H264Encoder = H264Encoder {
    name: "libx264",
    nv12: false,
    live_rate: true,
    b_frames: 2,
    threads: 0,
    buffer_s: 1,
    options: &[("preset", "veryfast"), ("profile", "high"), ("sc_threshold", "0"), ("forced-idr", "1")],
    low_latency: &[("tune", "zerolatency")],
    signs: &[],
};

/// The base for a file beside the show: less work, all of it on the thread that calls, and more bits for the same picture.
/// No network waits for it, so hard pictures may borrow two seconds of its rate.
pub const X264_LIGHT: H264Encoder = H264Encoder {
    b_frames: 0,
    threads: 1,
    buffer_s: 2,
    options: &[("preset", "superfast"), ("profile", "high"), ("sc_threshold", "0"), ("forced-idr", "1")],
    ..X264
};

/// NVIDIA. Linux and Windows.
static NVENC: H264Encoder = H264Encoder {
    name: "h264_nvenc",
    nv12: false,
    live_rate: true,
    b_frames: 0,
    threads: 0,
    buffer_s: 1,
    options: &[("preset", "p4"), ("profile", "high"), ("rc", "cbr"), ("forced-idr", "1"), ("no-scenecut", "1"), ("strict_gop", "1")],
    low_latency: &[("tune", "ll"), ("zerolatency", "1")],
    signs: &["/dev/nvidiactl"],
};

/// Intel. Linux and Windows.
static QSV: H264Encoder = H264Encoder {
    name: "h264_qsv",
    nv12: true,
    live_rate: false,
    b_frames: 0,
    threads: 0,
    buffer_s: 1,
    options: &[("preset", "veryfast"), ("profile", "high"), ("forced_idr", "1")],
    low_latency: &[("async_depth", "1")],
    signs: &["/dev/dri/renderD128", "/dev/dri/renderD129"],
};

/// AMD. Windows.
static AMF: H264Encoder = H264Encoder {
    name: "h264_amf",
    nv12: true,
    live_rate: false,
    b_frames: 0,
    threads: 0,
    buffer_s: 1,
    options: &[("usage", "transcoding"), ("profile", "high"), ("quality", "speed"), ("rc", "cbr"), ("forced_idr", "1")],
    low_latency: &[],
    signs: &[],
};

/// What Windows itself offers.
static MEDIA_FOUNDATION: H264Encoder = H264Encoder {
    name: "h264_mf",
    nv12: true,
    live_rate: false,
    b_frames: 0,
    threads: 0,
    buffer_s: 1,
    options: &[("rate_control", "cbr"), ("scenario", "live_streaming"), ("hw_encoding", "1")],
    low_latency: &[],
    signs: &[],
};

/// What macOS itself offers.
static VIDEO_TOOLBOX: H264Encoder = H264Encoder {
    name: "h264_videotoolbox",
    nv12: true,
    live_rate: false,
    b_frames: 0,
    threads: 0,
    buffer_s: 1,
    options: &[("profile", "high"), ("realtime", "1"), ("allow_sw", "0")],
    low_latency: &[("prio_speed", "1")],
    signs: &[],
};

/// Every hardware encoder that is known, best first. VAAPI and V4L2 are not among them: the first takes pictures in the
/// memory of the GPU only, the second gives no parameter sets before its first picture.
static ALL: &[(&str, &H264Encoder)] = &[
    ("windows", &NVENC),
    ("windows", &QSV),
    ("windows", &AMF),
    ("windows", &MEDIA_FOUNDATION),
    ("macos", &VIDEO_TOOLBOX),
    ("linux", &NVENC),
    ("linux", &QSV),
];

/// The encoder of this name.
#[must_use]
pub fn encoder(name: &str) -> Option<&'static H264Encoder> {
    if name == X264.name { Some(&X264) } else { ALL.iter().map(|(_, encoder)| *encoder).find(|e| e.name == name) }
}

/// Hardware encoders worth a probe on this machine, best first: this ffmpeg has them, and the hardware seems to be
/// there. Cheap: looks for files, opens nothing.
#[must_use]
pub fn hardware_encoders() -> Vec<&'static H264Encoder> {
    let here = |encoder: &H264Encoder| encoder.signs.is_empty() || encoder.signs.iter().any(|sign| Path::new(sign).exists());
    // Windows has its drivers elsewhere; only trying tells.
    let may_be = |encoder: &H264Encoder| cfg!(not(target_os = "linux")) || here(encoder);
    let mine = ALL.iter().filter(|(os, _)| *os == std::env::consts::OS).map(|(_, encoder)| *encoder);
    mine.filter(|encoder| may_be(encoder) && codec::has_encoder(encoder.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoder_is_found_by_its_name() {
        for (_, known) in ALL {
            assert_eq!(encoder(known.name).map(|e| e.name), Some(known.name));
        }
        assert_eq!(encoder("libx264"), Some(&X264));
        assert_eq!(encoder("h265"), None);
    }

    #[test]
    fn every_system_has_its_candidates() {
        for os in ["windows", "macos", "linux"] {
            assert!(ALL.iter().any(|(known, _)| *known == os), "{os}");
        }
    }
}
