//! Shops elsewhere: added by address and token, renamed, removed.

use crate::error::StudioError;
use crate::present;
use crate::rows::{self, Remote};
use crate::studio::{Studio, logged};
use crate::view::{ConnectionView, ShopForm, ShopStateView, StudioEvent, UiError};
use secrecy::{ExposeSecret, SecretString};
use stallcast_model::ConnectionId;
use stallcast_platform::local::{AddressError, LocalShop, Reach};
use stallcast_platform::{Platform as _, PlatformError};
use stallcast_store::Connection;
use std::sync::Arc;

/// Shops at a time, with that of this machine: each is read four times a second while on air.
const MOST_SHOPS: usize = 8;
/// Longest name, characters.
const MOST_NAME: usize = 40;
/// Longest address and token, bytes.
const MOST_TEXT: usize = 512;

/// The address as it is asked: typed or copied from the viewer page, with or without its beginning.
fn address(typed: &str) -> Result<String, StudioError> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(StudioError::invalid("address", "empty"));
    }
    let whole = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
    if whole.len() > MOST_TEXT || whole.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(bad_address("format"));
    }
    Ok(whole.trim_end_matches('/').to_owned())
}

fn bad_address(rule: &str) -> StudioError {
    StudioError::new("bad_shop_address").with("rule", rule)
}

fn not_usable(e: AddressError) -> StudioError {
    match e {
        AddressError::NotAnAddress(_) => bad_address("format"),
        AddressError::NotPrivate(host) => bad_address("public").with("host", host),
        AddressError::NotTrusted(host) => bad_address("trust").with("host", host),
        AddressError::NotAToken => StudioError::invalid("token", "format"),
        AddressError::NoClient(detail) => StudioError::internal(detail),
    }
}

/// A name as typed, without the blanks around it; `None` for none.
fn own_name(typed: &str) -> Result<Option<String>, StudioError> {
    let name = typed.trim();
    if name.chars().count() > MOST_NAME {
        return Err(StudioError::invalid("name", "too_long"));
    }
    if name.chars().any(char::is_control) {
        return Err(StudioError::invalid("name", "format"));
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// Why nothing was added: who did not answer, or what it said.
fn not_reached(address: &str, e: &PlatformError) -> StudioError {
    let code = match e {
        PlatformError::Unauthenticated => "shop_token_refused",
        PlatformError::Unreachable { .. } | PlatformError::RateLimited { .. } => "shop_not_reached",
        PlatformError::Refused { .. } | PlatformError::NotUnderstood { .. } => "shop_not_a_shop",
    };
    let error = StudioError::new(code).with("address", address);
    if code == "shop_not_reached" { error.retryable() } else { error }
}

fn row_name(id: &ConnectionId) -> String {
    format!("connection:{id}")
}

impl Studio {
    pub(crate) async fn connections_view(&self) -> Vec<ConnectionView> {
        let listed = async {
            let store = &self.inner.store;
            Ok::<_, StudioError>((rows::connections(store).await?, rows::remotes(store).await?))
        };
        let (listed, remotes) = listed.await.unwrap_or_else(|e| {
            tracing::error!(error = %e, "connections cannot be read");
            Default::default()
        });
        let view = |connection: &Connection| {
            let remote = remotes.iter().find(|r| r.connection.id == connection.id);
            let state = self.shops().of(connection.id.as_str()).map_or(ShopStateView::Off, |shop| shop.state());
            let address = remote.map_or_else(|| self.shop_url(), |r| Some(r.address.clone()));
            present::connection(connection, address, remote.is_none(), state)
        };
        listed.iter().map(view).collect()
    }

    async fn publish_shops(&self) {
        self.hub().send(StudioEvent::Connections(self.connections_view().await));
    }

    /// Adds the shop of another studio in the same network, once it has answered and taken the token. A shop that was removed
    /// comes back with all that it sold.
    ///
    /// # Errors
    /// `bad_shop_address` with a rule, `invalid` with field and rule, `shop_not_reached`, `shop_not_a_shop`,
    /// `shop_token_refused`, `shop_known` with the name it has, `too_many_shops`.
    pub async fn add_shop(&self, form: ShopForm) -> Result<String, UiError> {
        self.take_shop(&form).await.map_err(logged("add shop"))
    }

    /// Its id.
    pub(crate) async fn take_shop(&self, form: &ShopForm) -> Result<String, StudioError> {
        let (address, own_name) = (address(&form.address)?, own_name(&form.name)?);
        let token = SecretString::from(form.token.trim().to_owned());
        match token.expose_secret().len() {
            0 => return Err(StudioError::invalid("token", "empty")),
            1..=MOST_TEXT => {}
            _ => return Err(StudioError::invalid("token", "too_long")),
        }
        // From here on no log shows it, whatever goes wrong.
        self.inner.options.redactor.register(token.expose_secret());
        let reach = if form.trust_network { Reach::TrustedNetwork } else { Reach::ThisMachine };
        let shop = LocalShop::elsewhere(&address, token.clone(), reach, Arc::clone(&self.inner.options.clock)).map_err(not_usable)?;
        let _turn = self.shops().turn.lock().await;
        let store = &self.inner.store;
        if rows::connections(store).await?.len() >= MOST_SHOPS {
            return Err(StudioError::new("too_many_shops").with("most", MOST_SHOPS));
        }
        let profile = shop.profile().await.map_err(|e| not_reached(&address, &e))?;
        let identity = shop.identity().await.map_err(|e| not_reached(&address, &e))?;
        if let Some(own) = self.shops().own()
            && own.identity().await.as_ref() == Some(&identity)
        {
            return Err(StudioError::new("shop_known").with("name", own.name()));
        }
        let id = match rows::shop_of_identity(store, &identity).await? {
            Some(known) if !known.is_removed => return Err(StudioError::new("shop_known").with("name", known.name)),
            Some(known) => known.id,
            None => ConnectionId::new(uuid::Uuid::now_v7().to_string()),
        };
        let connection = Connection {
            id: id.clone(),
            kind: LocalShop::ELSEWHERE.to_owned(),
            name: profile.name,
            capabilities: shop.capabilities(),
            currency: Some(profile.currency),
        };
        let sealed = self.inner.key.seal(&row_name(&id), token.expose_secret().as_bytes())?;
        let mut remote = Remote { connection, address, sealed, identity: Some(identity) };
        rows::add_remote(store, &remote).await?;
        if let Some(name) = own_name {
            rows::rename_connection(store, id.as_str(), &name).await?;
            remote.connection.name = name;
        }
        if self.is_open() {
            self.start_remote(&remote).await?;
        }
        self.publish_shops().await;
        Ok(id.to_string())
    }

    /// Gives a shop a name of the seller's own.
    ///
    /// # Errors
    /// `invalid`, `not_found`.
    pub async fn rename_shop(&self, id: String, name: String) -> Result<(), UiError> {
        self.name_shop(&id, &name).await.map_err(logged("rename shop"))
    }

    pub(crate) async fn name_shop(&self, id: &str, name: &str) -> Result<(), StudioError> {
        let name = own_name(name)?.ok_or_else(|| StudioError::invalid("name", "empty"))?;
        rows::rename_connection(&self.inner.store, id, &name).await?;
        if let Some(shop) = self.shops().of(id) {
            shop.set_name(name);
        }
        self.shops_changed().await;
        Ok(())
    }

    /// Removes a shop that was added. Its orders stay; it is read no more, its token is forgotten, its products leave the bag.
    ///
    /// # Errors
    /// `not_found`, `shop_explaining` while one of its products is being explained, `own_shop` for that of this machine.
    pub async fn remove_shop(&self, id: String) -> Result<(), UiError> {
        self.drop_shop(&id).await.map_err(logged("remove shop"))
    }

    pub(crate) async fn drop_shop(&self, id: &str) -> Result<(), StudioError> {
        let _turn = self.shops().turn.lock().await;
        let store = &self.inner.store;
        let remotes = rows::remotes(store).await?;
        let Some(remote) = remotes.iter().find(|r| r.connection.id.as_str() == id) else {
            let is_own = rows::connections(store).await?.iter().any(|c| c.id.as_str() == id);
            return Err(StudioError::new(if is_own { "own_shop" } else { "not_found" }));
        };
        // Its workers have to end first, and must not for nothing.
        if self.bag_rows().await.iter().any(|row| row.connection == id && row.item.explaining_since_ms.is_some()) {
            return Err(StudioError::new("shop_explaining"));
        }
        let connected = self.shops().take(&remote.connection.id);
        if let Some(shop) = &connected {
            shop.stop().await;
        }
        if let Err(e) = rows::remove_connection(store, id, self.now_ms()).await {
            // It was explained in this very moment.
            if connected.is_some() {
                self.start_remote(remote).await?;
            }
            return Err(e);
        }
        self.hub().change_health(|board| board.forget_shop(id));
        self.tell_failed_intents().await;
        self.publish_coupons().await;
        self.refresh_overlay().await;
        self.shops_changed().await;
        Ok(())
    }

    /// Rows carry the names of their shops, and some went with one.
    async fn shops_changed(&self) {
        self.publish_shops().await;
        self.publish_bag().await;
        self.publish_orders().await;
        self.publish_comments().await;
        self.publish_show().await;
    }

    pub(crate) fn open_token(&self, remote: &Remote) -> Result<SecretString, StudioError> {
        let plain = self.inner.key.open_sealed(&row_name(&remote.connection.id), &remote.sealed)?;
        let token = std::str::from_utf8(&plain).map_err(StudioError::internal)?;
        self.inner.options.redactor.register(token);
        Ok(SecretString::from(token.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Language;

    #[test]
    fn an_address_is_taken_as_it_is_copied() {
        for (typed, asked) in [
            ("192.168.1.20:8080", "http://192.168.1.20:8080"),
            (" http://127.0.0.1:4000/ ", "http://127.0.0.1:4000"),
            ("http://[fd00::1]:80", "http://[fd00::1]:80"),
        ] {
            assert_eq!(address(typed).expect(typed), asked);
        }
        let rule = |typed: &str| {
            let error = address(typed).and_then(|a| {
                LocalShop::elsewhere(&a, SecretString::from("t"), Reach::ThisMachine, Arc::new(stallcast_clock::SystemClock))
                    .map_err(not_usable)
            });
            let error = error.map(drop).expect_err(typed);
            for language in [Language::Zh, Language::En] {
                assert!(!error.sentence(language).contains(['{', '?']), "{typed}: {}", error.sentence(language));
            }
            error.params()["rule"].clone()
        };
        assert_eq!(rule("  "), "empty");
        for typed in ["http://", "rtmp://127.0.0.1/x", "https://127.0.0.1", "127.0.0.1:80/shop", "127.0.0.1 80", "http://a:b@127.0.0.1"] {
            assert_eq!(rule(typed), "format", "{typed}");
        }
        assert_eq!(
            (rule("8.8.8.8:80"), rule("laptop.local:80"), rule("192.168.1.20:80")),
            ("public".into(), "public".into(), "trust".into())
        );
    }

    #[test]
    fn every_reason_why_a_shop_is_not_added_has_a_sentence() {
        use stallcast_platform::Sent;
        let unread = PlatformError::NotUnderstood { what: "x".to_owned() };
        for (e, code) in [
            (PlatformError::Unauthenticated, "shop_token_refused"),
            (PlatformError::Unreachable { sent: Sent::No, detail: String::new() }, "shop_not_reached"),
            (PlatformError::refused("wrong_host"), "shop_not_a_shop"),
            (unread, "shop_not_a_shop"),
        ] {
            let error = not_reached("http://10.0.0.1:80", &e);
            assert_eq!(error.code(), code);
            for language in [Language::Zh, Language::En] {
                assert!(error.sentence(language).contains("10.0.0.1"), "{}", error.sentence(language));
            }
        }
    }

    #[test]
    fn a_form_tells_nobody_its_token() {
        let form = ShopForm { address: "a".to_owned(), token: "canary".to_owned(), name: String::new(), trust_network: true };
        assert!(!format!("{form:?}").contains("canary"));
    }
}
