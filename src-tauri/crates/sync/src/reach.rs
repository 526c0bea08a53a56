use crate::events::{News, SyncEvent};
use stallcast_platform::PlatformError;
use stallcast_store::Resource;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A platform that is being started again is away for a moment: this many failures in a row are none.
const PATIENCE: u32 = 1;

/// Does the platform answer?
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Both feeds could be read when they were last asked for.
    pub reachable: bool,
    /// Stable code of what is in the way.
    pub code: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    /// Per feed: failures in a row and the code of the last; `None` before the first answer.
    feeds: [Option<(u32, String)>; 2],
    told: Option<Reach>,
}

/// What the feeds say about the platform.
#[derive(Debug, Default)]
pub(crate) struct ReachBoard(Mutex<State>);

const fn place(resource: Resource) -> usize {
    match resource {
        Resource::Orders => 0,
        Resource::Products => 1,
    }
}

impl ReachBoard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As last told; unreachable before the first answer.
    pub(crate) fn now(&self) -> Reach {
        self.lock().told.clone().unwrap_or_default()
    }

    pub(crate) fn answered(&self, resource: Resource, news: &News) {
        let mut state = self.lock();
        state.feeds[place(resource)] = Some((0, String::new()));
        let open: Vec<_> = state.feeds.iter().flatten().filter(|(failures, _)| *failures > PATIENCE).cloned().collect();
        if open.is_empty() {
            Self::settle(&mut state, Reach { reachable: true, code: None }, news);
        }
    }

    pub(crate) fn failed(&self, resource: Resource, error: &PlatformError, news: &News) {
        let mut state = self.lock();
        let failures = state.feeds[place(resource)].take().map_or(0, |(n, _)| n).saturating_add(1);
        state.feeds[place(resource)] = Some((failures, error.code().to_owned()));
        // A sign-in that is not accepted does not come back by itself.
        if failures > PATIENCE || matches!(error, PlatformError::Unauthenticated) {
            Self::settle(&mut state, Reach { reachable: false, code: Some(error.code().to_owned()) }, news);
        }
    }

    fn settle(state: &mut State, now: Reach, news: &News) {
        if state.told.as_ref() != Some(&now) {
            state.told = Some(now.clone());
            news.tell(SyncEvent::Reach(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stallcast_platform::Sent;

    #[test]
    fn a_short_absence_is_no_news_and_one_feed_is_enough_for_a_long_one() {
        let (board, news) = (ReachBoard::default(), News::new());
        let mut told = news.listen();
        let mut next = || told.try_recv().ok();
        let gone = PlatformError::Unreachable { sent: Sent::No, detail: String::new() };
        assert!(!board.now().reachable, "nothing is known yet");
        board.answered(Resource::Orders, &news);
        assert_eq!(next(), Some(SyncEvent::Reach(Reach { reachable: true, code: None })));
        board.failed(Resource::Orders, &gone, &news);
        board.answered(Resource::Orders, &news);
        assert_eq!(next(), None);
        board.failed(Resource::Products, &gone, &news);
        board.failed(Resource::Products, &gone, &news);
        board.failed(Resource::Products, &gone, &news);
        assert_eq!(next(), Some(SyncEvent::Reach(Reach { reachable: false, code: Some("unreachable".to_owned()) })));
        board.answered(Resource::Orders, &news);
        assert_eq!((next(), board.now().reachable), (None, false), "the other feed still cannot be read");
        board.answered(Resource::Products, &news);
        assert_eq!(next(), Some(SyncEvent::Reach(Reach { reachable: true, code: None })));
        board.failed(Resource::Orders, &PlatformError::Unauthenticated, &news);
        assert_eq!(board.now().code.as_deref(), Some("unauthorized"));
    }
}
