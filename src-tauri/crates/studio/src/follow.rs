//! Following a show whose app belongs to another process: `live --attach` on a folder that is held.

use crate::error::StudioError;
use crate::headless::Watch;
use crate::output::Terminal;
use crate::report;
use stallcast_engine::protocol::{Command, Event, Reply, State};
use stallcast_engine::{Engine, EngineEvent};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// How long the next media process of a show is waited for: it is started at once, and its sources may be waited for 2 s.
const NEXT_LIMIT: Duration = Duration::from_secs(15);
const NEXT_PAUSE: Duration = Duration::from_millis(250);

type Attached = (Engine, Receiver<EngineEvent>, State);

/// The running show. `no_show` if there is none.
async fn attach(data: &Path) -> Result<Attached, StudioError> {
    let engine = Engine::attach(data).await?.ok_or_else(|| StudioError::new("no_show"))?;
    let events = engine.events();
    let refused = match engine.command(Command::Snapshot, bytes::Bytes::new()).await {
        Ok(Reply::Snapshot(snapshot)) if crate::hub::on_air(snapshot.state.engine) => return Ok((engine, events, snapshot.state)),
        Ok(_) => StudioError::new("no_show"),
        Err(e) => e.into(),
    };
    // Else it would go on listening.
    engine.detach();
    Err(refused)
}

async fn attach_again(data: &Path) -> Result<Attached, StudioError> {
    let begun = Instant::now();
    loop {
        match attach(data).await {
            Err(e) if begun.elapsed() < NEXT_LIMIT => tracing::info!(error = %e, "the show's next media process is not there yet"),
            attached => return attached,
        }
        tokio::time::sleep(NEXT_PAUSE).await;
    }
}

/// Prints the running show until it ends. Ctrl-C ends the show, as everywhere in `live`.
pub(crate) async fn follow(data: &Path, terminal: Terminal, interrupt: CancellationToken) -> u8 {
    let refuse = |error: StudioError| {
        terminal.error(&error);
        error.exit_code()
    };
    let (mut engine, mut events, state) = match attach(data).await {
        Ok(attached) => attached,
        Err(error) => return refuse(error),
    };
    let mut watch = Watch::following(&state);
    terminal.state(&state);
    let mut last = Some(state);
    let summary = loop {
        tokio::select! {
            biased;
            () = interrupt.cancelled() => match report::end_running(data).await {
                Ok(Some(summary)) => break summary,
                Ok(None) => return refuse(StudioError::new("no_show")),
                Err(error) => return refuse(error),
            },
            event = events.recv() => match event {
                Ok(EngineEvent::Event(Event::Ended(summary))) => break summary,
                Ok(EngineEvent::Event(event)) => {
                    watch.take(&event, &mut last, terminal);
                    // Ended by its own app: the figures went there.
                    if last.as_ref().is_some_and(|s| !crate::hub::on_air(s.engine)) {
                        terminal.say("ended", &[]);
                        engine.detach();
                        return 0;
                    }
                }
                Ok(_) => {}
                // The end may be among them: it comes once.
                Err(RecvError::Lagged(_)) => {
                    if let Ok(Reply::Snapshot(snapshot)) = engine.command(Command::Snapshot, bytes::Bytes::new()).await
                        && !crate::hub::on_air(snapshot.state.engine)
                    {
                        terminal.say("ended", &[]);
                        engine.detach();
                        return 0;
                    }
                }
                // It died, and the show's own app is starting the next one.
                Err(RecvError::Closed) => {
                    let next = tokio::select! {
                        next = attach_again(data) => next,
                        () = interrupt.cancelled() => continue,
                    };
                    let state;
                    (engine, events, state) = match next {
                        Ok(attached) => attached,
                        Err(error) => return refuse(error),
                    };
                    watch.take(&Event::State(state), &mut last, terminal);
                }
            },
        }
    };
    engine.detach();
    let error = watch.never_accepted();
    if let Some(error) = &error {
        terminal.error(error);
    }
    terminal.summary(&summary);
    error.map_or(0, |e| e.exit_code())
}
