use crate::events::{News, SyncEvent};
use stallcast_platform::PlatformError;
use stallcast_store::Resource;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A platform that is being started again is away for a moment: this many failures in a row are none.
const PATIENCE: u32 = 1;
/// A pause that the platform asks for, from which on it is no short absence: nothing is asked for until it is over.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// Does the platform answer?
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Orders and products could be read when they were last asked for. Comments do not count: a platform that gives none
    /// for a while still sells.
    pub reachable: bool,
    /// Stable code of what is in the way.
    pub code: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    /// Per feed: failures in a row and the code of the last; `None` before the first answer.
    feeds: [Option<(u32, String)>; 3],
    told: Option<Reach>,
}

/// What the feeds say about the platform.
#[derive(Debug, Default)]
pub(crate) struct ReachBoard(Mutex<State>);

const fn place(resource: Resource) -> usize {
    match resource {
        Resource::Orders => 0,
        Resource::Products => 1,
        Resource::Comments => 2,
    }
}

/// Feeds without which nothing can be sold.
const SELLING: usize = 2;

impl ReachBoard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As last told; unreachable before the first answer.
    pub(crate) fn now(&self) -> Reach {
        self.lock().told.clone().unwrap_or_default()
    }

    /// Could this feed be read when it was last asked for? A short absence is none.
    pub(crate) fn reads(&self, resource: Resource) -> bool {
        self.lock().feeds[place(resource)].as_ref().is_some_and(|(failures, _)| *failures <= PATIENCE)
    }

    pub(crate) fn answered(&self, resource: Resource, news: &News) {
        let mut state = self.lock();
        let before = state.feeds[place(resource)].replace((0, String::new()));
        if place(resource) >= SELLING {
            if before.is_none_or(|(failures, _)| failures > PATIENCE) {
                news.tell(SyncEvent::CommentsReach(true));
            }
            return;
        }
        let open = state.feeds.iter().take(SELLING).flatten().any(|(failures, _)| *failures > PATIENCE);
        if !open {
            Self::settle(&mut state, Reach { reachable: true, code: None }, news);
        }
    }

    pub(crate) fn failed(&self, resource: Resource, error: &PlatformError, news: &News) {
        let mut state = self.lock();
        let is_long = matches!(error, PlatformError::RateLimited { retry_after } if *retry_after >= LONG_PAUSE);
        let before = state.feeds[place(resource)].take().map_or(0, |(n, _)| n);
        let failures = before.saturating_add(1).max(if is_long { PATIENCE + 1 } else { 0 });
        state.feeds[place(resource)] = Some((failures, error.code().to_owned()));
        if place(resource) >= SELLING {
            if failures > PATIENCE && before <= PATIENCE {
                news.tell(SyncEvent::CommentsReach(false));
            }
            return;
        }
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
    fn comments_that_cannot_be_read_say_nothing_about_the_platform() {
        let (board, news) = (ReachBoard::default(), News::new());
        board.answered(Resource::Comments, &news);
        assert!(!board.now().reachable, "an answer about comments proves nothing of orders");
        board.answered(Resource::Orders, &news);
        let mut told = news.listen();
        for error in [PlatformError::Unauthenticated, PlatformError::refused("unsupported"), PlatformError::Unauthenticated] {
            board.failed(Resource::Comments, &error, &news);
        }
        assert!(board.now().reachable);
        assert_eq!((told.try_recv().ok(), told.try_recv().ok()), (Some(SyncEvent::CommentsReach(false)), None));
        assert!(!board.reads(Resource::Comments) && board.reads(Resource::Orders) && !board.reads(Resource::Products));
        board.answered(Resource::Comments, &news);
        assert!(board.reads(Resource::Comments));
    }

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

    #[test]
    fn a_long_pause_is_told_at_once_because_nobody_asks_again_until_it_is_over() {
        let (board, news) = (ReachBoard::default(), News::new());
        for feed in [Resource::Orders, Resource::Products, Resource::Comments] {
            board.answered(feed, &news);
        }
        let mut told = news.listen();
        let pause = |s| PlatformError::RateLimited { retry_after: Duration::from_secs(s) };
        board.failed(Resource::Orders, &pause(3), &news);
        assert!(board.now().reachable, "a short one is none");
        board.answered(Resource::Orders, &news);
        board.failed(Resource::Orders, &pause(61), &news);
        assert_eq!(board.now(), Reach { reachable: false, code: Some("rate_limited".to_owned()) });
        board.failed(Resource::Comments, &pause(61), &news);
        board.failed(Resource::Comments, &pause(61), &news);
        let reach = SyncEvent::Reach(board.now());
        assert_eq!(
            [told.try_recv().ok(), told.try_recv().ok(), told.try_recv().ok()],
            [Some(reach), Some(SyncEvent::CommentsReach(false)), None]
        );
    }
}
