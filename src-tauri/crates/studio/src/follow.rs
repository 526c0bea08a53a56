//! Following a show whose app belongs to another process: `live --attach` on a folder that is held.

use crate::error::StudioError;
use crate::headless::Watch;
use crate::output::Terminal;
use crate::report;
use stallcast_engine::protocol::{Command, Event, Reply};
use stallcast_engine::{Engine, EngineEvent};
use std::path::Path;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// Prints the running show until it ends. Ctrl-C ends the show, as everywhere in `live`.
pub(crate) async fn follow(data: &Path, terminal: Terminal, interrupt: CancellationToken) -> u8 {
    let refuse = |error: StudioError| {
        terminal.error(&error);
        error.exit_code()
    };
    let engine = match Engine::attach(data).await {
        Ok(Some(engine)) => engine,
        Ok(None) => return refuse(StudioError::new("no_show")),
        Err(e) => return refuse(e.into()),
    };
    let mut events = engine.events();
    let state = match engine.command(Command::Snapshot, bytes::Bytes::new()).await {
        Ok(Reply::Snapshot(snapshot)) if crate::hub::on_air(snapshot.state.engine) => snapshot.state,
        Ok(_) => return refuse(StudioError::new("no_show")),
        Err(e) => return refuse(e.into()),
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
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return refuse(StudioError::new("engine_down").with("detail", "closed")),
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
