//! One error for the façade and the command line: a stable code, values for its sentence, an exit status.

use crate::lock::LockError;
use crate::messages::{Language, error_sentence};
use crate::secrets::SecretsError;
use crate::view::UiError;
use std::collections::BTreeMap;
use thiserror::Error;

/// A use-case that did not happen. The code is what scripts and the UI act on; the sentence is for people.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code} {params:?}")]
pub struct StudioError {
    code: String,
    params: BTreeMap<String, String>,
    retryable: bool,
}

/// Code and exit status, for every code that is not 5 ("other").
const EXITS: &[(u8, &[&str])] = &[
    (
        2,
        &[
            "usage",
            "bad_url",
            "bad_value",
            "bad_duration",
            "bad_canvas",
            "bad_source",
            "bad_address",
            "bad_record",
            "clean_feed_same",
            "no_output",
            "needs_option",
            "too_many_destinations",
            "key_file_count",
            "key_forgotten",
            "invalid",
            "bad_shop_address",
            "shop_known",
            "shop_explaining",
            "own_shop",
            "too_many_shops",
            "order_of_two_shops",
        ],
    ),
    (
        3,
        &[
            "device_missing",
            "device_busy",
            "device_denied",
            "source_unusable",
            "file_missing",
            "file_exists",
            "path_unwritable",
            "key_file_missing",
            "token_file_unreadable",
        ],
    ),
    (4, &["never_accepted", "destination_refused"]),
    (
        6,
        &[
            "unauthorized",
            "shop_token_refused",
            "passphrase_missing",
            "passphrase_wrong",
            "passphrase_unreadable",
            "master_key_missing",
            "master_key_wrong",
            "keychain_gone",
            "keychain_entry_missing",
            "secrets_broken",
        ],
    ),
    (7, &["not_complete", "action_pending"]),
    (130, &["interrupted"]),
];

impl StudioError {
    /// An error with a stable code.
    #[must_use]
    pub fn new(code: impl Into<String>) -> Self {
        Self { code: code.into(), params: BTreeMap::new(), retryable: false }
    }

    /// Adds one value for the sentence. Never a secret.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    /// The same call may succeed later.
    #[must_use]
    pub const fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Something that should not happen, with the error as it names itself.
    #[must_use]
    pub fn internal(detail: impl std::fmt::Display) -> Self {
        Self::new("internal").with("detail", detail)
    }

    /// A form field that broke a rule.
    #[must_use]
    pub fn invalid(field: &str, rule: &str) -> Self {
        Self::new("invalid").with("field", field).with("rule", rule)
    }

    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Values for the sentence.
    #[must_use]
    pub const fn params(&self) -> &BTreeMap<String, String> {
        &self.params
    }

    /// The process's exit status for this error, as the command-line contract says.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        EXITS.iter().find(|(_, codes)| codes.contains(&self.code.as_str())).map_or(5, |(status, _)| *status)
    }

    /// What happened and what to do next.
    #[must_use]
    pub fn sentence(&self, language: Language) -> String {
        error_sentence(&self.code, &self.params, language)
    }
}

impl From<StudioError> for UiError {
    fn from(e: StudioError) -> Self {
        Self { code: e.code, params: e.params, retryable: e.retryable }
    }
}

impl From<UiError> for StudioError {
    fn from(e: UiError) -> Self {
        Self { code: e.code, params: e.params, retryable: e.retryable }
    }
}

impl From<stallcast_model::Invalid> for StudioError {
    fn from(e: stallcast_model::Invalid) -> Self {
        Self::invalid(e.field, e.rule)
    }
}

impl From<LockError> for StudioError {
    fn from(e: LockError) -> Self {
        match e {
            LockError::Held { pid } => Self::new("folder_busy").with("pid", pid.map_or_else(|| "?".to_owned(), |p| p.to_string())),
            LockError::Io { path, source } => {
                tracing::warn!(path = %path.display(), error = %source, "cannot lock the data folder");
                Self::new(if source.kind() == std::io::ErrorKind::StorageFull { "disk_full" } else { "data_unwritable" })
                    .with("path", path.display())
            }
        }
    }
}

impl From<SecretsError> for StudioError {
    fn from(e: SecretsError) -> Self {
        match e {
            SecretsError::PassphraseMissing => Self::new("passphrase_missing"),
            SecretsError::PassphraseUnreadable { path } => Self::new("passphrase_unreadable").with("path", path.display()),
            SecretsError::PassphraseWrong => Self::new("passphrase_wrong"),
            SecretsError::KeyFileMissing { path } => Self::new("master_key_missing").with("path", path.display()),
            SecretsError::KeyFileWrong { path } => Self::new("master_key_wrong").with("path", path.display()),
            SecretsError::KeychainGone => Self::new("keychain_gone"),
            SecretsError::KeychainEntryMissing => Self::new("keychain_entry_missing"),
            SecretsError::RecordBroken { path } => Self::new("secrets_broken").with("path", path.display()),
            SecretsError::Io { path, .. } => Self::new("data_unwritable").with("path", path.display()),
            e @ (SecretsError::Sealed | SecretsError::Random) => Self::internal(e),
        }
    }
}

impl From<stallcast_engine::EngineError> for StudioError {
    fn from(e: stallcast_engine::EngineError) -> Self {
        let error = Self { code: e.code().to_owned(), params: e.params(), retryable: false };
        if e.retryable() { error.retryable() } else { error }
    }
}

/// The studio's database, in its folder.
pub(crate) const DATABASE: &str = "stallcast.db";

impl From<stallcast_store::StoreError> for StudioError {
    fn from(e: stallcast_store::StoreError) -> Self {
        use stallcast_store::StoreError as E;
        match e {
            E::NewerDatabase { .. } => Self::new("database_newer").with("path", DATABASE),
            E::Damaged { detail } => Self::new("database_broken").with("path", DATABASE).with("detail", detail),
            E::DiskFull => Self::new("disk_full").with("path", DATABASE).retryable(),
            E::Unwritable(_) => Self::new("data_unwritable").with("path", DATABASE),
            // It has no call for it, so nothing was written down.
            E::WrongState { state } if state == "unavailable" => Self::new("unsupported"),
            E::WrongState { state } if state == "bag_full" => Self::new(state),
            E::WrongState { state } => Self::new("wrong_state").with("state", state),
            E::Invalid(invalid) => invalid.into(),
            E::Busy => Self::internal(E::Busy).retryable(),
            other => {
                tracing::error!(error = ?other, "the database");
                Self::internal(other)
            }
        }
    }
}

impl From<stallcast_platform::PlatformError> for StudioError {
    fn from(e: stallcast_platform::PlatformError) -> Self {
        use stallcast_platform::PlatformError as E;
        let error = Self::new(e.code()).with("detail", &e);
        if matches!(e, E::Unreachable { .. } | E::RateLimited { .. }) { error.retryable() } else { error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::ERRORS;

    #[test]
    fn exit_statuses_follow_the_contract() {
        let known = |code: &str| ERRORS.iter().any(|(c, ..)| *c == code);
        for (_, codes) in EXITS {
            for code in *codes {
                assert!(known(code), "{code} has an exit status but no sentence");
            }
        }
        for (code, status) in [
            ("bad_url", 2),
            ("no_output", 2),
            ("device_busy", 3),
            ("file_exists", 3),
            ("never_accepted", 4),
            ("port_in_use", 5),
            ("show_running", 5),
            ("disk_full", 5),
            ("master_key_missing", 6),
            ("not_complete", 7),
            ("interrupted", 130),
            ("anything", 5),
        ] {
            assert_eq!(StudioError::new(code).exit_code(), status, "{code}");
        }
    }
}
