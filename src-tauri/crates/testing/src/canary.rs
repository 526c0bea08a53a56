//! A secret that nobody else has, and the search for it in everything a show leaves behind.

use crate::processes::Process;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A random word used as a stream key, or as what a buyer wrote.
#[derive(Debug, Clone)]
pub struct Canary {
    word: String,
    forms: Vec<Vec<u8>>,
}

impl Canary {
    /// A new one. It looks like a stream key: letters, digits, an underscore.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new() -> anyhow::Result<Self> {
        let mut bytes = [0; 12];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self::of(&format!("canary_{hex}")))
    }

    /// A phone number that nobody else has.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn phone() -> anyhow::Result<Self> {
        let mut bytes = [0; 8];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self::of(&format!("199{:08}", u64::from_le_bytes(bytes) % 100_000_000)))
    }

    /// This word, which must be one that nobody else has.
    #[must_use]
    pub fn of(word: &str) -> Self {
        let bytes = word.as_bytes();
        let mut forms = vec![bytes.to_vec()];
        forms.push(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>().into_bytes());
        forms.push(bytes.iter().flat_map(|b| [*b, 0]).collect());
        forms.push(bytes.iter().rev().copied().collect());
        // In base64 the word may begin at any of three places of a group; the groups that hold only the word are the same.
        for pad in 0..3 {
            let padded: Vec<u8> = std::iter::repeat_n(b'x', pad).chain(bytes.iter().copied()).collect();
            let whole = base64(&padded[..padded.len() / 3 * 3]);
            forms.push(whole[4..].to_vec());
        }
        Self { word: word.to_owned(), forms }
    }

    /// The word itself.
    #[must_use]
    pub fn word(&self) -> &str {
        &self.word
    }

    /// Does it stand here, plain, as hex, base64, UTF-16 or backwards?
    #[must_use]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| contains(bytes, form))
    }

    /// Files under `folder` that hold it.
    #[must_use]
    pub fn in_folder(&self, folder: &Path) -> Vec<PathBuf> {
        let mut found = vec![];
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if self.is_in(entry.file_name().as_encoded_bytes())
                    || kind.is_file() && std::fs::read(entry.path()).is_ok_and(|bytes| self.is_in(&bytes))
                {
                    found.push(entry.path());
                }
            }
        }
        found
    }

    /// Arguments and environments that hold it.
    #[must_use]
    pub fn in_processes(&self, processes: &[Process]) -> Vec<String> {
        let mut found = vec![];
        for process in processes {
            if process.args.iter().any(|a| self.is_in(a.as_bytes())) {
                found.push(format!("arguments of {}: {}", process.pid, process.args.join(" ")));
            }
            if self.is_in(&process.environ()) {
                found.push(format!("environment of {}", process.pid));
            }
        }
        found
    }
}

fn contains(bytes: &[u8], form: &[u8]) -> bool {
    let Some(first) = form.first() else { return false };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|b| b == first) {
        rest = &rest[at..];
        if rest.starts_with(form) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).map(|c| u32::from(c[0]) << 16 | u32::from(c[1]) << 8 | u32::from(c[2]));
    groups.flat_map(|g| [18, 12, 6, 0].map(|shift| SIGNS[(g >> shift & 63) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;
    use std::process::{Command, Stdio};

    #[test]
    fn it_is_found_in_every_disguise() -> anyhow::Result<()> {
        let canary = Canary::of("canary_0123456789abcdef");
        // What `printf x/xx/xxx… | base64` print of it, with something before and after.
        for hidden in [
            "key=canary_0123456789abcdef;".to_owned(),
            "63616e6172795f30313233343536373839616263646566".to_owned(),
            "Y2FuYXJ5XzAxMjM0NTY3ODlhYmNkZWY=".to_owned(),
            "eGNhbmFyeV8wMTIzNDU2Nzg5YWJjZGVm".to_owned(),
            "eHhjYW5hcnlfMDEyMzQ1Njc4OWFiY2RlZg==".to_owned(),
        ] {
            assert!(canary.is_in(hidden.as_bytes()), "{hidden}");
        }
        for innocent in ["canary_0123456789abcdee", "", "canary", "Y2FuYXJ5"] {
            assert!(!canary.is_in(innocent.as_bytes()), "{innocent}");
        }
        let folder = tempfile::tempdir()?;
        std::fs::create_dir_all(folder.path().join("a/b"))?;
        std::fs::write(folder.path().join("a/b/log"), b"\0\0..canary_0123456789abcdef")?;
        std::fs::write(folder.path().join("a/clean"), b"nothing")?;
        assert_eq!(canary.in_folder(folder.path()), [folder.path().join("a/b/log")]);
        Ok(())
    }

    #[test]
    fn it_is_found_in_arguments_and_environments() -> anyhow::Result<()> {
        let canary = Canary::new()?;
        assert_ne!(canary.word(), Canary::new()?.word());
        let mut in_args = Command::new("sleep").arg("60").arg(format!("0{}", canary.word())).stderr(Stdio::null()).spawn()?;
        let mut waiting = Command::new("sh");
        waiting.args(["-c", "echo ready; read -r line"]).env("KEY", canary.word()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut in_environ = waiting.spawn()?;
        // A process that has just been started has no environment to be read yet.
        let mut ready = [0; 6];
        in_environ.stdout.as_mut().context("its output")?.read_exact(&mut ready)?;
        let mine: Vec<Process> = crate::processes::all().into_iter().filter(|p| p.parent == std::process::id()).collect();
        let found = canary.in_processes(&mine);
        for child in [&mut in_args, &mut in_environ] {
            let _ = child.kill();
            child.wait()?;
        }
        assert!(found.iter().any(|f| f.contains("environment")), "{found:?}");
        // `sleep` refuses the second word and may be gone before it is looked at.
        assert!(canary.in_processes(&[Process { pid: 0, parent: 0, args: vec![canary.word().to_owned()] }]).len() == 1);
        Ok(())
    }
}
