//! Every way of paging against a list that changes while it is read and whose index is late.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

const LAG: i64 = 20_000;
const LIMIT: u32 = 4;
const DAY: i64 = 86_400_000;

/// A row: which order, at which version.
type Row = (u8, u64);

#[derive(Debug, Default)]
struct Shop {
    now: i64,
    versions: u64,
    /// What really happened: when, to which order, which version.
    changes: Vec<(i64, u8, u64)>,
    /// What the list shows of an order: its time and version.
    index: BTreeMap<u8, (i64, u64)>,
    /// Changes that the list does not show yet: from when on it does.
    late: Vec<(i64, u8, i64, u64)>,
    /// What happens during each exchange.
    script: Vec<Vec<Event>>,
    keys: Vec<(Window, i64, u8)>,
    longest: i64,
    refuse_keys: bool,
    calls: u32,
}

/// What happens at the shop.
#[derive(Debug, Clone)]
enum Event {
    /// An order is new or changes; the list shows it so much later, ms.
    Change(u8, i64),
    /// Time goes on, ms.
    Pass(i64),
}

impl Shop {
    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Change(id, late_by) => {
                // No two at one instant.
                self.now += 1;
                self.versions += 1;
                self.changes.push((self.now, id, self.versions));
                self.late.push((self.now + late_by, id, self.now, self.versions));
            }
            Event::Pass(ms) => self.now += ms,
        }
        let now = self.now;
        let (due, late) = std::mem::take(&mut self.late).into_iter().partition::<Vec<_>, _>(|(at, ..)| *at <= now);
        self.late = late;
        for (_, id, at, version) in due {
            let shown = self.index.entry(id).or_insert((at, version));
            // Of two late ones the newer counts, however they come.
            if shown.1 < version {
                *shown = (at, version);
            }
        }
    }

    /// Rows of a window in the order of their times.
    fn rows(&self, window: Window) -> Vec<(i64, Row)> {
        let shown = |(id, (at, version)): (&u8, &(i64, u64))| (*at, (*id, *version));
        let mut rows: Vec<_> =
            self.index.iter().map(shown).filter(|(at, _)| (window.from_ms..=window.to_ms).contains(&whole(*at))).collect();
        rows.sort_unstable();
        rows
    }
}

/// The shop behind one way of paging.
struct List {
    paging: Paging,
    shop: Mutex<Shop>,
}

impl List {
    fn shop(&self) -> MutexGuard<'_, Shop> {
        self.shop.lock().expect("shop")
    }
}

#[async_trait]
impl Listing for List {
    type Row = Row;

    async fn list(&self, window: Window, place: &Place, limit: u32) -> Result<Listed<Row>, PlatformError> {
        let mut shop = self.shop();
        shop.calls += 1;
        shop.longest = shop.longest.max(window.to_ms - window.from_ms + 1_000);
        for event in shop.script.pop().unwrap_or_default() {
            shop.happen(&event);
        }
        let all = shop.rows(window);
        let (limit, total) = (limit as usize, all.len());
        let mut listed = Listed { rows: Vec::new(), unread: Vec::new(), key: None, more: None, total: None, now_ms: shop.now };
        let skip = match (self.paging, place) {
            (Paging::Pages { first }, Place::Start) | (Paging::PagesBackwards { first }, Place::Start) => {
                let _ = first;
                0
            }
            (Paging::Pages { first } | Paging::PagesBackwards { first }, Place::Page(n)) => (*n - first) as usize * limit,
            (Paging::Offset, Place::Offset(n)) => *n as usize,
            // A key remembers the row it stands behind: whoever leaves, nobody is skipped.
            (Paging::Key | Paging::Sentinel(_), Place::Key(key)) => {
                let n: usize = key.parse().expect("our key");
                if std::mem::take(&mut shop.refuse_keys) {
                    return Err(PlatformError::refused("bad_key"));
                }
                let (of, at, id) = shop.keys[n];
                assert_eq!(of, window, "a key belongs to its window");
                all.iter().filter(|(t, (i, _))| (*t, *i) <= (at, id)).count()
            }
            (_, Place::Start) => 0,
            other => panic!("{other:?} makes no sense"),
        };
        let page: Vec<_> = all.iter().skip(skip).take(limit).copied().collect();
        match self.paging {
            Paging::Key | Paging::Sentinel(_) => {
                let more = skip + page.len() < total;
                if let (true, Some((at, (id, _)))) = (more, page.last()) {
                    shop.keys.push((window, *at, *id));
                    listed.key = Some((shop.keys.len() - 1).to_string());
                }
                match self.paging {
                    Paging::Sentinel(end) if !more => listed.key = Some(end.to_owned()),
                    Paging::Key => listed.more = Some(more),
                    _ => {}
                }
            }
            _ => listed.total = Some(total as u64),
        }
        listed.rows = page.into_iter().map(|(_, row)| row).collect();
        Ok(listed)
    }
}

const KINDS: [Paging; 6] = [
    Paging::Key,
    Paging::Sentinel("nomore"),
    Paging::Pages { first: 0 },
    Paging::Pages { first: 1 },
    Paging::PagesBackwards { first: 1 },
    Paging::Offset,
];

fn plan(paging: Paging) -> Plan {
    Plan { paging, limit: LIMIT, window_most_ms: Some(7 * DAY), lag_ms: LAG, back_ms: 30 * DAY, again_ms: DAY }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (0..24_u8, prop_oneof![2 => Just(0), 1 => 0..LAG - 1_000]).prop_map(|(id, late)| Event::Change(id, late)),
        2 => prop_oneof![3 => 1..3_000_i64, 1 => 3_000..40_000_i64].prop_map(Event::Pass),
    ]
}

/// Reads until passes end, and compares what each end claims with what happened.
fn follow(list: &List, plan: Plan, before: &[Event], skew: i64, passes: u32) -> Result<BTreeMap<u8, u64>, TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    {
        let mut shop = list.shop();
        shop.now = 100 * DAY;
        for event in before {
            shop.happen(event);
        }
    }
    let mut seen: BTreeMap<u8, u64> = BTreeMap::new();
    let (mut cursor, mut done, mut pages, mut claimed) = (None, 0, 0, 0);
    // How far the platform is ahead, as each answer teaches it.
    let mut ahead = skew;
    while done < passes {
        let ours = list.shop().now + ahead;
        let page = match runtime.block_on(plan.page(list, cursor.as_deref(), ours)) {
            Ok(page) => page,
            Err(e) => {
                // In a script that never lets a second rest; it is tried again later, from the same place.
                prop_assert!(matches!(&e, PlatformError::NotUnderstood { what } if what.contains("hold still")), "{}", e);
                list.shop().script.clear();
                continue;
            }
        };
        ahead = 0;
        for (id, version) in page.rows {
            let there = seen.entry(id).or_default();
            *there = version.max(*there);
        }
        pages += 1;
        prop_assert!(pages < 4_000, "it never ends");
        prop_assert!(cursor.as_ref() != Some(&page.next) || !page.more, "a page that leads to itself");
        if let Some(up_to) = page.read_at_ms {
            prop_assert!(up_to >= claimed, "what was proven is not taken back");
            claimed = up_to;
            for (at, id, version) in list.shop().changes.iter().filter(|(at, ..)| *at <= up_to) {
                let there = seen.get(id).copied().unwrap_or(0);
                prop_assert!(
                    there >= *version,
                    "{:?}: complete up to {}, but {} of {} is known at {} instead of {}",
                    plan.paging,
                    up_to,
                    id,
                    at,
                    there,
                    version
                );
            }
        }
        if !page.more {
            // The rest begins when nothing happens any more.
            done += u32::from(list.shop().script.is_empty());
            list.shop().happen(&Event::Pass(5_000));
        }
        cursor = Some(page.next);
    }
    Ok(seen)
}

proptest! {
    #![proptest_config(Config {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/listing.txt"))),
        ..Config::default()
    })]

    #[test]
    fn every_way_of_paging_finds_every_order_and_claims_no_more_than_it_read(
        kind in 0..KINDS.len(),
        before in prop::collection::vec(event(), 0..60),
        script in prop::collection::vec(prop::collection::vec(event(), 0..4), 0..60),
        skew in prop_oneof![3 => Just(0), 1 => -30_000..300_000_i64],
        refuse_keys in any::<bool>(),
    ) {
        let shop = Shop { script, refuse_keys, ..Shop::default() };
        let list = List { paging: KINDS[kind], shop: Mutex::new(shop) };
        let passes = 8;
        let seen = follow(&list, plan(KINDS[kind]), &before, skew, passes)?;
        // At rest for longer than the list is late: everything is there.
        let last: BTreeMap<u8, u64> = list.shop().changes.iter().map(|(_, id, version)| (*id, *version)).collect();
        prop_assert_eq!(seen, last);
        prop_assert!(list.shop().longest <= 7 * DAY, "a window was longer than allowed");
    }
}

#[test]
fn a_first_pass_walks_back_in_windows_that_the_platform_allows() {
    let list = List { paging: Paging::Key, shop: Mutex::default() };
    list.shop().now = 100 * DAY;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let (mut cursor, mut more) = (None, true);
    while more {
        let page = runtime.block_on(plan(Paging::Key).page(&list, cursor.as_deref(), 100 * DAY)).expect("page");
        (cursor, more) = (Some(page.next), page.more);
    }
    let shop = list.shop();
    assert_eq!((shop.calls, shop.longest), (6, 7 * DAY), "30 days in windows of 7, and the fresh part");
}

#[test]
fn a_second_reading_goes_back_and_ends_where_the_first_one_stands() {
    let list = List { paging: Paging::Offset, shop: Mutex::default() };
    let plan = plan(Paging::Offset);
    let events: Vec<_> = (0..10).map(|id| Event::Change(id, 0)).chain([Event::Pass(60_000)]).collect();
    follow(&list, plan, &events, 0, 3).expect("followed");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let now = list.shop().now;
    let end = runtime.block_on(plan.page(&list, None, now)).expect("page").next;
    let mut again = plan.earlier(&end).expect("earlier");
    let (mut seen, mut pages) = (BTreeMap::new(), 0);
    loop {
        let page = runtime.block_on(plan.page(&list, Some(&again), now)).expect("page");
        assert_eq!(page.read_at_ms, None, "it proves nothing");
        seen.extend(page.rows);
        pages += 1;
        if !page.more {
            break;
        }
        again = page.next;
    }
    assert!(pages <= 40, "{pages}");
    let _ = seen;
    assert!(plan.earlier("nonsense").is_none());
}

#[test]
fn answers_that_contradict_themselves_are_not_followed() {
    let listed = |key: Option<&str>, more, total| Listed::<Row> {
        rows: Vec::new(),
        unread: Vec::new(),
        key: key.map(str::to_owned),
        more,
        total,
        now_ms: 0,
    };
    let next = |paging, at: Place, listed: Listed<Row>| position::next(&plan(paging), &at, 0, &listed);
    assert!(next(Paging::Key, Place::Start, listed(None, Some(true), None)).is_err(), "more, but no key");
    assert!(next(Paging::Key, Place::Start, listed(Some("a"), None, None)).is_err(), "no word whether there is more");
    assert!(next(Paging::Key, Place::Key("a".to_owned()), listed(Some("a"), Some(true), None)).is_err(), "a circle");
    assert!(next(Paging::Sentinel("nomore"), Place::Start, listed(None, None, None)).is_err());
    assert!(next(Paging::Offset, Place::Offset(4), listed(None, None, Some(9))).is_err(), "an empty page before the end");
    assert_eq!(next(Paging::Sentinel("nomore"), Place::Start, listed(Some("nomore"), None, None)), Ok(None));
}
