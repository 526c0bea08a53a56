//! Files and folders that only the owner may read. Modes are set where the OS has them; elsewhere the profile folder's
//! own access list protects them.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Makes a folder and its parents; the folder itself is the owner's only.
pub fn make_folder(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Narrows an existing folder to its owner.
pub fn narrow_folder(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let now = std::fs::metadata(path)?.permissions();
        if now.mode() & 0o077 != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Write access to a file that is created for the owner only.
pub fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Replaces a file as a whole: readers see the old or the new one, also after a power cut.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let temporary = path.with_extension(format!("new{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = open_options().create(true).truncate(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        #[cfg(unix)]
        std::fs::File::open(folder)?.sync_all()?;
        #[cfg(not(unix))]
        let _ = folder;
        Ok(())
    };
    let done = write();
    if done.is_err() {
        // The first failure is the one worth reporting; a left-over temporary file is overwritten next time.
        let _ = std::fs::remove_file(&temporary);
    }
    done
}
