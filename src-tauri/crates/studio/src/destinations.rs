//! Where the picture goes. Keys are sealed before they reach the database and never come back to a window.

use crate::args::{MOST_DESTINATIONS, check_url};
use crate::error::StudioError;
use crate::present;
use crate::rows::{self, DestinationRow};
use crate::studio::Studio;
use crate::view::{DestinationForm, DestinationView, StudioEvent, UiError};
use secrecy::{ExposeSecret, SecretString};
use stallcast_engine::protocol::{Destination, LinkStatus};
use std::collections::BTreeMap;

/// Longest name, characters.
const MOST_NAME: usize = 40;
/// Longest key, bytes.
const MOST_KEY: usize = 512;

/// What is sealed into one row: the address may hold the key, so both are.
pub(crate) struct Address {
    pub url: SecretString,
    pub key: Option<SecretString>,
}

fn hint(address: &Address) -> String {
    let Some(key) = &address.key else { return String::new() };
    let letters: Vec<char> = key.expose_secret().chars().collect();
    // Four of fewer than twelve would give too much of it away.
    let last: String = if letters.len() < 12 { String::new() } else { letters[letters.len() - 4..].iter().collect() };
    format!("•••• {last}").trim_end().to_owned()
}

fn view(row: &DestinationRow, links: &BTreeMap<String, LinkStatus>) -> DestinationView {
    let link = links.get(&row.id);
    DestinationView {
        id: row.id.clone(),
        name: row.name.clone(),
        host: row.host.clone(),
        key_hint: row.key_hint.clone(),
        enabled: row.enabled,
        state: link.map_or(crate::view::LinkStateView::Idle, |l| present::link_state(l.state)),
        behind_ms: link.map_or(0, |l| present::count(l.behind_ms)),
    }
}

impl Studio {
    pub(crate) async fn destinations_view(&self) -> Vec<DestinationView> {
        let rows = rows::destinations(&self.inner.store).await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "destinations cannot be read");
            Vec::new()
        });
        let links = self.hub().picture().state.links.iter().map(|l| (l.id.clone(), l.clone())).collect();
        rows.iter().map(|row| view(row, &links)).collect()
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
        let url = check_url(form.url.trim())?;
        if form.key.as_ref().is_some_and(|k| k.len() > MOST_KEY || k.chars().any(char::is_control)) {
            return Err(StudioError::invalid("key", "format"));
        }
        let rows = rows::destinations(&self.inner.store).await?;
        let old = match &form.id {
            Some(id) => Some(rows.iter().find(|r| &r.id == id).ok_or_else(|| StudioError::new("not_found"))?),
            None => None,
        };
        let others = rows.iter().filter(|r| r.enabled && old.is_none_or(|o| o.id != r.id)).count();
        if form.enabled && others >= MOST_DESTINATIONS {
            return Err(StudioError::new("too_many_destinations").with("most", MOST_DESTINATIONS));
        }
        let key = match (form.key, old) {
            (Some(key), _) => Some(key.trim().to_owned()).filter(|k| !k.is_empty()).map(SecretString::from),
            (None, Some(old)) => self.open_address(old)?.key,
            (None, None) => None,
        };
        let address = Address { url: SecretString::from(form.url.trim().to_owned()), key };
        let id = old.map_or_else(|| uuid::Uuid::now_v7().to_string(), |o| o.id.clone());
        let row = DestinationRow {
            sealed: self.seal_address(&id, &address)?,
            key_hint: hint(&address),
            host: url.host_str().unwrap_or_default().to_owned(),
            id,
            name,
            enabled: form.enabled,
        };
        rows::save_destination(&self.inner.store, &row).await?;
        self.guard_secrets(&Destination { id: row.id.clone(), url: address.url, key: address.key });
        self.publish_destinations().await;
        Ok(view(&row, &BTreeMap::new()))
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

    async fn publish_destinations(&self) {
        self.hub().send(StudioEvent::Destinations(self.destinations_view().await));
    }

    /// What the next show of the window pushes to.
    pub(crate) async fn enabled_destinations(&self) -> Result<Vec<Destination>, StudioError> {
        let rows = rows::destinations(&self.inner.store).await?;
        rows.iter()
            .filter(|r| r.enabled)
            .map(|row| {
                let Address { url, key } = self.open_address(row)?;
                Ok(Destination { id: row.id.clone(), url, key })
            })
            .collect()
    }

    /// Saved keys are masked in logs from the first moment.
    pub(crate) async fn guard_saved_secrets(&self) {
        match self.enabled_destinations().await {
            Ok(list) => list.iter().for_each(|d| self.guard_secrets(d)),
            Err(e) => tracing::error!(error = %e, "saved destinations cannot be opened"),
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

fn row_name(id: &str) -> String {
    format!("destination:{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_gives_little_away() {
        let with = |key: Option<&str>| {
            hint(&Address { url: SecretString::from("rtmp://h/a"), key: key.map(|k| SecretString::from(k.to_owned())) })
        };
        assert_eq!(with(None), "");
        assert_eq!(with(Some("short")), "••••");
        assert_eq!(with(Some("live_1234567_abc3f9a")), "•••• 3f9a");
        assert_eq!(with(Some("一二三四五六七八九十末尾四字")), "•••• 末尾四字");
    }
}
