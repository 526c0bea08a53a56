use super::init::{Edit, init};
use super::{AUDIO, DISPOSABLE, PREDICTED, SYNC, VIDEO, encoding, video_scale};
use bytes::Bytes;
use mp4_atom::{Encode, Mfhd, Moof, Tfdt, Tfhd, Traf, Trun, TrunEntry, TrunSamples};
use stallcast_media::{NANOS_PER_MS, NANOS_PER_SEC, Packet, Pts, StreamConfig, Track, VideoConfig};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Longest stretch of pictures in one fragment: what a killed process can lose. Also the natural length of an HLS part.
const FRAGMENT: i64 = 500 * NANOS_PER_MS;
/// Instants are whole nanoseconds: where half a second lies exactly between two frames, three of them rounded must not
/// decide which one it is.
const ROUNDED: i64 = 4;
/// Sound waits this long for its pictures (an encoder looks ahead); older sound is let go when there are none.
const SOUND_WAITS: i64 = 5 * NANOS_PER_SEC;

/// One `moof` + `mdat`: playable after the init segment and the fragments before it.
#[derive(Debug, Clone)]
pub(crate) struct Fragment {
    /// The two boxes.
    pub bytes: Bytes,
    /// When its first picture is shown, on the program's timeline.
    pub start: Pts,
    /// Nanoseconds of pictures in it.
    pub duration: i64,
    /// Does the next one begin with a keyframe (or is there no next one)?
    pub closes: bool,
}

/// Cuts packets of both tracks into fragments: at every keyframe, and each [`FRAGMENT`] between them.
///
/// Begins at the first keyframe. A gap in the pictures (a queue overflowed) makes the picture before it last longer; a
/// gap in the sound stays silent, because every fragment says when it begins.
pub(crate) struct Fragmenter {
    config: StreamConfig,
    video_scale: u32,
    timeline: Option<Timeline>,
    video: Vec<Arc<Packet>>,
    audio: VecDeque<Arc<Packet>>,
    sequence: u32,
}

/// Where media time 0 and presentation time 0 lie on the program's timeline.
#[derive(Debug, Clone, Copy)]
struct Timeline {
    origin: Pts,
    start: Pts,
    reorder: i64,
}

impl Timeline {
    fn ticks(&self, at: Pts, rate: u32) -> i64 {
        at.as_ticks(rate) - self.origin.as_ticks(rate)
    }
}

/// What comes after a fragment.
#[derive(Debug, Clone, Copy)]
struct Next {
    dts: Pts,
    keyframe: bool,
}

impl From<&Packet> for Next {
    fn from(packet: &Packet) -> Self {
        Self { dts: packet.dts, keyframe: packet.keyframe }
    }
}

struct Sample {
    duration: i64,
    composition: i64,
    flags: u32,
}

impl Fragmenter {
    /// For packets of these streams.
    pub fn new(config: StreamConfig) -> io::Result<Self> {
        // A stream description that does not fit is found now, not after the show has begun.
        init(&config, Edit { video: 0, audio: 0 })?;
        let video_scale = video_scale(config.video.fps);
        Ok(Self { config, video_scale, timeline: None, video: vec![], audio: VecDeque::new(), sequence: 0 })
    }

    /// Forgets what it was about: the same streams, from the next keyframe on, with the sound that is waiting.
    pub fn begin_anew(&mut self) -> io::Result<()> {
        let audio = std::mem::take(&mut self.audio);
        *self = Self { audio, ..Self::new(self.config.clone())? };
        Ok(())
    }

    /// Nanoseconds of the longest fragment without a hole, rounded up to whole milliseconds.
    pub fn part_target(&self) -> i64 {
        let fps = i64::from(self.config.video.fps.max(1));
        // As many as [`Fragmenter::push`] takes: of two that are as near to half a second, the fewer.
        let frames = (2 * FRAGMENT * fps + NANOS_PER_SEC - 1) / (2 * NANOS_PER_SEC);
        (frames.max(1) * NANOS_PER_SEC / fps + NANOS_PER_MS - 1) / NANOS_PER_MS * NANOS_PER_MS
    }

    /// The init segment; `None` before the first keyframe.
    pub fn init(&self) -> io::Result<Option<Vec<u8>>> {
        let Some(t) = self.timeline else { return Ok(None) };
        let ticks = |rate| u64::try_from(t.ticks(t.start, rate)).unwrap_or(0);
        init(&self.config, Edit { video: ticks(self.video_scale), audio: ticks(self.config.audio.rate) }).map(Some)
    }

    /// Takes a packet; gives the fragment that it completed.
    pub fn push(&mut self, packet: Arc<Packet>) -> io::Result<Option<Fragment>> {
        if packet.track == Track::Audio {
            let newest = packet.pts;
            self.audio.push_back(packet);
            if self.video.is_empty() {
                while self.audio.front().is_some_and(|p| newest - p.pts > SOUND_WAITS) {
                    self.audio.pop_front();
                }
            }
            return Ok(None);
        }
        let Some(first) = self.video.first() else {
            if packet.keyframe || self.timeline.is_some() {
                self.begin(&packet);
                self.video.push(packet);
            }
            return Ok(None);
        };
        // Whole frames: the one nearest to the half second begins the next.
        let done = packet.keyframe || packet.dts - first.dts + packet.duration / 2 >= FRAGMENT - ROUNDED;
        let fragment = if done { Some(self.cut(Some((&*packet).into()))?) } else { None };
        self.video.push(packet);
        Ok(fragment)
    }

    /// Does this packet belong to the stream whose init segment was given? Not if another encoder made it.
    pub fn fits(&self, packet: &Packet) -> bool {
        packet.config.as_ref().is_none_or(|config| self.config.video.decodes(config))
    }

    /// Another encoder's first keyframe comes next: gives what is left of the stream before it. Afterwards there is a new
    /// init segment and a new time line; sound that belongs to the new pictures is kept for them.
    pub fn renew(&mut self, first: &Packet) -> io::Result<Option<Fragment>> {
        let (mut audio, mut last) = (VecDeque::new(), None);
        if let Some(timeline) = self.timeline
            && !self.video.is_empty()
        {
            // A decoder runs in with what the old stream has too.
            let priming = Pts::from_ticks(i64::from(self.config.audio.priming), self.config.audio.rate).0;
            audio.extend(self.audio.iter().filter(|p| p.pts < first.pts && p.pts >= first.pts + -priming).cloned());
            // In the old encoder's count: the other may hold its pictures back for another time.
            last = Some(self.cut(Some(Next { dts: first.pts + -timeline.reorder, ..first.into() }))?);
        }
        let Some(video) = &first.config else { return Ok(last) };
        let config = StreamConfig { video: VideoConfig::clone(video), audio: self.config.audio.clone() };
        audio.append(&mut self.audio);
        *self = Self { audio, ..Self::new(config)? };
        Ok(last)
    }

    /// What is left.
    pub fn finish(&mut self) -> io::Result<Option<Fragment>> {
        if self.video.is_empty() { Ok(None) } else { self.cut(None).map(Some) }
    }

    fn begin(&mut self, first: &Packet) {
        if self.timeline.is_some() {
            return;
        }
        let reorder = first.pts - first.dts;
        let priming = Pts::from_ticks(i64::from(self.config.audio.priming), self.config.audio.rate).0;
        let origin = first.pts + -reorder.max(priming);
        self.timeline = Some(Timeline { origin, start: first.pts, reorder });
        // What sounds before the first picture stays only as far as the edit list hides it: a decoder needs it to run in.
        self.audio.retain(|p| p.pts >= origin);
    }

    /// Ends the fragment before `next`, or with everything there is.
    fn cut(&mut self, next: Option<Next>) -> io::Result<Fragment> {
        let timeline = self.timeline.ok_or_else(|| io::Error::other("a fragment before the first keyframe"))?;
        let video = std::mem::take(&mut self.video);
        let upto = next.map(|n| n.dts + timeline.reorder);
        let sounds = upto.map_or(self.audio.len(), |upto| self.audio.partition_point(|p| p.pts < upto));
        let audio: Vec<Arc<Packet>> = self.audio.drain(..sounds).filter(|p| p.pts >= timeline.origin).collect();
        let after = self.audio.front().map(|p| p.pts);

        let (scale, rate) = (self.video_scale, self.config.audio.rate);
        let video_samples = samples(&timeline, &video, next.map(|n| n.dts), scale);
        let audio_samples = samples(&timeline, &audio, after, rate);
        self.sequence += 1;
        let mut moof = Moof { mfhd: Mfhd { sequence_number: self.sequence }, traf: vec![] };
        moof.traf.push(traf(VIDEO, &timeline, &video, &video_samples, scale, None));
        if !audio.is_empty() {
            moof.traf.push(traf(AUDIO, &timeline, &audio, &audio_samples, rate, Some(SYNC)));
        }
        let bytes = serialize(&mut moof, &[&video, &audio])?;
        let first = video.first().ok_or_else(|| io::Error::other("a fragment without pictures"))?;
        let ticks: i64 = video_samples.iter().map(|s| s.duration).sum();
        let closes = next.is_none_or(|n| n.keyframe);
        Ok(Fragment { bytes, start: first.pts, duration: Pts::from_ticks(ticks, scale).0, closes })
    }
}

/// Durations reach to the next packet, so that rounding never adds up and no time overlaps.
fn samples(timeline: &Timeline, packets: &[Arc<Packet>], next: Option<Pts>, rate: u32) -> Vec<Sample> {
    let ends = packets.iter().skip(1).map(|p| Some(p.dts)).chain([next]);
    packets
        .iter()
        .zip(ends)
        .map(|(packet, end)| {
            let (at, own) = (timeline.ticks(packet.dts, rate), timeline.ticks(packet.dts + packet.duration, rate));
            let duration = (end.map_or(own, |end| timeline.ticks(end, rate)) - at).max(1);
            // A hole in the sound is not one long sample: the next fragment's own time makes the gap.
            let duration = if packet.track == Track::Audio && end == next { duration.min(own - at).max(1) } else { duration };
            let flags = match packet {
                p if p.keyframe => SYNC,
                p if p.disposable => DISPOSABLE,
                _ => PREDICTED,
            };
            Sample { duration, composition: timeline.ticks(packet.pts, rate) - at, flags }
        })
        .collect()
}

fn traf(track_id: u32, timeline: &Timeline, packets: &[Arc<Packet>], samples: &[Sample], rate: u32, all_flags: Option<u32>) -> Traf {
    let entries = packets.iter().zip(samples).map(|(packet, sample)| TrunEntry {
        duration: u32::try_from(sample.duration).ok(),
        size: u32::try_from(packet.payload.len()).ok(),
        flags: if all_flags.is_some() { None } else { Some(sample.flags) },
        cts: if sample.composition == 0 && track_id == AUDIO { None } else { Some(sample.composition) },
    });
    let begins = packets.first().map_or(0, |p| timeline.ticks(p.dts, rate));
    Traf {
        tfhd: Tfhd { track_id, default_sample_flags: all_flags, default_base_is_moof: true, ..Tfhd::default() },
        tfdt: Some(Tfdt { base_media_decode_time: u64::try_from(begins).unwrap_or(0) }),
        trun: vec![Trun { data_offset: Some(0), samples: TrunSamples::Explicit(entries.collect()) }],
        ..Traf::default()
    }
}

/// `moof`, then one `mdat` with the payloads of each track in turn. Encoded twice: the offsets need its own size.
fn serialize(moof: &mut Moof, tracks: &[&Vec<Arc<Packet>>]) -> io::Result<Bytes> {
    let too_large = || io::Error::new(io::ErrorKind::InvalidData, "fragment too large");
    let sizes: Vec<usize> = tracks.iter().map(|t| t.iter().map(|p| p.payload.len()).sum()).collect();
    let payload: usize = sizes.iter().sum();
    let mut out = Vec::with_capacity(payload + 4096);
    moof.encode(&mut out).map_err(encoding)?;
    let mut at = out.len() + 8;
    for (traf, size) in moof.traf.iter_mut().zip(&sizes) {
        traf.trun[0].data_offset = Some(i32::try_from(at).map_err(|_| too_large())?);
        at += size;
    }
    out.clear();
    moof.encode(&mut out).map_err(encoding)?;
    out.extend_from_slice(&u32::try_from(payload + 8).map_err(|_| too_large())?.to_be_bytes());
    out.extend_from_slice(b"mdat");
    for packet in tracks.iter().flat_map(|t| t.iter()) {
        out.extend_from_slice(&packet.payload);
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_media::AudioConfig;

    #[test]
    fn no_fragment_is_longer_than_the_part_that_was_declared() -> io::Result<()> {
        let avcc = [1, 100, 0, 31, 255, 225, 0, 5, 103, 100, 0, 31, 172, 1, 0, 4, 104, 235, 236, 178];
        for fps in 1..=120 {
            let video = VideoConfig { width: 720, height: 1280, fps, kbps: 1000, avcc: Bytes::copy_from_slice(&avcc) };
            let audio = AudioConfig { rate: 48_000, channels: 2, kbps: 128, asc: Bytes::from_static(&[17, 144]), priming: 0 };
            let mut fragmenter = Fragmenter::new(StreamConfig { video, audio })?;
            let target = fragmenter.part_target();
            for n in 0..i64::from(fps) * 20 {
                let at = Pts::from_ticks(n, fps);
                let packet = Packet {
                    track: Track::Video,
                    pts: at,
                    dts: at,
                    duration: NANOS_PER_SEC / i64::from(fps),
                    keyframe: n % i64::from(2 * fps) == 0,
                    disposable: false,
                    payload: Bytes::from_static(&[0; 8]),
                    config: None,
                };
                if let Some(fragment) = fragmenter.push(Arc::new(packet))? {
                    let lasts = fragment.duration;
                    assert!(lasts <= target, "{lasts} of {target} ns at {fps} a second");
                    // RFC 8216bis: all but the last of a segment are at least 85 % of it.
                    assert!(fragment.closes || lasts * 100 >= target * 85, "{lasts} of {target} ns at {fps} a second");
                }
            }
        }
        Ok(())
    }
}
