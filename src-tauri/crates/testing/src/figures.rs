//! Percentiles and slopes.

/// The `p`-th percentile (0..=100) by nearest rank; 0 for nothing.
#[must_use]
pub fn percentile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (p / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Middle value.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// Mean; 0 for nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// Least-squares slope of y over x; 0 for fewer than two points.
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let (mut over, mut under) = (0.0, 0.0);
    for (x, y) in points {
        over += (x - mx) * (y - my);
        under += (x - mx) * (x - mx);
    }
    if under > 0.0 { over / under } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!((percentile(&values, 95.0), median(&values), percentile(&values, 100.0)), (19.0, 10.0, 20.0));
        assert_eq!(percentile(&[], 95.0), 0.0);
    }

    #[test]
    fn a_slope_is_found_through_noise() {
        let points: Vec<(f64, f64)> = (0..100).map(|n| (f64::from(n), 3.0 + 0.25 * f64::from(n) + f64::from(n % 2))).collect();
        assert!((slope(&points) - 0.25).abs() < 0.001);
        assert_eq!(slope(&[(1.0, 1.0)]), 0.0);
    }
}
