//! Filling a page from candidates of which some do not hold.

use crate::StoreError;

/// Reads of one page before it is given out shorter: what an index lets through is nearly always right.
const ROUNDS: usize = 8;

/// One reading of candidates, newest first.
pub(crate) struct Round<R> {
    /// Those that hold.
    pub rows: Vec<R>,
    /// The key of the last candidate, held or not, if there may be more behind it.
    pub more: Option<i64>,
}

/// Where candidates come from.
pub(crate) trait Candidates {
    /// What holds.
    type Row: Send;

    /// Its place in the list.
    fn key(row: &Self::Row) -> i64;

    /// Up to `most` candidates behind `before`.
    fn round(&mut self, before: i64, most: usize) -> impl Future<Output = Result<Round<Self::Row>, StoreError>> + Send;
}

/// Up to `limit` rows behind `before`, and where to go on; `None` at the end.
pub(crate) async fn page<C: Candidates>(
    candidates: &mut C,
    before: Option<i64>,
    limit: usize,
) -> Result<(Vec<C::Row>, Option<i64>), StoreError> {
    let mut rows: Vec<C::Row> = Vec::new();
    let mut before = before.unwrap_or(i64::MAX);
    for _ in 0..ROUNDS {
        // One more than wanted tells whether there is more.
        let round = candidates.round(before, limit - rows.len() + 1).await?;
        rows.extend(round.rows);
        if rows.len() > limit {
            rows.truncate(limit);
            let next = rows.last().map(C::key);
            return Ok((rows, next));
        }
        match round.more {
            Some(last) => before = last,
            None => return Ok((rows, None)),
        }
    }
    Ok((rows, Some(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys from `from` down to 1, of which only multiples of `each` hold.
    struct Counting {
        from: i64,
        each: i64,
        rounds: usize,
    }

    impl Candidates for Counting {
        type Row = i64;

        fn key(row: &i64) -> i64 {
            *row
        }

        async fn round(&mut self, before: i64, most: usize) -> Result<Round<i64>, StoreError> {
            self.rounds += 1;
            let keys: Vec<i64> = (1..before.min(self.from + 1)).rev().take(most).collect();
            let more = (keys.len() == most).then(|| keys.last().copied()).flatten();
            Ok(Round { rows: keys.into_iter().filter(|key| key % self.each == 0).collect(), more })
        }
    }

    async fn pages(mut candidates: Counting, limit: usize) -> (Vec<i64>, usize) {
        let (mut all, mut before, mut pages) = (Vec::new(), None, 0);
        loop {
            let (rows, next) = page(&mut candidates, before, limit).await.expect("no database");
            assert!(rows.len() <= limit);
            all.extend(rows);
            pages += 1;
            match next {
                Some(next) => before = Some(next),
                None => return (all, pages),
            }
        }
    }

    #[tokio::test]
    async fn every_row_comes_once_however_few_candidates_hold() {
        for (from, each, limit) in [(0, 1, 3), (1, 1, 1), (10, 1, 3), (9, 1, 3), (100, 7, 5), (100, 50, 4), (1_000, 333, 1), (5, 9, 2)] {
            let wanted: Vec<i64> = (1..=from).rev().filter(|key| key % each == 0).collect();
            assert_eq!(pages(Counting { from, each, rounds: 0 }, limit).await.0, wanted, "{from} {each} {limit}");
        }
    }

    #[tokio::test]
    async fn a_page_that_finds_nothing_is_given_out_after_eight_readings() {
        let mut candidates = Counting { from: 1_000, each: 5_000, rounds: 0 };
        let (rows, next) = page(&mut candidates, None, 9).await.expect("no database");
        assert_eq!((rows, next, candidates.rounds), (vec![], Some(1_001 - 8 * 10), 8));
    }
}
