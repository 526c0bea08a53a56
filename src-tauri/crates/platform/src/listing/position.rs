//! Where a list goes on, per way of paging.

use super::{Listed, Paging, Place, Plan};
use crate::PlatformError;

/// The page behind `at`, which brought `rows`; `None` at the end of the window.
pub(super) fn next<T>(plan: &Plan, at: &Place, rows: u64, listed: &Listed<T>) -> Result<Option<Place>, PlatformError> {
    let limit = u64::from(plan.limit.max(1));
    let pages = listed.total.map(|total| total.div_ceil(limit));
    match plan.paging {
        Paging::Key => match (listed.more, &listed.key) {
            (Some(true), Some(key)) => behind(at, key),
            (Some(true), None) => Err(PlatformError::unread("there is more, and no key to it")),
            (Some(false), _) => Ok(None),
            (None, _) => Err(PlatformError::unread("no word whether there is more")),
        },
        Paging::Sentinel(end) => match listed.key.as_deref() {
            Some(key) if key == end => Ok(None),
            Some(key) => behind(at, key),
            None => Err(PlatformError::unread("no key of the next page")),
        },
        Paging::Pages { first } => {
            let page = if let Place::Page(n) = at { *n } else { first };
            let read = u64::from(page.saturating_sub(first)) + 1;
            Ok(pages.filter(|pages| read < *pages).map(|_| Place::Page(page + 1)))
        }
        Paging::PagesBackwards { first } => match at {
            Place::Page(page) => Ok((*page > first).then(|| Place::Page(page - 1))),
            // The first call only tells how many there are.
            _ => {
                let pages = pages.filter(|pages| *pages > 1).and_then(|pages| u32::try_from(pages).ok());
                Ok(pages.map(|pages| Place::Page(first.saturating_add(pages - 1))))
            }
        },
        Paging::Offset => {
            let next = if let Place::Offset(n) = at { *n } else { 0 } + rows;
            match listed.total {
                Some(total) if next < total && rows == 0 => Err(PlatformError::unread("an empty page before the end")),
                Some(total) if next < total => Ok(Some(Place::Offset(next))),
                _ => Ok(None),
            }
        }
    }
}

fn behind(at: &Place, key: &str) -> Result<Option<Place>, PlatformError> {
    if matches!(at, Place::Key(before) if before == key) {
        return Err(PlatformError::unread("a key that leads to itself"));
    }
    Ok(Some(Place::Key(key.to_owned())))
}
