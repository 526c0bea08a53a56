use crate::protocol::{Event, Failure, Reply};
use bytes::Bytes;
use stallcast_media::{Health, HealthCode};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;

/// Messages that may wait for one client. States, health and replies only: figures and levels replace their elders.
const MOST_WAITING: usize = 256;

/// What goes to a client.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "snapshots are rare: one when a client attaches")]
pub(crate) enum News {
    /// Unasked.
    Event(Event),
    /// A preview picture.
    Preview { seq: u64, width: u32, height: u32, jpeg: Bytes },
    /// Answer to a request.
    Reply { id: u64, result: Result<Reply, Failure> },
}

/// What a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Camera,
    Mic,
    /// One of the show: destinations, files, power.
    Show(&'static str),
}

/// What health is about, and whether it is a problem that lasts until another word; `None` for what is over as it is told.
fn subject(code: HealthCode) -> Option<(Subject, bool)> {
    use HealthCode as H;
    Some(match code {
        H::CameraLost | H::SourcesSpared => (Subject::Camera, true),
        H::CameraBack => (Subject::Camera, false),
        H::MicLost => (Subject::Mic, true),
        H::MicBack => (Subject::Mic, false),
        H::DestinationLost | H::DestinationUnreachable | H::DestinationHeld | H::DestinationRefused => (Subject::Show("link"), true),
        H::DestinationBack => (Subject::Show("link"), false),
        H::DestinationSlow => (Subject::Show("slow"), true),
        H::DestinationCaughtUp => (Subject::Show("slow"), false),
        H::PictureLowered => (Subject::Show("rate"), true),
        H::PictureRestored => (Subject::Show("rate"), false),
        H::DiskLow | H::DiskSaving => (Subject::Show("disk"), true),
        H::DiskEnough => (Subject::Show("disk"), false),
        H::RecordingStopped | H::RecordingFailed => (Subject::Show("recording"), true),
        H::RecordingBehind => (Subject::Show("recording_speed"), true),
        H::RecordingCaughtUp => (Subject::Show("recording_speed"), false),
        H::CleanFeedStopped | H::CleanFeedFailed => (Subject::Show("clean_feed"), true),
        H::ViewersLost => (Subject::Show("viewers"), true),
        H::OnBattery | H::BatteryLow => (Subject::Show("power"), true),
        H::PowerBack => (Subject::Show("power"), false),
        H::NotKeptAwake => (Subject::Show("awake"), true),
        _ => return None,
    })
}

/// Hands every event to every client without ever waiting for one, and keeps the problems that last for those who come later.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hub {
    clients: Arc<Mutex<Vec<Weak<Waiting>>>>,
    /// By what they are about, and the id where there may be several.
    problems: Arc<Mutex<BTreeMap<(Subject, String), Health>>>,
}

/// The news that wait for one client.
///
/// Overflow policy: one preview waits, the newest; one `Stats` and one `Levels` wait, the newest; a client that lets 256
/// others wait is cut off, attaches again and takes a snapshot.
#[derive(Debug)]
pub(crate) struct Mailbox {
    waiting: Arc<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    looks_after: bool,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    news: VecDeque<News>,
    preview: Option<News>,
    previews_lost: u64,
    closed: bool,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, news: &News) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let same = |waiting: &News| {
            matches!(
                (waiting, news),
                (News::Event(Event::Stats(_)), News::Event(Event::Stats(_)))
                    | (News::Event(Event::Levels { .. }), News::Event(Event::Levels { .. }))
            )
        };
        if matches!(news, News::Preview { .. }) {
            let lost = u64::from(state.preview.replace(news.clone()).is_some());
            state.previews_lost += lost;
        } else {
            if let Some(at) = state.news.iter().position(same) {
                state.news.remove(at);
            }
            if state.news.len() >= MOST_WAITING {
                tracing::warn!("a client does not read; it is cut off");
                state.closed = true;
                state.news.clear();
            } else {
                state.news.push_back(news.clone());
            }
        }
        drop(state);
        self.arrived.notify_one();
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Waiting>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new client. It stops counting when the mailbox is dropped. `looks_after`: it may do more than watch and end; who may not
    /// does not keep a show alive, however often it asks.
    pub(crate) fn attach(&self, looks_after: bool) -> Mailbox {
        let waiting = Arc::new(Waiting { looks_after, ..Waiting::default() });
        let mut clients = self.lock();
        clients.retain(|client| client.strong_count() > 0);
        clients.push(Arc::downgrade(&waiting));
        Mailbox { waiting }
    }

    /// How many clients there are that look after what runs here.
    pub(crate) fn clients(&self) -> usize {
        self.lock().iter().filter(|client| client.upgrade().is_some_and(|c| c.looks_after && !c.lock().closed)).count()
    }

    pub(crate) fn send(&self, news: &News) {
        for client in self.lock().iter().filter_map(Weak::upgrade) {
            client.put(news);
        }
    }

    pub(crate) fn event(&self, event: Event) {
        self.send(&News::Event(event));
    }

    pub(crate) fn health(&self, health: Health) {
        tracing::info!(code = ?health.code, params = ?health.params, "health");
        if let Some((subject, lasts)) = subject(health.code) {
            let key = (subject, health.params.get("id").cloned().unwrap_or_default());
            let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
            if lasts {
                problems.insert(key, health.clone());
            } else {
                problems.remove(&key);
            }
        }
        self.event(Event::Health(health));
    }

    /// The problems that last, for a client that attaches.
    pub(crate) fn problems(&self) -> Vec<Health> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Does a problem with this last?
    pub(crate) fn has_problem(&self, with: Subject) -> bool {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).keys().any(|(subject, _)| *subject == with)
    }

    /// What these were about is no more: another device, or the show is over.
    pub(crate) fn forget(&self, over: impl Fn(Subject) -> bool) {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).retain(|(subject, _), _| !over(*subject));
    }

    /// A part of the machinery crashed and starts again.
    pub(crate) fn part_restarted(&self, part: &str) {
        self.health(Health::new(HealthCode::PartRestarted).with("part", part));
    }
}

impl Mailbox {
    /// Puts an answer among the news, after everything that happened before it.
    pub(crate) fn reply(&self, id: u64, result: Result<Reply, Failure>) {
        self.waiting.put(&News::Reply { id, result });
    }

    /// The next news; a preview only when nothing else waits. `None` after being cut off or closed.
    pub(crate) async fn next(&self) -> Option<News> {
        loop {
            let arrived = self.waiting.arrived.notified();
            {
                let mut state = self.waiting.lock();
                if let Some(news) = state.news.pop_front() {
                    return Some(news);
                }
                if let Some(preview) = state.preview.take() {
                    return Some(preview);
                }
                if state.closed {
                    return None;
                }
            }
            arrived.await;
        }
    }

    /// Lets the reader finish what waits and then end.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
        self.waiting.arrived.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(seq: u64) -> News {
        News::Preview { seq, width: 2, height: 2, jpeg: Bytes::from_static(b"jpeg") }
    }

    #[tokio::test]
    async fn a_slow_client_loses_previews_first_and_never_blocks_the_sender() {
        let hub = Hub::default();
        let mailbox = hub.attach(true);
        for seq in 0..1000 {
            hub.send(&preview(seq));
            hub.event(Event::Levels { peak_db: -(seq as f32), rms_db: -60.0 });
        }
        hub.health(Health::new(HealthCode::DiskLow));
        assert!(
            matches!(mailbox.next().await, Some(News::Event(Event::Levels { peak_db, .. })) if peak_db < -998.0),
            "only the newest level waits"
        );
        assert!(matches!(mailbox.next().await, Some(News::Event(Event::Health(_)))));
        assert!(matches!(mailbox.next().await, Some(News::Preview { seq: 999, .. })), "only the newest picture waits");
    }

    #[test]
    fn problems_last_until_they_are_answered_or_what_they_are_about_is_gone() {
        let hub = Hub::default();
        // Two of one host: a platform that takes several streams.
        let at = |code, id: &str| Health::new(code).with("host", "one").with("id", id);
        hub.health(Health::new(HealthCode::CameraLost));
        hub.health(Health::new(HealthCode::EncoderBehind));
        hub.health(at(HealthCode::DestinationLost, "a"));
        hub.health(at(HealthCode::DestinationLost, "b"));
        hub.health(at(HealthCode::DestinationBack, "a"));
        hub.health(at(HealthCode::DestinationSlow, "a"));
        hub.health(at(HealthCode::DestinationSlow, "b"));
        hub.health(at(HealthCode::DestinationCaughtUp, "b"));
        let slow = at(HealthCode::DestinationSlow, "a");
        assert_eq!(hub.problems(), [Health::new(HealthCode::CameraLost), at(HealthCode::DestinationLost, "b"), slow.clone()]);
        hub.forget(|subject| subject == Subject::Camera);
        assert_eq!(hub.problems(), [at(HealthCode::DestinationLost, "b"), slow]);
        hub.forget(|subject| matches!(subject, Subject::Show(_)));
        assert!(hub.problems().is_empty());
    }

    #[tokio::test]
    async fn a_client_that_never_reads_is_cut_off_and_no_longer_counts() {
        let hub = Hub::default();
        let (stuck, reads) = (hub.attach(true), hub.attach(true));
        for _ in 0..=MOST_WAITING {
            hub.health(Health::new(HealthCode::CameraBack));
            assert!(reads.next().await.is_some());
        }
        assert_eq!(hub.clients(), 1);
        assert!(stuck.next().await.is_none());
        let _watches = hub.attach(false);
        assert_eq!(hub.clients(), 1, "who may only watch keeps nothing alive");
        drop(reads);
        assert_eq!(hub.clients(), 0);
    }
}
