//! A show over a link that becomes too slow and good again: bitrate first, nothing dropped, and the full rate comes back.

use anyhow::ensure;
use stallcast_testing::slow_link::SlowLink;
use stallcast_testing::slow_show;

#[test]
fn a_slow_link_costs_quality_and_no_frame() -> anyhow::Result<()> {
    let Some(link) = SlowLink::lay()? else {
        eprintln!("skipped: this user may not make network namespaces");
        return Ok(());
    };
    let seen = slow_show::run(&link)?;
    for slow in &seen.slow {
        // Figures come once a second: that is in them.
        ensure!(slow.reacts_s <= 3.0 && slow.fits_s <= 10.0 && slow.settled < 1.15 && slow.behind_ms <= 2000.0, "{slow:?}");
    }
    ensure!(seen.dropped == 0 && seen.missing == 0, "every picture arrives: {seen:?}");
    ensure!(seen.sound_gap_s < 0.03, "{seen:?}");
    ensure!(seen.full_again_s <= 20.0 && seen.rate_again > 0.9, "{seen:?}");
    Ok(())
}
