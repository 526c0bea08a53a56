//! Usage on Linux, from `/proc/self`.

use super::Usage;

pub(crate) fn own_usage() -> Usage {
    Usage { cpu_s: cpu_seconds().unwrap_or_default(), peak_rss_bytes: peak_rss().unwrap_or_default() }
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold spaces; after it come state (field 3) … utime (14) and stime (15).
    let after = stat.rsplit_once(')')?.1;
    let mut fields = after.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / rustix::param::clock_ticks_per_second().max(1) as f64)
}

fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_usage_is_seen_and_grows() {
        let before = own_usage();
        assert!(before.peak_rss_bytes > 1 << 20, "{before:?}");
        let mut sum = 0_u64;
        let begun = std::time::Instant::now();
        while own_usage().cpu_s < before.cpu_s + 0.05 {
            for n in 0..100_000_u64 {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(n));
            }
            assert!(begun.elapsed().as_secs() < 20, "no CPU counted");
        }
    }
}
