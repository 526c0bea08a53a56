//! Private sockets on Unix.

use super::SocketError;
use rustix::fs::{AtFlags, CWD, FileType, Mode, mkdirat, statat};
use std::io;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// What `sun_path` holds on the narrowest system (macOS: 104 with the zero).
const LONGEST: usize = 103;

pub(super) type Stream = UnixStream;

pub(super) fn place(name: &str) -> Result<PathBuf, SocketError> {
    let uid = rustix::process::geteuid();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute() && dir.is_dir());
    let candidates = [runtime.map(|dir| dir.join("stallcast")), Some(PathBuf::from(format!("/tmp/stallcast-{}", uid.as_raw())))];
    let mut refused = None;
    // A runtime folder that cannot be used (read-only, of another user after `su`) must not keep the show from starting.
    for folder in candidates.into_iter().flatten() {
        let path = folder.join(format!("{name}.sock"));
        if path.as_os_str().len() >= LONGEST {
            refused.get_or_insert(SocketError::TooLong(path));
            continue;
        }
        match private_folder(&folder) {
            Ok(()) => return Ok(path),
            Err(e) => {
                refused = Some(e);
            }
        }
    }
    Err(refused.unwrap_or_else(|| SocketError::TooLong(PathBuf::from(name))))
}

/// Makes the folder, or checks that the one that is there belongs to this user alone. Never follows a link.
fn private_folder(folder: &Path) -> Result<(), SocketError> {
    match mkdirat(CWD, folder, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(e) => return Err(SocketError::io(folder, e.into())),
    }
    let stat = statat(CWD, folder, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| SocketError::io(folder, e.into()))?;
    let mine = stat.st_uid == rustix::process::geteuid().as_raw();
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let closed = Mode::from_raw_mode(stat.st_mode) & Mode::from_raw_mode(0o777) == Mode::RWXU;
    if mine && is_folder && closed { Ok(()) } else { Err(SocketError::NotPrivate(folder.to_owned())) }
}

/// Nobody is there: no file, or a file that no process holds.
fn nobody(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

pub(super) async fn connect(path: &Path) -> Result<Option<Stream>, SocketError> {
    match UnixStream::connect(path).await {
        Ok(stream) if !is_mine(&stream) => Err(SocketError::ForeignPeer(path.to_owned())),
        // The system takes connections for it, and nobody will ever answer them.
        Ok(stream) if is_left_by_the_dead(&stream) => Ok(None),
        Ok(stream) => Ok(Some(stream)),
        Err(e) if nobody(&e) => Ok(None),
        Err(e) => Err(SocketError::io(path, e)),
    }
}

fn is_mine(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

/// Is the process that listens dead, and something keeps its socket open? The system knows which one it is. One that lives is
/// never taken for dead, however slow it is.
fn is_left_by_the_dead(stream: &UnixStream) -> bool {
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid()).and_then(|pid| u32::try_from(pid).ok());
    pid.is_some_and(crate::process::is_dead)
}

#[derive(Debug)]
pub(super) struct Listener {
    listener: UnixListener,
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

pub(super) async fn listen(path: &Path) -> Result<Listener, SocketError> {
    let bound = |listener| Listener { listener, path: path.to_owned(), identity: identity(path) };
    match UnixListener::bind(path) {
        Ok(listener) => return Ok(bound(listener)),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => {}
        Err(e) => return Err(SocketError::io(path, e)),
    }
    if connect(path).await?.is_some() {
        return Err(SocketError::InUse(path.to_owned()));
    }
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(SocketError::io(path, e)),
    }
    UnixListener::bind(path).map(bound).map_err(|e| match e.kind() {
        // Another process was quicker.
        io::ErrorKind::AddrInUse => SocketError::InUse(path.to_owned()),
        _ => SocketError::io(path, e),
    })
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            if is_mine(&stream) {
                return Ok(stream);
            }
            tracing::warn!("a process of another user tried to connect");
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Not a file that somebody else has put there meanwhile.
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn only_a_folder_of_mode_0700_will_do() {
        let base = tempfile::tempdir().expect("a folder");
        let folder = base.path().join("s");
        private_folder(&folder).expect("made");
        assert_eq!(std::fs::metadata(&folder).expect("there").permissions().mode() & 0o777, 0o700);
        private_folder(&folder).expect("found again");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o750)).expect("changed");
        assert!(matches!(private_folder(&folder), Err(SocketError::NotPrivate(_))));
        let link = base.path().join("link");
        std::os::unix::fs::symlink(base.path(), &link).expect("linked");
        assert!(matches!(private_folder(&link), Err(SocketError::NotPrivate(_))), "a link could lead anywhere");
    }

    #[tokio::test]
    async fn a_stale_file_is_replaced_and_a_live_one_is_not() {
        let base = tempfile::tempdir().expect("a folder");
        let path = base.path().join("x.sock");
        assert!(connect(&path).await.expect("no error").is_none());
        // What kill -9 leaves: a socket file that nobody holds.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        assert!(path.exists());
        assert!(connect(&path).await.expect("no error").is_none());
        let listener = listen(&path).await.expect("replaced");
        assert!(matches!(listen(&path).await, Err(SocketError::InUse(_))));
        let mut client = connect(&path).await.expect("no error").expect("listening");
        // The first connection is the check of the second listener.
        let mut probe = listener.accept().await.expect("accepted");
        assert_eq!(probe.read(&mut [0; 1]).await.expect("closed"), 0);
        let mut server = listener.accept().await.expect("accepted");
        client.write_all(b"x").await.expect("written");
        let mut got = [0; 1];
        server.read_exact(&mut got).await.expect("read");
        assert_eq!(&got, b"x");
        drop(listener);
        assert!(!path.exists(), "the file goes with its listener");
    }

    #[test]
    fn names_are_short_and_differ_by_folder_and_role() {
        let base = tempfile::tempdir().expect("a folder");
        let long = base.path().join("数据".repeat(40));
        let engine = crate::socket::path(&long, "engine").expect("a place");
        assert!(engine.as_os_str().len() < LONGEST);
        assert_ne!(engine, crate::socket::path(&long, "control").expect("a place"));
        assert_ne!(engine, crate::socket::path(base.path(), "engine").expect("a place"));
        assert_eq!(engine, crate::socket::path(&long.join("../").join(long.file_name().expect("named")), "engine").expect("a place"));
    }
}
