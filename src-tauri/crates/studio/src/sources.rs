//! Camera and microphone: what there is, what is chosen.

use crate::error::StudioError;
use crate::hub::on_air;
use crate::studio::Studio;
use crate::view::{DeviceView, DevicesView, SourceForm, StudioEvent, UiError};
use stallcast_engine::DeviceList;
use stallcast_engine::protocol::{CameraChoice, Command, Configuration, EncoderChoice, MicChoice};
use stallcast_media::Canvas;
use std::path::PathBuf;

/// Sources, canvas and encoders of a first start: the first camera that works.
pub(crate) fn first_configuration(language: &str) -> Configuration {
    Configuration {
        camera: CameraChoice::Device { id: None },
        mic: MicChoice::Device { id: None },
        canvas: Canvas { width: 720, height: 1280, fps: 30 },
        video_kbps: 2500,
        audio_kbps: 128,
        low_latency: false,
        encoder: EncoderChoice::Auto,
        language: language.to_owned(),
    }
}

/// What to try when sources do not open: each step gives up one thing, the last one always opens.
pub(crate) fn fallbacks(wanted: &Configuration) -> Vec<Configuration> {
    let with = |camera: CameraChoice, mic: MicChoice| Configuration { camera, mic, ..wanted.clone() };
    let mut steps = vec![wanted.clone()];
    if wanted.mic != MicChoice::None {
        steps.push(with(wanted.camera.clone(), MicChoice::None));
    }
    if wanted.camera != CameraChoice::Demo {
        if matches!(wanted.mic, MicChoice::Device { .. }) {
            steps.push(with(CameraChoice::Demo, wanted.mic.clone()));
        }
        steps.push(with(CameraChoice::Demo, MicChoice::Demo));
    }
    steps.dedup();
    steps
}

pub(crate) fn devices_view(list: &DeviceList) -> DevicesView {
    let mode = |m: &stallcast_engine::CameraMode| format!("{}x{} {} {}", m.width, m.height, m.fps, m.format);
    let view = |id: &str, name: &str, modes| DeviceView { id: id.to_owned(), name: name.to_owned(), modes };
    DevicesView {
        cameras: told_apart(list.cameras.iter().map(|c| view(&c.id, &c.name, c.modes.iter().map(mode).collect())).collect()),
        microphones: told_apart(list.microphones.iter().map(|m| view(&m.id, &m.name, Vec::new())).collect()),
    }
}

/// Two of one model have one name: the second gets a number, in the system's order.
fn told_apart(mut devices: Vec<DeviceView>) -> Vec<DeviceView> {
    let names: Vec<String> = devices.iter().map(|d| d.name.clone()).collect();
    for (n, device) in devices.iter_mut().enumerate() {
        let before = names.iter().take(n).filter(|name| **name == device.name).count();
        if before > 0 {
            device.name = format!("{} ({})", device.name, before + 1);
        }
    }
    devices
}

impl Studio {
    /// Cameras with their modes, and microphones. Asks the drivers, which may take seconds.
    ///
    /// # Errors
    /// `internal` when the question itself dies.
    pub async fn list_devices(&self) -> Result<DevicesView, UiError> {
        let list = tokio::task::spawn_blocking(stallcast_engine::devices).await.map_err(StudioError::internal)?;
        Ok(devices_view(&list))
    }

    /// Changes the picture source, also while live. A source that does not open leaves the present one.
    ///
    /// # Errors
    /// `device_missing`, `device_busy`, `device_denied`, `source_unusable`, `file_missing`, `invalid`.
    pub async fn choose_camera(&self, source: SourceForm) -> Result<(), UiError> {
        let camera = match source {
            SourceForm::Device { id } => CameraChoice::Device { id },
            SourceForm::File { path } => CameraChoice::File { path: existing_file(path)? },
            SourceForm::Demo => CameraChoice::Demo,
            SourceForm::None => return Err(StudioError::invalid("camera", "empty").into()),
        };
        let now = self.configuration();
        // The demo's voice belongs to the demo picture.
        let with_voice = camera == CameraChoice::Demo && now.mic == MicChoice::None && now.camera != CameraChoice::Demo;
        let chosen = |configuration: &mut Configuration| {
            configuration.camera = camera.clone();
            if with_voice {
                configuration.mic = MicChoice::Demo;
            }
        };
        Ok(self.configure(chosen).await?)
    }

    /// Changes the sound source, also while live.
    ///
    /// # Errors
    /// As [`Self::choose_camera`].
    pub async fn choose_mic(&self, source: SourceForm) -> Result<(), UiError> {
        let mic = match source {
            SourceForm::Device { id } => MicChoice::Device { id },
            SourceForm::File { path } => MicChoice::File { path: existing_file(path)? },
            SourceForm::Demo => MicChoice::Demo,
            SourceForm::None => MicChoice::None,
        };
        Ok(self.configure(|configuration| configuration.mic = mic.clone()).await?)
    }

    pub(crate) fn configuration(&self) -> Configuration {
        self.hub().picture().configuration.clone()
    }

    /// Sends the configuration with what was chosen, and remembers that once the media process has taken it.
    pub(crate) async fn configure(&self, chosen: impl Fn(&mut Configuration)) -> Result<(), StudioError> {
        let turn = self.inner.sources_turn.lock().await;
        let mut wanted = self.configuration();
        chosen(&mut wanted);
        self.engine()?.command(Command::Configure(wanted.clone()), bytes::Bytes::new()).await?;
        self.hub().picture().configuration = wanted;
        self.remember(chosen).await;
        drop(turn);
        // What it means on each platform may have changed.
        self.publish_destinations().await;
        self.hub().send(StudioEvent::Show(self.show_view().await));
        Ok(())
    }

    /// The configuration of the start: as saved or given; what does not open is replaced step by step, unless it was
    /// given by a person on the command line.
    pub(crate) async fn open_sources(&self, wanted: Configuration, strict: bool) -> Result<(), StudioError> {
        let _turn = self.inner.sources_turn.lock().await;
        if on_air(self.engine_state().engine) {
            return Ok(());
        }
        let steps = if strict { vec![wanted] } else { fallbacks(&wanted) };
        let mut first_failure = None;
        for step in steps {
            match self.engine()?.command(Command::Configure(step.clone()), bytes::Bytes::new()).await {
                Ok(_) => {
                    // Not saved: tomorrow the camera may be plugged in again.
                    self.hub().picture().configuration = step;
                    return Ok(());
                }
                Err(e) => {
                    let e = StudioError::from(e);
                    tracing::info!(error = %e, "sources do not open");
                    first_failure.get_or_insert(e);
                }
            }
        }
        Err(first_failure.unwrap_or_else(|| StudioError::new("engine_down").with("detail", "")))
    }
}

fn existing_file(path: String) -> Result<PathBuf, StudioError> {
    let path = PathBuf::from(path);
    if path.is_file() { Ok(path) } else { Err(StudioError::new("file_missing").with("path", path.display())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_one_model_can_be_told_apart() {
        let camera = |id: &str, name: &str| stallcast_engine::CameraDevice { id: id.to_owned(), name: name.to_owned(), modes: vec![] };
        let cameras = vec![camera("v0", "C920"), camera("v2", "C920"), camera("v4", "Built in"), camera("v6", "C920")];
        let view = devices_view(&DeviceList { cameras, microphones: vec![] });
        let names: Vec<_> = view.cameras.iter().map(|c| (&*c.id, &*c.name)).collect();
        assert_eq!(names, [("v0", "C920"), ("v2", "C920 (2)"), ("v4", "Built in"), ("v6", "C920 (3)")]);
    }

    #[test]
    fn a_first_start_gives_up_one_thing_at_a_time_and_always_opens() {
        let steps = fallbacks(&first_configuration("en"));
        let sources: Vec<_> = steps.iter().map(|s| (s.camera.clone(), s.mic.clone())).collect();
        let device = || (CameraChoice::Device { id: None }, MicChoice::Device { id: None });
        assert_eq!(
            sources,
            [device(), (device().0, MicChoice::None), (CameraChoice::Demo, device().1), (CameraChoice::Demo, MicChoice::Demo),]
        );
        let demo = Configuration { camera: CameraChoice::Demo, mic: MicChoice::Demo, ..first_configuration("en") };
        assert_eq!(fallbacks(&demo).len(), 2, "the demo itself, then the demo in silence");
    }
}
