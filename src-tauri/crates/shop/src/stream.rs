//! The event stream: the table from where the client stands, then what is told, without a gap and without polling.

use crate::change::Event;
use crate::refusal::Refusal;
use crate::rooms;
use crate::shop::Shop;
use axum::response::sse;
use futures_util::Stream;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Rows read from the table at once.
const PAGE: i64 = 200;
/// A crowd that comes or goes is told in steps of this length.
const VIEWERS_EVERY: Duration = Duration::from_millis(500);
/// What a browser waits before it comes back.
const RETRY: Duration = Duration::from_secs(1);

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Public events only; counts as a viewer.
    Viewer,
    /// All events.
    Seller,
}

#[derive(Serialize)]
struct Count {
    count: u64,
}

/// A viewer's seat: counted while it lives.
struct Seat {
    shop: Arc<Shop>,
    audience: Audience,
    _place: OwnedSemaphorePermit,
}

impl Seat {
    fn take(shop: &Arc<Shop>, audience: Audience) -> Result<Self, Refusal> {
        let places = match audience {
            Audience::Viewer => &shop.viewer_streams,
            Audience::Seller => &shop.seller_streams,
        };
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            shop.tally.streams_refused();
            return Err(Refusal::Busy);
        };
        if audience == Audience::Viewer {
            shop.viewers.send_modify(|count| *count += 1);
        }
        Ok(Self { shop: Arc::clone(shop), audience, _place: place })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.audience == Audience::Viewer {
            self.shop.viewers.send_modify(|count| *count = count.saturating_sub(1));
        }
    }
}

struct Listener {
    seat: Seat,
    told: broadcast::Receiver<Arc<Event>>,
    viewers: watch::Receiver<u64>,
    viewers_quiet_until: Instant,
    /// Number of the last event sent.
    last: i64,
    /// Read from the table, not sent yet.
    backlog: VecDeque<Arc<Event>>,
    /// The table may hold more after `last` than the backlog.
    behind: bool,
    /// Sent before anything else.
    first: VecDeque<sse::Event>,
    cancel: CancellationToken,
}

/// The stream for a client that has everything up to `after`, or wants only what is new.
pub(crate) async fn open(
    shop: &Arc<Shop>,
    audience: Audience,
    after: Option<i64>,
) -> Result<impl Stream<Item = Result<sse::Event, std::convert::Infallible>> + use<>, Refusal> {
    let seat = Seat::take(shop, audience)?;
    // Subscribed before the table is read: what is told in between comes twice and is dropped by its number.
    let told = shop.events.subscribe();
    let mut db = shop.store.read().await?;
    let newest = rooms::newest_seq(&mut db).await?;
    let oldest: Option<i64> = sqlx::query_scalar("SELECT MIN(seq) FROM event").fetch_one(&mut *db).await?;
    drop(db);
    let mut first = VecDeque::from([sse::Event::default().retry(RETRY)]);
    let reachable = |after: i64| (oldest.unwrap_or(newest + 1) - 1..=newest).contains(&after);
    let last = match after {
        Some(after) if reachable(after) => after,
        Some(_) => {
            first.push_back(sse::Event::default().event("reset").data("{}"));
            newest
        }
        None => newest,
    };
    let mut viewers = shop.viewers.subscribe();
    viewers.mark_changed();
    let listener = Listener {
        seat,
        told,
        viewers,
        viewers_quiet_until: Instant::now(),
        last,
        backlog: VecDeque::new(),
        behind: last < newest,
        first,
        cancel: shop.tasks.token(),
    };
    Ok(futures_util::stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    }))
}

impl Listener {
    /// The next event; `None` ends the stream and the client comes back.
    async fn next(&mut self) -> Option<sse::Event> {
        if let Some(event) = self.first.pop_front() {
            return Some(event);
        }
        loop {
            if let Some(event) = self.backlog.pop_front() {
                self.last = event.seq;
                return Some(render(&event));
            }
            if self.behind {
                if let Err(error) = self.read_on().await {
                    tracing::error!(%error, "an event stream could not read the table");
                    return None;
                }
                continue;
            }
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return None,
                told = self.told.recv() => match told {
                    Ok(event) => {
                        if event.seq > self.last && self.sees(&event) {
                            self.last = event.seq;
                            return Some(render(&event));
                        }
                    }
                    Err(RecvError::Lagged(_)) => {
                        self.seat.shop.tally.streams_lagged();
                        self.behind = true;
                    }
                    Err(RecvError::Closed) => return None,
                },
                count = next_count(&mut self.viewers, self.viewers_quiet_until) => {
                    self.viewers_quiet_until = Instant::now() + VIEWERS_EVERY;
                    return Some(json_event("viewers", &Count { count: count? }));
                }
            }
        }
    }

    fn sees(&self, event: &Event) -> bool {
        event.public || self.seat.audience == Audience::Seller
    }

    async fn read_on(&mut self) -> Result<(), Refusal> {
        let mut db = self.seat.shop.store.read().await?;
        let rows: Vec<(i64, String, String, bool)> =
            sqlx::query_as("SELECT seq, kind, json, public FROM event WHERE seq > ? AND (public = 1 OR ?) ORDER BY seq LIMIT ?")
                .bind(self.last)
                .bind(self.seat.audience == Audience::Seller)
                .bind(PAGE)
                .fetch_all(&mut *db)
                .await?;
        self.behind = i64::try_from(rows.len()).is_ok_and(|read| read == PAGE);
        self.backlog.extend(rows.into_iter().map(|(seq, kind, json, public)| Arc::new(Event { seq, kind, json, public })));
        Ok(())
    }
}

/// Waits until the count may be told again and differs; `None` when the shop is gone.
async fn next_count(viewers: &mut watch::Receiver<u64>, quiet_until: Instant) -> Option<u64> {
    tokio::time::sleep_until(quiet_until).await;
    viewers.changed().await.ok()?;
    Some(*viewers.borrow_and_update())
}

fn render(event: &Event) -> sse::Event {
    sse::Event::default().id(event.seq.to_string()).event(&event.kind).data(&event.json)
}

fn json_event(kind: &str, payload: &impl Serialize) -> sse::Event {
    // A count always serialises; an empty event would be dropped by every client.
    sse::Event::default().event(kind).json_data(payload).unwrap_or_default()
}
