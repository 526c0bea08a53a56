//! The connection to the shop: adapter and synchronisation workers, and what the rest of the façade asks of them.

use crate::error::StudioError;
use crate::rows;
use crate::studio::Studio;
use crate::view::SealView;
use stallcast_engine::protocol::Summary;
use stallcast_model::Product;
use stallcast_store::Store;

#[derive(Debug)]
pub(crate) struct Selling;

impl Selling {
    pub(crate) async fn stop(&self) { todo!() }
    pub(crate) async fn seal(&self, _: &Store, _now: i64) -> SealView { todo!() }
    pub(crate) async fn picture(&self, _p: &Product) -> Option<(String, bytes::Bytes)> { todo!() }
}

impl Studio {
    pub(crate) async fn start_selling(&self) -> Result<(), StudioError> { todo!() }
    pub(crate) async fn shop_restarted(&self) { todo!() }
    pub(crate) fn wake_outbox(&self) { todo!() }
    pub(crate) fn platform_ahead_ms(&self) -> i64 { todo!() }
    pub(crate) fn confirmed_ms(&self) -> Option<i64> { todo!() }
    pub(crate) fn shop_name(&self) -> String { todo!() }
    pub(crate) async fn begin_show_row(&self) -> Result<(), StudioError> { rows::begin_show(&self.inner.store, self.now_ms()).await }
    pub(crate) async fn drop_show_row(&self) { todo!() }
    pub(crate) async fn show_accepted(&self, since_ms: i64) { todo!() }
    pub(crate) async fn end_show_row(&self, summary: &Summary) { todo!() }
    pub(crate) async fn end_left_over_row(&self) { todo!() }
}
