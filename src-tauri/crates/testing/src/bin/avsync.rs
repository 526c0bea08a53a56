//! Prints what became of the marker clip: `avsync FILE [--source WxH] [--loop FRAMES]`.
#![expect(clippy::print_stdout, reason = "a command line tool talks on standard output")]

use anyhow::{Context as _, bail};
use stallcast_testing::analysis::{self, Made};
use stallcast_testing::marker::Size;
use stallcast_testing::packets;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let mut file = None;
    let mut made = Made { size: None, loops_after: None };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--source" => {
                let size = words.next().unwrap_or_default();
                let (width, height) = size.split_once('x').context("--source WxH")?;
                made.size = Some(Size::new(width.parse()?, height.parse()?));
            }
            "--loop" => made.loops_after = Some(words.next().context("--loop FRAMES")?.parse()?),
            _ if file.is_none() => file = Some(PathBuf::from(word)),
            _ => bail!("usage: avsync FILE [--source WxH] [--loop FRAMES]"),
        }
    }
    let file = file.context("usage: avsync FILE [--source WxH] [--loop FRAMES]")?;
    let packets = packets::read(&file)?;
    for track in [&packets.video, &packets.audio] {
        let order = track.check_order().map_or_else(|e| e.to_string(), |()| "in order".to_owned());
        println!(
            "{:<10} {} {}, {} packets in {:.3} s, {:.0} kbit/s, longest gap {:.3} s, {order}",
            track.codec,
            track.profile,
            if track.width > 0 { format!("{}x{}", track.width, track.height) } else { format!("{} Hz", track.rate) },
            track.packets.len(),
            track.span_s(),
            track.bits_per_s() / 1000.0,
            track.longest_gap_s(),
        );
    }
    let gops = packets.video.gops_s();
    let (least, most) = gops.iter().fold((f64::MAX, 0.0_f64), |(a, b), g| (a.min(*g), b.max(*g)));
    if !gops.is_empty() {
        println!("groups     {} of {least:.3} to {most:.3} s", gops.len());
    }
    let report = analysis::read(&file, made)?;
    println!("{report}");
    if report.frames == report.unreadable {
        bail!("{} does not show the marker", file.display());
    }
    Ok(())
}
