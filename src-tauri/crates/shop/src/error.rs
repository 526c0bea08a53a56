use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the shop does not start or had to stop. Each has a stable code; people read the sentence their client makes of it.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// Another program listens there.
    #[error("{address} is taken by another program")]
    PortInUse {
        /// Asked for.
        address: SocketAddr,
    },
    /// The machine has no such address, or this user may not listen there.
    #[error("cannot listen on {address}")]
    AddressUnusable {
        /// Asked for.
        address: SocketAddr,
        /// What the OS said.
        #[source]
        source: std::io::Error,
    },
    /// The data folder or a file in it cannot be written.
    #[error("cannot write {path}")]
    DataUnwritable {
        /// File or folder.
        path: PathBuf,
        /// What the OS said.
        #[source]
        source: std::io::Error,
    },
    /// Another shop runs on this data folder.
    #[error("another shop runs on {path}")]
    AlreadyRunning {
        /// The data folder.
        path: PathBuf,
    },
    /// The database was written by a newer version.
    #[error("{path} was written by a newer version (schema {found}, this one knows {known})")]
    NewerDatabase {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema of this version.
        known: i64,
    },
    /// The database does not open, fails its check, or is not a shop's.
    #[error("{path} does not open: {detail}")]
    DatabaseBroken {
        /// The database.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// Something that should not happen.
    #[error("the shop stopped: {detail}")]
    Internal {
        /// What happened.
        detail: String,
    },
}

impl ShopError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::PortInUse { .. } => "port_in_use",
            Self::AddressUnusable { .. } => "address_unusable",
            Self::DataUnwritable { .. } => "data_unwritable",
            Self::AlreadyRunning { .. } => "shop_running",
            Self::NewerDatabase { .. } => "newer_database",
            Self::DatabaseBroken { .. } => "database_broken",
            Self::Internal { .. } => "internal",
        }
    }

    /// What the sentence for the code needs.
    #[must_use]
    pub fn params(&self) -> BTreeMap<&'static str, String> {
        let path = |p: &PathBuf| ("path", p.display().to_string());
        match self {
            Self::PortInUse { address } | Self::AddressUnusable { address, .. } => BTreeMap::from([("address", address.to_string())]),
            Self::DataUnwritable { path: p, .. } | Self::AlreadyRunning { path: p } => BTreeMap::from([path(p)]),
            Self::NewerDatabase { path: p, found, known } => {
                BTreeMap::from([path(p), ("found", found.to_string()), ("known", known.to_string())])
            }
            Self::DatabaseBroken { path: p, detail } => BTreeMap::from([path(p), ("detail", detail.clone())]),
            Self::Internal { detail } => BTreeMap::from([("detail", detail.clone())]),
        }
    }

    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        Self::Internal { detail: what.to_string() }
    }
}
