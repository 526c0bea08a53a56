//! The only door to the store: rows as the use-cases need them.

use crate::error::StudioError;
use crate::present;
use crate::secrets::MasterKey;
use crate::view::ActionView;
use stallcast_clock::Clock;
use stallcast_engine::protocol::Summary;
use stallcast_model::{BagItem, Coupon, CouponDraft, Money, Order, Product};
use stallcast_store::Store;
use std::path::Path;
use std::sync::Arc;

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

/// A destination; address and key are sealed together.
#[derive(Debug, Clone)]
pub(crate) struct DestinationRow {
    pub id: String,
    pub name: String,
    pub host: String,
    pub key_hint: String,
    pub enabled: bool,
    pub sealed: Vec<u8>,
}

/// The show that runs, or the last one's name.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShowRow {
    pub title: Option<String>,
    pub order_count: u32,
    pub turnover: Option<Money>,
}

pub(crate) async fn open_store(data: &Path, key: &Arc<MasterKey>, clock: &Arc<dyn Clock>) -> Result<Store, StudioError> { todo!() }
pub(crate) async fn close_store(store: &Store) { todo!() }
pub(crate) async fn setting(store: &Store, name: &str) -> Result<Option<String>, StudioError> { todo!() }
pub(crate) async fn set_setting(store: &Store, name: &str, value: &str) -> Result<(), StudioError> { todo!() }
pub(crate) async fn bag(store: &Store) -> Result<Vec<BagRow>, StudioError> { todo!() }
pub(crate) async fn pin(store: &Store, number: u32, now_ms: i64, program_ms: Option<i64>) -> Result<(), StudioError> { todo!() }
pub(crate) async fn unpin(store: &Store, now_ms: i64) -> Result<bool, StudioError> { todo!() }
pub(crate) async fn coupons(store: &Store) -> Result<Vec<CouponRow>, StudioError> { todo!() }
pub(crate) async fn issue_coupon(store: &Store, draft: &CouponDraft, now_ms: i64) -> Result<(), StudioError> { todo!() }
pub(crate) async fn orders(store: &Store, most: u32) -> Result<OrderList, StudioError> { todo!() }
pub(crate) async fn ship(store: &Store, order: &str, carrier: &str, tracking: &str, now_ms: i64) -> Result<(), StudioError> { todo!() }
pub(crate) async fn retry_intent(store: &Store, id: &str, now_ms: i64) -> Result<(), StudioError> { todo!() }
pub(crate) async fn discard_intent(store: &Store, id: &str, now_ms: i64) -> Result<(), StudioError> { todo!() }
pub(crate) async fn destinations(store: &Store) -> Result<Vec<DestinationRow>, StudioError> { todo!() }
pub(crate) async fn save_destination(store: &Store, row: &DestinationRow) -> Result<(), StudioError> { todo!() }
pub(crate) async fn remove_destination(store: &Store, id: &str) -> Result<bool, StudioError> { todo!() }
pub(crate) async fn current_show(store: &Store) -> Result<ShowRow, StudioError> { todo!() }
pub(crate) async fn begin_show(store: &Store, now_ms: i64) -> Result<(), StudioError> { todo!() }
pub(crate) async fn show_live(store: &Store, live_since_ms: i64) -> Result<(), StudioError> { todo!() }
pub(crate) async fn end_show(store: &Store, now_ms: i64, summary: Option<&Summary>) -> Result<(), StudioError> { todo!() }
pub(crate) async fn last_show(data: &Path) -> Option<serde_json::Value> { todo!() }
