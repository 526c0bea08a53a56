use thiserror::Error;

/// Why a value was refused. The UI translates `field` and `rule`; the text is for logs only.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {rule}")]
pub struct Invalid {
    /// Name of the field as the forms call it, for example `price`.
    pub field: &'static str,
    /// Short stable word for the broken rule: `empty`, `too_long`, `negative`, `zero`, `range`, `currency`, `format`, `same`.
    pub rule: &'static str,
}

impl Invalid {
    /// A refused field and the rule it broke.
    #[must_use]
    pub const fn new(field: &'static str, rule: &'static str) -> Self {
        Self { field, rule }
    }
}
