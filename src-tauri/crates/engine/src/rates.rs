use stallcast_media::{Health, HealthCode, LossCounters};
use std::time::{Duration, Instant};

/// A trouble that goes on is told again after this time.
const AGAIN: Duration = Duration::from_secs(30);
/// Part of the frames of one second that must be lost before a person is told.
const MUCH: f64 = 0.1;

/// Turns running counts into figures of the last second.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    last: Option<(Instant, u64, u64, f64)>,
    loss: Option<(LossCounters, u64)>,
    late: Option<Instant>,
    behind: Option<Instant>,
}

/// Figures of the last second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct PerSecond {
    pub(crate) fps: f32,
    pub(crate) kbps: u32,
    pub(crate) cpu: f32,
}

impl Rates {
    /// Takes the counts as they stand `now`; zero the first time.
    pub(crate) fn next(&mut self, now: Instant, composed: u64, bytes: u64, cpu_s: f64) -> PerSecond {
        let before = self.last.replace((now, composed, bytes, cpu_s));
        let Some((then, composed_before, bytes_before, cpu_before)) = before else { return PerSecond::default() };
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        // Fewer than before: another show counts from zero.
        let (Some(frames), Some(bytes)) = (composed.checked_sub(composed_before), bytes.checked_sub(bytes_before)) else {
            return PerSecond::default();
        };
        if seconds < 0.01 {
            return PerSecond::default();
        }
        PerSecond {
            fps: (frames as f64 / seconds) as f32,
            kbps: (bytes as f64 * 8.0 / 1000.0 / seconds).round() as u32,
            cpu: ((cpu_s - cpu_before) / seconds).max(0.0) as f32,
        }
    }

    /// What a person should know about the losses since the last call.
    pub(crate) fn troubles(&mut self, now: Instant, loss: &LossCounters, composed: u64) -> Vec<Health> {
        let Some((before, composed_before)) = self.loss.replace((*loss, composed)) else { return Vec::new() };
        let frames = composed.saturating_sub(composed_before).max(1) as f64;
        let much = |now: u64, before: u64| now.saturating_sub(before) as f64 / frames > MUCH;
        let due = |last: &mut Option<Instant>| {
            let due = last.is_none_or(|at| now.saturating_duration_since(at) >= AGAIN);
            if due {
                *last = Some(now);
            }
            due
        };
        let mut out = Vec::new();
        if much(loss.lagged, before.lagged) && due(&mut self.late) {
            out.push(Health::new(HealthCode::ProgramLate));
        }
        if much(loss.skipped, before.skipped) && due(&mut self.behind) {
            out.push(Health::new(HealthCode::EncoderBehind));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_per_second_and_survive_a_new_count() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        assert_eq!(rates.next(start, 100, 1_000_000, 5.0), PerSecond::default());
        let got = rates.next(start + Duration::from_secs(2), 160, 1_500_000, 5.5);
        assert_eq!(got, PerSecond { fps: 30.0, kbps: 2000, cpu: 0.25 });
        assert_eq!(rates.next(start + Duration::from_secs(3), 0, 0, 5.6), PerSecond::default());
    }

    #[test]
    fn a_lasting_trouble_is_told_once_in_a_while() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let told: usize = (0..70_u64)
            .map(|s| rates.troubles(start + Duration::from_secs(s), &LossCounters { lagged: 0, skipped: s * 10, dropped: 0 }, s * 30).len())
            .sum();
        assert_eq!(told, 3);
    }
}
