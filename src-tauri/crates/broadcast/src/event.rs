use std::path::PathBuf;
use std::time::Duration;

/// News of one RTMP destination. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkEvent {
    /// The server said `NetStream.Publish.Start` and the first media bytes are written: the show is on air there.
    Accepted,
    /// Connection lost or stuck, trying again.
    Lost,
    /// Accepted again, or for the first time after [`SinkEvent::Unreachable`] or [`SinkEvent::Held`].
    Back,
    /// Nobody has answered yet; it is tried for ever.
    Unreachable {
        /// The host's name leads somewhere.
        named: bool,
    },
    /// It accepted before in this show and refuses now: it still holds the old connection. Tried each second for two minutes
    /// of refusals. Told once until it accepts again.
    Held,
    /// The server refused; not tried again.
    Refused {
        /// The server's own status code, for example `NetStream.Publish.BadName`.
        status: String,
    },
    /// The link does not carry the stream: it falls behind or packets are being dropped.
    Slow,
    /// It carries the stream again, after [`SinkEvent::Slow`].
    CaughtUp,
    /// Its thread crashed and starts again: with a loss and a return, if media was accepted.
    Restarted,
}

/// Why a server refused, as far as its status code tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The key is not, or no longer, good.
    Key,
    /// Somebody publishes with this key already.
    OnAir,
    /// No such application: the address is not right.
    Address,
    /// The server's certificate cannot be trusted.
    Certificate,
    /// It closed the connection without a word: most often a key that is not good.
    Closed,
}

impl Refusal {
    /// Reads a status code of [`SinkEvent::Refused`].
    #[must_use]
    pub fn of(status: &str) -> Self {
        match status {
            "Connection.NotTrusted" => Self::Certificate,
            "Connection.Closed" | "NetConnection.Connect.Closed" => Self::Closed,
            // What the specification has for a name that is being published.
            s if s.ends_with("BadName") => Self::OnAir,
            s if s.ends_with("InvalidApp") || s.ends_with("AppShutdown") => Self::Address,
            _ => Self::Key,
        }
    }

    /// Stable word for the sentence.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::OnAir => "on_air",
            Self::Address => "address",
            Self::Certificate => "certificate",
            Self::Closed => "closed",
        }
    }
}

/// Where one RTMP destination stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkPhase {
    /// First try.
    #[default]
    Connecting,
    /// Media is being accepted.
    Publishing,
    /// Was accepted once, trying again.
    Reconnecting,
    /// Refused; not tried again.
    Refused,
    /// Ended by us.
    Closed,
}

/// One RTMP destination in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkFigures {
    /// Where it stands.
    pub phase: LinkPhase,
    /// Bytes handed to the OS since the server first accepted.
    pub bytes_sent: u64,
    /// Bytes that are with the peer since the present session began: what the link carried.
    pub delivered: u64,
    /// Successful connections after the first.
    pub reconnects: u32,
    /// Video packets it did not get.
    pub dropped: u64,
    /// How much older than the newest picture the oldest one is that is not yet with the peer: what people are shown.
    pub behind: Duration,
    /// The part of it that is the way there and back, which is there however little waits. Zero where the OS does not say what
    /// is on its way: `behind` does not count it then.
    pub way: Duration,
}

impl LinkFigures {
    /// The part of [`LinkFigures::behind`] that waits, and that a lower bitrate would shorten.
    #[must_use]
    pub const fn queued(&self) -> Duration {
        self.behind.saturating_sub(self.way)
    }
}

/// News of a recording or of HLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileEvent {
    /// The first fragment (recording) or segment (HLS) is in its file.
    Started,
    /// Another encoder took over, or the writer crashed: the recording goes on in this file, the one before is being finished.
    Continued {
        /// The file being written from now on.
        path: PathBuf,
    },
    /// Room for this many more minutes.
    DiskLow {
        /// At the present bitrate.
        minutes: u64,
    },
    /// There is room again, after [`FileEvent::DiskLow`].
    DiskEnough,
    /// The picture should be given this share of its full bitrate, so that the room lasts.
    DiskTight {
        /// 100 when there is room again.
        percent: u32,
        /// Room at the present bitrate.
        minutes: u64,
    },
    /// No room left: what is there is kept.
    DiskFull,
    /// Could not be written. A recording has ended; HLS is tried on, and [`FileEvent::Started`] says when it is written again.
    Failed {
        /// The system's own words, for the log.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::Refusal as R;

    #[test]
    fn what_a_server_says_is_told_apart() {
        for (status, refusal) in [
            ("NetStream.Publish.BadName", R::OnAir),
            ("NetStream.Publish.Denied", R::Key),
            ("NetStream.Publish.Unauthorized", R::Key),
            ("NetConnection.Connect.Rejected", R::Key),
            ("NetConnection.Connect.InvalidApp", R::Address),
            ("Connection.NotTrusted", R::Certificate),
            ("Connection.Closed", R::Closed),
            ("something.else", R::Key),
        ] {
            assert_eq!(R::of(status), refusal, "{status}");
        }
    }
}
