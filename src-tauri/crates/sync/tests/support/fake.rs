//! A platform in memory that does everything a bad one does: repeats, omits, hangs, fails after it has acted.

use super::door::Door;
use async_trait::async_trait;
use futures_util::StreamExt;
use stallcast_model::{
    AfterSale, AfterSaleAnswer, AfterSaleId, AfterSaleKind, AfterSaleState, AfterState, Capabilities, Capability, ChangeId, Comment,
    CommentId, CommentKind, ConnectionId, Contact, CouponDraft, CouponId, Currency, Effect, FeedPage, Fulfilment, LinePieces, Money, Order,
    OrderId, OrderLine, Payment, Product, ProductId, ReadCoupon, ReadLive, ReadOffer, ReadPin, ReceivedOrder, ReceivedProduct, Shipment,
    ShopProfile, Sku, SkuId,
};
use stallcast_platform::{HintStream, Picture, Platform, PlatformError, Sent};
use stallcast_store::{Resource, Store};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Rows of a page.
const PAGE: usize = 3;
/// How many versions back it is read again.
pub const REACH: i64 = 20;

/// What goes wrong in one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Could not be sent.
    NotSent,
    /// Sent, not done, no answer.
    Lost,
    /// Done, no answer.
    DoneThenLost,
    /// No answer, and done a while later. Only for platforms that know keys.
    DoneLate,
    /// Says that it did it, and did not.
    Pretends,
    /// Asked to wait.
    Busy,
    /// Answered nonsense.
    Nonsense,
    /// Did it and answered nonsense.
    DoneThenNonsense,
    /// The sign-in is over, also in the middle of a list.
    SignedOut,
    /// Feeds: a page without rows that says there is more.
    EmptyPage,
    /// Feeds: rows come twice, and old versions after new ones.
    Repeats,
    /// Feeds: an order changes while pages are read.
    Moves,
    /// Feeds: an order changes while pages are read and keeps its version: its clock is too coarse, or was not touched.
    Unstamped,
    /// Hangs before it does anything, for ever.
    HangsBefore,
    /// Does it and hangs, for ever.
    HangsAfter,
}

/// Which exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Orders.
    Feed,
    Products,
    Comments,
    Perform,
    Look,
}

#[derive(Debug)]
pub struct World {
    /// Numbers of versions, and the platform's clock in one.
    pub now: i64,
    pub feed: String,
    pub orders: BTreeMap<String, ReceivedOrder>,
    /// Earlier versions, for late repeats.
    old: Vec<ReceivedOrder>,
    /// Every change: when, which, to which version.
    pub changes: Vec<(i64, String, i64)>,
    pub products: Vec<ReceivedProduct>,
    pub comments: BTreeMap<String, Comment>,
    /// Earlier versions of them.
    old_comments: Vec<Comment>,
    /// It gives comments.
    pub has_comments: bool,
    pub pin: Option<ProductId>,
    pub live: ReadLive,
    pub coupons: HashMap<String, ReadCoupon>,
    pub offers: HashMap<String, ReadOffer>,
    /// Effects that were applied, in their order.
    pub applied: Vec<(String, Effect)>,
    /// Keys that were seen, if this platform knows keys.
    keys: Option<HashSet<String>>,
    /// Scripted faults come first, then random ones.
    script: Vec<(Call, Fault)>,
    random: Option<(u64, Vec<(Call, Fault)>)>,
    pub refuse: Option<&'static str>,
    pub signed_out: bool,
    pub calls: HashMap<Call, u32>,
    pub violations: Vec<String>,
    /// This row of the feed cannot be read.
    pub unreadable: Option<String>,
    /// How long a busy platform wants to be left alone.
    pub busy_for: Duration,
    /// When effects were asked for.
    pub performed_at: Vec<Instant>,
}

/// Handles to one platform.
#[derive(Debug, Clone)]
pub struct Fake {
    world: Arc<Mutex<World>>,
    /// Checked on each feed call: at that instant the worker stores nothing.
    store: Arc<Mutex<Option<(Store, ConnectionId)>>>,
    away: Arc<AtomicBool>,
    hung: Arc<watch::Sender<u32>>,
    exchanges: Arc<watch::Sender<u64>>,
    /// What each exchange passes first.
    door: Arc<Mutex<Option<Arc<Door>>>>,
}

fn yuan(n: i64) -> Money {
    Money::new(n, Currency::Cny)
}

pub fn draft(quantity: u32) -> CouponDraft {
    CouponDraft { discount: yuan(3_000), threshold: yuan(19_900), quantity, valid_s: 180 }
}

impl World {
    fn tick(&mut self) -> i64 {
        self.now += 1;
        self.now
    }

    /// A new order, or the next version of this one.
    pub fn change(&mut self, id: &str) {
        let version = self.tick();
        let order = match self.orders.get(id) {
            Some(there) => {
                let mut next = there.clone();
                self.old.push(there.clone());
                next.order.payment = if next.order.payment == Payment::Paid { Payment::PartlyRefunded } else { Payment::Paid };
                next.order.version = version;
                next
            }
            None => ReceivedOrder {
                order: Order {
                    id: OrderId::new(id),
                    number: id.to_owned(),
                    buyer: "林小姐".to_owned(),
                    lines: vec![OrderLine {
                        product: ProductId::new("p-1"),
                        sku: SkuId::new("s-1"),
                        title: "盖碗".to_owned(),
                        quantity: 1,
                        unit_price: yuan(100),
                    }],
                    total: yuan(100),
                    discount: yuan(0),
                    payment: Payment::Paid,
                    fulfilment: Fulfilment::Unshipped,
                    after_sale: AfterState::None,
                    shipments: Vec::new(),
                    after_sales: Vec::new(),
                    placed_at_ms: version,
                    version,
                    raw_status: "paid".to_owned(),
                    raw_json: "{}".to_owned(),
                },
                contact: Contact::default(),
            },
        };
        self.orders.insert(id.to_owned(), order);
        self.changes.push((version, id.to_owned(), version));
    }

    /// The buyer of this order asks for money back. False while they cannot.
    pub fn ask(&mut self, id: &str) -> bool {
        let version = self.tick();
        let Some(there) = self.orders.get_mut(id).filter(|o| o.order.asked().is_none()) else { return false };
        self.old.push(there.clone());
        there.order.after_sales.push(AfterSale {
            id: AfterSaleId::new(format!("as-{version}")),
            line: None,
            quantity: 0,
            kind: AfterSaleKind::RefundOnly,
            state: AfterSaleState::Requested,
            raw_state: "requested".to_owned(),
            amount: there.order.total,
            reason: "杯口有裂纹".to_owned(),
            answer: String::new(),
            deadline_ms: None,
            updated_at_ms: version,
        });
        (there.order.version, there.order.after_sale) = (version, AfterState::Requested);
        self.changes.push((version, id.to_owned(), version));
        true
    }

    /// This order changes without a new version. Within [`REACH`] of the newest it is found by reading again.
    pub fn change_unstamped(&mut self, id: &str) {
        if let Some(there) = self.orders.get_mut(id) {
            let paid = there.order.payment == Payment::Paid;
            there.order.payment = if paid { Payment::PartlyRefunded } else { Payment::Paid };
        }
    }

    /// A new comment, or the next version of this one.
    pub fn comment(&mut self, id: &str, text: &str) {
        let version = self.tick();
        let told = Comment::told(CommentId::new(id), "云朵", text, version, CommentKind::Chat, version).expect("fit");
        let next = match self.comments.get(id) {
            Some(there) => {
                self.old_comments.push(there.clone());
                Comment { at_ms: there.at_ms, is_hidden: there.is_hidden, ..told }
            }
            None => told,
        };
        self.comments.insert(id.to_owned(), next);
    }

    fn next_random(&mut self) -> u64 {
        let Some((seed, _)) = &mut self.random else { return u64::MAX };
        *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The fault of the next exchange of this kind.
    fn fault(&mut self, call: Call) -> Option<Fault> {
        *self.calls.entry(call).or_default() += 1;
        if let Some(at) = self.script.iter().position(|(c, _)| *c == call) {
            return Some(self.script.remove(at).1);
        }
        let pick = self.next_random();
        let faults: Vec<Fault> = self.random.iter().flat_map(|(_, f)| f).filter(|(c, _)| *c == call).map(|(_, f)| *f).collect();
        // Half of all exchanges go wrong.
        if faults.is_empty() || pick.is_multiple_of(2) { None } else { faults.get((pick / 2) as usize % faults.len()).copied() }
    }

    fn apply(&mut self, effect: &Effect, key: &str) -> Result<(), PlatformError> {
        if self.keys.as_mut().is_some_and(|keys| !keys.insert(key.to_owned())) {
            return Ok(());
        }
        let refused = |code: &str| Err(PlatformError::refused(code));
        match effect {
            Effect::Pin { product, .. } => self.pin = Some(product.clone()),
            Effect::Unpin { .. } => self.pin = None,
            Effect::GoLive { state, started_at_ms, .. } => {
                self.live = ReadLive { state: Some(*state), started_at_ms: Some(*started_at_ms) }
            }
            Effect::IssueCoupon { coupon, draft } => {
                let read = ReadCoupon { id: coupon.clone(), draft: draft.clone(), claimed: 0, active: true, ends_at_ms: Some(9_000) };
                self.coupons.insert(coupon.to_string(), read);
            }
            Effect::WithdrawCoupon { coupon } => {
                let Some(there) = self.coupons.get_mut(coupon.as_str()) else { return refused("not_found") };
                there.active = false;
            }
            // Without keys it does what it is told, as often as it is told.
            Effect::ChangeOffer { change, product, terms } => {
                let version = self.tick();
                let Some(there) = self.products.iter_mut().find(|p| p.product.id == *product) else { return refused("not_found") };
                there.version = version;
                let sku = &mut there.product.skus[0];
                let price_before = Some(sku.price);
                if let Some(new) = &terms.price {
                    (sku.price, sku.old_price) = (new.price, new.old_price);
                }
                sku.stock = sku.stock.map(|n| n + terms.stock_by);
                let product = there.clone();
                let (id, terms) = (change.clone(), terms.clone());
                let read = ReadOffer { id, terms, price_before, applied_at_ms: version, read_at_ms: version, product };
                self.offers.insert(change.to_string(), read);
            }
            Effect::HideComment { comment } => {
                let version = self.tick();
                let Some(there) = self.comments.get_mut(comment.as_str()) else { return refused("not_found") };
                self.old_comments.push(there.clone());
                (there.version, there.is_hidden) = (version, true);
            }
            Effect::Ship { order, shipment, lines } => {
                let version = self.tick();
                let Some(there) = self.orders.get_mut(order.as_str()) else { return refused("not_found") };
                there.order.version = version;
                let left = there.order.left_to_ship().unwrap_or_default();
                let all = (0_u32..).zip(left).filter(|(_, n)| *n > 0).map(|(line, quantity)| LinePieces { line, quantity });
                there.order.shipments.push(Shipment {
                    id: version.to_string(),
                    waybill: shipment.clone(),
                    lines: if lines.is_empty() { all.collect() } else { lines.clone() },
                    shipped_at_ms: Some(version),
                    delivered_at_ms: None,
                });
                let is_all = there.order.left_to_ship().is_some_and(|left| left.iter().all(|n| *n == 0));
                there.order.fulfilment = if is_all { Fulfilment::Shipped } else { Fulfilment::PartlyShipped };
                self.changes.push((version, order.to_string(), version));
            }
            // Without keys it pays as often as it is told.
            Effect::AnswerAfterSale { order, after_sale, answer } => {
                let version = self.tick();
                let Some(there) = self.orders.get_mut(order.as_str()) else { return refused("not_found") };
                let Some(asked) = there.order.after_sales.iter_mut().find(|a| a.id == *after_sale) else { return refused("not_found") };
                match answer {
                    AfterSaleAnswer::Agree => asked.state = AfterSaleState::Refunded,
                    AfterSaleAnswer::Refuse { reason } => (asked.state, asked.answer) = (AfterSaleState::Rejected, reason.clone()),
                }
                (there.order.version, there.order.after_sale) = (version, AfterState::Closed);
                self.changes.push((version, order.to_string(), version));
            }
        }
        self.applied.push((key.to_owned(), effect.clone()));
        Ok(())
    }
}

impl Fake {
    pub fn new() -> Self {
        let product = |n: u32| ReceivedProduct {
            product: Product {
                id: ProductId::new(format!("p-{n}")),
                title: format!("盖碗 {n}"),
                picture: None,
                skus: vec![Sku {
                    id: SkuId::new(format!("s-{n}")),
                    title: String::new(),
                    price: yuan(100),
                    old_price: None,
                    stock: Some(9),
                }],
                confirmed_at_ms: 0,
            },
            number: Some(n),
            version: i64::from(n),
        };
        let world = World {
            now: 1_000,
            feed: "feed 1".to_owned(),
            orders: BTreeMap::new(),
            old: Vec::new(),
            changes: Vec::new(),
            products: (1..=5).map(product).collect(),
            comments: BTreeMap::new(),
            old_comments: Vec::new(),
            has_comments: true,
            pin: None,
            live: ReadLive { state: None, started_at_ms: None },
            coupons: HashMap::new(),
            offers: HashMap::new(),
            applied: Vec::new(),
            keys: None,
            script: Vec::new(),
            random: None,
            refuse: None,
            signed_out: false,
            calls: HashMap::new(),
            violations: Vec::new(),
            unreadable: None,
            busy_for: Duration::from_millis(5),
            performed_at: Vec::new(),
        };
        Self {
            world: Arc::new(Mutex::new(world)),
            store: Arc::default(),
            away: Arc::default(),
            hung: Arc::default(),
            exchanges: Arc::default(),
            door: Arc::default(),
        }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("world")
    }

    /// Compares with this store on each feed call.
    pub fn watch(&self, store: &Store) {
        self.watch_as(store, &super::local());
    }

    /// The same for another connection than the usual one.
    pub fn watch_as(&self, store: &Store, connection: &ConnectionId) {
        *self.store.lock().expect("store") = Some((store.clone(), connection.clone()));
    }

    /// Every exchange passes this door from now on.
    pub fn behind(&self, door: &Arc<Door>) {
        *self.door.lock().expect("door") = Some(Arc::clone(door));
    }

    pub fn knows_keys(&self) {
        self.world().keys = Some(HashSet::new());
    }

    /// These faults happen next, one each.
    pub fn script(&self, faults: &[(Call, Fault)]) {
        self.world().script = faults.to_vec();
    }

    /// One more fault, after those that are still to come.
    pub fn add(&self, call: Call, fault: Fault) {
        self.world().script.push((call, fault));
    }

    /// Counts all exchanges as they begin.
    pub fn exchanges(&self) -> watch::Receiver<u64> {
        self.exchanges.subscribe()
    }

    /// Half of all exchanges go wrong in one of these ways.
    pub fn random(&self, seed: u64, faults: &[(Call, Fault)]) {
        self.world().random = Some((seed, faults.to_vec()));
    }

    pub fn behave(&self) {
        let mut world = self.world();
        (world.script, world.random) = (Vec::new(), None);
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub fn calls(&self, call: Call) -> u32 {
        self.world().calls.get(&call).copied().unwrap_or(0)
    }

    /// How often effects of this key were applied.
    pub fn applied(&self, key: &str) -> usize {
        self.world().applied.iter().filter(|(k, _)| k == key).count()
    }

    /// The seal may claim nothing that is not stored.
    async fn check(&self) {
        let store = self.store.lock().expect("store").clone();
        let Some((store, connection)) = store else { return };
        let Ok(Some(seal)) = store.seal(&connection, Resource::Orders).await else { return };
        let Some(up_to) = seal.complete_up_to_ms else { return };
        let due: Vec<_> = self.world().changes.iter().filter(|(at, ..)| *at <= up_to).cloned().collect();
        for (at, id, version) in due {
            // Closed meanwhile: this life is over, and the next one is looked at.
            let Ok(row) = store.order(&connection, &OrderId::new(&id)).await else { return };
            let stored = row.map(|row| row.order.version);
            if stored.is_none_or(|v| v < version) {
                let what = format!("complete up to {up_to}, but {id} of {at} is stored at {stored:?} instead of {version}");
                self.world().violations.push(what);
            }
        }
    }

    /// Exchanges that hang for ever.
    pub fn hung(&self) -> watch::Receiver<u32> {
        self.hung.subscribe()
    }

    async fn hang<T>(&self) -> T {
        self.hung.send_modify(|n| *n += 1);
        std::future::pending().await
    }

    async fn meet(&self, call: Call) -> Result<Option<Fault>, PlatformError> {
        let door = self.door.lock().expect("door").clone();
        if let Some(door) = door {
            door.pass().await?;
        }
        self.exchanges.send_modify(|n| *n += 1);
        let lost = |sent| PlatformError::Unreachable { sent, detail: "fake".to_owned() };
        if self.away.load(Ordering::SeqCst) {
            *self.world().calls.entry(call).or_default() += 1;
            return Err(lost(Sent::No));
        }
        if self.world().signed_out {
            return Err(PlatformError::Unauthenticated);
        }
        let fault = self.world().fault(call);
        match fault {
            Some(Fault::NotSent) => Err(lost(Sent::No)),
            Some(Fault::Lost) => Err(lost(Sent::Maybe)),
            Some(Fault::Busy) => Err(PlatformError::RateLimited { retry_after: self.world().busy_for }),
            Some(Fault::Nonsense) => Err(PlatformError::NotUnderstood { what: "fake".to_owned() }),
            Some(Fault::SignedOut) => Err(PlatformError::Unauthenticated),
            Some(Fault::HangsBefore) => self.hang().await,
            other => Ok(other),
        }
    }

    async fn looked<T>(&self, read: impl FnOnce(&World) -> T) -> Result<T, PlatformError> {
        match self.meet(Call::Look).await? {
            Some(Fault::HangsAfter) => self.hang().await,
            _ => Ok(read(&self.world())),
        }
    }
}

fn page<T: Clone>(world: &World, cursor: Option<&str>, mut rows: Vec<(i64, T)>, fault: Option<Fault>, repeats: Vec<T>) -> FeedPage<T> {
    let after: i64 = cursor.map_or(0, |c| c.parse().expect("our own cursor"));
    rows.retain(|(version, _)| *version > after);
    rows.sort_by_key(|(version, _)| *version);
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().map_or(after, |(version, _)| *version);
    let whole = FeedPage {
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        unread: Vec::new(),
        next: next.to_string(),
        more,
        read_at_ms: Some(world.now),
        feed: Some(world.feed.clone()),
    };
    match fault {
        Some(Fault::EmptyPage) => FeedPage { rows: Vec::new(), next: after.to_string(), more: true, ..whole },
        Some(Fault::Repeats) => {
            let twice = whole.rows.iter().chain(&whole.rows).cloned().chain(repeats).collect();
            FeedPage { rows: twice, ..whole }
        }
        _ => whole,
    }
}

#[async_trait]
impl Platform for Fake {
    fn capabilities(&self) -> Capabilities {
        let mut all = Capabilities::native();
        if !self.world().has_comments {
            all.comments = Capability::Unavailable { reason: "no_comments".to_owned() };
        }
        all
    }

    fn ahead_ms(&self) -> Option<i64> {
        None
    }

    async fn profile(&self) -> Result<ShopProfile, PlatformError> {
        Ok(ShopProfile { name: "店".to_owned(), currency: Currency::Cny })
    }

    async fn orders(&self, cursor: Option<&str>) -> Result<FeedPage<ReceivedOrder>, PlatformError> {
        self.check().await;
        let fault = self.meet(Call::Feed).await?;
        if fault == Some(Fault::DoneThenLost) {
            return Err(PlatformError::Unreachable { sent: Sent::Maybe, detail: "cut".to_owned() });
        }
        let mut world = self.world();
        let rows = world.orders.values().map(|o| (o.order.version, o.clone())).collect();
        let mut read = page(&world, cursor, rows, fault, world.old.clone());
        if let Some(bad) = world.unreadable.clone()
            && let Some(at) = read.rows.iter().position(|r| r.order.id.as_str() == bad)
        {
            let row = read.rows.remove(at);
            let (id, version) = (bad, row.order.version);
            read.unread.push(stallcast_model::UnreadRow { id, version, reason: "fake".to_owned(), raw_json: "{".to_owned() });
        }
        if fault == Some(Fault::Unstamped) {
            let last = world.orders.values().max_by_key(|o| o.order.version).map(|o| o.order.id.to_string());
            if let Some(id) = last {
                world.change_unstamped(&id);
            }
        }
        if fault == Some(Fault::Moves) {
            let first = world.orders.keys().next().cloned();
            if let Some(id) = first {
                world.change(&id);
            }
        }
        Ok(read)
    }

    fn earlier(&self, cursor: &str) -> Option<String> {
        Some((cursor.parse::<i64>().ok()? - REACH).max(0).to_string())
    }

    async fn products(&self, cursor: Option<&str>) -> Result<FeedPage<ReceivedProduct>, PlatformError> {
        let fault = self.meet(Call::Products).await?;
        let world = self.world();
        Ok(page(&world, cursor, world.products.iter().map(|p| (p.version, p.clone())).collect(), fault, Vec::new()))
    }

    async fn comments(&self, cursor: Option<&str>) -> Result<FeedPage<Comment>, PlatformError> {
        let fault = self.meet(Call::Comments).await?;
        let world = self.world();
        Ok(page(&world, cursor, world.comments.values().map(|c| (c.version, c.clone())).collect(), fault, world.old_comments.clone()))
    }

    async fn comment(&self, id: &CommentId) -> Result<Option<Comment>, PlatformError> {
        self.looked(|world| world.comments.get(id.as_str()).cloned()).await
    }

    async fn order(&self, id: &OrderId) -> Result<Option<ReceivedOrder>, PlatformError> {
        self.looked(|world| world.orders.get(id.as_str()).cloned()).await
    }

    async fn coupon(&self, id: &CouponId) -> Result<Option<ReadCoupon>, PlatformError> {
        self.looked(|world| world.coupons.get(id.as_str()).cloned()).await
    }

    async fn offer_change(&self, _: &ProductId, id: &ChangeId) -> Result<Option<ReadOffer>, PlatformError> {
        let read = |world: &World| {
            let read = world.offers.get(id.as_str())?.clone();
            let product = world.products.iter().find(|p| p.product.id == read.product.product.id)?.clone();
            Some(ReadOffer { product, read_at_ms: world.now, ..read })
        };
        self.looked(read).await
    }

    async fn pin(&self) -> Result<Option<ReadPin>, PlatformError> {
        self.looked(|world| world.pin.clone().map(|product| ReadPin { product, at_ms: 0 })).await
    }

    async fn live(&self) -> Result<ReadLive, PlatformError> {
        self.looked(|world| world.live).await
    }

    async fn picture(&self, _: &Product) -> Result<Option<Picture>, PlatformError> {
        Ok(None)
    }

    async fn perform(&self, effect: &Effect, key: &str) -> Result<(), PlatformError> {
        self.world().performed_at.push(Instant::now());
        let fault = self.meet(Call::Perform).await?;
        if fault == Some(Fault::Pretends) {
            return Ok(());
        }
        if let Some(code) = self.world().refuse {
            return Err(PlatformError::refused(code));
        }
        if fault == Some(Fault::DoneLate) {
            let (late, effect, key) = (self.clone(), effect.clone(), key.to_owned());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(30)).await;
                let _ = late.world().apply(&effect, &key);
            });
            return Err(PlatformError::Unreachable { sent: Sent::Maybe, detail: "late".to_owned() });
        }
        self.world().apply(effect, key)?;
        match fault {
            Some(Fault::DoneThenLost) => Err(PlatformError::Unreachable { sent: Sent::Maybe, detail: "cut".to_owned() }),
            Some(Fault::DoneThenNonsense) => Err(PlatformError::NotUnderstood { what: "fake".to_owned() }),
            Some(Fault::HangsAfter) => self.hang().await,
            _ => Ok(()),
        }
    }

    async fn hints(&self, _: Option<&str>) -> Result<HintStream, PlatformError> {
        // No stream: polling is the truth.
        Ok(futures_util::stream::pending().boxed())
    }
}
