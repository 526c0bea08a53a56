use jiff::Timestamp;

/// `2026-11-24T08:30:00.000Z` of ms UTC. Beyond what a calendar holds (year 9999) it is 1970.
pub(super) fn date(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Ms UTC of a date with its time zone.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    text.parse().map(Timestamp::as_millisecond).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(date(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(date(1_795_509_000_123), "2026-11-24T08:30:00.123Z");
        for ms in [0, 951_782_399_999, 951_868_800_000, 1_709_164_800_001, 1_795_509_000_123, 4_102_444_799_999] {
            assert_eq!(parse_date(&date(ms)), Some(ms));
        }
    }
}
