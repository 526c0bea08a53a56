use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use thiserror::Error;

/// A destination's address cannot be used. Never holds a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TargetError {
    /// Neither `rtmp://` nor `rtmps://`.
    #[error("scheme is not rtmp or rtmps")]
    Scheme,
    /// No host, user and password before it, or an invalid port.
    #[error("no usable host and port")]
    Host,
    /// No application path between host and key.
    #[error("no application in the path")]
    App,
    /// Neither a key nor a stream name in the address.
    #[error("no stream key")]
    Key,
    /// The extra certificate is none.
    #[error("no certificate in the PEM text")]
    Certificate,
}

impl TargetError {
    /// Stable code for the sentence.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Scheme => "url_scheme",
            Self::Host => "url_host",
            Self::App => "url_app",
            Self::Key => "url_key",
            Self::Certificate => "certificate",
        }
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
    /// From one full URL (`key` missing or empty), or from a server URL and a key. Blanks around both are taken off;
    /// everything else stays byte for byte: platforms sign what stands in the query.
    ///
    /// A full URL is split at the last `/` of its path; the key is what follows, with the query.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(id: &str, url: &str, key: Option<&str>) -> Result<Self, TargetError> {
        let (url, key) = (url.trim(), key.map(str::trim).filter(|k| !k.is_empty()));
        let (scheme, rest) = url.split_once("://").ok_or(TargetError::Scheme)?;
        let (tls, usual_port) = match scheme.to_ascii_lowercase().as_str() {
            "rtmp" => (false, 1935),
            "rtmps" => (true, 443),
            _ => return Err(TargetError::Scheme),
        };
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
        if key.is_empty() || key.starts_with('?') || key.contains(char::is_control) {
            return Err(TargetError::Key);
        }
        if app.contains(char::is_control) {
            return Err(TargetError::App);
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
        })
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

    pub(crate) const fn tls(&self) -> bool {
        self.tls
    }

    pub(crate) fn trusted(&self) -> &[CertificateDer<'static>] {
        &self.trusted
    }

    /// `app` of the connect command.
    pub(crate) fn app(&self) -> &str {
        self.app.expose_secret()
    }

    /// `tcUrl` of the connect command.
    pub(crate) fn tc_url(&self) -> &str {
        self.url.expose_secret()
    }

    pub(crate) fn key(&self) -> &str {
        self.key.expose_secret()
    }
}

fn host_and_port(authority: &str, usual: u16) -> Result<(String, u16), TargetError> {
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
mod tests {
    use super::*;

    fn parts(url: &str, key: Option<&str>) -> Result<(String, u16, bool, String, String, String), TargetError> {
        let t = Target::parse("1", url, key)?;
        Ok((t.host.clone(), t.port, t.tls, t.app().to_owned(), t.key().to_owned(), t.tc_url().to_owned()))
    }

    fn same(url: &str, key: Option<&str>, expected: (&str, u16, bool, &str, &str, &str)) {
        let (host, port, tls, app, key, tc) = parts(url, key).unwrap_or_else(|e| panic!("{url}: {e}"));
        assert_eq!((host.as_str(), port, tls, app.as_str(), key.as_str(), tc.as_str()), expected, "{url}");
    }

    #[test]
    fn a_full_url_is_split_at_the_last_slash_of_its_path() {
        let signed = "s?txSecret=a/b%2Fc==&txTime=5F";
        same(
            &format!("rtmp://wxalivepush.weixin.qq.com/live/{signed}"),
            None,
            ("wxalivepush.weixin.qq.com", 1935, false, "live", signed, "rtmp://wxalivepush.weixin.qq.com/live"),
        );
        same("  RTMPS://a.example:4443/x/y/z\n", Some(" \n"), ("a.example", 4443, true, "x/y", "z", "rtmps://a.example:4443/x/y"));
        same("rtmp://[::1]:19350/live/k", None, ("::1", 19350, false, "live", "k", "rtmp://[::1]:19350/live"));
    }

    #[test]
    fn two_fields_keep_the_key_whole_and_the_query_of_the_server() {
        same("rtmp://h/live/", Some("\tk/1?sign=a%2Fb&x=\n"), ("h", 1935, false, "live", "k/1?sign=a%2Fb&x=", "rtmp://h/live"));
        same(
            "rtmps://b.rtmps.youtube.com:443/live2?backup=1",
            Some("abcd-efgh"),
            ("b.rtmps.youtube.com", 443, true, "live2?backup=1", "abcd-efgh", "rtmps://b.rtmps.youtube.com:443/live2?backup=1"),
        );
        same(
            "rtmp://tx.push.yximgs.com/live",
            Some("k"),
            ("tx.push.yximgs.com", 1935, false, "live", "k", "rtmp://tx.push.yximgs.com/live"),
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (url, key, error) in [
            ("http://h/live/k", None, TargetError::Scheme),
            ("h/live/k", None, TargetError::Scheme),
            ("", None, TargetError::Scheme),
            ("rtmp:///live/k", None, TargetError::Host),
            ("rtmp://user:secret@h/live/k", None, TargetError::Host),
            ("rtmp://h:0/live/k", None, TargetError::Host),
            ("rtmp://h:70000/live/k", None, TargetError::Host),
            ("rtmp://h:/live/k", None, TargetError::Host),
            ("rtmp://h:+1/live/k", None, TargetError::Host),
            ("rtmp://[::1/live/k", None, TargetError::Host),
            ("rtmp://h", Some("k"), TargetError::App),
            ("rtmp://h/", None, TargetError::App),
            ("rtmp://h//k", None, TargetError::App),
            ("rtmp://h/live", None, TargetError::Key),
            ("rtmp://h/live/", None, TargetError::Key),
            ("rtmp://h/live/?sign=1", None, TargetError::Key),
            ("rtmp://h/live", Some("a\nb"), TargetError::Key),
        ] {
            assert_eq!(parts(url, key).err(), Some(error), "{url:?} {key:?}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        for (url, key) in [("rtmp://h/live-canary/canary?s=canary", None), ("rtmps://h/a?t=canary", Some("canary"))] {
            let shown = format!("{:?} {:#?}", Target::parse("1", url, key), Target::parse("1", url, key));
            assert!(!shown.contains("canary") && shown.contains("****"), "{shown}");
        }
    }

    #[test]
    fn only_certificates_can_be_trusted() {
        let target = |pem: &[u8]| Target::parse("1", "rtmps://h/live/k", None).and_then(|t| t.trusting(pem)).err();
        assert_eq!(target(b""), Some(TargetError::Certificate));
        assert_eq!(target(b"-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n"), Some(TargetError::Certificate));
    }
}
