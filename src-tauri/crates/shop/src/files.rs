//! Files of the data folder: private, and never seen half written.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the data folder, readable by its owner only. One that is there stays as it is.
pub(crate) fn create_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes an empty file readable by its owner only, if there is none. Fails if it cannot be written.
pub(crate) fn create_private(path: &Path) -> std::io::Result<File> {
    private().create(true).truncate(false).open(path)
}

/// Replaces a file in one step: a reader sees the old one or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let next = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = write_new(&next, bytes).and_then(|()| std::fs::rename(&next, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&next);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = private().create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A token: 256 random bits in hex. The first start makes it.
pub(crate) fn token(path: &Path) -> std::io::Result<String> {
    match File::open(path) {
        Ok(file) => {
            #[cfg(unix)]
            tighten(&file)?;
            let mut text = String::new();
            file.take(1024).read_to_string(&mut text)?;
            let text = text.trim();
            if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Ok(text.to_owned());
            }
            tracing::warn!(path = %path.display(), "the file holds no token; a new one is made");
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(|e| std::io::Error::other(e.to_string()))?;
    let token: String = bits.iter().map(|b| format!("{b:02x}")).collect();
    replace(path, token.as_bytes())?;
    Ok(token)
}

#[cfg(unix)]
fn tighten(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.token");
        let first = token(&path).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(token(&path).unwrap(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(), 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(token(&path).unwrap(), first);
            assert_eq!(mode(), 0o600, "a token that others could read is closed again");
        }
        std::fs::write(&path, "").unwrap();
        assert_ne!(token(&path).unwrap(), first, "an empty file is no token");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half written is left");
    }
}
