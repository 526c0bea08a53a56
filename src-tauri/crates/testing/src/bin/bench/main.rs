//! Every promise in milliseconds and CPU, measured here and now: `bench [NAME…]`. The table says with which commands.
//!
//! Pages are timed by their own clocks: a listener in the page that is pressed and an observer in the page that changes,
//! both on this machine, so that the driver's own delay is not in the figure.
#![expect(clippy::print_stdout, reason = "a command line tool talks on standard output")]

mod cost;
mod glass;
mod lost;
mod media;
mod outage;
mod pages;
mod slow;
mod sync;
mod table;
mod window;

use anyhow::bail;
use table::Table;

type Measure = (&'static str, fn(&mut Table) -> anyhow::Result<()>);

const ALL: &[Measure] = &[
    ("start", media::start),
    ("ended", media::ended),
    ("killed", media::killed),
    ("lost", lost::run),
    ("outage", outage::run),
    ("slow", slow::run),
    ("glass", glass::run),
    ("mjpeg", cost::mjpeg),
    ("cost", cost::run),
    ("busy", cost::busy),
    ("window", window::run),
    ("pages", pages::run),
    ("sync", sync::run),
];

/// What `media` stands for: everything but what is timed in pages, and synchronisation.
const MEDIA: [&str; 11] = ["start", "ended", "killed", "lost", "outage", "slow", "glass", "mjpeg", "cost", "busy", "window"];

fn main() -> anyhow::Result<()> {
    let given = std::env::args().skip(1);
    let names: Vec<String> =
        given.flat_map(|n| if n == "media" { MEDIA.iter().map(ToString::to_string).collect() } else { vec![n] }).collect();
    if let Some(unknown) = names.iter().find(|n| !ALL.iter().any(|(known, _)| known == n)) {
        let known: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        bail!("no measure {unknown}; there are: media, {}", known.join(", "));
    }
    let (mut table, mut failed) = (Table::default(), vec![]);
    for (name, measure) in ALL {
        if names.is_empty() || names.iter().any(|n| n == name) {
            eprintln!("==== {name}");
            // The others are wanted all the same.
            if let Err(e) = measure(&mut table) {
                eprintln!("{name}: {e:#}");
                failed.push(*name);
            }
        }
    }
    table.command("soak", "not here: 50 deaths in one show, outages of 5 min, the slope of memory: `cargo xtask soak --hours H`");
    println!("{table}");
    let mut missed = table.missed();
    missed.extend(failed.iter().map(|name| format!("{name} (not measured)")));
    if !missed.is_empty() {
        bail!("not kept: {}", missed.join("; "));
    }
    Ok(())
}
