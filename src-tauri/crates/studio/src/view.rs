//! What windows, the staff browser and the command line see. Plain snapshots: each event replaces a whole section, so a
//! reader that missed one is right again at the next. No secrets; buyers' names are already masked, what they wrote about an
//! after-sale is not.

mod bag;
mod common;
mod coupons;
mod orders;
mod settings;
mod shops;
mod show;

pub use crate::comment_view::{CommentKindView, CommentPageView, CommentRowView, CommentsView, ReadingView};
pub use crate::destination_view::{DestinationForm, DestinationView, MostView, NoteView, PresetView, Words};
pub use crate::order_view::{AfterSaleKindView, AfterSaleStateView, AfterSaleView, LinePiecesView, ParcelView};
pub use bag::{BagItemView, CandidateView, CandidatesView, OfferChangeView, OfferForm, SkuView};
pub use common::{ActionView, HealthView, MoneyView, SealView, UiError};
pub use coupons::{CouponForm, CouponStateView, CouponView};
pub use orders::{OrderLineView, OrderPageView, OrderRowView, OrderStatusView, OrdersView};
use serde::{Deserialize, Serialize};
pub use settings::{DeviceView, DevicesView, SettingsView, SourceForm};
pub use shops::{CapabilityView, ConnectionView, ShopForm, ShopStateView};
pub use show::{LevelsView, LinkStateView, ShowStateView, ShowView, StatsView};
use specta::Type;

/// Everything, for a window that opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct StudioView {
    /// Show and transport.
    pub show: ShowView,
    /// Bag, in the order of its queue.
    pub bag: Vec<BagItemView>,
    /// Newest first, at most 200.
    pub orders: OrdersView,
    /// What viewers write.
    pub comments: CommentsView,
    /// Newest first.
    pub coupons: Vec<CouponView>,
    /// The shops and what each can do.
    pub connections: Vec<ConnectionView>,
    /// Last figures.
    pub stats: StatsView,
    /// Destinations.
    pub destinations: Vec<DestinationView>,
    /// Settings that the page needs.
    pub settings: SettingsView,
    /// Open problems, newest first, at most 20.
    pub health: Vec<HealthView>,
}

impl StudioView {
    /// Every section as an event: what a page that missed some needs.
    #[must_use]
    pub fn sections(self) -> Vec<StudioEvent> {
        vec![
            StudioEvent::Show(self.show),
            StudioEvent::Bag(self.bag),
            StudioEvent::Orders(self.orders),
            StudioEvent::Comments(self.comments),
            StudioEvent::Coupons(self.coupons),
            StudioEvent::Connections(self.connections),
            StudioEvent::Stats(self.stats),
            StudioEvent::Destinations(self.destinations),
            StudioEvent::Settings(self.settings),
            StudioEvent::Health(self.health),
        ]
    }
}

/// One change. Sections come whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "section", content = "value", rename_all = "camelCase")]
pub enum StudioEvent {
    /// Show and transport.
    Show(ShowView),
    /// Bag.
    Bag(Vec<BagItemView>),
    /// Orders.
    Orders(OrdersView),
    /// Comments.
    Comments(CommentsView),
    /// Coupons.
    Coupons(Vec<CouponView>),
    /// Shops.
    Connections(Vec<ConnectionView>),
    /// Once a second.
    Stats(StatsView),
    /// Ten times a second while somebody looks at the preview.
    Levels(LevelsView),
    /// Destinations.
    Destinations(Vec<DestinationView>),
    /// Settings.
    Settings(SettingsView),
    /// Open problems.
    Health(Vec<HealthView>),
}
