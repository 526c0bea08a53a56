//! `soak`: what only shows after a thousand times.

use crate::{build, sh, system};
use anyhow::bail;

/// `orders [--rounds N] [--seed S]`: kills the selling side again and again in front of a hostile platform. Debug builds,
/// because failpoints exist only there. `[media] --hours H`: one show whose links, ingest and media process fail all the time.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    match args.first().map(String::as_str) {
        Some("orders") => {
            system::for_build()?;
            let mut command = sh::cmd("cargo", &["run", "--quiet", "--locked", "--package", "stallcast-sync", "--example", "soak", "--"]);
            command.args(args);
            sh::must(command)
        }
        Some("media") => media(&args[1..]),
        Some("--hours") => media(args),
        other => bail!("no soak {}; there are: orders [--rounds N] [--seed S], [media] --hours H", other.unwrap_or_default()),
    }
}

fn media(args: &[String]) -> anyhow::Result<()> {
    system::for_test()?;
    let binary = build::all(true)?;
    let mut command =
        sh::cmd("cargo", &["run", "--quiet", "--locked", "--release", "--package", "stallcast-testing", "--bin", "soak", "--"]);
    command.args(args).env("STALLCAST_BIN", binary);
    sh::must(command)
}
