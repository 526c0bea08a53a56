//! Keeps a device delivering: one thread works, one watches it and sends another when it hangs or ends.

use crate::timing::{Halt, now};
use crate::watch::{Order, Sight, Watch};
use crate::worker::{Ended, Worker};
use stallcast_media::{NANOS_PER_MS, SourceErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How long a device that is waited for anyway may hold up whoever opens it.
const FIRST_TRY: Duration = Duration::from_millis(500);
/// How often the watch looks.
const LOOK_EVERY: i64 = 50 * NANOS_PER_MS;

/// A device does not open or broke.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) kind: SourceErrorKind,
    /// The system's own words.
    pub(crate) detail: String,
}

impl Trouble {
    pub(crate) fn new(kind: SourceErrorKind, detail: impl ToString) -> Self {
        Self { kind, detail: detail.to_string() }
    }
}

/// A device that is kept.
pub(crate) trait Device: Send + Sync + 'static {
    /// Name of its thread: what it is and which one.
    fn thread_name(&self) -> String;
    /// Opens it and delivers until told to end. May hang in a driver or panic in a library.
    fn work(&self, halt: &Halt, opened: &Opened) -> Result<(), Trouble>;
    /// Pictures or blocks so far.
    fn delivered(&self) -> u64;
    /// It is lost, or back.
    fn tell(&self, lost: bool);
}

/// Told when the device is open and will do.
pub(crate) struct Opened(SyncSender<Result<(), Trouble>>);

impl Opened {
    pub(crate) fn tell(&self) {
        // Full or gone: nobody waits for it.
        let _ = self.0.try_send(Ok(()));
    }
}

/// Opens a device within `limit` and keeps it as long as what is returned lives. `hangs_after`: without anything for so
/// long another thread is sent.
pub(crate) fn keep(device: &Arc<impl Device>, limit: Duration, hangs_after: i64) -> Result<Worker, Trouble> {
    let no_thread = |e: std::io::Error| Trouble::new(SourceErrorKind::Unusable, e);
    let (worker, outcome) = send(device).map_err(no_thread)?;
    match outcome.recv_timeout(limit) {
        Ok(Ok(())) => {}
        Ok(Err(trouble)) => return Err(trouble),
        Err(_) => {
            worker.abandon();
            return Err(Trouble::new(SourceErrorKind::Unusable, "it opens but delivers nothing that can be used"));
        }
    }
    watch_over(device, worker, hangs_after, false).map_err(no_thread)
}

/// Keeps a device that may not be there yet: it is lost until it delivers, and is tried for ever.
pub(crate) fn keep_trying(device: &Arc<impl Device>, hangs_after: i64) -> Result<Worker, Trouble> {
    let no_thread = |e: std::io::Error| Trouble::new(SourceErrorKind::Unusable, e);
    let (worker, outcome) = send(device).map_err(no_thread)?;
    let lost = !matches!(outcome.recv_timeout(FIRST_TRY), Ok(Ok(())));
    if lost {
        device.tell(true);
    }
    watch_over(device, worker, hangs_after, lost).map_err(no_thread)
}

fn watch_over(device: &Arc<impl Device>, worker: Worker, hangs_after: i64, lost: bool) -> std::io::Result<Worker> {
    let watched = Arc::clone(device);
    let name = format!("w-{}", device.thread_name());
    Worker::spawn(&name, move |halt| {
        let (mut worker, mut lost) = (Some(worker), lost);
        // After a crash nobody has the device: it is lost, and opened again.
        while catch_unwind(AssertUnwindSafe(|| watch(&watched, worker.take(), hangs_after, lost, &halt))).is_err() {
            tracing::error!(thread = watched.thread_name(), "the watch over a device crashed; starting again");
            if !std::mem::replace(&mut lost, true) {
                watched.tell(true);
            }
            halt.wait_until(now() + LOOK_EVERY);
        }
    })
}

fn send(device: &Arc<impl Device>) -> std::io::Result<(Worker, Receiver<Result<(), Trouble>>)> {
    let (tell, outcome) = sync_channel(1);
    let own = Arc::clone(device);
    let worker = Worker::spawn(&device.thread_name(), move |halt| {
        let opened = Opened(tell);
        let ended = catch_unwind(AssertUnwindSafe(|| own.work(&halt, &opened)))
            .unwrap_or_else(|_| Err(Trouble::new(SourceErrorKind::Unusable, "the library for this device failed")));
        if let Err(trouble) = ended {
            tracing::info!(thread = own.thread_name(), kind = ?trouble.kind, detail = trouble.detail, "a device does not deliver");
            let _ = opened.0.try_send(Err(trouble));
        }
    })?;
    Ok((worker, outcome))
}

fn watch(device: &Arc<impl Device>, mut worker: Option<Worker>, hangs_after: i64, lost: bool, halt: &Halt) {
    let mut stuck: Vec<Ended> = Vec::new();
    // Counted from before what came meanwhile, so that it is noticed.
    let delivered = if lost { 0 } else { device.delivered() };
    let mut watch = Watch::new(now(), delivered, hangs_after, lost);
    while !halt.wait_until(now() + LOOK_EVERY) {
        stuck.retain(|ended| !ended.is_set());
        let working = worker.as_ref().is_some_and(|worker| !worker.is_over());
        let sight = Sight { delivered: device.delivered(), working, stuck: stuck.len() };
        for order in watch.observe(now(), sight) {
            match order {
                Order::TellLost => device.tell(true),
                Order::TellBack => device.tell(false),
                Order::Reopen => {
                    if let Some(old) = worker.take() {
                        stuck.push(old.abandon());
                    }
                    match send(device) {
                        Ok((new, _)) => worker = Some(new),
                        Err(e) => tracing::error!(error = %e, "no thread for a device"),
                    }
                }
            }
        }
    }
}

/// What `work` gives on a thread of its own; `None` if it panics or takes too long.
pub(crate) fn bounded<T: Send + 'static>(name: &str, limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = sync_channel(1);
    let thread = stallcast_clock::spawn_thread(name, move || {
        if let Ok(result) = catch_unwind(AssertUnwindSafe(work)) {
            // Nobody waits any more if this comes too late.
            let _ = answer.send(result);
        }
    });
    thread.ok().and_then(|_| answered.recv_timeout(limit).ok())
}
