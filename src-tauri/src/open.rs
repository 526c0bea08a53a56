//! Opening the studio in a window, and closing it.

use crate::{bridge, events, pictures, window};
use stallcast_studio::view::UiError;
use stallcast_studio::{Studio, StudioError, WindowOptions};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tauri::{AppHandle, Manager, RunEvent, WindowEvent};

/// The studio, or why it did not open: the page then shows that, with the next step, and asks again.
pub(crate) struct Desk {
    opening: WindowOptions,
    opened: Arc<OnceLock<Studio>>,
    refused: Mutex<Option<UiError>>,
    /// One at a time: the folder is for one.
    turn: tokio::sync::Mutex<()>,
    /// When the host last pressed the window's close button on air.
    close_pressed: Mutex<Option<Instant>>,
}

/// Exit status where the system gives no window.
const NO_WINDOW: u8 = 5;
/// A second press within this time closes, whatever the page says: a page that hangs must not hold the window.
const PRESS_AGAIN: Duration = Duration::from_secs(20);

impl Desk {
    /// For a command.
    ///
    /// # Errors
    /// Why the folder did not open.
    pub(crate) fn studio(&self) -> Result<&Studio, UiError> {
        self.opened.get().ok_or_else(|| {
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
            refused.unwrap_or_else(|| StudioError::internal("the studio is being opened").into())
        })
    }

    /// Opens the studio if it is not open yet; the process's exit status where it is refused. `true`: it was opened just now.
    async fn open(&self) -> Result<bool, u8> {
        let _turn = self.turn.lock().await;
        if self.opened.get().is_some() {
            return Ok(false);
        }
        match open(&self.opening).await {
            Ok(studio) => Ok(self.opened.set(studio).is_ok()),
            Err(e) => {
                tracing::error!(error = %e, "the data folder does not open");
                let status = e.exit_code();
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(e.into());
                Err(status)
            }
        }
    }

    /// For a page that opens: what was in the way may be gone by now.
    ///
    /// # Errors
    /// It still is.
    pub(crate) async fn studio_again(&self, app: &AppHandle) -> Result<&Studio, UiError> {
        if self.opened.get().is_none() && self.open().await == Ok(true) {
            events::forward(app);
        }
        self.studio()
    }

    /// Does the window stay for now? On air the first press only asks: a host must not be live without knowing it.
    fn holds_window(&self) -> bool {
        let on_air = self.opened.get().is_some_and(Studio::is_on_air);
        let mut pressed = self.close_pressed.lock().unwrap_or_else(PoisonError::into_inner);
        asks(on_air, &mut pressed, Instant::now())
    }
}

/// Is this press of the close button answered with a question instead of closing?
fn asks(on_air: bool, pressed: &mut Option<Instant>, now: Instant) -> bool {
    let again = pressed.replace(now).is_some_and(|before| now.duration_since(before) < PRESS_AGAIN);
    on_air && !again
}

/// Does the display answer? What draws the windows panics if it does not.
#[cfg(target_os = "linux")]
pub(crate) fn display_answers() -> bool {
    // Done once in a process: what it opens, the windows use.
    gtk::init().is_ok()
}

/// The system's own is always there.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn display_answers() -> bool {
    true
}

/// Opens the window and returns when it is closed.
pub(crate) fn window(options: WindowOptions) -> ExitCode {
    let data = options.studio.data.clone();
    let opened = Arc::new(OnceLock::new());
    let desk = Desk {
        opening: options,
        opened: Arc::clone(&opened),
        refused: Mutex::default(),
        turn: tokio::sync::Mutex::default(),
        close_pressed: Mutex::new(None),
    };
    let refused = tauri::async_runtime::block_on(desk.open()).err();
    let bridge = bridge::builder();
    let app = tauri::Builder::default()
        // Remembers where windows stood, for each data folder on its own.
        .plugin(tauri_plugin_window_state::Builder::default().with_filename(data.join("windows.json").to_string_lossy()).build())
        .register_asynchronous_uri_scheme_protocol("preview", pictures::serve)
        .invoke_handler(bridge.invoke_handler())
        .manage(desk)
        .setup(move |app| {
            if let Err(e) = window::studio(app.handle(), &data) {
                // Given back from here it would be a panic there.
                tracing::error!(error = %e, "no window");
                app.handle().exit(NO_WINDOW.into());
                return Ok(());
            }
            events::forward(app.handle());
            end_when_told(app.handle());
            Ok(())
        })
        .build(tauri::generate_context!());
    match app {
        Ok(app) => {
            app.run(on_event);
            refused.filter(|_| opened.get().is_none()).map_or(ExitCode::SUCCESS, ExitCode::from)
        }
        Err(e) => {
            tracing::error!(error = %e, "no window");
            // Nobody will press anything: its children must not wait for it.
            if let Some(studio) = opened.get() {
                tauri::async_runtime::block_on(studio.close());
            }
            ExitCode::from(NO_WINDOW)
        }
    }
}

async fn open(options: &WindowOptions) -> Result<Studio, StudioError> {
    let studio = Studio::open(options.studio.clone()).await?;
    if options.language_forced
        && let Err(e) = studio.set_language(options.language.tag().to_owned()).await
    {
        tracing::warn!(code = e.code, "the language stays as saved");
    }
    if studio.key_is_in_a_file() {
        tracing::warn!("the master key lies in a file of the data folder, protected by its access rights only");
    }
    Ok(studio)
}

fn on_event(app: &AppHandle, event: RunEvent) {
    match event {
        RunEvent::WindowEvent { label, event: WindowEvent::CloseRequested { api, .. }, .. }
            if label == window::STUDIO && app.state::<Desk>().holds_window() =>
        {
            api.prevent_close();
            events::closing(app);
        }
        // The side panel goes with the studio.
        RunEvent::WindowEvent { label, event: WindowEvent::Destroyed, .. } if label == window::STUDIO => app.exit(0),
        RunEvent::Exit => {
            if let Ok(studio) = app.state::<Desk>().studio() {
                tauri::async_runtime::block_on(studio.close());
            }
        }
        _ => {}
    }
}

/// Ctrl-C and SIGTERM close like the window's own button: a running show goes on without it.
fn end_when_told(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        if stallcast_studio::cli::told_to_end().await {
            app.exit(0);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_on_air_asks_once_and_a_second_press_closes() {
        let (mut pressed, start) = (None, Instant::now());
        assert!(!asks(false, &mut None, start), "off air it just closes");
        assert!(asks(true, &mut pressed, start));
        assert!(!asks(true, &mut pressed, start + Duration::from_secs(3)), "a page that hangs does not hold the window");
        assert!(asks(true, &mut pressed, start + Duration::from_secs(3) + PRESS_AGAIN), "much later it is a new question");
    }
}
