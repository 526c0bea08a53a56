//! How overlays come and go.

use stallcast_media::{NANOS_PER_MS, Pts};

/// How long a slide takes, nanoseconds.
pub(crate) const SLIDE: i64 = 320 * NANOS_PER_MS;

/// Fast start, long settling: for what arrives.
pub(crate) fn arrive(t: f32) -> f32 {
    cubic_bezier(t, 0.2, 0.8, 0.2, 1.0)
}

/// Slow start: for what leaves.
pub(crate) fn depart(t: f32) -> f32 {
    cubic_bezier(t, 0.5, 0.0, 0.8, 0.4)
}

/// Part of a slide that is done, 0.0..=1.0.
pub(crate) fn progress(since: Pts, now: Pts) -> f32 {
    // 320 ms in nanoseconds keep 24 bits of precision to a fraction of a microsecond.
    (((now - since).clamp(0, SLIDE)) as f32) / (SLIDE as f32)
}

/// CSS `cubic-bezier(x1, y1, x2, y2)` at `t`.
fn cubic_bezier(t: f32, x1: f32, y1: f32, x2: f32, y2: f32) -> f32 {
    if t <= 0.0 {
        return 0.0;
    }
    if t >= 1.0 {
        return 1.0;
    }
    let at = |s: f32, a: f32, b: f32| 3.0 * (1.0 - s) * (1.0 - s) * s * a + 3.0 * (1.0 - s) * s * s * b + s * s * s;
    // x rises with s, so halving finds it; 20 steps are exact to a millionth.
    let (mut low, mut high) = (0.0_f32, 1.0_f32);
    for _ in 0..20 {
        let middle = f32::midpoint(low, high);
        if at(middle, x1, x2) < t {
            low = middle;
        } else {
            high = middle;
        }
    }
    at(f32::midpoint(low, high), y1, y2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_agree_with_browsers() {
        // Known values of CSS easing: linear control points give the identity, `ease-in` is 0.3154 at one half.
        assert!((cubic_bezier(0.5, 0.25, 0.25, 0.75, 0.75) - 0.5).abs() < 1e-4);
        assert!((cubic_bezier(0.5, 0.42, 0.0, 1.0, 1.0) - 0.3154).abs() < 1e-3);
        assert!((arrive(0.25)..1.0).contains(&0.8), "most of the way is done in the first quarter");
        assert!(depart(0.5) < 0.3);
        for curve in [arrive, depart] {
            assert_eq!((curve(0.0), curve(1.0)), (0.0, 1.0));
            let steps: Vec<f32> = (0..=100_u8).map(|i| curve(f32::from(i) / 100.0)).collect();
            assert!(steps.windows(2).all(|pair| pair[0] <= pair[1] + 1e-5), "never backwards");
        }
    }

    #[test]
    fn progress_stays_within_the_slide() {
        assert_eq!(progress(Pts(SLIDE), Pts(0)), 0.0);
        assert_eq!(progress(Pts(0), Pts(SLIDE / 2)), 0.5);
        assert_eq!(progress(Pts(0), Pts(SLIDE * 9)), 1.0);
    }
}
