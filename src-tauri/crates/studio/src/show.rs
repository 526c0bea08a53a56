//! Going live, ending, muting, recording.

use crate::args::clean_of;
use crate::departed::Departed;
use crate::error::StudioError;
use crate::health::HealthBoard;
use crate::hub::{Pressed, on_air};
use crate::studio::Studio;
use crate::usage::{self, Usage};
use crate::view::{StudioEvent, UiError};
use stallcast_engine::protocol::{
    Command, Destination, EncoderLimits, EngineState, Event, GoLive, LinkState, LinkStatus, Recording, Reply, State, Summary,
};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// A show that is about to start.
#[derive(Debug)]
pub(crate) struct ShowPlan {
    pub destinations: Vec<Destination>,
    pub recording: Option<Recording>,
    /// The picture without overlays.
    pub clean_feed: Option<Recording>,
    /// Seconds.
    pub for_s: Option<u64>,
    /// What the destinations demand of the encoder.
    pub limits: EncoderLimits,
}

impl Studio {
    /// Goes live to the enabled destinations and the local shop, recording if the settings say so. Returns once the media
    /// process has accepted; whether anybody takes the picture comes as state.
    ///
    /// # Errors
    /// `already_live`, `no_output`, `key_forgotten`, and what the media process refuses.
    pub async fn go_live(&self) -> Result<(), UiError> {
        let (destinations, limits) = self.enabled_destinations().await?;
        let recording = if self.settings().record { Some(self.new_recording()?) } else { None };
        let clean_feed = recording.as_ref().and_then(|recording| self.new_clean_feed(recording));
        Ok(self.start_show(ShowPlan { destinations, recording, clean_feed, for_s: None, limits }).await?)
    }

    /// Starts a show as planned.
    pub(crate) async fn start_show(&self, plan: ShowPlan) -> Result<(), StudioError> {
        let engine = self.engine()?;
        let hls_dir = self.shop_url().map(|_| self.data().join("live"));
        if plan.destinations.is_empty() && plan.recording.is_none() && hls_dir.is_none() {
            return Err(StudioError::new("no_output"));
        }
        let ends = {
            let mut picture = self.hub().picture();
            // Checked and marked under one lock: two quick presses start one show.
            if on_air(picture.state.engine) || picture.pressed.is_some() {
                return Err(StudioError::new("already_live"));
            }
            picture.pressed = Some(Pressed::GoLive);
            picture.steps_done.clear();
            picture.ended = None;
            picture.departed = Departed::default();
            picture.ends
        };
        self.hub().change_health(HealthBoard::show_begins);
        self.publish_show().await;
        let started = async {
            if let Some(folder) = &hls_dir {
                crate::private_file::make_folder(folder).map_err(|_| StudioError::new("path_unwritable").with("path", folder.display()))?;
            }
            for destination in &plan.destinations {
                self.guard_secrets(destination);
            }
            self.begin_show_row().await?;
            self.use_keys(&plan.destinations).await?;
            // Under `live` the engine may outlive its app up to the deadline; a window's show ends after the grace time.
            let grace = plan.for_s.map_or(GRACE_S, |s| s.saturating_add(GRACE_S));
            engine.command(Command::SetGrace { seconds: grace }, bytes::Bytes::new()).await?;
            // Whoever pressed the end meanwhile was told that it is over.
            if self.hub().picture().ends != ends {
                return Err(StudioError::new("not_live"));
            }
            self.note_recordings(plan.recording.iter().chain(&plan.clean_feed));
            let ShowPlan { destinations, recording, clean_feed, for_s, limits } = plan;
            let go = GoLive { destinations, hls_dir, recording, clean_feed, for_s, limits, live_since_ms: None };
            engine.command(Command::GoLive(go), bytes::Bytes::new()).await?;
            Ok(())
        };
        let started: Result<(), StudioError> = started.await;
        if started.is_err() {
            self.hub().picture().pressed = None;
            self.drop_show_row().await;
            self.keep_keys().await;
            self.publish_show().await;
        }
        started
    }

    /// Ends the show: encoders are flushed, files finished, destinations closed.
    ///
    /// # Errors
    /// `not_live`, `engine_down`.
    pub async fn end_show(&self) -> Result<(), UiError> {
        self.finish_show().await?;
        Ok(())
    }

    /// Ends the show and returns its figures. One that another version runs can only be ended: this studio opens after it.
    pub(crate) async fn finish_show(&self) -> Result<Summary, StudioError> {
        let Some(engine) = self.inner.engine.get() else {
            return crate::report::end_media(self.data(), false).await?.ok_or_else(|| StudioError::new("not_live"));
        };
        {
            let mut picture = self.hub().picture();
            if !on_air(picture.state.engine) && picture.pressed != Some(Pressed::GoLive) {
                return Err(StudioError::new("not_live"));
            }
            picture.pressed = Some(Pressed::End);
            picture.ends += 1;
        }
        self.publish_show().await;
        let reply = engine.command(Command::End, bytes::Bytes::new()).await;
        self.hub().picture().pressed = None;
        let summary = match reply {
            Ok(Reply::Ended(summary)) => self.whole(summary),
            Ok(_) => return Err(StudioError::internal("End")),
            Err(e) => {
                self.publish_show().await;
                // It died while it was ending, or before: no new one goes on with a show that was to end.
                if self.is_off_air_soon().await {
                    return Ok(self.figures_so_far(&self.engine_state()));
                }
                return Err(e.into());
            }
        };
        self.show_over(&summary).await;
        Ok(summary)
    }

    /// Waits for the media process to say that no show runs.
    async fn is_off_air_soon(&self) -> bool {
        let mut events = self.events();
        let off = async {
            while self.is_on_air() {
                if matches!(events.recv().await, Err(RecvError::Closed)) {
                    break;
                }
            }
        };
        tokio::time::timeout(NEW_ENGINE_LIMIT, off).await.is_ok()
    }

    /// What is known of a show whose media process died: the figures it told last, everything closed.
    fn figures_so_far(&self, state: &State) -> Summary {
        let stats = self.hub().picture().stats.clone();
        let links = state.links.iter().map(|link| LinkStatus { state: LinkState::Closed, ..link.clone() }).collect();
        self.whole(Summary {
            frames_composed: stats.as_ref().map_or(0, |s| s.frames_composed),
            loss: stats.as_ref().map(|s| s.loss).unwrap_or_default(),
            frames_encoded: stats.as_ref().map_or(0, |s| s.frames_encoded),
            audio_blocks: stats.as_ref().map_or(0, |s| s.audio_blocks),
            links,
            recordings: state.recordings.clone(),
            clean_feeds: state.clean_feeds.clone(),
            clean_skipped: stats.as_ref().map_or(0, |s| s.clean_skipped),
            disk_full: false,
            cpu_s: stats.as_ref().map_or(0.0, |s| s.cpu_s),
            peak_rss_bytes: stats.as_ref().map_or(0, |s| s.peak_rss_bytes),
        })
    }

    /// The figures of the whole show from those of its last media process.
    pub(crate) fn whole(&self, mut summary: Summary) -> Summary {
        self.hub().picture().departed.complete(&mut summary);
        summary
    }

    /// The media process says that no show runs, and nobody was told of an end: `state` was the last that was known.
    pub(crate) async fn show_vanished(&self, state: &State) {
        let figures = self.figures_so_far(state);
        self.show_over(&figures).await;
    }

    /// Sends silence instead of the microphone, or the microphone again.
    ///
    /// # Errors
    /// `engine_down`.
    pub async fn set_muted(&self, muted: bool) -> Result<(), UiError> {
        self.engine()?.command(Command::SetMuted { muted }, bytes::Bytes::new()).await.map_err(StudioError::from)?;
        Ok(())
    }

    /// Records the running show into a new file of the recordings folder, and its clean picture if the settings say so.
    ///
    /// # Errors
    /// `not_live`, `disk_full`, `path_unwritable`.
    pub async fn start_recording(&self) -> Result<(), UiError> {
        let recording = self.new_recording()?;
        let clean_feed = self.new_clean_feed(&recording);
        self.engine()?.command(Command::StartRecording(recording), bytes::Bytes::new()).await.map_err(StudioError::from)?;
        if let Some(clean_feed) = clean_feed {
            self.engine()?.command(Command::StartCleanFeed(clean_feed), bytes::Bytes::new()).await.map_err(StudioError::from)?;
        }
        Ok(())
    }

    /// Ends the recording and the clean feed, and finishes their files.
    ///
    /// # Errors
    /// `not_live`, `engine_down`.
    pub async fn stop_recording(&self) -> Result<(), UiError> {
        for command in [Command::StopRecording, Command::StopCleanFeed] {
            self.engine()?.command(command, bytes::Bytes::new()).await.map_err(StudioError::from)?;
        }
        Ok(())
    }

    /// Where recordings of the window go.
    #[must_use]
    pub fn recordings_folder(&self) -> PathBuf {
        self.data().join("recordings")
    }

    fn new_recording(&self) -> Result<Recording, StudioError> {
        let folder = self.recordings_folder();
        crate::private_file::make_folder(&folder).map_err(|_| StudioError::new("path_unwritable").with("path", folder.display()))?;
        Ok(Recording { path: folder.join(format!("{}.mp4", stamp(self.now_ms()))), overwrite: false })
    }

    /// Beside the recording, if it is wanted.
    fn new_clean_feed(&self, recording: &Recording) -> Option<Recording> {
        self.settings().clean_feed.then(|| Recording { path: clean_of(&recording.path), overwrite: false })
    }

    /// Figures of the last show, if none has begun since.
    pub(crate) fn last_summary(&self) -> Option<Summary> {
        self.hub().picture().ended.clone()
    }

    /// The picture is being pushed, or will be in a moment.
    #[must_use]
    pub fn is_on_air(&self) -> bool {
        self.hub().is_on_air()
    }

    pub(crate) fn engine_state(&self) -> State {
        self.hub().picture().state.clone()
    }

    /// The media process's summary counts itself: what died before it, the shop and this process are added. The shop's cost
    /// is read while it lives.
    pub(crate) fn count_all_processes(&self, summary: &mut Summary, shop: Usage) {
        let cost = self.hub().engine_cost(summary) + shop + usage::of_process(std::process::id()).unwrap_or_default();
        (summary.cpu_s, summary.peak_rss_bytes) = (cost.cpu_s, cost.peak_rss_bytes);
    }

    /// The show row follows the media process: the first acceptance makes it live, on our side and on the platform's.
    pub(crate) async fn follow_state(&self, before: EngineState, state: &State) {
        if state.engine == EngineState::Live && before != EngineState::Live {
            self.show_accepted(state.live_since_ms.unwrap_or_else(|| self.now_ms())).await;
        }
    }

    /// Everything that an ended show leaves behind.
    pub(crate) async fn show_over(&self, summary: &Summary) {
        if let Err(e) = self.unpin().await {
            tracing::warn!(error = %e, "the explained product was not closed");
        }
        self.end_show_row(summary).await;
        self.forget_keys().await;
        self.hub().change_health(HealthBoard::show_over);
        self.hub().send(StudioEvent::Bag(self.bag_view().await));
        self.publish_show().await;
        self.hub().tell(Event::Ended(summary.clone()));
    }
}

/// Longest wait for a media process that is started in the place of one that died.
const NEW_ENGINE_LIMIT: Duration = Duration::from_secs(10);
/// The media process ends a show that nobody looks after for this long, seconds.
const GRACE_S: u64 = 600;

/// `20261124-201403` in UTC: sorts by time, needs no time zone data, never repeats within a show.
pub(crate) fn stamp(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default().strftime("%Y%m%d-%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn stamps_are_civil_times() {
        assert_eq!(stamp(0), "19700101-000000");
        assert_eq!(stamp(951_782_399_999), "20000228-235959");
        assert_eq!(stamp(951_782_400_000), "20000229-000000");
        assert_eq!(stamp(1_795_550_043_000), "20261124-195403");
    }
}
