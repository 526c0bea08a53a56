//! Signals to processes of a show by pid, a session of its own for a child, and one program becoming another. Files named by OS hold the rest.

#[cfg(unix)]
#[path = "process_unix.rs"]
mod os;
#[cfg(not(unix))]
#[path = "process_other.rs"]
mod os;

pub(crate) use os::{Stranger, become_program, hide_console, ignore_hangup, leave_session, shut_down_signal, terminate};

/// Set for children: they leave the session of the terminal, so that Ctrl-C and closing it do not reach them.
pub(crate) const CHILD_MARK: &str = "STALLCAST_CHILD";
