//! The outbox worker: sends what the seller wants to be true, and does not believe it before it has read it back.

use crate::events::SyncEvent;
use crate::line::Line;
use crate::verdict::{Verdict, look};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use stallcast_clock::{Backoff, failpoint};
use stallcast_model::Effect;
use stallcast_platform::PlatformError;
use stallcast_store::{IntentRow, Leased, ReadBack, StoreError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Intents of different lanes under way at once.
const UNDER_WAY: usize = 4;
/// Between two looks while what is due cannot be taken up: its lane is taken, or a clock was set.
const LOOK_BUSY: Duration = Duration::from_secs(1);
const LOOK_FREE: Duration = Duration::from_millis(100);
/// Longest rest without being woken.
const REST_MOST: Duration = Duration::from_secs(30);
/// Tries after which a person decides, where the platform answers but nothing comes of it.
const TRIES_MOST: u32 = 8;
const SIGN_IN_TRIES: u32 = 4;
/// A coupon or a price that did not get through in this time does not come behind the host's back.
const WISH_FRESH_MS: i64 = 120_000;

pub(crate) struct Outbox {
    line: Arc<Line>,
    /// The platform asked to be left alone until then.
    quiet_until: Mutex<Option<Instant>>,
}

/// How a try ended.
enum Outcome {
    Confirmed(ReadBack),
    /// Surely not applied.
    Later(String),
    /// Perhaps applied.
    Uncertain(String),
    /// Given up for good.
    Failed(String),
    /// Refused for good, with values for the sentence.
    Refused(String, BTreeMap<String, String>),
    /// Given up, although it may have been applied.
    FailedInDoubt(String),
    /// The lease is somebody else's by now.
    Lost,
}

impl Outbox {
    pub(crate) fn new(line: Arc<Line>) -> Self {
        Self { line, quiet_until: Mutex::new(None) }
    }

    pub(crate) async fn run(self) {
        let line = &*self.line;
        let mut backoff = line.timing.backoff(line.seed());
        let mut under_way: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
        loop {
            let rest = match self.quiet() {
                Some(pause) => pause,
                None => match self.take_up(&mut under_way).await {
                    Ok(rest) => {
                        backoff.reset();
                        rest
                    }
                    Err(e) => {
                        tracing::error!(error = %e, "the outbox cannot be read");
                        backoff.next_wait()
                    }
                },
            };
            tokio::select! {
                biased;
                () = line.token.cancelled() => break,
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                () = line.wake_outbox.notified() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        // What is under way may still end well; what does not becomes a doubt.
        let all = async { while under_way.next().await.is_some() {} };
        if tokio::time::timeout(line.timing.finish, all).await.is_err() {
            tracing::info!("intents were left under way; they are looked up before anything is sent again");
        }
    }

    /// How much longer the platform wants to be left alone.
    fn quiet(&self) -> Option<Duration> {
        let until = *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map(|u| u.saturating_duration_since(Instant::now())).filter(|pause| !pause.is_zero())
    }

    /// Takes up what is due, and returns how long there is nothing more to do.
    async fn take_up<'a>(&'a self, under_way: &mut FuturesUnordered<BoxFuture<'a, ()>>) -> Result<Duration, StoreError> {
        let Line { store, connection, clock, timing, .. } = &*self.line;
        while under_way.len() < UNDER_WAY {
            match store.lease_intent(connection, timing.lease).await? {
                Some(leased) => under_way.push(Box::pin(self.deliver(leased))),
                None => break,
            }
        }
        let Some(due_ms) = store.next_due_ms(connection).await? else { return Ok(REST_MOST) };
        let wait = Duration::from_millis(u64::try_from(due_ms - clock.utc_ms()).unwrap_or(0));
        // Those under way are due as well.
        let least = if under_way.is_empty() { LOOK_FREE } else { LOOK_BUSY };
        Ok(wait.clamp(least, REST_MOST))
    }

    async fn deliver(&self, leased: Leased) {
        let intent = &leased.intent;
        // Ends before the lease does, so that there are never two.
        let tried = tokio::time::timeout(self.line.timing.lease * 2 / 3, self.attempt(&leased)).await;
        failpoint!("push.tried");
        let settled = match tried {
            Ok(Ok(outcome)) => self.settle(intent, outcome).await,
            Ok(Err(e)) => Err(e),
            Err(_) => self.settle(intent, Outcome::Uncertain("unreachable".to_owned())).await,
        };
        failpoint!("push.settled");
        match settled {
            Ok(Some(row)) => {
                tracing::debug!(id = %row.id, action = row.effect.word(), state = ?row.state, "an intent moved on");
                if matches!(row.effect, Effect::IssueCoupon { .. } | Effect::WithdrawCoupon { .. }) {
                    self.line.read_coupons.notify_one();
                }
                self.line.news.tell(SyncEvent::Intent(Box::new(row)));
            }
            Ok(None) => tracing::warn!(id = %intent.id, "the lease of an intent was lost"),
            // The lease runs out and the intent becomes a doubt.
            Err(e) => tracing::error!(id = %intent.id, error = %e, "the outcome of an intent was not stored"),
        }
    }

    async fn attempt(&self, leased: &Leased) -> Result<Outcome, StoreError> {
        let Line { store, platform, .. } = &*self.line;
        let IntentRow { id, effect, key, attempts, .. } = &leased.intent;
        failpoint!("push.leased");
        if leased.look_up {
            match look(&**platform, effect).await {
                Ok(Verdict::Holds(read)) => return Ok(Outcome::Confirmed(read)),
                Ok(Verdict::Conflict(code)) => return Ok(Outcome::Failed(code.to_owned())),
                Ok(Verdict::Absent) => {
                    if !store.intent_not_applied(id).await? {
                        return Ok(Outcome::Lost);
                    }
                    failpoint!("push.looked_up");
                }
                Err(e) => return Ok(self.in_doubt(&e, *attempts)),
            }
        }
        if self.is_stale(&leased.intent) {
            return Ok(Outcome::Failed("unreachable".to_owned()));
        }
        failpoint!("push.before_sending");
        let answer = platform.perform(effect, key).await;
        failpoint!("push.answered");
        let refusal = match answer {
            Ok(()) => {
                if !store.intent_sent(id).await? {
                    return Ok(Outcome::Lost);
                }
                failpoint!("push.noted_as_sent");
                None
            }
            Err(PlatformError::Refused { code, params }) => Some((code, params)),
            Err(e) if e.may_have_happened() => {
                let code = e.code().to_owned();
                return Ok(if *attempts >= TRIES_MOST { Outcome::FailedInDoubt(code) } else { Outcome::Uncertain(code) });
            }
            Err(PlatformError::Unauthenticated) if *attempts >= SIGN_IN_TRIES => return Ok(Outcome::Failed("unauthorized".to_owned())),
            Err(e) => {
                self.heed(&e);
                return Ok(Outcome::Later(e.code().to_owned()));
            }
        };
        // Accepted is not yet true; refused may be true already, because an earlier try arrived or somebody else did it.
        Ok(match (look(&**platform, effect).await, refusal) {
            (Ok(Verdict::Holds(read)), _) => Outcome::Confirmed(read),
            (Ok(_), Some((code, params))) => Outcome::Refused(code, params),
            (Ok(Verdict::Conflict(code)), None) => Outcome::Failed(code.to_owned()),
            (Ok(Verdict::Absent), None) if *attempts >= TRIES_MOST => Outcome::FailedInDoubt("not_confirmed".to_owned()),
            (Ok(Verdict::Absent), None) => Outcome::Uncertain("not_confirmed".to_owned()),
            (Err(e), _) => self.in_doubt(&e, *attempts),
        })
    }

    /// It could not be looked up.
    fn in_doubt(&self, e: &PlatformError, attempts: u32) -> Outcome {
        self.heed(e);
        let code = e.code().to_owned();
        let hopeless = match e {
            // It comes back, or it does not: either way nothing is lost by waiting.
            PlatformError::Unreachable { .. } | PlatformError::RateLimited { .. } => false,
            PlatformError::Unauthenticated => attempts >= SIGN_IN_TRIES,
            PlatformError::Refused { .. } | PlatformError::NotUnderstood { .. } => attempts >= TRIES_MOST,
        };
        if hopeless { Outcome::FailedInDoubt(code) } else { Outcome::Uncertain(code) }
    }

    fn heed(&self, e: &PlatformError) {
        if let PlatformError::RateLimited { retry_after } = e {
            *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + *retry_after);
        }
    }

    /// What buyers see and the host pressed for so long ago that it would surprise everybody. Pressed again, it counts anew.
    fn is_stale(&self, intent: &IntentRow) -> bool {
        let since = if intent.attempts <= 1 { intent.changed_at_ms } else { intent.created_at_ms };
        matches!(intent.effect, Effect::IssueCoupon { .. } | Effect::ChangeOffer { .. }) && self.line.clock.utc_ms() - since > WISH_FRESH_MS
    }

    /// Stores how a try ended; `None` when the lease was lost meanwhile.
    async fn settle(&self, intent: &IntentRow, outcome: Outcome) -> Result<Option<IntentRow>, StoreError> {
        let (store, id) = (&self.line.store, &intent.id);
        match outcome {
            Outcome::Confirmed(read) => store.intent_confirmed(id, read).await,
            Outcome::Later(code) => store.intent_later(id, &code, self.wait(intent, self.line.timing.try_most)).await,
            Outcome::Uncertain(code) => store.intent_uncertain(id, &code, self.wait(intent, self.line.timing.try_most * 2)).await,
            Outcome::Failed(code) => store.intent_failed(id, &code).await,
            Outcome::Refused(code, params) => store.intent_refused(id, &code, params).await,
            Outcome::FailedInDoubt(code) => {
                // Tried again by a person, it is looked up first.
                if !store.intent_sent(id).await? {
                    return Ok(None);
                }
                store.intent_failed(id, &code).await
            }
            Outcome::Lost => Ok(None),
        }
    }

    fn wait(&self, intent: &IntentRow, most: Duration) -> Duration {
        let first = self.line.timing.try_first;
        let mut backoff = Backoff::new(first, most, self.line.seed());
        (0..intent.attempts.min(10)).map(|_| backoff.next_wait()).last().unwrap_or(first)
    }
}
