//! The keychain of the OS as a protector of the master key: Secret Service on Linux, Keychain on macOS, Credential
//! Manager on Windows.

use stallcast_clock::spawn_thread;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use zeroize::Zeroizing;

/// Bytes of a master key.
pub(crate) const KEY: usize = 32;
/// What entries are filed under.
const SERVICE: &str = "Stallcast";
/// A keychain that asks a person who is not there is given up after this long.
const LIMIT: Duration = Duration::from_secs(10);

/// The keychain did not answer in time, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

/// Where a master key can be kept outside of its folder.
pub trait Keychain: Send + Sync + std::fmt::Debug {
    /// The key stored under `name`; `Ok(None)` when it answers that there is none.
    ///
    /// # Errors
    /// Nobody answers, or access was refused.
    fn read(&self, name: &str) -> Result<Option<Zeroizing<[u8; KEY]>>, NoAnswer>;

    /// Stores a key.
    ///
    /// # Errors
    /// Nobody answers, or access was refused.
    fn write(&self, name: &str, key: &[u8; KEY]) -> Result<(), NoAnswer>;
}

/// The one of this system. Calls block for at most ten seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsKeychain;

impl Keychain for OsKeychain {
    fn read(&self, name: &str) -> Result<Option<Zeroizing<[u8; KEY]>>, NoAnswer> {
        if !is_near() {
            return Err(NoAnswer);
        }
        let name = name.to_owned();
        within(LIMIT, move || {
            let entry = keyring::Entry::new(SERVICE, &name).map_err(|e| refused("open", &e))?;
            match entry.get_secret().map(Zeroizing::new) {
                // Of another length it is not ours.
                Ok(bytes) => Ok(<[u8; KEY]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)),
                Err(keyring::Error::NoEntry) => Ok(None),
                Err(e) => Err(refused("read", &e)),
            }
        })
    }

    fn write(&self, name: &str, key: &[u8; KEY]) -> Result<(), NoAnswer> {
        if !is_near() {
            return Err(NoAnswer);
        }
        let (name, key) = (name.to_owned(), Zeroizing::new(*key));
        within(LIMIT, move || {
            let entry = keyring::Entry::new(SERVICE, &name).map_err(|e| refused("open", &e))?;
            entry.set_secret(key.as_slice()).map_err(|e| refused("write", &e))
        })
    }
}

fn refused(what: &str, error: &keyring::Error) -> NoAnswer {
    tracing::info!(what, %error, "the keychain does not serve");
    NoAnswer
}

/// Runs what may wait for a person on a thread of its own. One that never comes back stays behind: it holds nothing.
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> Result<T, NoAnswer> + Send + 'static) -> Result<T, NoAnswer> {
    let (tell, told) = sync_channel(1);
    spawn_thread("keychain", move || {
        let _ = tell.send(work());
    })
    .map_err(|_| NoAnswer)?;
    told.recv_timeout(limit).map_err(|_| {
        tracing::warn!("the keychain did not answer in time");
        NoAnswer
    })?
}

/// Is there a session bus to ask at all? Without a desktop this answers at once.
#[cfg(target_os = "linux")]
fn is_near() -> bool {
    match std::env::var_os("DBUS_SESSION_BUS_ADDRESS") {
        Some(address) => !address.is_empty() && address != "disabled:",
        None => {
            let folder = std::env::var_os("XDG_RUNTIME_DIR").map(std::path::PathBuf::from);
            let usual = || std::path::PathBuf::from(format!("/run/user/{}", rustix::process::getuid().as_raw()));
            folder.unwrap_or_else(usual).join("bus").exists()
        }
    }
}

#[cfg(not(target_os = "linux"))]
const fn is_near() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_keychain_that_waits_for_nobody_is_given_up() {
        let (hold, held) = sync_channel::<()>(0);
        let begun = Instant::now();
        let answer = within(Duration::from_millis(50), move || {
            let _ = held.recv();
            Ok(7)
        });
        assert_eq!(answer, Err(NoAnswer));
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        drop(hold);
        assert_eq!(within(LIMIT, || Ok(7)), Ok(7));
        assert_eq!(within(LIMIT, || Err::<u8, _>(NoAnswer)), Err(NoAnswer));
        // A fault inside is no answer either.
        assert_eq!(within(LIMIT, || -> Result<u8, NoAnswer> { panic!("inside") }), Err(NoAnswer));
    }
}
