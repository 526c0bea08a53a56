//! What the seller chose once: language, theme, recording, sources.

use crate::error::StudioError;
use crate::messages::Language;
use crate::rows;
use crate::sources::first_configuration;
use crate::studio::Studio;
use crate::view::{SettingsView, StudioEvent, UiError};
use serde::{Deserialize, Serialize};
use stallcast_engine::protocol::Configuration;
use stallcast_store::Store;
use std::sync::PoisonError;

const ROW: &str = "studio";
/// Buyers' fields are kept this long: the longest time in which a buyer may still come back with a complaint.
const RETENTION_DAYS: u32 = 90;
/// What may be chosen, days.
const RETENTION_RANGE: std::ops::RangeInclusive<u32> = 1..=3650;

/// The saved settings. New fields need a default, so that an old database opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// `zh-CN` or `en`.
    pub language: String,
    /// `dark` or `light`.
    pub theme: String,
    /// Record each show.
    pub record: bool,
    /// With each recording, record the picture without overlays too.
    pub clean_feed: bool,
    /// Days after which a settled order loses its buyer's name, phone and address.
    pub retention_days: u32,
    /// Sources, canvas, encoders.
    pub configuration: Configuration,
}

impl Default for Settings {
    fn default() -> Self {
        let language = Language::from_environment(|name| std::env::var(name).ok()).tag().to_owned();
        Self {
            configuration: first_configuration(&language),
            language,
            theme: "dark".to_owned(),
            record: false,
            clean_feed: false,
            retention_days: RETENTION_DAYS,
        }
    }
}

impl Settings {
    pub(crate) async fn load(store: &Store) -> Result<Self, StudioError> {
        let Some(text) = rows::setting(store, ROW).await? else {
            return Ok(Self::default());
        };
        // Settings of a newer version are not worth a refusal to open.
        Ok(serde_json::from_str(&text).unwrap_or_else(|e| {
            tracing::warn!(error = %e, "saved settings are not understood; the defaults are used");
            Self::default()
        }))
    }
}

impl Studio {
    pub(crate) fn settings(&self) -> Settings {
        self.inner.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn settings_view(&self) -> SettingsView {
        let settings = self.settings();
        SettingsView {
            language: settings.language,
            theme: settings.theme,
            record: settings.record,
            clean_feed: settings.clean_feed,
            retention_days: settings.retention_days,
            key_protector: self.inner.key.protector().word().to_owned(),
        }
    }

    async fn change_settings(&self, change: impl FnOnce(&mut Settings)) -> Result<(), StudioError> {
        let (before, now) = {
            let mut settings = self.inner.settings.lock().unwrap_or_else(PoisonError::into_inner);
            let before = settings.clone();
            change(&mut settings);
            (before, settings.clone())
        };
        if before == now {
            return Ok(());
        }
        let text = serde_json::to_string(&now).map_err(StudioError::internal)?;
        rows::set_setting(&self.inner.store, ROW, &text).await?;
        self.hub().send(StudioEvent::Settings(self.settings_view()));
        Ok(())
    }

    /// Language of windows and of the words inside overlays: `zh-CN` or `en`.
    ///
    /// # Errors
    /// `invalid` for any other.
    pub async fn set_language(&self, language: String) -> Result<(), UiError> {
        if !matches!(language.as_str(), "zh-CN" | "en") {
            return Err(StudioError::invalid("language", "format").into());
        }
        self.change_settings(|s| s.language.clone_from(&language)).await?;
        // The canvas may not change on air, the words may: the engine takes sources and language.
        let chosen = |configuration: &mut Configuration| configuration.language.clone_from(&language);
        if self.engine().is_ok() {
            if let Err(e) = self.configure(chosen).await {
                tracing::warn!(error = %e, "the overlays keep their language");
            }
        } else {
            self.remember(chosen).await;
        }
        Ok(())
    }

    /// `dark` or `light`.
    ///
    /// # Errors
    /// `invalid` for any other.
    pub async fn set_theme(&self, theme: String) -> Result<(), UiError> {
        if !matches!(theme.as_str(), "dark" | "light") {
            return Err(StudioError::invalid("theme", "format").into());
        }
        Ok(self.change_settings(|s| s.theme = theme).await?)
    }

    /// Record each show from its start.
    ///
    /// # Errors
    /// `disk_full`, `internal` when the choice cannot be saved.
    pub async fn set_recording(&self, record: bool) -> Result<(), UiError> {
        Ok(self.change_settings(|s| s.record = record).await?)
    }

    /// With each recording, record the picture without overlays too; from the next recording on.
    ///
    /// # Errors
    /// `disk_full`, `internal` when the choice cannot be saved.
    pub async fn set_clean_feed(&self, clean_feed: bool) -> Result<(), UiError> {
        Ok(self.change_settings(|s| s.clean_feed = clean_feed).await?)
    }

    /// Days after which a settled order loses its buyer's name, phone and address. Takes effect at once.
    ///
    /// # Errors
    /// `invalid` outside 1..=3650, `disk_full`, `internal` when the choice cannot be saved.
    pub async fn set_retention(&self, days: u32) -> Result<(), UiError> {
        if !RETENTION_RANGE.contains(&days) {
            return Err(StudioError::invalid("retention_days", "range").into());
        }
        self.change_settings(|s| s.retention_days = days).await?;
        self.inner.retention_changed.notify_one();
        Ok(())
    }

    /// What was chosen in a window is there again at the next start; the rest of a configuration that runs may be a stopgap for
    /// a camera that is busy, or another process's. Nothing of a command line is saved.
    pub(crate) async fn remember(&self, chosen: impl Fn(&mut Configuration)) {
        if self.inner.options.configuration.is_some() {
            return;
        }
        if let Err(e) = self.change_settings(|s| chosen(&mut s.configuration)).await {
            tracing::warn!(error = %e, "the choice of sources is not saved");
        }
    }
}
