//! Reads a file ahead a little and delivers each piece when its time has come. Pure but for the reader: the caller
//! brings the time.

use crate::news::News;
use crate::sound_queue::{SoundQueue, silence};
use stallcast_libav::{Decoded, LibavError};
use stallcast_media::{AudioBlock, Frame, FrameRing, Health, HealthCode, NANOS_PER_MS, NANOS_PER_SEC, Pts, SAMPLE_RATE};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Decoded pictures held for what is due next.
const FRAMES_AHEAD: usize = 4;
/// Decoded sound held for what is due next.
const SOUND_AHEAD: i64 = NANOS_PER_SEC / 2;
/// Most sound held while pictures are searched for in the file.
const SOUND_MOST: i64 = 2 * NANOS_PER_SEC;
/// Where the sound lies further behind the picture in the file, there is none: silence takes its place.
const INTERLEAVE: i64 = NANOS_PER_SEC;
/// Sound is handed over this early: with the picture before it, so that no thread wakes for a block of sound alone.
pub(super) const SOUND_EARLY: i64 = 50 * NANOS_PER_MS;
/// A piece this late is left out.
const TOO_LATE: i64 = NANOS_PER_SEC / 2;
/// Nothing but late pieces for so long: the file decodes slower than it plays and would never catch up.
const BEHIND: i64 = NANOS_PER_SEC;
/// From one word about that to the next.
const SAY_AGAIN: i64 = 60 * NANOS_PER_SEC;
/// Stamps that step further on than this, while neither track has anything in between, do not tell the time: a recording
/// was cut or interrupted.
const JUMP: i64 = 2 * NANOS_PER_SEC;
/// The same where there is no sound: one picture may be all that was to be seen for a while.
const SILENT_JUMP: i64 = 30 * NANOS_PER_SEC;
/// Nor do those of a track that step so far back: two recordings were put together.
const JUMP_BACK: i64 = 300 * NANOS_PER_MS;
/// A picture that is not followed by another is given again so often: it holds, the camera is not lost.
const HOLD: i64 = NANOS_PER_SEC / 2;
/// A file's own word for its length is believed if what was read differs by no more.
const LENGTH_TOLERANCE: i64 = NANOS_PER_SEC / 4;
/// Stamps of sound this close to the expected one are rounding of the container.
const ROUNDING: i64 = 5 * NANOS_PER_MS;
/// Damaged pieces in a row after which the file counts as broken.
const MOST_DAMAGED: u32 = 100;
/// How long a broken file is left alone before it is opened again.
const RETRY: i64 = NANOS_PER_SEC;

/// Where decoded pieces come from.
pub(super) trait Reader: Send {
    fn next(&mut self) -> Result<Option<Decoded>, LibavError>;
    fn rewind(&mut self) -> Result<(), LibavError>;
}

pub(super) type Reopen = Box<dyn Fn() -> Result<Box<dyn Reader>, LibavError> + Send>;

/// What a file holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracks {
    /// Frames a second.
    pub(super) video: Option<f64>,
    pub(super) audio: bool,
    /// The file's own word for the length of the longer track, ns; 0 unknown.
    pub(super) duration: i64,
}

/// Where pieces go, and whether somebody still wants them.
#[derive(Debug, Clone)]
pub(super) struct Outlets {
    /// Human name of the file.
    pub(super) name: String,
    pub(super) ring: FrameRing,
    pub(super) queue: SoundQueue,
    pub(super) video_news: News,
    pub(super) audio_news: News,
    pub(super) video: Arc<AtomicBool>,
    pub(super) audio: Arc<AtomicBool>,
}

impl Outlets {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            ring: FrameRing::new(),
            queue: SoundQueue::default(),
            video_news: News::default(),
            audio_news: News::default(),
            video: Arc::default(),
            audio: Arc::default(),
        }
    }

    fn wants_video(&self) -> bool {
        self.video.load(Ordering::Relaxed)
    }

    fn wants_audio(&self) -> bool {
        self.audio.load(Ordering::Relaxed)
    }

    fn tell(&self, lost: bool) {
        let (camera, mic) =
            if lost { (HealthCode::CameraLost, HealthCode::MicLost) } else { (HealthCode::CameraBack, HealthCode::MicBack) };
        if self.wants_video() {
            self.video_news.add(Health::new(camera).with("device", &self.name));
        }
        if self.wants_audio() {
            self.audio_news.add(Health::new(mic).with("device", &self.name));
        }
    }
}

/// When to call [`Player::step`] again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// There is more to read.
    Now,
    /// Nothing is to be done before.
    At(Pts),
}

/// Where one track of the present pass is.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// From its stamps to file time: what its jumps took away or added.
    skew: i64,
    /// Where its last piece begins, file time.
    at: Option<i64>,
}

/// Plays a file.
pub(super) struct Player {
    reader: Option<Box<dyn Reader>>,
    reopen: Reopen,
    outlets: Outlets,
    /// Instant of file time 0 in the present pass.
    base: Pts,
    /// The file's own word for its length while it can be believed, else 0.
    claimed: i64,
    /// End of the furthest piece of this pass, file time.
    read_to: i64,
    picture: Place,
    sound: Place,
    frame_length: i64,
    has_audio: bool,
    frames: VecDeque<Frame>,
    sounds: VecDeque<AudioBlock>,
    /// Instant of the furthest picture read.
    pictured_to: Pts,
    /// Instant just after the last sound held or delivered.
    sounded_to: Pts,
    last: Option<Frame>,
    skipped: u64,
    /// Since when all that became due was late.
    behind_since: Option<Pts>,
    said_behind: Option<Pts>,
    damaged: u32,
    lost: bool,
    retry_at: Pts,
}

impl Player {
    pub(super) fn new(reader: Box<dyn Reader>, reopen: Reopen, tracks: Tracks, start: Pts, outlets: Outlets) -> Self {
        Self {
            reader: Some(reader),
            reopen,
            outlets,
            base: start,
            claimed: tracks.duration.max(0),
            read_to: 0,
            picture: Place::default(),
            sound: Place::default(),
            frame_length: tracks.video.map_or(0, |fps| (NANOS_PER_SEC as f64 / fps) as i64),
            has_audio: tracks.audio,
            frames: VecDeque::new(),
            sounds: VecDeque::new(),
            pictured_to: start,
            sounded_to: start,
            last: None,
            skipped: 0,
            behind_since: None,
            said_behind: None,
            damaged: 0,
            lost: false,
            retry_at: start,
        }
    }

    /// Delivers what is due and reads at most one piece ahead.
    pub(super) fn step(&mut self, now: Pts) -> Next {
        self.deliver(now);
        if self.wants_more() {
            if self.reader.is_none() {
                if now < self.retry_at {
                    return Next::At(self.next_due(now).min(self.retry_at));
                }
                self.open_again(now);
            }
            self.read(now);
            return if self.reader.is_some() { Next::Now } else { Next::At(self.next_due(now).min(self.retry_at)) };
        }
        Next::At(self.next_due(now))
    }

    fn wants_more(&self) -> bool {
        let picture = self.outlets.wants_video() && self.frames.len() < FRAMES_AHEAD;
        let held = self.sounds.front().map_or(0, |first| self.sounded_to - first.pts);
        let sound = self.outlets.wants_audio() && held < SOUND_AHEAD;
        let pictured = self.frames.front().map_or(0, |first| self.pictured_to - first.pts);
        picture && held < SOUND_MOST || sound && pictured < 2 * INTERLEAVE
    }

    fn next_due(&self, now: Pts) -> Pts {
        let hold = self.last.as_ref().map(|last| last.pts + HOLD);
        [self.frames.front().map(|f| f.pts), self.sounds.front().map(|s| s.pts), hold]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now + HOLD)
            .max(now)
    }

    fn deliver(&mut self, now: Pts) {
        let (video, audio) = (self.outlets.wants_video(), self.outlets.wants_audio());
        if !video {
            self.frames.clear();
            self.last = None;
        }
        let (mut late, mut fresh) = (None, false);
        while let Some(frame) = self.frames.pop_front_if(|frame| frame.pts <= now) {
            if now - frame.pts > TOO_LATE {
                self.skipped += 1;
                late = Some(frame.pts);
                continue;
            }
            fresh = true;
            self.last = Some(frame.clone());
            self.outlets.ring.push(frame);
        }
        if let Some(last) = self.last.as_mut()
            && now - last.pts >= HOLD
        {
            *last = last.at(now);
            self.outlets.ring.push(last.clone());
        }
        while let Some(block) = self.sounds.pop_front_if(|block| block.pts <= now + SOUND_EARLY) {
            if !video {
                (late, fresh) = if now - block.pts > TOO_LATE { (Some(block.pts), fresh) } else { (late, true) };
            }
            if audio {
                self.outlets.queue.push(block);
            }
        }
        if fresh {
            self.behind_since = None;
        } else if let Some(late) = late {
            self.fall_behind(now, late);
        }
    }

    /// All that became due is late, `late` the last of it. Soon after the process was stopped that passes: the clock is
    /// kept. Else nothing would ever be shown again: the file goes on from where it is.
    fn fall_behind(&mut self, now: Pts, late: Pts) {
        if now - *self.behind_since.get_or_insert(now) < BEHIND {
            return;
        }
        self.behind_since = None;
        let shift = now - late;
        self.base = self.base + shift;
        self.pictured_to = self.pictured_to + shift;
        self.sounded_to = self.sounded_to + shift;
        for frame in &mut self.frames {
            *frame = frame.at(frame.pts + shift);
        }
        for block in &mut self.sounds {
            block.pts = block.pts + shift;
        }
        if self.said_behind.is_none_or(|said| now - said > SAY_AGAIN) {
            self.said_behind = Some(now);
            tracing::warn!(name = self.outlets.name, shift_ms = shift / NANOS_PER_MS, "a file decodes slower than it plays");
            let news = if self.outlets.wants_video() { &self.outlets.video_news } else { &self.outlets.audio_news };
            news.add(Health::new(HealthCode::ProgramLate));
        }
    }

    fn read(&mut self, now: Pts) {
        let Some(reader) = self.reader.as_mut() else { return };
        match reader.next() {
            Ok(Some(piece)) => {
                self.damaged = 0;
                if self.lost {
                    self.lost = false;
                    self.outlets.tell(false);
                }
                match piece {
                    Decoded::Video(frame) => self.take_frame(frame),
                    Decoded::Audio(block) => self.take_sound(block),
                }
            }
            Ok(None) => self.turn(now),
            Err(e @ LibavError::Damaged(_)) if self.damaged < MOST_DAMAGED => {
                self.damaged += 1;
                tracing::debug!(error = %e, "a damaged piece of a file was left out");
            }
            // A file that was cut off: what it has is played again and again.
            Err(e) if self.read_to > 0 => {
                tracing::warn!(error = %e, "a file ends early");
                self.turn(now);
            }
            Err(e) => self.fail(now, &e.to_string()),
        }
    }

    fn take_frame(&mut self, frame: Frame) {
        let at;
        (self.picture, at) = self.placed(self.picture, self.sound, frame.pts.0);
        let Some(at) = self.inside(at, self.frame_length) else { return };
        self.pictured_to = self.base + at;
        if self.outlets.wants_video() {
            self.frames.push_back(frame.at(self.base + at));
        }
        // Sound that the file does not have: silence, so that nobody waits for it.
        let missing = self.pictured_to - self.sounded_to - INTERLEAVE;
        if missing > INTERLEAVE / 10 {
            self.be_silent(missing);
        }
    }

    fn take_sound(&mut self, mut block: AudioBlock) {
        let length = block.end() - block.pts;
        let at;
        (self.sound, at) = self.placed(self.sound, self.picture, block.pts.0);
        let Some(at) = self.inside(at, length) else { return };
        let channels = usize::from(block.channels.max(1));
        // Before the beginning or beyond the end lies what the encoder padded.
        let early = Pts((-at).max(0)).as_ticks(block.rate);
        let late = if self.claimed > 0 { Pts((at + length - self.claimed).max(0)).as_ticks(block.rate) } else { 0 };
        let gap = self.base + at - self.sounded_to;
        let overlap = if gap < -ROUNDING { Pts(-gap).as_ticks(block.rate).max(early) } else { early };
        let kept = i64::try_from(block.frames()).unwrap_or(0) - overlap - late;
        let (Ok(from), Ok(kept)) = (usize::try_from(overlap), usize::try_from(kept)) else { return };
        if gap > ROUNDING {
            self.be_silent(gap);
        }
        block.pts = self.base + at + Pts::from_ticks(overlap, block.rate).0;
        block.samples.truncate((from + kept) * channels);
        block.samples.drain(..from * channels);
        if kept > 0 {
            self.sounded_to = block.end();
            if self.outlets.wants_audio() {
                self.sounds.push_back(block);
            }
        }
    }

    /// Where a piece that is stamped `stamp` begins, file time: where its track `own` goes on, or, if the stamps jumped
    /// there, as far from the track `other` as the file has it.
    fn placed(&mut self, own: Place, other: Place, stamp: i64) -> (Place, i64) {
        let limit = if self.has_audio { JUMP } else { SILENT_JUMP };
        // One track may pause while the other goes on.
        let jumped = |at: i64| own.at.is_some_and(|last| at < last - JUMP_BACK) || at > self.read_to + limit;
        let place = |skew: i64| (skew, stamp.saturating_add(skew));
        // The other track may have been there before.
        let known = [own.skew, other.skew].map(place).into_iter().find(|(_, at)| !jumped(*at));
        let (skew, at) = known.unwrap_or_else(|| {
            // Its word for its length was made of the same stamps.
            self.claimed = 0;
            tracing::debug!(name = self.outlets.name, stamp, goes_on_at = self.read_to, "the stamps of a file jump");
            (self.read_to.saturating_sub(stamp), self.read_to)
        });
        (Place { skew, at: Some(at) }, at)
    }

    /// At most a few seconds: [`Self::placed`] sees to it.
    fn be_silent(&mut self, nanos: i64) {
        if !self.has_audio {
            return;
        }
        let from = self.sounded_to;
        let frames = Pts(nanos).as_ticks(SAMPLE_RATE);
        if self.outlets.wants_audio() {
            self.sounds.extend(silence(from, frames, 2));
        }
        self.sounded_to = from + nanos;
    }

    /// File time of a piece, noted as read; `None` if it begins where the file should be over.
    fn inside(&mut self, at: i64, length: i64) -> Option<i64> {
        if self.claimed > 0 && at > self.claimed + LENGTH_TOLERANCE {
            tracing::warn!(claimed_ms = self.claimed / NANOS_PER_MS, "a file is longer than it says");
            self.claimed = 0;
        }
        self.read_to = self.read_to.max(at + length);
        (self.claimed == 0 || at < self.claimed).then_some(at)
    }

    /// The end of the file: back to its beginning, exactly one length later.
    fn turn(&mut self, now: Pts) {
        let believed = self.claimed > 0 && (self.claimed - self.read_to).abs() <= LENGTH_TOLERANCE;
        let length = if believed { self.claimed } else { self.read_to };
        if length < NANOS_PER_MS {
            self.fail(now, "nothing in it can be decoded");
            return;
        }
        let end = self.base + length;
        if end - self.sounded_to > ROUNDING {
            self.be_silent(end - self.sounded_to);
        }
        self.sounded_to = end;
        self.base = end;
        // The machine slept: whole passes that nobody saw are left out.
        let behind = now - self.base;
        if behind > length.max(TOO_LATE) {
            self.base = self.base + behind / length * length;
            self.sounded_to = self.base;
        }
        self.begin_pass();
        if let Some(reader) = self.reader.as_mut()
            && let Err(e) = reader.rewind()
        {
            tracing::debug!(error = %e, "a file cannot be rewound; it is opened again");
            self.open_again(now);
        }
    }

    fn begin_pass(&mut self) {
        self.read_to = 0;
        (self.picture, self.sound) = (Place::default(), Place::default());
    }

    fn open_again(&mut self, now: Pts) {
        match (self.reopen)() {
            Ok(reader) => {
                self.reader = Some(reader);
                if self.lost {
                    // It was away for an unknown time: its beginning is now.
                    self.base = now.max(self.sounded_to);
                    self.sounded_to = self.base;
                }
            }
            Err(e) => self.fail(now, &e.to_string()),
        }
    }

    fn fail(&mut self, now: Pts, why: &str) {
        self.reader = None;
        self.retry_at = now + RETRY;
        self.begin_pass();
        self.damaged = 0;
        if !self.lost {
            self.lost = true;
            tracing::warn!(why, "a file cannot be read any more");
            self.outlets.tell(true);
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        if self.skipped > 0 {
            tracing::warn!(skipped = self.skipped, "pictures of a file that were decoded too late");
        }
    }
}
