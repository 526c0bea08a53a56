//! The role `worker`: store, workers and a seller in a hurry, until somebody kills it. With `--settle` it stops by itself
//! once nothing is under way and everything was read.

use crate::Outcome;
use crate::plain_sealer::PlainSealer;
use crate::words::{Dice, Words};
use crate::world::now_ms;
use secrecy::SecretString;
use stallcast_clock::{SystemClock, failpoint};
use stallcast_model::{AfterSaleAnswer, ConnectionId, CouponDraft, Currency, Money, OrderStatus, Waybill};
use stallcast_platform::Platform;
use stallcast_platform::local::LocalShop;
use stallcast_store::{Connection, OrderQuery, Resource, Store, StoreError, StoreOptions};
use stallcast_sync::{ConnectionSync, Pace, SyncEvent, SyncOptions, Timing};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

pub fn shop() -> ConnectionId {
    ConnectionId::new("local")
}

/// Opens the store of a folder.
pub async fn open(data: &Path) -> Outcome<Store> {
    let options = StoreOptions { path: data.join("stallcast.db"), sealer: Arc::new(PlainSealer), clock: Arc::new(SystemClock) };
    Ok(Store::open(options).await?)
}

/// Where this life ends, and how often it passes there before.
static DEATH: OnceLock<String> = OnceLock::new();
static PASSES_LEFT: AtomicI64 = AtomicI64::new(0);

fn at_failpoint(name: &'static str) {
    if DEATH.get().is_some_and(|at| at == name) && PASSES_LEFT.fetch_sub(1, Ordering::SeqCst) == 1 {
        // No unwinding, no goodbye: as the system would do it.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Times that put many exchanges into a short life.
fn quick() -> Timing {
    Timing {
        live: Duration::from_millis(15),
        idle: Duration::from_millis(15),
        reconcile: Duration::from_millis(120),
        retry_first: Duration::from_millis(2),
        retry_most: Duration::from_millis(20),
        try_first: Duration::from_millis(5),
        try_most: Duration::from_millis(50),
        lease: Duration::from_secs(60),
        finish: Duration::from_millis(500),
    }
}

pub async fn run(words: &Words) -> Outcome {
    let (data, token_file) = (words.need("--data")?, words.need("--token")?);
    let url = words.value("--url").ok_or("--url is missing")?.to_owned();
    if let Some(at) = words.value("--die-at") {
        if !cfg!(debug_assertions) {
            return Err("a release build has no failpoints".into());
        }
        PASSES_LEFT.store(i64::try_from(words.number("--pass")?.unwrap_or(1))?, Ordering::SeqCst);
        DEATH.get_or_init(|| at.to_owned());
        failpoint::on_failpoint(at_failpoint);
    }
    let store = open(&data).await?;
    let platform = Arc::new(LocalShop::new(&url, token(&token_file)?, Arc::new(SystemClock))?);
    let capabilities = platform.capabilities();
    let connection =
        Connection { id: shop(), kind: LocalShop::KIND.to_owned(), name: "店".to_owned(), capabilities, currency: Some(Currency::Cny) };
    store.put_connection(&connection).await?;
    let (sync, events) = ConnectionSync::start(SyncOptions {
        store: store.clone(),
        platform: Arc::clone(&platform) as Arc<dyn Platform>,
        connection: shop(),
        clock: Arc::new(SystemClock),
        pace: Pace::Live,
        timing: quick(),
    });
    tokio::spawn(sign_in_again(Arc::clone(&platform), url, token_file));
    if words.has("--settle") {
        settle(&store, &sync, events).await?;
        sync.stop().await;
        store.close().await;
        return Ok(());
    }
    seller(&store, &sync, Dice(words.number("--seed")?.unwrap_or(0))).await
}

fn token(file: &Path) -> Outcome<SecretString> {
    Ok(SecretString::from(std::fs::read_to_string(file)?.trim().to_owned()))
}

/// Follows the token, which the platform changes whenever it likes.
async fn sign_in_again(platform: Arc<LocalShop>, url: String, file: PathBuf) -> Outcome {
    loop {
        platform.moved(&url, token(&file)?)?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Ships, answers, issues and pins without a pause.
async fn seller(store: &Store, sync: &ConnectionSync, mut dice: Dice) -> Outcome {
    loop {
        let outcome: Result<(), StoreError> = match dice.below(10) {
            0..=2 => ship(store, &mut dice).await,
            8 | 9 => answer(store, &mut dice).await,
            3 => {
                let yuan = |n| Money::new(n, Currency::Cny);
                let draft = CouponDraft { discount: yuan(3_000), threshold: yuan(19_900), quantity: 5, valid_s: 180 };
                store.issue_coupon(&shop(), &draft, now_ms()).await.map(drop)
            }
            4 | 5 => store.pin(u32::try_from(dice.below(5)).unwrap_or(0) + 1, now_ms(), None).await.map(drop),
            6 => store.unpin(now_ms(), None).await.map(drop),
            _ => again(store).await,
        };
        match outcome {
            // Not possible now: the host's button was grey.
            Ok(()) | Err(StoreError::WrongState { .. }) => {}
            Err(e) => return Err(e.into()),
        }
        sync.wake_outbox();
        tokio::time::sleep(Duration::from_millis(5 + dice.below(15))).await;
    }
}

async fn ship(store: &Store, dice: &mut Dice) -> Result<(), StoreError> {
    let query = OrderQuery { status: Some(OrderStatus::ToShip), limit: 20, ..OrderQuery::default() };
    let rows = store.orders(query).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let row = dice.pick(&rows);
    let parcel = Waybill { carrier: "SF".to_owned(), tracking: format!("T-{}", row.order.id) };
    store.request_ship(&shop(), &row.order.id, &parcel, &[], now_ms()).await.map(drop)
}

/// Agrees to what a buyer asked for, or refuses it.
async fn answer(store: &Store, dice: &mut Dice) -> Result<(), StoreError> {
    let query = OrderQuery { status: Some(OrderStatus::AfterSale), limit: 20, ..OrderQuery::default() };
    let rows = store.orders(query).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let order = &dice.pick(&rows).order;
    let Some(asked) = order.asked() else { return Ok(()) };
    let refuse = AfterSaleAnswer::Refuse { reason: "已经签收".to_owned() };
    let answer = if dice.one_in(2) { AfterSaleAnswer::Agree } else { refuse };
    store.answer_after_sale(&shop(), &order.id, &asked.id, &answer, now_ms()).await.map(drop)
}

/// What failed is sent again by a person.
async fn again(store: &Store) -> Result<(), StoreError> {
    for intent in store.failed_intents().await?.into_iter().take(3) {
        store.retry_intent(&intent.id, now_ms()).await?;
    }
    Ok(())
}

async fn settle(store: &Store, sync: &ConnectionSync, mut events: Receiver<SyncEvent>) -> Outcome {
    let begun = now_ms();
    again(store).await?;
    sync.wake_outbox();
    let resting = async {
        loop {
            let seal = store.seal(&shop(), Resource::Orders).await?;
            let read = seal.and_then(|s| s.complete_up_to_ms).is_some_and(|up_to| up_to >= begun);
            if read && store.next_due_ms(&shop()).await?.is_none() {
                return Outcome::Ok(());
            }
            if let Err(RecvError::Closed) = events.recv().await {
                return Err("the workers are gone".into());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), resting).await.map_err(|_| "it never comes to rest")?
}
