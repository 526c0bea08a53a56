//! A disk so small that it is full in seconds.

use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system in memory. It goes when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one of `bytes` at an empty folder, which is made. Needs root or `sudo` without a password, as the
    /// installation of the tests' packages does.
    ///
    /// # Errors
    /// Mounting is not allowed.
    pub fn mount(at: &Path, bytes: u64) -> anyhow::Result<Self> {
        std::fs::create_dir(at)?;
        let options = format!("size={bytes},mode=0777");
        let mounted = as_root("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output().context("mount does not start")?;
        ensure!(mounted.status.success(), "cannot mount at {}: {}", at.display(), String::from_utf8_lossy(&mounted.stderr));
        Ok(Self { at: at.to_owned() })
    }

    /// A path on it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }

    /// Writes until nothing more fits.
    ///
    /// # Errors
    /// It cannot be written at all.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut file = std::fs::File::create(self.path("filling"))?;
        let zeros = vec![0; 4096];
        while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: what still has a file open there must not keep the folder.
        let _ = as_root("umount").arg("-l").arg(&self.at).stderr(Stdio::null()).status();
    }
}

fn as_root(program: &str) -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", program]);
    sudo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_soon_and_gone_afterwards() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let disk = SmallDisk::mount(&folder.path().join("disk"), 1 << 20)?;
        disk.fill()?;
        let more = std::fs::write(disk.path("more"), vec![1; 8192]);
        assert_eq!(more.expect_err("full").kind(), std::io::ErrorKind::StorageFull);
        drop(disk);
        assert_eq!(std::fs::read_dir(folder.path().join("disk"))?.count(), 0);
        Ok(())
    }
}
