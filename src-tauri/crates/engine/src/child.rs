use crate::encoders::probe_if_told;
use crate::ended;
use crate::error::EngineError;
use crate::process::{CHILD_MARK, leave_session, shut_down_signal};
use crate::runtime::Runtime;
use crate::server::serve;
use crate::socket;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// What the media process needs to know when it starts.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The data folder it belongs to: socket and log.
    pub data: PathBuf,
}

/// Size above which the log of an earlier process is put aside.
const LOG_BYTES: u64 = 8 << 20;

/// The main function of the media process. Inside a multi-threaded tokio runtime. Ends after [`crate::protocol::Command::Quit`],
/// on SIGTERM or when `stop` is cancelled; a running show is ended cleanly first.
///
/// # Errors
/// Another engine already serves this folder, or there can be no private socket.
pub async fn run(options: EngineOptions, stop: CancellationToken) -> Result<(), EngineError> {
    if let Some(probed) = probe_if_told() {
        return probed;
    }
    if std::env::var_os(CHILD_MARK).is_some() {
        leave_session();
        // A console's Ctrl-C is the app's business, where sessions do not part the two.
        tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    }
    start_log(&options.data);
    log_panics();
    let result = serve_show(&options.data, stop).await;
    if let Err(e) = &result {
        tracing::error!(error = %e, "the media process ends");
    }
    result
}

async fn serve_show(data: &Path, stop: CancellationToken) -> Result<(), EngineError> {
    let path = socket::path(data, "engine")?;
    let listener = socket::listen(&path).await?;
    ended::begin(data);
    let runtime = Arc::new(Runtime::start(data, Box::new(give_way))?);
    tracing::info!(pid = std::process::id(), version = crate::protocol::VERSION, "media process serves");
    let closing = CancellationToken::new();
    let server = tokio::spawn(serve(listener, Arc::clone(&runtime), closing.clone()));
    tokio::select! {
        () = stop.cancelled() => tracing::info!("told to stop"),
        () = shut_down_signal() => tracing::info!("told to stop by the system"),
        () = runtime.gone() => {}
    }
    runtime.stop();
    runtime.gone().await;
    // Before the connections close: who sees them close looks for it.
    ended::leave(data);
    closing.cancel();
    if server.await.is_err() {
        tracing::error!("the server ended with a panic");
    }
    tracing::info!("media process ends");
    Ok(())
}

/// A thread is caught in a call that does not come back: this process makes room for a new one, which goes on with the
/// show. By force, because an orderly end would wait for that thread; what was recorded is whole up to its last fragment. As a
/// crash, which it is: where it happens again and again, the sources are left out.
fn give_way(part: &'static str) {
    tracing::error!(part, "the show stands still; the media process gives way to a new one");
    std::process::abort();
}

/// Logs to `DIR/logs/engine.log`, unless whoever called has set up logging already.
fn start_log(data: &Path) {
    let folder = data.join("logs");
    let path = folder.join("engine.log");
    let open = || {
        std::fs::create_dir_all(&folder)?;
        if std::fs::metadata(&path).is_ok_and(|m| m.len() > LOG_BYTES) {
            std::fs::rename(&path, folder.join("engine.old.log"))?;
        }
        OpenOptions::new().create(true).append(true).open(&path)
    };
    // Without a log the show goes on all the same.
    let Ok(file) = open() else { return };
    let filter =
        tracing_subscriber::EnvFilter::try_from_env("STALLCAST_LOG").unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Mutex::new(file));
    if lines.try_init().is_ok() {
        tracing::debug!("log begins");
    }
}

/// A panic is a line in the log, with its place. Its words come from this program and hold no secret.
fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let thread = std::thread::current();
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let words = info.payload_as_str().unwrap_or("no words");
        tracing::error!(thread = thread.name().unwrap_or("?"), place, words, "panic");
        before(info);
    }));
}
