use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use thiserror::Error;

/// A destination's address cannot be used. Never holds a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TargetError {
    /// `http://` or `https://`: the platform's page.
    #[error("the address of a web page")]
    Page,
    /// What viewers play: `http(s)://….m3u8`, `.flv`, `.mp4`.
    #[error("the address viewers watch at")]
    Play,
    /// `srt://`.
    #[error("SRT is another protocol")]
    Srt,
    /// Any other scheme.
    #[error("scheme is not rtmp or rtmps")]
    Scheme,
    /// No `://` at all.
    #[error("no scheme")]
    NoScheme,
    /// No host, or an invalid port.
    #[error("no usable host and port")]
    Host,
    /// User and password before the host.
    #[error("user and password before the host")]
    User,
    /// No application path between host and key.
    #[error("no application in the path")]
    App,
    /// Neither a key nor a stream name in the address.
    #[error("no stream key")]
    Key,
    /// An address in the place of the key.
    #[error("an address where the key belongs")]
    KeyIsAddress,
    /// A blank or a line break in the middle of the address.
    #[error("a blank inside the address")]
    Blank,
    /// A blank or a line break in the middle of the key.
    #[error("a blank inside the key")]
    KeyBlank,
    /// Longer than anything a platform gives out.
    #[error("too long")]
    TooLong,
    /// The extra certificate is none.
    #[error("no certificate in the PEM text")]
    Certificate,
}

impl TargetError {
    /// Stable word for the sentence.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Play => "play",
            Self::Srt => "srt",
            Self::Scheme => "scheme",
            Self::NoScheme => "no_scheme",
            Self::Host => "host",
            Self::User => "user",
            Self::App => "app",
            Self::Key => "key",
            Self::KeyIsAddress => "key_is_address",
            Self::Blank => "blank",
            Self::KeyBlank => "key_blank",
            Self::TooLong => "too_long",
            Self::Certificate => "certificate",
        }
    }

    /// It is the key that is wrong, not the address.
    #[must_use]
    pub const fn is_about_key(self) -> bool {
        matches!(self, Self::Key | Self::KeyIsAddress | Self::KeyBlank)
    }
}

/// One RTMP(S) destination. `Debug` shows host and id, never application or key: some platforms sign the former too.
#[derive(Clone)]
pub struct Target {
    id: String,
    host: String,
    port: u16,
    tls: bool,
    app: SecretString,
    url: SecretString,
    key: SecretString,
    trusted: Vec<CertificateDer<'static>>,
    accepted: bool,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("id", &self.id)
            .field("host", &self.host)
            .field("tls", &self.tls)
            .field("key", &"****")
            .finish_non_exhaustive()
    }
}

impl Target {
    /// From one full URL (`key` missing or empty), or from a server URL and a key. Blanks around both are taken off, also
    /// those without width that web pages put into what is copied; everything else stays byte for byte: platforms sign
    /// what stands in the query.
    ///
    /// A full URL is split at the last `/` of its path; the key is what follows, with the query.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(id: &str, url: &str, key: Option<&str>) -> Result<Self, TargetError> {
        let (url, key) = (trimmed(url), key.map(trimmed).filter(|k| !k.is_empty()));
        if url.len() > LONGEST || key.is_some_and(|k| k.len() > LONGEST) {
            return Err(TargetError::TooLong);
        }
        let (scheme, rest) = url.split_once("://").ok_or(TargetError::NoScheme)?;
        let (tls, usual_port) = match scheme.to_ascii_lowercase().as_str() {
            "rtmp" => (false, 1935),
            "rtmps" => (true, 443),
            "http" | "https" => return Err(if is_played(rest) { TargetError::Play } else { TargetError::Page }),
            "srt" => return Err(TargetError::Srt),
            _ => return Err(TargetError::Scheme),
        };
        if rest.contains(is_blank) {
            return Err(TargetError::Blank);
        }
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path),
            None if rest.contains(['?', '#']) => return Err(TargetError::Host),
            None => (rest, ""),
        };
        let (host, port) = host_and_port(authority, usual_port)?;
        let (app, key) = match key {
            // The query of a server URL belongs to the application (a backup ingest, for example).
            Some(key) => (if path.contains('?') { path } else { path.trim_end_matches('/') }, key),
            None => {
                let query = path.find('?').unwrap_or(path.len());
                let cut = path[..query].rfind('/').ok_or(if path[..query].is_empty() { TargetError::App } else { TargetError::Key })?;
                (&path[..cut], &path[cut + 1..])
            }
        };
        if app.is_empty() || app.starts_with('?') {
            return Err(TargetError::App);
        }
        // Keys that are nothing but a query are real: 哔哩哔哩 gives `?streamname=…`.
        if key.is_empty() || key == "?" {
            return Err(TargetError::Key);
        }
        if key.contains(is_blank) {
            return Err(TargetError::KeyBlank);
        }
        if ["rtmp://", "rtmps://", "http://", "https://", "srt://"]
            .iter()
            .any(|s| key.get(..s.len()).is_some_and(|k| k.eq_ignore_ascii_case(s)))
        {
            return Err(TargetError::KeyIsAddress);
        }
        let scheme = if tls { "rtmps" } else { "rtmp" };
        Ok(Self {
            id: id.to_owned(),
            host,
            port,
            tls,
            app: app.into(),
            url: format!("{scheme}://{authority}/{app}").into(),
            key: key.into(),
            trusted: vec![],
            accepted: false,
        })
    }

    /// It accepted this key before, earlier in the show: a process that died may have left a connection that the platform
    /// still holds, so a refusal is not at once the last word.
    #[must_use]
    pub fn accepted_before(mut self, accepted: bool) -> Self {
        self.accepted = accepted;
        self
    }

    /// Trusts one more authority, given as PEM, beside the public ones: a seller's own RTMPS server.
    ///
    /// # Errors
    /// [`TargetError::Certificate`] if there is none in it.
    pub fn trusting(mut self, pem: &[u8]) -> Result<Self, TargetError> {
        let before = self.trusted.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            self.trusted.push(certificate.map_err(|_| TargetError::Certificate)?);
        }
        if self.trusted.len() == before { Err(TargetError::Certificate) } else { Ok(self) }
    }

    /// The caller's name for it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The host, the only part that may be shown.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// RTMPS.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls
    }

    pub(crate) fn trusted(&self) -> &[CertificateDer<'static>] {
        &self.trusted
    }

    pub(crate) const fn was_accepted(&self) -> bool {
        self.accepted
    }

    /// `app` of the connect command.
    pub(crate) fn app(&self) -> &str {
        self.app.expose_secret()
    }

    /// The address without the key: `tcUrl` of the connect command.
    #[must_use]
    pub fn tc_url(&self) -> &str {
        self.url.expose_secret()
    }

    /// The key with its query. A secret: for the wire and for sealing only.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.expose_secret()
    }
}

/// Far more than any platform gives out; an ingest takes 64 KiB at most.
const LONGEST: usize = 2048;

/// A blank of any width, none included, or a control character.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}' | '\u{FEFF}')
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// Does what follows `http://` look like a stream for viewers?
fn is_played(rest: &str) -> bool {
    let path = rest.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    [".m3u8", ".flv", ".mp4", ".mpd", ".ts"].iter().any(|end| path.ends_with(end))
}

fn host_and_port(authority: &str, usual: u16) -> Result<(String, u16), TargetError> {
    if authority.contains('@') {
        return Err(TargetError::User);
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(TargetError::Host)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| TargetError::Host)?;
        (host, after)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        (&authority[..end], &authority[end..])
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().filter(|p| *p > 0).ok_or(TargetError::Host)?,
        None if port.is_empty() => usual,
        _ => return Err(TargetError::Host),
    };
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#' | '\\' | '%');
    if host.is_empty() || host.contains(bad) { Err(TargetError::Host) } else { Ok((host.to_owned(), port)) }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
