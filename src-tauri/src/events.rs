//! The studio's events, to the pages.

use crate::open::Desk;
use crate::window::STUDIO;
use stallcast_studio::view::StudioEvent;
use tauri::{AppHandle, Emitter, Manager};
use tokio::sync::broadcast::error::RecvError;

/// Name of the event that carries a [`StudioEvent`].
const NAME: &str = "studio";
/// Name of the event that asks the host's page what closing is to mean while on air.
const CLOSING: &str = "closing";

/// The host pressed the window's close button on air.
pub(crate) fn closing(app: &AppHandle) {
    if let Err(e) = app.emit_to(STUDIO, CLOSING, ()) {
        tracing::debug!(error = %e, "the page did not take the question");
    }
}

/// Carries events until the studio closes. A page that missed some gets every section whole.
pub(crate) fn forward(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let desk = app.state::<Desk>();
        let Ok(studio) = desk.studio() else { return };
        let mut events = studio.events();
        loop {
            match events.recv().await {
                Ok(event) => send(&app, &event),
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "the pages missed events; they get everything anew");
                    let view = studio.snapshot().await;
                    for event in view.sections() {
                        send(&app, &event);
                    }
                }
                Err(RecvError::Closed) => return,
            }
        }
    });
}

fn send(app: &AppHandle, event: &StudioEvent) {
    // Ten levels a second are for the host's meter alone.
    let sent = if matches!(event, StudioEvent::Levels(_)) { app.emit_to(STUDIO, NAME, event) } else { app.emit(NAME, event) };
    if let Err(e) = sent {
        tracing::debug!(error = %e, "a page did not take an event");
    }
}
