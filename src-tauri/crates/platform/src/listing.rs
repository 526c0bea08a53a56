//! Lists of "changed between two times", whichever way a platform pages them, as a feed that is read by cursor.
//!
//! One pass reads from where the last one ended up to now, oldest first, in windows no longer than the platform allows, each
//! with an end that does not move while its pages are read. A platform's index is late: a change may show up as much as
//! [`Plan::lag_ms`] after its own time. What is older than that is *settled*: read once, proven. The *fresh* rest, up to now,
//! is read in each pass: its rows count at once, its silence proves nothing.
//!
//! A row that changes again leaves its window and is found in a later one of the same pass. In a list that is paged by
//! number it also closes a gap, and one row at a seam between two pages is never shown. Read backwards, such a list shows one
//! twice instead. Read forwards, the smaller total gives it away and the window is read again, by halves. In the fresh part,
//! where rows also appear late, a list by number is read in windows of one page: they have no seam.

mod position;
#[cfg(test)]
mod tests;

use crate::PlatformError;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stallcast_model::{FeedPage, UnreadRow};

/// How a platform's list goes on behind a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// An opaque key of the next page, and a word whether there is one (WeChat, TikTok, Shopify; `page_ctx` of WeChat coupons).
    Key,
    /// An opaque key that says by its value that there is no more (Kuaishou: `nomore`).
    Sentinel(&'static str),
    /// Numbered pages with a total of rows (Douyin from 0, `WooCommerce` from 1).
    Pages {
        /// Number of the first page.
        first: u32,
    },
    /// Numbered pages, read from the last to the first (Taobao from 1).
    PagesBackwards {
        /// Number of the first page.
        first: u32,
    },
    /// Rows to leave out, and a total (Medusa, Vendure).
    Offset,
}

/// The rules of one list on one platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How it is paged.
    pub paging: Paging,
    /// Rows of a page, at least 1.
    pub limit: u32,
    /// Longest window that the platform allows, ms; `None` where it does not care.
    pub window_most_ms: Option<i64>,
    /// How late a change may appear in the list, ms. Research says at least 120 000.
    pub lag_ms: i64,
    /// How far back the very first pass goes, ms.
    pub back_ms: i64,
    /// How far back a periodic second reading goes, ms.
    pub again_ms: i64,
}

/// Times of the platform's own clock, ms UTC in whole seconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Changed at or after.
    pub from_ms: i64,
    /// Changed at or before.
    pub to_ms: i64,
}

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The first one.
    Start,
    /// The one behind this key.
    Key(String),
    /// The one with this number.
    Page(u32),
    /// The one behind so many rows.
    Offset(u64),
}

/// What one call of the list answered.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// Rows as they came.
    pub rows: Vec<T>,
    /// Rows that cannot be read.
    pub unread: Vec<UnreadRow>,
    /// Key of the next page, where there are keys.
    pub key: Option<String>,
    /// The platform's word whether there is more, where it has one.
    pub more: Option<bool>,
    /// Rows of the whole window, where it is told.
    pub total: Option<u64>,
    /// The platform's clock at this answer, ms UTC: from the answer, or from its `Date`.
    pub now_ms: i64,
}

/// A platform's list, one exchange a call.
#[async_trait]
pub trait Listing: Send + Sync {
    /// A row.
    type Row: Send;

    /// One page of what changed in the window, oldest change first where the platform sorts.
    ///
    /// # Errors
    /// [`PlatformError`].
    async fn list(&self, window: Window, place: &Place, limit: u32) -> Result<Listed<Self::Row>, PlatformError>;
}

/// Times that a window is read again before the list counts as one that cannot be read.
const AGAIN_MOST: u8 = 8;
/// Times are cut to this, ms: platforms ask for whole seconds.
const STEP_MS: i64 = 1_000;

/// A window under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Under {
    window: Window,
    place: Place,
    /// Rows of the window when it was begun, where that is told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    total: Option<u64>,
    /// It lies so far back that nothing can appear in it any more.
    settled: bool,
    /// Times that it was begun again.
    again: u8,
}

/// A pass under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pass {
    /// Settled is what lies before this, ms UTC of the platform.
    settled_ms: i64,
    /// Read so far.
    read_ms: i64,
    /// Something in the fresh part may have been skipped: this pass proves nothing new.
    #[serde(default)]
    unsure: bool,
    under: Under,
}

/// What stands in a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// Everything up to here was read and can change no more, ms UTC of the platform.
    since_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pass: Option<Pass>,
    /// A second reading ends here and proves nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    stop_ms: Option<i64>,
}

impl Cursor {
    fn read(text: &str) -> Result<Self, PlatformError> {
        serde_json::from_str(text).map_err(|_| PlatformError::unread("cursor"))
    }

    fn write(&self) -> Result<String, PlatformError> {
        serde_json::to_string(self).map_err(|_| PlatformError::unread("cursor"))
    }
}

const fn whole(ms: i64) -> i64 {
    ms - ms.rem_euclid(STEP_MS)
}

/// The last second in which nothing can appear any more.
const fn settled(now_ms: i64, lag_ms: i64) -> i64 {
    whole(now_ms - lag_ms) - STEP_MS
}

impl Under {
    const fn new(window: Window, settled: bool) -> Self {
        Self { window, place: Place::Start, total: None, settled, again: 0 }
    }

    /// The same from its start, up to `to_ms`.
    fn once_more(&self, to_ms: i64) -> Self {
        let window = Window { to_ms: to_ms.clamp(self.window.from_ms, self.window.to_ms), ..self.window };
        Self { again: self.again.saturating_add(1), ..Self::new(window, self.settled) }
    }

    /// Half as long; whole seconds.
    fn half(&self) -> Self {
        let Window { from_ms, to_ms } = self.window;
        self.once_more(whole(from_ms + (to_ms - from_ms) / 2))
    }
}

/// What comes behind a page.
enum Then {
    Page(Place),
    /// This window once more, or a part of it.
    Again(Under),
    Done,
}

impl Plan {
    /// The next page behind `cursor`. `now_ms` is the platform's clock as well as it is known, ms UTC; each answer corrects
    /// it. [`FeedPage::read_at_ms`] is what is proven once a pass ends, or `None` when this one proved nothing new.
    ///
    /// # Errors
    /// [`PlatformError`] of the list, and `NotUnderstood` for one that does not hold still or does not go on.
    pub async fn page<L: Listing + ?Sized>(&self, list: &L, cursor: Option<&str>, now_ms: i64) -> Result<FeedPage<L::Row>, PlatformError> {
        let mut cursor = match cursor {
            Some(text) => Cursor::read(text)?,
            None => Cursor { since_ms: whole(now_ms - self.back_ms), pass: None, stop_ms: None },
        };
        let mut pass = cursor.pass.take().unwrap_or_else(|| self.begin(&cursor, now_ms));
        let under = pass.under.clone();
        let page = |rows, unread, cursor: &Cursor, more, read_at_ms| {
            Ok(FeedPage { rows, unread, next: cursor.write()?, more, read_at_ms, feed: None })
        };
        let listed = match list.list(under.window, &under.place, self.limit).await {
            Ok(listed) => listed,
            // A key that is no longer good, because the exchange before was long ago: this window is read again.
            Err(PlatformError::Refused { .. }) if under.place != Place::Start && under.again < AGAIN_MOST => {
                pass.under = under.once_more(under.window.to_ms);
                cursor.pass = Some(pass);
                return page(Vec::new(), Vec::new(), &cursor, true, None);
            }
            Err(e) => return Err(e),
        };
        let then = self.then(&mut pass, &listed)?;
        let (rows, unread) = (listed.rows, listed.unread);
        match then {
            Then::Again(under) if under.again > AGAIN_MOST => return Err(PlatformError::unread("a list that does not hold still")),
            Then::Again(under) => pass.under = under,
            Then::Page(place) => pass.under.place = place,
            Then::Done => {
                pass.read_ms = under.window.to_ms;
                if under.settled {
                    cursor.since_ms = cursor.since_ms.max(pass.read_ms);
                }
                let over = match cursor.stop_ms {
                    Some(stop) => pass.read_ms >= stop,
                    // Not chased for ever: what comes meanwhile comes with the next pass.
                    None => !under.settled && pass.read_ms >= whole(now_ms),
                };
                if over {
                    let proven =
                        (cursor.stop_ms.is_none() && !pass.unsure && listed.now_ms < pass.read_ms + STEP_MS).then_some(cursor.since_ms);
                    return page(rows, unread, &cursor, false, proven);
                }
                pass.under = self.window(&cursor, pass.read_ms, pass.settled_ms, now_ms);
            }
        }
        cursor.pass = Some(pass);
        page(rows, unread, &cursor, true, None)
    }

    /// A cursor some way back, for reading what was read again up to where `cursor` stands.
    #[must_use]
    pub fn earlier(&self, cursor: &str) -> Option<String> {
        let cursor = Cursor::read(cursor).ok()?;
        let again = Cursor { since_ms: whole(cursor.since_ms - self.again_ms), pass: None, stop_ms: Some(cursor.since_ms) };
        again.write().ok()
    }

    fn begin(&self, cursor: &Cursor, now_ms: i64) -> Pass {
        let (read_ms, settled_ms) = (cursor.since_ms, settled(now_ms, self.lag_ms));
        Pass { settled_ms, read_ms, unsure: false, under: self.window(cursor, read_ms, settled_ms, now_ms) }
    }

    /// The window behind what was read up to `read_ms`.
    fn window(&self, cursor: &Cursor, read_ms: i64, settled_ms: i64, now_ms: i64) -> Under {
        let from_ms = read_ms + STEP_MS;
        let settled_to = cursor.stop_ms.unwrap_or(settled_ms);
        let settled = settled_to >= from_ms;
        // Up to the end of this second: a row of right now is in it.
        let to_ms = if settled { settled_to } else { whole(now_ms) + STEP_MS }.max(from_ms);
        let to_ms = self.window_most_ms.map_or(to_ms, |most| to_ms.min(from_ms + (most - STEP_MS).max(0)));
        Under::new(Window { from_ms, to_ms }, settled)
    }

    fn then<T>(&self, pass: &mut Pass, listed: &Listed<T>) -> Result<Then, PlatformError> {
        let under = &mut pass.under;
        // The platform's clock is the one that counts: what is not over there is not settled, whatever ours said.
        let settled_ms = settled(listed.now_ms, self.lag_ms);
        if under.settled && under.window.to_ms > settled_ms {
            pass.settled_ms = settled_ms;
            if settled_ms >= under.window.from_ms {
                return Ok(Then::Again(under.once_more(settled_ms)));
            }
            under.settled = false;
        }
        let by_number = matches!(self.paging, Paging::Pages { .. } | Paging::PagesBackwards { .. } | Paging::Offset);
        if by_number {
            let now = listed.total.ok_or_else(|| PlatformError::unread("no total"))?;
            let before = *under.total.get_or_insert(now);
            let is_long = now.max(before) > u64::from(self.limit);
            if !under.settled && is_long {
                let half = under.half();
                if half.window.to_ms < under.window.to_ms {
                    return Ok(Then::Again(Under { again: 0, ..half }));
                }
                // More in one second than a page holds.
                pass.unsure = true;
            } else if now < before && !matches!(self.paging, Paging::PagesBackwards { .. }) {
                return Ok(Then::Again(under.half()));
            }
        }
        let rows = u64::try_from(listed.rows.len() + listed.unread.len()).unwrap_or(u64::MAX);
        Ok(position::next(self, &under.place, rows, listed)?.map_or(Then::Done, Then::Page))
    }
}
