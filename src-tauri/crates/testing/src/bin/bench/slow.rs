//! A cable that becomes too slow and good again.

use crate::table::Table;
use stallcast_testing::slow_link::SlowLink;
use stallcast_testing::slow_show;

/// Shows, each of more than a minute.
const RUNS: usize = 3;

pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    let Some(link) = SlowLink::lay()? else {
        anyhow::bail!("a slow cable needs network namespaces: run it as root");
    };
    let (mut reacts, mut fits, mut settled, mut behind) = (vec![], vec![], vec![], vec![]);
    let (mut again, mut lost, mut gap) = (vec![], vec![], vec![]);
    for _ in 0..RUNS {
        let seen = slow_show::run(&link)?;
        for slow in &seen.slow {
            reacts.extend(slow.reacts_s);
            fits.push(slow.fits_s);
            settled.push(slow.settled);
            behind.push(slow.behind_ms);
        }
        again.push(seen.full_again_s);
        lost.push((seen.dropped + seen.missing) as f64);
        gap.push(seen.sound_gap_s * 1000.0);
    }
    // One second of it is the pause between two figures.
    table.promise("link at 60 %, 25 % → picture lowered (2 s), and seen once a second", "s", (100.0, 3.0), reacts);
    table.promise("link at 60 %, 25 % → no more than it carries", "s", (100.0, 10.0), fits);
    table.promise("link at 60 %, 25 %: given after 10 s / carried, with steps up", "ratio", (100.0, 1.15), settled);
    table.promise("link at 60 %, 25 %: farthest behind, by our own figure", "ms", (100.0, 2000.0), behind);
    table.promise("link good again → full picture", "s", (100.0, 20.0), again);
    table.promise("pictures dropped by us or not arrived", "frames", (100.0, 0.0), lost);
    table.promise("longest hole in the sound that arrived", "ms", (100.0, 30.0), gap);
    table.command(
        "slow",
        "tc tbf on a veth into a network namespace with nginx-rtmp; stallcast live --video-kbps 1600 (noise, 360x640, 30)",
    );
    Ok(())
}
