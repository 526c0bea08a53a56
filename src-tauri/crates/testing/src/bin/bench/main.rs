//! Every promise in milliseconds and CPU, measured here and now: `bench [NAME…]`. The table says with which commands.
//!
//! Pages are timed by their own clocks: a listener in the page that is pressed and an observer in the page that changes,
//! both on this machine, so that the driver's own delay is not in the figure.
#![expect(clippy::print_stdout, reason = "a command line tool talks on standard output")]

mod cost;
mod media;
mod pages;
mod table;

use anyhow::bail;
use table::Table;

type Measure = (&'static str, fn(&mut Table) -> anyhow::Result<()>);

const ALL: &[Measure] = &[("start", media::start), ("killed", media::killed), ("pages", pages::run), ("cost", cost::run)];

fn main() -> anyhow::Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = names.iter().find(|n| !ALL.iter().any(|(known, _)| known == n)) {
        let known: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        bail!("no measure {unknown}; there are: {}", known.join(", "));
    }
    let mut table = Table::default();
    for (name, measure) in ALL {
        if names.is_empty() || names.iter().any(|n| n == name) {
            eprintln!("==== {name}");
            measure(&mut table)?;
        }
    }
    println!("{table}");
    let missed = table.missed();
    if !missed.is_empty() {
        bail!("not kept: {}", missed.join("; "));
    }
    Ok(())
}
