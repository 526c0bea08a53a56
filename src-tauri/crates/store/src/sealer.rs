use std::fmt;

/// Seals what must not be readable in the database file. The studio implements it with its master key; the row's name
/// binds the sealed bytes to their place.
pub trait Sealer: Send + Sync + fmt::Debug {
    /// Seals `plain` for the row called `row`.
    ///
    /// # Errors
    /// The key is gone or there is no randomness.
    fn seal(&self, row: &str, plain: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Opens what was sealed for the row called `row`.
    ///
    /// # Errors
    /// Another key, another row, or changed bytes.
    fn open(&self, row: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError>;

    /// A keyed digest by which a whole value is found again: the same for the same field and value, and of no use without
    /// the key.
    ///
    /// # Errors
    /// The key is gone.
    fn mark(&self, field: &str, value: &str) -> Result<i64, SealError>;
}

/// Sealing or opening failed. The text is for logs and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SealError(String);

impl SealError {
    /// Why, for logs.
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}
