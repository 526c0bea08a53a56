use std::collections::BTreeMap;
use std::time::Duration;
use thiserror::Error;

/// Did a request that failed reach the platform?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// Surely not: it may be sent again without looking.
    No,
    /// Perhaps: its effect may hold and must be looked up.
    Maybe,
}

/// Why a platform did not tell or do something. The texts are for logs and hold no secret and no buyer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlatformError {
    /// No answer, half an answer, or "my own fault".
    #[error("not reached ({sent:?}): {detail}")]
    Unreachable {
        /// Whether the request may have arrived.
        sent: Sent,
        /// What the network said.
        detail: String,
    },
    /// Understood and not done.
    #[error("refused: {code}")]
    Refused {
        /// The platform's stable code.
        code: String,
        /// Values for a sentence about it: limits, numbers. Hostile text: render as text only.
        params: BTreeMap<String, String>,
    },
    /// It does not know us (any more).
    #[error("not signed in")]
    Unauthenticated,
    /// Too often; not done.
    #[error("asked to wait {retry_after:?}")]
    RateLimited {
        /// How long it wants to be left alone.
        retry_after: Duration,
    },
    /// It answered something that this version cannot read.
    #[error("not understood: {what}")]
    NotUnderstood {
        /// Which part. Names fields, never values.
        what: String,
    },
}

impl PlatformError {
    /// Stable code for people and scripts.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { code, .. } => code,
            Self::Unauthenticated => "unauthorized",
            Self::RateLimited { .. } => "rate_limited",
            Self::NotUnderstood { .. } => "not_understood",
        }
    }

    /// May the effect of this request hold all the same?
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unreachable { sent: Sent::Maybe, .. } | Self::NotUnderstood { .. })
    }

    /// A refusal that says nothing but its code.
    #[must_use]
    pub fn refused(code: impl Into<String>) -> Self {
        Self::Refused { code: code.into(), params: BTreeMap::new() }
    }

    pub(crate) fn unread(what: impl Into<String>) -> Self {
        Self::NotUnderstood { what: what.into() }
    }
}
