use std::time::Duration;

/// News of one RTMP destination. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkEvent {
    /// The server said `NetStream.Publish.Start` and the first media bytes are written: the show is on air there.
    Accepted,
    /// Connection lost or stuck, trying again.
    Lost,
    /// Accepted again.
    Back,
    /// The server refused; not tried again.
    Refused {
        /// The server's own status code, for example `NetStream.Publish.BadName`.
        status: String,
    },
    /// The link does not carry the stream: it falls behind or packets are being dropped.
    Slow,
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
    /// Age of the oldest packet that is not yet with the peer.
    pub behind: Duration,
}

/// News of a recording or of HLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileEvent {
    /// The first fragment (recording) or segment (HLS) is in its file.
    Started,
    /// Room for this many more minutes.
    DiskLow {
        /// At the present bitrate.
        minutes: u64,
    },
    /// No room left: what is there is kept.
    DiskFull,
    /// Could not be written; it has ended.
    Failed {
        /// The system's own words, for the log.
        reason: String,
    },
}
