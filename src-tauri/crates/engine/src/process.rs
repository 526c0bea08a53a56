//! The media process as a child. Files named by OS hold what differs.

#[cfg(unix)]
#[path = "process_unix.rs"]
mod os;
#[cfg(not(unix))]
#[path = "process_other.rs"]
mod os;

#[cfg(unix)]
pub(crate) use os::is_dead;
pub(crate) use os::{is_dying, kill, leave_session, no_core_file, shut_down_signal};

use crate::error::EngineError;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::sync::watch;

/// Set for children: they leave the session of the terminal before anything else.
pub(crate) const CHILD_MARK: &str = "STALLCAST_CHILD";
/// Size above which the file of last words begins anew.
const LAST_WORDS: u64 = 256 * 1024;

/// How a process ended, for the log.
#[derive(Debug, Clone)]
pub(crate) struct Exit {
    pub(crate) text: String,
    /// By itself, as it was told or wanted to.
    pub(crate) in_order: bool,
    /// Of something inside it: neither in order nor by somebody's will.
    pub(crate) crashed: bool,
}

/// A process that this one started. It is reaped as soon as it ends, and lives on when this is dropped. Clones are the same
/// process.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pid: u32,
    exit: watch::Receiver<Option<Exit>>,
}

impl Child {
    /// Starts `exe engine --data DIR` with nothing inherited but the environment.
    pub(crate) fn start(exe: &Path, data: &Path) -> Result<Self, EngineError> {
        let refused = |e: std::io::Error| match e.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied => EngineError::Missing { path: exe.to_owned(), detail: e.to_string() },
            // No process or memory to be had just now: another installation would not help.
            _ => EngineError::Start { detail: format!("{}: {e}", exe.display()) },
        };
        let mut command = tokio::process::Command::new(exe);
        command.arg("engine").arg("--data").arg(data).env(CHILD_MARK, "1");
        // Logging is the child's own; here goes what the loader or a native library says when it dies.
        let last_words = last_words(data).map_or_else(Stdio::null, Stdio::from);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(last_words).kill_on_drop(false);
        os::prepare(&mut command);
        let mut child = command.spawn().map_err(refused)?;
        let pid = child.id().unwrap_or_default();
        let (tell, exit) = watch::channel(None);
        tokio::spawn(async move {
            let exit = match child.wait().await {
                Ok(status) => {
                    Exit { text: status.to_string(), in_order: status.success(), crashed: !status.success() && !os::was_killed(status) }
                }
                Err(e) => Exit { text: e.to_string(), in_order: false, crashed: false },
            };
            tell.send_replace(Some(exit));
        });
        tracing::info!(pid, "media process started");
        Ok(Self { pid, exit })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it has.
    pub(crate) fn exited(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Waits for its end; false if it still runs after `limit`.
    pub(crate) async fn wait(&self, limit: Duration) -> bool {
        let mut exit = self.exit.clone();
        let ended = tokio::time::timeout(limit, exit.wait_for(Option::is_some)).await;
        ended.is_ok()
    }

    /// Ends it at once. Only while it is not reaped, so that no other process can have its number.
    pub(crate) fn kill(&self) {
        if self.exited().is_none() {
            kill(self.pid);
        }
    }
}

fn last_words(data: &Path) -> Option<std::fs::File> {
    let folder = data.join("logs");
    std::fs::create_dir_all(&folder).ok()?;
    let path = folder.join("engine.stderr");
    let long = std::fs::metadata(&path).is_ok_and(|m| m.len() > LAST_WORDS);
    let mut options = OpenOptions::new();
    if long {
        options.write(true).truncate(true);
    } else {
        options.append(true);
    }
    options.create(true).open(&path).ok()
}
