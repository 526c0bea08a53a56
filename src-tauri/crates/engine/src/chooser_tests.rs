use super::*;
use std::collections::VecDeque;

const MS: f64 = 1e6;
const TICK: i64 = NANOS_PER_SEC / 30;

/// A free-running source seen through the ring.
struct Camera {
    period: f64,
    start: f64,
    jitter: f64,
    latency: f64,
    late_jitter: f64,
    seed: u64,
    next: u64,
    waiting: VecDeque<(f64, Held)>,
    ring: VecDeque<Held>,
    drop_every: u64,
    /// Instants between which it takes no frames.
    still: (f64, f64),
}

impl Camera {
    fn new(fps: f64, ppm: f64, start: f64) -> Self {
        Self {
            period: 1e9 / fps * (1.0 + ppm / 1e6),
            start,
            jitter: 0.0,
            latency: 3.0 * MS,
            late_jitter: 0.0,
            seed: 1,
            next: 0,
            waiting: VecDeque::new(),
            ring: VecDeque::new(),
            drop_every: 0,
            still: (0.0, 0.0),
        }
    }
    fn random(&mut self) -> f64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 11) as f64 / (1_u64 << 53) as f64
    }
    /// What the ring holds at `now`.
    fn held(&mut self, now: f64) -> Vec<Held> {
        let mut seq = self.ring.back().map_or(0, |h| h.seq);
        loop {
            let ideal = self.start + self.next as f64 * self.period;
            if ideal - self.jitter > now {
                break;
            }
            let stamp = ideal + (self.random() * 2.0 - 1.0) * self.jitter;
            let arrival = stamp + self.latency + self.random() * self.late_jitter;
            self.next += 1;
            let still = self.still.0 <= ideal && ideal < self.still.1;
            if !still && (self.drop_every == 0 || !self.next.is_multiple_of(self.drop_every)) {
                self.waiting.push_back((arrival, Held { seq: 0, pts: Pts(stamp as i64) }));
            }
        }
        while self.waiting.front().is_some_and(|(arrival, _)| *arrival <= now) {
            if let Some((_, held)) = self.waiting.pop_front() {
                seq += 1;
                self.ring.push_back(Held { seq, ..held });
                if self.ring.len() > 6 {
                    self.ring.pop_front();
                }
            }
        }
        self.ring.iter().copied().collect()
    }
}

struct Outcome {
    repeats: u64,
    missed: u64,
    backwards: u64,
    ticks: u64,
    worst_offset: f64,
    delay: i64,
}

/// A second of standing by, then `seconds` live.
fn play(camera: &mut Camera, tick: i64, fps: f64, seconds: i64) -> Outcome {
    let mut chooser = FrameChooser::new(tick, 1e9 / fps, 0);
    let per_second = NANOS_PER_SEC / tick;
    let (mut last, mut out) = (None::<Held>, Outcome { repeats: 0, missed: 0, backwards: 0, ticks: 0, worst_offset: 0.0, delay: 0 });
    for n in 0..(seconds + 1) * per_second {
        let at = Pts(NANOS_PER_SEC + n * tick);
        let held = camera.held(at.0 as f64);
        let live = n > per_second;
        if n == per_second {
            chooser.go_live(at);
        }
        let before = chooser.delay();
        let chosen = chooser.choose(at, &held).map(|i| held[i]);
        assert!(!live || chooser.delay() >= before, "D is never lowered while live");
        let shown = chosen.or(last);
        if live {
            out.ticks += 1;
            match (last, chosen) {
                (Some(_), None) => out.repeats += 1,
                (Some(a), Some(b)) if b.seq < a.seq => out.backwards += 1,
                (Some(a), Some(b)) => out.missed += (b.seq - a.seq).saturating_sub(((tick as f64 / camera.period).round() as u64).max(1)),
                _ => {}
            }
            if let Some(shown) = shown {
                let off = (shown.pts.0 - (at.0 - chooser.delay())) as f64;
                out.worst_offset = out.worst_offset.max((off.abs() - camera.jitter).max(0.0));
            }
        }
        last = shown;
    }
    out.delay = chooser.delay();
    out
}

#[test]
fn a_free_running_camera_repeats_and_misses_less_than_one_percent_at_every_phase() {
    for phase in 0..10 {
        for jitter in [0.0, 2.0, 5.0, 8.0] {
            for ppm in [-200.0, -50.0, 0.0, 50.0, 200.0] {
                let mut camera = Camera::new(30.0, ppm, f64::from(phase) * TICK as f64 / 10.0);
                camera.jitter = jitter * MS;
                camera.late_jitter = jitter * MS;
                camera.seed = 77 + phase as u64;
                let out = play(&mut camera, TICK, 30.0, 300);
                let lost = out.repeats + out.missed;
                // 200 ppm over 300 s drift by 60 ms: two frames. Everything else would be the beat.
                assert!(
                    lost <= 5,
                    "phase {phase}, jitter {jitter} ms, {ppm} ppm: {} repeats, {} missed of {}",
                    out.repeats,
                    out.missed,
                    out.ticks
                );
                assert_eq!(out.backwards, 0);
                assert!(out.worst_offset < 25.0 * MS, "phase {phase} jitter {jitter} ppm {ppm}: {} ms from T - D", out.worst_offset / MS);
            }
        }
    }
}

#[test]
fn a_file_is_shown_frame_by_frame_in_step_with_its_sound() {
    for phase in 0..10 {
        let mut camera = Camera::new(30.0, 0.0, f64::from(phase) * TICK as f64 / 10.0);
        camera.latency = 0.0;
        let out = play(&mut camera, TICK, 30.0, 20);
        assert_eq!((out.repeats, out.missed), (0, 0), "phase {phase}");
        assert!(out.worst_offset < 1.0 * MS, "the sound is delayed by D: {} ms apart", out.worst_offset / MS);
    }
}

#[test]
fn ntsc_rates_are_locked_and_repeat_only_for_their_own_difference() {
    let mut camera = Camera::new(30_000.0 / 1001.0, 0.0, 9.0 * MS);
    camera.jitter = 4.0 * MS;
    let out = play(&mut camera, TICK, 30_000.0 / 1001.0, 300);
    // 0.1 % of 9000 ticks.
    assert!((8..=11).contains(&out.repeats) && out.missed <= 1, "{} repeats, {} missed", out.repeats, out.missed);
}

#[test]
fn a_camera_of_twice_the_rate_gives_every_second_frame() {
    for phase in 0..8 {
        let mut camera = Camera::new(60.0, 80.0, f64::from(phase) * TICK as f64 / 8.0);
        camera.jitter = 3.0 * MS;
        let out = play(&mut camera, TICK, 60.0, 120);
        assert!(out.repeats + out.missed <= 3, "{} repeats, {} missed", out.repeats, out.missed);
    }
}

#[test]
fn a_slow_driver_raises_the_delay_once_and_then_loses_nothing() {
    let mut camera = Camera::new(30.0, 20.0, 5.0 * MS);
    camera.latency = 70.0 * MS;
    camera.jitter = 2.0 * MS;
    let out = play(&mut camera, TICK, 30.0, 120);
    assert!(out.delay > 75_000_000, "D {} ms", out.delay / 1_000_000);
    assert!(out.repeats + out.missed <= 8, "{} repeats, {} missed", out.repeats, out.missed);
}

#[test]
fn frames_lost_at_the_source_cost_one_repeat_each() {
    for latency in [3.0, 30.0] {
        let mut camera = Camera::new(30.0, 0.0, 5.0 * MS);
        camera.jitter = 3.0 * MS;
        camera.latency = latency * MS;
        camera.drop_every = 30;
        let out = play(&mut camera, TICK, 30.0, 60);
        assert!(out.repeats <= 64 && out.missed <= 3, "{} repeats, {} missed for 60 lost", out.repeats, out.missed);
        assert!(out.delay < 9 * TICK / 4, "a longer wait brings none back: D {} ms", out.delay / 1_000_000);
    }
}

#[test]
fn a_camera_that_stands_still_for_a_while_does_not_raise_the_delay() {
    for phase in 0..10 {
        let mut camera = Camera::new(30.0, 50.0, f64::from(phase) * TICK as f64 / 10.0);
        camera.jitter = 3.0 * MS;
        camera.late_jitter = 3.0 * MS;
        camera.still = (4e9, 6e9);
        let out = play(&mut camera, TICK, 30.0, 60);
        assert!(out.delay < 9 * TICK / 4, "phase {phase}: D {} ms", out.delay / 1_000_000);
        assert!((58..=64).contains(&out.repeats) && out.missed <= 2, "phase {phase}: {} repeats, {} missed", out.repeats, out.missed);
    }
}

#[test]
fn a_camera_that_slows_down_in_the_dark_keeps_moving() {
    let mut camera = Camera::new(15.0, 0.0, 5.0 * MS);
    camera.jitter = 3.0 * MS;
    // It names 30 and gives 15: each frame is shown twice.
    let out = play(&mut camera, TICK, 30.0, 60);
    assert_eq!(out.backwards, 0);
    assert!(out.missed <= 3, "{} missed", out.missed);
    assert!((895..=905).contains(&out.repeats), "{} repeats of 1800", out.repeats);
}

#[test]
fn rates_that_do_not_fit_take_the_nearest_and_never_go_back() {
    let mut camera = Camera::new(25.0, 100.0, 5.0 * MS);
    camera.jitter = 5.0 * MS;
    let out = play(&mut camera, TICK, 25.0, 60);
    assert_eq!(out.backwards, 0);
    assert!(out.missed <= 3, "{} missed", out.missed);
}

#[test]
fn a_source_that_begins_anew_is_followed() {
    let mut chooser = FrameChooser::new(TICK, TICK as f64, 0);
    let held = |from: u64, at: i64| (0..4).map(|i| Held { seq: from + i, pts: Pts(at + i as i64 * TICK) }).collect::<Vec<_>>();
    assert!(chooser.choose(Pts(10 * TICK), &held(100, 6 * TICK)).is_some());
    assert!(chooser.choose(Pts(40 * TICK), &held(1, 36 * TICK)).is_some(), "smaller numbers: another source");
}

/// A source of `fps` in the place of one that left D at `inherited` ms: pictures a second, and the longest standstill, ms.
fn after(inherited: i64, fps: f64) -> (f64, f64) {
    let mut chooser = FrameChooser::new(TICK, 1e9 / fps, inherited * 1_000_000);
    let begun = Pts(NANOS_PER_SEC);
    let mut camera = Camera::new(fps, 0.0, begun.0 as f64);
    camera.latency = 30.0 * MS;
    let (mut at, mut shown, mut last, mut longest) = (begun, 0, begun, 0);
    for _ in 0..300 {
        at = at + TICK;
        // Its first pictures come late, whoever waits for them.
        if chooser.choose(at, &camera.held(at.0 as f64)).is_some() && at - begun > NANOS_PER_SEC {
            longest = longest.max(if shown == 0 { 0 } else { at - last });
            (shown, last) = (shown + 1, at);
        }
    }
    (f64::from(shown) / 9.0, longest as f64 / MS)
}

#[test]
fn a_source_is_not_held_to_a_delay_that_its_ring_does_not_reach() {
    // A camera that was late, and then a clip from a phone; a file that was slow, and then the camera.
    for (inherited, fps) in [(75, 30.0), (142, 60.0), (250, 30.0), (1250, 30.0)] {
        let (pictures, longest) = after(inherited, fps);
        assert!(pictures > 29.0 && longest < 70.0, "{pictures} a second and {longest} ms still after {inherited} ms at {fps}");
    }
}

#[test]
fn a_source_with_seldom_pictures_is_not_waited_for() {
    for fps in [5.0, 2.0, 0.5] {
        assert!(FrameChooser::new(TICK, 1e9 / fps, 0).delay() <= 150 * 1_000_000, "at {fps}");
    }
    // A canvas as slow takes its frames in order.
    assert_eq!(FrameChooser::new(NANOS_PER_SEC / 5, 1e9 / 5.0, 0).delay(), 250 * 1_000_000);
}
