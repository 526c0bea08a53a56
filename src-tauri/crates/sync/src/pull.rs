//! Reading a feed to its end, again and again.

use crate::events::SyncEvent;
use crate::line::Line;
use stallcast_clock::failpoint;
use stallcast_model::{Comment, FeedPage, OrderId, ReceivedOrder, ReceivedProduct};
use stallcast_platform::PlatformError;
use stallcast_store::{FeedStep, OrderChange, Resource, Seal, StoreError};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Notify, watch};

/// Pages in a row that bring nothing and say that there is more.
const EMPTY_PAGES_MOST: u32 = 50;
/// Between two reads of comments: a crowd that writes at once costs a few reads a second, not one for each.
const COMMENTS_APART: Duration = Duration::from_millis(250);
/// Times in one round that the cursor was not where this worker left it, or that the feed began anew.
const SURPRISES_MOST: u32 = 5;

#[derive(Debug, Error)]
pub(crate) enum PullError {
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What one page did.
struct Step {
    more: bool,
    /// The page brought nothing.
    empty: bool,
    /// The page says that there is more and gives the same place to go on.
    stalled: bool,
    restarted: bool,
}

/// The worker of one feed.
#[derive(Clone)]
pub(crate) struct Feed {
    pub line: Arc<Line>,
    pub resource: Resource,
    /// When the last read that reached the end of the feed was begun, ms UTC, ours.
    pub read_at_ms: watch::Sender<Option<i64>>,
}

impl Feed {
    fn nudge(&self) -> &Notify {
        match self.resource {
            Resource::Orders => &self.line.read_orders,
            Resource::Products => &self.line.read_products,
            Resource::Comments => &self.line.read_comments,
        }
    }

    pub(crate) async fn run(self) {
        let line = Arc::clone(&self.line);
        let mut backoff = line.timing.backoff(line.seed());
        let mut pace = line.pace.clone();
        let mut reconciled = line.clock.mono();
        let mut first = true;
        loop {
            let round = async {
                self.round().await?;
                let now = line.clock.mono();
                if self.resource == Resource::Orders && (first || now.since(reconciled) >= line.timing.reconcile) {
                    self.reconcile(!first).await?;
                    (first, reconciled) = (false, now);
                }
                Ok(())
            };
            let Some(outcome) = line.token.run_until_cancelled(round).await else { return };
            let (wait, nudge) = match outcome {
                Ok(()) => {
                    backoff.reset();
                    line.reach.answered(self.resource, &line.news);
                    if self.resource == Resource::Comments && !line.rest(COMMENTS_APART, None).await {
                        return;
                    }
                    (line.timing.between(*pace.borrow_and_update()), Some(self.nudge()))
                }
                Err(e) => self.failed(&e, backoff.next_wait()),
            };
            let rested = tokio::select! {
                rested = line.rest(wait, nudge) => rested,
                // A pause that the platform asked for is kept.
                Ok(()) = pace.changed(), if nudge.is_some() => true,
            };
            if !rested {
                return;
            }
        }
    }

    /// How long to wait after a failure, and whether a hint may cut it short.
    fn failed(&self, e: &PullError, wait: Duration) -> (Duration, Option<&Notify>) {
        let feed = self.resource.word();
        match e {
            PullError::Platform(e) => {
                tracing::info!(feed, error = %e, "the feed was not read");
                self.line.reach.failed(self.resource, e, &self.line.news);
                match e {
                    PlatformError::RateLimited { retry_after } => (*retry_after, None),
                    _ => (wait, Some(self.nudge())),
                }
            }
            PullError::Store(e) => {
                tracing::error!(feed, error = %e, "the feed was not stored");
                (wait, Some(self.nudge()))
            }
        }
    }

    /// Reads what is new, to the end of the feed. While a page is stored, the next one is on its way already.
    async fn round(&self) -> Result<(), PullError> {
        let asked_ms = self.line.clock.utc_ms();
        let (mut empty, mut surprises) = (0, 0);
        let mut ahead: Option<Page> = None;
        loop {
            let page = match ahead.take() {
                Some(page) => page,
                None => {
                    let seal = self.line.store.seal(&self.line.connection, self.resource).await?;
                    self.read(seal.and_then(|seal| seal.cursor)).await?
                }
            };
            let next = page.goes_on_at();
            let (stored, read) = tokio::join!(self.keep(page), async { Some(self.read(Some(next?)).await) });
            match stored {
                Ok(step) if step.restarted => surprises += 1,
                Ok(step) if !step.more => break,
                Ok(step) => {
                    empty = if step.empty { empty + 1 } else { 0 };
                    if step.stalled || empty > EMPTY_PAGES_MOST {
                        return Err(PlatformError::NotUnderstood { what: "a feed that does not go on".to_owned() }.into());
                    }
                    ahead = read.transpose()?;
                }
                Err(PullError::Store(StoreError::CursorMoved)) => surprises += 1,
                Err(e) => return Err(e),
            }
            if surprises > SURPRISES_MOST {
                return Err(PlatformError::NotUnderstood { what: "a feed that begins again and again".to_owned() }.into());
            }
        }
        self.read_at_ms.send_replace(Some(asked_ms));
        Ok(())
    }

    async fn read(&self, from: Option<String>) -> Result<Page, PullError> {
        let platform = &self.line.platform;
        Ok(match self.resource {
            Resource::Orders => {
                let page = platform.orders(from.as_deref()).await?;
                failpoint!("pull.orders_read");
                Page::Orders(from, page)
            }
            Resource::Products => {
                let page = platform.products(from.as_deref()).await?;
                failpoint!("pull.products_read");
                Page::Products(from, page)
            }
            Resource::Comments => {
                let page = platform.comments(from.as_deref()).await?;
                failpoint!("pull.comments_read");
                Page::Comments(from, page)
            }
        })
    }

    /// Stores a page and tells what it changed, without waiting for anything else.
    async fn keep(&self, page: Page) -> Result<Step, PullError> {
        let Line { store, connection, news, clock, .. } = &*self.line;
        match page {
            Page::Orders(from, page) => {
                let look = Look::of(&page, from.as_deref());
                let step = store.apply_orders(connection, from.as_deref(), page, clock.utc_ms()).await?;
                failpoint!("pull.orders_stored");
                Ok(self.told(look, step, |changes| news.tell(SyncEvent::Orders(changes))))
            }
            Page::Products(from, page) => {
                let look = Look::of(&page, from.as_deref());
                let step = store.apply_products(connection, from.as_deref(), page, clock.utc_ms()).await?;
                Ok(self.told(look, step, |changes| news.tell(SyncEvent::Products(changes))))
            }
            Page::Comments(from, page) => {
                let look = Look::of(&page, from.as_deref());
                let step = store.apply_comments(connection, from.as_deref(), page, clock.utc_ms()).await?;
                failpoint!("pull.comments_stored");
                Ok(self.told(look, step, |changes| news.tell(SyncEvent::Comments(changes))))
            }
        }
    }

    fn told<C>(&self, look: Look, step: FeedStep<C>, tell: impl FnOnce(Vec<C>)) -> Step {
        let FeedStep { changes, seal, seal_moved, restarted, unread } = step;
        if unread > 0 && look.unread > 0 {
            tracing::warn!(feed = self.resource.word(), unread, "rows of the feed cannot be read; it does not count as complete");
        }
        if !changes.is_empty() {
            tell(changes);
        }
        if seal_moved || restarted {
            self.line.news.tell(SyncEvent::Seal { resource: self.resource, seal });
        }
        Step { more: look.more, empty: look.empty, stalled: look.stalled, restarted }
    }

    /// Asks for orders that could not be read, one by one; with `again`, also reads the last part of the feed once more. What
    /// turns up is stored like everything else; the cursor stays where it is.
    async fn reconcile(&self, again: bool) -> Result<(), PullError> {
        let Line { store, platform, connection, clock, .. } = &*self.line;
        let mut changes = Vec::new();
        for id in store.unread_orders(connection).await? {
            match platform.order(&id).await {
                Ok(Some(order)) => changes.extend(store.apply_read_order(connection, order, clock.utc_ms()).await?),
                // It stays as it is: this version still cannot read it.
                Ok(None) | Err(PlatformError::NotUnderstood { .. } | PlatformError::Refused { .. }) => {}
                Err(e) => return self.found(changes, Err(e.into())),
            }
        }
        let seal = store.seal(connection, Resource::Orders).await?;
        let earlier = seal.and_then(|Seal { cursor, .. }| platform.earlier(&cursor?)).filter(|_| again);
        let Some(mut from) = earlier else { return self.found(changes, Ok(())) };
        loop {
            let page = match platform.orders(Some(&from)).await {
                Ok(page) => page,
                Err(e) => return self.found(changes, Err(e.into())),
            };
            let go_on = page.more && page.next != from;
            from = page.next;
            for order in page.rows {
                let id: OrderId = order.order.id.clone();
                if let Some(change) = store.apply_read_order(connection, order, clock.utc_ms()).await? {
                    tracing::debug!(%id, "found by reading again");
                    failpoint!("pull.found_again");
                    changes.push(change);
                }
            }
            if !go_on {
                return self.found(changes, Ok(()));
            }
        }
    }

    fn found(&self, changes: Vec<OrderChange>, outcome: Result<(), PullError>) -> Result<(), PullError> {
        if !changes.is_empty() {
            self.line.news.tell(SyncEvent::Orders(changes));
        }
        outcome
    }
}

/// A page and the cursor it was read from.
enum Page {
    Orders(Option<String>, FeedPage<ReceivedOrder>),
    Products(Option<String>, FeedPage<ReceivedProduct>),
    Comments(Option<String>, FeedPage<Comment>),
}

impl Page {
    /// Where the next page begins, if there is one and this one leads to it.
    fn goes_on_at(&self) -> Option<String> {
        let (from, next, more) = match self {
            Self::Orders(from, page) => (from, &page.next, page.more),
            Self::Products(from, page) => (from, &page.next, page.more),
            Self::Comments(from, page) => (from, &page.next, page.more),
        };
        (more && from.as_ref() != Some(next)).then(|| next.clone())
    }
}

/// What of a page is needed once it is stored.
struct Look {
    more: bool,
    empty: bool,
    stalled: bool,
    unread: usize,
}

impl Look {
    fn of<T>(page: &FeedPage<T>, from: Option<&str>) -> Self {
        Self {
            more: page.more,
            empty: page.rows.is_empty() && page.unread.is_empty(),
            stalled: page.more && from == Some(page.next.as_str()),
            unread: page.unread.len(),
        }
    }
}
