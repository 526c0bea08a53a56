//! `soak orders [--rounds N] [--seed S]`: the real store and workers against a hostile platform over HTTP, killed again and
//! again. Nothing may be lost or doubled, and the seal may claim nothing that is not stored.
//!
//! Three roles of one program: the rounds (which start the other two), `platform` and `worker`. Only in debug builds,
//! because failpoints exist only there.
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

mod checks;
#[path = "../../tests/support/plain_sealer.rs"]
mod plain_sealer;
mod platform;
mod rounds;
mod server;
mod words;
mod worker;
mod world;

use std::error::Error;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "soak orders [--rounds N] [--seed S]";

fn main() -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let words = words::Words::of_this_process();
    match words.first() {
        "orders" => runtime.block_on(rounds::run(words.number("--rounds")?.unwrap_or(1_000), words.number("--seed")?.unwrap_or(1))),
        "platform" => runtime.block_on(platform::run(words.need("--token")?)),
        "worker" => runtime.block_on(worker::run(&words)),
        other => Err(format!("{other:?} is not a role; {USAGE}").into()),
    }
}
