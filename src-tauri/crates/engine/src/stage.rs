//! Everything that exists while sources are open: the program clock, its sound and its preview.

use crate::error::failure;
use crate::feed::{Delay, PreviewWish};
use crate::hub::{Hub, Subject};
use crate::preview::Preview;
use crate::program::{Parts, Program};
use crate::protocol::{CameraChoice, Configuration, Failure, MicChoice, OnAir, Overlay};
use crate::sound::Sound;
use crate::sources::{self, Opened, OpenedPart};
use bytes::Bytes;
use stallcast_clock::spawn_thread;
use stallcast_compose::{Fonts, Language, OverlaySet, Slate, slate};
use stallcast_media::{Health, HealthCode, SourceId};
use std::ops::ControlFlow::{self, Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

/// What a stage shares with the rest of the process.
pub(crate) struct Surroundings<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) fonts: &'a Fonts,
    pub(crate) wish: &'a PreviewWish,
    pub(crate) muted: bool,
}

/// Sources that are not open after so long never will be: a camera has 3 s to be listed and 7 to open, a microphone 5.
const LIMIT: Duration = Duration::from_secs(20);
/// The same for those of a process that died: tried more than once, and then waited for.
const AGAIN_LIMIT: Duration = Duration::from_secs(30);
/// A show that goes on after a death begins without sources that are not open after so long: most cameras have their first picture
/// by then, and without a picture it would be without it for longer.
const WITHOUT_AFTER: Duration = Duration::from_millis(700);

/// Told when sources are open or refused; called from the thread that opened them.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// Sources that are being opened in the place of others.
pub(crate) struct Opening {
    wanted: Configuration,
    camera: bool,
    mic: bool,
    /// The present ones were let go of for it.
    released: bool,
    since: Instant,
    /// What is not there is waited for: it is open without being there.
    patient: bool,
    /// The camera that was told as lost until it is open.
    missed: Option<String>,
    /// Why `wanted` is not to be had: what was there before is being opened again.
    refused: Option<Failure>,
    result: Receiver<Result<OpenedPart, Failure>>,
}

impl Opening {
    /// How long its driver may take.
    const fn limit(&self) -> Duration {
        if self.patient { AGAIN_LIMIT } else { LIMIT }
    }

    /// The source that keeps it waiting, as far as is known.
    fn named(&self) -> String {
        let camera = match &self.wanted.camera {
            CameraChoice::Device { id } => id.clone(),
            CameraChoice::File { path } => Some(path.display().to_string()),
            CameraChoice::Demo => None,
        };
        let mic = match &self.wanted.mic {
            MicChoice::Device { id } => id.clone(),
            MicChoice::File { path } => Some(path.display().to_string()),
            MicChoice::Demo | MicChoice::None => None,
        };
        camera.filter(|_| self.camera).or(mic).unwrap_or_default()
    }
}

/// Opens something on the thread `sources`.
fn elsewhere(
    wake: &Wake,
    open: impl FnOnce() -> Result<OpenedPart, Failure> + Send + 'static,
) -> Result<Receiver<Result<OpenedPart, Failure>>, Failure> {
    let (tell, result) = sync_channel(1);
    let wake = Arc::clone(wake);
    let thread = spawn_thread("sources", move || {
        let opened = catch_unwind(AssertUnwindSafe(open));
        // A panic leaves nothing to tell: that is an answer too. Where nobody waits any more, what was opened is closed here.
        if let Ok(opened) = opened {
            let _ = tell.send(opened);
        }
        drop(tell);
        wake();
    });
    thread.map(|_| result).map_err(|e| failure("internal", &[("detail", &e)]))
}

pub(crate) struct Stage {
    // Dropped in this order: the program before what it feeds.
    pub(crate) program: Program,
    pub(crate) sound: Sound,
    /// Ends with the stage.
    _preview: Preview,
    pub(crate) configuration: Configuration,
    /// Human names of the sources; the microphone's is empty for silence.
    pub(crate) camera: String,
    pub(crate) mic: String,
    /// Of the device, wherever it is plugged in now.
    pub(crate) camera_id: SourceId,
    pub(crate) demo: bool,
    /// The sources are not open: processes before this one crashed with them, or they did not open again.
    pub(crate) spared: bool,
    pub(crate) delay: Delay,
    hub: Hub,
}

impl Stage {
    /// Opens the sources and starts everything.
    ///
    /// # Errors
    /// A source that cannot be had now, or no thread from the OS.
    pub(crate) fn open(wanted: &Configuration, around: &Surroundings<'_>) -> Result<Self, Failure> {
        Self::with(wanted, sources::open(wanted)?, around)
    }

    /// Starts everything over the sources of a process that died, or over none while they are being opened: then there is something
    /// for [`Stage::finish_again`]. Camera and microphone do not wait for each other.
    ///
    /// # Errors
    /// No thread from the OS.
    pub(crate) fn again(
        wanted: &Configuration,
        on_air: Option<OnAir>,
        around: &Surroundings<'_>,
        wake: &Wake,
    ) -> Result<(Self, Vec<Opening>), Failure> {
        let halves: &[_] = if sources::is_shared(wanted) { &[(true, true)] } else { &[(true, false), (false, true)] };
        let mut results = Vec::with_capacity(halves.len());
        for &(camera, mic) in halves {
            let (to_open, on_air) = (wanted.clone(), on_air.clone());
            results.push(((camera, mic), elsewhere(wake, move || sources::open_again(&to_open, on_air.as_ref(), camera, mic))?));
        }
        let (mut there, mut late, since) = (sources::none_yet(), Vec::new(), Instant::now());
        for ((camera, mic), result) in results {
            let Ok(part) = result.recv_timeout(WITHOUT_AFTER.saturating_sub(since.elapsed())) else {
                tracing::warn!(camera, mic, "a source takes its time; a show goes on without it until it is open");
                late.push(Opening {
                    wanted: wanted.clone(),
                    camera,
                    mic,
                    released: false,
                    since,
                    patient: true,
                    missed: None,
                    refused: None,
                    result,
                });
                continue;
            };
            let part = part?;
            if let Some(camera) = part.camera {
                there.camera = camera;
            }
            if mic {
                (there.mic, there.mic_name) = (part.mic, part.mic_name);
            }
        }
        let stage = Self::with(wanted, there, around)?;
        for opening in late.iter_mut().filter(|opening| opening.camera) {
            let missed = on_air.as_ref().map_or_else(|| opening.named(), |camera| camera.name.clone());
            around.hub.health(Health::new(HealthCode::CameraLost).with("device", &missed));
            opening.missed = Some(missed);
        }
        Ok((stage, late))
    }

    /// What [`Stage::again`] began: [`Stage::finish_change`] for sources that nobody waits for.
    pub(crate) fn finish_again(&mut self, opening: Opening, wake: &Wake) -> Option<Opening> {
        let (of_camera, named) = (opening.camera, opening.named());
        match self.finish_change(Box::new(opening), wake) {
            Continue(opening) => return Some(*opening),
            Break(Ok(())) => tracing::info!(camera = self.camera, mic = self.mic, "a source is open again"),
            // That the camera is lost was told; choosing it once more opens it.
            Break(Err(refused)) => {
                tracing::error!(code = refused.code, "a source of the process before does not open");
                if of_camera {
                    self.spared = true;
                } else {
                    self.hub.health(Health::new(HealthCode::MicLost).with("device", &named));
                }
            }
        }
        None
    }

    /// Starts everything over sources that are open already, as what `wanted` names.
    ///
    /// # Errors
    /// No thread from the OS.
    pub(crate) fn with(wanted: &Configuration, opened: Opened, around: &Surroundings<'_>) -> Result<Self, Failure> {
        let Opened { camera, mic, mic_name } = opened;
        let (hub, wish) = (around.hub, around.wish);
        hub.forget(|subject| matches!(subject, Subject::Camera | Subject::Mic));
        let internal = |e: std::io::Error| failure("internal", &[("detail", &e)]);
        let (camera_name, camera_id, demo, delay) = (camera.name(), camera.id(), camera.is_demo(), Delay::default());
        let preview = Preview::start(wish.clone(), hub.clone()).map_err(internal)?;
        let parts = Parts {
            canvas: wanted.canvas,
            source: camera,
            slate: slate(wanted.canvas, Slate::CameraLost, Language::from(wanted.language.as_str()), around.fonts),
            fonts: around.fonts.clone(),
            delay: delay.clone(),
            preview: wish.clone(),
            preview_frames: preview.frames(),
            hub: hub.clone(),
        };
        let program = Program::start(parts).map_err(internal)?;
        let sound = Sound::start(mic, delay.clone(), around.muted, wish.clone(), hub.clone()).map_err(internal)?;
        Ok(Self {
            program,
            sound,
            _preview: preview,
            configuration: wanted.clone(),
            camera: camera_name,
            mic: mic_name,
            camera_id,
            demo,
            spared: false,
            delay,
            hub: hub.clone(),
        })
    }

    /// Begins to replace the sources that differ; picture and sound of the show go on meanwhile, and so does everything that is
    /// asked of it: a driver may take seconds. `None`: nothing had to be opened, and it is done. `chosen`: by a person, who with the
    /// same again means the one that is lost. `wake` is called when there is something for [`Stage::finish_change`].
    ///
    /// # Errors
    /// The OS gives no thread.
    pub(crate) fn begin_change(&mut self, wanted: Configuration, chosen: bool, wake: &Wake) -> Result<Option<Box<Opening>>, Failure> {
        let changed = changes(&self.configuration, &wanted);
        // What was left out for its crashes is opened when somebody chooses, be it the same again: not for another language.
        let again = self.spared && (changed != (false, false) || wanted.language == self.configuration.language);
        let (camera, mic) = if again {
            (true, true)
        } else if chosen && wanted == self.configuration {
            // "The first that works" may be another one by now, and a file may be there again.
            self.lost()
        } else {
            changed
        };
        if !camera && !mic {
            self.configuration = wanted;
            return Ok(None);
        }
        let released = sources::needs_device(&wanted, camera, mic);
        let to_open = wanted.clone();
        let result = elsewhere(wake, move || sources::open_part(&to_open, None, camera, mic))?;
        if released {
            self.release(camera, mic);
        }
        Ok(Some(Box::new(Opening {
            wanted,
            camera,
            mic,
            released,
            since: Instant::now(),
            patient: false,
            missed: None,
            refused: None,
            result,
        })))
    }

    /// Is the camera, is the microphone to be opened for what is lost? One opened file gives both.
    fn lost(&self) -> (bool, bool) {
        let (camera, mic) = (self.hub.has_problem(Subject::Camera), self.hub.has_problem(Subject::Mic));
        let shared = sources::is_shared(&self.configuration);
        (camera || shared && mic, mic || shared && camera)
    }

    /// Takes what is open, if it is; goes on with the opening while it is not. Refused, everything stays as it was: what was let go
    /// of is opened again, or waited for.
    pub(crate) fn finish_change(&mut self, mut opening: Box<Opening>, wake: &Wake) -> ControlFlow<Result<(), Failure>, Box<Opening>> {
        let opened = match opening.result.try_recv() {
            Err(TryRecvError::Empty) if opening.since.elapsed() < opening.limit() => return Continue(opening),
            // Where it opens after all, the thread closes it.
            Err(TryRecvError::Empty) => Err(failure("source_unusable", &[("name", &opening.named()), ("detail", &"it never opens")])),
            Ok(opened) => opened,
            Err(TryRecvError::Disconnected) => Err(failure("internal", &[("detail", &"opening a source failed inside")])),
        };
        let Opening { camera, mic, .. } = *opening;
        Break(match (opened, opening.refused.take()) {
            (Ok(parts), refused) => {
                // One that is not there yet says so itself, and when it is back.
                let back = opening.missed.take().filter(|_| parts.camera.as_ref().is_some_and(|camera| !camera.ring().frames().is_empty()));
                let there = refused.is_none() && !opening.patient;
                let told = self.take(parts, camera, mic, there);
                if let Some(device) = back.filter(|_| !told) {
                    self.hub.health(Health::new(HealthCode::CameraBack).with("device", device));
                }
                self.spared = false;
                match refused {
                    // That was the earlier one, again.
                    Some(refused) => Err(refused),
                    None => {
                        self.configuration = opening.wanted;
                        Ok(())
                    }
                }
            }
            (Err(refused), None) if opening.released && !self.spared => match self.take_back(camera, mic, wake) {
                Ok(result) => return Continue(Box::new(Opening { refused: Some(refused), since: Instant::now(), result, ..*opening })),
                Err(e) => {
                    tracing::error!(code = e.code, "what was let go of is not opened again");
                    self.do_without(camera);
                    Err(refused)
                }
            },
            (Err(e), Some(refused)) => {
                tracing::error!(code = e.code, "the earlier source cannot be waited for");
                self.do_without(camera);
                Err(refused)
            }
            (Err(refused), None) => Err(refused),
        })
    }

    /// Nobody looks after what was let go of: that is told, and choosing it once more opens it.
    fn do_without(&mut self, camera: bool) {
        if camera {
            self.program.replace_source(sources::gone(&self.camera));
        }
        self.spared = true;
    }

    /// What was there before it was let go of for another one: if it does not open again, it is waited for.
    fn take_back(&self, camera: bool, mic: bool, wake: &Wake) -> Result<Receiver<Result<OpenedPart, Failure>>, Failure> {
        let before = self.configuration.clone();
        let on_air = OnAir { id: self.camera_id.get(), name: self.camera.clone() };
        elsewhere(wake, move || {
            sources::open_part(&before, Some(&on_air), camera, mic).or_else(|refused| {
                tracing::warn!(code = refused.code, "the earlier source does not open again; it is waited for");
                sources::open_part_patiently(&before, Some(&on_air), camera, mic)
            })
        })
    }

    /// A driver gives a device to one at a time.
    fn release(&self, camera: bool, mic: bool) {
        if camera {
            self.program.replace_source(sources::paused(&self.camera));
        }
        if mic {
            self.sound.replace_source(None);
        }
    }

    /// `there`: it is open and not waited for. True if a camera that was lost is said to be back: the same one. What was lost of
    /// another is over without a word, by its name.
    fn take(&mut self, parts: OpenedPart, camera: bool, mic: bool, there: bool) -> bool {
        let lost = |subject, asked: bool| asked && self.hub.has_problem(subject);
        let (camera_lost, mic_lost) = (lost(Subject::Camera, camera), lost(Subject::Mic, mic));
        let gone = [(Subject::Camera, camera), (Subject::Mic, mic)];
        self.hub.forget(|subject| gone.contains(&(subject, true)));
        let mut camera_back = false;
        if let Some(camera) = parts.camera {
            camera_back = camera_lost && camera.name() == self.camera && (there || !camera.ring().frames().is_empty());
            (self.camera, self.camera_id, self.demo) = (camera.name(), camera.id(), camera.is_demo());
            self.program.replace_source(camera);
        }
        if camera_back {
            self.hub.health(Health::new(HealthCode::CameraBack).with("device", &self.camera));
        }
        if mic {
            let mic_back = mic_lost && there && parts.mic.is_some() && parts.mic_name == self.mic;
            self.mic = parts.mic_name;
            self.sound.replace_source(parts.mic);
            if mic_back {
                self.hub.health(Health::new(HealthCode::MicBack).with("device", &self.mic));
            }
        }
        camera_back
    }

    /// Draws this over the picture from the next tick on. `picture`: the card's, an encoded image; empty for none.
    pub(crate) fn set_overlay(&self, overlay: &Overlay, picture: &Bytes) {
        let card = overlay.card.clone().map(|card| stallcast_compose::ProductCard {
            number: card.number,
            title: card.title,
            sign: card.sign,
            price: card.price,
            old_price: card.old_price,
            stock: card.stock,
            stock_of: card.stock_of,
            picture_key: card.picture_key,
            picture: (!picture.is_empty()).then(|| picture.clone()),
        });
        let coupon = overlay.coupon.clone().map(|coupon| stallcast_compose::CouponRibbon {
            sign: coupon.sign,
            discount: coupon.discount,
            threshold: coupon.threshold,
            ends_at_ms: coupon.ends_at_ms,
        });
        let language = Language::from(self.configuration.language.as_str());
        self.program.set_overlay(OverlaySet { card, coupon, language });
    }
}

/// Must camera, must microphone be opened anew? One opened file gives both: it cannot be changed by halves.
fn changes(now: &Configuration, wanted: &Configuration) -> (bool, bool) {
    let (camera, mic) = (now.camera != wanted.camera, now.mic != wanted.mic);
    let shared = sources::is_shared(now) || sources::is_shared(wanted);
    (camera || shared && mic, mic || shared && camera)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Mailbox, News};
    use crate::protocol::{Event, small_demo};
    use stallcast_media::HealthCode;
    use std::sync::mpsc::channel;

    /// A hang guard, not a promise.
    const GUARD: Duration = Duration::from_secs(60);

    fn camera(id: &str) -> Configuration {
        Configuration { camera: CameraChoice::Device { id: Some(id.to_owned()) }, mic: MicChoice::None, ..small_demo() }
    }

    async fn lost(mailbox: &Mailbox) -> String {
        let told = async {
            loop {
                if let Some(News::Event(Event::Health(health))) = mailbox.next().await
                    && health.code == HealthCode::CameraLost
                {
                    return health.params["device"].clone();
                }
            }
        };
        tokio::time::timeout(GUARD, told).await.expect("the camera is said to be lost")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_lost_and_chosen_again_is_said_to_be_back() {
        let (hub, fonts, wish) = (Hub::default(), Fonts::bundled(), PreviewWish::default());
        let around = Surroundings { hub: &hub, fonts: &fonts, wish: &wish, muted: false };
        let demo = small_demo();
        let mut stage = Stage::open(&demo, &around).expect("the demo opens");
        let mailbox = hub.attach(true);
        // As the program says it of pictures that cannot be read: nobody else would say that they are back.
        hub.health(Health::new(HealthCode::CameraLost).with("device", &stage.camera));
        hub.health(Health::new(HealthCode::MicLost).with("device", &stage.mic));
        let (woken, wakes) = channel();
        let wake: Wake = Arc::new(move || {
            let _ = woken.send(());
        });
        let mut opening = stage.begin_change(demo, true, &wake).expect("a thread").expect("it is opened");
        while let Continue(on) = {
            wakes.recv_timeout(GUARD).expect("it is told when there is something");
            stage.finish_change(opening, &wake)
        } {
            opening = on;
        }
        let told = async {
            let mut back = Vec::new();
            while back.len() < 2 {
                if let Some(News::Event(Event::Health(health))) = mailbox.next().await
                    && matches!(health.code, HealthCode::CameraBack | HealthCode::MicBack)
                {
                    back.push(health.code);
                }
            }
            back
        };
        let back = tokio::time::timeout(GUARD, told).await.expect("both are said to be back");
        assert_eq!(back, [HealthCode::CameraBack, HealthCode::MicBack]);
        assert!(hub.problems().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_camera_that_was_let_go_of_for_one_that_does_not_open_is_waited_for_again() {
        let (hub, fonts, wish) = (Hub::default(), Fonts::bundled(), PreviewWish::default());
        let around = Surroundings { hub: &hub, fonts: &fonts, wish: &wish, muted: false };
        let mailbox = hub.attach(true);
        let mine = camera("one that fell out");
        let opened = sources::open_again(&mine, None, true, true).and_then(sources::both).expect("it is waited for");
        let mut stage = Stage::with(&mine, opened, &around).expect("threads");
        assert_eq!(lost(&mailbox).await, "one that fell out");
        let (woken, wakes) = channel();
        let wake: Wake = Arc::new(move || {
            let _ = woken.send(());
        });
        let begun = stage.begin_change(camera("one that is not there"), true, &wake).expect("a thread");
        let mut opening = begun.expect("it has to be opened");
        let refused = loop {
            wakes.recv_timeout(GUARD).expect("it is told when there is something");
            match stage.finish_change(opening, &wake) {
                Break(done) => break done.expect_err("it does not open"),
                Continue(on) => opening = on,
            }
        };
        assert_eq!(refused.code, "device_missing");
        assert_eq!(stage.configuration, mine);
        assert_eq!(lost(&mailbox).await, "one that fell out", "somebody looks out for it");
        assert!(stage.begin_change(mine.clone(), false, &wake).expect("a thread").is_none(), "the next process has nothing to choose");
        let again = stage.begin_change(mine.clone(), true, &wake).expect("a thread").expect("who chooses it again wants it now");
        assert!(again.camera && !again.mic);
    }
}
