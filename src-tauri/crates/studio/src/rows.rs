//! The only door to the store: rows as the use-cases need them.

use crate::error::{DATABASE, StudioError};
use crate::present;
use crate::secrets::MasterKey;
use crate::view::ActionView;
use stallcast_clock::Clock;
use stallcast_engine::protocol::Summary;
use stallcast_model::{Action, BagItem, Capability, Coupon, CouponDraft, IntentId, Money, Order, OrderId, Product, Shipment};
use stallcast_store::{IntentRow, OrderQuery, Restored, SealError, Sealer, Store, StoreError, StoreOptions};
use std::path::Path;
use std::sync::Arc;

pub(crate) use stallcast_store::Destination as DestinationRow;

/// How an intent of the outbox stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IntentState {
    Sending,
    Checking,
    Confirmed { at_ms: i64 },
    Failed { code: String },
}

/// A pressed button on its way to the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    pub id: String,
    pub state: IntentState,
}

impl Intent {
    /// `None` for one that was replaced or given up: nobody waits for it.
    fn of(row: IntentRow) -> Option<Self> {
        use stallcast_store::IntentState as S;
        let state = match row.state {
            S::Sending => IntentState::Sending,
            S::Checking => IntentState::Checking,
            S::Confirmed { at_ms } => IntentState::Confirmed { at_ms },
            S::Failed { code } => IntentState::Failed { code },
            S::Superseded | S::Discarded => return None,
        };
        Some(Self { id: row.id.to_string(), state })
    }

    pub(crate) fn view(&self) -> ActionView {
        match &self.state {
            IntentState::Sending => ActionView::Sending,
            IntentState::Checking => ActionView::Checking,
            IntentState::Confirmed { at_ms } => ActionView::Confirmed { at_ms: present::ms(*at_ms) },
            IntentState::Failed { code } => ActionView::Failed { code: code.clone(), intent_id: self.id.clone() },
        }
    }
}

/// A product in the bag, as confirmed.
#[derive(Debug, Clone)]
pub(crate) struct BagRow {
    pub item: BagItem,
    pub product: Product,
    pub stock_of: Option<i64>,
    pub pin: Option<Intent>,
}

/// A coupon and the intent that issues it.
#[derive(Debug, Clone)]
pub(crate) struct CouponRow {
    pub coupon: Coupon,
    pub intent_id: Option<String>,
}

/// An order of one connection.
#[derive(Debug, Clone)]
pub(crate) struct OrderRow {
    pub order: Order,
    /// Name of the connection.
    pub connection: String,
    pub seen_at_ms: i64,
    pub ship: Option<Intent>,
}

/// The newest orders and the counts of all.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrderList {
    pub rows: Vec<OrderRow>,
    pub total: u32,
    pub awaiting_payment: u32,
    pub to_ship: u32,
    pub after_sale: u32,
}

/// The show that is being prepared or runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShowRow {
    pub title: Option<String>,
    pub order_count: u32,
    pub turnover: Option<Money>,
}

/// The master key as the store uses it.
#[derive(Debug)]
struct KeySealer(Arc<MasterKey>);

impl Sealer for KeySealer {
    fn seal(&self, row: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.seal(row, plain).map_err(SealError::new)
    }

    fn open(&self, row: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.open_sealed(row, sealed).map(|plain| plain.to_vec()).map_err(SealError::new)
    }
}

/// Where copies of the database lie.
fn backups(data: &Path) -> std::path::PathBuf {
    data.join("backups")
}

/// Lays a copy of the database beside it.
pub(crate) async fn back_up(store: &Store, data: &Path, now_ms: i64) -> Result<(), StudioError> {
    let folder = backups(data);
    crate::private_file::make_folder(&folder).map_err(|_| StudioError::new("data_unwritable").with("path", folder.display()))?;
    store.back_up(&folder, now_ms).await?;
    Ok(())
}

/// Opens the database. A damaged one is put aside and its newest good copy takes its place; that is told with it.
pub(crate) async fn open_store(
    data: &Path,
    key: &Arc<MasterKey>,
    clock: &Arc<dyn Clock>,
) -> Result<(Store, Option<Restored>), StudioError> {
    let path = data.join(DATABASE);
    // SQLite gives its log the rights of the database: both are the owner's only.
    let created = crate::private_file::open_options().create(true).truncate(false).open(&path);
    created.map_err(|e| {
        tracing::warn!(error = %e, "the database cannot be opened for writing");
        StudioError::new("data_unwritable").with("path", path.display())
    })?;
    let sealer = Arc::new(KeySealer(Arc::clone(key)));
    let options = StoreOptions { path: path.clone(), sealer, clock: Arc::clone(clock) };
    let named = |e: StoreError| StudioError::from(e).with("path", path.display());
    match Store::open(options.clone()).await {
        Err(StoreError::Damaged { detail }) => {
            tracing::error!(detail, "the database is damaged");
            let restored = stallcast_store::restore(&path, &backups(data), clock.utc_ms()).await.map_err(named)?;
            tracing::warn!(aside = %restored.aside.display(), copied_at_ms = restored.copied_at_ms, "the damaged database was put aside");
            let store = Store::open(options).await.map_err(named)?;
            Ok((store, Some(restored)))
        }
        opened => Ok((opened.map_err(named)?, None)),
    }
}

pub(crate) async fn close_store(store: &Store) {
    store.close().await;
}

pub(crate) async fn setting(store: &Store, name: &str) -> Result<Option<String>, StudioError> {
    Ok(store.setting(name).await?)
}

pub(crate) async fn set_setting(store: &Store, name: &str, value: &str) -> Result<(), StudioError> {
    Ok(store.set_setting(name, value).await?)
}

pub(crate) async fn bag(store: &Store) -> Result<Vec<BagRow>, StudioError> {
    let row = |row: stallcast_store::BagRow| BagRow {
        item: row.item,
        product: row.product,
        stock_of: row.stock_of,
        pin: row.pin.and_then(Intent::of),
    };
    Ok(store.bag().await?.into_iter().map(row).collect())
}

pub(crate) async fn pin(store: &Store, number: u32, now_ms: i64, program_ms: Option<i64>) -> Result<(), StudioError> {
    store.pin(number, now_ms, program_ms).await?.map(drop).ok_or_else(|| StudioError::new("not_found"))
}

/// False when nothing was being explained.
pub(crate) async fn unpin(store: &Store, now_ms: i64, program_ms: Option<i64>) -> Result<bool, StudioError> {
    Ok(store.unpin(now_ms, program_ms).await?.is_some())
}

pub(crate) async fn coupons(store: &Store) -> Result<Vec<CouponRow>, StudioError> {
    let row = |row: stallcast_store::CouponRow| CouponRow { coupon: row.coupon, intent_id: row.intent.map(|intent| intent.id.to_string()) };
    Ok(store.coupons().await?.into_iter().map(row).collect())
}

/// Issues it on the first connection that can.
pub(crate) async fn issue_coupon(store: &Store, draft: &CouponDraft, now_ms: i64) -> Result<(), StudioError> {
    let all = store.connections().await?;
    let able = all.iter().find(|c| *c.capabilities.of(Action::IssueCoupon) == Capability::Native);
    let connection = able.ok_or_else(|| StudioError::new("unsupported"))?;
    store.issue_coupon(&connection.id, draft, now_ms).await?;
    Ok(())
}

pub(crate) async fn orders(store: &Store, most: u32) -> Result<OrderList, StudioError> {
    let rows = store.orders(OrderQuery { limit: most, ..OrderQuery::default() }).await?;
    let counts = store.order_counts().await?;
    let row = |row: stallcast_store::OrderRow| OrderRow {
        order: row.order,
        connection: row.connection_name,
        seen_at_ms: row.seen_at_ms,
        ship: row.ship.and_then(Intent::of),
    };
    Ok(OrderList {
        rows: rows.into_iter().map(row).collect(),
        total: counts.total,
        awaiting_payment: counts.awaiting_payment,
        to_ship: counts.to_ship,
        after_sale: counts.after_sale,
    })
}

pub(crate) async fn ship(store: &Store, order: &str, carrier: &str, tracking: &str, now_ms: i64) -> Result<(), StudioError> {
    let missing = || StudioError::new("not_found");
    let id = OrderId::new(order);
    let row = store.find_order(&id).await?.ok_or_else(missing)?;
    let shipment = Shipment { carrier: carrier.to_owned(), tracking: tracking.to_owned() };
    store.request_ship(&row.connection, &id, &shipment, now_ms).await?.map(drop).ok_or_else(missing)
}

pub(crate) async fn retry_intent(store: &Store, id: &str, now_ms: i64) -> Result<(), StudioError> {
    found(store.retry_intent(&IntentId::new(id), now_ms).await?)
}

pub(crate) async fn discard_intent(store: &Store, id: &str, now_ms: i64) -> Result<(), StudioError> {
    found(store.discard_intent(&IntentId::new(id), now_ms).await?)
}

fn found(found: bool) -> Result<(), StudioError> {
    if found { Ok(()) } else { Err(StudioError::new("not_found")) }
}

/// Intents that wait for a person.
pub(crate) async fn failed_intents(store: &Store) -> Result<Vec<IntentRow>, StudioError> {
    Ok(store.failed_intents().await?)
}

pub(crate) async fn destinations(store: &Store) -> Result<Vec<DestinationRow>, StudioError> {
    Ok(store.destinations().await?)
}

pub(crate) async fn save_destination(store: &Store, row: &DestinationRow) -> Result<(), StudioError> {
    Ok(store.save_destination(row).await?)
}

pub(crate) async fn remove_destination(store: &Store, id: &str) -> Result<bool, StudioError> {
    Ok(store.remove_destination(id).await?)
}

pub(crate) async fn current_show(store: &Store) -> Result<ShowRow, StudioError> {
    let show = store.current_show().await?;
    Ok(ShowRow { title: show.title, order_count: show.orders, turnover: show.turnover.first().copied() })
}

pub(crate) async fn begin_show(store: &Store, now_ms: i64) -> Result<(), StudioError> {
    store.begin_show(now_ms).await?;
    Ok(())
}

/// The show never came on air.
pub(crate) async fn drop_show(store: &Store) -> Result<(), StudioError> {
    store.drop_show().await?;
    Ok(())
}

/// True when this is news.
pub(crate) async fn show_live(store: &Store, live_since_ms: i64) -> Result<bool, StudioError> {
    Ok(store.show_live(live_since_ms).await?)
}

/// True when a show had begun.
pub(crate) async fn end_show(store: &Store, now_ms: i64, summary: Option<&Summary>) -> Result<bool, StudioError> {
    let summary = summary.map(serde_json::to_value).transpose().map_err(StudioError::internal)?;
    Ok(store.end_show(now_ms, summary.as_ref()).await?)
}

/// The last show of a folder, also when another process owns it.
pub(crate) async fn last_show(data: &Path) -> Option<serde_json::Value> {
    match stallcast_store::last_ended_show(&data.join(DATABASE)).await {
        Ok(show) => show.map(|show| {
            serde_json::json!({
                "id": show.id, "title": show.title, "begun_at_ms": show.begun_at_ms, "ended_at_ms": show.ended_at_ms,
                "summary": show.summary,
            })
        }),
        Err(e) => {
            tracing::warn!(error = %e, "the last show cannot be read");
            None
        }
    }
}

/// Adds the connection of a platform, or what is known of it by now.
pub(crate) async fn put_connection(store: &Store, connection: &stallcast_store::Connection) -> Result<(), StudioError> {
    Ok(store.put_connection(connection).await?)
}
