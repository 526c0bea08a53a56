use crate::protocol::Failure;
use crate::socket::SocketError;
use crate::wire::WireError;
use std::collections::BTreeMap;
use std::path::PathBuf;
use thiserror::Error;

/// Why the media process did not do what it was asked.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The engine understood and refused; its own reason.
    #[error("refused: {} {:?}", .0.code, .0.params)]
    Refused(Failure),
    /// Nobody answers: the process is gone and did not come back in time, or this client was detached.
    #[error("the media process does not answer: {detail}")]
    Down {
        /// The system's own words, for the log.
        detail: String,
    },
    /// The process could not be started.
    #[error("the media process does not start: {detail}")]
    Start {
        /// The system's own words, for the log.
        detail: String,
    },
    /// The program of the media process is not there, or may not be run.
    #[error("{}: {detail}", path.display())]
    Missing {
        /// Where it should lie.
        path: PathBuf,
        /// The system's own words.
        detail: String,
    },
    /// The running engine speaks another protocol version: it may only be watched and ended.
    #[error("the running media process speaks version {theirs}")]
    Version {
        /// Its version.
        theirs: u32,
    },
    /// An encoder did not pass its probe, in the process that probes it.
    #[error("not to be used: {detail}")]
    Probe {
        /// Why.
        detail: String,
    },
    /// The private socket is not usable.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A message did not come through.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The OS refused something else.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl EngineError {
    /// Stable code that window and command line translate.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(failure) => &failure.code,
            Self::Version { .. } => "version",
            Self::Missing { .. } => "program_missing",
            Self::Down { .. } | Self::Start { .. } | Self::Socket(_) | Self::Wire(_) => "engine_down",
            Self::Io(_) | Self::Probe { .. } => "internal",
        }
    }

    /// Values for the sentence; `detail` for everything the engine itself did not word.
    #[must_use]
    pub fn params(&self) -> BTreeMap<String, String> {
        match self {
            Self::Refused(failure) => failure.params.clone(),
            Self::Down { detail } | Self::Start { detail } => BTreeMap::from([("detail".to_owned(), detail.clone())]),
            Self::Missing { path, detail } => {
                BTreeMap::from([("path".to_owned(), path.display().to_string()), ("detail".to_owned(), detail.clone())])
            }
            other => BTreeMap::from([("detail".to_owned(), other.to_string())]),
        }
    }

    /// Can the same command work in a moment?
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused(failure) => matches!(failure.code.as_str(), "device_busy" | "internal"),
            Self::Version { .. } => false,
            _ => true,
        }
    }
}

/// A refusal with values for its sentence.
pub(crate) fn failure(code: &str, params: &[(&str, &dyn ToString)]) -> Failure {
    Failure { code: code.to_owned(), params: params.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect() }
}
