//! Where the picture goes. Keys are sealed before they reach the database and never come back to a window.

use crate::args::MOST_DESTINATIONS;
use crate::error::StudioError;
use crate::hub::on_air;
use crate::present;
use crate::presets::{self, KeyLife};
use crate::rows::{self, DestinationRow};
use crate::studio::Studio;
use crate::view::{DestinationForm, DestinationView, LinkStateView, PresetView, StudioEvent, UiError};
use secrecy::{ExposeSecret, SecretString};
use stallcast_engine::protocol::{Destination, EncoderLimits, LinkStatus};
use stallcast_engine::{Target, TargetError};
use std::collections::BTreeMap;

/// Longest name, characters.
const MOST_NAME: usize = 40;

/// States of a stored key, as the store has them.
const THERE: &str = "there";
const USED: &str = "used";
const GONE: &str = "gone";

/// What is sealed into one row: the address may hold the key, so both are.
pub(crate) struct Address {
    pub url: SecretString,
    pub key: Option<SecretString>,
}

impl Address {
    /// Checked by the rules of [`Target::parse`].
    fn target(&self) -> Result<Target, StudioError> {
        check_address(self.url.expose_secret(), self.key.as_ref().map(ExposeSecret::expose_secret))
    }
}

/// Reads an address with or without its key as every sink will.
///
/// # Errors
/// `bad_url` with a rule; none of the address is in it.
pub(crate) fn check_address(url: &str, key: Option<&str>) -> Result<Target, StudioError> {
    Target::parse("", url, key).map_err(bad_address)
}

fn bad_address(e: TargetError) -> StudioError {
    StudioError::new("bad_url").with("rule", e.code()).with("field", if e.is_about_key() { "key" } else { "url" })
}

/// What may be shown of a key.
fn hint(key: &str) -> String {
    let letters: Vec<char> = key.split('?').next().unwrap_or_default().chars().collect();
    // Four of fewer than twelve would give too much of it away.
    let last: String = if letters.len() < 12 { String::new() } else { letters[letters.len() - 4..].iter().collect() };
    format!("•••• {last}").trim_end().to_owned()
}

impl Studio {
    pub(crate) async fn destinations_view(&self) -> Vec<DestinationView> {
        let rows = rows::destinations(&self.inner.store).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "destinations cannot be read");
            Vec::new()
        });
        let links: BTreeMap<_, _> = self.hub().picture().state.links.iter().map(|l| (l.id.clone(), l.clone())).collect();
        let known = rows.iter().map(|row| self.destination_view(row, &links));
        // Those of a show that was started elsewhere: it is their picture too that may be late or gone.
        let others = links.values().filter(|link| rows.iter().all(|row| row.id != link.id)).map(foreign);
        known.chain(others).collect()
    }

    fn destination_view(&self, row: &DestinationRow, links: &BTreeMap<String, LinkStatus>) -> DestinationView {
        let link = links.get(&row.id);
        let state = link.map_or(LinkStateView::Idle, |l| present::link_state(l.state));
        let preset = presets::of(&row.preset, &row.host);
        let (on_air, done) = {
            let picture = self.hub().picture();
            (on_air(picture.state.engine), picture.steps_done.contains(&row.id))
        };
        // Nothing can be pressed there before the picture has arrived once.
        let due = on_air && !done && matches!(state, LinkStateView::Publishing | LinkStateView::Reconnecting);
        DestinationView {
            id: row.id.clone(),
            name: row.name.clone(),
            preset: row.preset.clone(),
            host: row.host.clone(),
            key_hint: row.key_hint.clone(),
            one_show: row.one_show,
            key_gone: row.key_state == GONE,
            enabled: row.enabled,
            state,
            behind_ms: link.map_or(0, |l| present::count(l.behind_ms)),
            notes: preset.map(|p| p.notes(&self.configuration())).unwrap_or_default(),
            last_step: preset.and_then(|p| p.last_step.clone()).filter(|_| due),
        }
    }

    /// The platforms that the form offers, with what the present configuration means on each.
    #[must_use]
    pub fn destination_presets(&self) -> Vec<PresetView> {
        let configuration = self.configuration();
        presets::all().iter().map(|p| p.view(&configuration)).collect()
    }

    /// The address of a destination without its key, for the form that changes it.
    ///
    /// # Errors
    /// `not_found`, and everything about secrets.
    pub async fn destination_address(&self, id: String) -> Result<String, UiError> {
        let rows = rows::destinations(&self.inner.store).await?;
        let row = rows.iter().find(|r| r.id == id).ok_or_else(|| StudioError::new("not_found"))?;
        Ok(self.server_of(row)?)
    }

    fn server_of(&self, row: &DestinationRow) -> Result<String, StudioError> {
        let address = self.open_address(row)?;
        // A forgotten key leaves the server's address alone.
        if row.key_state == GONE {
            return Ok(address.url.expose_secret().to_owned());
        }
        Ok(address.target()?.tc_url().to_owned())
    }

    /// The host has pressed what had to be pressed on the platform.
    ///
    /// # Errors
    /// None so far.
    pub async fn confirm_last_step(&self, id: String) -> Result<(), UiError> {
        self.hub().picture().steps_done.insert(id);
        self.publish_destinations().await;
        Ok(())
    }

    /// Adds or changes a destination.
    ///
    /// # Errors
    /// `invalid`, `bad_url`, `not_found`, `too_many_destinations`.
    pub async fn save_destination(&self, form: DestinationForm) -> Result<DestinationView, UiError> {
        Ok(self.save_checked(form).await?)
    }

    async fn save_checked(&self, form: DestinationForm) -> Result<DestinationView, StudioError> {
        let name = form.name.trim().to_owned();
        if name.is_empty() {
            return Err(StudioError::invalid("name", "empty"));
        }
        if name.chars().count() > MOST_NAME {
            return Err(StudioError::invalid("name", "too_long"));
        }
        let preset = presets::by_id(&form.preset).ok_or_else(|| StudioError::invalid("preset", "format"))?;
        let rows = rows::destinations(&self.inner.store).await?;
        let old = match &form.id {
            Some(id) => Some(rows.iter().find(|r| &r.id == id).ok_or_else(|| StudioError::new("not_found"))?),
            None => None,
        };
        let others = rows.iter().filter(|r| r.enabled && old.is_none_or(|o| o.id != r.id)).count();
        if form.enabled && others >= MOST_DESTINATIONS {
            return Err(StudioError::new("too_many_destinations").with("most", MOST_DESTINATIONS));
        }
        let (address, new_key) = self.address_of(form.url, form.key, old)?;
        let target = address.target()?;
        // Whatever was chosen: an address of a platform that is known is one of it.
        let known = presets::of(&preset.id, target.host()).unwrap_or(preset);
        if known.rtmps_only && !target.tls() {
            return Err(StudioError::new("bad_url").with("rule", "rtmps").with("field", "url").with("name", &known.name.en));
        }
        let id = old.map_or_else(|| uuid::Uuid::now_v7().to_string(), |o| o.id.clone());
        let row = DestinationRow {
            sealed: self.seal_address(&id, &address)?,
            key_hint: hint(target.key()),
            host: target.host().to_owned(),
            id,
            name,
            enabled: form.enabled,
            preset: preset.id.clone(),
            one_show: form.one_show || known.key == KeyLife::Show,
            // A key that is pasted during a show is for the next one.
            key_state: old.filter(|_| !new_key).map_or(THERE, |o| &o.key_state).to_owned(),
        };
        rows::save_destination(&self.inner.store, &row).await?;
        self.guard_secrets(&Destination { id: row.id.clone(), url: address.url, key: address.key, accepted: false });
        self.publish_destinations().await;
        Ok(self.destination_view(&row, &BTreeMap::new()))
    }

    /// Address and key as the form means them, and whether the key is a new one. What is kept stays byte for byte.
    fn address_of(&self, url: Option<String>, key: Option<String>, old: Option<&DestinationRow>) -> Result<(Address, bool), StudioError> {
        let stored = old.map(|row| self.open_address(row)).transpose()?;
        let server = old.map(|row| self.server_of(row)).transpose()?;
        let url = match url.map(|u| u.trim().to_owned()) {
            Some(url) => url,
            None => server.clone().unwrap_or_default(),
        };
        if url.is_empty() {
            return Err(StudioError::invalid("url", "empty"));
        }
        let Some(key) = key else {
            let (Some(row), Some(stored), Some(server)) = (old, stored, server) else {
                return Ok((Address { url: url.into(), key: None }, true));
            };
            match (row.key_state == GONE, url == server) {
                (true, true) => return Err(bad_address(TargetError::Key)),
                // A whole address holds its key; of one without it the caller says what is missing.
                (true, false) => return Ok((Address { url: url.into(), key: None }, true)),
                (false, true) => return Ok((stored, false)),
                // The address of the next show, pasted whole over the server's: the old key is not meant.
                (false, false) if Target::parse("", &url, None).is_ok_and(|whole| whole.tc_url() == server) => {
                    return Ok((Address { url: url.into(), key: None }, true));
                }
                (false, false) => {}
            }
            let key = stored.target()?.key().to_owned();
            return Ok((Address { url: url.into(), key: Some(key.into()) }, false));
        };
        let key = key.trim().to_owned();
        let key = (!key.is_empty()).then(|| SecretString::from(key));
        Ok((Address { url: url.into(), key }, true))
    }

    /// Forgets a destination and its key. A running show keeps what it started with.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn remove_destination(&self, id: String) -> Result<(), UiError> {
        if !rows::remove_destination(&self.inner.store, &id).await? {
            return Err(StudioError::new("not_found").into());
        }
        self.publish_destinations().await;
        Ok(())
    }

    /// Chooses whether the next show goes there.
    ///
    /// # Errors
    /// `not_found`, `too_many_destinations`.
    pub async fn enable_destination(&self, id: String, enabled: bool) -> Result<(), UiError> {
        let rows = rows::destinations(&self.inner.store).await?;
        let mut row = rows.iter().find(|r| r.id == id).cloned().ok_or_else(|| StudioError::new("not_found"))?;
        if enabled && rows.iter().filter(|r| r.enabled && r.id != id).count() >= MOST_DESTINATIONS {
            return Err(StudioError::new("too_many_destinations").with("most", MOST_DESTINATIONS).into());
        }
        row.enabled = enabled;
        rows::save_destination(&self.inner.store, &row).await?;
        self.publish_destinations().await;
        Ok(())
    }

    pub(crate) async fn publish_destinations(&self) {
        self.hub().send(StudioEvent::Destinations(self.destinations_view().await));
    }

    /// What the next show of the window pushes to, and what those platforms demand of its encoder.
    ///
    /// # Errors
    /// `key_forgotten` for one whose key was for an earlier show.
    pub(crate) async fn enabled_destinations(&self) -> Result<(Vec<Destination>, EncoderLimits), StudioError> {
        let rows = rows::destinations(&self.inner.store).await?;
        let rows: Vec<_> = rows.iter().filter(|r| r.enabled).collect();
        if let Some(row) = rows.iter().find(|r| r.key_state == GONE) {
            return Err(StudioError::new("key_forgotten").with("name", &row.name));
        }
        let limits = presets::limits(rows.iter().filter_map(|r| presets::of(&r.preset, &r.host)), self.configuration().canvas);
        let list = rows.iter().map(|row| {
            let Address { url, key } = self.open_address(row)?;
            Ok::<_, StudioError>(Destination { id: row.id.clone(), url, key, accepted: false })
        });
        Ok((list.collect::<Result<_, _>>()?, limits))
    }

    /// Written down before the media process gets them, so that a crash in between leaves none behind: keys for one show.
    pub(crate) async fn use_keys(&self, destinations: &[Destination]) -> Result<(), StudioError> {
        for row in rows::destinations(&self.inner.store).await? {
            if row.one_show && row.key_state == THERE && destinations.iter().any(|d| d.id == row.id) {
                rows::save_destination(&self.inner.store, &DestinationRow { key_state: USED.to_owned(), ..row }).await?;
            }
        }
        Ok(())
    }

    /// The show did not begin: its keys are as good as before.
    pub(crate) async fn keep_keys(&self) {
        self.settle_keys(|row| Ok(DestinationRow { key_state: THERE.to_owned(), ..row })).await;
    }

    /// The show is over: keys that were good for it are forgotten, their addresses stay.
    pub(crate) async fn forget_keys(&self) {
        self.settle_keys(|row| {
            let server = SecretString::from(self.server_of(&row)?);
            let sealed = self.seal_address(&row.id, &Address { url: server, key: None })?;
            Ok(DestinationRow { sealed, key_hint: String::new(), key_state: GONE.to_owned(), ..row })
        })
        .await;
    }

    async fn settle_keys(&self, change: impl Fn(DestinationRow) -> Result<DestinationRow, StudioError>) {
        let settled: Result<bool, StudioError> = async {
            let mut some = false;
            for row in rows::destinations(&self.inner.store).await?.into_iter().filter(|r| r.key_state == USED) {
                rows::save_destination(&self.inner.store, &change(row)?).await?;
                some = true;
            }
            Ok(some)
        }
        .await;
        match settled {
            Ok(true) => self.publish_destinations().await,
            Ok(false) => {}
            // They stay marked: the next start tries again.
            Err(e) => tracing::error!(error = %e, "keys of the last show are still stored"),
        }
    }

    /// Saved keys are masked in logs from the first moment.
    pub(crate) async fn guard_saved_secrets(&self) {
        let guarded: Result<(), StudioError> = async {
            for row in rows::destinations(&self.inner.store).await? {
                let Address { url, key } = self.open_address(&row)?;
                self.guard_secrets(&Destination { id: row.id, url, key, accepted: false });
            }
            Ok(())
        }
        .await;
        if let Err(e) = guarded {
            tracing::error!(error = %e, "saved destinations cannot be opened");
        }
    }

    fn seal_address(&self, id: &str, address: &Address) -> Result<Vec<u8>, StudioError> {
        let url = address.url.expose_secret();
        let key = address.key.as_ref().map(ExposeSecret::expose_secret);
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&(url, key)).map_err(StudioError::internal)?);
        Ok(self.inner.key.seal(&row_name(id), &plain)?)
    }

    fn open_address(&self, row: &DestinationRow) -> Result<Address, StudioError> {
        let plain = self.inner.key.open_sealed(&row_name(&row.id), &row.sealed)?;
        let (url, key): (String, Option<String>) = serde_json::from_slice(&plain).map_err(StudioError::internal)?;
        Ok(Address { url: SecretString::from(url), key: key.map(SecretString::from) })
    }
}

/// A link of which only its state is known.
fn foreign(link: &LinkStatus) -> DestinationView {
    DestinationView {
        id: link.id.clone(),
        name: link.host.clone(),
        preset: "custom".to_owned(),
        host: link.host.clone(),
        key_hint: String::new(),
        one_show: false,
        key_gone: false,
        enabled: true,
        state: present::link_state(link.state),
        behind_ms: present::count(link.behind_ms),
        notes: Vec::new(),
        last_step: None,
    }
}

fn row_name(id: &str) -> String {
    format!("destination:{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_gives_little_away() {
        assert_eq!(hint("short"), "••••");
        assert_eq!(hint("short?sign=0123456789abcdef"), "••••", "a signature is no hint");
        assert_eq!(hint("live_1234567_abc3f9a?t=1"), "•••• 3f9a");
        assert_eq!(hint("一二三四五六七八九十末尾四字"), "•••• 末尾四字");
    }
}
