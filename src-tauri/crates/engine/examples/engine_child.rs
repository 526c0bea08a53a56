//! The media process alone: what `stallcast engine --data DIR` does, without the rest of the program. The supervisor's
//! tests start it.

use stallcast_engine::{EngineOptions, run};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let [engine, flag, data] = words.as_slice() else { return ExitCode::from(2) };
    if engine != "engine" || flag != "--data" {
        return ExitCode::from(2);
    }
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let ended = runtime.block_on(run(EngineOptions { data: data.into() }, CancellationToken::new()));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
