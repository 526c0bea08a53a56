//! Sound on the program clock: exact blocks of 1024 sample frames, delayed by the same D as the picture, silence where
//! nothing came, and an encoder while a show runs. Its thread is `enc:audio`.

use crate::encode::{Outlets, SoundEncoder};
use crate::feed::{Delay, Feed, PreviewWish, Slot};
use crate::guard::guarded;
use crate::hub::Hub;
use crate::protocol::Event;
use crate::sound_line::{SoundLine, sample_at};
use crate::timing;
use stallcast_clock::spawn_thread;
use stallcast_compose::{Meter, Mixer};
use stallcast_media::{AudioBlock, AudioSource, BLOCK_FRAMES, Health, HealthCode, NANOS_PER_MS, NANOS_PER_SEC, Pts, SAMPLE_RATE};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a block waits for sound that a driver delivers late, after the program time it belongs to is over.
const PATIENCE: i64 = 150 * NANOS_PER_MS;
/// How long it waits at most for a source that was measured to be later. Sound beyond that is not heard.
const MOST_PATIENCE: i64 = 960 * NANOS_PER_MS;
/// A source that is too late to be heard is told again after this time.
const SAY_AGAIN: i64 = 30 * NANOS_PER_SEC;
/// Sound that came too late twice within this time comes late again.
const LATE_WINDOW: i64 = 10 * NANOS_PER_SEC;
/// Waited longer than was measured.
const SLACK: i64 = 20 * NANOS_PER_MS;
/// Between two looks for sound that is late.
const NAP: i64 = 8 * NANOS_PER_MS;
/// Samples by which one block may be stretched or squeezed to follow another D: 0.5 %, not heard.
const STRETCH: i64 = 5;
const BLOCK: i64 = BLOCK_FRAMES as i64;

/// Where microphone sound comes from; `None` is silence.
pub(crate) type Source = Option<Box<dyn AudioSource>>;

/// The running sound of the program.
pub(crate) struct Sound {
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Control {
    source: Slot<Source>,
    show: Slot<SoundShow>,
    muted: AtomicBool,
    stop: AtomicBool,
}

/// What the sound of one show needs.
pub(crate) struct SoundShow {
    pub(crate) feed: Feed,
    pub(crate) encoder: SoundEncoder,
    pub(crate) outlets: Outlets,
    pub(crate) done: Done,
}

/// Tells that an encoder has flushed its last packet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done(Arc<(Mutex<bool>, Condvar)>);

impl Done {
    pub(crate) fn set(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
    /// False if it did not come within `limit`.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let done = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, _) = self.0.1.wait_timeout_while(done, limit, |done| !*done).unwrap_or_else(PoisonError::into_inner);
        *done
    }
}

impl Sound {
    /// Starts the thread.
    ///
    /// # Errors
    /// The OS gives none.
    pub(crate) fn start(source: Source, delay: Delay, muted: bool, watched: PreviewWish, hub: Hub) -> std::io::Result<Self> {
        let control = Arc::new(Control::default());
        control.muted.store(muted, Ordering::Relaxed);
        let shared = Arc::clone(&control);
        let thread = spawn_thread("enc:audio", move || {
            let mut desk = Desk::new(source, delay, watched, hub.clone(), shared);
            guarded("sound", &hub, |run| {
                if run > 0 {
                    desk.recover();
                }
                desk.run();
            });
        })?;
        Ok(Self { control, thread: Some(thread) })
    }

    pub(crate) fn replace_source(&self, source: Source) {
        drop(self.control.source.put(source));
    }

    pub(crate) fn set_muted(&self, muted: bool) {
        self.control.muted.store(muted, Ordering::Relaxed);
    }

    pub(crate) fn begin(&self, show: SoundShow) {
        drop(self.control.show.put(show));
    }
}

impl Drop for Sound {
    fn drop(&mut self) {
        self.control.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sound thread ended with a panic");
        }
    }
}

/// How long blocks wait for one source. Grows when sound comes that a block was made without; picture and sound keep
/// their times, only the packets of the sound are made later.
#[derive(Debug)]
struct Patience {
    nanos: i64,
    /// Program time of the first sample that was missed, sample frames.
    missed: Option<i64>,
    /// When such a sample came.
    late: Option<Pts>,
    /// When a person was told that it is too late to be heard.
    said: Option<Pts>,
}

impl Patience {
    const fn new() -> Self {
        Self { nanos: PATIENCE, missed: None, late: None, said: None }
    }

    /// A block that ends at program time `end`, sample frames, was made without all of its sound.
    fn miss(&mut self, end: i64) {
        self.missed.get_or_insert(end - 1);
    }

    /// A source's block that belongs to the program times `from..to`, sample frames, came now. True if a person must know that
    /// it comes too late to be heard.
    fn come(&mut self, now: Pts, from: i64, to: i64) -> bool {
        let Some(missed) = self.missed.filter(|missed| *missed < to) else { return false };
        self.missed = None;
        // Later sound in its place: the source had stopped, and a longer wait brings nothing.
        if from > missed {
            return false;
        }
        let again = self.late.replace(now).is_some_and(|before| now - before < LATE_WINDOW);
        let nanos = now - Pts::from_ticks(from, SAMPLE_RATE) + SLACK;
        // Once is an accident, of this process or of the source.
        if again && (self.nanos + 1..=MOST_PATIENCE).contains(&nanos) {
            self.nanos = nanos;
            tracing::info!(waits_ms = nanos / NANOS_PER_MS, "sound comes late and is waited for longer");
        }
        let tell = again && nanos > MOST_PATIENCE && self.said.is_none_or(|said| now - said >= SAY_AGAIN);
        if tell {
            self.said = Some(now);
        }
        tell
    }
}

struct Desk {
    control: Arc<Control>,
    source: Source,
    line: SoundLine,
    patience: Patience,
    delay: Delay,
    /// D as the sound follows it, sample frames.
    delayed: i64,
    /// Program time of the next block, sample frames of the monotonic clock.
    next: i64,
    mixer: Mixer,
    meter: Meter,
    /// Levels are for whoever looks.
    watched: PreviewWish,
    hub: Hub,
    waiting: Option<SoundShow>,
    show: Option<Running>,
    scratch: Vec<[f32; 2]>,
}

struct Running {
    show: SoundShow,
    begin: i64,
    blocks: i64,
    silent: u64,
}

impl Desk {
    fn new(source: Source, delay: Delay, watched: PreviewWish, hub: Hub, control: Arc<Control>) -> Self {
        Self {
            control,
            source,
            line: SoundLine::default(),
            patience: Patience::new(),
            delayed: sample_at(Pts(delay.get())),
            delay,
            next: sample_at(timing::now()),
            mixer: Mixer::new(),
            meter: Meter::new(),
            watched,
            hub,
            waiting: None,
            show: None,
            scratch: vec![[0.0; 2]; BLOCK_FRAMES],
        }
    }

    /// After a crash: the line and the mixer may be damaged; source, count and encoder go on.
    fn recover(&mut self) {
        self.line.clear();
        self.mixer = Mixer::new();
        self.meter = Meter::new();
        // The block that crashed is left out: it would crash again.
        self.next += BLOCK;
        if let Some(running) = &mut self.show {
            running.blocks += 1;
        }
    }

    fn run(&mut self) {
        while !self.control.stop.load(Ordering::Acquire) {
            self.take_orders();
            if let Some(source) = &mut self.source {
                for block in source.take() {
                    let (from, to) = (sample_at(block.pts) + self.delayed, sample_at(block.end()) + self.delayed);
                    if self.patience.come(timing::now(), from, to) {
                        self.hub.health(Health::new(HealthCode::MicLate).with("device", source.name()));
                    }
                    self.line.push(&block);
                }
                for health in source.health() {
                    self.hub.health(health);
                }
            }
            self.begin_show();
            while self.is_due() {
                self.block();
            }
            timing::sleep_until(self.wake(timing::now()));
        }
        self.finish();
    }

    fn take_orders(&mut self) {
        if let Some(source) = self.control.source.take() {
            let old = std::mem::replace(&mut self.source, source);
            self.line.clear();
            self.patience = Patience::new();
            // The old device may take its time to stop.
            if old.is_some() && spawn_thread("source-stop", move || drop(old)).is_err() {
                tracing::warn!("the old source was stopped on the sound thread");
            }
        }
        if let Some(show) = self.control.show.take() {
            self.waiting = Some(show);
        }
        let muted = self.control.muted.load(Ordering::Relaxed);
        if muted != self.mixer.is_muted() {
            self.mixer.set_muted(muted);
        }
    }

    /// A show begins with the sample that sounds at its first frame.
    fn begin_show(&mut self) {
        let Some(begin) = self.waiting.as_ref().and_then(|show| show.feed.span.begin()) else {
            // Told to end before the first frame.
            if self.waiting.as_ref().is_some_and(|show| show.feed.is_ending() && show.feed.span.end().is_some()) {
                self.waiting = None;
            }
            return;
        };
        if let Some(show) = self.waiting.take() {
            self.finish();
            self.next = sample_at(begin);
            self.delayed = sample_at(Pts(self.delay.get()));
            self.show = Some(Running { show, begin: self.next, blocks: 0, silent: 0 });
        }
    }

    /// The instant from which the next block may be made without all of its sound.
    fn due(&self) -> Pts {
        let end = Pts::from_ticks(self.next + BLOCK, SAMPLE_RATE);
        end + if self.source.is_some() { self.patience.nanos } else { 0 }
    }

    /// When to look again: a block is not made before it begins, and its sound has mostly come by then; late sound is looked for.
    fn wake(&self, now: Pts) -> Pts {
        let begins = Pts::from_ticks(self.next, SAMPLE_RATE);
        let wake = match &self.source {
            None => self.due(),
            Some(_) if begins > now => begins,
            Some(_) => self.due().min(now + NAP),
        };
        wake.max(now + NANOS_PER_MS)
    }

    fn is_due(&self) -> bool {
        let now = timing::now();
        let begun = now >= Pts::from_ticks(self.next, SAMPLE_RATE);
        let complete = self.line.end() >= self.next + BLOCK - self.delayed + STRETCH;
        (begun && self.source.is_some() && complete) || now >= self.due()
    }

    /// One block of the program.
    fn block(&mut self) {
        let wanted = sample_at(Pts(self.delay.get()));
        // Standing by nobody hears a jump; in a show the sound is stretched, or squeezed, until it has followed.
        let grown = if self.show.is_some() { (wanted - self.delayed).clamp(-STRETCH, STRETCH) } else { wanted - self.delayed };
        let from = self.next - self.delayed;
        let step = if self.show.is_some() { (BLOCK - grown) as f64 / BLOCK as f64 } else { 1.0 };
        let filled = self.line.read(from as f64, step, &mut self.scratch);
        if filled.silent > 0 {
            self.patience.miss(self.next + BLOCK);
        }
        self.delayed += grown;
        let block = AudioBlock {
            pts: Pts::from_ticks(self.next, SAMPLE_RATE),
            rate: SAMPLE_RATE,
            channels: 2,
            samples: self.scratch.iter().flatten().copied().collect(),
        };
        self.next += BLOCK;
        self.line.forget_before(self.next - self.delayed);
        let mixed = self.mixer.mix(&block, None);
        if let Some(levels) = self.meter.push(&mixed)
            && self.watched.fps() > 0
        {
            self.hub.event(Event::Levels { peak_db: levels.peak_db, rms_db: levels.rms_db });
        }
        let Some(running) = &mut self.show else { return };
        if self.source.is_some() {
            running.silent += filled.silent;
        }
        let pts = Pts::from_ticks(running.blocks * BLOCK, SAMPLE_RATE);
        running.blocks += 1;
        let ended =
            running.show.feed.span.end().is_some_and(|end| Pts::from_ticks(running.begin + running.blocks * BLOCK, SAMPLE_RATE) >= end);
        running.show.encode(&AudioBlock { pts, ..mixed });
        if ended {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(mut running) = self.show.take() {
            running.show.flush();
            let (blocks, silent, spliced) = (running.blocks, running.silent, self.line.spliced());
            tracing::info!(blocks, silent, spliced, "sound of the show ended");
        }
    }
}

impl SoundShow {
    fn encode(&mut self, block: &AudioBlock) {
        match self.encoder.encode(block) {
            Ok(packets) => {
                self.feed.counters.add_audio_blocks(1);
                self.outlets.send_all(packets);
            }
            Err(e) => {
                tracing::error!(error = %e, "a block could not be encoded");
            }
        }
    }

    fn flush(&mut self) {
        match self.encoder.finish() {
            Ok(packets) => self.outlets.send_all(packets),
            Err(e) => tracing::error!(error = %e, "the last sound could not be encoded"),
        }
    }
}

impl Drop for SoundShow {
    fn drop(&mut self) {
        self.done.set();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(samples: i64) -> i64 {
        samples * 1000 / i64::from(SAMPLE_RATE)
    }

    /// A source that delivers 20 ms at a time, each so many ms after its end; how much of its sixth second is missed, and how
    /// long blocks wait then, ms.
    fn listen(late: impl Fn(i64) -> Option<i64>) -> (i64, i64) {
        let (missed, waits, _) = listen_and_hear(late);
        (missed, waits)
    }

    /// With how often a person is told that it is too late.
    fn listen_and_hear(late: impl Fn(i64) -> Option<i64>) -> (i64, i64, u32) {
        const CHUNK: i64 = 960;
        let mut patience = Patience::new();
        let (mut taken, mut end, mut next, mut missed, mut told) = (0, 0, 0, 0, 0);
        for now_ms in 0..6000 {
            let now = Pts::from_ms(now_ms);
            while ms(taken + CHUNK) + late(ms(taken)).unwrap_or(0) <= now_ms {
                if late(ms(taken)).is_some() {
                    told += u32::from(patience.come(now, taken, taken + CHUNK));
                    end = taken + CHUNK;
                }
                taken += CHUNK;
            }
            while end >= next + BLOCK || now >= Pts::from_ticks(next + BLOCK, SAMPLE_RATE) + patience.nanos {
                if end < next + BLOCK {
                    patience.miss(next + BLOCK);
                    missed += if now_ms >= 5000 { BLOCK } else { 0 };
                }
                next += BLOCK;
            }
        }
        (ms(missed), patience.nanos / NANOS_PER_MS, told)
    }

    #[test]
    fn blocks_wait_as_long_as_the_source_is_late_up_to_a_limit() {
        assert_eq!(listen(|_| Some(0)), (0, 150));
        assert_eq!(listen(|_| Some(120)), (0, 150));
        for late in [160, 300, 700, 900] {
            let (missed, waits) = listen(|_| Some(late));
            assert!(missed == 0 && (late..=late + 60).contains(&waits), "{late} ms late: {missed} ms missed, waits {waits} ms");
        }
        assert_eq!(listen(|_| Some(1500)).1, 150, "to wait would not help");
        let told = [20, 900, 1500].map(|late| listen_and_hear(|_| Some(late)).2);
        assert_eq!(told, [0, 0, 1], "nobody can hear it: that is told, once in a while");
    }

    #[test]
    fn one_accident_and_a_source_that_stops_are_not_waited_for_longer() {
        assert_eq!(listen(|at| (!(2000..3000).contains(&at)).then_some(20)), (0, 150));
        assert_eq!(listen(|at| Some(if (2000..2500).contains(&at) { 2500 - at } else { 20 })), (0, 150));
    }
}
