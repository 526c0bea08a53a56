//! Random lives of a connection against a model: nothing lost, nothing doubled, and a seal that never lies.
//!
//! A failing life is printed, shrunk, and kept in `proptest-regressions/`, where it is run first from then on.

mod support;

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError};
use stallcast_model::{AfterSaleAnswer, CouponState, Effect, IntentId, Order, OrderId, Waybill};
use stallcast_store::{IntentState, OrderQuery, Resource, Store};
use stallcast_sync::{ConnectionSync, SyncEvent};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::fake::{Call, Fake, Fault, REACH, draft};
use support::{local, open, quick, start};
use tokio::sync::broadcast::Receiver;

/// What happens next.
#[derive(Debug, Clone)]
enum Turn {
    /// A buyer places this order, or something about it changes.
    Change(u8),
    /// Something about it changes, and its version stays.
    Unstamped(u8),
    /// Several at once: more than a page.
    Rush(u8),
    /// An exchange of this kind goes wrong.
    Fault(Call, Fault),
    /// The seller ships an order, issues a coupon, pins a product, or pins none.
    Ship(u8),
    /// The buyer of an order asks for money back; the seller agrees, or refuses.
    Ask(u8),
    Answer(u8, bool),
    Coupon,
    Pin(u8),
    Unpin,
    /// So many exchanges happen.
    Pass(u8),
    /// The process dies wherever it is and is started again.
    Die,
    /// It dies in this exchange of the outbox, before or after the platform acted.
    DieIn(Call, Fault),
}

fn fault() -> impl Strategy<Value = (Call, Fault)> {
    let feed = [
        Fault::NotSent,
        Fault::Lost,
        Fault::DoneThenLost,
        Fault::Busy,
        Fault::Nonsense,
        Fault::SignedOut,
        Fault::EmptyPage,
        Fault::Repeats,
        Fault::Moves,
        Fault::Unstamped,
    ];
    let perform = [Fault::NotSent, Fault::Lost, Fault::DoneThenLost, Fault::DoneThenNonsense, Fault::Busy, Fault::SignedOut];
    let look = [Fault::NotSent, Fault::Lost, Fault::Busy, Fault::Nonsense, Fault::SignedOut];
    let of = |call: Call, faults: &[Fault]| prop::sample::select(faults.to_vec()).prop_map(move |fault| (call, fault));
    let products = [Fault::NotSent, Fault::Lost, Fault::Busy, Fault::Nonsense, Fault::EmptyPage, Fault::Repeats];
    prop_oneof![4 => of(Call::Feed, &feed), 1 => of(Call::Products, &products), 2 => of(Call::Perform, &perform), 1 => of(Call::Look, &look)]
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        6 => (0..12_u8).prop_map(Turn::Change),
        2 => (0..12_u8).prop_map(Turn::Unstamped),
        1 => (2..9_u8).prop_map(Turn::Rush),
        6 => fault().prop_map(|(call, fault)| Turn::Fault(call, fault)),
        3 => (0..12_u8).prop_map(Turn::Ship),
        2 => (0..12_u8).prop_map(Turn::Ask),
        2 => (0..12_u8, any::<bool>()).prop_map(|(n, agrees)| Turn::Answer(n, agrees)),
        2 => Just(Turn::Coupon),
        2 => (1..=5_u8).prop_map(Turn::Pin),
        1 => Just(Turn::Unpin),
        4 => (1..6_u8).prop_map(Turn::Pass),
        1 => Just(Turn::Die),
        1 => (prop::sample::select(vec![Call::Perform, Call::Look]), prop::sample::select(vec![Fault::HangsBefore, Fault::HangsAfter]))
            .prop_map(|(call, fault)| Turn::DieIn(call, fault)),
    ]
}

/// One studio on one data folder, through its deaths.
struct Life<'a> {
    dir: &'a Path,
    fake: Fake,
    store: Store,
    sync: ConnectionSync,
    events: Receiver<SyncEvent>,
    wished: Vec<IntentId>,
    told_new: HashMap<OrderId, u32>,
}

fn now_ms() -> i64 {
    stallcast_clock::Clock::utc_ms(&stallcast_clock::SystemClock)
}

impl<'a> Life<'a> {
    async fn begin(dir: &'a Path, fake: Fake) -> Self {
        let store = open(dir).await;
        fake.watch(&store);
        let (sync, events) = start(&store, Arc::new(fake.clone()), quick());
        // The bag is needed for pins.
        sync.first_read().await;
        Self { dir, fake, store, sync, events, wished: Vec::new(), told_new: HashMap::new() }
    }

    /// No goodbye: the workers are dropped as they are, and the database is opened as after a crash.
    async fn die(&mut self) {
        self.hear();
        let (sync, events) = {
            // Closing waits for writes under way: each of them happened or did not.
            self.store.close().await;
            self.store = open(self.dir).await;
            self.fake.watch(&self.store);
            start(&self.store, Arc::new(self.fake.clone()), quick())
        };
        (self.sync, self.events) = (sync, events);
    }

    /// Counts what was told as new.
    fn hear(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            if let SyncEvent::Orders(changes) = event {
                for change in changes.into_iter().filter(|c| c.is_new) {
                    *self.told_new.entry(change.id).or_default() += 1;
                }
            }
        }
    }

    async fn pass(&mut self, exchanges: u64) {
        let mut count = self.fake.exchanges();
        let from = *count.borrow();
        // A pause after faults may be longer than this guard: then the next turn simply comes first.
        let _ = tokio::time::timeout(Duration::from_millis(60), count.wait_for(|n| *n >= from + exchanges)).await;
        self.hear();
    }

    async fn wish(&mut self, turn: &Turn) -> Result<(), TestCaseError> {
        let broken = |e: stallcast_store::StoreError| TestCaseError::fail(format!("the store: {e}"));
        let wish = match turn {
            Turn::Ship(n) => {
                let parcel = Waybill { carrier: "SF".to_owned(), tracking: format!("T{n}") };
                match self.store.request_ship(&local(), &OrderId::new(format!("o-{n}")), &parcel, &[], now_ms()).await {
                    // Not read yet, or not to be shipped: the seller sees no button.
                    Err(stallcast_store::StoreError::WrongState { .. }) => None,
                    other => other.map_err(broken)?,
                }
            }
            Turn::Answer(n, agrees) => {
                let order = OrderId::new(format!("o-{n}"));
                let row = self.store.order(&local(), &order).await.map_err(broken)?;
                let Some(asked) = row.and_then(|row| row.order.asked().map(|a| a.id.clone())) else { return Ok(()) };
                let answer = if *agrees { AfterSaleAnswer::Agree } else { AfterSaleAnswer::Refuse { reason: "已经签收".to_owned() } };
                match self.store.answer_after_sale(&local(), &order, &asked, &answer, now_ms()).await {
                    Err(stallcast_store::StoreError::WrongState { .. }) => None,
                    other => other.map_err(broken)?,
                }
            }
            Turn::Coupon => {
                let coupon = self.store.issue_coupon(&local(), &draft(3), now_ms()).await.map_err(broken)?;
                let rows = self.store.coupons().await.map_err(broken)?;
                rows.into_iter().find(|c| c.coupon.id == coupon).and_then(|c| c.intent).map(|i| i.id)
            }
            Turn::Pin(n) => self.store.pin(u32::from(*n), now_ms(), None).await.map_err(broken)?.and_then(|p| p.intent),
            Turn::Unpin => match self.store.unpin(now_ms(), None).await {
                Err(stallcast_store::StoreError::WrongState { .. }) => None,
                other => other.map_err(broken)?.and_then(|p| p.intent),
            },
            _ => None,
        };
        self.wished.extend(wish);
        self.sync.wake_outbox();
        Ok(())
    }

    async fn take(&mut self, turn: &Turn) -> Result<(), TestCaseError> {
        match turn {
            Turn::Change(n) => self.fake.world().change(&format!("o-{n}")),
            Turn::Ask(n) => drop(self.fake.world().ask(&format!("o-{n}"))),
            Turn::Unstamped(n) => self.fake.world().change_unstamped(&format!("o-{n}")),
            Turn::Rush(many) => {
                let mut world = self.fake.world();
                for n in 0..*many {
                    world.change(&format!("rush-{n}"));
                }
            }
            Turn::Fault(call, fault) => self.fake.add(*call, *fault),
            Turn::Pass(n) => self.pass(u64::from(*n)).await,
            Turn::Die => self.die().await,
            Turn::DieIn(call, fault) => {
                let mut hung = self.fake.hung();
                self.fake.add(*call, *fault);
                self.wish(&Turn::Coupon).await?;
                let _ = tokio::time::timeout(Duration::from_millis(300), hung.changed()).await;
                self.die().await;
            }
            wish => self.wish(wish).await?,
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), TestCaseError> {
        self.fake.behave();
        self.sync.wake_outbox();
        let end = self.fake.world().now;
        let settled = async {
            loop {
                let due = self.store.next_due_ms(&local()).await.expect("due");
                let seal = self.store.seal(&local(), Resource::Orders).await.expect("seal");
                let proven = seal.and_then(|s| s.complete_up_to_ms).is_some_and(|up_to| up_to >= end);
                let mut count = self.fake.exchanges();
                if due.is_none() && proven && self.differing().await.is_empty() {
                    return;
                }
                let _ = count.changed().await;
            }
        };
        let settled = tokio::time::timeout(Duration::from_secs(30), settled).await;
        self.hear();
        let differing = self.differing().await;
        settled.map_err(|_| TestCaseError::fail(format!("the studio never comes to rest; not as the platform has them: {differing:?}")))
    }

    /// Orders within reach whose stored body is not the platform's.
    async fn differing(&self) -> Vec<String> {
        let within: Vec<_> = {
            let world = self.fake.world();
            let newest = world.orders.values().map(|o| o.order.version).max().unwrap_or(0);
            world.orders.values().filter(|o| o.order.version > newest - REACH).map(|o| o.order.clone()).collect()
        };
        let mut differing = Vec::new();
        for order in within {
            let row = self.store.order(&local(), &order.id).await.expect("read");
            let face = |o: &Order| (o.version, o.payment, o.shipments.clone(), o.after_sales.iter().map(|a| a.state).collect::<Vec<_>>());
            if row.is_none_or(|row| face(&row.order) != face(&order)) {
                differing.push(order.id.to_string());
            }
        }
        differing
    }

    /// What must hold whatever happened.
    async fn check(&self) -> Result<(), TestCaseError> {
        let violations = self.fake.world().violations.clone();
        prop_assert!(violations.is_empty(), "the seal lied: {:?}", violations);
        let expected: HashMap<_, _> = self.fake.world().orders.iter().map(|(id, o)| (id.clone(), o.order.version)).collect();
        let rows = self.store.orders(OrderQuery { limit: 10_000, ..OrderQuery::default() }).await.expect("orders");
        let stored: HashMap<_, _> = rows.iter().map(|r| (r.order.id.to_string(), r.order.version)).collect();
        prop_assert_eq!(rows.len(), stored.len(), "an order is there twice");
        prop_assert_eq!(stored, expected, "an order is lost, or not at its last version");
        prop_assert_eq!(self.store.order_counts().await.expect("counts").total as usize, rows.len(), "counted wrongly");
        for (id, times) in &self.told_new {
            prop_assert_eq!(*times, 1, "{} was told as new {} times", id, times);
        }
        let applied = self.fake.world().applied.clone();
        let (mut shipped, mut issued, mut answered) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (key, effect) in &applied {
            match effect {
                Effect::Ship { order, .. } => prop_assert!(shipped.insert(order.clone()), "{} was shipped twice, last by {}", order, key),
                Effect::AnswerAfterSale { after_sale, .. } => {
                    prop_assert!(answered.insert(after_sale.clone()), "{} was answered twice, last by {}", after_sale, key);
                }
                Effect::IssueCoupon { coupon, .. } => prop_assert!(issued.insert(coupon.clone()), "{} was issued twice", coupon),
                _ => {}
            }
        }
        for id in &self.wished {
            let intent = self.store.intent(id).await.expect("read").expect("a wish that was written down is never lost");
            let times = applied.iter().filter(|(key, _)| *key == intent.key).count();
            match &intent.state {
                IntentState::Confirmed { .. } => {
                    // A pin may hold already because an earlier one of the same product did it.
                    let most_once = if intent.effect.replaces() { times <= 1 } else { times == 1 };
                    prop_assert!(most_once, "{} is confirmed and happened {} times", intent.key, times);
                }
                IntentState::Failed { .. } | IntentState::Superseded => {
                    prop_assert!(times <= 1 || intent.effect.replaces(), "{} happened {} times", intent.key, times);
                }
                other => prop_assert!(false, "{} is {:?}", intent.key, other),
            }
        }
        for coupon in self.store.coupons().await.expect("coupons") {
            let there = self.fake.world().coupons.contains_key(coupon.coupon.id.as_str());
            prop_assert!(coupon.coupon.state != CouponState::Active || there, "a coupon is shown that is not there");
        }
        Ok(())
    }
}

async fn live(turns: &[Turn], keys: bool) -> Result<(), TestCaseError> {
    // Nothing here cuts the power: a file system in memory is enough, and thirty lives cost seconds.
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("dir");
    let fake = Fake::new();
    if keys {
        fake.knows_keys();
    }
    let mut life = Life::begin(dir.path(), fake).await;
    for turn in turns {
        life.take(turn).await?;
    }
    life.settle().await?;
    life.check().await?;
    life.sync.stop().await;
    life.store.close().await;
    Ok(())
}

proptest! {
    #![proptest_config(Config {
        // A short form; PROPTEST_CASES runs the long one.
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24),
        max_shrink_iters: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/properties.txt"))),
        ..Config::default()
    })]

    #[test]
    fn nothing_is_lost_or_doubled_in_any_life(turns in prop::collection::vec(turn(), 4..40), keys in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(live(&turns, keys))?;
    }
}
