//! The master key of a data folder, and what keeps it.
//!
//! One random 32-byte key seals destination keys and buyers' fields (XChaCha20-Poly1305, the row's id as associated
//! text, so that a sealed value moved to another row does not open). What protects the key itself is chosen at the
//! first use of the folder, in the order passphrase (only where somebody gave one) → keychain → file, and recorded in
//! `DIR/key.json`. A recorded protector is never replaced silently: if it is gone, opening fails with the next step.

use crate::keychain::{KEY, Keychain};
use crate::private_file;
use argon2::{Algorithm, Argon2, Params, Version};
use blake2::Blake2bMac;
use blake2::digest::Mac as _;
use blake2::digest::consts::U32;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use thiserror::Error;
use zeroize::Zeroizing;

const FORMAT: u8 = 1;
const NONCE: usize = 24;
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 2;

/// What keeps the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protector {
    /// The keychain of the OS.
    Keychain,
    /// A passphrase that the seller keeps in a file elsewhere.
    Passphrase,
    /// `DIR/master.key`: whoever can read the folder can read its secrets.
    File,
}

impl Protector {
    /// The word used in `status` and in settings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Keychain => "keychain",
            Self::Passphrase => "passphrase",
            Self::File => "file",
        }
    }
}

/// Why secrets cannot be used. Each has a sentence with the next step.
#[derive(Debug, Error)]
pub enum SecretsError {
    /// The folder was set up with a passphrase and none was given.
    #[error("the folder is protected by a passphrase and none was given")]
    PassphraseMissing,
    /// The passphrase file cannot be read or is empty.
    #[error("the passphrase file {path} cannot be read")]
    PassphraseUnreadable {
        /// Which file.
        path: PathBuf,
    },
    /// Not the passphrase of this folder.
    #[error("the passphrase does not open this folder")]
    PassphraseWrong,
    /// `master.key` is gone.
    #[error("{path} is missing")]
    KeyFileMissing {
        /// Which file.
        path: PathBuf,
    },
    /// `master.key` is not the one this folder was set up with.
    #[error("{path} is not the key of this folder")]
    KeyFileWrong {
        /// Which file.
        path: PathBuf,
    },
    /// Recorded in the OS keychain, which does not answer.
    #[error("the keychain does not answer")]
    KeychainGone,
    /// Recorded in the OS keychain, which answers that it has none, or another one.
    #[error("the keychain does not have the key of this folder")]
    KeychainEntryMissing,
    /// The record itself cannot be read.
    #[error("{path} cannot be read")]
    RecordBroken {
        /// Which file.
        path: PathBuf,
    },
    /// A sealed value was changed, or belongs to another row or another key.
    #[error("a sealed value does not open")]
    Sealed,
    /// A file could not be written.
    #[error("cannot write {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system has no randomness")]
    Random,
}

/// The unlocked key. Sealing needs no I/O and is safe from any thread.
pub struct MasterKey {
    key: SecretSlice<u8>,
    protector: Protector,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterKey").field("protector", &self.protector).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    protector: Protector,
    /// A known text sealed with the key: tells a wrong key from a broken row.
    check: Vec<u8>,
    /// What the key is filed under in the keychain: a folder may be moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passphrase: Option<PassphraseRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PassphraseRecord {
    salt: Vec<u8>,
    memory_kib: u32,
    passes: u32,
    wrapped: Vec<u8>,
}

const CHECK_ROW: &str = "stallcast:check";
const CHECK_TEXT: &[u8] = b"this key belongs to this folder";
/// What the key of [`MasterKey::mark`] is derived with.
const MARK_KEY: &[u8] = b"stallcast:marks:1";
const WRAP_ROW: &str = "stallcast:master";

impl MasterKey {
    /// Opens the key of a folder, choosing and recording a protector at its first use. Blocks for the time of one
    /// argon2id run (about 0.2 s) when a passphrase is used: call it from a blocking context.
    ///
    /// # Errors
    /// See [`SecretsError`]; nothing is replaced or weakened on failure.
    pub fn open(data: &Path, passphrase_file: Option<&Path>, keychain: Option<&dyn Keychain>) -> Result<Self, SecretsError> {
        private_file::make_folder(data).map_err(|source| SecretsError::Io { path: data.to_owned(), source })?;
        let record_path = data.join("key.json");
        match std::fs::read(&record_path) {
            Ok(bytes) => {
                let record: Record = serde_json::from_slice(&bytes).map_err(|_| SecretsError::RecordBroken { path: record_path })?;
                Self::unlock(data, &record, passphrase_file, keychain)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Self::create(data, &record_path, passphrase_file, keychain),
            Err(_) => Err(SecretsError::RecordBroken { path: record_path }),
        }
    }

    /// The protector recorded for a folder, without opening anything.
    #[must_use]
    pub fn recorded(data: &Path) -> Option<Protector> {
        let bytes = std::fs::read(data.join("key.json")).ok()?;
        serde_json::from_slice::<Record>(&bytes).ok().map(|r| r.protector)
    }

    /// What keeps this key.
    #[must_use]
    pub const fn protector(&self) -> Protector {
        self.protector
    }

    fn create(
        data: &Path,
        record_path: &Path,
        passphrase_file: Option<&Path>,
        keychain: Option<&dyn Keychain>,
    ) -> Result<Self, SecretsError> {
        let bytes = Zeroizing::new(random::<KEY>()?);
        let (mut passphrase, mut entry) = (None, None);
        let name = uuid::Uuid::new_v4().to_string();
        // Only what can be read back protects.
        let keeps =
            |k: &dyn Keychain| k.write(&name, &bytes).is_ok() && k.read(&name).is_ok_and(|key| key.is_some_and(|key| *key == *bytes));
        let protector = if let Some(file) = passphrase_file {
            let salt = random::<16>()?;
            let wrapping = derive(&read_passphrase(file)?, &salt, MEMORY_KIB, PASSES)?;
            let wrapped = seal(wrapping.as_slice(), WRAP_ROW, bytes.as_slice())?;
            passphrase = Some(PassphraseRecord { salt: salt.to_vec(), memory_kib: MEMORY_KIB, passes: PASSES, wrapped });
            Protector::Passphrase
        } else if keychain.is_some_and(keeps) {
            entry = Some(name);
            Protector::Keychain
        } else {
            let path = data.join("master.key");
            let io = |source| SecretsError::Io { path: path.clone(), source };
            private_file::narrow_folder(data).map_err(io)?;
            private_file::replace(&path, bytes.as_slice()).map_err(io)?;
            Protector::File
        };
        let check = seal(bytes.as_slice(), CHECK_ROW, CHECK_TEXT)?;
        let record = Record { protector, check, entry, passphrase };
        let text = serde_json::to_vec_pretty(&record).map_err(|_| SecretsError::RecordBroken { path: record_path.to_owned() })?;
        private_file::replace(record_path, &text).map_err(|source| SecretsError::Io { path: record_path.to_owned(), source })?;
        Ok(Self { key: SecretSlice::from(bytes.to_vec()), protector })
    }

    fn unlock(data: &Path, record: &Record, passphrase_file: Option<&Path>, keychain: Option<&dyn Keychain>) -> Result<Self, SecretsError> {
        let (bytes, wrong) = match record.protector {
            Protector::Keychain => {
                let name = record.entry.as_ref().ok_or_else(|| SecretsError::RecordBroken { path: data.join("key.json") })?;
                let answer = keychain.ok_or(SecretsError::KeychainGone)?.read(name).map_err(|_| SecretsError::KeychainGone)?;
                let key = answer.ok_or(SecretsError::KeychainEntryMissing)?;
                (Zeroizing::new(key.to_vec()), SecretsError::KeychainEntryMissing)
            }
            Protector::Passphrase => {
                let wrap = record.passphrase.as_ref().ok_or_else(|| SecretsError::RecordBroken { path: data.join("key.json") })?;
                let phrase = read_passphrase(passphrase_file.ok_or(SecretsError::PassphraseMissing)?)?;
                let wrapping = derive(&phrase, &wrap.salt, wrap.memory_kib, wrap.passes)?;
                let key = open(wrapping.as_slice(), WRAP_ROW, &wrap.wrapped).map_err(|_| SecretsError::PassphraseWrong)?;
                (key, SecretsError::PassphraseWrong)
            }
            Protector::File => {
                let path = data.join("master.key");
                let key = std::fs::read(&path).map_err(|_| SecretsError::KeyFileMissing { path: path.clone() })?;
                (Zeroizing::new(key), SecretsError::KeyFileWrong { path })
            }
        };
        if bytes.len() != KEY || open(&bytes, CHECK_ROW, &record.check).is_err() {
            return Err(wrong);
        }
        Ok(Self { key: SecretSlice::from(bytes.to_vec()), protector: record.protector })
    }

    /// Seals `plain` for one row.
    ///
    /// # Errors
    /// [`SecretsError::Random`] when the system has no randomness.
    pub fn seal(&self, row: &str, plain: &[u8]) -> Result<Vec<u8>, SecretsError> {
        seal(self.key.expose_secret(), row, plain)
    }

    /// A digest by which a sealed value is found again: keyed BLAKE2b with a key of its own, cut to 64 bits.
    ///
    /// # Errors
    /// [`SecretsError::Sealed`] when the key has not its length.
    pub fn mark(&self, field: &str, value: &str) -> Result<i64, SecretsError> {
        let own = keyed(self.key.expose_secret(), &[MARK_KEY])?;
        let digest = keyed(own.as_slice(), &[field.as_bytes(), &[0], value.as_bytes()])?;
        digest.first_chunk().map(|first| i64::from_le_bytes(*first)).ok_or(SecretsError::Sealed)
    }

    /// Opens what [`Self::seal`] made for the same row.
    ///
    /// # Errors
    /// [`SecretsError::Sealed`] for anything else.
    pub fn open_sealed(&self, row: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        open(self.key.expose_secret(), row, sealed)
    }
}

fn random<const N: usize>() -> Result<[u8; N], SecretsError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| SecretsError::Random)?;
    Ok(bytes)
}

fn read_passphrase(file: &Path) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
    let unreadable = || SecretsError::PassphraseUnreadable { path: file.to_owned() };
    let mut bytes = Zeroizing::new(std::fs::read(file).map_err(|_| unreadable())?);
    // Editors end files with a line break that nobody means as part of a passphrase.
    while bytes.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
        bytes.pop();
    }
    if bytes.is_empty() { Err(unreadable()) } else { Ok(bytes) }
}

fn derive(phrase: &[u8], salt: &[u8], memory_kib: u32, passes: u32) -> Result<Zeroizing<[u8; KEY]>, SecretsError> {
    let params = Params::new(memory_kib, passes, 1, Some(KEY)).map_err(|_| SecretsError::PassphraseWrong)?;
    let mut out = Zeroizing::new([0; KEY]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(phrase, salt, out.as_mut_slice())
        .map_err(|_| SecretsError::PassphraseWrong)?;
    Ok(out)
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> Result<Zeroizing<[u8; KEY]>, SecretsError> {
    let mut mac = <Blake2bMac<U32> as blake2::digest::KeyInit>::new_from_slice(key).map_err(|_| SecretsError::Sealed)?;
    for part in parts {
        mac.update(part);
    }
    Ok(Zeroizing::new(mac.finalize().into_bytes().into()))
}

fn seal(key: &[u8], row: &str, plain: &[u8]) -> Result<Vec<u8>, SecretsError> {
    let nonce = random::<NONCE>()?;
    let cipher = XChaCha20Poly1305::new_from_slice(key).map_err(|_| SecretsError::Sealed)?;
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: row.as_bytes() }).map_err(|_| SecretsError::Sealed)?;
    let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
    out.push(FORMAT);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    Ok(out)
}

fn open(key: &[u8], row: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
    let (format, rest) = sealed.split_first().ok_or(SecretsError::Sealed)?;
    let (nonce, body) = rest.split_first_chunk::<NONCE>().ok_or(SecretsError::Sealed)?;
    if *format != FORMAT {
        return Err(SecretsError::Sealed);
    }
    let cipher = XChaCha20Poly1305::new_from_slice(key).map_err(|_| SecretsError::Sealed)?;
    let plain = cipher.decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: row.as_bytes() }).map_err(|_| SecretsError::Sealed)?;
    Ok(Zeroizing::new(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::NoAnswer;
    use std::collections::HashMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Debug, Default)]
    struct Memory {
        entries: Mutex<HashMap<String, [u8; KEY]>>,
        silent: AtomicBool,
        forgets: AtomicBool,
    }

    impl Keychain for Memory {
        fn read(&self, name: &str) -> Result<Option<Zeroizing<[u8; KEY]>>, NoAnswer> {
            if self.silent.load(Ordering::SeqCst) {
                return Err(NoAnswer);
            }
            Ok(self.entries.lock().expect("lock").get(name).copied().map(Zeroizing::new))
        }

        fn write(&self, name: &str, key: &[u8; KEY]) -> Result<(), NoAnswer> {
            if self.silent.load(Ordering::SeqCst) {
                return Err(NoAnswer);
            }
            if !self.forgets.load(Ordering::SeqCst) {
                self.entries.lock().expect("lock").insert(name.to_owned(), *key);
            }
            Ok(())
        }
    }

    #[test]
    fn a_sealed_value_opens_only_for_its_row_and_unchanged() {
        let dir = tempfile::tempdir().expect("dir");
        let key = MasterKey::open(dir.path(), None, None).expect("open");
        assert_eq!(key.protector(), Protector::File);
        let sealed = key.seal("destination:1", b"canary-key").expect("seal");
        assert!(!sealed.windows(6).any(|w| w == b"canary"));
        assert_eq!(key.open_sealed("destination:1", &sealed).expect("open").as_slice(), b"canary-key");
        assert!(key.open_sealed("destination:2", &sealed).is_err(), "a value moved to another row must not open");
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert!(key.open_sealed("destination:1", &changed).is_err(), "byte {i} is not protected");
        }
        assert!(key.open_sealed("destination:1", &[]).is_err());
        assert_ne!(sealed, key.seal("destination:1", b"canary-key").expect("seal"), "a nonce was used twice");
    }

    #[test]
    fn a_mark_is_the_same_for_the_same_value_and_key_only() {
        let (one, two) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
        let key = MasterKey::open(one.path(), None, None).expect("open");
        let mark = key.mark("buyer phone", "13800138000").expect("mark");
        assert_eq!(MasterKey::open(one.path(), None, None).expect("again").mark("buyer phone", "13800138000").expect("mark"), mark);
        assert_ne!(key.mark("buyer name", "13800138000").expect("mark"), mark, "fields do not meet");
        assert_ne!(key.mark("buyer phone", "13800138001").expect("mark"), mark);
        let other = MasterKey::open(two.path(), None, None).expect("open");
        assert_ne!(other.mark("buyer phone", "13800138000").expect("mark"), mark, "of no use without the key");
    }

    #[test]
    fn the_file_protector_is_private_and_never_replaced() {
        let dir = tempfile::tempdir().expect("dir");
        let data = dir.path().join("data");
        let sealed = MasterKey::open(&data, None, None).expect("first").seal("r", b"x").expect("seal");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |p: &Path| std::fs::metadata(p).expect("metadata").permissions().mode() & 0o777;
            assert_eq!(mode(&data), 0o700);
            assert_eq!(mode(&data.join("master.key")), 0o600);
            assert_eq!(mode(&data.join("key.json")), 0o600);
        }
        assert!(MasterKey::open(&data, None, None).expect("again").open_sealed("r", &sealed).is_ok());
        std::fs::write(data.join("master.key"), [7; 32]).expect("write");
        assert!(matches!(MasterKey::open(&data, None, None), Err(SecretsError::KeyFileWrong { .. })));
        std::fs::remove_file(data.join("master.key")).expect("remove");
        assert!(matches!(MasterKey::open(&data, None, None), Err(SecretsError::KeyFileMissing { .. })));
        assert!(!data.join("master.key").exists(), "a lost key must not be replaced by a new one");
    }

    #[test]
    fn a_passphrase_folder_needs_its_passphrase() {
        let dir = tempfile::tempdir().expect("dir");
        let data = dir.path().join("data");
        let right = dir.path().join("right");
        let wrong = dir.path().join("wrong");
        std::fs::write(&right, "correct horse\n").expect("write");
        std::fs::write(&wrong, "battery staple\n").expect("write");
        let sealed = MasterKey::open(&data, Some(&right), None).expect("first").seal("r", b"x").expect("seal");
        assert!(!data.join("master.key").exists());
        assert_eq!(MasterKey::recorded(&data), Some(Protector::Passphrase));
        assert!(MasterKey::open(&data, Some(&right), None).expect("again").open_sealed("r", &sealed).is_ok());
        assert!(matches!(MasterKey::open(&data, Some(&wrong), None), Err(SecretsError::PassphraseWrong)));
        assert!(matches!(MasterKey::open(&data, None, None), Err(SecretsError::PassphraseMissing)));
        let gone = dir.path().join("gone");
        assert!(matches!(MasterKey::open(&data, Some(&gone), None), Err(SecretsError::PassphraseUnreadable { .. })));
    }

    #[test]
    fn a_keychain_that_answers_wins_and_is_not_forgotten() {
        let dir = tempfile::tempdir().expect("dir");
        let keychain = Memory::default();
        let data = dir.path().join("data");
        let key = MasterKey::open(&data, None, Some(&keychain)).expect("first");
        assert_eq!(key.protector(), Protector::Keychain);
        assert!(!data.join("master.key").exists());
        let sealed = key.seal("r", b"x").expect("seal");
        // A folder that was moved keeps its key.
        let moved = dir.path().join("moved");
        std::fs::rename(&data, &moved).expect("moved");
        assert!(MasterKey::open(&moved, None, Some(&keychain)).expect("again").open_sealed("r", &sealed).is_ok());
        assert!(matches!(MasterKey::open(&moved, None, None), Err(SecretsError::KeychainGone)));
        keychain.silent.store(true, Ordering::SeqCst);
        assert!(matches!(MasterKey::open(&moved, None, Some(&keychain)), Err(SecretsError::KeychainGone)));
        keychain.silent.store(false, Ordering::SeqCst);
        let mut stored = keychain.entries.lock().expect("lock").drain().collect::<Vec<_>>();
        assert!(matches!(MasterKey::open(&moved, None, Some(&keychain)), Err(SecretsError::KeychainEntryMissing)));
        stored[0].1[0] ^= 1;
        keychain.entries.lock().expect("lock").extend(stored);
        assert!(matches!(MasterKey::open(&moved, None, Some(&keychain)), Err(SecretsError::KeychainEntryMissing)), "another key");
        assert!(!moved.join("master.key").exists(), "nothing weaker takes its place");
    }

    #[test]
    fn a_keychain_that_does_not_serve_is_left_alone_and_a_passphrase_was_somebodys_choice() {
        let dir = tempfile::tempdir().expect("dir");
        let keychain = Memory::default();
        keychain.silent.store(true, Ordering::SeqCst);
        let data = dir.path().join("silent");
        assert_eq!(MasterKey::open(&data, None, Some(&keychain)).expect("open").protector(), Protector::File);
        keychain.silent.store(false, Ordering::SeqCst);
        keychain.forgets.store(true, Ordering::SeqCst);
        let data = dir.path().join("forgets");
        assert_eq!(MasterKey::open(&data, None, Some(&keychain)).expect("open").protector(), Protector::File, "not read back");
        keychain.forgets.store(false, Ordering::SeqCst);
        let phrase = dir.path().join("phrase");
        std::fs::write(&phrase, "correct horse").expect("write");
        let data = dir.path().join("phrased");
        assert_eq!(MasterKey::open(&data, Some(&phrase), Some(&keychain)).expect("open").protector(), Protector::Passphrase);
        assert!(keychain.entries.lock().expect("lock").is_empty());
    }
}
