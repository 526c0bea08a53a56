//! What the processes of a show cost: CPU time and peak memory.

/// Cost of one process since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// User and system time, seconds.
    pub cpu_s: f64,
    /// Largest resident memory so far, bytes.
    pub peak_rss_bytes: u64,
}

impl std::ops::Add for Usage {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { cpu_s: self.cpu_s + other.cpu_s, peak_rss_bytes: self.peak_rss_bytes + other.peak_rss_bytes }
    }
}

/// Reads the cost of a living process; `None` when it is gone or the OS does not tell.
#[must_use]
#[cfg(target_os = "linux")]
pub fn of_process(pid: u32) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may itself hold brackets and blanks: fields are counted after the last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok());
    #[expect(clippy::cast_precision_loss, reason = "ticks of a process stay far below 2^52")]
    let cpu_s = (ticks(11)? + ticks(12)?) as f64 / rustix::param::clock_ticks_per_second() as f64;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak_kib = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|v| v.trim().split(' ').next()?.parse::<u64>().ok());
    Some(Usage { cpu_s, peak_rss_bytes: peak_kib.unwrap_or(0) * 1024 })
}

/// Reads the cost of a living process; `None` when it is gone or the OS does not tell.
#[must_use]
#[cfg(not(target_os = "linux"))]
pub fn of_process(_pid: u32) -> Option<Usage> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_costs_something() {
        let before = of_process(std::process::id()).expect("self");
        assert!(before.peak_rss_bytes > 1 << 20);
        let mut sum = 0_u64;
        while of_process(std::process::id()).expect("self").cpu_s <= before.cpu_s {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        assert_eq!(of_process(u32::MAX - 1), None);
    }
}
