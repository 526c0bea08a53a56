use crate::SealError;
use stallcast_model::Invalid;
use thiserror::Error;

/// Why the store did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A newer program wrote this database; it is not touched.
    #[error("the database has schema {found}, this program knows up to {known}")]
    NewerDatabase {
        /// Schema in the file.
        found: i64,
        /// Newest schema of this program.
        known: i64,
    },
    /// `quick_check` or a read found the file broken.
    #[error("the database is damaged: {detail}")]
    Damaged {
        /// What SQLite says.
        detail: String,
    },
    /// The SQLite library is older than the one whose WAL is safe.
    #[error("SQLite {found} is too old, 3.51.3 is needed")]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// No room on the disk. Nothing was changed.
    #[error("the disk is full")]
    DiskFull,
    /// The file or its folder cannot be written.
    #[error("the database cannot be written")]
    Unwritable(#[source] sqlx::Error),
    /// The writer was not free within 5 s: something hangs.
    #[error("the database is busy")]
    Busy,
    /// The thing is in a state that does not allow this.
    #[error("not possible in state {state}")]
    WrongState {
        /// The state it is in, as a stable word.
        state: String,
    },
    /// A value broke a rule of the domain.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Another page was applied since this one was asked for; read again from the stored cursor.
    #[error("the cursor moved")]
    CursorMoved,
    /// Sealing or opening failed.
    #[error("sealing failed")]
    Sealer(#[from] SealError),
    /// A row holds something that this program never writes.
    #[error("{what} is not understood: {found}")]
    Broken {
        /// Which value.
        what: &'static str,
        /// What is there. Never personal.
        found: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Anything else from the database.
    #[error("database")]
    Sql(#[source] sqlx::Error),
}

impl StoreError {
    /// Stable code for people and scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NewerDatabase { .. } => "newer_database",
            Self::Damaged { .. } => "damaged",
            Self::OldSqlite { .. } => "old_sqlite",
            Self::DiskFull => "disk_full",
            Self::Unwritable(_) => "data_unwritable",
            Self::Busy => "busy",
            Self::WrongState { .. } => "wrong_state",
            Self::Invalid(_) => "invalid",
            Self::CursorMoved => "cursor_moved",
            Self::Sealer(_) | Self::Broken { .. } | Self::Closed | Self::Sql(_) => "internal",
        }
    }

    /// The state of [`Self::WrongState`].
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        match self {
            Self::WrongState { state } => Some(state),
            _ => None,
        }
    }

    pub(crate) fn wrong_state(state: impl Into<String>) -> Self {
        Self::WrongState { state: state.into() }
    }

    pub(crate) fn broken(what: &'static str, found: impl ToString) -> Self {
        Self::Broken { what, found: found.to_string() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(e: sqlx::Error) -> Self {
        match &e {
            sqlx::Error::PoolTimedOut => return Self::Busy,
            sqlx::Error::PoolClosed => return Self::Closed,
            _ => {}
        }
        let primary = e.as_database_error().and_then(|d| d.code()).and_then(|c| c.parse::<u32>().ok()).map(|c| c & 0xff);
        match primary {
            Some(11 | 26) => Self::Damaged { detail: e.to_string() },
            Some(13) => Self::DiskFull,
            Some(3 | 8 | 10 | 14) => Self::Unwritable(e),
            Some(5) => Self::Busy,
            _ => Self::Sql(e),
        }
    }
}
