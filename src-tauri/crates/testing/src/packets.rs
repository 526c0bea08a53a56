//! What stands in a file packet by packet, through ffprobe.

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PacketTimes {
    /// Shown or heard at, seconds.
    pub pts_s: f64,
    /// Decoded at, seconds.
    pub dts_s: f64,
    /// A decoder can start here.
    pub keyframe: bool,
    /// Payload.
    pub bytes: u64,
}

/// One track.
#[derive(Debug, Clone, Default)]
pub struct TrackPackets {
    /// `h264`, `aac`…
    pub codec: String,
    /// `High`, `LC`…
    pub profile: String,
    /// Pixels a row, 0 for sound.
    pub width: u32,
    /// Rows, 0 for sound.
    pub height: u32,
    /// Samples a second, 0 for picture.
    pub rate: u32,
    /// Everything FFprobe says of it.
    pub stream: Value,
    /// In file order.
    pub packets: Vec<PacketTimes>,
}

impl TrackPackets {
    /// Decoding times rise with every packet, and no packet is shown before it is decoded.
    ///
    /// # Errors
    /// The first packet that breaks this.
    pub fn check_order(&self) -> anyhow::Result<()> {
        for pair in self.packets.windows(2) {
            ensure!(pair[1].dts_s > pair[0].dts_s, "{}: dts {} after {}", self.codec, pair[1].dts_s, pair[0].dts_s);
        }
        // FLV counts in milliseconds: rounding may put a pts up to one before its dts.
        let early = self.packets.iter().find(|p| p.pts_s < p.dts_s - 0.0011);
        ensure!(early.is_none(), "{}: shown before it is decoded: {early:?}", self.codec);
        let mut shown: Vec<f64> = self.packets.iter().map(|p| p.pts_s).collect();
        shown.sort_by(f64::total_cmp);
        let twice = shown.windows(2).find(|p| p[1] <= p[0]);
        ensure!(twice.is_none(), "{}: two packets shown at {twice:?}", self.codec);
        Ok(())
    }

    /// Seconds between neighbours of the keyframes, by presentation.
    #[must_use]
    pub fn gops_s(&self) -> Vec<f64> {
        let keys: Vec<f64> = self.packets.iter().filter(|p| p.keyframe).map(|p| p.pts_s).collect();
        keys.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Seconds from the first to the last packet, by presentation.
    #[must_use]
    pub fn span_s(&self) -> f64 {
        let times = self.packets.iter().map(|p| p.pts_s);
        let (first, last) = times.fold((f64::MAX, f64::MIN), |(a, b), t| (a.min(t), b.max(t)));
        (last - first).max(0.0)
    }

    /// Packets a second over the whole.
    #[must_use]
    pub fn rate_per_s(&self) -> f64 {
        let span = self.span_s();
        if span > 0.0 { (self.packets.len() - 1) as f64 / span } else { 0.0 }
    }

    /// Longest time from one packet to the next, by presentation.
    #[must_use]
    pub fn longest_gap_s(&self) -> f64 {
        let mut shown: Vec<f64> = self.packets.iter().map(|p| p.pts_s).collect();
        shown.sort_by(f64::total_cmp);
        shown.windows(2).map(|p| p[1] - p[0]).fold(0.0, f64::max)
    }

    /// Payload bits a second over the whole.
    #[must_use]
    pub fn bits_per_s(&self) -> f64 {
        let bytes: u64 = self.packets.iter().map(|p| p.bytes).sum();
        let span = self.span_s();
        if span > 0.0 { bytes as f64 * 8.0 / span } else { 0.0 }
    }
}

/// Both tracks of a file.
#[derive(Debug, Clone)]
pub struct Packets {
    /// Picture.
    pub video: TrackPackets,
    /// Sound.
    pub audio: TrackPackets,
}

impl Packets {
    /// What every destination must get: H.264 High and AAC-LC at 48 kHz, this size and rate, groups of two seconds, both
    /// tracks in order, neither ending much before the other.
    ///
    /// # Errors
    /// What is not so.
    pub fn check_live(&self, width: u32, height: u32, fps: u32) -> anyhow::Result<()> {
        let (video, audio) = (&self.video, &self.audio);
        ensure!((video.codec.as_str(), video.profile.as_str()) == ("h264", "High"), "{} {}", video.codec, video.profile);
        ensure!((audio.codec.as_str(), audio.profile.as_str()) == ("aac", "LC"), "{} {}", audio.codec, audio.profile);
        ensure!((video.width, video.height) == (width, height), "{}x{}", video.width, video.height);
        ensure!(audio.rate == 48_000, "{} Hz", audio.rate);
        video.check_order()?;
        audio.check_order()?;
        let rate = video.rate_per_s();
        ensure!((rate - f64::from(fps)).abs() < 0.1, "{rate} frames a second");
        let gops = video.gops_s();
        ensure!((!gops.is_empty() || video.span_s() < 2.0) && gops.iter().all(|g| (g - 2.0).abs() < 0.002), "groups of {gops:?} s");
        ensure!(video.packets.first().is_some_and(|p| p.keyframe), "it does not begin with a keyframe");
        ensure!(audio.longest_gap_s() < 0.03, "{} s without sound", audio.longest_gap_s());
        let apart = (video.span_s() - audio.span_s()).abs();
        ensure!(apart < 0.25, "{} s of picture, {} s of sound", video.span_s(), audio.span_s());
        Ok(())
    }
}

#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    streams: Vec<Value>,
    #[serde(default)]
    packets: Vec<ProbePacket>,
}

#[derive(Deserialize)]
struct ProbePacket {
    stream_index: u64,
    pts_time: Option<String>,
    dts_time: Option<String>,
    size: Option<String>,
    #[serde(default)]
    flags: String,
}

/// Reads all packets of a file, a playlist or an address.
///
/// # Errors
/// ffprobe is missing or cannot read it, or there is no picture or no sound.
pub fn read(path: &Path) -> anyhow::Result<Packets> {
    let entries = "stream:packet=stream_index,pts_time,dts_time,flags,size";
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-of", "json", "-show_entries", entries]).arg(path);
    let out = command.output().context("ffprobe does not start")?;
    let log = String::from_utf8_lossy(&out.stderr);
    let probe: Probe = serde_json::from_slice(&out.stdout).with_context(|| format!("{}: {log}", path.display()))?;
    let track = |kind: &str| {
        let stream =
            probe.streams.iter().find(|s| s["codec_type"] == kind).with_context(|| format!("no {kind} in {}: {log}", path.display()))?;
        let seconds = |text: &Option<String>| text.as_ref().and_then(|t| t.parse::<f64>().ok());
        let packets = probe.packets.iter().filter(|p| stream["index"] == p.stream_index).filter_map(|p| {
            let dts = seconds(&p.dts_time);
            Some(PacketTimes {
                pts_s: seconds(&p.pts_time).or(dts)?,
                dts_s: dts.or_else(|| seconds(&p.pts_time))?,
                keyframe: p.flags.starts_with('K'),
                bytes: p.size.as_ref().and_then(|s| s.parse().ok()).unwrap_or(0),
            })
        });
        let text = |name: &str| stream[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| stream[name].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        anyhow::Ok(TrackPackets {
            codec: text("codec_name"),
            profile: text("profile"),
            width: number("width"),
            height: number("height"),
            rate: text("sample_rate").parse().unwrap_or(0),
            packets: packets.collect(),
            stream: stream.clone(),
        })
    };
    Ok(Packets { video: track("video")?, audio: track("audio")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::Clip;

    fn track(times: &[(f64, f64)]) -> TrackPackets {
        let packets = times.iter().map(|(pts_s, dts_s)| PacketTimes { pts_s: *pts_s, dts_s: *dts_s, keyframe: false, bytes: 1 }).collect();
        TrackPackets { packets, ..TrackPackets::default() }
    }

    #[test]
    fn times_out_of_order_are_found() {
        track(&[(0.0, -0.066), (0.1, -0.033), (0.033, 0.0)]).check_order().expect("B-frames are in order");
        for wrong in [&[(0.0, 0.0), (0.1, 0.0)], &[(0.0, 0.1), (0.2, 0.0)], &[(0.1, 0.0), (0.1, 0.05)], &[(0.0, 0.0), (0.01, 0.02)]] {
            assert!(track(wrong).check_order().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn codecs_rates_and_group_lengths_are_read() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        for (ending, gop) in [("mp4", 60), ("flv", 45), ("ts", 30)] {
            let path = folder.path().join(format!("clip.{ending}"));
            Clip { gop, ..Clip::new(160, 120, 30, 6) }.write(&path)?;
            let read = read(&path)?;
            assert_eq!((read.video.codec.as_str(), read.audio.codec.as_str()), ("h264", "aac"), "{ending}");
            assert_eq!((read.video.width, read.video.height, read.audio.rate), (160, 120, 48_000));
            assert_eq!(read.video.packets.len(), 180);
            assert!((read.video.rate_per_s() - 30.0).abs() < 0.02, "{}", read.video.rate_per_s());
            let gops = read.video.gops_s();
            assert!(gops.len() >= 2 && gops.iter().all(|g| (g - f64::from(gop) / 30.0).abs() < 0.002), "{ending}: {gops:?}");
            read.video.check_order()?;
            read.audio.check_order()?;
        }
        Ok(())
    }
}
