//! How fast a full shop comes in, and how soon an order is here: a program of `crates/sync`, because instruments do not know
//! the selling side.

use crate::table::Table;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::process::Command;

const COMMAND: [&str; 7] = ["run", "--quiet", "--locked", "--release", "--package", "stallcast-sync", "--example"];
const EXAMPLE: &str = "first_sync";

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    let out = Command::new("cargo").args(COMMAND).arg(EXAMPLE).output().context("cargo")?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let figures: Value = serde_json::from_slice(&out.stdout).context("figures")?;
    let number = |name: &str| figures[name].as_f64().with_context(|| name.to_owned());
    let (orders, seconds) = (number("orders")?, number("seconds")?);
    let arrivals = figures["arrival_ms"].as_array().context("arrival_ms")?.iter().filter_map(Value::as_f64).collect();
    // Upside down, because a promise is an upper bound: 10 000 a second.
    table.promise("first sync over HTTP, per order", "µs", (100.0, 100.0), vec![seconds * 1e6 / orders]);
    table.report("first sync over HTTP, orders a second", "1/s", vec![orders / seconds]);
    table.promise("buyer's press → row in the studio, with an event stream", "ms", (99.0, 300.0), arrivals);
    table.command("sync", format!("cargo {} {EXAMPLE}", COMMAND.join(" ")));
    Ok(())
}
