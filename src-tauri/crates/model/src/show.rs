use serde::{Deserialize, Serialize};

/// Where a show stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShowState {
    /// Not live; picture and bag can be prepared.
    Ready,
    /// Asked to go live; no destination has accepted yet.
    Starting,
    /// Viewers can see it.
    Live,
    /// Asked to end; buffers are being flushed.
    Ending,
    /// Over.
    Ended,
}
