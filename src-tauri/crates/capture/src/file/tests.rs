use super::player::{Next, Outlets, Player, Reader, SOUND_EARLY, Tracks};
use stallcast_libav::{Decoded, LibavError};
use stallcast_media::{AudioBlock, Frame, HealthCode, NANOS_PER_MS, NANOS_PER_SEC, PixelFormat, Pts, SAMPLE_RATE, VideoFormat};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const FORMAT: VideoFormat = VideoFormat { width: 2, height: 2, pixel: PixelFormat::I420 };
const START: Pts = Pts(1_234_567_891_011);

/// A file in memory; each picture's first byte is its number.
#[derive(Clone, Default)]
struct Reel {
    pieces: Vec<Decoded>,
    left: VecDeque<Decoded>,
    fails_after: Option<usize>,
    opened: Arc<AtomicUsize>,
}

impl Reel {
    fn new(frames: i64, rate: u32, samples: i64) -> Self {
        let mut pieces: Vec<(i64, Decoded)> = (0..frames)
            .map(|n| {
                let pts = Pts::from_ticks(n, rate);
                (pts.0, Decoded::Video(Frame::new(FORMAT, pts, false, vec![n as u8; FORMAT.bytes()].into())))
            })
            .collect();
        // Sound comes in blocks of 1024 and lies half a second behind the picture in the file.
        for n in 0..(samples + 1023) / 1024 {
            let pts = Pts::from_ticks(n * 1024, SAMPLE_RATE);
            pieces.push((pts.0 + NANOS_PER_SEC / 2, Decoded::Audio(sound(pts, 1024, n))));
        }
        pieces.sort_by_key(|(at, _)| *at);
        let pieces: Vec<_> = pieces.into_iter().map(|(_, piece)| piece).collect();
        Self { left: pieces.iter().cloned().collect(), pieces, ..Self::default() }
    }
}

impl Reel {
    /// The same in the same order, stamped otherwise.
    fn restamped(self, stamp: impl Fn(Pts) -> Pts) -> Self {
        let again = |piece: &Decoded| match piece {
            Decoded::Video(frame) => Decoded::Video(frame.at(stamp(frame.pts))),
            Decoded::Audio(block) => Decoded::Audio(AudioBlock { pts: stamp(block.pts), ..block.clone() }),
        };
        let pieces: Vec<_> = self.pieces.iter().map(again).collect();
        Self { left: pieces.iter().cloned().collect(), pieces, ..self }
    }
}

/// Stereo sound whose samples carry their number in the file.
fn sound(pts: Pts, frames: i64, block: i64) -> AudioBlock {
    let samples = (0..frames).flat_map(|i| [(block * 1024 + i + 1) as f32; 2]).collect();
    AudioBlock { pts, rate: SAMPLE_RATE, channels: 2, samples }
}

impl Reader for Reel {
    fn next(&mut self) -> Result<Option<Decoded>, LibavError> {
        if self.fails_after.is_some_and(|n| self.pieces.len() - self.left.len() >= n) {
            return Err(LibavError::Failed { what: "read", detail: "gone".to_owned() });
        }
        Ok(self.left.pop_front())
    }
    fn rewind(&mut self) -> Result<(), LibavError> {
        self.left = self.pieces.iter().cloned().collect();
        Ok(())
    }
}

struct Screening {
    player: Player,
    outlets: Outlets,
    now: Pts,
    frames: Vec<(Pts, u8)>,
    sounds: Vec<AudioBlock>,
    seen: u64,
    most_ahead: i64,
    /// What reading one piece takes, ns.
    cost: i64,
    /// How often the player wanted to be woken.
    naps: u32,
}

impl Screening {
    fn new(reel: Reel, fps: Option<f64>, duration: i64, video: bool, audio: bool) -> Self {
        let outlets = Outlets::new("a film.ts".to_owned());
        outlets.video.store(video, Ordering::Relaxed);
        outlets.audio.store(audio, Ordering::Relaxed);
        let has_audio = reel.pieces.iter().any(|p| matches!(p, Decoded::Audio(_)));
        let again = reel.clone();
        let reopen = move || {
            again.opened.fetch_add(1, Ordering::Relaxed);
            let mut reel = Reel { fails_after: None, ..again.clone() };
            reel.rewind()?;
            Ok(Box::new(reel) as Box<dyn Reader>)
        };
        let tracks = Tracks { video: fps, audio: has_audio, duration };
        let player = Player::new(Box::new(reel), Box::new(reopen), tracks, START, outlets.clone());
        Self { player, outlets, now: START, frames: vec![], sounds: vec![], seen: 0, most_ahead: 0, cost: 0, naps: 0 }
    }

    /// Lets time pass, always waking exactly when the player asked to be woken.
    fn play(&mut self, until: i64) -> &mut Self {
        while self.now - START < until {
            let next = self.player.step(self.now);
            for (number, frame) in self.outlets.ring.frames() {
                if number > self.seen {
                    self.seen = number;
                    self.frames.push((frame.pts, frame.bytes()[0]));
                    assert!(frame.pts <= self.now, "before its time");
                }
            }
            for block in self.outlets.queue.take() {
                self.most_ahead = self.most_ahead.max(block.pts - self.now);
                self.sounds.push(block);
            }
            match next {
                Next::Now => self.now = self.now + self.cost,
                Next::At(at) => {
                    assert!(at > self.now || self.now == START, "woken for nothing at {}", self.now - START);
                    self.now = at.max(self.now + 1);
                    self.naps += 1;
                }
            }
        }
        self
    }
}

#[test]
fn three_passes_lie_exactly_one_length_apart() {
    // 2 s of picture at 29.97, sound a little longer than that: the longer track is the length.
    let duration = 2_050_000_000;
    let mut show = Screening::new(Reel::new(59, 30, 98_400), Some(30.0), duration, true, true);
    show.play(3 * duration + NANOS_PER_SEC / 4);
    for (i, (pts, number)) in show.frames.iter().take(3 * 59).enumerate() {
        let (pass, n) = (i as i64 / 59, i as i64 % 59);
        assert_eq!(*pts, START + pass * duration + Pts::from_ticks(n, 30).0, "pass {pass} frame {n}");
        assert_eq!(i64::from(*number), n);
    }
    // Sound: sample n of pass p at START + p * duration + n/48000, nothing missing, nothing twice.
    let mut expected = START;
    let mut first_of_pass = vec![];
    for block in &show.sounds {
        assert!((block.pts - expected).abs() <= 1, "a hole of {} ns", block.pts - expected);
        expected = block.end();
        if block.samples.first() == Some(&1.0) {
            first_of_pass.push(block.pts);
        }
    }
    assert_eq!(first_of_pass, (0..4).map(|p| START + p * duration).collect::<Vec<_>>());
    assert!((1..=SOUND_EARLY).contains(&show.most_ahead), "sound comes {} ns early", show.most_ahead);
    let pictures = u32::try_from(show.frames.len()).expect("few");
    assert!(show.naps <= pictures + 20, "woken {} times for {pictures} pictures: sound comes with them", show.naps);
}

#[test]
fn the_padding_of_an_encoder_is_cut_at_the_length_of_the_file() {
    let duration = NANOS_PER_SEC;
    let mut show = Screening::new(Reel::new(30, 30, 49_000), Some(30.0), duration, true, true);
    show.play(3 * duration);
    let longest = show.sounds.iter().flat_map(|b| b.samples.iter()).fold(0.0_f32, |a, b| a.max(*b));
    assert_eq!(longest, 48_000.0, "48000 samples in one second, however many the file holds");
}

#[test]
fn a_length_that_is_not_true_is_found_out() {
    for claimed in [0, 10 * NANOS_PER_SEC, NANOS_PER_SEC / 4] {
        let mut show = Screening::new(Reel::new(60, 30, 0), Some(30.0), claimed, true, false);
        show.play(7 * NANOS_PER_SEC);
        let starts: Vec<i64> = show.frames.iter().filter(|(_, n)| *n == 0).map(|(pts, _)| (*pts - START) / NANOS_PER_MS).collect();
        let steps: Vec<i64> = starts.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(steps.iter().all(|step| (1999..=2001).contains(step)), "claimed {claimed}: {starts:?}");
    }
}

#[test]
fn sound_that_ends_before_the_picture_goes_on_as_silence_and_picture_that_ends_first_holds() {
    let duration = 6 * NANOS_PER_SEC;
    let mut show = Screening::new(Reel::new(180, 30, 48_000), Some(30.0), duration, true, true);
    show.play(2 * duration);
    let mut expected = START;
    for block in &show.sounds {
        assert!((block.pts - expected).abs() <= 1_000, "a hole of {} ns", block.pts - expected);
        expected = block.end();
    }
    // One picture and six seconds of sound.
    let mut show = Screening::new(Reel::new(1, 30, 6 * 48_000), Some(30.0), duration, true, true);
    show.play(2 * duration);
    let gaps: Vec<i64> = show.frames.windows(2).map(|w| w[1].0 - w[0].0).collect();
    assert!(gaps.iter().all(|gap| *gap <= NANOS_PER_SEC / 2 + NANOS_PER_MS), "{gaps:?}");
}

#[test]
fn what_is_late_is_left_out_and_the_clock_is_kept() {
    let mut show = Screening::new(Reel::new(60, 30, 96_000), Some(30.0), 2 * NANOS_PER_SEC, true, true);
    show.play(NANOS_PER_SEC);
    // The process was stopped for a minute.
    show.now = START + 61 * NANOS_PER_SEC;
    show.frames.clear();
    show.play(63 * NANOS_PER_SEC);
    let (pts, number) = *show.frames.last().expect("it goes on");
    assert_eq!((pts - START).rem_euclid(2 * NANOS_PER_SEC) / (NANOS_PER_SEC / 30), i64::from(number), "still on the file's own grid");
    assert!(show.now - pts < NANOS_PER_SEC / 10);
    assert!(show.frames.len() < 90, "a minute of pictures is not shown in a burst");
}

#[test]
fn a_file_that_breaks_is_lost_and_comes_back() {
    let reel = Reel { fails_after: Some(0), ..Reel::new(30, 30, 48_000) };
    let opened = Arc::clone(&reel.opened);
    let mut show = Screening::new(reel, Some(30.0), NANOS_PER_SEC, true, true);
    show.play(3 * NANOS_PER_SEC);
    let news = show.outlets.video_news.take();
    assert!(news.iter().all(|h| h.params.get("device").is_some_and(|name| name == "a film.ts")), "{news:?}");
    let codes: Vec<_> = news.into_iter().map(|h| h.code).collect();
    assert_eq!(codes, [HealthCode::CameraLost, HealthCode::CameraBack]);
    let codes: Vec<_> = show.outlets.audio_news.take().into_iter().map(|h| h.code).collect();
    assert_eq!(codes, [HealthCode::MicLost, HealthCode::MicBack]);
    assert_eq!(opened.load(Ordering::Relaxed), 1);
    assert!(show.frames.len() > 50, "{}", show.frames.len());
}

#[test]
fn only_the_sound_may_be_wanted() {
    let mut show = Screening::new(Reel::new(60, 30, 96_000), Some(30.0), 2 * NANOS_PER_SEC, false, true);
    show.play(5 * NANOS_PER_SEC);
    assert!(show.frames.is_empty());
    let total: usize = show.sounds.iter().map(AudioBlock::frames).sum();
    assert!(total > 4 * 48_000, "{total}");
}

#[test]
fn stamps_that_jump_cost_neither_time_nor_memory() {
    const LENGTH: i64 = 6 * NANOS_PER_SEC;
    const CUT: Pts = Pts(LENGTH / 2);
    const DAMAGED: Pts = Pts(NANOS_PER_SEC);
    type Stamp = fn(Pts) -> Pts;
    let jumps: [(&str, i64, Stamp); 5] = [
        ("a part was cut out", LENGTH + 100 * NANOS_PER_SEC, |at| if at < CUT { at } else { at + 100 * NANOS_PER_SEC }),
        ("two files in one", LENGTH / 2, |at| if at < CUT { at } else { at + -CUT.0 }),
        ("two short ones", LENGTH, |at| if at.0 < LENGTH - NANOS_PER_SEC { at } else { at + -NANOS_PER_SEC }),
        ("one stamp is wrong", LENGTH, |at| if at == DAMAGED { at + 1000 * NANOS_PER_SEC } else { at }),
        ("one stamp is nothing", LENGTH, |at| if at == DAMAGED { at + -1000 * NANOS_PER_SEC } else { at }),
    ];
    for (what, claimed, stamp) in jumps {
        let mut show = Screening::new(Reel::new(180, 30, 6 * 48_000).restamped(stamp), Some(30.0), claimed, true, true);
        show.play(2 * LENGTH - NANOS_PER_SEC / 10);
        let numbers: Vec<u8> = show.frames.iter().map(|(_, number)| *number).collect();
        assert_eq!(numbers[..350], (0..180).cycle().take(350).collect::<Vec<_>>(), "{what}: every picture, once");
        let steps: Vec<i64> = show.frames.windows(2).map(|w| (w[1].0 - w[0].0) / NANOS_PER_MS).collect();
        assert!(steps.iter().all(|step| (25..=60).contains(step)), "{what}: {steps:?}");
        // The last block of a pass is longer than it.
        let silent = show.sounds.iter().filter(|block| block.samples.first() == Some(&0.0)).count();
        assert!(silent <= 2, "{what}: {silent} silent blocks");
        let together: i64 = show.sounds.iter().map(|block| block.end() - block.pts).sum();
        assert!((together - 2 * LENGTH).abs() < NANOS_PER_SEC / 2, "{what}: {together} ns of sound");
    }
}

#[test]
fn pictures_that_come_faster_than_the_mean_are_no_jump() {
    // It says one picture a second: a recording of a screen on which something moves now and then.
    let mut show = Screening::new(Reel::new(60, 30, 96_000), Some(1.0), 2 * NANOS_PER_SEC, true, true);
    show.play(2 * NANOS_PER_SEC);
    for (n, (pts, number)) in (0..).zip(&show.frames) {
        assert_eq!((*pts, i64::from(*number)), (START + Pts::from_ticks(n, 30).0, n));
    }
    assert_eq!(show.frames.len(), 60);
}

#[test]
fn a_picture_that_stays_for_seconds_is_no_jump() {
    // A slow series of pictures, without sound and with it.
    for samples in [0, 20 * 48_000] {
        let reel = Reel::new(1, 30, samples);
        let pictures =
            (1..4).map(|n| Decoded::Video(Frame::new(FORMAT, Pts(n * 5 * NANOS_PER_SEC), false, vec![n as u8; FORMAT.bytes()].into())));
        let mut pieces: Vec<Decoded> = reel.pieces.iter().cloned().chain(pictures).collect();
        pieces.sort_by_key(|piece| match piece {
            Decoded::Video(frame) => frame.pts,
            Decoded::Audio(block) => block.pts,
        });
        let reel = Reel { left: pieces.iter().cloned().collect(), pieces, ..reel };
        let mut show = Screening::new(reel, Some(30.0), 20 * NANOS_PER_SEC, true, samples > 0);
        show.play(19 * NANOS_PER_SEC);
        for n in 0..4 {
            let first = show.frames.iter().find(|(_, number)| i64::from(*number) == n).map(|(at, _)| *at - START);
            assert_eq!(first, Some(n * 5 * NANOS_PER_SEC), "picture {n}, {samples} samples");
        }
    }
}

#[test]
fn a_file_that_decodes_too_slowly_stutters_but_goes_on() {
    for (video, audio) in [(true, false), (true, true), (false, true)] {
        let mut show = Screening::new(Reel::new(600, 30, 20 * 48_000), Some(30.0), 20 * NANOS_PER_SEC, video, audio);
        // 77 pieces a second are read in 1.3.
        show.cost = 17 * NANOS_PER_MS;
        show.play(30 * NANOS_PER_SEC);
        let mut new: Vec<Pts> = show.frames.windows(2).filter(|w| w[0].1 != w[1].1).map(|w| w[1].0).collect();
        if !video {
            new = show.sounds.iter().map(|block| block.pts).collect();
        }
        let longest = new.windows(2).map(|w| (w[1] - w[0]) / NANOS_PER_MS).max();
        assert!(new.len() > 300 && longest < Some(2500), "{} new ones, the longest pause {longest:?} ms", new.len());
        assert!(show.now - *new.last().expect("some") < 2 * NANOS_PER_SEC);
        let news = if video { show.outlets.video_news.take() } else { show.outlets.audio_news.take() };
        assert_eq!(news.iter().map(|h| h.code).collect::<Vec<_>>(), [HealthCode::ProgramLate], "said once");
    }
}
