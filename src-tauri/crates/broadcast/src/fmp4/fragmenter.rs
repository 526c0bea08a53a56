use super::init::{Edit, init};
use super::{AUDIO, DISPOSABLE, PREDICTED, SYNC, VIDEO, encoding, video_scale};
use bytes::Bytes;
use mp4_atom::{Encode, Mfhd, Moof, Tfdt, Tfhd, Traf, Trun, TrunEntry, TrunSamples};
use stallcast_media::{NANOS_PER_MS, NANOS_PER_SEC, Packet, Pts, StreamConfig, Track, VideoConfig};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Pictures of one HLS part, about: viewers are behind by some of them.
const PART: i64 = 500 * NANOS_PER_MS;
/// Pictures of one fragment of a recording, about. A death takes the one that is not whole, and what is on its way through the
/// encoder's look-ahead, which is half a second at 30 frames: together that is to stay below a second. Divides the two seconds
/// between keyframes.
const STRETCH: i64 = 400 * NANOS_PER_MS;
/// Instants are whole nanoseconds: where the end of a fragment lies exactly between two frames, three of them rounded must not
/// decide which one it is.
const ROUNDED: i64 = 4;
/// Sound waits this long for the first picture (an encoder looks ahead); older sound is let go.
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
    /// Does the next one begin with a keyframe (or is there no next one)? Never known in a recording, which does not ask.
    pub closes: bool,
}

/// Where fragments end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Each [`PART`], with the picture after it: it tells whether a segment ends there too.
    Known,
    /// Each [`STRETCH`], with their own last picture: what is whole is on its way to the disk a frame sooner.
    AtOnce,
}

/// Cuts packets of both tracks into fragments: at every keyframe, and each half second or less between them.
///
/// Begins at the first keyframe. A gap in the pictures (a queue overflowed) makes the picture before it last longer, unless that was
/// given out already; a gap in the sound stays silent, because every fragment says when it begins.
pub(crate) struct Fragmenter {
    config: StreamConfig,
    ends: Ends,
    video_scale: u32,
    timeline: Option<Timeline>,
    video: Vec<Arc<Packet>>,
    audio: VecDeque<Arc<Packet>>,
    /// The end of the sound that was given out, as much as a decoder runs in with.
    given: Vec<Arc<Packet>>,
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
    /// HLS parts of these streams: about half a second each, and every one says whether a segment ends with it.
    pub fn parts(config: StreamConfig) -> io::Result<Self> {
        Self::new(config, Ends::Known)
    }

    /// A file of these streams that may lose its process at any moment: shorter, and given out with their last picture.
    pub fn recording(config: StreamConfig) -> io::Result<Self> {
        Self::new(config, Ends::AtOnce)
    }

    fn new(config: StreamConfig, ends: Ends) -> io::Result<Self> {
        // A stream description that does not fit is found now, not after the show has begun.
        init(&config, Edit { video: 0, audio: 0 })?;
        let video_scale = video_scale(config.video.fps);
        let (video, audio, given) = Default::default();
        Ok(Self { config, ends, video_scale, timeline: None, video, audio, given, sequence: 0 })
    }

    /// Forgets what it was about: the same streams, from the next keyframe on, with the sound that is waiting.
    pub fn begin_anew(&mut self) -> io::Result<()> {
        let audio = std::mem::take(&mut self.audio);
        *self = Self { audio, ..Self::new(self.config.clone(), self.ends)? };
        Ok(())
    }

    /// Nanoseconds of the longest fragment without a hole, rounded up to whole milliseconds.
    pub fn part_target(&self) -> i64 {
        let fps = i64::from(self.config.video.fps.max(1));
        // As many as [`Fragmenter::push`] takes: of two that are as near to the length, the fewer.
        let frames = (2 * self.length() * fps + NANOS_PER_SEC - 1) / (2 * NANOS_PER_SEC);
        (frames.max(1) * NANOS_PER_SEC / fps + NANOS_PER_MS - 1) / NANOS_PER_MS * NANOS_PER_MS
    }

    const fn length(&self) -> i64 {
        match self.ends {
            Ends::Known => PART,
            Ends::AtOnce => STRETCH,
        }
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
            // A picture that is missing now may be there again: what sounds meanwhile is kept for it.
            if self.timeline.is_none() {
                while self.audio.front().is_some_and(|p| newest - p.pts > SOUND_WAITS) {
                    self.audio.pop_front();
                }
            }
            return Ok(None);
        }
        if self.timeline.is_none() && !packet.keyframe {
            return Ok(None);
        }
        self.begin(&packet);
        let next = Next::from(&*packet);
        let before = if self.is_whole(next) { Some(self.cut(Some(next))?) } else { None };
        let next = Next { dts: packet.dts + packet.duration, keyframe: false };
        self.video.push(packet);
        if before.is_none() && self.ends == Ends::AtOnce && self.is_whole(next) {
            return self.cut(Some(next)).map(Some);
        }
        Ok(before)
    }

    /// Does what there is end before this picture?
    fn is_whole(&self, next: Next) -> bool {
        let (Some(first), Some(last)) = (self.video.first(), self.video.last()) else { return false };
        // Whole frames: the one nearest to the length begins the next.
        next.keyframe || next.dts - first.dts + last.duration / 2 >= self.length() - ROUNDED
    }

    /// Does this packet belong to the stream whose init segment was given? Not if another encoder made it.
    pub fn fits(&self, packet: &Packet) -> bool {
        packet.config.as_ref().is_none_or(|config| self.config.video.decodes(config))
    }

    /// Another encoder's first keyframe comes next: gives what is left of the stream before it. Afterwards there is a new
    /// init segment and a new time line; sound that belongs to the new pictures is kept for them.
    pub fn renew(&mut self, first: &Packet) -> io::Result<Option<Fragment>> {
        let mut last = None;
        // A decoder runs in with what the old stream has too.
        let runs_in = first.pts + -self.priming();
        let old = self.given.iter().chain(&self.audio).filter(|p| p.pts < first.pts && p.pts >= runs_in);
        let mut audio: VecDeque<_> = old.cloned().collect();
        if let Some(timeline) = self.timeline {
            let sounds = self.audio.iter().any(|p| p.pts < first.pts && p.pts >= timeline.origin);
            if sounds || !self.video.is_empty() {
                // In the old encoder's count: the other may hold its pictures back for another time.
                last = Some(self.cut(Some(Next { dts: first.pts + -timeline.reorder, ..first.into() }))?);
            }
        }
        let Some(video) = &first.config else { return Ok(last) };
        let config = StreamConfig { video: VideoConfig::clone(video), audio: self.config.audio.clone() };
        audio.extend(self.audio.drain(..).filter(|p| p.pts >= first.pts));
        *self = Self { audio, ..Self::new(config, self.ends)? };
        Ok(last)
    }

    /// What is left.
    pub fn finish(&mut self) -> io::Result<Option<Fragment>> {
        let Some(timeline) = self.timeline else { return Ok(None) };
        self.audio.retain(|p| p.pts >= timeline.origin);
        if self.video.is_empty() && self.audio.is_empty() { Ok(None) } else { self.cut(None).map(Some) }
    }

    /// Nanoseconds of sound that a decoder runs in with.
    fn priming(&self) -> i64 {
        Pts::from_ticks(i64::from(self.config.audio.priming), self.config.audio.rate).0
    }

    fn begin(&mut self, first: &Packet) {
        if self.timeline.is_some() {
            return;
        }
        let reorder = first.pts - first.dts;
        let origin = first.pts + -reorder.max(self.priming());
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
        // Only at the end there may be sound without a picture.
        if !video.is_empty() {
            moof.traf.push(traf(VIDEO, &timeline, &video, &video_samples, scale, None));
        }
        if !audio.is_empty() {
            moof.traf.push(traf(AUDIO, &timeline, &audio, &audio_samples, rate, Some(SYNC)));
        }
        let bytes = serialize(&mut moof, &[&video, &audio])?;
        let first = video.first().or(audio.first()).ok_or_else(|| io::Error::other("a fragment of nothing"))?;
        let ticks: i64 = video_samples.iter().map(|s| s.duration).sum();
        let runs_in = upto.map(|upto| upto + -self.priming());
        self.given = audio.iter().filter(|p| runs_in.is_some_and(|from| p.pts >= from)).cloned().collect();
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

    const AVCC: [u8; 20] = [1, 100, 0, 31, 255, 225, 0, 5, 103, 100, 0, 31, 172, 1, 0, 4, 104, 235, 236, 178];

    fn config(fps: u32) -> StreamConfig {
        let video = VideoConfig { width: 720, height: 1280, fps, kbps: 1000, avcc: Bytes::copy_from_slice(&AVCC) };
        let audio = AudioConfig { rate: 48_000, channels: 2, kbps: 128, asc: Bytes::from_static(&[17, 144]), priming: 1024 };
        StreamConfig { video, audio }
    }

    /// The n-th picture; a keyframe each two seconds.
    fn picture(n: u32, fps: u32) -> Arc<Packet> {
        let (at, duration) = (Pts::from_ticks(n.into(), fps), NANOS_PER_SEC / i64::from(fps));
        let keyframe = n.is_multiple_of(2 * fps);
        let payload = Bytes::from_static(&[0; 8]);
        Arc::new(Packet { track: Track::Video, pts: at, dts: at, duration, keyframe, disposable: false, payload, config: None })
    }

    /// The n-th block of 1024 samples.
    fn sound(n: u32) -> Arc<Packet> {
        let at = Pts::from_ticks(i64::from(n) * 1024, 48_000);
        let (duration, payload) = (1024 * NANOS_PER_SEC / 48_000, Bytes::from_static(&[0; 4]));
        Arc::new(Packet { track: Track::Audio, pts: at, dts: at, duration, keyframe: true, disposable: false, payload, config: None })
    }

    #[test]
    fn no_part_is_longer_than_the_one_that_was_declared() -> io::Result<()> {
        for fps in 1..=120 {
            let mut fragmenter = Fragmenter::parts(config(fps))?;
            let target = fragmenter.part_target();
            for n in 0..fps * 20 {
                if let Some(fragment) = fragmenter.push(picture(n, fps))? {
                    let lasts = fragment.duration;
                    assert!(lasts <= target, "{lasts} of {target} ns at {fps} a second");
                    // RFC 8216bis: all but the last of a segment are at least 85 % of it.
                    assert!(fragment.closes || lasts * 100 >= target * 85, "{lasts} of {target} ns at {fps} a second");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_recording_has_each_fragment_with_its_own_last_picture() -> io::Result<()> {
        let mut fragmenter = Fragmenter::recording(config(30))?;
        let ended: Vec<u32> = (0..120).filter(|n| fragmenter.push(picture(*n, 30)).is_ok_and(|f| f.is_some())).collect();
        assert_eq!(ended, [11, 23, 35, 47, 59, 71, 83, 95, 107, 119]);
        assert!(fragmenter.finish()?.is_none(), "nothing is left");
        // Whatever the rate: no more is ever kept back than a fragment without its last picture.
        for fps in 1..=120 {
            let mut fragmenter = Fragmenter::recording(config(fps))?;
            let (mut kept, mut longest) = (0, 0);
            for n in 0..fps * 20 {
                kept = if fragmenter.push(picture(n, fps))?.is_some() { 0 } else { kept + 1 };
                longest = longest.max(kept);
            }
            assert!(f64::from(longest) / f64::from(fps) <= 0.4, "{longest} pictures at {fps} a second");
        }
        Ok(())
    }

    /// A disk that stands still for long: its queue drops pictures up to the next keyframe, and keeps the sound.
    #[test]
    fn a_long_hole_in_the_pictures_is_none_in_the_sound() -> io::Result<()> {
        let mut fragmenter = Fragmenter::recording(config(30))?;
        let mut bytes = 0;
        let mut take = |found: Option<Fragment>| bytes += found.map_or(0, |f| f.bytes.len());
        (0..12).try_for_each(|n| fragmenter.push(picture(n, 30)).map(&mut take))?;
        (0..30 * 48_000 / 1024).try_for_each(|n| fragmenter.push(sound(n)).map(&mut take))?;
        (900..912).try_for_each(|n| fragmenter.push(picture(n, 30)).map(&mut take))?;
        // Of each block: its four bytes and an entry in the fragment's list.
        assert!(bytes > 30 * 48_000 / 1024 * 12, "{bytes} bytes");
        assert!(fragmenter.audio.is_empty());
        Ok(())
    }

    #[test]
    fn sound_that_comes_after_the_last_picture_was_given_out_is_kept() -> io::Result<()> {
        let mut fragmenter = Fragmenter::recording(config(30))?;
        (0..12).try_for_each(|n| fragmenter.push(picture(n, 30)).map(|_| ()))?;
        assert!(fragmenter.finish()?.is_none());
        fragmenter.push(sound(18))?;
        let last = fragmenter.finish()?.ok_or_else(|| io::Error::other("nothing"))?;
        assert_eq!((last.start, last.duration), (sound(18).pts, 0));
        Ok(())
    }

    #[test]
    fn the_next_encoder_begins_with_the_sound_that_a_decoder_runs_in_with() -> io::Result<()> {
        // With the last picture given out, and with one that waits.
        for pictures in [12, 13] {
            let mut fragmenter = Fragmenter::recording(config(30))?;
            (0..=20).try_for_each(|n| fragmenter.push(sound(n)).map(|_| ()))?;
            (0..pictures).try_for_each(|n| fragmenter.push(picture(n, 30)).map(|_| ()))?;
            let mut first = Packet { keyframe: true, ..Packet::clone(&picture(pictures, 30)) };
            first.config = Some(Arc::new(config(30).video));
            let left = fragmenter.renew(&first)?;
            assert_eq!(left.is_some(), pictures == 13);
            let kept: Vec<Pts> = fragmenter.audio.iter().map(|p| p.pts).collect();
            let wanted = (0..=20).map(|n| sound(n).pts).filter(|at| *at >= first.pts + -fragmenter.priming());
            assert_eq!(kept, wanted.collect::<Vec<_>>(), "after {pictures} pictures");
        }
        Ok(())
    }
}
