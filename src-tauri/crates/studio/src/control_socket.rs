//! Where the control socket of a folder is, and who answers on it.
use std::path::Path;
pub(crate) async fn connect(_data: &Path) -> Option<tokio::io::DuplexStream> { todo!() }
