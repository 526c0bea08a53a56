//! Everything that exists while sources are open: the program clock, its sound and its preview.

use crate::error::failure;
use crate::feed::{Delay, PreviewWish};
use crate::hub::{Hub, Subject};
use crate::preview::Preview;
use crate::program::{Parts, Program};
use crate::protocol::{Configuration, Failure, Overlay};
use crate::sound::Sound;
use crate::sources::{self, Opened, OpenedPart};
use bytes::Bytes;
use stallcast_compose::{Fonts, Language, OverlaySet, Slate, slate};

/// What a stage shares with the rest of the process.
pub(crate) struct Surroundings<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) fonts: &'a Fonts,
    pub(crate) wish: &'a PreviewWish,
    pub(crate) muted: bool,
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
    pub(crate) demo: bool,
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

    /// Starts everything over sources that are open already, as what `wanted` names.
    ///
    /// # Errors
    /// No thread from the OS.
    pub(crate) fn with(wanted: &Configuration, opened: Opened, around: &Surroundings<'_>) -> Result<Self, Failure> {
        let Opened { camera, mic, mic_name } = opened;
        let (hub, wish) = (around.hub, around.wish);
        hub.forget(|subject| matches!(subject, Subject::Camera | Subject::Mic));
        let internal = |e: std::io::Error| failure("internal", &[("detail", &e)]);
        let (camera_name, demo, delay) = (camera.name(), camera.is_demo(), Delay::default());
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
            demo,
            delay,
            hub: hub.clone(),
        })
    }

    /// Replaces the sources that differ; picture and sound of the show go on meanwhile. Refused, everything stays as it was.
    ///
    /// # Errors
    /// A source that cannot be had now.
    pub(crate) fn change_sources(&mut self, wanted: Configuration) -> Result<(), Failure> {
        let now = self.configuration.clone();
        let (camera, mic) = changes(&now, &wanted);
        if camera || mic {
            match sources::open_part(&wanted, camera, mic, || self.release(camera, mic)) {
                Ok(parts) => self.take(parts, camera, mic),
                Err((refused, released)) => {
                    if released {
                        self.take_back(&now, camera, mic);
                    }
                    return Err(refused);
                }
            }
        }
        self.configuration = wanted;
        Ok(())
    }

    /// What was there before it was let go of for another one: if it does not open again, it is waited for.
    fn take_back(&mut self, before: &Configuration, camera: bool, mic: bool) {
        // Where any camera would do, still this one.
        let before = sources::as_on_air(before, Some(self.camera.clone()));
        let opened = sources::open_part(&before, camera, mic, || ()).or_else(|(refused, _)| {
            tracing::warn!(code = refused.code, "the earlier source does not open again; it is waited for");
            sources::open_part_patiently(&before, camera, mic)
        });
        match opened {
            Ok(parts) => self.take(parts, camera, mic),
            Err(e) => tracing::error!(code = e.code, "and cannot be waited for"),
        }
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

    fn take(&mut self, parts: OpenedPart, camera: bool, mic: bool) {
        let gone = [(Subject::Camera, camera), (Subject::Mic, mic)];
        self.hub.forget(|subject| gone.contains(&(subject, true)));
        if let Some(camera) = parts.camera {
            (self.camera, self.demo) = (camera.name(), camera.is_demo());
            self.program.replace_source(camera);
        }
        if mic {
            self.mic = parts.mic_name;
            self.sound.replace_source(parts.mic);
        }
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
    use crate::protocol::{CameraChoice, Event, MicChoice, small_demo};
    use stallcast_media::HealthCode;
    use std::time::Duration;

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
    async fn a_camera_that_was_let_go_of_for_one_that_does_not_open_is_waited_for_again() {
        let (hub, fonts, wish) = (Hub::default(), Fonts::bundled(), PreviewWish::default());
        let around = Surroundings { hub: &hub, fonts: &fonts, wish: &wish, muted: false };
        let mailbox = hub.attach();
        let mine = camera("one that fell out");
        let opened = sources::open_patiently(&mine).expect("it is waited for");
        let mut stage = Stage::with(&mine, opened, &around).expect("threads");
        assert_eq!(lost(&mailbox).await, "one that fell out");
        let refused = stage.change_sources(camera("one that is not there")).expect_err("it does not open");
        assert_eq!(refused.code, "device_missing");
        assert_eq!(stage.configuration, mine);
        assert_eq!(lost(&mailbox).await, "one that fell out", "somebody looks out for it");
    }
}
