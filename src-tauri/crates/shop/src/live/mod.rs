//! The edge of the live picture: what the playlist says now, told to every request that asks for what comes next.
//!
//! The file is read once for each change, whoever waits; a waiting request costs a place and no thread.

mod list;
mod watch;

pub(crate) use list::{List, Point};
pub(crate) use watch::{follow, look};

use crate::refusal::Refusal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch as latest};
use tokio_util::sync::CancellationToken;

/// Requests that may wait at once, less than the connections there are: buyers always find one.
const WAITING_MOST: usize = 600;
/// A request is held for three target durations, as RFC 8216bis §6.2.5.2 says, and never for longer than this: the
/// limit of every request is 10 s.
const LONGEST_WAIT: Duration = Duration::from_secs(9);

/// Why there is no answer with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoList {
    /// No show runs, or none has begun.
    Absent,
    /// What was asked for is further ahead than a player may ask.
    TooFar,
    /// Too many wait.
    Full,
    /// It did not come in time.
    Late,
    /// The shop ends.
    Ending,
}

impl From<NoList> for Refusal {
    fn from(why: NoList) -> Self {
        match why {
            NoList::Absent => Self::NotFound("live"),
            NoList::TooFar => crate::input::invalid("_HLS_msn", "range"),
            NoList::Full | NoList::Late | NoList::Ending => Self::Busy,
        }
    }
}

/// The live files and their edge.
#[derive(Debug)]
pub(crate) struct Live {
    folder: PathBuf,
    list: latest::Sender<Option<Arc<List>>>,
    places: Semaphore,
    cancel: CancellationToken,
}

impl Live {
    pub(crate) fn new(folder: PathBuf, cancel: CancellationToken) -> Self {
        Self { folder, list: latest::Sender::new(None), places: Semaphore::new(WAITING_MOST), cancel }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the playlist says now.
    pub(crate) fn list(&self) -> Option<Arc<List>> {
        self.list.borrow().clone()
    }

    /// The first list that holds `point`, or the one that is the last.
    pub(crate) async fn list_with(&self, point: Point) -> Result<Arc<List>, NoList> {
        let now = self.list().ok_or(NoList::Absent)?;
        if !now.ended && now.is_too_far(point) {
            return Err(NoList::TooFar);
        }
        self.wait(&now, |list| list.ended || list.has(point)).await
    }

    /// Waits for a file that the playlist announced; gives at once what it did not.
    pub(crate) async fn announced(&self, name: &str) -> Result<(), NoList> {
        match self.list() {
            Some(now) if now.announces(name) => self.wait(&now, |list| !list.announces(name)).await.map(drop),
            _ => Ok(()),
        }
    }

    async fn wait(&self, now: &List, is_it: impl Fn(&List) -> bool) -> Result<Arc<List>, NoList> {
        let mut lists = self.list.subscribe();
        let found = |list: &Option<Arc<List>>| list.as_ref().is_none_or(|list| is_it(list));
        if !found(&lists.borrow()) {
            let _place = self.places.try_acquire().map_err(|_| NoList::Full)?;
            let limit = now.target.saturating_mul(3).min(LONGEST_WAIT);
            tokio::select! {
                changed = lists.wait_for(found) => drop(changed.map_err(|_| NoList::Ending)?),
                () = tokio::time::sleep(limit) => return Err(NoList::Late),
                () = self.cancel.cancelled() => return Err(NoList::Ending),
            }
        }
        self.list().ok_or(NoList::Absent)
    }
}
