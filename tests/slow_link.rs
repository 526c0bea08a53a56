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
        // Times are hang guards here, four times what is promised; `bench slow` holds the promises, and the rules themselves are
        // tested in virtual time.
        ensure!(slow.reacts_s.is_none_or(|s| s <= 8.0) && slow.behind_ms <= 8000.0, "{slow:?}");
        ensure!(slow.fits_s.is_finite() && slow.settled < 1.15, "{slow:?}");
    }
    ensure!(seen.dropped == 0 && seen.missing == 0, "every picture arrives: {seen:?}");
    ensure!(seen.sound_gap_s < 0.03, "{seen:?}");
    ensure!(seen.rate_again > 0.9, "{seen:?}");
    Ok(())
}
