//! The only door to the store: rows as the use-cases need them.

mod comments;
mod orders;
mod shops;

pub(crate) use comments::{CommentRow, comment, comment_counts, hide_comment, search_comments};

pub(crate) use orders::{OrderAt, OrderList, OrderRow, OrderSearch, answer_after_sale, order, orders, search_orders, ship};
pub(crate) use shops::{
    Remote, add_remote, connection_name, connections, put_connection, remotes, remove_connection, rename_connection, set_identity,
    shop_of_identity, told,
};

use crate::error::{DATABASE, StudioError};
use crate::present;
use crate::secrets::MasterKey;
use crate::view::ActionView;
use stallcast_clock::Clock;
use stallcast_engine::protocol::Summary;
use stallcast_model::{Action, BagItem, Capability, ConnectionId, Coupon, CouponDraft, CouponId, IntentId, Money, Product, ProductId};
use stallcast_store::{Connection, IntentRow, OfferChangeRow, Restored, SealError, Sealer, Store, StoreError, StoreOptions};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub(crate) use stallcast_store::{Candidate, Candidates, Destination as DestinationRow, OfferWish};

/// How an intent of the outbox stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IntentState {
    Sending,
    Checking,
    Confirmed { at_ms: i64 },
    Failed { code: String, params: BTreeMap<String, String> },
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
            S::Failed { code, params } => IntentState::Failed { code, params },
            S::Superseded | S::Discarded => return None,
        };
        Some(Self { id: row.id.to_string(), state })
    }

    pub(crate) fn view(&self) -> ActionView {
        match &self.state {
            IntentState::Sending => ActionView::Sending,
            IntentState::Checking => ActionView::Checking,
            IntentState::Confirmed { at_ms } => ActionView::Confirmed { at_ms: present::ms(*at_ms) },
            IntentState::Failed { code, params } => {
                ActionView::Failed { code: code.clone(), params: params.clone(), intent_id: self.id.clone() }
            }
        }
    }

    /// As [`Self::view`], with what a sentence calls it by.
    pub(crate) fn view_of(&self, names: &[(&str, &dyn std::fmt::Display)]) -> ActionView {
        let mut view = self.view();
        if let ActionView::Failed { params, .. } = &mut view {
            params.extend(names.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())));
        }
        view
    }
}

/// A product in the bag, as confirmed.
#[derive(Debug, Clone)]
pub(crate) struct BagRow {
    pub item: BagItem,
    pub product: Product,
    pub stock_of: Option<i64>,
    pub pin: Option<Intent>,
    pub connection: String,
    pub change: Option<OfferChange>,
}

/// A change of price or pieces.
#[derive(Debug, Clone)]
pub(crate) struct OfferChange {
    pub row: OfferChangeRow,
    pub intent: Intent,
}

/// A coupon and the intent that issues it.
#[derive(Debug, Clone)]
pub(crate) struct CouponRow {
    pub coupon: Coupon,
    pub connection: String,
    pub intent_id: Option<String>,
    /// Of a refusal.
    pub failure_params: BTreeMap<String, String>,
    /// Ending it early, once asked for.
    pub withdraw: Option<Intent>,
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

    fn mark(&self, field: &str, value: &str) -> Result<i64, SealError> {
        self.0.mark(field, value).map_err(SealError::new)
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

/// Takes away the buyers of orders that were settled before `before_ms`, comments written before, and what copies hold of
/// them. Returns how many orders and comments.
pub(crate) async fn purge(store: &Store, data: &Path, before_ms: i64, now_ms: i64) -> Result<(u32, u32), StudioError> {
    let purged = (store.purge_buyers(before_ms, now_ms).await?, store.purge_comments(before_ms).await?);
    if purged != (0, 0) {
        store.sweep(&data.join(DATABASE), &backups(data), before_ms, now_ms).await?;
    }
    Ok(purged)
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

/// Reads what was not checked of a large database while it was opened. True: it is damaged, which the next start mends.
pub(crate) async fn is_damaged(store: &Store) -> bool {
    match store.check_rest().await {
        Ok(()) => false,
        Err(StoreError::Damaged { detail }) => {
            tracing::error!(detail, "the database is damaged; the next start puts a copy in its place");
            true
        }
        Err(e) => {
            tracing::warn!(error = %e, "the database could not be checked");
            false
        }
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
        connection: row.connection.to_string(),
        change: row.change.and_then(|row| Intent::of(row.intent.clone()).map(|intent| OfferChange { row, intent })),
    };
    Ok(store.bag().await?.into_iter().map(row).collect())
}

pub(crate) async fn pin(store: &Store, number: u32, now_ms: i64, program_ms: Option<i64>) -> Result<(), StudioError> {
    store.pin(number, now_ms, program_ms).await?.map(drop).ok_or_else(|| StudioError::new("not_found"))
}

/// Which number it has in the bag now.
pub(crate) async fn add_to_bag(store: &Store, connection: &str, product: &str, now_ms: i64) -> Result<u32, StudioError> {
    let added = store.add_to_bag(&ConnectionId::new(connection), &ProductId::new(product), now_ms).await;
    added?.ok_or_else(|| StudioError::new("not_found"))
}

pub(crate) async fn remove_from_bag(store: &Store, number: u32, now_ms: i64, program_ms: Option<i64>) -> Result<(), StudioError> {
    found(store.remove_from_bag(number, now_ms, program_ms).await?)
}

pub(crate) async fn move_in_bag(store: &Store, number: u32, by: i32, now_ms: i64) -> Result<(), StudioError> {
    found(store.move_in_bag(number, by, now_ms).await?)
}

/// Products of the shops that are not in the bag.
pub(crate) async fn bag_candidates(store: &Store, text: &str, limit: u32) -> Result<Candidates, StudioError> {
    Ok(store.bag_candidates(text, limit).await?)
}

pub(crate) async fn product(store: &Store, connection: &str, id: &str) -> Result<Option<Product>, StudioError> {
    Ok(store.product(&ConnectionId::new(connection), &ProductId::new(id)).await?)
}

/// The explained product is in the picture at this instant.
pub(crate) async fn span_seen(store: &Store, now_ms: i64, program_ms: Option<i64>) -> Result<(), StudioError> {
    Ok(store.span_seen(now_ms, program_ms).await?)
}

/// Ends an explanation whose picture died with a process before this one.
pub(crate) async fn close_lost_span(store: &Store, now_ms: i64) -> Result<(), StudioError> {
    if let Some(span) = store.close_lost_span(now_ms).await? {
        tracing::info!(
            number = span.number,
            from_ms = span.from_ms,
            to_ms = span.to_ms,
            "an explanation was left open and ended where it was last seen"
        );
    }
    Ok(())
}

/// False when nothing was being explained.
pub(crate) async fn unpin(store: &Store, now_ms: i64, program_ms: Option<i64>) -> Result<bool, StudioError> {
    Ok(store.unpin(now_ms, program_ms).await?.is_some())
}

pub(crate) async fn coupons(store: &Store) -> Result<Vec<CouponRow>, StudioError> {
    let row = |row: stallcast_store::CouponRow| CouponRow {
        coupon: row.coupon,
        connection: row.connection.to_string(),
        intent_id: row.intent.as_ref().map(|intent| intent.id.to_string()),
        failure_params: match row.intent.map(|intent| intent.state) {
            Some(stallcast_store::IntentState::Failed { params, .. }) => params,
            _ => BTreeMap::new(),
        },
        withdraw: row.withdraw.and_then(Intent::of),
    };
    Ok(store.coupons().await?.into_iter().map(row).collect())
}

/// Where a coupon is issued: on this connection if one is named, else on the first that can.
pub(crate) async fn coupon_place(store: &Store, connection: Option<&str>) -> Result<Connection, StudioError> {
    let mut all = store.connections().await?.into_iter();
    match connection {
        Some(id) => all.find(|c| c.id.as_str() == id).ok_or_else(|| StudioError::new("not_found")),
        None => {
            let able = all.find(|c| *c.capabilities.of(Action::IssueCoupon) == Capability::Native);
            able.ok_or_else(|| StudioError::new("unsupported"))
        }
    }
}

/// Its id.
pub(crate) async fn issue_coupon(
    store: &Store,
    connection: &ConnectionId,
    draft: &CouponDraft,
    now_ms: i64,
) -> Result<String, StudioError> {
    Ok(store.issue_coupon(connection, draft, now_ms).await?.to_string())
}

pub(crate) async fn withdraw_coupon(store: &Store, id: &str, now_ms: i64) -> Result<(), StudioError> {
    found(store.withdraw_coupon(&CouponId::new(id), now_ms).await?)
}

pub(crate) async fn change_offer(store: &Store, wish: &OfferWish, ahead_ms: i64, now_ms: i64) -> Result<(), StudioError> {
    store.change_offer(wish, ahead_ms, now_ms).await?.map(drop).ok_or_else(|| StudioError::new("not_found"))
}

/// How something that was pressed stands; `None` once it was replaced or given up.
pub(crate) async fn intent(store: &Store, id: &str) -> Result<Option<Intent>, StudioError> {
    Ok(store.intent(&IntentId::new(id)).await?.and_then(Intent::of))
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
